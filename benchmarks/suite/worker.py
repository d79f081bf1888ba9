"""Timed solves in a process of their own: a question in JSON a line, an answer a line.

A method that takes too long can so be ended.  Short solves are repeated.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import idescent as ide
from idescent.solvers import Collocation, Picard
from idescent.study import registry
from suite.chains import by_hand
from suite.problems import PROBLEMS, Finer, Problem
from suite.timing import repeated

MOST, ENOUGH_SECONDS = 9, 1.0
WARM: set[str] = set()
GRADIENTS = {"quadratic": lambda theta: 2.0 * (theta - 4.0), "cosine": math.sin}


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """Solve, as often as there is time for."""
    most = question.get("most", MOST)
    call, short = _calls(question)
    if question["solver"] not in WARM:
        short()  # loads what is loaded on first use
        WARM.add(question["solver"])
    (theta, said), times = repeated(call, most=most, budget=ENOUGH_SECONDS)
    if len(times) > 2:
        times = times[1:]
    return {"theta": theta, "seconds": times, **said}


def _calls(question: Mapping[str, Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return the solve, and the same over two iterations."""
    if "cell" in question:
        cell = {**question["cell"], "steps": 2}
        return partial(_cell, question), partial(_cell, {**question, "cell": cell})
    solve = _scipy if question["solver"] == "scipy" else _problem
    problem = PROBLEMS[question["problem"]]
    return partial(solve, question, problem), partial(solve, question, replace(problem, steps=2))


def _scipy(question: Mapping[str, Any], problem: Problem) -> tuple[list[float], dict[str, Any]]:
    count, gradient = 0, GRADIENTS[problem.gradient]

    def counted(theta: float) -> float:
        nonlocal count
        count += 1
        return gradient(theta)

    options = {"method": question["method"], **question["tolerances"]}
    theta = by_hand(problem, counted, **options)
    return theta.tolist(), {"gradients": count, "status": "converged", "estimate": None, "sweeps": None}


def _problem(question: Mapping[str, Any], problem: Problem) -> tuple[list[float], dict[str, Any]]:
    parts = question.get("parts", 1)
    path = ide.solve(
        problem.model if parts == 1 else Finer(problem.model, parts),
        problem.optimizer,
        problem.objective,
        alpha=problem.alpha / parts,
        theta0=problem.theta0,
        steps=problem.steps * parts,
        solver=_solver(question),
        **question.get("tolerances", {}),
    )
    return path.theta[::parts, 0].tolist(), _said(path.report)


def _cell(question: Mapping[str, Any]) -> tuple[list[float], dict[str, Any]]:
    cell = question["cell"]
    objective = registry.objective(cell["objective"])
    path = ide.solve(
        ide.models.Paper(),
        registry.optimizer(cell["optimizer"]),
        objective,
        alpha=cell["alpha"],
        theta0=registry.start(cell["theta0"], objective),
        steps=cell["steps"],
        solver=_solver(question),
        **question.get("tolerances", {}),
    )
    # At most so many rows travel; the first and the last among them.
    rows = np.unique(np.linspace(0, cell["steps"], 5001).round().astype(int))
    return path.theta[rows, 0].tolist(), _said(path.report)


def _said(report: Any) -> dict[str, Any]:
    estimate = report.error_estimate
    return {
        "gradients": report.gradient_evaluations,
        "sweeps": report.sweeps,
        "status": report.status,
        "estimate": estimate if math.isfinite(estimate) else None,
    }


def _solver(question: Mapping[str, Any]) -> Any:
    arguments = question.get("arguments", {})
    return Picard(**arguments) if question["solver"] == "Picard" else Collocation(**arguments)


def main() -> None:
    """Answer until the questions end."""
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
