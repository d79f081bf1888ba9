"""Long runs that are predicted: the section ``forecast`` of a configuration, and its rule.

What lives here: keys and declaration.  What does not: the predictions (:mod:`.rows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from idescent.products.product import FIRST, Job, Output, Product, Rule, figures
from idescent.study.cells import Study
from idescent.study.grid import expand
from idescent.study.keys import RunSpec
from idescent.study.provenance import digest

HERE = "idescent.products.forecast"


def settings(spec: Any, study: Study) -> list[dict[str, Any]]:
    """Expand the runs that are predicted."""
    cells = [cell for i, run in enumerate(spec.forecast) for cell in expand(spec, f"forecast.{i}", run)]
    return [cell.spec() for cell in cells]


def rules(study: Study, given: list[dict[str, Any]], before: Sequence[Rule]) -> list[Rule]:
    """Return the rule ``forecast``."""
    if not given:
        return []
    outputs = (Output("tables/forecast.csv", "forecast.rst"), *figures("forecast.rst", stem="forecast"))
    job = Job(digest(f"{HERE}.rows"), given={"cells": given}, priority=FIRST)
    return [Rule("forecast", "measure", f"{HERE}.rows:job", outputs, (job,), "predict long runs")]


PRODUCT = Product(
    "forecast",
    (
        list[RunSpec],
        Field(
            default_factory=list,
            description="Runs that are predicted instead of made, and compared where they can be made",
        ),
    ),
    settings,
    rules,
)
