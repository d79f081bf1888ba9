"""Evaluate each claim on the discrete run, the exact solution and Algorithm 4, and derive the verdict.

What lives here: selecting the cells and paths of a claim, its outcome on each source, and the verdict.  What
does not: reading claims (:mod:`.statements`), measures (:mod:`.measures`), tables (:mod:`.table`).

The discrete run decides a claim about the discrete algorithm.  The exact solution decides a claim about the
continuous model.  If the exact solution fails and the scheme fulfils the claim, the verdict is *holds only
for the scheme*.  If the exact solution fails and there is no scheme, the verdict is *not computed*.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.analysis import errors
from idescent.products.claims.measures import MEASURES
from idescent.products.claims.statements import SELECTORS, Check, Claim, Claims, ClaimsError, ClaimSource
from idescent.store import DISCRETE
from idescent.study import registry
from idescent.trajectory import Trajectory, ended_well

Array = NDArray[np.float64]
Cell = Mapping[str, Any]

HOLDS, SCHEME, FAILS, MISSING, NOT_APPLICABLE = (
    "holds",
    "holds only for the scheme",
    "fails",
    "not computed",
    "not applicable",
)
NO_PATH = "there is no"
VERDICTS = (HOLDS, SCHEME, FAILS, MISSING)


@dataclass(frozen=True)
class AuditedCell:
    """One cell with its discrete run and its solutions, by name."""

    cell: dict[str, Any]
    paths: dict[str, Trajectory]


@dataclass(frozen=True)
class Reading:
    """One measured number, with the label of its cell and the result of the threshold."""

    label: str
    value: float
    holds: bool


@dataclass(frozen=True)
class ClaimOutcome:
    """Outcome of a claim on one source.

    Attributes
    ----------
    state : str
        ``holds``, ``fails``, ``not computed``, or ``not applicable`` if a check would compare a path with
        itself.
    readings : tuple of tuple of Reading
        One tuple for each check; empty if nothing was computed.
    note : str
        The reason for ``not computed``, or the statuses of the paths of Algorithm 4 that did not converge.
    """

    state: str
    readings: tuple[tuple[Reading, ...], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """A claim with its outcome on each source and its verdict."""

    claim: Claim
    outcomes: dict[str, ClaimOutcome]
    verdict: str


class _AbsentError(Exception):
    """A missing path or cell, which the message names."""


def describe(cell: Cell) -> dict[str, Any]:
    """Return the properties that a selector can name: objective, optimizer, alpha and hyper-parameters."""
    optimizer = cell["optimizer"]
    return {
        "objective": cell["objective"]["name"],
        "optimizer": optimizer["class"].rpartition(":")[2],
        "alpha": cell["alpha"],
        **optimizer.get("arguments", {}),
    }


def select(selector: Mapping[str, Any], cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells with all properties of a selector; a list in a selector allows each of its values."""

    def matches(cell: Cell) -> bool:
        properties = describe(cell)
        return all(
            name in properties and properties[name] in (value if isinstance(value, list) else [value])
            for name, value in selector.items()
        )

    return [cell for cell in cells if matches(cell)]


def partner(check: Check, cell: Cell, cells: Iterable[Cell]) -> Cell | None:
    """Return the cell of a check's second term; None if there is no such cell.

    It has the properties of ``cell``, except for those that the check's ``relative_to`` names.

    Raises
    ------
    ClaimsError
        If several cells match.
    """
    changed = check.relative_to.cell if check.relative_to else {}
    base = describe(cell)
    if changed.get("optimizer", base["optimizer"]) != base["optimizer"]:
        base = {name: base[name] for name in ("objective", "alpha")}
    matching = select({**base, **changed}, cells)
    if len(matching) > 1:
        raise ClaimsError(f"relative_to.cell: {changed} matches {len(matching)} cells: must match one")
    return matching[0] if matching else None


def required(claims: Claims, cells: Sequence[Cell], solutions: Iterable[str]) -> list[tuple[int, str]]:
    """Return the paths of a study that the claims need, as pairs of the cell's index and the path's name.

    Raises
    ------
    ClaimsError
        If a selector names a property that no cell has, or the second term of a check matches several cells;
        one line.
    """
    properties = dict.fromkeys((*SELECTORS, *(name for cell in cells for name in describe(cell))))
    names = [s.path for s in claims.sources.values() if s.path in {"discrete", *solutions}]
    needed: set[int] = set()
    for claim in claims.claims:
        for i, check in enumerate(claim.checks):
            changed = check.relative_to.cell if check.relative_to else {}
            for field, selector in (("cell", check.cell), ("relative_to.cell", changed)):
                for name in selector:
                    if name not in properties:
                        rule = f"{name!r} must be one of {', '.join(properties)}"
                        raise ClaimsError(f"{claim.id}: checks.{i}.{field}: {rule}")
            for cell in select(check.cell, cells):
                needed.add(id(cell))
                try:
                    second = partner(check, cell, cells)
                except ClaimsError as error:
                    raise ClaimsError(f"{claim.id}: {error}") from None
                if second is not None:
                    needed.add(id(second))
    return [(i, name) for i, cell in enumerate(cells) if id(cell) in needed for name in names]


def audit(claims: Claims, runs: Sequence[AuditedCell]) -> list[Finding]:
    """Evaluate every claim on every source.

    Raises
    ------
    ValueError
        If a path lacks the quantity of a claim, or the quantity has several coordinates.
    """
    findings = []
    for claim in claims.claims:
        outcomes = {title: _outcome(claim, title, claims.sources, runs) for title in claims.sources}
        findings.append(Finding(claim, outcomes, verdict(claim.about, claims.sources, outcomes)))
    return findings


