r"""Random projections of the parameters, for runs whose parameters are too many to store.

What lives here: the projection, and the projection of two trajectories for a comparison.  What does not: the
recording of a run (:mod:`idescent.store.recorder`).

The projection of :math:`\theta \in \mathbb{R}^n` on p directions is

.. math:: (P\theta)_i = p^{-1/2} \sum_{j<n} \sigma_{ij}\,\theta_j, \qquad i < p,

with independent signs :math:`\sigma_{ij} = \pm 1` (Achlioptas 2003, *Database-friendly random projections*,
doi:10.1016/S0022-0000(03)00025-4).  Over the directions, :math:`|Px|^2` has the mean :math:`|x|^2` and a
standard deviation of at most :math:`\sqrt{2/p}\,|x|^2`: the norm of an error is known up to a relative
:math:`1/\sqrt{2p}`.  The signs of direction i depend on the seed and on i only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import integer
from idescent.trajectory import Trajectory

Array = NDArray[np.float64]

# Second word of the key of a direction's stream.  The streams of batches and of Brownian motion are below.
_STREAMS = 1 << 63


@dataclass(frozen=True)
class Projection:
    """A projection of parameters on random directions.

    Attributes
    ----------
    parameters : int, >= 1
        n.
    directions : int, >= 1
        p.
    seed : int in [0, 2**64)

    Raises
    ------
    ValueError
        If an attribute is outside its range.
    """

    parameters: int
    directions: int
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        integer("parameters", self.parameters)
        integer("projections", self.directions)
        integer("seed", self.seed, 0, 2**64 - 1)

    @property
    def spread(self) -> float:
        """Relative standard deviation of a projected norm, at most: 1/sqrt(2p)."""
        return 1.0 / math.sqrt(2.0 * self.directions)

    @property
    def text(self) -> str:
        """The projection in one line, for a reader of the norms."""
        return (
            f"theta is {self.directions} random projections of {self.parameters} parameters: "
            f"its norms have a relative standard deviation of at most {100.0 * self.spread:.2g} %"
        )

    def __call__(self, values: NDArray[np.floating[Any]]) -> Array:
        """Project vectors, shape (..., n), to shape (..., p).

        Raises
        ------
        ValueError
            If n is not the number of parameters.
        """
        if values.shape[-1] != self.parameters:
            raise ValueError(
                f"projection: {values.shape[-1]} parameters are not allowed: must be {self.parameters}"
            )
        wide: Array = np.asarray(values, dtype=np.float64)
        # No product of matrices: its bits may depend on the number of threads.
        sums = [np.einsum("...j,j->...", wide, self._signs(i)) for i in range(self.directions)]
        return np.stack(sums, axis=-1) / math.sqrt(self.directions)

    def _signs(self, direction: int) -> Array:
        """Return the signs of a direction, shape (n,), as float64."""
        key = np.array([self.seed, _STREAMS + direction], dtype=np.uint64)
        raw = np.random.Philox(key=key).random_raw(-(-self.parameters // 64))
        bits = np.unpackbits(raw.astype("<u8").view(np.uint8), count=self.parameters, bitorder="little")
        return 2.0 * bits.astype(np.float64) - 1.0


def projection_of(trajectory: Trajectory) -> Projection | None:
    """Return the projection of a recorded run, or None if a trajectory has all its parameters."""
    stored: Mapping[str, Any] | None = trajectory.report.details.get("projection")
    return None if stored is None else Projection(**stored)


def alike(run: Trajectory, path: Trajectory) -> tuple[Trajectory, Trajectory]:
    """Project the parameters of a trajectory if those of the other one are projected.

    Moments are not projected: a recorded run has none.

    Raises
    ------
    ValueError
        If both have projections, and these differ; or if the numbers of parameters differ.
    """
    one, other = projection_of(run), projection_of(path)
    if one is not None and other is not None and one != other:
        raise ValueError(f"projection: {one} and {other} cannot be compared: must be equal")
    if other is not None and one is None:
        run = replace(run, theta=other(run.theta))
    if one is not None and other is None:
        path = replace(path, theta=one(path.theta))
    return run, path
