"""Declare the section ``forecast`` of a configuration, and the rule that leaps over long runs.

What does not live here: the leaps (:mod:`.rows`).
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
    """Expand the section into the cells to leap over."""
    cells = [cell for i, run in enumerate(spec.forecast) for cell in expand(spec, f"forecast.{i}", run)]
    return [cell.spec() for cell in cells]


def rules(study: Study, cells: list[dict[str, Any]], before: Sequence[Rule]) -> list[Rule]:
    """Return the rule ``forecast``."""
    if not cells:
        return []
    outputs = (Output("tables/forecast.csv", "forecast.rst"), *figures("forecast.rst", stem="forecast"))
    job = Job(digest(f"{HERE}.rows"), given={"cells": cells}, priority=FIRST)
    return [Rule("forecast", "measure", f"{HERE}.rows:job", outputs, (job,), "leap over long runs")]


PRODUCT = Product(
    "forecast",
    (
        list[RunSpec],
        Field(
            default_factory=list,
            description="Runs of any length to leap over; short ones are also made, to measure the error",
        ),
    ),
    settings,
    rules,
)
