"""Algorithm 4: the paper's own numerical method, as in its published runs.

What lives here: the sweep of the optimizers' equations, and the settings that the paper does not state.  What
does not: the loop of sweeps (:mod:`idescent.solvers.relaxation`), exact solutions
(:mod:`idescent.solvers.collocation`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import integer
from idescent.discrete.setup import Setup
from idescent.models.equation import Equation, Memory, Model, Velocity, derive
from idescent.models.paper import Paper
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.ratio import Ratio, ratio_of
from idescent.solvers.ide import euler
from idescent.solvers.quadrature import MAX_NODES, ExponentialKernel, Integral, named_quadrature
from idescent.solvers.relaxation import MAX_SWEEPS, PAPER_SMOOTHING, Relaxation, check_settings, relax
from idescent.trajectory import Keep, Report, Trajectory, assemble, kept

Array = NDArray[np.float64]
Progress = Callable[[str], None]
Alignment = Literal["corrected", "published"]
Rule = Literal["gauss", "exact"]

# The published grid starts here and not at 0, where Adam's equation is 0/0.
START = 1e-12


@dataclass(frozen=True)
class Picard:
    r"""Solve a model by Algorithm 4 of the paper: relaxed Euler sweeps with the step ``alpha``.

    On the K = ``steps`` points :math:`t_k = 10^{-12} + \alpha k`, k = 0 ... K - 1, and from
    :math:`\theta \equiv \theta_0`,

    .. math:: \text{sweep}(\theta)_k = \theta_0 + \alpha \sum_{j<k} R_j,

    where every term of the right-hand side R, including the local gradient, is evaluated along the last path.
    Between the points the path is its not-a-knot cubic spline, beyond them the continuation of that spline.
    Relaxation and stopping are those of :func:`~idescent.solvers.relaxation.relax`.

    Rows 0 ... K - 1 of the trajectory are the published path.  The last row, k = K, is one more Euler step of
    the last sweep, so that the trajectory has the rows of a discrete run with the same number of steps.
    Moments are those of the returned path at :math:`t_k`.  The velocity at :math:`t_k` looks ahead to the
    ``v`` in row k + 1, which the paper plots at :math:`t_k`.

    Parameters
    ----------
    alignment : {"corrected", "published"}
        Time of the memory relative to the path where the equation looks ahead (RMSProp).  The published runs
        integrate :math:`K(\tau)\,g(\theta(t-\tau))^2` over :math:`\tau \in [0, t+\alpha]`, which is the
        memory at t instead of :math:`t+\alpha`, and extrapolate the path to :math:`[-\alpha, 0]`, before the
        start.  ``corrected`` integrates :math:`K(\tau)\,g(\theta(t+\alpha-\tau))^2`.  ``published`` also
        omits :math:`\varepsilon` from AdaGrad, as the published run does.
    quadrature : {"gauss", "exact"}
        ``gauss`` is the paper's ``fixed_quad``, ``nodes`` nodes over the whole past of each point in each
        sweep; ``exact`` integrates the same spline exactly, in O(N).  They differ where the nodes do not
        resolve the past.
    tolerance : float, > 0
        Tolerance of the 2-norm over all points (the paper prints a sum of squares; its runs took the root).
    smoothing : (first, last, number)
        Evenly spaced list of weights of the last path; the next one is taken whenever the error rises.
    max_sweeps : int, >= 1
        Sweeps after which the search ends as ``iteration limit``, each with one gradient for every iteration
        of the horizon (the paper's limit is 10^10; its published runs take thousands at most).
    nodes : int, 1 ... 5000

    Raises
    ------
    ValueError
        If a setting is outside its range.

    Notes
    -----
    Adam's normalisers are evaluated as :math:`1 - \beta^{t/\alpha}`, as published.  At :math:`t = 10^{-12}`
    cancellation leaves them three digits: the first step of a published Adam run has a rounding error of up
    to 1e-3 ``alpha``.

    The tolerance of :func:`idescent.solve` is recorded in the report but has no effect on this method, whose
    error is that of Euler's.  The ``report.status`` of a search that does not reach its tolerance is
    ``smoothing exhausted``, ``iteration limit`` or ``diverged``.  ``report.details`` contains the error and
    the smoothing factor of each sweep.
    """

    alignment: Alignment = "corrected"
    quadrature: Rule = "gauss"
    tolerance: float = 1e-4
    smoothing: tuple[float, float, int] = PAPER_SMOOTHING
    max_sweeps: int = MAX_SWEEPS
    nodes: int = 1000

    def __post_init__(self) -> None:
        """Check every setting; a message names the field, its value and the rule."""
        for name, allowed in (("alignment", get_args(Alignment)), ("quadrature", get_args(Rule))):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"Picard.{name}: {getattr(self, name)!r} is not allowed: must be one of {allowed}"
                )
        smoothing = check_settings("Picard.", self.tolerance, self.smoothing, self.max_sweeps)
        object.__setattr__(self, "smoothing", smoothing)
        integer("Picard.nodes", self.nodes, most=MAX_NODES)

    def solve(
        self,
        model: Model,
        optimizer: Optimizer,
        objective: Objective,
        *,
        alpha: float,
        theta0: ArrayLike,
        steps: int,
        rtol: float,
        atol: float,
        progress: Progress | None = None,
        keep: Keep | None = None,
    ) -> Trajectory:
        """Solve the model; see :func:`idescent.solve`."""
        counted = CountedObjective(objective)
        equation = derive(model, optimizer, alpha)
        self.check(model, equation)
        if isinstance(model, Paper):
            equation = _as_published(equation, optimizer, alpha, self.alignment)
        start = np.atleast_1d(np.asarray(theta0, dtype=np.float64))
        # The end half a step before K alpha: rounding of steps * alpha cannot change the number of points.
        grid = np.arange(START, (steps - 0.5) * alpha, alpha)
        cast = _Cast(
            equation,
            Setup(optimizer, counted, alpha, start, steps),
            misaligned=self.misaligns(optimizer, equation),
        )
        rule = named_quadrature(self.quadrature, self.nodes)
        memory = cast.integral(grid, grid + equation.lookahead * alpha, rule)
        times = np.append(grid, grid[-1] + alpha)

        slopes = cast.slopes(grid)

        def next_points(path: Array) -> Array:
            return euler(slopes(path, memory(path)), start, alpha)

        with np.errstate(all="ignore"):
            relaxation = relax(
                lambda path: next_points(path)[:-1],
                np.tile(start, (steps, 1)),
                tolerance=self.tolerance,
                smoothing=self.smoothing,
                max_sweeps=self.max_sweeps,
                progress=progress,
            )
            theta = np.concatenate((relaxation.path, next_points(relaxation.given)[-1:]))
            # A path that is not finite everywhere has no interpolant, so its moments are unknown everywhere.
            whole = bool(np.isfinite(relaxation.path).all())
            values = (
                cast.integral(grid, times, rule)(relaxation.path)
                if whole
                else np.full((steps + 1, cast.width), np.nan)
            )
            moments = dict(zip((m.name for m in equation.memories), cast.split(times)(values), strict=True))
            finite = np.isfinite(np.hstack((theta, values)) if whole else theta).all(axis=1)
            diverged_at = None if finite.all() else int(np.argmin(finite))
            if diverged_at is not None:
                for rows in (theta, *moments.values()):
                    rows[diverged_at:] = np.nan
            loss = counted.value(theta)
        report = self._report(relaxation, counted.gradients, diverged_at, rtol, atol)
        return assemble(theta, loss, moments, alpha, report).rows(kept(steps, keep))

    def check(self, model: Model, equation: Equation) -> None:
        """Raise ValueError for an equation that Algorithm 4 cannot solve."""
        if any(memory.source is not None or memory.rate == np.inf for memory in equation.memories):
            raise ValueError(
                f"model: {model.name!r} is not allowed with Picard: "
                "every memory must be an exponential one of the gradient or its square"
            )
        if equation.begin is not None:
            raise ValueError(
                f"model: {model.name!r} is not allowed with Picard: "
                "it begins with iterations of the optimizer, which Algorithm 4 does not make"
            )

    def misaligns(self, optimizer: Optimizer, equation: Equation) -> bool:
        """Whether the memory is misaligned.  The published memory of a plain sum is not."""
        return self.alignment == "published" and equation.lookahead > 0.0 and not sums(optimizer)

    def _report(
        self, relaxation: Relaxation, gradients: int, diverged_at: int | None, rtol: float, atol: float
    ) -> Report:
        details: dict[str, Any] = {
            "alignment": self.alignment,
            "quadrature": self.quadrature,
            "tolerance": self.tolerance,
            "residual": relaxation.residual if np.isfinite(relaxation.residual) else None,
            "initial_error": relaxation.initial_error if np.isfinite(relaxation.initial_error) else None,
            "errors": [error if np.isfinite(error) else None for error in relaxation.errors],
            "smoothing": list(relaxation.factors),
        }
        last = relaxation.factors[-1] if relaxation.factors else 0.0
        return Report(
            "diverged" if diverged_at is not None else relaxation.status,
            f"{relaxation.sweeps} sweeps, error {relaxation.residual:.4g}, "
            f"allowed {self.tolerance:.4g}, smoothing {last:.4f}",
            gradient_evaluations=gradients,
            sweeps=relaxation.sweeps,
            rtol=rtol,
            atol=atol,
            diverged_at=diverged_at,
            details=details,
        )


def sums(optimizer: Optimizer) -> bool:
    """Whether every memory of the square is a plain sum."""
    squares = [memory.kind for memory in optimizer.memories().values() if memory.of == "square"]
    return bool(squares) and set(squares) == {"sum"}


class _Cast:
    """An equation in k-time, converted to integrals and slopes in time, the variable of the published runs.

    Attributes
    ----------
    width : int
        Number of columns of all memories side by side.
    rate, initial : ndarray, shape (width,)
        Rate per iteration and value at the start of each column.
    shift : float
        Time by which the memories are misaligned; 0 if they are not.
    kernel : ExponentialKernel
        The memories' integrand, per unit of time.
    """

    def __init__(self, equation: Equation, setup: Setup, *, misaligned: bool) -> None:
        self.equation, self.optimizer, self.objective = equation, setup.optimizer, setup.objective
        self.alpha, n = setup.alpha, len(setup.start)
        self.widths = [setup.optimizer.width(n) if m.squared else n for m in equation.memories]
        self.width = sum(self.widths)
        self.rate, gain, initial = (
            np.repeat([read(memory) for memory in equation.memories], self.widths) for read in _CONSTANTS
        )
        # The misaligned integral is the memory one look-ahead earlier, and its lower bound is one look-ahead
        # before the start.
        self.shift = equation.lookahead * setup.alpha if misaligned else 0.0
        self.kernel = ExponentialKernel(gain / setup.alpha, self.rate / setup.alpha, self.source)
        self.initial = initial * self.source(setup.start)

    def gradient(self, theta: Array) -> Array:
        return self.objective.gradient(theta) + self.equation.coupled_decay * theta

    def source(self, theta: Array) -> Array:
        """Sources of the memories, side by side, shape (..., width)."""
        gradient = self.gradient(theta)
        parts = [self.optimizer.squares(gradient) if m.squared else gradient for m in self.equation.memories]
        return np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]

    def integral(self, grid: Array, times: Array, rule: Any) -> Integral:
        """Return the integral that maps a path on ``grid`` to its memories at ``times``."""
        upper = times - self.shift
        return Integral(self.kernel, grid, upper, np.full_like(upper, -self.shift), upper, rule)

    def split(self, times: Array) -> Callable[[Array], list[Array]]:
        """Return the function that adds decayed initial values to integrals and divides them by memory."""
        initial = self.initial * np.exp(-self.rate * (times[:, None] / self.alpha))
        columns = np.cumsum(self.widths)[:-1]
        return lambda integral: np.split(integral + initial, columns, axis=1)

    def slopes(self, grid: Array) -> Callable[[Array, Array], Array]:
        """Return the right-hand side as a function of path and integral, per unit of time, shape (N, n)."""
        s, split = grid[:, None] / self.alpha, self.split(grid + self.equation.lookahead * self.alpha)

        def right(path: Array, integral: Array) -> Array:
            return self.equation.velocity(s, path, self.gradient(path), split(integral)) / self.alpha

        return right


_CONSTANTS: tuple[Callable[[Memory], float], ...] = (lambda m: m.rate, lambda m: m.gain, lambda m: m.initial)


def _as_published(equation: Equation, optimizer: Optimizer, alpha: float, alignment: Alignment) -> Equation:
    """Return the paper's equation with the velocity of its published runs."""
    ratio = ratio_of(optimizer)
    if ratio is None:
        return equation
    if ratio.corrected:
        return replace(equation, velocity=_published_adam(optimizer, ratio, alpha))
    if ratio.sums and ratio.first is None and alignment == "published":
        decay = alpha * optimizer.decoupled_decay
        return replace(
            equation,
            velocity=lambda s, theta, gradient, memories: (
                -alpha * gradient / np.sqrt(memories[0]) - decay * theta
            ),
        )
    return equation


def _published_adam(optimizer: Optimizer, ratio: Ratio, alpha: float) -> Velocity:
    """Velocity of Proposition 3 with its normalisers as printed, which cancel digits at the start."""
    eps, decay = ratio.eps, optimizer.decoupled_decay

    def mass(beta: float, s: Array) -> Array:
        # Python's power is that of the C library; numpy's may differ in the last bits, and the cancellation
        # at the start leaves only three digits.
        return 1.0 - np.array([beta**x for x in s.ravel().tolist()]).reshape(s.shape)

    # All sweeps have the same points: the factors of the last ones are kept.
    last: list[Array] = []

    def velocity(s: Array, theta: Array, gradient: Array, memories: Any) -> Array:
        first, second = memories
        if not last or last[0] is not s:
            root = np.sqrt(mass(ratio.beta2, s))
            last[:] = s, root, root / mass(ratio.beta1, s)
        _, root, step = last
        return np.asarray(-alpha * (step * first / (np.sqrt(second) + eps * root) + decay * theta))

    return velocity
