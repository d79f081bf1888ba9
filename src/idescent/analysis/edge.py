r"""How far a run is from the edge of stability of its optimizer.

What lives here: :func:`edge` and its result :class:`Edge`.  What does not: the stability of one iteration
(:mod:`idescent.analysis.limits`), eigenvalues (:mod:`idescent.analysis.lanczos`), and the states of a path
(:mod:`idescent.analysis.states`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.analysis.lanczos import Eigenvalue, largest_eigenvalue
from idescent.analysis.limits import Linearised
from idescent.analysis.states import States
from idescent.common.numeric import integer, is_number, offers, shown
from idescent.discrete.setup import check_objective
from idescent.objectives.protocol import CountedObjective, Objective
from idescent.optimizers.optimizer import Optimizer, check_declared
from idescent.schedules import Schedule, check
from idescent.trajectory import Report

if TYPE_CHECKING:
    from pandas import DataFrame

Array = NDArray[np.float64]
Verdict = Literal["holds", "at the edge", "left"]

# Iterations that are checked by default, and the relative accuracy of the sharpness.
CHECKS, ACCURACY = 41, 0.01
# The edge was left if the sharpness is below this value in this share of the checked iterations, the last
# ones.  In a steady oscillation of period two it is slightly below 1.
LEFT, LAST = 0.9, 0.25
_DIFFERENCE = float(np.finfo(np.float64).eps) ** (1.0 / 3.0)


@dataclass(frozen=True)
class Edge:
    """The preconditioned sharpness along a path, in units of the optimizer's own limit.

    Attributes
    ----------
    k : ndarray of int64, shape (m,)
        Checked iterations.
    sharpness : ndarray, shape (m,)
        Above 1, a small oscillation grows.  Without weight decay, the learning rate times 1 / sharpness is
        the limit in the same state.
    radius : ndarray, shape (m,)
        Spectral radius of the iteration along the eigenvector of the sharpness: above 1, the growth of an
        oscillation in one iteration.
    growth : ndarray, shape (m,)
        Growth of an oscillation since the sharpness reached 1, by the linear theory: the product of the
        spectral radii, interpolated between checked iterations.  It is 1 before, and where everything that
        grew has decayed again; infinite above 1e308.
    since : int or None
        First checked iteration with a sharpness of at least 1.
    verdict : {"holds", "at the edge", "left"}
        ``holds``: the sharpness is below 1 throughout.  ``left``: it has reached 1, but is below 0.9 in the
        last quarter of the checked iterations.
    report : Report
        ``converged`` if the error of every sharpness is at most 1 %, else ``not converged``;
        ``error_estimate`` is the largest relative error, which each sharpness meets with a probability of
        96 % (the start of Lanczos is random).  Details: ``hessian_vector_products``, and ``most_products``
        at one iteration.  ``gradient_evaluations``: those of the differences, for an objective without
        products.
    """

    k: NDArray[np.int64]
    sharpness: Array
    radius: Array
    growth: Array
    since: int | None
    verdict: Verdict
    report: Report

    def to_dataframe(self) -> DataFrame:
        """Return ``k``, ``sharpness``, ``radius`` and ``growth`` as a pandas table, one row an iteration."""
        # Imported here: pandas takes half a second, and no sharpness needs it.
        import pandas as pd

        return pd.DataFrame({name: getattr(self, name) for name in ("k", "sharpness", "radius", "growth")})

    def __str__(self) -> str:
        """Return the verdict with its numbers in one line."""
        last = f"sharpness {self.sharpness[-1]:.3g} of the limit at k = {self.k[-1]}"
        if self.since is None:
            largest = int(np.argmax(self.sharpness))
            return f"holds: {last}, largest {self.sharpness[largest]:.3g} at k = {self.k[largest]}"
        if self.verdict == "left":
            return f"left: {last}, at the edge from k = {self.since}"
        return f"at the edge since k = {self.since}: {last}, growth {self.growth[-1]:.2g}"


def edge(
    optimizer: Optimizer,
    objective: Objective,
    path: Any,
    *,
    alpha: float | None = None,
    schedule: Schedule | None = None,
    k: ArrayLike | None = None,
    products: int = 25,
) -> Edge:
    r"""Compute the preconditioned sharpness along a path, in units of the optimizer's own limit.

    With :math:`\Lambda_j` the largest stable curvature of coordinate j
    (``idescent.analysis.limits.Linearised``) and H the Hessian at theta, both after iteration k,

    .. math:: S_k = \lambda_{\max}\bigl(\Lambda^{-1/2} H \Lambda^{-1/2}\bigr).

    For Adam this is the largest eigenvalue of :math:`\alpha H/(\sqrt{\hat v} + \varepsilon)`, made symmetric,
    over :math:`2(1+\beta_1)/(1-\beta_1)` once the bias is corrected.  If S > 1, a small oscillation about the
    path grows: the edge of stability (Cohen et al. 2021, arXiv 2103.00065; adaptive optimizers: 2022, arXiv
    2207.14484).  The continuous models have no such edge: their prediction ends when the oscillation of the
    run has grown to the size of the loss.  The first iteration with S > 1 is a safe horizon, not the end.

    The theory is linear, with the second moments frozen.  A clip in the step counts as inactive: S is then
    an upper bound.  H is taken at the iterate that the path stores, even if the optimizer evaluates its
    gradient at another point.

    Parameters
    ----------
    optimizer : Optimizer
        Its step must be linear in the gradient and its momenta, coordinate by coordinate.
    objective : Objective
        Without noise.  Products with the Hessian are those of ``hessian_vector``, ``hessian_diagonal`` or
        ``hessian``, the first that it has; else differences of two gradients.
    path : Trajectory, Leap or Predicted
        A discrete run, a solution of a model, or the result of ``leap`` or ``predict``.  It must have the
        optimizer's second moments.
    alpha : float in (0, 1], optional
        Learning rate; by default that of the path.
    schedule : Schedule, optional
        Factors of the learning rate.  A ``Leap`` has its own.
    k : array_like of int, shape (m,), optional
        Iterations to check, increasing and >= 1.  By default 41, evenly spaced up to the last finite one, and
        those of a bisection for the first sharpness of at least 1.
    products : int, >= 1
        Most products with the Hessian at one iteration.

    Returns
    -------
    Edge

    Raises
    ------
    ValueError
        If an argument is outside its range, the path lacks an iteration or a memory, or the step has no
        limit: it has a sign, or mixes coordinates.
    """
    check_declared(optimizer)
    offers("objective", objective, "value", "gradient")
    integer("products", products)
    if schedule is not None:
        check(schedule)
    if alpha is not None and not (is_number(alpha) and 0.0 < alpha <= 1.0):
        raise ValueError(f"alpha: {shown(alpha)} is not allowed: must be a number in (0, 1]")
    states = States.of(path, alpha, schedule)
    iterations = states.sample(CHECKS) if k is None else states.chosen(k)
    check_objective(CountedObjective(objective), states.at(int(iterations[0]))[0])
    measure = _Measure(optimizer, objective, states, int(products))
    for iteration in iterations.tolist():
        measure(iteration)
    if k is None:
        measure.bisect(iterations)
    return measure.result()


class _Measure:
    """Measure the sharpness at one iteration after the other.

    Attributes
    ----------
    done : dict of int to (Eigenvalue, float)
        Sharpness and spectral radius by iteration.
    """

    def __init__(self, optimizer: Optimizer, objective: Objective, states: States, products: int) -> None:
        self.linearised, self.states, self.products = Linearised(optimizer), states, products
        self.objective, self.coupled = CountedObjective(objective), optimizer.coupled_decay
        self.done: dict[int, tuple[Eigenvalue, float]] = {}
        self._vector: Array | None = None
        self._stream = np.random.default_rng(0)

    def __call__(self, k: int) -> float:
        """Return the sharpness after iteration ``k``, and store it."""
        theta, memories = self.states.at(k)
        limit = self.linearised.limit(k, self.states.rate(k), theta, memories)
        root = np.sqrt(limit.sensitivity)
        random = self._stream.standard_normal(theta.size)

        def multiply(vector: Array) -> Array:
            image = root * self.product(theta, root * vector)
            if not np.isfinite(image).all():
                raise ValueError(f"objective: its product with the Hessian is not finite after iteration {k}")
            return image

        eigenvalue = largest_eigenvalue(multiply, random, self.products, ACCURACY, self._vector)
        self._vector = eigenvalue.vector
        self.done[k] = eigenvalue, limit.radius(eigenvalue.value)
        return eigenvalue.value

    def bisect(self, iterations: NDArray[np.int64]) -> None:
        """Narrow the first two checked iterations between which the sharpness reaches 1."""
        above = np.array([self.done[k][0].value >= 1.0 for k in iterations.tolist()])
        first = int(np.argmax(above))
        if not above.any() or first == 0:
            return
        known = self.states.between(int(iterations[first - 1]), int(iterations[first]))
        left, right = 0, len(known) - 1
        while right - left > 1:
            middle = (left + right) // 2
            left, right = (left, middle) if self(int(known[middle])) >= 1.0 else (middle, right)

    def product(self, theta: Array, direction: Array) -> Array:
        """Return the Hessian, coupled weight decay included, times a direction."""
        objective, decay = self.objective, self.coupled * direction
        if hasattr(objective.objective, "hessian_vector"):
            return objective.call("hessian_vector", theta, direction) + decay
        if hasattr(objective.objective, "hessian_diagonal"):
            return objective.call("hessian_diagonal", theta) * direction + decay
        if hasattr(objective.objective, "hessian"):
            return np.asarray(objective.call("hessian", theta) @ direction + decay)
        # The cube root of the machine's eps balances truncation and rounding.
        size = float(np.abs(direction).max())
        shift = _DIFFERENCE * (1.0 + float(np.abs(theta).max())) / (size or 1.0)
        left, right = (objective.gradient(theta + sign * shift * direction) for sign in (-1.0, 1.0))
        return np.asarray((right - left) / (2.0 * shift) + decay)

    def result(self) -> Edge:
        """Return the measured iterations in their order, with the verdict."""
        k = np.array(sorted(self.done), dtype=np.int64)
        eigenvalues = [self.done[i][0] for i in k.tolist()]
        sharpness = np.array([eigenvalue.value for eigenvalue in eigenvalues])
        radius = np.array([self.done[i][1] for i in k.tolist()])
        above = sharpness >= 1.0
        since = int(k[np.argmax(above)]) if above.any() else None
        verdict: Verdict = "holds" if since is None else "at the edge"
        if since is not None and sharpness[-math.ceil(LAST * len(k)) :].max() < LEFT:
            verdict = "left"
        error = max(eigenvalue.error for eigenvalue in eigenvalues)
        report = Report(
            "converged" if error <= ACCURACY else "not converged",
            f"a sharpness is at most {100.0 * error:.2g} % too small, with a probability of 96 %",
            gradient_evaluations=self.objective.gradients,
            error_estimate=error,
            details={
                "hessian_vector_products": sum(eigenvalue.products for eigenvalue in eigenvalues),
                "most_products": max(eigenvalue.products for eigenvalue in eigenvalues),
            },
        )
        return Edge(k, sharpness, radius, growth(k, sharpness, radius), since, verdict, report)


def growth(k: NDArray[np.int64], sharpness: Array, radius: Array) -> Array:
    """Return the growth of an oscillation since the sharpness reached 1; see :class:`Edge`."""
    # A radius of 0 is that of a single curvature.
    rates = np.log(np.maximum(radius, 1e-16))
    total, totals, started = 0.0, np.zeros(len(k)), bool(sharpness[0] >= 1.0)
    for i in range(1, len(k)):
        started = started or bool(sharpness[i] >= 1.0)
        if started:
            total = max(0.0, total + 0.5 * float(k[i] - k[i - 1]) * float(rates[i] + rates[i - 1]))
        totals[i] = total
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(totals))
