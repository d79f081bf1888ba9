"""A quadratic with any dimension and condition number, in rotated coordinates."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from idescent.objectives.protocol import DENSE, Array, finite

ROTATIONS = ("haar", "householder", "none")
# Largest n of a Haar rotation: its matrix then takes 128 MB.
_LARGEST_HAAR = 4000
# Random reflections of a Householder rotation.
_REFLECTIONS = 4


class RotatedQuadratic:
    r"""A quadratic with a logarithmically spaced spectrum and a random basis.

    .. math:: f(\theta) = \tfrac12 (\theta - c)^T Q \Lambda Q^T (\theta - c), \qquad
              \lambda_i = \kappa^{-i/(n-1)}, \quad i = 0, \dots, n - 1

    The largest curvature is 1, the smallest :math:`1/\kappa`; for n = 1 it is 1.

    Parameters
    ----------
    dimension : int
        Number of parameters n.
    condition : float
        Ratio :math:`\kappa \geq 1` of the largest curvature to the smallest.
    seed : int
        Seed of the basis Q, drawn by numpy's legacy generator, whose streams are frozen.
    rotation : {"haar", "householder", "none"}
        ``haar``: Q is uniform over all orthogonal matrices; n^2 memory, n up to 4000.  ``householder``: Q is
        a product of four random reflections; n memory.  ``none``: Q = 1, a diagonal Hessian.
    minimum : float or array_like, shape (n,)
        The minimum ``c``; its value is 0.

    Attributes
    ----------
    spectrum : ndarray, shape (n,)
        Curvatures in decreasing order.

    Notes
    -----
    ``hessian`` exists for a Haar rotation of at most 100 parameters, ``hessian_diagonal`` and
    ``separable_quadratic`` for ``none``.

    Raises
    ------
    ValueError
        If an argument is outside its range.
    """

    def __init__(
        self,
        dimension: int,
        condition: float = 100.0,
        seed: int = 0,
        rotation: str = "haar",
        minimum: float | list[float] = 0.0,
    ) -> None:
        if dimension < 1:
            raise ValueError(f"RotatedQuadratic.dimension: {dimension!r} is not allowed: must be >= 1")
        if not 1.0 <= condition < np.inf:
            raise ValueError(
                f"RotatedQuadratic.condition: {condition!r} is not allowed: must be >= 1, finite"
            )
        if rotation not in ROTATIONS:
            known = ", ".join(ROTATIONS)
            raise ValueError(
                f"RotatedQuadratic.rotation: {rotation!r} is not allowed: must be one of {known}"
            )
        if rotation == "haar" and dimension > _LARGEST_HAAR:
            raise ValueError(
                f"RotatedQuadratic.dimension: {dimension} is not allowed: "
                f"must be <= {_LARGEST_HAAR} for a Haar rotation; householder and none allow more"
            )
        center = finite("RotatedQuadratic.minimum", minimum)
        if center.shape not in ((), (dimension,)):
            raise ValueError(
                f"RotatedQuadratic.minimum: shape {center.shape} is not allowed: must be () or ({dimension},)"
            )
        self.dimension, self.condition, self.seed, self.rotation = dimension, condition, seed, rotation
        self.minimum: Array = np.broadcast_to(center, (dimension,)).copy()
        self.spectrum: Array = np.geomspace(1.0, 1.0 / condition, dimension)
        if rotation == "haar" and dimension <= DENSE:
            self.hessian = self._hessian
        if rotation == "none":
            self.hessian_diagonal, self.separable_quadratic = self._diagonal, self._separable

    @cached_property
    def _matrix(self) -> Array:
        """The Hessian of a Haar rotation, computed on first use: checks of a configuration need none."""
        stream = np.random.RandomState(self.seed)
        q, r = np.linalg.qr(stream.standard_normal((self.dimension, self.dimension)))
        # Without the signs of R's diagonal the distribution is not uniform (Mezzadri 2007).
        basis = q * np.sign(np.diagonal(r))
        matrix = (basis * self.spectrum) @ basis.T
        return np.asarray(0.5 * (matrix + matrix.T))

    @cached_property
    def _normals(self) -> Array:
        """Unit normals of the reflections, shape (reflections, n)."""
        normals = np.random.RandomState(self.seed).standard_normal((_REFLECTIONS, self.dimension))
        return np.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True))

    def value(self, theta: Array) -> Array:
        r"""Return :math:`\frac12 (\theta-c)\cdot\nabla f`, shape (...)."""
        distance = theta - self.minimum
        return np.asarray(0.5 * (distance * self._apply(distance)).sum(axis=-1))

    def gradient(self, theta: Array) -> Array:
        r"""Return :math:`Q \Lambda Q^T (\theta - c)`, shape (..., n)."""
        return self._apply(theta - self.minimum)

    def hessian_vector(self, theta: Array, direction: Array) -> Array:
        """Return the constant Hessian times directions of the shape of ``theta``."""
        return self._apply(direction)

    def initial(self, seed: int) -> Array:
        """Return the minimum plus standard normal numbers, shape (n,)."""
        return self.minimum + np.random.RandomState(seed).standard_normal(self.dimension)

    def _apply(self, vector: Array) -> Array:
        if self.rotation == "none":
            return self.spectrum * vector
        if self.rotation == "haar":
            # One matrix-vector product for each point: its bits do not depend on the other points of the
            # batch.
            return np.asarray(np.matmul(self._matrix, vector[..., None])[..., 0])
        for normal in self._normals:
            vector = vector - 2.0 * (vector * normal).sum(axis=-1, keepdims=True) * normal
        vector = self.spectrum * vector
        for normal in self._normals[::-1]:
            vector = vector - 2.0 * (vector * normal).sum(axis=-1, keepdims=True) * normal
        return vector

    def _hessian(self, theta: Array) -> Array:
        return np.broadcast_to(self._matrix, (*theta.shape, self.dimension)).copy()

    def _diagonal(self, theta: Array) -> Array:
        return np.broadcast_to(self.spectrum, theta.shape).copy()

    def _separable(self, n: int) -> tuple[Array, Array]:
        if n != self.dimension:
            raise ValueError(f"theta0: {n} parameters, but RotatedQuadratic has {self.dimension}")
        return self.spectrum.copy(), self.minimum.copy()

    def __repr__(self) -> str:
        """Return the call that creates this objective, without the minimum."""
        return (
            f"RotatedQuadratic(dimension={self.dimension}, condition={self.condition}, seed={self.seed}, "
            f"rotation={self.rotation!r})"
        )
