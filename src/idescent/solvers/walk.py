r"""The choice and the checks of the elements of a leap.

What lives here: :class:`Walk`.  What does not: its public form (:mod:`idescent.solvers.leap`), and the
equations of an element (:mod:`idescent.solvers.difference`).  The checks and the error estimate are in
:mod:`idescent.solvers.walk_checks`, oscillations in :mod:`idescent.solvers.branches`, and the end of a run
that repeats itself in :mod:`idescent.solvers.cycle`.

Between two elements some iterations are made one by one, together with a neighbour of the run.  An element is
accepted if

1. its fixed point converged, and its last coefficients are below the tolerance;
2. continued by one iteration to the left and to the right, it meets the iterates that were made there: no
   fast oscillation is left out, and no jump between an end and the node next to it;
3. the neighbour of the run does not depart from it, before and after the element: the smooth path is stable.

Otherwise a shorter element is tried; below a length of 72 iterations they are made one by one.
"""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from idescent.discrete.generic import GenericLoop
from idescent.discrete.setup import Setup
from idescent.optimizers.plan import Plan
from idescent.solvers import branches, cycle
from idescent.solvers.choice import SHORTEST, Choice
from idescent.solvers.difference import Aim, Difference, UnableError
from idescent.solvers.element import NODES, Element, Iterations, State
from idescent.solvers.walk_checks import (
    EPSILON,
    growth_of,
    mean_growth,
    meets,
    noise,
    refuse_noise,
    rounding,
    tolerances,
)
from idescent.trajectory import Report

Array = NDArray[np.float64]

# Iterations at the start, and between two elements with a neighbour.
START, PROBE = 40, 24
# Relative distance of the neighbour, and its largest growth over an element.
DISTANCE, GROWTH = 1e-9, 1e3
# Least relative distance of the neighbour of iterations that are made one by one.
NEAR = 1e-13
# Growth over an element above which its measurement is continued, and the most iterations of one.
LARGE, LONGEST = 10.0, 8 * PROBE
# Safety factor of the error estimate.
SAFETY, CHAOS = 3.0, 4.0
# Part of a new direction in that of a neighbour.
FRESH = 0.1
# Growth of the length after an element.
FASTER = 4.0


class _Neighbour:
    """A run that begins at a distance ``size`` from another one, with its relative distances from it."""

    def __init__(self, state: State, size: float) -> None:
        self.state, self.size, self.distances = state, size, list[float]()


