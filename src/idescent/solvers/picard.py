"""Algorithm 4: the paper's own numerical method, as its published runs used it.

What lives here: the optimizers' equations cast for the general fixed point of :mod:`idescent.solvers.ide`,
and the settings that the paper leaves unsaid.  What does not: the loop itself, and exact solutions
(:mod:`idescent.solvers.collocation`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import integer
from idescent.models.equation import Equation, Memory, Model, Velocity, derive
from idescent.models.paper import Paper
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer
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

    where every term of the right-hand side R, the local gradient too, is taken along the last path; between
    the points the path is its not-a-knot cubic spline, beyond them that spline's continuation.  Relaxation
    and stopping are :func:`~idescent.solvers.relaxation.relax`.

    Rows 0 ... K - 1 of the trajectory are the published path.  The last row, k = K, is one more Euler step of
    the last sweep, so that the rows are those of a discrete run of as many steps.  Moments are those of the
    returned path at :math:`t_k`: the ``v`` that the velocity at :math:`t_k` looks ahead to, and the paper
    plots there, stands in row k + 1.

    Parameters
    ----------
    alignment : {"corrected", "published"}
        Of the memory with the path where the equation looks ahead (RMSProp).  The published runs integrate
        :math:`K(\tau)\,g(\theta(t-\tau))^2` over :math:`\tau \in [0, t+\alpha]`, which is the memory of t,
        not of :math:`t+\alpha`, with one step of invented past: the path continued to :math:`[-\alpha, 0]`.
        ``corrected`` integrates :math:`K(\tau)\,g(\theta(t+\alpha-\tau))^2`.  ``published`` also leaves
        :math:`\varepsilon` out of AdaGrad, as the published run.
    quadrature : {"gauss", "exact"}
        ``gauss`` is the paper's ``fixed_quad``, ``nodes`` nodes over the whole past of each point in each
        sweep; ``exact`` integrates the same spline exactly, in O(N).  They part where the past has structure
        that the nodes do not resolve.
    tolerance : float, > 0
        For the 2-norm over all points (the paper prints a sum of squares; the runs took the root).
    smoothing : (first, last, number)
        Evenly spaced list of the weight of the last path; the next is taken whenever the error rises.
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
    three digits are left of them: the first step of a published Adam run carries a rounding error of up to
    1e-3 ``alpha``.

    The tolerance of :func:`idescent.solve` is recorded in the report but does not steer this method, whose
    error is that of Euler's. A search that ends without its tolerance says so in ``report.status``:
    ``smoothing exhausted``, ``iteration limit`` or ``diverged``. ``report.details`` keeps the error and the
    smoothing factor of each sweep.
    """

    alignment: Alignment = "corrected"
    quadrature: Rule = "gauss"
    tolerance: float = 1e-4
    smoothing: tuple[float, float, int] = PAPER_SMOOTHING
    max_sweeps: int = MAX_SWEEPS
    nodes: int = 1000

    def __post_init__(self) -> None:
        """Check every setting; the message names field, value and what is allowed."""
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
        # A rule for the number of points that rounding of steps * alpha cannot break.
        grid = np.arange(START, (steps - 0.5) * alpha, alpha)
        cast = _Cast(
            equation, optimizer, counted, start, alpha, misaligned=self.misaligns(optimizer, equation)
        )
        rule = named_quadrature(self.quadrature, self.nodes)
        memory = cast.integral(grid, grid + equation.lookahead * alpha, rule)
        times = np.append(grid, grid[-1] + alpha)

        def next_points(path: Array) -> Array:
            return euler(cast.slopes(grid, path, memory(path)), start, alpha)

        with np.errstate(all="ignore"):
            found = relax(
                lambda path: next_points(path)[:-1],
                np.tile(start, (steps, 1)),
                tolerance=self.tolerance,
                smoothing=self.smoothing,
                max_sweeps=self.max_sweeps,
                progress=progress,
            )
            theta = np.concatenate((found.path, next_points(found.given)[-1:]))
            # A path with a hole has no interpolant: its moments are not known anywhere.
            whole = bool(np.isfinite(found.path).all())
            values = (
                cast.integral(grid, times, rule)(found.path)
                if whole
                else np.full((steps + 1, cast.width), np.nan)
            )
            moments = cast.moments(times, values)
            finite = np.isfinite(np.hstack((theta, values)) if whole else theta).all(axis=1)
            diverged_at = None if finite.all() else int(np.argmin(finite))
            if diverged_at is not None:
                for rows in (theta, *moments.values()):
                    rows[diverged_at:] = np.nan
            loss = counted.value(theta)
        report = self._report(found, counted.gradients, diverged_at, rtol, atol)
        return assemble(theta, loss, moments, alpha, report).rows(kept(steps, keep))

    def check(self, model: Model, equation: Equation) -> None:
        """Raise ValueError for an equation that Algorithm 4 cannot solve."""
        if any(memory.source is not None or memory.rate == np.inf for memory in equation.memories):
            raise ValueError(
                f"model: {model.name!r} is not allowed with Picard: "
                "every memory must be an exponential one of the gradient or its square"
            )

    def misaligns(self, optimizer: Optimizer, equation: Equation) -> bool:
        """Whether the memory is misaligned: that of a plain sum never was."""
        return self.alignment == "published" and equation.lookahead > 0.0 and not optimizer.summing

    def _report(
        self, found: Relaxation, gradients: int, diverged_at: int | None, rtol: float, atol: float
    ) -> Report:
        details: dict[str, Any] = {
            "alignment": self.alignment,
            "quadrature": self.quadrature,
            "tolerance": self.tolerance,
            "residual": found.residual if np.isfinite(found.residual) else None,
            "initial_error": found.initial_error if np.isfinite(found.initial_error) else None,
            "errors": [error if np.isfinite(error) else None for error in found.errors],
            "smoothing": list(found.factors),
        }
        last = found.factors[-1] if found.factors else 0.0
        return Report(
            "diverged" if diverged_at is not None else found.status,
            f"{found.sweeps} sweeps, error {found.residual:.4g}, "
            f"allowed {self.tolerance:.4g}, smoothing {last:.4f}",
            gradient_evaluations=gradients,
            sweeps=found.sweeps,
            rtol=rtol,
            atol=atol,
            diverged_at=diverged_at,
            details=details,
        )