def verdict(about: str, sources: Mapping[str, ClaimSource], outcomes: Mapping[str, ClaimOutcome]) -> str:
    """Derive the verdict of a claim ``about`` something from its outcomes on the sources."""
    states: dict[str, list[str]] = {"discrete": [], "exact": [], "scheme": []}
    for title, source in sources.items():
        states[source.role].append(outcomes[title].state)
    (discrete,), (exact,), schemes = states.values()
    # One variant of the scheme that fulfils the claim is sufficient: it may be the published one.
    scheme = next((state for state in (HOLDS, FAILS) if state in schemes), MISSING)
    if about == "discrete":
        return discrete
    if about == "scheme":
        return scheme
    if about == "both" and discrete != HOLDS:
        return discrete
    if exact == FAILS:
        return {HOLDS: SCHEME, FAILS: FAILS}.get(scheme, MISSING)
    return exact


def _outcome(
    claim: Claim, title: str, sources: Mapping[str, ClaimSource], runs: Sequence[AuditedCell]
) -> ClaimOutcome:
    if any(check.compares_with_itself(title) for check in claim.checks):
        return ClaimOutcome(NOT_APPLICABLE)
    notes: list[str] = []
    try:
        readings = tuple(_readings(check, title, sources, runs, notes) for check in claim.checks)
    except _AbsentError as absent:
        return ClaimOutcome(MISSING, note=str(absent))
    except ValueError as error:
        raise ClaimsError(f"{claim.id}: {error}") from error
    fulfilled = [
        (all if check.every == "all" else any)(reading.holds for reading in of_check)
        for check, of_check in zip(claim.checks, readings, strict=True)
    ]
    return ClaimOutcome(HOLDS if all(fulfilled) else FAILS, readings, ", ".join(dict.fromkeys(notes)))


def _readings(
    check: Check,
    title: str,
    sources: Mapping[str, ClaimSource],
    runs: Sequence[AuditedCell],
    notes: list[str],
) -> tuple[Reading, ...]:
    cells = {id(run.cell): run for run in runs}
    selected = select(check.cell, [run.cell for run in runs])
    if not selected:
        raise _AbsentError("the study has no such cell")
    title = check.source or title

    def measured(cell: Cell, title: str) -> float:
        k, y = _path(cells[id(cell)], sources[title], check, notes)
        other = _path(cells[id(cell)], sources[check.against], check, notes)[1] if check.against else None
        return MEASURES[check.measure](k, y, other, check.options)

    readings = []
    for cell in selected:
        number = measured(cell, title)
        if check.relative_to is not None:
            second = partner(check, cell, [run.cell for run in runs])
            if second is None:
                raise _AbsentError("the study has no such cell")
            number = _combined(check.combine, number, measured(second, check.relative_to.source or title))
        label = ",".join(f"{name}~{value}" for name, value in describe(cell).items())
        readings.append(Reading(label, number, check.expect.met_by(number)))
    return tuple(readings)


def _combined(how: str, first: float, second: float) -> float:
    # NaN without an error for terms without a result: infinity minus infinity ("never" twice), 0/0.
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = np.float64(first), np.float64(second)
        return float(a / b if how == "ratio" else a - b)


def _path(run: AuditedCell, source: ClaimSource, check: Check, notes: list[str]) -> tuple[Array, Array]:
    """Return iterations and values of one path, within the window of a check."""
    path = run.paths.get(source.path)
    if path is None:
        raise _AbsentError(f"{NO_PATH} {source.path}")
    discrete = run.paths.get(DISCRETE)
    status = path.report.status if discrete is None else errors.status(discrete, path)
    if not ended_well(status):
        if source.role != "scheme" or status in errors.MEANINGLESS:
            raise _AbsentError(f"{source.path}: {status}")
        notes.append(status)
    first, final = check.k[0], path.steps if check.k[1] is None else check.k[1]
    if final > path.steps:
        raise _AbsentError(f"{source.path} ends at k = {path.steps}")
    y = _quantity(run.cell, path, check.quantity)[first : final + 1]
    if not np.isfinite(y).all():
        raise _AbsentError(f"{source.path}: {status}")
    return path.k[first : final + 1].astype(np.float64), y


def _quantity(cell: Cell, path: Trajectory, name: str) -> Array:
    if name in ("theta", "offset"):
        values = path.theta
    elif name in ("loss", "excess"):
        values = path.loss[:, None]
    elif name in path.moments:
        values = path.moments[name]
    else:
        known = ", ".join(("theta", "offset", "loss", "excess", *path.moments))
        raise ValueError(f"quantity: {name!r} is not allowed: this optimizer has {known}")
    if values.shape[1] != 1:
        raise ValueError(f"quantity: {name} has {values.shape[1]} coordinates: must have one")
    y: Array = values[:, 0]
    if name in ("offset", "excess"):
        minimum, least = _minimum(json.dumps(cell["objective"], sort_keys=True))
        y = y - (minimum if name == "offset" else least)
    return y


@cache
def _minimum(objective: str) -> tuple[float, float]:
    """Return minimiser and least value of an objective that declares ``minimum`` or ``center``."""
    built = registry.objective(json.loads(objective))
    declared = getattr(built, "minimum", getattr(built, "center", None))
    if declared is None or np.size(declared) != 1:
        raise ValueError("quantity: the objective declares no single minimum: use theta or loss")
    point = np.atleast_1d(np.asarray(declared, dtype=np.float64))
    return float(point[0]), float(built.value(point))
