"""Cells whose curves and errors cannot be drawn as usual: what the tests of odd drawings share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from idescent.trajectory import Report, Trajectory, assemble, write

STEPS = 20
ALPHAS = (0.1, 0.05)
EXACT, PICARD = "paper.exact", "paper.picard"


def path(theta: Any, loss: Any, alpha: float, **report: Any) -> Trajectory:
    """A path that diverges where its first value is not finite."""
    values = np.asarray(theta, dtype=float).reshape(len(theta), -1)
    bad = ~np.isfinite(values).all(axis=1)
    diverged = {"status": "diverged", "diverged_at": int(np.argmax(bad))} if bad.any() else {}
    given = Report(**{"status": "converged", "gradient_evaluations": 50} | report | diverged)
    return assemble(values, np.asarray(loss, dtype=float), {"v": np.abs(values)}, alpha, given)


def _shapes(name: str, k: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """θ of the run and of its solution, and the size of both losses."""
    usual = 1.0 + 0.1 * k
    start = np.where(k > 0, math.nan, 1.0)
    half = np.where(k > 9, math.nan, usual)
    wide = 10.0 ** (20.0 * k - 200.0)
    return {
        "usual": (usual, usual + 0.01 * k, usual),
        "diverged": (start, start, start),
        "never finite": (np.full(len(k), math.nan),) * 3,
        "half diverged": (half, usual + 0.01 * k, half),
        "no error": (usual, usual, usual),
        "at rest": (np.full(len(k), 4.0), np.full(len(k), 4.0), np.zeros(len(k))),
        "negative": (-usual, -usual - 0.01 * k, -usual),
        "crossing": (1.0 - 0.1 * k, 1.0 - 0.11 * k, 1.0 - 0.1 * k),
        "huge": (1e300 * usual, 1.1e300 * usual, 1e300 * usual),
        "denormal": (1e-310 * usual, 1.1e-310 * usual, 1e-310 * usual),
        "300 decades": (wide, 2.0 * wide, wide),
    }[name]  # fmt: skip


NAMES = (
    *("usual", "diverged", "never finite", "half diverged", "no error", "at rest", "negative", "crossing"),
    *("huge", "denormal", "300 decades"),
)


def files(
    root: Path, name: str, *, steps: int = STEPS, alphas: tuple[float, ...] = ALPHAS, solutions: int = 1
) -> list[Path]:
    """Write cells of one kind: a run, a model's exact solution and a scheme, and perhaps more solutions."""
    return list(_written(root, name, steps, alphas, solutions))


def _written(root: Path, name: str, steps: int, alphas: tuple[float, ...], solutions: int) -> Iterator[Path]:
    k = np.arange(steps + 1, dtype=float)
    run, exact, loss = _shapes(name, k)
    for alpha in alphas:
        cell = {
            "objective": {"name": "odd", "class": "Quadratic", "arguments": {"center": 4.0}},
            "optimizer": {"class": "RMSProp", "arguments": {"beta": 0.9}},
            "alpha": alpha,
            "theta0": [1.0],
            "steps": steps,
        }
        folder = root / f"odd/RMSProp/alpha~{alpha},beta~0.9"
        folder.mkdir(parents=True, exist_ok=True)
        paths = {"discrete": path(run, loss, alpha, status="completed")}
        theirs = loss if name == "no error" else 1.1 * loss
        paths |= {f"model {i:02d}": path(exact, theirs, alpha) for i in range(2, solutions + 1)}
        paths |= {EXACT: path(exact, theirs, alpha, error_estimate=0.0), PICARD: path(exact, theirs, alpha)}
        for solution, one in paths.items():
            own = {"name": solution} | ({"reference": EXACT} if solution == PICARD else {})
            of = cell if solution == "discrete" else cell | {"solution": own}
            write(folder / f"{solution}.parquet", one, of, {})
            yield folder / f"{solution}.parquet"
