"""Schema of a claims file: statements, their cells, measures and thresholds.

What lives here: the schema, its checks, and reading a file.  What does not: measuring (:mod:`.measures`) and
verdicts (:mod:`.audit`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from idescent.products.claims.measures import MEASURES
from idescent.store.tables import HYPERPARAMETERS
from idescent.study.messages import ConfigError, path, shown
from idescent.study.texts import RULE, forbidden

# Columns of claims.csv, without those of the sources.
COLUMNS = ("id", "where", "statement", "about", "verdict", "check", "measure", "cell", "threshold", "reason")
# Properties of any cell that a selector may name; the study decides which other hyper-parameters there are.
SELECTORS = ("objective", "optimizer", "alpha", *HYPERPARAMETERS)

_DECIDING = {
    "discrete": ["discrete"],
    "model": ["exact"],
    "both": ["discrete", "exact"],
    "scheme": ["scheme"],
}


class ClaimsError(ConfigError):
    """A mistake in a claims file; the message is one line: claim, field, value and the allowed values."""


def _measure_name(name: str) -> str:
    if name not in MEASURES:
        raise ValueError(f"must be one of {', '.join(MEASURES)}")
    return name


Selector = dict[str, Any]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClaimSource(_Strict):
    """Path and role of one column of the table."""

    path: str = Field(min_length=1, description="discrete, or the name of a solution")
    role: Literal["discrete", "exact", "scheme"]


class Second(_Strict):
    """The second term of a comparison: the first term, except for the properties in these keys."""

    cell: Selector = Field(default_factory=dict, description="another cell: the properties that differ")
    source: str | None = Field(default=None, description="the title of another source")


class Expect(_Strict):
    """The threshold; a number must fulfil all of its parts."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _given(self) -> Expect:
        if not self.model_fields_set:
            raise ValueError("must have at least one of above, at_least, below, at_most")
        return self

    def met_by(self, value: float) -> bool:
        """Whether a number fulfils the threshold; NaN never does."""
        return (
            not math.isnan(value)
            and (self.above is None or value > self.above)
            and (self.at_least is None or value >= self.at_least)
            and (self.below is None or value < self.below)
            and (self.at_most is None or value <= self.at_most)
        )

    def __str__(self) -> str:
        """Return, e.g., ``> 1, ≤ 2``."""
        signs = (("above", ">"), ("at_least", "≥"), ("below", "<"), ("at_most", "≤"))
        bounds = ((sign, getattr(self, name)) for name, sign in signs)
        return ", ".join(f"{sign} {value:.6g}" for sign, value in bounds if value is not None)


class Check(_Strict):
    """One measure and its threshold, for each cell that the selector matches."""

    measure: Annotated[str, AfterValidator(_measure_name)]
    quantity: Literal["theta", "offset", "loss", "excess", "m", "v", "G"] = Field(
        description="offset is theta minus the minimum, excess the loss minus the least loss"
    )
    cell: Selector = Field(
        min_length=1, description="properties of the cells; a list of values matches each of them"
    )
    every: Literal["all", "any"] = Field(
        default="all", description="how many of the cells must fulfil the threshold"
    )
    k: tuple[int, int | None] = Field(
        default=(0, None), description="first and last iteration; all by default"
    )
    options: dict[str, Any] = Field(default_factory=dict, description="the measure's own arguments")
    source: str | None = Field(
        default=None, description="source of the measured path, the same in every column"
    )
    against: str | None = Field(default=None, description="the other path, for a measure of two paths")
    relative_to: Second | None = Field(default=None, description="a second term")
    combine: Literal["ratio", "difference"] = Field(default="ratio", description="first to second term")
    expect: Expect

    def compares_with_itself(self, title: str) -> bool:
        """Whether the check, on this source, would compare a path with itself."""
        second = self.relative_to
        return self.source is None and (
            self.against == title or (second is not None and second.source == title and not second.cell)
        )

    @model_validator(mode="after")
    def _consistent(self) -> Check:
        measure = MEASURES[self.measure]
        for name in measure.required:
            if name not in self.options:
                raise ValueError(f"options: {name} is missing: {self.measure} needs it")
        allowed = (*measure.required, *measure.optional)
        for name, value in self.options.items():
            if name not in allowed:
                raise ValueError(
                    f"options: {name!r} is not allowed: must be one of {', '.join(allowed) or '-'}"
                )
            if name == "target":
                if value not in ("zero", "last"):
                    raise ValueError(f"options.target: {value!r} is not allowed: must be zero or last")
            elif isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise ValueError(f"options.{name}: {value!r} is not allowed: must be a number >= 0")
        if measure.pairs != (self.against is not None):
            needed = "must be a source" if measure.pairs else "must be left out"
            raise ValueError(f"against: {self.against!r} is not allowed: {needed} with {self.measure}")
        first, final = self.k
        if first < 0 or (final is not None and final <= first):
            raise ValueError(f"k: {list(self.k)} is not allowed: must be [first, last], 0 <= first < last")
        return self


