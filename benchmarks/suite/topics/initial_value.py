"""Processor time at equal true error: the exact solver against LSODA on the cells of the paper."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

import idescent as ide
from idescent.config import load
from idescent.models import HalfStep, Paper
from idescent.study import registry
from idescent.study.cells import Cell
from suite.chains import by_hand, chain
from suite.problems import CellProblem
from suite.rows import Row, Spread
from suite.settings import ROOT, Settings
from suite.timing import in_turns, ratio

TITLE = "Initial-value models against LSODA"
TEXT = """Every model of `config/config.yaml` without look-ahead: the paper's equation of Adam, and the
half-step models. Processor time at the loosest tolerance, of two in each decade from 0.1 on, whose true error
is at most 1e-6 or 1e-9: largest error of θ over all iterations. *exact*: `ide.solve`, with both solutions of
the certificate. *LSODA*: `scipy.integrate.solve_ivp` on the same equation as a chain of ordinary ones,
written by hand for one parameter with Python's own floats; it has no certificate. The true error is against
the exact solver at rtol 1e-13; its distance from LSODA at rtol 1e-12 is the row *reference*. The gradients of
both objectives have a closed form: from rtol 1e-7 on, on horizons of up to 3 200 iterations, the exact
solver's first guess is a compiled discrete run, whose gradients are counted.

*calls*: calls of functions of Python and NumPy in one solve. They limit the exact solver: an array of a
window has some hundred numbers, so a call costs its overhead, not its arithmetic. The argument checks, the
comparison of the model with the optimizer, the optimizer's first iterations and the two windows of the
certificate take about the same number of calls on every smooth model. LSODA's calls are as many as its steps
need. So the ratio is largest on the models with the shortest and smoothest paths."""

# By the name of the solution in the configuration.
MODELS = {"paper.exact": Paper(), "half-step": HalfStep()}
ERRORS = (1e-6, 1e-9)
TOLERANCES = [10.0 ** (-p / 2.0) for p in range(2, 25)]


def measure(settings: Settings) -> list[Row]:
    """Solve every cell both ways for each error."""
    study = load(yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8")))
    found: list[Row] = []
    for cell in study.cells[-1:] if settings.quick else study.cells:
        for name, model in MODELS.items():
            if name in cell.solutions:
                found += _compared(cell, model, settings)
    for error in ERRORS:
        rows = [row for row in found if row.x == error and row.method == "exact"]
        ratios = sorted(row.value("ratio to LSODA") for row in rows)
        settings.say(f"error {error:.0e}: median {ratios[len(ratios) // 2]:.3g}, most {ratios[-1]:.3g}")
    return found


def _compared(cell: Cell, model: Any, settings: Settings) -> list[Row]:
    """Return the rows of one cell and model; none for a model that is not compared."""
    objective, optimizer = registry.objective(cell.objective), registry.optimizer(cell.optimizer)
    theta0 = float(np.ravel(registry.start(cell.theta0, objective))[0])
    problem = CellProblem(cell.folder, model, optimizer, cell.steps, cell.alpha, theta0)
    (slope,), (center,) = objective.separable_quadratic(1)
    slope, center = float(slope), float(center)
    if chain(problem, abs) is None:
        return []  # it looks ahead
    count = 0

    def gradient(theta: float) -> float:
        nonlocal count
        count += 1
        return slope * (theta - center)

    def exact(rtol: float) -> tuple[NDArray[np.float64], int]:
        given = {"alpha": cell.alpha, "theta0": theta0, "steps": cell.steps}
        path = ide.solve(model, optimizer, objective, **given, rtol=rtol, atol=rtol / 1000)
        return path.theta[:, 0], path.report.gradient_evaluations

    def lsoda(rtol: float) -> tuple[NDArray[np.float64], int]:
        nonlocal count
        count = 0
        theta = by_hand(problem, gradient, method="LSODA", rtol=rtol, atol=rtol / 1000)
        return theta, count

    case, reference = f"{cell.folder}, {model.name}", exact(1e-13)[0]
    uncertain = float(np.abs(lsoda(1e-12)[0] - reference).max())
    rows = [Row(case, "reference", values={"error": Spread.exact(uncertain)})]
    for error in ERRORS:
        sides = [_loosest(solve, reference, error) for solve in (exact, lsoda)]
        if None in sides:
            rows.append(Row(case, "exact", f"error {error:.0e}", error, "not reached"))
            continue
        solves = [_timed(solve, side[0]) for solve, side in zip((exact, lsoda), sides, strict=True)]
        times = in_turns(solves, rounds=1 if settings.quick else 9, budget=1.0)
        counts = [_calls(solve) for solve in solves]
        parts = zip(("exact", "LSODA"), sides, times, counts, strict=True)
        for name, (rtol, true, gradients), seconds, calls in parts:
            values = {
                "processor s": Spread.of(seconds),
                "gradients": Spread.exact(gradients),
                "error": Spread.exact(true),
                "rtol": Spread.exact(rtol),
                "calls": Spread.exact(calls),
                "µs a call": Spread.of([1e6 * second / calls for second in seconds]),
            }
            if name == "exact":
                values["ratio to LSODA"] = ratio(*times)
            rows.append(Row(case, name, f"error {error:.0e}", error, values=values))
    return rows


def _loosest(
    solve: Callable[[float], tuple[NDArray[np.float64], int]], reference: NDArray[np.float64], error: float
) -> tuple[float, float, int] | None:
    """Return the loosest tolerance that reaches an error, the error and the gradients; None if none does."""
    for rtol in TOLERANCES:
        theta, gradients = solve(rtol)
        true = float(np.abs(theta - reference).max())
        if true <= error:
            return rtol, true, gradients
    return None


def _timed(solve: Callable[[float], Any], rtol: float) -> Callable[[], float]:
    def call() -> float:
        begin = time.process_time()
        solve(rtol)
        return time.process_time() - begin

    return call


def _calls(solve: Callable[[], float]) -> int:
    """Return the number of calls of functions, of Python and of C, in a solve."""
    count = 0

    def event(frame: Any, kind: str, argument: Any) -> None:
        nonlocal count
        count += kind in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(event)
    try:
        solve()
    finally:
        sys.setprofile(before)
    return count
