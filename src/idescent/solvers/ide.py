r"""Integro-differential equations by a relaxed fixed point over the whole path.

What lives here: :func:`solve_ide` for a general equation.  What does not: the loop of sweeps
(:mod:`idescent.solvers.relaxation`), the integrals (:mod:`idescent.solvers.quadrature`), the check of
arguments (:mod:`idescent.solvers.integro`), and the paper's optimizers (:mod:`idescent.solvers.picard`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import is_number, numbers, shown
from idescent.solvers.integro import Bound, IntegroDifferential, RightHandSide, checked
from idescent.solvers.quadrature import (
    Integral,
    Interpolant,
    Interpolation,
    Kernel,
    Quadrature,
    finer,
    named_quadrature,
)
from idescent.solvers.relaxation import PAPER_SMOOTHING, Relaxation, Smoothing, Status, check_settings, relax

Array = NDArray[Any]
Method = Literal["euler", "rk45", "radau"]

# Default limit of sweeps.  A call of solve_ide takes at most twice as many: for the solution and for its
# error estimate.
MAX_SWEEPS = 10_000

_METHODS = {"rk45": "RK45", "radau": "Radau"}
_RTOL = 1e-9


@dataclass(frozen=True)
class IDESolution:
    """A solution of an integro-differential equation.

    Attributes
    ----------
    t : ndarray, shape (N,)
    y : ndarray, shape (N, n)
    integral : ndarray, shape (N, m)
        I along ``y``.
    relaxation : Relaxation
        Status, sweeps, error and smoothing factor of every sweep.
    error_estimate : float
        Estimated sup-norm error of ``y`` on the grid, from its spacing, the quadrature and the last sweep
        together.  NaN if the sweeps, or those on the finer grid, did not converge.
    """

    t: Array
    y: Array
    integral: Array
    relaxation: Relaxation
    error_estimate: float

    @property
    def status(self) -> Status:
        """Status of the sweeps: ``converged``, ``smoothing exhausted``, ``iteration limit`` or ``diverged``.

        ``converged`` means that the equations on this grid are solved; ``error_estimate`` is the distance
        from the solution of the equation itself.
        """
        return self.relaxation.status

    @property
    def message(self) -> str:
        """Status, sweeps, last change and error estimate in one line."""
        estimate = "none" if math.isnan(self.error_estimate) else f"{self.error_estimate:.2g}"
        return (
            f"{self.status}: {self.relaxation.sweeps} sweeps, last change {self.relaxation.residual:.2g}, "
            f"error estimate {estimate}"
        )


def euler(slopes: Array, y0: Array, steps: Array | float) -> Array:
    r"""Return Euler's path :math:`y_i = y_0 + \sum_{j<i} h_j R_j`, shape (N + 1, n) for N slopes R."""
    return np.concatenate((y0[None], y0 + np.cumsum(steps * slopes, axis=0)))