class Claim(_Strict):
    """One statement of the paper; it holds if all its checks hold."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    where: str = Field(min_length=1, description="section or figure")
    statement: str = Field(min_length=1)
    about: Literal["discrete", "model", "both", "scheme"]
    checks: tuple[Check, ...] = Field(min_length=1)
    reason: str = Field(default="", description="reason for this threshold")


class Claims(_Strict):
    """A claims file: the columns of the table, and the statements."""

    sources: dict[str, ClaimSource] = Field(min_length=1)
    claims: tuple[Claim, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Claims:
        for column in self.sources:
            if column in COLUMNS or column.endswith((" state", " note")):
                raise ValueError(f"sources: {column!r} is not allowed: claims.csv already has such a column")
        roles = [source.role for source in self.sources.values()]
        for role in ("discrete", "exact"):
            if roles.count(role) != 1:
                raise ValueError(f"sources: exactly one source must have the role {role}")
        deciding = {role: title for title, source in self.sources.items() for role in [source.role]}
        twice = [name for name, count in Counter(claim.id for claim in self.claims).items() if count > 1]
        if twice:
            raise ValueError(f"{twice[0]}: id: is not allowed: another claim has this id")
        for claim in self.claims:
            for i, check in enumerate(claim.checks):
                second = check.relative_to.source if check.relative_to else None
                titles = {"source": check.source, "against": check.against, "relative_to.source": second}
                for field, title in titles.items():
                    if title is not None and title not in self.sources:
                        known = ", ".join(self.sources)
                        problem = f"{title!r} is not allowed: must be one of {known}"
                        raise ValueError(f"{claim.id}: checks.{i}.{field}: {problem}")
                for role in _DECIDING[claim.about]:
                    if role in deciding and check.compares_with_itself(deciding[role]):
                        raise ValueError(
                            f"{claim.id}: about: {claim.about!r} is not allowed: checks.{i} would compare "
                            f"the {role} path with itself"
                        )
        return self


def read(path: str | Path) -> Claims:
    """Read a claims file.

    Raises
    ------
    ClaimsError
        If the file does not exist or contains a mistake.
    """
    from idescent.study.documents import DocumentError
    from idescent.study.documents import read as read_document

    try:
        raw = read_document(path)
    except DocumentError as error:
        raise ClaimsError(f"{path}: {error}") from error
    return parse(raw, str(path))


def parse(raw: Any, name: str = "claims") -> Claims:
    """Check the content of a claims file.

    Raises
    ------
    ClaimsError
        One line: the file's name, the claim, the field, the value and the allowed values.
    """
    for place, text in forbidden(raw):
        raise ClaimsError(f"{name}: {path(place)}: {shown(text)} is not allowed: {RULE}")
    try:
        return Claims.model_validate(raw)
    except ValidationError as error:
        raise ClaimsError(f"{name}: {_line(raw, error.errors()[0])}") from None


def _line(raw: Any, problem: Any) -> str:
    place = list(problem["loc"])
    where = ""
    if len(place) > 1 and place[0] == "claims":
        claim = raw["claims"][place[1]]
        where = f"{claim.get('id', place[1]) if isinstance(claim, Mapping) else place[1]}: "
        place = place[2:]
    where += ".".join(str(part) for part in place)
    if problem["type"] == "missing":
        return f"{where} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{where}: this key is not allowed"
    rule = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else problem["msg"]
    rule = rule.replace("Input should", "must").replace("Input", "it")
    value = problem["input"]
    quoted = f"{value!r} is not allowed: " if not isinstance(value, Mapping | list) else ""
    return (f"{where}: " if where else "") + quoted + rule
