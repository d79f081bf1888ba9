r"""Checks of an element of a leap, and the parts of its error estimate.

What lives here: the refusal of noise, the check at the ends of an element, rounding errors and growth.  What
does not: the choice of elements and the neighbours of the run (:mod:`idescent.solvers.walk`).

The error estimate is three times the sum of the resolution e and the rounding r, which grow along the run:

.. math::
    e &\to e\,e^{\gamma H} + \tau, \qquad r \to r\,e^{\gamma H} + \rho
    && \text{(an element of } H \text{ iterations)}, \\
    e &\to e\,e^{\gamma_1 q}, \qquad r \to r\,e^{\gamma_1 q}
    && (q \text{ iterations after it, with a neighbour}), \\
    e &\to p\,e, \qquad r \to p\,\bigl(r + \tfrac32\,\epsilon\,|\theta|\sqrt{q}\bigr)
    && (q \text{ further iterations one by one}),

where :math:`\tau` is the resolution of the element plus the last correction of its fixed point, and
:math:`\rho` the rounding of the run in it.  :math:`\gamma` is the growth of a neighbour by iteration, the
mean of those at both ends, and :math:`\gamma_1` that at the right end; e and r grow in this way up to four
times the largest theta.  A neighbour of further iterations begins as far away as e + r, at least
:math:`10^{-13}|\theta|`, and p is its largest distance relative to that.  Where p exceeds 1000 the run is
chaotic: e is at least the first distance of the neighbour, and p counts four times.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from idescent.discrete.generic import GenericLoop
from idescent.optimizers.plan import Plan
from idescent.solvers.difference import Aim, UnableError
from idescent.solvers.element import Element, State

Array = NDArray[np.float64]
Rows = dict[str, list[Array]]
"""Theta and the memories by name, a value for each of the last iterations."""

# Units in the last place below which the rounding of a move is as good as constant.
FEW = 8.0
EPSILON = float(np.finfo(np.float64).eps)


def refuse_noise(loop: GenericLoop, k: int, rate: float) -> None:
    """Compute the iteration after ``k`` twice, and discard both.

    Raises
    ------
    ValueError
        If the gradients, the memories or theta differ.
    """
    saved, twice = loop.values, list[State]()
    for _ in range(2):
        loop.values = dict(saved)
        loop.iterate(k + 1, rate)
        twice.append({name: loop.values[name] for name in ("gradient", *loop.plan.memories, "theta")})
    loop.values = saved
    first, second = twice
    different = [name for name in first if not np.array_equal(first[name], second[name], equal_nan=True)]
    if not different:
        return
    at = "theta0" if k == 0 else f"iteration {k}"
    if "gradient" in different:
        raise ValueError(f"objective.gradient: two gradients at {at} differ: leap takes no noise")
    where = f"{loop.plan.owner}: {different[0]}"
    raise ValueError(f"{where} of the iteration after {at} differs in a repetition: leap takes no noise")


def smooth(rows: list[Array]) -> bool:
    """Whether the last 16 moves of theta are smooth enough to try an element."""
    last = np.array([value.ravel() for value in rows[-17:]])
    if len(last) < 13:
        return False
    moves = np.diff(last, axis=0)
    size = float(np.abs(moves).max())
    least = 512.0 * EPSILON * float(np.abs(last).max())
    return float(np.abs(np.diff(moves, n=8, axis=0)).max()) <= 0.05 * size + least


def noise(rows: Rows) -> dict[str, float]:
    """Return the rounding of each memory in the last 16 iterations: what no polynomial resolves."""
    sizes: dict[str, float] = {}
    for name, values in rows.items():
        if name != "theta":
            last = np.array([value.ravel() for value in values[-17:]])
            # Eighth differences of independent errors of size 1 have the size sqrt(12870).
            sizes[name] = float(np.abs(np.diff(last, n=8, axis=0)).max()) / 113.0
    return sizes


def falling(plan: Plan, rows: Rows) -> dict[str, Array] | None:
    """Return for each maximum the coordinates at which it decays; None if this has just changed.

    Raises
    ------
    UnableError
        If the decay rate of a maximum depends on k.
    """
    decaying: dict[str, Array] = {}
    for name, memory in plan.memories.items():
        if memory.kind == "maximum":
            last = np.array(rows[name][-6:])
            if not memory.constant:
                raise UnableError(f"the decay rate of the maximum {name!r} depends on k")
            decays = last[1:] == memory.decay * last[:-1]
            if (decays != decays[0]).any():
                return None
            decaying[name] = decays[0]
    return decaying


def tolerances(aim: Aim) -> dict[str, float]:
    """Return how closely theta and the memories of an element must meet the iterations beside it."""
    memories = {
        name: 10.0 * aim.relative * size + 8.0 * aim.noise[name] for name, size in aim.largest.items()
    }
    return memories | {"theta": 0.1 * aim.theta}


def meets(element: Element, k: int, made: State, allowed: dict[str, float]) -> bool:
    """Whether an element, continued to an iteration beside it, meets the state that was made there.

    Parameters
    ----------
    element : Element
    k : int
        Iteration before the first one of the element, or after its last one.
    made : dict of str to ndarray
        Theta and the memories after iteration ``k``.
    allowed : dict of str to float
        Largest differences by name.
    """
    continued = element.state(np.array([float(k)]))
    return all(
        float(np.abs(continued[name][0] - value).max())
        <= max(allowed[name], 8.0 * EPSILON * float(np.abs(value).max()))
        for name, value in made.items()
    )


def rounding(element: Element) -> float:
    r"""Return an estimate of the rounding error of theta in the iterations of an element.

    In each iteration theta is rounded by up to half a unit in its last place u.  These errors are independent
    if the move :math:`\alpha D` passes many units during the element, and sum up if it is constant: over W
    units the phase is stationary at most for a part :math:`W^{-1/2}` of the iterations.
    """
    at = element.first + np.linspace(0.0, element.length, 33)
    theta = element.state(at)["theta"]
    half = 0.5 * EPSILON * np.abs(theta).max(axis=0)
    moves = np.diff(theta, axis=0) / (element.length / 32.0) / np.maximum(2.0 * half, 1e-300)
    count = float(element.length)
    constant = 1.0 / np.sqrt(np.maximum(np.ptp(moves, axis=0), 1.0))
    # A move of a few units is as good as constant: its rounding drifts slowly.
    constant = np.maximum(constant, (np.abs(moves) < FEW).mean(axis=0))
    return float((half * (3.0 * math.sqrt(count) + count * constant)).max())


def growth_of(distances: list[float]) -> float:
    """Return the logarithm of the growth of distances, by iteration; infinite if one of them is.

    It compares the largest ones of the second and of the fourth quarter.
    """
    count = len(distances)
    if count < 8 or not max(distances) < math.inf:
        return math.inf
    half, quarter = count // 2, count // 4
    first, last = max(distances[half - quarter : half]), max(distances[-quarter:])
    return math.log(max(last, 1e-300) / first) / half if first > 0.0 else 0.0


def mean_growth(start: float, end: float) -> float:
    """Return the mean of a growth that falls or rises exponentially between two values, 0 if both are <= 0.

    A value that is not positive counts as a thousandth of the other.
    """
    large = max(start, end)
    if large <= 0.0:
        return 0.0
    small = max(min(start, end), 1e-3 * large)
    return (large - small) / math.log(large / small) if small < 0.999 * large else large