def solve_ide(
    F: RightHandSide,  # noqa: N803  # the field's letters
    K: Kernel,  # noqa: N803
    y0: ArrayLike,
    t: ArrayLike,
    *,
    lower: Bound | None = None,
    upper: Bound | None = None,
    ode: Method = "rk45",
    quadrature: Literal["gauss", "tanh-sinh", "adaptive", "exact"] | Quadrature = "gauss",
    nodes: int = 200,
    interpolation: Interpolation = "cubic",
    tolerance: float = 1e-8,
    smoothing: Smoothing = PAPER_SMOOTHING,
    max_sweeps: int = MAX_SWEEPS,
    first: ArrayLike | None = None,
    ode_rtol: float | None = None,
) -> IDESolution:
    r"""Solve an integro-differential equation on a grid.

    .. math:: y' = F(t, y, I), \quad I(t) = \int_{a(t)}^{b(t)} K(t, \tau, y(\tau))\,d\tau, \quad y(t_0) = y_0

    Volterra (bounds that move with t), Fredholm (bounds that do not) and advanced equations (bounds up to one
    step beyond the last point, where the interpolant of the path is continued) are all allowed.  Each sweep
    evaluates I along the last path, on the grid, and then solves the remaining ordinary equation:

    - ``ode="euler"`` as in the paper: F, too, is evaluated along the last path, and summed.  Order 1.  For
      long or stiff equations such sweeps diverge.
    - ``ode="rk45"`` as the original IDESolver (Gelmi & Jorquera 2014): only I is taken from the last path,
      interpolated between grid points; F is evaluated along the new path.  The steps are those of the grid
      unless ``ode_rtol`` is given.  Order 2 with linear interpolation, 4 with cubic.
    - ``ode="radau"``: the same with the implicit method of ``scipy.integrate.solve_ivp``, for stiff F (real
      only).

    Parameters
    ----------
    F : callable
        ``F(t, y, I)`` for t of shape (..., 1), y (..., n), I (..., m); returns shape (..., n).
    K : callable
        ``K(t, tau, y)`` for t and tau of shape (..., 1), y (..., n); returns shape (..., m), broadcast.
    y0 : number or array_like, shape (n,), real or complex
        The path is complex if ``y0``, ``first`` or F at the first point is complex.
    t : array_like, shape (N,)
        Increasing, N >= 2: the points of the solution, whose spacing is the resolution.
    lower, upper : float or callable, optional
        ``a`` and ``b``; functions of t, elementwise.  Default: from the first point of the grid to t.
        Neither may be before the first point, where there is no path, nor more than one step beyond the last.
    quadrature : {"gauss", "tanh-sinh", "adaptive", "exact"} or Quadrature
        ``gauss`` is one rule with ``nodes`` nodes over the whole interval, for smooth kernels; ``tanh-sinh``
        has its nodes at the ends, for kernels weakly singular or stiff at :math:`\tau = t`; ``adaptive`` is
        slow and robust; ``exact`` is O(N) and requires an
        :class:`~idescent.solvers.quadrature.ExponentialKernel`.
    nodes : int, 1 ... 5000
    interpolation : {"cubic", "linear"}
    tolerance : float, > 0
        Tolerance of the 2-norm, over all points, of a sweep's output minus its input.
    smoothing : (first, last, number)
        See :func:`~idescent.solvers.relaxation.relax`.
    max_sweeps : int, >= 1
        After so many sweeps the status is ``iteration limit``; default 10 000.  The error estimate takes at
        most as many again.
    first : array_like, shape (N, n), optional
        First guess of the path; default the solution of :math:`y' = F(t, y, 0)`.
    ode_rtol : float, optional, in (0, 1)
        Let ``solve_ivp`` choose the steps of ``rk45`` by this tolerance; ``radau`` always does (default
        1e-9).  The noise of such steps limits the convergence of the sweeps to about ``ode_rtol`` times the
        square root of N.

    Returns
    -------
    IDESolution
        ``status`` is that of the sweeps; ``error_estimate`` is the distance from the equation's solution.

    Raises
    ------
    ValueError
        If an argument is outside its range, F or K returns another shape or a complex value for a real path,
        K is not finite along the first path, or a quadrature does not fit the kernel.
    RuntimeError
        If ``solve_ivp`` fails.

    Notes
    -----
    The error is estimated from a second solution, on a grid of half the spacing, started from the first.  Its
    integrals are computed by a tanh-sinh rule with more nodes, which are exponentially close to both bounds
    and to :math:`\tau = t`, so that even a narrow singularity or layer there is detected (``exact`` uses the
    same rule again).  An error of order p is reduced by :math:`2^{-p}`: twice the difference is 1 to 2 errors
    for p >= 1.  To this the estimate adds the remaining error of the last sweeps, from their rate of
    convergence.  Not detected: a feature of F or K inside the interval that both grids and rules miss.  The
    second solution about triples the cost.
    """
    if not isinstance(ode, str) or ode not in ("euler", "rk45", "radau"):
        raise ValueError(f"ode: {shown(ode)} is not allowed: must be 'euler', 'rk45' or 'radau'")
    if not isinstance(interpolation, str) or interpolation not in ("cubic", "linear"):
        raise ValueError(f"interpolation: {shown(interpolation)} is not allowed: must be 'cubic' or 'linear'")
    if ode_rtol is not None and (not is_number(ode_rtol) or not 0.0 < ode_rtol < 1.0):
        raise ValueError(f"ode_rtol: {shown(ode_rtol)} is not allowed: must be a number in (0, 1), or None")
    smoothing = check_settings("", tolerance, smoothing, max_sweeps)
    rule = named_quadrature(quadrature, nodes)
    guess = None if first is None else numbers("first", first, allow_complex=True)
    equation = checked(F, K, y0, t, lower, upper, guess)
    if ode == "radau" and np.iscomplexobj(equation.y0):
        raise ValueError("ode: 'radau' is not allowed with complex values: must be 'rk45' or 'euler'")
    grid = equation.grid
    if guess is not None:
        try:
            guess = np.array(np.broadcast_to(guess.astype(equation.y0.dtype), (len(grid), len(equation.y0))))
        except ValueError as error:
            raise ValueError(
                f"first: shape {guess.shape} is not allowed: must be {(len(grid), len(equation.y0))}"
            ) from error

    def search(
        grid: Array, rule: Quadrature, guess: Array | None, rtol: float | None, tolerance: float
    ) -> tuple[Relaxation, Integral]:
        integral = equation.integral(grid, rule, interpolation)
        step = _stepper(equation, grid, ode, interpolation, rtol)
        if guess is None:
            zero = np.zeros((len(grid), equation.width), dtype=equation.y0.dtype)
            guess = _march_euler(equation, grid, zero) if ode == "euler" else step(zero, zero)
        relaxation = relax(
            lambda path: step(path, integral(path)),
            guess,
            tolerance=tolerance,
            smoothing=smoothing,
            max_sweeps=max_sweeps,
        )
        return relaxation, integral

    relaxation, integral = search(grid, rule, guess, ode_rtol, tolerance)
    if not np.isfinite(relaxation.initial_error):
        equation.check_values(integral, relaxation.given)
    estimate = math.nan
    if relaxation.status == "converged":
        half = np.insert(grid, np.arange(1, len(grid)), 0.5 * (grid[:-1] + grid[1:]))
        start = Interpolant(grid, relaxation.path, interpolation)(half)
        start[::2] = relaxation.path
        # Solver tolerances a tenth as large: the difference then includes their error.
        rtol = None if ode == "rk45" and ode_rtol is None else max(0.1 * (ode_rtol or _RTOL), 1e-13)
        with np.errstate(all="ignore"):
            second, _ = search(half, finer(rule), start, rtol, math.sqrt(2.0) * tolerance)
        if second.status == "converged":
            estimate = _error(relaxation, second)
    return IDESolution(grid, relaxation.path, integral(relaxation.path), relaxation, estimate)


