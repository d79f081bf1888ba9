"""The cost of a march, and whether its budget of gradients lasts to the horizon.

The cost is extrapolated from the last stretch, a fixed number of accepted elements.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Elements in a stretch: enough that the cost of one iteration is an average over many elements.
STRETCH = 200


class Pace:
    """The cost of the last stretch of a march, and whether the budget allows the rest at that rate.

    Where a velocity changes sign within eps of a zero of the gradient, elements become as short as the time
    of this change, again and again: such a march would stop only when its budget is spent.

    Parameters
    ----------
    steps : int
        Horizon.
    most : float
        Number of gradients at which the march has to stop.
    gradients : int
        Number of gradients before the march.
    theta : ndarray, shape (n,)
        Start of the path.
    """

    def __init__(self, steps: int, most: float, gradients: int, theta: Array) -> None:
        self.steps, self.most = steps, most
        # Values at the start of the current stretch, and the length in k-time of the stretch before it.
        self.s, self.elements, self.gradients, self.last_length = 0.0, 0, gradients, 0.0
        # Range of the path in the current stretch, for the message.
        self.low = self.high = theta

    def unaffordable(self, s: float, elements: int, gradients: int, theta: Array) -> str:
        """Return the reason to stop the march at ``s``; empty if it should continue.

        It should stop if elements are steadily short (the last two stretches differ by less than a factor of
        2, and elements are shorter than half an iteration) and the rest of the horizon, at the last stretch's
        gradients per iteration, would exceed the budget.

        Parameters
        ----------
        s : float
        elements, gradients : int
            Counts up to ``s``.
        theta : ndarray, shape (n,)
            Path at ``s``.
        """
        self.low, self.high = np.minimum(self.low, theta), np.maximum(self.high, theta)
        accepted, length = elements - self.elements, s - self.s
        if accepted < STRETCH:
            return ""
        rate = (gradients - self.gradients) / length
        # After a singular start elements grow, and with them the stretches: not steady.
        steady = 0.5 * self.last_length < length < min(2.0 * self.last_length, 0.5 * accepted)
        if steady and gradients + rate * (self.steps - s) > self.most:
            width = float((self.high - self.low).max())
            return (
                f"stiff layer of width {width:.2g} at iteration {s:.6g}: elements of {length / accepted:.2g} "
                f"iterations take {rate:.3g} gradients per iteration; the rest of the horizon would take "
                f"more than the budget of {self.most:.6g} gradients"
            )
        self.s, self.elements, self.gradients, self.last_length = s, elements, gradients, length
        self.low = self.high = theta
        return ""
