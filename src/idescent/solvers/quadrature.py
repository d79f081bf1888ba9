"""Integrals of a kernel along an interpolated path.

What lives here: the interpolant of a path, kernels, and the rules that integrate a kernel along a path.  What
does not: the equation around the integral (:mod:`idescent.solvers.ide`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import integer, is_number, positive, shown
from idescent.solvers.spline import DEGREE, FixedSpline, scan

Array = NDArray[Any]
Kernel = Callable[[Array, Array, Array], Array]
Interpolation = Literal["cubic", "linear"]

# Numbers in one array of a rule with many nodes per row: 2 MB stay in the cache.
CHUNK = 1 << 18
# A Gauss rule of n nodes costs an eigenvalue problem of size n: 30 s and 400 MB for this many.
MAX_NODES = 5000


class Path(Protocol):
    """A path between and beyond its knots."""

    knots: Array

    def __call__(self, x: Array) -> Array:
        """Evaluate the path at points ``x``, shape (...): returns shape (..., n)."""


class Interpolant:
    """A spline through the points of a path, continued beyond them by its first and last piece.

    The cubic is that of ``scipy.interpolate.interp1d(kind="cubic", fill_value="extrapolate")``, bit for bit:
    a spline with not-a-knot ends.  N points allow at most the degree N - 1.

    Parameters
    ----------
    t : ndarray, shape (N,)
        Increasing.
    y : ndarray, shape (N, n), real or complex
    kind : {"cubic", "linear"}
    """

    def __init__(self, t: Array, y: Array, kind: Interpolation = "cubic") -> None:
        from scipy.interpolate import make_interp_spline

        self.knots = t
        self._constant = y[0] if len(t) == 1 else None
        if self._constant is None:
            degree = min({"cubic": 3, "linear": 1}[kind], len(t) - 1)
            self._spline = make_interp_spline(t, y, k=degree, check_finite=False)

    def __call__(self, x: Array) -> Array:
        """Evaluate the path at points ``x``, shape (...): returns shape (..., n)."""
        if self._constant is not None:
            return np.broadcast_to(self._constant, (*np.shape(x), len(self._constant)))
        return np.asarray(self._spline(x))


@dataclass(frozen=True)
class ExponentialKernel:
    r"""The kernel of exponential memories, one for each component.

    .. math:: K_j(t, \tau, y) = c_j\, e^{-\lambda_j (t + \ell - \tau)}\, h_j(y)

    Attributes
    ----------
    gain, rate : ndarray, shape (m,)
        :math:`c` and :math:`\lambda \ge 0`; rate 0 is a plain sum.
    source : callable
        ``h``: maps y of shape (..., n) to shape (..., m).
    lead : float
        :math:`\ell`, the distance beyond ``t`` at which the kernel is centred.
    """

    gain: Array
    rate: Array
    source: Callable[[Array], Array]
    lead: float = 0.0

    def __call__(self, t: Array, tau: Array, y: Array) -> Array:
        """Evaluate the kernel; ``t`` and ``tau`` have shape (..., 1)."""
        return self.gain * np.exp(-self.rate * (t + self.lead - tau)) * self.source(y)


class Quadrature(Protocol):
    r"""A rule for :math:`I(t_i) = \int_{a_i}^{b_i} K(t_i, \tau, y(\tau))\,d\tau`."""

    def __call__(self, kernel: Kernel, path: Path, t: Array, lower: Array, upper: Array) -> Array:
        """Compute the integrals, shape (N, m); ``t``, ``lower`` and ``upper`` have shape (N,)."""


@dataclass(frozen=True)
class Gauss:
    """One Gauss-Legendre rule over each whole interval, as ``scipy.integrate.fixed_quad``, in O(N * nodes).

    Attributes
    ----------
    nodes : int
        1000 in the paper.
    """

    nodes: int = 1000

    def __post_init__(self) -> None:
        """Check the number of nodes."""
        integer("Gauss.nodes", self.nodes, most=MAX_NODES)

    def __call__(self, kernel: Kernel, path: Path, t: Array, lower: Array, upper: Array) -> Array:
        """See :class:`Quadrature`."""
        points, weights = _legendre(self.nodes)
        rows = max(1, CHUNK // self.nodes)
        parts = []
        for at in range(0, len(t), rows):
            a, b = lower[at : at + rows, None], upper[at : at + rows, None]
            tau = (b - a) * (points + 1.0) / 2.0 + a
            values = kernel(t[at : at + rows, None, None], tau[..., None], path(tau))
            parts.append((b - a) / 2.0 * np.sum(weights[:, None] * values, axis=1))
        return np.concatenate(parts)


@dataclass(frozen=True)
class Adaptive:
    """An adaptive rule at each point (``scipy.integrate.quad_vec``), after the original IDESolver's ``quad``.

    Attributes
    ----------
    tolerance : float
        Absolute and relative.
    """

    tolerance: float = 1e-10

    def __post_init__(self) -> None:
        """Check the tolerance."""
        positive("Adaptive.tolerance", self.tolerance)

    def __call__(self, kernel: Kernel, path: Path, t: Array, lower: Array, upper: Array) -> Array:
        """See :class:`Quadrature`."""
        from scipy.integrate import quad_vec

        def integral(ti: float, a: float, b: float) -> Array:
            at = np.array([ti])
            value, _ = quad_vec(
                lambda x: kernel(at, np.array([x]), path(np.asarray(x))),
                a,
                b,
                epsabs=self.tolerance,
                epsrel=self.tolerance,
            )
            return np.asarray(value)

        return np.stack(
            [integral(*bounds) for bounds in zip(t.tolist(), lower.tolist(), upper.tolist(), strict=True)]
        )


@dataclass(frozen=True)
class TanhSinh:
    r"""The double exponential rule of Takahasi and Mori (1974), on each side of t if t is an inner point.

    .. math:: \tau = \frac{a+b}{2} + \frac{b-a}{2}\tanh\Big(\frac{\pi}{2}\sinh u\Big), \quad
              |u| \le u_\text{max}

    by the trapezoidal rule in u.  The nodes come exponentially close to both ends: kernels singular or stiff
    at :math:`\tau = t` cost no digits, down to layers of 1e-12 of the interval.

    Attributes
    ----------
    nodes : int
    reach : float
        :math:`u_\text{max}`.
    """

    nodes: int = 400
    reach: float = 3.0

    def __post_init__(self) -> None:
        """Check nodes and reach: beyond 3.2 the outermost nodes coincide with the ends, to rounding."""
        integer("TanhSinh.nodes", self.nodes, least=2, most=10 * MAX_NODES)
        if not is_number(self.reach) or not 0.0 < self.reach <= 3.2:
            raise ValueError(f"TanhSinh.reach: {shown(self.reach)} is not allowed: must be in (0, 3.2]")

    def __call__(self, kernel: Kernel, path: Path, t: Array, lower: Array, upper: Array) -> Array:
        """See :class:`Quadrature`."""
        cut = np.clip(t, np.minimum(lower, upper), np.maximum(lower, upper))
        # Both sides of t, without empty intervals: the kernel is never evaluated at tau = t.
        left, right = np.flatnonzero(lower != cut), np.flatnonzero(cut != upper)
        row = np.concatenate((left, right))
        a = np.concatenate((lower[left], cut[right]))[:, None]
        b = np.concatenate((cut[left], upper[right]))[:, None]
        size = max(1, CHUNK // self.nodes)
        parts = [
            self._part(kernel, path, t[row[at : at + size], None], a[at : at + size], b[at : at + size])
            for at in range(0, len(row), size)
        ]
        pieces = np.concatenate(parts)
        total = np.zeros((len(t), pieces.shape[1]), dtype=pieces.dtype)
        np.add.at(total, row, pieces)
        return total

    def _part(self, kernel: Kernel, path: Path, t: Array, a: Array, b: Array) -> Array:
        """Integrate over the intervals from ``a`` to ``b``, shape (rows, 1) each."""
        u = np.linspace(-self.reach, self.reach, self.nodes)
        # Relative distance from the nearer end, without the cancellation of 1 - tanh.
        near = 1.0 / (1.0 + np.exp(np.pi * np.sinh(np.abs(u))))
        weights = np.cosh(u) * near * (1.0 - near)
        tau = np.where(u < 0.0, a + (b - a) * near, b - (b - a) * near)
        # Omit nodes that rounding puts on an end, where the kernel may be singular.
        end = np.minimum(np.abs(tau - a), np.abs(b - tau)) <= 4.0 * np.spacing(np.abs(tau))
        tau = np.where(end, (a + b) / 2.0, tau)
        values = kernel(t[..., None], tau[..., None], path(tau))
        terms = np.where(end[..., None], 0.0, weights[:, None] * values)
        return np.asarray((b - a) / weights.sum() * terms.sum(axis=1))


@dataclass(frozen=True)
class ExactExponential:
    r"""The integral of an :class:`ExponentialKernel` along the interpolant in O(N), exact to rounding.

    Between neighbouring bounds and knots the path is one polynomial.  With these edges :math:`e_j`,

    .. math:: J(e_{j+1}) = e^{-\lambda(e_{j+1}-e_j)} J(e_j)
                + \int_{e_j}^{e_{j+1}} c\,e^{-\lambda(e_{j+1}-\tau)} h(y(\tau))\,d\tau

    and the last integral is computed by a Gauss-Legendre rule with more nodes the larger
    :math:`\lambda(e_{j+1}-e_j)`.  For an affine gradient ``h`` is a polynomial of degree 3 or 6 on every
    piece and the rule is exact to rounding, for every rate including 0 (nothing cancels, because the
    exponential is never divided by its rate).  For other objectives ``h(y)`` is not a polynomial, and the
    rule has order 8 or higher on each piece, the interpolant order 4.

    Raises
    ------
    ValueError
        If the kernel is not exponential, the lower bound depends on t, or the upper bound decreases.
    """

    def __call__(self, kernel: Kernel, path: Path, t: Array, lower: Array, upper: Array) -> Array:
        """See :class:`Quadrature`."""
        nodes, integral = self.prepared(kernel, t, lower, upper, path.knots)
        return integral(path(nodes))

    def prepared(
        self, kernel: Kernel, t: Array, lower: Array, upper: Array, knots: Array
    ) -> tuple[Array, Callable[[Array], Array]]:
        """Return nodes, shared by all sweeps, and the integral of a path from its values at the nodes."""
        if not isinstance(kernel, ExponentialKernel):
            rule = "K must be an ExponentialKernel"
            raise ValueError(f"quadrature: 'exact' is not allowed with {kernel!r}: {rule}")
        if np.any(lower != lower[0]) or np.any(np.diff(upper, prepend=lower[0]) < 0.0):
            rule = "must have one lower bound and increasing upper bounds"
            raise ValueError(f"quadrature: 'exact' is not allowed here: {rule}")
        edges, at = _edges(lower[0], upper, knots)
        width = np.diff(edges)
        stiffness = float(kernel.rate.max(initial=0.0) * width.max(initial=0.0))
        if not stiffness <= MAX_NODES:
            raise ValueError(
                f"quadrature: 'exact' is not allowed with a rate of {stiffness:.3g} per step: "
                f"must be at most {MAX_NODES}; refine the grid, or use 'tanh-sinh'"
            )
        points, weights = _legendre(4 if stiffness == 0.0 else 8 + math.ceil(stiffness))
        back = width[:, None] * (1.0 - points) / 2.0
        nodes = edges[1:, None] - back
        scaled = width[:, None] * weights / 2.0
        factors = np.exp(-kernel.rate * back[..., None])
        decays = [np.exp(-rate * width) if rate else None for rate in kernel.rate]
        late = np.exp(-kernel.rate * (t + kernel.lead - upper)[:, None])

        def integral(path: Array) -> Array:
            values = kernel.source(path)
            pieces = kernel.gain * np.einsum("jq,jqm->jm", scaled, factors * values)
            total = np.empty((len(edges), pieces.shape[1]), dtype=pieces.dtype)
            for m, decay in enumerate(decays):
                total[:, m] = scan(decay, pieces[:, m])
            return np.asarray(late * total[at])

        return nodes, integral


@dataclass(frozen=True)
class Integral:
    r"""The memory of a path, :math:`I(t) = \int_{a(t)}^{b(t)} K(t, \tau, y(\tau))\,d\tau`, on a grid.

    Attributes
    ----------
    kernel : callable
    grid : ndarray, shape (N,)
        Points of the paths.
    at : ndarray, shape (M,)
        Times t at which I is computed.
    lower, upper : ndarray, shape (M,)
        Bounds a and b at these times.
    quadrature : Quadrature
    interpolation : {"cubic", "linear"}
    """

    kernel: Kernel
    grid: Array
    at: Array
    lower: Array
    upper: Array
    quadrature: Quadrature
    interpolation: Interpolation = "cubic"

    def __call__(self, path: Array) -> Array:
        """Compute I along a path, shape (N, n): returns shape (M, m)."""
        empty = self.lower == self.upper
        exact = isinstance(self.quadrature, ExactExponential) and not empty.any()
        if exact and self.interpolation == "cubic" and path.dtype == np.float64 and len(path) > DEGREE:
            return self._exact[1](self._spline(path))
        along = Interpolant(self.grid, path, self.interpolation)
        if exact:
            nodes, integral = self._exact
            return integral(along(nodes))
        if not empty.any():
            return self.quadrature(self.kernel, along, self.at, self.lower, self.upper)
        # An integral over an empty interval is 0 without a value of the kernel, which may be singular there.
        rows = ~empty
        at, lower, upper = (values[rows] for values in (self.at, self.lower, self.upper))
        if not rows.any():
            here = self.at[:1, None]
            with np.errstate(all="ignore"):
                shape = np.shape(self.kernel(here, here, along(self.at[:1])))
            return np.zeros((len(rows), shape[-1] if shape else 1))
        values = self.quadrature(self.kernel, along, at, lower, upper)
        full = np.zeros((len(rows), values.shape[1]), dtype=values.dtype)
        full[rows] = values
        return full

    @cached_property
    def _spline(self) -> FixedSpline:
        return FixedSpline(self.grid, self._exact[0])

    @cached_property
    def _exact(self) -> tuple[Array, Callable[[Array], Array]]:
        return ExactExponential().prepared(self.kernel, self.at, self.lower, self.upper, self.grid)


def named_quadrature(quadrature: str | Quadrature, nodes: int) -> Quadrature:
    """Return the rule of a name; a rule is returned unchanged.

    Raises
    ------
    ValueError
        If no rule has that name, or ``nodes`` is outside its range.
    """
    integer("nodes", nodes, most=MAX_NODES)
    rules: dict[str, Quadrature] = {
        "gauss": Gauss(nodes),
        "tanh-sinh": TanhSinh(nodes),
        "adaptive": Adaptive(),
        "exact": ExactExponential(),
    }
    if isinstance(quadrature, str) and quadrature in rules:
        return rules[quadrature]
    if not callable(quadrature) or isinstance(quadrature, type):
        rule = f"must be one of {', '.join(rules)}, or a rule"
        raise ValueError(f"quadrature: {shown(quadrature)} is not allowed: {rule}")
    return quadrature


def finer(quadrature: Quadrature) -> Quadrature:
    """Return a more accurate rule to check another: with other and more nodes, denser at the ends."""
    if isinstance(quadrature, ExactExponential):
        return quadrature  # a finer grid refines its nodes
    return TanhSinh(max(400, 2 * getattr(quadrature, "nodes", 0)), reach=3.2)


def _edges(lower: float, upper: Array, knots: Array) -> tuple[Array, Array]:
    """Merge bounds and knots; return the edges and the index of each upper bound among them.

    A knot within 1e-9 of a step of a bound is omitted: the points of grids shifted by one step differ by
    rounding, and a polynomial piece hardly changes over that distance.
    """
    bounds = np.concatenate(([lower], upper))
    inside = knots[(knots > lower) & (knots < bounds[-1])]
    right = np.searchsorted(bounds, inside)
    near = 1e-9 * (np.diff(knots).min() if len(knots) > 1 else 1.0)
    inside = inside[np.minimum(inside - bounds[right - 1], bounds[right] - inside) > near]
    return np.sort(np.concatenate((bounds, inside))), np.arange(1, len(bounds)) + np.searchsorted(
        inside, upper
    )


@cache
def _legendre(nodes: int) -> tuple[Array, Array]:
    points, weights = np.polynomial.legendre.leggauss(nodes)
    return points, weights
