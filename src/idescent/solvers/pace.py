"""What a march costs, and whether its budget lasts to the horizon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Elements in a stretch, from which it is told what the rest of the horizon would cost.
STRETCH = 200


class Pace:
    """What the last stretch of a march cost, and whether the rest can be afforded at that price.

    Where a velocity turns round within eps of a zero of the gradient, elements become as short as the time in
    which it does, again and again: such a march would end only with its budget.

    Parameters
    ----------
    steps : int
        Horizon.
    most : float
        Number of gradients at which the march has to stop.
    gradients : int
        Number of gradients before the march.
    theta : ndarray, shape (n,)
        Where it begins.
    """

    def __init__(self, steps: int, most: float, gradients: int, theta: Array) -> None:
        self.steps, self.most = steps, most
        # Since the last stretch began, and the way of the one before.
        self.s, self.elements, self.gradients, self.before = 0.0, 0, gradients, 0.0
        self.low = self.high = theta

    def unaffordable(self, s: float, elements: int, gradients: int, theta: Array) -> str:
        """Return why the march should stop at ``s``; empty where it should go on.

        Parameters
        ----------
        s : float
        elements, gradients : int
            So far.
        theta : ndarray, shape (n,)
        """
        self.low, self.high = np.minimum(self.low, theta), np.maximum(self.high, theta)
        made, way = elements - self.elements, s - self.s
        if made < STRETCH:
            return ""
        rate = (gradients - self.gradients) / way
        # Elements behind a singular start grow, and stretches with them.
        steady = 0.5 * self.before < way < min(2.0 * self.before, 0.5 * made)
        if steady and gradients + rate * (self.steps - s) > self.most:
            width = float((self.high - self.low).max())
            return (
                f"stiff layer of width {width:.2g} at iteration {s:.6g}: elements of {way / made:.2g} "
                f"iterations take {rate:.3g} gradients an iteration, the rest more than the budget of "
                f"{self.most:.6g} gradients"
            )
        self.s, self.elements, self.gradients, self.before = s, elements, gradients, way
        self.low = self.high = theta
        return ""
