r"""Prediction of a training run at less cost than the run, with an error estimate.

What lives here: :func:`predict` and its result :class:`Predicted`.  What does not: the step of the method
(:mod:`idescent.prediction.leapfrog`), the forms of a start (:mod:`idescent.prediction.start`), and the passes
with their errors (:mod:`idescent.prediction.passes`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import heapify
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.common.numeric import fraction, integer, is_number, iterations, offers, shown
from idescent.optimizers.optimizer import Optimizer, check_declared
from idescent.prediction.arrays import Array, Counted, namespace, plain
from idescent.prediction.leapfrog import Leapfrog
from idescent.prediction.passes import Passes
from idescent.prediction.path import Path, interpolated
from idescent.prediction.start import parsed
from idescent.trajectory import Report

MOST_ITERATIONS = 2**53


@dataclass(frozen=True)
class Predicted:
    r"""A predicted run.

    Attributes
    ----------
    first, reached : int
        First and last iteration.  ``reached`` is less than asked for if the budget was used up or theta was
        not finite.
    k : ndarray of int64, shape (r,)
        At most 64 iterations at which the loss was computed.
    losses : ndarray, shape (r,)
        Predicted loss there.
    errors : ndarray, shape (r,)
        Estimated relative error of the loss, :math:`|\tilde L_k - L_k| / \max(|L_k|, 10^{-3}|L_0|)`; NaN
        without an estimate.
    report : Report
        The status is ``estimated``, never ``converged``, or ``diverged``.  ``error_estimate`` is the largest
        of ``errors``, a relative error of the loss.  Details:

        - ``solver_error`` and ``model_error``, its parts;
        - ``path``, gradients of the path without those for the estimate;
        - ``largest_step`` of the path;
        - ``passes``, their number;
        - ``unstable``, whether steps twice a constant ``step`` were nearly unstable;
        - ``values``, evaluations of the loss.
    """

    first: int
    reached: int
    k: NDArray[np.int64]
    losses: NDArray[np.float64]
    errors: NDArray[np.float64]
    report: Report
    path: Path = field(repr=False)

    def __call__(self, k: ArrayLike) -> Array:
        """Return theta after any iterations.

        If the path has more than ``2**24`` numbers it is not stored, and each call computes it again at the
        cost of its gradients: ask for many iterations in one call.

        Parameters
        ----------
        k : array_like of int, shape (m,) or ()
            Iterations in [first, reached], in any order.

        Returns
        -------
        array, shape (m, n) or (n,)
            Of the library of the start.

        Raises
        ------
        ValueError
            If an iteration is no integer or was not predicted.
        """
        points = iterations(k, self.first, self.reached)
        rows = dict(self._thetas(points))
        if not points.ndim:
            # A copy: the caller may change it.
            return namespace(rows[int(points)]).asarray(rows[int(points)], copy=True)
        if not points.size:
            theta = self.path.state.theta
            return namespace(theta).reshape(theta, (1, -1))[:0, :]
        arrays = [rows[int(x)] for x in points]
        return namespace(arrays[0]).stack(arrays)

    def loss(self, k: ArrayLike) -> NDArray[np.float64]:
        """Return the predicted loss after any iterations, shape (m,) or (); one theta is stored at a time.

        Raises
        ------
        ValueError
            If an iteration is no integer or was not predicted.
        """
        points = iterations(k, self.first, self.reached)
        values = {x: self.path.objective.value(theta) for x, theta in self._thetas(points)}
        return np.array([values[int(x)] for x in points.ravel()]).reshape(points.shape)

    def moments(self, k: int) -> dict[str, Array]:
        """Return the predicted moments after an iteration of the model, by name, shape (width,) each.

        They are not bias-corrected, and of the library of the start.  The steps follow the loss: where a
        source varies within a step, single coordinates may be wrong; see ``step`` of :func:`predict`.  The
        first call costs the gradients of the path, and each call at most one more; a path of more than
        ``2**24`` numbers is computed again by each call.

        Raises
        ------
        ValueError
            If the iteration is no integer or is not one of the model: those before ``modelled`` are the
            optimizer's own.
        """
        point = iterations(k, self.modelled, self.reached)
        values = {name: plain(value) for name, value in self.path.moments(int(point)).items()}
        return {name: namespace(value).reshape(value, (-1,)) for name, value in values.items()}

    @property
    def modelled(self) -> int:
        """First iteration of the model, after the optimizer's own at the start."""
        return int(self.path.state.s + 0.5)

    def _thetas(self, points: NDArray[np.int64]) -> Any:
        due = [int(x) for x in np.unique(points)]
        heapify(due)
        return interpolated(self.path.walk(), due)


