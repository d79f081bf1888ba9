"""The audit of a paper's statements: the key ``claims`` of a configuration, and its rule.

What lives here: the declaration.  What does not: the form of a file of statements (:mod:`.statements`).
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
    """Return the file of statements."""
    claims: str | None = spec.claims
    return claims


def claimed(study: Study, file: str) -> list[tuple[Cell, str]]:
    """Return the cells, with names of runs and solutions, that the claims need and the study has."""
    cells = [cell.spec() for cell in study.cells]
    claims = read(file)
    try:
        needed = required(claims, cells, study.solutions)
    except ClaimsError as error:
        raise ClaimsError(f"{file}: {error}") from None
    wanted = [(study.cells[i], name) for i, name in needed]
    return [(cell, name) for cell, name in wanted if name in cell.paths]


def rules(study: Study, given: str | None, before: Sequence[Rule]) -> list[Rule]:
    """Return the rule ``claims``."""
    if given is None:
        return []
    shown = claimed(study, given)
    # The objective knows the distance from its minimum.
    objectives = {cell.group[0]: cell.objective for cell in study.cells}
    job = Job(
        digest(f"{HERE}.table", *(("objective", spec) for spec in objectives.values())),
        inputs=manifests(study, shown),
        files=tuple(study.place(cell, name) for cell, name in shown),
        given={"claims": given},
    )
    return [
        Rule(
            "claims",
            "table",
            f"{HERE}.table:job",
            tables("claims", "claims.rst", (".csv", ".md")),
            (job,),
            "decide the paper's claims",
            external=(given,),
        )
    ]


PRODUCT = Product(
    "claims",
    (
        Annotated[str, AfterValidator(unbraced)] | None,
        Field(default=None, min_length=1, description="File of statements to decide, as config/claims.yaml"),
    ),
    settings,
    rules,
)