class Walk:
    """A run in progress: parts up to iteration ``k``, and the next element's length.

    Parameters
    ----------
    setup : Setup
    rtol : float
        Tolerance of an element, relative to the largest absolute value of theta so far.
    limit : int
        Most gradients.

    Attributes
    ----------
    k : int
        Iterations computed.
    parts : list of Iterations or Element
        In the order of the run, each beginning after the last iteration of the one before.
    rows : dict of str to list of ndarray
        Theta and the memories since the last element, row 0 after iteration ``first``.
    length : float
        Iterations of the next element, if there is room.
    growth : float
        Logarithm of the growth of a neighbour by iteration, after the last element.
    error, rounding : float
        The parts e and r of the error estimate.
    unable : str
        Why no element can be tried, or empty.
    """

    def __init__(self, setup: Setup, rtol: float, limit: int) -> None:
        self.setup, self.rtol, self.limit = setup, rtol, limit
        self.loop = GenericLoop(setup)
        self.plan: Plan = self.loop.plan
        self.equation = Difference(self.plan, setup.objective, self.rate)
        self.choice = Choice(self.equation)
        breaks = () if setup.schedule is None else setup.schedule.breaks(setup.steps)
        self.breaks = [*breaks, math.inf]
        self.k, self.parts = setup.first, list[Iterations | Element]()
        self.rows: dict[str, list[Array]] = {name: [value] for name, value in self.state().items()}
        self.first = setup.first
        self.length, self.wait = float(SHORTEST), PROBE
        self.growth = 0.0
        self.scale = max(float(np.abs(setup.start).max()), setup.alpha)
        self.neighbour: _Neighbour | None = None
        self.direction: Array | None = None
        self.before = 0.0, 0.0
        self.largest: dict[str, float] = {}
        self.sweeps = self.rejected = 0
        self.error = self.rounding = 0.0
        self.unable = ""
        self.cycle: cycle.Cycle | None = None
        self.diverged_at: int | None = None

    @property
    def reached(self) -> int:
        """Last iteration whose state is finite."""
        return self.k if self.diverged_at is None else self.diverged_at - 1

    def rate(self, k: Array) -> Array:
        """Return the learning rate of iterations ``k``."""
        schedule = self.setup.schedule
        factor = np.ones_like(k) if schedule is None else schedule.rate(k - 0.5)
        return self.setup.alpha * np.asarray(factor)

    def state(self) -> State:
        """Return theta and the memories after iteration ``k``."""
        return {name: self.loop.values[name] for name in ("theta", *self.plan.memories)}

    def go(self) -> None:
        """Compute all parts."""
        steps = self.setup.steps
        with np.errstate(all="ignore"):
            refuse_noise(self.loop, self.k, self.rates(1)[0])
            self.iterate(min(max(START, self.setup.iterations or 0), steps - self.k))
            if self.going():
                # Noise may vanish at the start, or begin after it.
                refuse_noise(self.loop, self.k, self.rates(1)[0])
            while self.going():
                if self.k >= max(self.breaks[:-1], default=0.0):
                    self.cycle = cycle.find(self.loop, self.rows, self.k, steps, self.rate)
                if self.cycle is not None:
                    self.append(self.cycle)
                    break
                room = self.room()
                if room < 2 * SHORTEST or self.unable or not self.choice.period(self.rows):
                    self.iterate(min(self.wait, steps - self.k))
                    continue
                gradients, first = self.setup.objective.gradients, self.k
                if self.element(room) and self.setup.objective.gradients - gradients < self.k - first:
                    self.wait = PROBE
                elif self.going():
                    self.iterate(min(self.wait, steps - self.k))
                    self.wait = min(2 * self.wait, max(PROBE, (self.k - self.setup.first) // 8))
        self.close()

    def going(self) -> bool:
        """Whether there are iterations left, and gradients for them."""
        left = self.setup.objective.gradients < self.limit
        return left and self.diverged_at is None and self.k < self.setup.steps

    def room(self) -> int:
        """Return the largest length of an element that begins here."""
        # The iterations of a probe follow the element.
        room = self.setup.steps - PROBE - self.k
        following = self.breaks[bisect_right(self.breaks, self.k - 1.0)]
        return int(min(room, following - self.k))

    def iterate(self, count: int) -> None:
        """Make iterations one by one, with a neighbour that bounds how an error grows."""
        if self.neighbour is None:
            self.neighbour = self.displaced(max(self.error + self.rounding, NEAR * self.scale))
            self.before = self.error, self.rounding
        peak = max(self.together(count), 1.0)
        error, rounding = self.before
        rounding += 1.5 * EPSILON * self.size() * math.sqrt(len(self.neighbour.distances))
        if peak > GROWTH:
            # In chaos an error becomes the distance of two points of an attractor, here a sample of it.
            error, peak = max(error, self.neighbour.size), CHAOS * peak
        self.error, self.rounding = max(self.error, peak * error), max(self.rounding, peak * rounding)

    def grow(self, logarithm: float) -> None:
        """Let both errors grow over an element or a probe, at most to a multiple of theta."""
        factor, most = math.exp(logarithm), CHAOS * self.scale
        self.error = min(self.error * factor, max(self.error, most))
        self.rounding = min(self.rounding * factor, max(self.rounding, most))

    def size(self) -> float:
        """Return the largest absolute value of theta among the iterations since the last element."""
        sizes = (float(np.abs(rows).max()) for rows in self.rows["theta"][-PROBE:])
        # The row of a divergence is infinite or NaN.
        return max(size for size in sizes if size < math.inf)

    def rates(self, count: int) -> list[float]:
        """Return the learning rates of the next iterations."""
        rates: list[float] = self.rate(np.arange(self.k + 1.0, self.k + count + 1.0)).tolist()
        return rates

    def store(self, state: State) -> bool:
        """Store the state after iteration ``k``; whether it is finite."""
        for name, value in state.items():
            self.rows[name].append(value)
        if all(np.isfinite(value).all() for value in state.values()):
            return True
        self.diverged_at = self.k
        return False

    def displaced(self, size: float) -> _Neighbour:
        """Return a neighbour of the run at a distance in theta."""
        state = self.state()
        signs = np.sign(np.sin(1.0 + 2.3 * np.arange(state["theta"].size))).reshape(state["theta"].shape)
        # The direction of the last neighbour has turned to that of growth; a new one would grow at first.
        direction = signs if self.direction is None else self.direction + FRESH * signs
        direction = direction / np.abs(direction).max()
        return _Neighbour(state | {"theta": state["theta"] + size * direction}, max(size, 1e-300))

    def together(self, count: int) -> float:
        """Make iterations with the neighbour; return its largest distance, relative to the first one.

        A memory may relax towards a larger distance: only theta tells an unstable run.
        """
        neighbour, loop = self.neighbour, self.loop
        assert neighbour is not None
        pairs = {name: np.stack((value, neighbour.state[name])) for name, value in self.state().items()}
        loop.values = loop.values | pairs
        for rate in self.rates(count):
            loop.iterate(self.k + 1, rate)
            self.k += 1
            both = self.state()
            if not self.store({name: value[0] for name, value in both.items()}):
                break
            distance = float(np.abs(both["theta"][1] - both["theta"][0]).max()) / neighbour.size
            neighbour.distances.append(distance if math.isfinite(distance) else math.inf)
            if not self.setup.objective.gradients < self.limit:
                break
        both = self.state()
        neighbour.state = {name: value[1] for name, value in both.items()}
        apart = both["theta"][1] - both["theta"][0]
        if 0.0 < np.abs(apart).max() < math.inf:
            self.direction = apart / np.abs(apart).max()
        loop.values |= {name: value[0] for name, value in both.items()}
        return max(neighbour.distances, default=0.0)

    def probe(self, length: int) -> float:
        """Make iterations with a new neighbour; return its growth, a logarithm by iteration.

        Parameters
        ----------
        length : int
            Iterations of the element before.  If the growth is large over them, more iterations tell it from
            a slow oscillation of the distance.
        """
        self.neighbour = self.displaced(DISTANCE * float(np.abs(self.loop.values["theta"]).max()))
        count, growth = PROBE, math.inf
        while self.setup.steps - self.k >= count > 0:
            self.together(count)
            growth = growth_of(self.neighbour.distances)
            count = len(self.neighbour.distances)
            if not math.log(LARGE) < growth * length < math.inf or count >= LONGEST or not self.going():
                break
        self.neighbour = None
        return growth

    def element(self, room: int) -> bool:
        """Try an element, and shorter ones; whether one was accepted, with the iterations that follow.

        The last coefficients of a smooth function fall with the power n of the length: a length follows from
        the ratio of their size to the tolerance.
        """
        first, before = self.k, {name: rows[-2] for name, rows in self.rows.items()}
        shortest = self.choice.shortest(self.rows)
        length = min(max(self.length, shortest), room)
        if self.growth > 0.0:
            length = min(length, math.log(GROWTH) / self.growth)
        while length >= shortest and self.setup.objective.gradients < self.limit:
            count = int(length)
            self.scale = max(self.scale, self.size())
            allowed = self.rtol * self.scale
            aim = Aim(allowed, self.rtol, self.sizes(), noise(self.rows))
            try:
                outcome = self.choice.collocate(self.rows, first, count, aim)
            except UnableError as error:
                self.unable = str(error)
                return False
            if outcome is None:
                return False
            self.sweeps += outcome.sweeps
            found = outcome.element
            ratio = max(outcome.error / (0.1 * allowed), outcome.relative, 1e-300)
            near = tolerances(aim)
            if found is not None and ratio <= 1.0 and meets(found, first - 1, before, near):
                growth = self.growth
                if self.after(found, near):
                    # A known growth is that of the whole element.
                    growth = self.growth if isinstance(found, branches.Stable) else growth
                    self.grow(mean_growth(growth, self.growth) * count)
                    self.error += outcome.error + outcome.correction
                    self.rounding += rounding(found)
                    self.grow(max(self.growth, 0.0) * (self.k - self.first))
                    self.length = count * min(FASTER, max(0.5, 0.9 * ratio ** (-1.0 / (NODES - 1))))
                    return True
                length = 0.5 * count
            elif found is None or not math.isfinite(ratio):
                length = 0.4 * count
            else:
                length = count * max(0.2, min(0.7, 0.9 * ratio ** (-1.0 / (NODES - 1))))
            self.rejected += 1
        self.length = float(SHORTEST)
        return False

    def sizes(self) -> dict[str, float]:
        """Return the largest absolute value of each memory, of the iterations that were made one by one."""
        for name in self.plan.memories:
            largest = max(float(np.abs(value).max()) for value in self.rows[name][-PROBE:])
            self.largest[name] = max(self.largest.get(name, 1e-300), largest)
        return dict(self.largest)

    def after(self, element: Element, near: dict[str, float]) -> bool:
        """Make the iterations after an element; whether it meets them and is stable, else they are undone."""
        saved = dict(self.loop.values), self.k, self.rows, self.first, len(self.parts), self.growth
        self.append(element)
        self.growth = branches.growth(element, self.probe)
        stable = max(self.growth, 0.0) * element.length <= math.log(GROWTH)
        # A jump of the gradient between the last node and the end of the element is at no node.
        following = {name: rows[1] for name, rows in self.rows.items()}
        joined = self.growth < math.inf and meets(element, self.first + 1, following, near)
        if stable and joined and all(np.isfinite(value).all() for value in self.state().values()):
            return True
        self.loop.values, self.k, self.rows, self.first, parts, self.growth = saved
        self.diverged_at = None
        del self.parts[parts:]
        return False

    def append(self, element: Element) -> None:
        """Continue the run at the end of an element."""
        self.close()
        self.parts.append(element)
        self.k = self.first = element.first + element.length
        self.loop.values |= element.end()
        self.rows = {name: [value] for name, value in self.state().items()}

    def close(self) -> None:
        """Store the iterations since the last element."""
        self.parts.append(Iterations(self.first, {name: np.array(rows) for name, rows in self.rows.items()}))

    def report(self) -> Report:
        """Return status, cost and error estimate."""
        steps, gradients = self.setup.steps, self.setup.objective.gradients
        elements = [part for part in self.parts if isinstance(part, Element) and part is not self.cycle]
        single = [part for part in self.parts if isinstance(part, Iterations) and part.length > 0]
        count = sum(part.length for part in single)
        status, message = "converged", f"{len(elements)} elements, {count} iterations made one by one"
        if self.diverged_at is not None:
            status, message = "diverged", f"iteration {self.diverged_at} is not finite; {message}"
        elif self.k < steps:
            status = "not converged"
            message = f"the limit of {self.limit} gradients ended it at iteration {self.k}; {message}"
        if self.cycle is not None:
            message += f"; from iteration {self.cycle.first} on it repeats {self.cycle.period} of them"
        if self.unable:
            message += f": {self.unable}"
        return Report(
            status,
            message,
            gradient_evaluations=gradients,
            sweeps=self.sweeps,
            error_estimate=SAFETY * (self.error + self.rounding),
            rtol=self.rtol,
            diverged_at=self.diverged_at,
            details={
                "elements": len(elements),
                "lengths": [part.length for part in elements],
                "rejected": self.rejected,
                "iterations": count,
                "period": None if self.cycle is None else self.cycle.period,
                "where": [(part.first, part.first + part.length) for part in single],
                "resolution": self.error,
                "rounding": self.rounding,
            },
        )