def predict(
    optimizer: Optimizer,
    objective: Any,
    *,
    alpha: float,
    start: Any,
    steps: int,
    tolerance: float = 0.01,
    budget: int | None = None,
    step: float | None = None,
    estimate: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Predicted:
    r"""Predict a training run from any state, with fewer gradients than the run.

    The half-step model of the optimizer (:class:`idescent.models.HalfStep`) is integrated by an exponential
    leapfrog, which evaluates one gradient for a step of several iterations
    (``idescent.prediction.leapfrog.Leapfrog``; on exponential integrators: Hochbruck and Ostermann 2010,
    Acta Numerica 19).  The result is an estimate, not a certified solution.  The curvature in units of the
    step's denominator limits the length of the steps: near the edge of stability a prediction with its
    estimate costs more than the run.  The message of the report contains both costs.

    By default the steps are adaptive: a first pass chooses them, a second pass divides each by two.  While
    the estimated error of the solver is larger than ``tolerance``, and a further pass costs less than the
    run, the steps are divided again.  The error estimate of the loss is the sum of two parts:

    - the solver's: a third of the difference of the last two passes, as the method is of second order.  If
      steps twice a constant ``step`` are nearly unstable it is too large, and the message says so;
    - the model's: two short true runs from predicted states, against the model in steps of one iteration
      from the same states, extrapolated linearly to the whole run.

    Neither part detects that a small error grows later.

    The memory does not depend on the number of iterations: about thirty vectors of the size of theta for
    Adam, and a path of at most ``2**24`` numbers.  A longer path is not stored.

    Parameters
    ----------
    optimizer : Optimizer
        Its memories are averages, accumulations or sums of functions of the gradient and theta, with constant
        decay rates; the gradient is evaluated at theta.
    objective : Objective
        Without noise.  For arrays of another library than NumPy its methods ``gradient`` and ``value`` take
        and return arrays of that library.
    alpha : float in (0, 1]
        Learning rate.
    start : array, tuple or dict
        One of

        - theta, shape (n,): eight true iterations are made first;
        - ``(trajectory, k)``: a :class:`~idescent.Trajectory` and one of its iterations;
        - ``{"theta": ..., "moments": {...}, "k": ...}``, or an object with these attributes: a checkpoint.
          Moments are not bias-corrected.  Names of ``torch.optim`` (``exp_avg``, ``exp_avg_sq``, ``step``)
          and of ``optax`` (``mu``, ``nu``, ``count``) are accepted.  A list of arrays is joined in its order;
        - ``{"theta": ..., "iterations": 20}``: makes 20 true iterations first.

        Arrays of NumPy, JAX, PyTorch (with ``array-api-compat``) and other libraries that follow the array
        API standard remain in their library, on their device.
    steps : int, >= 1
        Number of iterations from the start on.
    tolerance : float in (0, 1)
        Relative error of the loss.
    budget : int, >= 1, optional
        Largest number of gradients, for everything.  If it is not enough, the prediction ends at an earlier
        iteration.
    step : float, > 0, optional
        Constant step in iterations, an integer or a power of 1/2; steps grow to it from 1.  The second
        solution then has steps twice as long.
    estimate : bool
        Whether to estimate errors, which costs about half as many gradients again.
    progress : callable, optional
        Called with lines of text that contain the gradients so far and to come, for example ``print``.

    Returns
    -------
    Predicted
        Call it with any iterations.

    Raises
    ------
    ValueError
        If an argument is outside its range, or the method does not cover the optimizer.
    """
    check_declared(optimizer)
    offers("objective", objective, "value", "gradient")
    if not is_number(alpha) or not 0.0 < alpha <= 1.0:
        raise ValueError(f"alpha: {shown(alpha)} is not allowed: must be a number in (0, 1]")
    integer("steps", steps, most=MOST_ITERATIONS)
    fraction("tolerance", tolerance)
    if budget is not None:
        integer("budget", budget)
    if step is not None and not _is_step(step):
        raise ValueError(f"step: {shown(step)} is not allowed: must be an integer >= 1 or a power of 1/2")
    leapfrog = Leapfrog(optimizer, float(alpha))
    begin = parsed(start, optimizer)
    begin = replace(begin, iterations=min(begin.iterations, int(steps)))
    # One more true iteration, and the gradient at its middle.
    least = begin.iterations + 2
    if budget is not None and budget < least:
        raise ValueError(f"budget: {budget} is not allowed: the start needs {least} gradients")
    passes = Passes(leapfrog, Counted(objective), begin, int(steps), budget, progress)
    passes.go(float(tolerance), None if step is None else float(step), bool(estimate))
    return Predicted(passes.start.k, passes.reached, *passes.curve(), passes.report(), passes.path)


def _is_step(step: Any) -> bool:
    """Whether a step is an integer >= 1 or a power of 1/2, down to 1/64."""
    return is_number(step) and (
        step in [0.5**i for i in range(7)] or (step >= 1.0 and float(step).is_integer())
    )
