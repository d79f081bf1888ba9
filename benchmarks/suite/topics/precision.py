"""Work and precision: error against gradient evaluations and against time, for every method that can."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.ratio import ratio_of
from suite.chains import by_hand, chain
from suite.peers import AbsentError, CutError, Worker
from suite.problems import PROBLEMS, Problem
from suite.rows import Row, Spread
from suite.settings import ROOT, Settings
from suite.worker import GRADIENTS

TITLE = "Work and precision"
TEXT = """Largest error of θ over all iterations, against gradient evaluations and time, on equations of the
paper and on the half-step models, at rtol 1e-3 … 1e-12. *exact*: this package's solver; its numbers include
the second solution, by which it certifies the first. *Algorithm 4*: the paper's scheme with its own
quadrature and the step α (*literal*), and with finer steps, which are ours. *solve_ivp* and *diffrax*: the
same equation as a chain of ordinary ones, written by hand; they have no certificate. The look-ahead of
AdaGrad and RMSProp is no initial-value problem, so neither can solve it; *idesolver* has a form that only
momentum alone fits. The references share no code with any solver of the package: Chebyshev collocation in
ln|θ − c| for look-ahead, else DOP853 at a tolerance down to rounding. Their distance from the exact solver at
rtol 1e-13 is the row *reference*; no error below it can be told."""

TOLERANCES = [10.0**-p for p in range(3, 13)]
PARTS = [1, 2, 4, 8, 16, 32]
IDESOLVER = [(1, 1e-3), (1, 1e-5), (2, 1e-6), (4, 1e-7)]
# Finer steps need a tighter stop, or the sweeps end before the step can show.
STOP = 1e-4
TIGHT = {"rtol": 1e-13, "atol": 1e-15}

Question = tuple[str, str, float, dict[str, Any]]


def measure(settings: Settings) -> list[Row]:
    """Solve every problem by every method at every tolerance."""
    found: list[Row] = []
    names = ["momentum", "adam, half-step"] if settings.quick else list(PROBLEMS)
    for name in names:
        problem = PROBLEMS[name]
        reference = independent(problem)
        with Worker() as own:
            tight = own.ask({"problem": name, "solver": "Collocation", "tolerances": TIGHT, "most": 1})
            uncertain = float(np.abs(np.array(tight["theta"]) - reference).max())
            found.append(Row(name, "reference", values={"error": Spread.exact(uncertain)}))
            for method, questions in _own(name, problem, settings.quick).items():
                found += asked(own, method, questions, reference, name, settings)
        for peer, questions in _others(problem, settings.quick).items():
            try:
                with settings.peers.worker(peer) as worker:
                    found += asked(worker, peer, questions, reference, name, settings)
            except AbsentError as error:
                if peer in settings.peers.wanted:
                    found.append(Row(name, peer, status="not installed", note=str(error)))
        settings.say(f"{name}: reference and exact solver differ by {uncertain:.1e}")
    return found


def independent(problem: Problem) -> NDArray[np.float64]:
    """Return theta by a method that shares no code with the package's solvers."""
    gradient = GRADIENTS[problem.gradient]
    if chain(problem, gradient) is not None:
        return by_hand(problem, gradient, method="DOP853", rtol=2.3e-14, atol=1e-16)
    sys.path.insert(0, str(ROOT / "tests/helpers"))
    from independent import gradient_over_root

    beta = None if ratio_of(problem.optimizer).sums else ratio_of(problem.optimizer).beta2
    return gradient_over_root(2.0, 4.0, problem.theta0, problem.alpha, problem.steps, beta)[0]


def asked(
    worker: Worker,
    method: str,
    questions: list[tuple[str, float, dict[str, Any]]],
    reference: NDArray[np.float64],
    case: str,
    settings: Settings,
) -> Iterator[Row]:
    """Yield a row for each question; what comes after one that was cut is not asked."""
    for setting, x, question in questions:
        if settings.quick:
            question = {**question, "most": 1}
        try:
            answer = worker.ask(question, settings.limit)
        except CutError as error:
            yield Row(case, method, setting, x, "cut", str(error))
            return
        yield Row(case, method, setting, x, answer["status"], values=values(answer, reference))


def values(answer: Mapping[str, Any], reference: NDArray[np.float64]) -> dict[str, Spread]:
    """Return the quantities of a solve."""
    theta = np.array(answer["theta"], dtype=float)
    error = float(np.abs(theta - reference).max()) if np.isfinite(theta).all() else math.inf
    found = {
        "error": Spread.exact(error),
        "gradients": Spread.exact(answer["gradients"]),
        "s": Spread.of(answer["seconds"]),
    }
    if answer["estimate"] is not None:
        found["estimate"] = Spread.exact(answer["estimate"])
    return found


def _own(name: str, problem: Problem, quick: bool) -> dict[str, list[tuple[str, float, dict[str, Any]]]]:
    tolerances = TOLERANCES[::4] if quick else TOLERANCES
    methods: dict[str, list[tuple[str, float, dict[str, Any]]]] = {"exact": []}
    if problem.model.name != "half-step":
        methods["Algorithm 4"] = [
            (
                "literal" if parts == 1 else f"step alpha/{parts}",
                1.0 / parts,
                {
                    "problem": name,
                    "solver": "Picard",
                    "parts": parts,
                    "arguments": {"quadrature": "gauss", "tolerance": STOP / parts},
                },
            )
            for parts in (PARTS[:1] if quick else PARTS)
        ]
    for rtol in tolerances:
        given = {"problem": name, "tolerances": {"rtol": rtol, "atol": rtol / 1000}}
        methods["exact"].append((f"rtol {rtol:.0e}", rtol, given | {"solver": "Collocation"}))
        if chain(problem, GRADIENTS[problem.gradient]) is not None:
            for scheme in ("DOP853", "LSODA"):
                question = given | {"solver": "scipy", "method": scheme}
                methods.setdefault(f"solve_ivp {scheme}", []).append((f"rtol {rtol:.0e}", rtol, question))
    return methods


def _others(problem: Problem, quick: bool) -> dict[str, list[tuple[str, float, dict[str, Any]]]]:
    optimizer, peers = problem.optimizer, {}
    shared = {"gradient": problem.gradient, "theta0": problem.theta0, "steps": problem.steps}
    made = chain(problem, GRADIENTS[problem.gradient])
    if made is not None and not made.breaks:
        given = shared | {
            "model": problem.model.name,
            "alpha": problem.alpha,
            "beta1": ratio_of(optimizer).beta1,
            "beta2": ratio_of(optimizer).beta2,
            "eps": optimizer.eps,
            "begin": made.begin,
            "start": made.start,
            "first": made.first,
        }
        peers["diffrax"] = [
            (f"rtol {rtol:.0e}", rtol, given | {"rtol": rtol, "atol": rtol / 1000})
            for rtol in (TOLERANCES[::4] if quick else TOLERANCES)
        ]
    if problem.model.name == "momentum":
        rate = (1.0 - ratio_of(optimizer).beta1) / problem.alpha
        peers["idesolver"] = [
            (
                f"{parts} points per alpha, {tolerance:.0e}",
                tolerance,
                shared
                | {
                    "rate": rate,
                    "end": problem.alpha * problem.steps,
                    "parts": parts,
                    "tolerance": tolerance,
                },
            )
            for parts, tolerance in (IDESOLVER[:1] if quick else IDESOLVER)
        ]
    return peers