class _Cast:
    """An equation in k-time as integrals and slopes in time, the variable of the published runs."""

    def __init__(
        self,
        equation: Equation,
        optimizer: Optimizer,
        objective: CountedObjective,
        theta0: Array,
        alpha: float,
        *,
        misaligned: bool,
    ) -> None:
        self.equation, self.optimizer, self.objective, self.alpha = equation, optimizer, objective, alpha
        self.widths = [optimizer.width(len(theta0)) if m.squared else len(theta0) for m in equation.memories]
        self.width = sum(self.widths)
        self.rate, gain, initial = (
            np.repeat([read(memory) for memory in equation.memories], self.widths) for read in _CONSTANTS
        )
        # The misaligned integral is that of the memory one look-ahead earlier, begun one look-ahead before
        # the start.
        self.shift = equation.lookahead * alpha if misaligned else 0.0
        self.kernel = ExponentialKernel(gain / alpha, self.rate / alpha, self.source)
        self.initial = initial * self.source(theta0)

    def gradient(self, theta: Array) -> Array:
        return self.objective.gradient(theta) + self.equation.coupled_decay * theta

    def source(self, theta: Array) -> Array:
        """What the memories accumulate, side by side, shape (..., width)."""
        gradient = self.gradient(theta)
        parts = [self.optimizer.squares(gradient) if m.squared else gradient for m in self.equation.memories]
        return np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]

    def integral(self, grid: Array, times: Array, rule: Any) -> Integral:
        """Return the memories at ``times`` of a path given on ``grid``."""
        upper = times - self.shift
        return Integral(self.kernel, grid, upper, np.full_like(upper, -self.shift), upper, rule)

    def split(self, times: Array, integral: Array) -> list[Array]:
        """Add the memories' values at the start; part them."""
        values = integral + self.initial * np.exp(-self.rate * (times[:, None] / self.alpha))
        return np.split(values, np.cumsum(self.widths)[:-1], axis=1)

    def slopes(self, grid: Array, path: Array, integral: Array) -> Array:
        """Return the right-hand side along a path, per unit of time, shape (N, n)."""
        memories = self.split(grid + self.equation.lookahead * self.alpha, integral)
        return (
            self.equation.velocity(grid[:, None] / self.alpha, path, self.gradient(path), memories)
            / self.alpha
        )

    def moments(self, times: Array, integral: Array) -> dict[str, Array]:
        """Return the memories by name."""
        values = self.split(times, integral)
        return {memory.name: rows for memory, rows in zip(self.equation.memories, values, strict=True)}


_CONSTANTS: tuple[Callable[[Memory], float], ...] = (lambda m: m.rate, lambda m: m.gain, lambda m: m.initial)


def _as_published(equation: Equation, optimizer: Optimizer, alpha: float, alignment: Alignment) -> Equation:
    """The paper's equation in the arithmetic of the paper's runs."""
    if optimizer.bias_correction:
        return replace(equation, velocity=_published_adam(optimizer, alpha))
    if optimizer.summing and not optimizer.momentum and alignment == "published":
        decay = alpha * optimizer.decoupled_decay
        return replace(
            equation,
            velocity=lambda s, theta, gradient, memories: (
                -alpha * gradient / np.sqrt(memories[0]) - decay * theta
            ),
        )
    return equation


def _published_adam(optimizer: Optimizer, alpha: float) -> Velocity:
    """Proposition 3 with its normalisers as they stand, cancellation at the start included."""
    eps, decay = optimizer.eps, optimizer.decoupled_decay

    def mass(beta: float, s: Array) -> Array:
        # Python's power is the C library's; numpy's may have other last bits, and at the start only three
        # digits are left.
        return 1.0 - np.array([beta**x for x in s.ravel().tolist()]).reshape(s.shape)

    def velocity(s: Array, theta: Array, gradient: Array, memories: Any) -> Array:
        first, second = memories
        root = np.sqrt(mass(optimizer.decay2, s))
        step = root / mass(optimizer.decay1, s)
        return np.asarray(-alpha * (step * first / (np.sqrt(second) + eps * root) + decay * theta))

    return velocity
