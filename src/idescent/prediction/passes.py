"""The passes of a prediction over its path, and the estimates of its errors.

What lives here: the passes, the short true runs, and the report.  What does not: the public function
(:mod:`idescent.prediction.predict`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from heapq import heapify

import numpy as np
from numpy.typing import NDArray

from idescent.prediction.arrays import Counted
from idescent.prediction.leapfrog import Leapfrog, State
from idescent.prediction.path import Adaptive, Node, Path, Planned, fixed, halves, interpolated, march, stored
from idescent.prediction.start import Start, ahead, iterated, restarted, run
from idescent.trajectory import Report

# Iterations at which the loss is computed: on an even and on a logarithmic grid.
_EVEN, _LOGARITHMIC = 48, 16
# Largest indicator, and the indicator for a tolerance of 1: of a path without an estimate, and of a first
# pass whose steps are divided: it must be stable, or its difference to the next one is no estimate.
_ALONE, _ALONE_UNIT = 0.02, 3.0
_DIVIDED, _DIVIDED_UNIT = 0.01, 10.0
# Indicator above which constant steps count as nearly unstable: most of the difference to the next pass is
# then an oscillation that grows.
_UNSTABLE = 0.15
# Short true runs: their places on the path, their least and largest lengths, and a length as a part of the
# steps of the path.
_PLACES = (0.0, 0.2)
_SHORT, _LONG, _PART = 4, 10, 0.022
# Losses below this fraction of the first one count as this fraction.
_FLOOR = 1e-3
# Lines of progress in a pass.
_LINES = 10


class Passes:
    """The computation of a prediction.

    Parameters
    ----------
    leapfrog, objective, start
    steps : int
        Number of iterations.
    budget : int or None
    progress : callable or None

    Attributes
    ----------
    path : Path
        Of the last pass.
    reached : int
        Last iteration.
    """

    path: Path

    def __init__(
        self,
        leapfrog: Leapfrog,
        objective: Counted,
        start: Start,
        steps: int,
        budget: int | None,
        progress: Callable[[str], None] | None,
    ) -> None:
        self.leapfrog, self.objective, self.start = leapfrog, objective, start
        self.end, self.steps, self.progress = start.k + steps, steps, progress
        self.limit = math.inf if budget is None else float(budget)
        self.losses: dict[int, float] = {}
        self.coarse: dict[int, float] | None = None
        # Middle of each short true run, and the relative error of the model an iteration there.
        self.drifts: list[tuple[float, float]] = []
        self.diverged, self.unstable, self.number = False, False, 0
        self._begin()

    def _begin(self) -> None:
        """Make the first true iterations, and set the first state of the model."""
        self.begun: list[Node] | None = []
        for part in run(self.leapfrog, self.objective, self.start):
            if isinstance(part, State):
                self.state = part
                continue
            self.true, theta = part
            if self.true == self.start.k:
                self.first_loss = self.objective.value(theta)
                if not math.isfinite(self.first_loss):
                    raise ValueError(f"objective.value: {self.first_loss} at the start: must be finite")
            self.begun = stored(self.begun, Node(float(self.true), theta, None))
        even = np.linspace(self.true + 1, self.end, _EVEN)
        logarithmic = self.true + np.geomspace(1, max(1, self.end - self.true), _LOGARITHMIC)
        grid = np.unique(np.rint(np.concatenate((even, logarithmic))).astype(np.int64))
        self.grid = [int(k) for k in grid if self.true < k <= self.end]
        self.reached = self.true
        self.path = self._path([])

    def _path(self, steps: list[float]) -> Path:
        nodes = None if self.begun is None else list(self.begun)
        return Path(self.leapfrog, self.objective, self.start, self.state, steps, nodes)

    def go(self, tolerance: float, step: float | None, estimate: bool) -> None:
        """Make the passes."""
        self.estimate = estimate
        if self.true >= self.end:
            return
        if not estimate:
            allowed = min(_ALONE, _ALONE_UNIT * tolerance)
            self._pass(Adaptive(allowed) if step is None else Planned(fixed(self.state.s, self.end, step)))
            return
        whole = None if step is None else fixed(self.state.s, self.end, step)
        allowed = min(_DIVIDED, _DIVIDED_UNIT * tolerance)
        # The second pass has twice as many steps.
        used = self.objective.gradients
        most = used + (self.limit - used - 4 * _LONG) / 3.0
        first = Adaptive(allowed) if whole is None else Planned([2.0 * d for d in whole[::2]], watch=True)
        self._pass(first, most)
        coarse, self.coarse = self.path.steps, self.losses
        self.unstable = whole is not None and (self.diverged or self.indicator > _UNSTABLE)
        if self.diverged and whole is None:
            return
        # If longer constant steps are unstable the others may be stable.
        taken = whole if whole is not None and self.diverged else halves(coarse)
        self._pass(Planned(taken), checks=True)
        while whole is None and not self.diverged and self._solver() > tolerance:
            count = 2 * len(self.path.steps)
            if count > min(self.limit - self.objective.gradients, self.end - self.true):
                return
            self.coarse = self.losses
            self._pass(Planned(halves(self.path.steps)))

    def _pass(self, steps: Planned | Adaptive, most: float | None = None, checks: bool = False) -> None:
        """Integrate the path, and compute the losses on the grid."""
        most = self.limit if most is None else most
        self.number += 1
        self.path, self.losses, self.diverged, self.indicator = self._path([]), {}, False, 0.0
        due = list(self.grid)
        heapify(due)
        # A path that diverges is reported by its status.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for k, theta in interpolated(self._nodes(steps, most, checks), due):
                self.losses[k] = self.objective.value(theta)
        self.reached = max(self.true, min(self.end, math.floor(self.path.last)))
        goal = self.end if steps.length is None else min(self.end, self.state.s + steps.length)
        self.diverged = self.path.last < goal and self.objective.gradients < most

    def _nodes(self, steps: Planned | Adaptive, most: float, checks: bool) -> Iterator[Node]:
        """Yield the nodes of the model while the path is integrated; with short true runs if ``checks``."""
        path, count = self.path, steps.count
        yield path.node(self.state)
        told = self.state.s
        places = [self.true + part * (self.end - self.true) for part in _PLACES] if checks else []
        length = 0 if count is None else max(_SHORT, min(_LONG, int(_PART * count)))
        for state, indicator in march(self.leapfrog, self.objective, self.state, self.end, steps, most):
            self.indicator = max(self.indicator, indicator)
            path.steps.append(state.distance)
            if state.s >= told + (self.end - self.state.s) / _LINES:
                told = state.s
                self._tell(state, steps)
            # Iterations end at whole numbers: their middles are states of the model.
            if places and state.s >= places[0] and state.s + 0.5 == int(state.s + 0.5):
                places.pop(0)
                self.drifts.append((state.s + 0.5 * length, self._drift(state, length)))
            yield path.node(state)

    def _drift(self, state: State, length: int) -> float:
        """Return the relative error of the loss an iteration of the model, solved in steps of one iteration.

        A short true run and the model start from the same state.  Theta at the ends of the model is
        extrapolated in the same way, half an iteration further.
        """
        # In one expression, which keeps none of the run's arrays.
        true = self.objective.value(
            iterated(self.leapfrog, self.objective, restarted(self.leapfrog, state), length)
        )
        steps, last = Planned([1.0] * length), state
        for after, _ in march(self.leapfrog, self.objective, state, math.inf, steps, math.inf):
            last = after
        if last.s < state.s + length or not math.isfinite(true):
            return math.inf
        return self._scaled(true - self.objective.value(ahead(self.leapfrog, last)), true) / length

    def _tell(self, state: State, steps: Planned | Adaptive) -> None:
        """Report the cost so far and to come."""
        if self.progress is None:
            return
        made, to_come = len(self.path.steps), (self.end - state.s) / state.distance
        if steps.count is not None:
            to_come = steps.count - made
        if self.estimate and self.number == 1:
            # The second pass has twice as many steps.
            to_come += 2.0 * (made + to_come)
        self.progress(
            f"predict: pass {self.number}, iteration {int(state.s)} of {self.end}: "
            f"{self.objective.gradients} gradients so far, about {math.ceil(to_come)} to come"
        )

    def _scaled(self, error: float, loss: float) -> float:
        """Return an error relative to a loss."""
        scale = max(abs(loss), _FLOOR * abs(self.first_loss))
        return abs(error) / scale if scale else (math.inf if error else 0.0)

    def _solver_at(self, k: int) -> float:
        """Return the relative error of the solver: a third of the difference to the pass before."""
        if self.coarse is None:
            return math.nan
        if not math.isfinite(self.coarse.get(k, math.inf)):
            return math.inf
        return self._scaled(self.losses[k] - self.coarse[k], self.losses[k]) / 3.0

    def _solver(self) -> float:
        return max((self._solver_at(k) for k in self.grid if k in self.losses), default=0.0)

    def _model_at(self, k: int) -> float:
        """Return the relative error of the model: the integral of its rate from the start.

        The rate is a power of k through the two short true runs, and constant after the second one.
        """
        if len(self.drifts) < len(_PLACES):
            return math.nan
        (first, early), (second, late) = self.drifts
        if not 0.0 < early * late < math.inf:
            return max(early, late) * (k - self.true)
        power = math.log(late / early) / math.log(second / first)
        begin, end = max(0.5, float(self.true)), min(float(k), second)
        # The integral of (x / begin)^power, which is a logarithm for the power -1.
        exponent = (power + 1.0) * math.log(end / begin)
        length = begin * math.log(end / begin) * (math.expm1(exponent) / exponent if exponent else 1.0)
        rising = early * (begin / first) ** power * length
        return float(rising + late * max(0.0, k - second))

    def curve(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return iterations, losses, and estimated relative errors."""
        ks = [k for k in self.grid if k in self.losses]
        errors = [0.0, *(self._solver_at(k) + self._model_at(k) for k in ks)]
        losses = [self.first_loss, *(self.losses[k] for k in ks)]
        return np.array([self.start.k, *ks]), np.array(losses), np.array(errors)

    def report(self) -> Report:
        """Return the report."""
        k, _, errors = self.curve()
        # A maximum of NaN is NaN: there is no estimate.
        estimate = float(np.max(errors))
        solver, model = (
            max((part(x) for x in map(int, k[1:])), default=0.0) for part in (self._solver_at, self._model_at)
        )
        count = self.objective.gradients
        message = f"{count} gradients for {self.reached - self.start.k} iterations"
        if not math.isnan(estimate):
            message = (
                f"relative error of the loss about {estimate:.1e}: solver {solver:.1e}, model {model:.1e}; "
                + message
            )
        if self.unstable and not math.isnan(estimate):
            message = f"steps twice as long are nearly unstable: the estimate may be too large; {message}"
        if self.diverged:
            message = f"theta is not finite after iteration {self.reached}; {message}"
        elif self.reached < self.end:
            message = f"budget used up at iteration {self.reached} of {self.end}; {message}"
        return Report(
            "diverged" if self.diverged else "estimated",
            message,
            gradient_evaluations=count,
            error_estimate=estimate,
            diverged_at=self.reached + 1 if self.diverged else None,
            details={
                "solver_error": solver,
                "model_error": model,
                "path": self.true - self.start.k + 2 + len(self.path.steps),
                "largest_step": max(self.path.steps, default=0.0),
                "passes": self.number,
                "unstable": self.unstable,
                "values": self.objective.values,
            },
        )
