r"""One pass over the horizon at one tolerance: windows of elements march through k-time.

On each element of the mesh path and memories are polynomials of degree p (:mod:`idescent.solvers.radau`).
A few neighbouring elements form a window.  Windows are solved in turn, each from the state at its start:

1. *Extend* (:meth:`March._extend`).  Append elements with a guess of the path: one, or with a look-ahead as
   many as the overlap needs.
2. *Relax* (:mod:`idescent.solvers.window`).  Sweep until path and memories of the whole window agree.
3. *Refine* (:meth:`March._resolve`).  The Legendre tail of an element is the size of its two highest
   coefficients in units of the tolerance.  Halve every element with a tail above 1 and relax again.
4. *Accept* (:meth:`March._accept`).  Hand elements to the sink; the others are the guess of the next window.
5. *Grow* (:func:`idescent.solvers.mesh.growth`).  Choose the next length from the tail of the last element.

Overlap.  If the equation looks ahead by :math:`\ell`, the path at s depends on memories at :math:`s + \ell`.
The window is closed at its end :math:`s_E` by a source that stays constant beyond it.  The error of this
closure decays with the distance from :math:`s_E`: only elements before the overlap are accepted::

    start        accepted          |          overlap            |
    |--------|-------|-------------|--------------|--------------|
                                          closure: last ℓ before s_E

At :math:`s_E - \ell` the look-ahead reaches :math:`s_E` and the path has a kink: an element begins there.

Guides.  Without look-ahead a window is long: its mesh and its guess follow from the path of the pass before,
or from a discrete run (:mod:`idescent.solvers.guide`).

Failure.  If a window does not converge its first element is shortened, down to a limit.  A march that stops
there has *diverged* if its last correction was not finite, else it is *not converged*.  A path that begins
near a zero of the gradient is begun again, with thorough Newton steps (:mod:`idescent.solvers.rest`).

What lives here: these decisions.  What does not: operations on a mesh (:mod:`idescent.solvers.mesh`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import FirstIterations
from idescent.solvers import mesh
from idescent.solvers.fallback import Relaxation
from idescent.solvers.guide import Guide, Path
from idescent.solvers.pace import Pace
from idescent.solvers.problem import Problem, Settings, Sink, State
from idescent.solvers.rest import begins_at_rest, soft_length
from idescent.solvers.tolerances import Tolerances
from idescent.solvers.window import ROUNDING, ExhaustedError, Outcome, Window, relax_window

Array = NDArray[np.float64]
Progress = Callable[[str], None]

# Degree to which the last element's path is continued into the next, which saves a third to a half of the
# sweeps: without a Hessian, with a look-ahead, and otherwise.  A higher degree gives a better guess, but
# amplifies errors that the last element's sweeps have left.
CONTINUED_PLAIN, CONTINUED_AHEAD, CONTINUED = 5, 7, 9

# Windows are relaxed to this share of the tolerance; and to the second one for a path that began near a zero
# of the gradient, where the remaining correction must be small beside eps.
OPEN, OPEN_AT_REST = 0.02, 1e-4

# Length of the first element, in iterations: the path starts steeply, and later lengths follow the tails.
FIRST_LENGTH = 0.25

# Ratio of the longest element to the rest of the horizon: rounding must not leave a remainder.
BEYOND = 1.05

# Shortest element, unless s has fewer digits: resolves a root singularity at the start to 1e-12; and of a
# window that looks ahead, in a guess by Newton's sweeps.
SHORTEST, SHORTEST_AHEAD = 1e-24, 1e-6

# Ratio of the lengths of elements that are appended to one window of Newton's sweeps, before tails are known.
APPENDED_GROWTH = 1.3
# After more sweeps than this elements shrink to 0.8 of the last one: the dependences that Newton's step
# leaves out (changes of the normaliser, unknown Hessians) are strong.
MANY_SWEEPS, SHRINK = 14, 0.8

# While the velocity jumps at every whole s, Newton's sweeps solve at most this many iterations as one window.
TOGETHER = 32.0

# First guess of an element by itself: relaxed to this multiple of the tolerance, in this many sweeps at most.
GUESS_TOLERANCE, GUESS_SWEEPS = 10.0, 30

# Finite attempts at one window that do not converge, each with a first element a quarter as long.
MOST_FAILURES = 12


class March:
    """One pass over the horizon at one tolerance.

    The sink receives the accepted elements, ``log`` one line for each window.  ``rtol`` is at least four
    times the rounding of a window.  The overlap, in iterations, has no effect without look-ahead.

    Attributes
    ----------
    sweeps, elements, windows, largest_window : int
        Sweeps over windows, elements and windows accepted, elements of the largest window.
    failed_at : float or None
        ``s`` up to which the path is known, if the march stopped before the horizon.
    diverged : bool
        Whether it stopped because the path was not finite.
    reason : str
        Why it stopped; empty if it did not.
    """

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
        log: Progress,
        first: FirstIterations | None = None,
        coarse: March | Guide | None = None,
    ) -> None:
        self.settings, self.problem, self.steps = settings, problem, steps
        self.rtol, self.sink, self.log = max(rtol, 4.0 * ROUNDING), sink, log
        self.equation = problem.equation
        self.overlap = overlap if self.equation.lookahead else 0.0
        self.state, self.sources = problem.begin(theta0, first)
        self.tolerances = Tolerances(problem, self.rtol, atol, self.sources, first)
        self.sweeps = self.elements = self.windows = self.largest_window = 0
        self.matrix_free = problem.matrix_free(len(theta0))
        # Whether the path began near a zero of the gradient.
        self.thorough, self.relaxation = False, Relaxation(problem, settings.max_sweeps)
        # Whether iterations are elements, many in a window, while the velocity jumps at every whole s.
        self._whole = not self.matrix_free
        self._guessed_tail = 1.0  # of the last guess of an element by itself, without a Hessian
        # The path of this pass, for the next one.
        self.path = Path(problem, len(theta0))
        self._guide = coarse if isinstance(coarse, Guide) else None
        if isinstance(coarse, March) and coarse.path.complete and coarse.elements:
            self._guide = Guide(coarse.path, self.rtol / coarse.rtol, settings.max_elements)
        # Length and path, shape (p + 1, n), of the last accepted element; None begins from a constant path.
        self._last_element: tuple[float, Array] | None = None
        self.failed_at: float | None = None
        self.diverged, self.reason = False, ""

    def run(self) -> March:
        """March to the horizon, or until the fixed point fails or the budget of gradients is spent."""
        try:
            return self._march()
        except ExhaustedError:
            return self._stop(f"budget of {self.problem.most_gradients:.6g} gradients is spent")

    def _march(self) -> March:
        length, pending, failures, begin = FIRST_LENGTH, self._empty(), 0, self.state.s
        objective = self.problem.objective
        if not (self.overlap or self.matrix_free):
            # While the memories are held the velocity hardly changes.
            length = max(length, self.equation.held_until - self.state.s)
        pace = Pace(self.steps, self.problem.most_gradients, objective.gradients, self.state.theta)
        while self.state.s < self.steps:
            window = self._extend(pending, length)
            outcome, tail = (window, math.inf) if isinstance(window, Outcome) else self._resolve(window)
            if not outcome.converged and self._begins_at_rest(outcome):
                # Begin again, on an element on which the linearised equation is not stiff.
                self.thorough, self._whole, pending = True, False, self._empty()
                self._guide, self.path.complete = None, False
                length = soft_length(self.equation, self.sources, self.state.memories, outcome.curvature)
                continue
            if isinstance(window, Outcome):
                return self._fail(window)  # no element by itself could be solved
            if not outcome.converged:
                if self._guide is not None:
                    length = max(self._guide.length(self.state.s), FIRST_LENGTH)
                    self._guide = None if self._guide.fails(window) else self._guide
                    continue
                if self._last_element is not None and not (self.overlap or self.matrix_free):
                    # Where the velocity changes sign within eps a continuation may be too far off for
                    # Newton's method: try the same length from a constant path.
                    self._last_element, pending = None, self._empty()
                    continue
                # A correction that is not finite does not count: it may be the root of a memory whose
                # polynomial is negative somewhere, which a shorter element repairs.
                failures += math.isfinite(outcome.correction)
                self._whole = False
                length = float(window.lengths[0]) / 4.0
                if failures > MOST_FAILURES or length < self._shortest():
                    return self._fail(outcome)
                pending = self._empty()
                continue
            failures = 0
            pending = self._accept(window, outcome)
            reason = pace.unaffordable(self.state.s, self.elements, objective.gradients, self.state.theta)
            if reason:
                return self._stop(reason)
            early = not (self.overlap or self.matrix_free) and self.state.s - begin < mesh.EARLY
            ratio = mesh.growth(tail, self.settings.stages, self.matrix_free, early=early)
            ratio = min(ratio, SHRINK) if outcome.sweeps > MANY_SWEEPS and not self.overlap else ratio
            length = float(window.lengths[self._last(window)]) * ratio
        return self

    def _extend(self, pending: Window, length: float) -> Window | Outcome:
        """Append elements to the rest of the last window.

        Without look-ahead, one element; with jumps at every whole ``s``, all elements up to the last jump.
        With look-ahead, elements until the accepted part is as long as the overlap and the first element.
        Each new element is first solved by itself with the closure at its end, the model with local closure:
        a guess that is off by one order of ``alpha`` only.  If that fails, return its outcome.
        """
        if self._guide is not None:
            return self._guide.window(self.state, self.steps, whole=self._whole)
        window = Window(self.state, pending.lengths, pending.theta, pending.memories)
        lookahead = self.equation.lookahead
        while True:
            tail = self._guess(window, length)
            if isinstance(tail, Outcome):
                return tail
            window = mesh.appended(window, tail)
            if not lookahead:
                # Newton's corrections converge on all elements at once, plain ones on a short window only.
                together = self.state.s + TOGETHER if self._whole else 0.0
                if window.edges[-1] < min(self.equation.breaks_until, self.steps, together):
                    continue
                return window
            # Length of the accepted part, once the closure is appended.
            accepted = float(window.lengths.sum()) + lookahead - self.overlap
            full = len(window.lengths) >= self.settings.max_elements
            if accepted >= window.lengths[0] and (accepted >= self.overlap or full):
                return self._close(window, lookahead)
            ratio = APPENDED_GROWTH
            if self.matrix_free:
                ratio = mesh.growth(self._guessed_tail, self.settings.stages, plain=True)
            length = ratio * float(window.lengths[-1])

    def _close(self, window: Window, length: float) -> Window | Outcome:
        """Append elements of a total length, the closure: one, or several if there are breaks in it."""
        end = float(window.edges[-1]) + length
        while True:
            tail = self._guess(window, length)
            if isinstance(tail, Outcome):
                return tail
            window = mesh.appended(window, tail)
            length = end - float(window.edges[-1])
            if not self.equation.breaks or length < SHORTEST_AHEAD:
                return window

    def _guess(self, window: Window, length: float) -> Window | Outcome:
        """Return one new element behind ``window`` with a guess of the path.

        Without look-ahead the guess is the continuation of the last element.  With look-ahead the element is
        also relaxed by itself, and halved until that converges.  Without a Hessian it is moreover halved
        until its Legendre tail is at most 1: sweeps over whole windows are the main cost, and each of them
        should need no refinement.
        """
        at = self.state
        if len(window.lengths):
            at = State(float(window.edges[-1]), window.theta[-1, -1], [m[-1, -1] for m in window.memories])
        while True:
            if not self.overlap:
                # An element far beyond the horizon would take more sweeps for nothing.
                length = min(length, max(BEYOND * (self.steps - at.s), 1.0))
            length = mesh.fitted_length(self.equation, at.s, length, whole=self._whole)
            guess = Window(at, np.array([length]), self._continued(window, at, length)[None])
            if not self.overlap:
                return guess
            target, lookahead = self.tolerances.path(guess.theta), self.equation.lookahead
            if self.matrix_free and length > lookahead:
                # The kink of the closure would be inside the element and spoil its tail: append an auxiliary
                # element, which takes the kink and is removed below.
                beyond = np.broadcast_to(guess.theta[:, -1:], guess.theta.shape)
                guess = Window(at, np.array([length, lookahead]), np.concatenate((guess.theta, beyond)))
            outcome = relax_window(self.problem, guess, GUESS_TOLERANCE * target, GUESS_SWEEPS)
            self.sweeps += outcome.sweeps
            if outcome.converged:
                if not self.matrix_free:
                    return guess
                self._guessed_tail = float(self.tolerances.tails(guess, target, thorough=self.thorough)[0])
                if self._guessed_tail <= 1.0:
                    return Window(at, guess.lengths[:1], guess.theta[:1], [m[:1] for m in guess.memories])
            length *= 0.5
            shortest = SHORTEST if self.matrix_free or self.thorough else SHORTEST_AHEAD
            if self._begins_at_rest(outcome) or length < shortest:
                return outcome

    def _continued(self, window: Window, at: State, length: float) -> Array:
        """Guess the path on a new element behind ``window``, shape (p, n), from the element before it."""
        method = self.problem.method
        last = self._last_element
        if len(window.lengths):
            # With Newton's method and no look-ahead the window's elements are guesses themselves, which are
            # not continued.
            solved = self.overlap or self.matrix_free
            values = window.with_left(window.theta, window.start.theta)[-1]
            last = (float(window.lengths[-1]), values) if solved else None
        if last is None:
            return np.broadcast_to(at.theta, (method.stages, len(at.theta))).copy()
        degree = CONTINUED_AHEAD if self.overlap else CONTINUED
        degree = min(CONTINUED_PLAIN if self.matrix_free else degree, method.stages)
        return mesh.continued(method, *last, at.theta, length, degree)

    def _resolve(self, window: Window) -> tuple[Outcome, float]:
        """Relax the window and halve the elements whose Legendre tail exceeds 1, until there are none.

        Return the outcome, and the tail of the last element before the closure: infinite after a failure.
        """
        target = self.tolerances.path(window.theta)
        sweeps = first = lost = 0
        while True:
            tolerance = (OPEN_AT_REST if self.thorough else OPEN) * target
            if self._guide is None:
                outcome, lost = self.relaxation.relax(window, tolerance, thorough=self.thorough)
            else:
                outcome = self._guide.relax(window, first, tolerance, self.settings.max_sweeps)
            self.sweeps += lost
            sweeps += outcome.sweeps
            self.sweeps += outcome.sweeps
            if self._begins_at_rest(outcome):
                return replace(outcome, converged=False), math.inf
            if not outcome.converged:
                return outcome, math.inf
            if self._guide is None:
                tails = self.tolerances.tails(window, target, outcome.curvature, thorough=self.thorough)
            else:
                tails = self.tolerances.running_tails(window, target)
            bad = tails > 1.0
            if not bad.any():
                window.tails = tails
                return replace(outcome, sweeps=sweeps), float(tails[self._last(window)])
            too_many = len(window.lengths) + bad.sum() > 2 * self.settings.max_elements
            if too_many or float(window.lengths[bad].min()) < self._shortest():
                return replace(outcome, sweeps=sweeps, converged=False), math.inf
            # Halving an element does not change those before it.
            first = int(np.argmax(bad))
            mesh.halve(window, bad, self.problem.method)
            if self.matrix_free and not self.overlap:
                # The second half is dropped: once the first is solved, its continuation is the better guess.
                window.lengths, window.theta = window.lengths[:1], window.theta[:1]

    def _accept(self, window: Window, outcome: Outcome) -> Window:
        """Hand the elements before the overlap to the sink; return the others, the next window's first guess.

        At least the first element is accepted.  The closure is not part of the guess.
        """
        edges = window.edges
        accepted = max(1, int(np.searchsorted(edges, edges[-1] - self.overlap, side="right")) - 1)
        if self._guide is not None:
            self.tolerances.update(window)
        theta = window.with_left(window.theta, self.state.theta)
        memories = [window.with_left(v, f) for v, f in zip(window.memories, self.state.memories, strict=True)]
        lengths, taken = window.lengths[:accepted], [values[:accepted] for values in memories]
        evaluated = mesh.evaluated(self.problem, edges[:accepted], lengths, theta[:accepted], taken)
        self.sink.take(edges[:accepted], lengths, evaluated, taken)
        self.path.add(edges[:accepted], lengths, theta[:accepted], window.tails[:accepted])
        self._last_element = float(window.lengths[accepted - 1]), theta[accepted - 1]
        self.state = State(
            float(edges[accepted]),
            window.theta[accepted - 1, -1],
            [values[accepted - 1, -1] for values in window.memories],
            {i: samples[accepted - 1] for i, samples in window.samples.items()},
        )
        self.windows += 1
        self.largest_window = max(self.largest_window, len(window.lengths))
        self.elements += accepted
        self.log(
            f"s = {self.state.s:.6g} of {self.steps}: {outcome.sweeps} sweeps, "
            f"residual {outcome.correction:.1e}, "
            f"elements of {window.lengths[0]:.3g} to {window.lengths[-1]:.3g} iterations"
        )
        rest = slice(accepted, self._last(window) + 1)
        return Window(
            self.state, window.lengths[rest], window.theta[rest], [m[rest] for m in window.memories]
        )

    def _last(self, window: Window) -> int:
        """Index of the last element that is not part of the closure."""
        if not self.overlap:
            return len(window.lengths) - 1
        return mesh.last_before_closure(window, self.equation.lookahead)

    def _begins_at_rest(self, outcome: Outcome) -> bool:
        """Whether the first relaxation shows that the path begins near a zero of the gradient."""
        if self.thorough or self.state.s > 0.0 or outcome.curvature == 0.0 or self.equation.mobility is None:
            return False
        target = self.tolerances.path(self.state.theta)
        return begins_at_rest(self.equation, self.sources, self.rtol, target, outcome.curvature)

    def _shortest(self) -> float:
        # A few units in the last place of s, below which an element has no length.
        return max(SHORTEST, 4.0 * math.ulp(self.state.s))

    def _empty(self) -> Window:
        return Window(self.state, np.empty(0), np.empty((0, 0, 0)))

    def _fail(self, outcome: Outcome) -> March:
        self.diverged = not math.isfinite(outcome.correction)
        return self._stop(f"after {outcome.sweeps} sweeps the correction is {outcome.correction:.2g}")

    def _stop(self, reason: str) -> March:
        self.failed_at, self.reason = self.state.s, reason
        self.log(f"failed at s = {self.state.s:.6g}: {reason}")
        return self
