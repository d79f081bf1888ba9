"""Declare the key ``claims`` of a configuration, and the rule that evaluates a claims file.

What does not live here: the schema of a claims file (:mod:`.statements`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from idescent.products.claims.audit import required
from idescent.products.claims.statements import ClaimsError, read
from idescent.products.product import Job, Product, Rule, manifests, tables
from idescent.study.cells import Cell, Study
from idescent.study.provenance import digest
from idescent.study.values import unbraced

HERE = "idescent.products.claims"


def settings(spec: Any, study: Study) -> str | None:
    """Return the name of the claims file."""
    file: str | None = spec.claims
    return file


def claimed(study: Study, file: str) -> list[tuple[Cell, str]]:
    """Return the paths of the study that the claims need, as (cell, name)."""
    cells = [cell.spec() for cell in study.cells]
    claims = read(file)
    try:
        needed = required(claims, cells, study.solutions)
    except ClaimsError as error:
        raise ClaimsError(f"{file}: {error}") from None
    paths = [(study.cells[i], name) for i, name in needed]
    return [(cell, name) for cell, name in paths if name in cell.paths]


def rules(study: Study, file: str | None, before: Sequence[Rule]) -> list[Rule]:
    """Return the rule ``claims``."""
    if file is None:
        return []
    paths = claimed(study, file)
    # The results depend on the code of the objectives, which give the minimum and the least loss.
    objectives = {cell.group[0]: cell.objective for cell in study.cells}
    job = Job(
        digest(f"{HERE}.table", *(("objective", spec) for spec in objectives.values())),
        inputs=manifests(study, paths),
        files=tuple(study.place(cell, name) for cell, name in paths),
        given={"claims": file},
    )
    return [
        Rule(
            "claims",
            "table",
            f"{HERE}.table:job",
            tables("claims", "claims.rst", (".csv", ".md")),
            (job,),
            "evaluate the paper's claims",
            external=(file,),
        )
    ]


PRODUCT = Product(
    "claims",
    (
        Annotated[str, AfterValidator(unbraced)] | None,
        Field(default=None, min_length=1, description="Claims file, such as config/claims.yaml"),
    ),
    settings,
    rules,
)