def _error(first: Relaxation, second: Relaxation) -> float:
    """Estimate the error of a solution from a second one on half its spacing."""
    difference = float(np.abs(second.path[::2] - first.path).max())
    changes = sum(float(np.abs(each.path - each.given).max()) for each in (first, second))
    rounding = float(np.finfo(np.float64).eps * np.abs(first.path).max())
    return 2.0 * difference + max(_amplification(first), _amplification(second)) * changes + rounding


def _amplification(relaxation: Relaxation) -> float:
    r"""Estimate the distance from the fixed point, in units of the last sweep's change.

    With the smoothing factor a and a sweep that contracts errors by s, an error falls by
    :math:`q = a + (1-a)s` per sweep, so the distance is :math:`1/(1-s) = (1-a)/(1-q)` changes.
    """
    if not relaxation.factors:
        return 1.0
    before, after = (relaxation.initial_error, *relaxation.errors)[-2:]
    return max(1.0, (1.0 - relaxation.factors[-1]) / (1.0 - after / before))


def _stepper(
    equation: IntegroDifferential,
    grid: Array,
    ode: Method,
    interpolation: Interpolation,
    rtol: float | None,
) -> Callable[[Array, Array], Array]:
    """Return the map from a path and its memory to the next path."""
    steps = np.diff(grid)[:, None]

    def step(path: Array, memory: Array) -> Array:
        if ode == "euler":
            return euler(equation.right(grid[:-1, None], path[:-1], memory[:-1]), equation.y0, steps)
        between = Interpolant(grid, memory, interpolation)
        if ode == "rk45" and rtol is None:
            return _step(equation.right, grid, equation.y0, between)
        return _adapt(equation.right, grid, equation.y0, between, _METHODS[ode], rtol or _RTOL)

    return step


def _march_euler(equation: IntegroDifferential, t: Array, memory: Array) -> Array:
    """Take one Euler step for each interval of the grid, with F along the new path."""
    path = np.empty((len(t), len(equation.y0)), dtype=equation.y0.dtype)
    path[0] = equation.y0
    for i, h in enumerate(np.diff(t)):
        path[i + 1] = path[i] + h * equation.right(t[i : i + 1], path[i], memory[i])
    return path


def _step(right: RightHandSide, t: Array, y0: Array, memory: Callable[[Array], Array]) -> Array:
    """Take one step for each interval of the grid, by the fifth-order method of the Dormand-Prince pair."""
    from scipy.integrate import RK45

    steps = np.diff(t)
    times = t[:-1, None, None] + steps[:, None, None] * RK45.C[:, None]
    memories = memory(times[..., 0])
    path = np.empty((len(t), len(y0)), dtype=y0.dtype)
    path[0] = y0
    slopes = np.empty((len(RK45.C), len(y0)), dtype=y0.dtype)
    for i, h in enumerate(steps):
        for stage, weights in enumerate(RK45.A):
            y = path[i] + h * (weights[:stage] @ slopes[:stage])
            slopes[stage] = right(times[i, stage], y, memories[i, stage])
        path[i + 1] = path[i] + h * (RK45.B @ slopes)
    return path


def _adapt(
    right: RightHandSide, t: Array, y0: Array, memory: Callable[[Array], Array], method: str, rtol: float
) -> Array:
    """Solve the equation for a known memory by SciPy, which chooses the steps."""
    from scipy.integrate import solve_ivp

    def slope(at: float, y: Array) -> Array:
        return right(np.array([at]), y, memory(np.asarray(at)))

    solution = solve_ivp(slope, (t[0], t[-1]), y0, method=method, t_eval=t, rtol=rtol, atol=0.01 * rtol)
    if not solution.success:
        reached = solution.t[-1] if len(solution.t) else t[0]
        raise RuntimeError(f"solve_ivp ({method}) failed at t = {reached:g}: {solution.message}")
    return np.asarray(solution.y.T)
