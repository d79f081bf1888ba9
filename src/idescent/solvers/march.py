"""Marching windows of elements through k-time: the mesh, the overlap, what is accepted.

What lives here: one pass over the horizon at one tolerance.  The fixed point on one window is
:mod:`idescent.solvers.window`; who wants which pass, and how two of them make a certificate, is
:mod:`idescent.solvers.collocation`.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from idescent.solvers.pace import Pace
from idescent.solvers.problem import Problem, Settings, Sink
from idescent.solvers.rest import begins_at_rest, soft_length, unknown
from idescent.solvers.window import (
    ROUNDING,
    ExhaustedError,
    Outcome,
    State,
    Window,
    relax_in_turn,
    relax_window,
)

Array = NDArray[np.float64]
Progress = Callable[[str], None]

# Degree to which the last element's path is continued into the next, which saves a third to a half of the
# sweeps: where there is no Hessian, where an equation looks ahead, and else.  A higher one starts nearer, but
# amplifies what the last element has not settled yet.
CONTINUED_PLAIN, CONTINUED_AHEAD, CONTINUED = 5, 7, 9

# Share of the tolerance to which windows are relaxed; and that for a path that began near a zero of the
# gradient, where what a sweep leaves open must be small beside eps.
OPEN, OPEN_AT_REST = 0.02, 1e-4

# Shortest element, if s has so many digits: resolves a root singularity at the start to 1e-12.
SHORTEST = 1e-24


class March:
    """One pass over the horizon at one tolerance."""

    def __init__(
        self,
        settings: Settings,
        problem: Problem,
        theta0: Array,
        steps: int,
        rtol: float,
        atol: float,
        overlap: float,
        sink: Sink,
        say: Progress,
    ) -> None:
        self.settings, self.problem, self.steps = settings, problem, steps
        self.rtol, self.atol, self.sink, self.say = max(rtol, 4.0 * ROUNDING), atol, sink, say
        self.overlap = overlap if problem.equation.lookahead else 0.0
        self.breaks = problem.equation.breaks
        gradient = problem.gradient(theta0)
        sources = [problem.initial_source(m, theta0, gradient) for m in problem.equation.memories]
        memories = [m.initial * h for m, h in zip(problem.equation.memories, sources, strict=True)]
        self.state = State(0.0, theta0, memories)
        self.sources = sources
        # Memories are judged against the largest value that they have had; at first, one iteration's worth.
        self.scales = [
            max(float(np.abs(m.gain * h).max()), 1e-300)
            for m, h in zip(problem.equation.memories, sources, strict=True)
        ]
        self.sweeps = self.elements = self.windows = self.largest = 0
        self.matrix_free = problem.matrix_free(len(theta0))
        # Whether the path began near a zero of the gradient.
        self.thorough = False
        # Whether whole iterations are elements up to where the velocity jumps no longer, all in one window.
        self._whole = not self.matrix_free
        self._tail = 1.0
        self._last_element: tuple[float, Array] | None = None
        self.failed_at: float | None = None
        self.diverged = False
        self.reason = ""

    def run(self) -> March:
        """March to the horizon, or to where the fixed point no longer converges or gradients run out."""
        try:
            return self._march()
        except ExhaustedError:
            return self._stop(f"budget of {self.problem.most_gradients:.6g} gradients is spent")

    def _march(self) -> March:
        length, pending = 0.25, self._empty()
        failures, problem = 0, self.problem
        pace = Pace(self.steps, problem.most_gradients, problem.objective.gradients, self.state.theta)
        while self.state.s < self.steps:
            window = self._extend(pending, length)
            outcome, worst = (window, math.inf) if isinstance(window, Outcome) else self._resolve(window)
            if not outcome.converged and self._begins_at_rest(outcome):
                self.thorough, self._whole, pending = True, False, self._empty()
                length = soft_length(
                    self.problem.equation, self.sources, self.state.memories, outcome.curvature
                )
                continue
            if isinstance(window, Outcome):
                return self._fail(window)
            if not outcome.converged:
                if self._last_element is not None and not (self.overlap or self.matrix_free):
                    # Where the velocity turns within eps a continuation may lead out of Newton's reach.
                    self._last_element, pending = None, self._empty()
                    continue
                # What is no number may be the root of a memory whose polynomial is negative somewhere.
                failures += math.isfinite(outcome.correction)
                self._whole = False
                length = float(window.lengths[0]) / 4.0
                if failures > 12 or length < self._shortest():
                    return self._fail(outcome)
                pending = self._empty()
                continue
            failures = 0
            pending = self._accept(window, outcome)
            unaffordable = pace.unaffordable(
                self.state.s, self.elements, problem.objective.gradients, self.state.theta
            )
            if unaffordable:
                return self._stop(unaffordable)
            growth = self._growth(worst)
            # Many sweeps mean that what Newton leaves out (changes of the normaliser, unknown Hessians) is
            # strong.
            if outcome.sweeps > 14 and not self.overlap:
                growth = min(growth, 0.8)
            length = float(window.lengths[self._last(window)]) * growth
        return self

    def _begins_at_rest(self, outcome: Outcome) -> bool:
        """Whether the first relaxation shows that the path begins near a zero of the gradient."""
        if self.thorough or self.state.s > 0.0 or outcome.curvature == 0.0:
            return False
        target = self._tolerance(self.state.theta)
        return begins_at_rest(self.problem.equation, self.sources, self.rtol, target, outcome.curvature)

    def _growth(self, tail: float) -> float:
        """Return the ratio of the next element's length to that of one with this Legendre tail."""
        # Too long an element is solved in vain, which costs most where sweeps are plain.
        safety = 0.8 if self.matrix_free else 0.9
        growth: float = safety * (1.0 / max(tail, 1e-12)) ** (1.0 / (self.settings.stages + 1))
        return min(max(growth, 0.3), 3.0)

    def _shortest(self) -> float:
        return max(SHORTEST, 4.0 * math.ulp(self.state.s))

    def _empty(self) -> Window:
        return Window(self.state, np.empty(0), np.empty((0, 0, 0)))

    def _tolerance(self, theta: Array) -> float:
        return self.atol + self.rtol * float(np.abs(theta).max())

    def _extend(self, pending: Window, length: float) -> Window | Outcome:
        """Append elements to what is left of the last window.

        Without look-ahead that is one element.  With it, elements are appended until the accepted part is as
        long as the overlap (or one element).  Each new element is first solved by itself with the closure at
        its end, which is the model with local closure: a guess that is off by one order of ``alpha`` only.
        If even that cannot be solved its outcome is returned instead of a window.
        """
        window = Window(self.state, pending.lengths, pending.theta, pending.memories)
        ahead = self.problem.equation.lookahead
        while True:
            tail = self._guess(window, length)
            if isinstance(tail, Outcome):
                return tail
            window = self._append(window, tail)
            if not ahead:
                # Newton's corrections converge on all elements at once, plain ones on a short window only.
                together = self.state.s + 32.0 if self._whole else 0.0
                if window.edges[-1] < min(self.problem.equation.breaks_until, self.steps, together):
                    continue
                return window
            protected = float(window.lengths.sum()) + ahead - self.overlap
            enough = protected >= max(
                window.lengths[0], min(2.0 * self.overlap, 0.5 * (protected + self.overlap))
            )
            if enough or (
                len(window.lengths) >= self.settings.max_elements and protected >= window.lengths[0]
            ):
                # Where the look-ahead leaves the window its closure has a kink: an element border there keeps
                # every polynomial smooth.
                return self._close(window, ahead)
            growth = self._growth(self._tail) if self.matrix_free else 1.3
            length = growth * float(window.lengths[-1])

    def _close(self, window: Window, length: float) -> Window | Outcome:
        """Append a length of elements, one unless there are breaks."""
        end = float(window.edges[-1]) + length
        while True:
            tail = self._guess(window, length)
            if isinstance(tail, Outcome):
                return tail
            window = self._append(window, tail)
            length = end - float(window.edges[-1])
            if not self.breaks or length < 1e-6:
                return window

    def _append(self, window: Window, tail: Window) -> Window:
        if len(window.lengths) == 0:
            return tail
        memories = [np.concatenate(pair) for pair in zip(window.memories, tail.memories, strict=True)]
        lengths, theta = (
            np.concatenate((window.lengths, tail.lengths)),
            np.concatenate((window.theta, tail.theta)),
        )
        return Window(window.start, lengths, theta, memories)

    def _last(self, window: Window) -> int:
        """Index of the last element that is not part of the closure."""
        if not self.overlap:
            return len(window.lengths) - 1
        edges = window.edges
        closure = edges[-1] - (1.0 - 1e-9) * self.problem.equation.lookahead
        return max(0, int(np.searchsorted(edges, closure)) - 2)

    def _guess(self, window: Window, length: float) -> Window | Outcome:
        """Solve one new element behind ``window`` by itself; shorten it until that works.

        Without a Hessian it is also shortened to where its Legendre tail is small: sweeps over whole windows
        are what costs, and each of them is to be on a mesh that lasts.
        """
        at = self.state
        if len(window.lengths):
            at = State(float(window.edges[-1]), window.theta[-1, -1], [m[-1, -1] for m in window.memories])
        while True:
            if at.s < self.problem.equation.breaks_until:
                # To the next whole s; elements that are split leave edges off by rounding.
                whole = math.floor(at.s + 1e-9) + 1.0 - at.s
                length = whole if self._whole else min(length, whole)
            if self.breaks:
                length = self._before_break(at.s, length)
            if at.s < (1.0 - 1e-9) * self.problem.equation.held_until:
                length = min(length, self.problem.equation.held_until - at.s)
            guess = Window(at, np.array([length]), self._continued(window, at, length)[None])
            if not self.overlap:
                return guess
            target = self._tolerance(guess.theta)
            ahead = self.problem.equation.lookahead
            if self.matrix_free and length > ahead:
                # The kink of its closure would lie in it: that of another element behind it does not.
                beyond = np.broadcast_to(guess.theta[:, -1:], guess.theta.shape)
                guess = Window(at, np.array([length, ahead]), np.concatenate((guess.theta, beyond)))
            outcome = relax_window(self.problem, guess, 10.0 * target, 30)
            self.sweeps += outcome.sweeps
            if outcome.converged:
                if not self.matrix_free:
                    return guess
                self._tail = float(self._tails(guess, target)[0])
                if self._tail <= 1.0:
                    return Window(at, guess.lengths[:1], guess.theta[:1], [m[:1] for m in guess.memories])
            length *= 0.5
            if self._begins_at_rest(outcome) or length < (
                SHORTEST if self.matrix_free or self.thorough else 1e-6
            ):
                return outcome

    def _continued(self, window: Window, at: State, length: float) -> Array:
        """Guess the path on an element behind ``window``, shape (p, n): as the last solved one goes on."""
        nodes = self.problem.method.nodes
        path = np.broadcast_to(at.theta, (len(nodes), len(at.theta))).copy()
        last = self._last_element
        if len(window.lengths):
            # Without look-ahead the elements of a window are solved together: these are guesses themselves.
            behind = window.with_left(window.theta, window.start.theta)[-1]
            last = (float(window.lengths[-1]), behind) if self.overlap or self.matrix_free else None
        if last is not None:
            degree = CONTINUED_AHEAD if self.overlap else CONTINUED
            degree = min(CONTINUED_PLAIN if self.matrix_free else degree, len(nodes))
            beyond = legendre.legvander(1.0 + 2.0 * nodes * length / last[0], degree)
            # Every Legendre polynomial is 1 at the border.
            path += (beyond - 1.0) @ (self.problem.method.transform[: degree + 1] @ last[1])
        return path

    def _before_break(self, s: float, length: float) -> float:
        """Return the length of an element at ``s`` that does not reach beyond the next break."""
        i = bisect.bisect_right(self.breaks, s + 1e-9 * (1.0 + s))
        return length if i == len(self.breaks) else min(length, self.breaks[i] - s)

    def _resolve(self, window: Window) -> tuple[Outcome, float]:
        """Relax the window, halving elements whose Legendre tail is too large; return the last tail."""
        target = self._tolerance(window.theta)
        sweeps = 0
        while True:
            path = window.theta.copy()
            outcome = relax_window(
                self.problem,
                window,
                (OPEN_AT_REST if self.thorough else OPEN) * target,
                self.settings.max_sweeps,
                thorough=self.thorough,
            )
            if not outcome.converged and self.matrix_free and self.overlap:
                window.theta, self.sweeps = path, self.sweeps + outcome.sweeps
                outcome = relax_in_turn(self.problem, window, OPEN * target, self.settings.max_sweeps)
            sweeps += outcome.sweeps
            self.sweeps += outcome.sweeps
            if self._begins_at_rest(outcome):
                return replace(outcome, converged=False), math.inf
            if not outcome.converged:
                return outcome, math.inf
            tails = self._tails(window, target, outcome.curvature)
            bad = tails > 1.0
            if not bad.any():
                return Outcome(sweeps, outcome.correction, True, outcome.curvature), float(
                    tails[self._last(window)]
                )
            shortest = float(window.lengths[bad].min())
            if (
                len(window.lengths) + bad.sum() > 2 * self.settings.max_elements
                or shortest < self._shortest()
            ):
                return Outcome(sweeps, outcome.correction, False, outcome.curvature), math.inf
            self._halve(window, bad)
            if self.matrix_free and not self.overlap:
                # What follows starts better from the solution on the first half than from this guess.
                window.lengths, window.theta = window.lengths[:1], window.theta[:1]

    def _tails(self, window: Window, target: float, curvature: float = 0.0) -> Array:
        """Size of the two highest Legendre coefficients, in units of what is allowed, shape (E,)."""
        start = window.start
        transform = self.problem.method.transform[-2:]
        worst = np.abs(transform @ window.with_left(window.theta, start.theta)).max(axis=(1, 2)) / target
        for i, values in enumerate(window.memories):
            self.scales[i] = max(self.scales[i], float(np.abs(values).max()))
            tail = np.abs(transform @ window.with_left(values, start.memories[i])).max(axis=(1, 2))
            if self.matrix_free and self.problem.equation.memories[i].rate == math.inf:
                # No memory: only the path feels it, for as long as the element lasts.
                tail = tail * np.minimum(1.0, window.lengths)
            memory = self.problem.equation.memories[i]
            floor = unknown(memory, self.scales[i], target, curvature) if self.thorough else 0.0
            worst = np.maximum(worst, tail / max(self.rtol * self.scales[i], floor))
        return np.asarray(worst)

    def _halve(self, window: Window, bad: NDArray[np.bool_]) -> None:
        """Split elements in two, carrying the path over."""
        method = self.problem.method
        halves = method.weights(np.concatenate((0.5 * method.nodes, 0.5 + 0.5 * method.nodes)))
        full = window.with_left(window.theta, self.state.theta)
        lengths, blocks = [], []
        for e, split in enumerate(bad):
            if split:
                lengths += [window.lengths[e] / 2.0] * 2
                blocks += [*(halves @ full[e]).reshape(2, method.stages, -1)]
            else:
                lengths.append(window.lengths[e])
                blocks.append(window.theta[e])
        window.lengths, window.theta = np.array(lengths), np.stack(blocks)

    def _accept(self, window: Window, outcome: Outcome) -> Window:
        """Store the rows of the elements that the overlap protects; the rest is the next window's guess."""
        edges = window.edges
        keep = max(1, int(np.searchsorted(edges, edges[-1] - self.overlap, side="right")) - 1)
        theta = window.with_left(window.theta, self.state.theta)
        self._last_element = float(window.lengths[keep - 1]), theta[keep - 1]
        self._store(window, edges, keep)
        self.state = State(
            float(edges[keep]),
            window.theta[keep - 1, -1],
            [values[keep - 1, -1] for values in window.memories],
        )
        self.windows += 1
        self.largest = max(self.largest, len(window.lengths))
        self.elements += keep
        spread = f"{window.lengths[0]:.3g} to {window.lengths[-1]:.3g}"
        self.say(
            f"s = {self.state.s:.6g} of {self.steps}: {outcome.sweeps} sweeps, "
            f"residual {outcome.correction:.1e}, elements of {spread} iterations"
        )
        rest = slice(keep, self._last(window) + 1)
        return Window(
            self.state, window.lengths[rest], window.theta[rest], [m[rest] for m in window.memories]
        )

    def _store(self, window: Window, edges: Array, keep: int) -> None:
        """Hand the accepted elements to the sink."""
        theta = window.with_left(window.theta, self.state.theta)
        memories = [window.with_left(v, f) for v, f in zip(window.memories, self.state.memories, strict=True)]
        for e in range(keep):
            self.sink.take(
                float(edges[e]), float(window.lengths[e]), theta[e], [values[e] for values in memories]
            )

    def _fail(self, outcome: Outcome) -> March:
        self.diverged = not math.isfinite(outcome.correction)
        return self._stop(f"after {outcome.sweeps} sweeps the correction is {outcome.correction:.2g}")

    def _stop(self, reason: str) -> March:
        self.failed_at, self.reason = self.state.s, reason
        self.say(f"failed at s = {self.state.s:.6g}: {reason}")
        return self
