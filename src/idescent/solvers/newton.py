r"""Newton's step on one window: the path's collocation equations, linearised about the last path.

Let r be the residual of the path at the nodes, :math:`r_i = \theta_a + L \sum_j A_{ij} V_j - \theta_i`, and
:math:`\delta` the correction.  The velocity depends on the path through terms, each :math:`-\mu` times the
change of one input: the local gradient, or a memory.  The linearised equations on an element are

.. math:: \delta_i = r_i + \delta_a - L \sum_j A_{ij} \sum_\text{terms} \mu_j\,x_j

with the change of the input

.. math:: x = H \delta \quad\text{(local gradient)}, \qquad
          x = \text{carry}\,x_a + \text{drive}\,(f\,H \delta) \quad\text{(memory)},

the Hessian H, the propagator (carry, drive) of the memory (:mod:`idescent.solvers.window`), and the
derivative f of the memory's source by the gradient: 1, or :math:`2g` for the square.  The unknown left values
:math:`\delta_a` and :math:`x_a` enter linearly.  So :func:`newton_step` first solves all elements at once,
for r and for unit left values, and then combines these solutions from the first element to the last.

The matrix only steers the convergence: terms may be left out or approximate, and the fixed point stays the
same.

What lives here: this linear algebra.  What does not: the fixed point (:mod:`idescent.solvers.window`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.models.equation import Memory
from idescent.models.recipe import difference
from idescent.solvers.problem import Problem
from idescent.solvers.radau import Radau

Array = NDArray[np.float64]
Propagator = tuple[Array, Array]
"""``(carry, drive)`` of a memory: on each element the matrices, shape (E, p) and (E, p, p), that multiply its
left value and its source at the nodes."""

Term = tuple[Array, Array | None, Propagator | None]
r"""``(mobility, factor, propagator)`` of one term of the velocity: :math:`\mu`, minus the velocity's
derivative by the input, and f, the derivative of the memory's source by the gradient (None: 1), both of shape
(E, p, n or 1); the memory's propagator (None: the input is the local gradient)."""

# Coordinates whose systems are solved at a time where the Hessian is diagonal: bounds the memory of the
# matrices.
BLOCK = 1024


@cache
def identity(p: int) -> Array:
    """Return the identity matrix, shape (p, p); not to be changed."""
    eye = np.eye(p)
    eye.flags.writeable = False
    return eye


def hessian_at(problem: Problem, theta: Array, gradient: Array) -> Array:
    """Hessian at the nodes: (E, p, n) if the objective has a diagonal one, else (E, p, n, n).

    Not for problems that are ``matrix_free``.
    """
    objective, n = problem.objective, theta.shape[-1]
    coupled = problem.equation.coupled_decay
    if hasattr(objective.objective, "hessian_diagonal"):
        return objective.call("hessian_diagonal", theta) + coupled
    if hasattr(objective.objective, "hessian"):
        full: Array = objective.call("hessian", theta) + coupled * np.eye(n)
        return full
    # Newton's matrix only steers the convergence, so a one-sided difference is accurate enough.
    shift = 1e-7 * (1.0 + np.abs(theta).max())
    shifted = theta[..., None, :] + shift * np.eye(n)
    differences: Array = np.swapaxes(problem.gradient(shifted) - gradient[..., None, :], -1, -2) / shift
    return differences[..., 0] if n == 1 else differences


def memory_terms(
    problem: Problem,
    s: Array,
    theta: Array,
    gradient: Array,
    memories: list[Array],
    velocity: Array,
    propagators: Sequence[Propagator],
) -> list[Term]:
    """Return the terms of the memories that have the shape of theta.

    In an equation with a mobility, only those of the square.  Derivatives of the velocity, and of sources
    other than the gradient and its square, are difference quotients.

    Parameters
    ----------
    problem : Problem
    s : ndarray, shape (E, p, 1)
        The nodes.
    theta, gradient, velocity : ndarray, shape (E, p, n)
    memories : list of ndarray
        As the velocity reads them.
    propagators : sequence of Propagator
    """
    terms: list[Term] = []
    for i, memory in enumerate(problem.equation.memories):
        automatic = problem.equation.mobility is None
        offered = memory.maximum is None if automatic else memory.squared and memory.source is None
        if offered and memories[i].shape == theta.shape:
            factor = 2.0 * gradient if memory.squared else None
            if memory.source is not None:
                factor = source_derivative(problem, memory, s, theta, gradient, memories)
                if factor is None:
                    continue
            # A memory of the gradient may be 0.
            shift = 1e-6 * memories[i] if memory.squared else difference(memories[i])
            shifted = problem.equation.velocity(
                s, theta, gradient, [*memories[:i], memories[i] + shift, *memories[i + 1 :]]
            )
            # Where the memory is 0 this is 0/0: that entry of Newton's matrix is left out.
            mobility = (velocity - shifted) / shift
            mobility[~np.isfinite(mobility)] = 0.0
            terms.append((mobility, factor, propagators[i]))
    return terms


def source_derivative(
    problem: Problem, memory: Memory, s: Array, theta: Array, gradient: Array, memories: list[Array]
) -> Array | None:
    """Return the derivative of a source by the gradient, for each coordinate; None if it is 0.

    Memories of the gradient that are shorter than an iteration count as the gradient itself.
    """
    shift = difference(gradient)
    moved = [
        values + shift if part.source is None and not part.squared and part.rate > 1.0 else values
        for part, values in zip(problem.equation.memories, memories, strict=True)
    ]
    base = problem.source(memory, s, theta, gradient, memories)
    factor = np.nan_to_num((problem.source(memory, s, theta, gradient + shift, moved) - base) / shift)
    return factor if factor.any() else None


def newton_step(
    residual: Array, hessian: Array, terms: Sequence[Term], lengths: Array, method: Radau
) -> Array:
    r"""Solve the linearised equations for the correction :math:`\delta`, shape (E, p, n).

    A diagonal Hessian gives on each element one system of p unknowns for each coordinate
    (:class:`NewtonMatrix`), a full one a system of p*n unknowns.

    Parameters
    ----------
    residual : ndarray, shape (E, p, n)
    hessian : ndarray, shape (E, p, n) or (E, p, n, n)
    terms : sequence of Term
    lengths : ndarray, shape (E,)
    method : Radau
    """
    if hessian.ndim == 4:
        return _coupled_step(residual, hessian, terms, lengths, method)
    n = residual.shape[-1]
    if n <= BLOCK:
        return NewtonMatrix(hessian, terms, lengths, method).step(residual)
    corrections = []
    for b in [slice(i, i + BLOCK) for i in range(0, n, BLOCK)]:
        terms_of_block = [
            (m[..., b], None if f is None else f[..., b], propagator) for m, f, propagator in terms
        ]
        corrections.append(newton_step(residual[..., b], hessian[..., b], terms_of_block, lengths, method))
    return np.concatenate(corrections, axis=2)


class NewtonMatrix:
    r"""The linearised equations of a window with a diagonal Hessian, inverted once for several residuals.

    On each element :math:`(1 + W H)\,\delta = r + \sum_j c_j x_j`, one system of p unknowns for each
    coordinate, with the unknown left values :math:`x_0 = \delta_a` and :math:`x_j` of each memory.  These
    follow from element to element by a linear recursion.

    Parameters
    ----------
    hessian : ndarray, shape (E, p, n)
    terms : sequence of Term
    lengths : ndarray, shape (E,)
    method : Radau
    """

    def __init__(self, hessian: Array, terms: Sequence[Term], lengths: Array, method: Radau) -> None:
        elements, p, n = hessian.shape
        integral = (lengths[:, None, None] * method.integration)[:, None]
        curvature = hessian.transpose(0, 2, 1)
        # The matrix W, shape (E, n, p, p): the sum of L A mu (drive) f over the terms.
        weighted: Any = None
        # Of each term with a memory: column c, and the weights of delta in the memory's last value.
        columns, weights, carries = [], [], []
        for mobility, factor, propagator in terms:
            part = integral * mobility.transpose(0, 2, 1)[:, :, None]
            change = curvature if factor is None else factor.transpose(0, 2, 1) * curvature
            if propagator is not None:
                carry, drive = propagator
                if elements > 1:
                    columns.append(-(part @ carry[:, None, :, None]))
                    weights.append(drive[:, None, -1] * change)
                    carries.append(carry[:, -1])
                part = part @ drive[:, None]
            part = part * change[:, :, None]
            weighted = part if weighted is None else weighted + part
        system = identity(p) if weighted is None else weighted + identity(p)
        self.inverse: Array = np.broadcast_to(np.linalg.inv(system), (elements, n, p, p))
        if elements == 1:
            return
        right = np.concatenate((np.ones((elements, n, p, 1)), *columns), axis=3)
        # Response of delta to the left values, shape (E, n, p, 1 + J).
        self._responses: Array = self.inverse @ right
        last = np.zeros((elements, n, p))
        last[..., -1] = 1.0
        # Left values of the next element from delta, shape (E, n, 1 + J, p), and from the left values.
        self._weights: Array = np.stack((last, *weights), axis=2)
        self._next: Array = self._weights @ self._responses
        for j, carried in enumerate(carries, start=1):
            self._next[:, :, j, j] += carried[:, None]

    def step(self, residual: Array) -> Array:
        """Return the correction for a residual, both of shape (E, p, n)."""
        delta = self.inverse @ residual.transpose(0, 2, 1)[..., None]
        if len(delta) > 1:
            delta += self._responses @ self._left(self._weights @ delta)
        return np.ascontiguousarray(delta[..., 0].transpose(0, 2, 1))

    def _left(self, changes: Array) -> Array:
        """Return the left values of all elements, shape (E, n, 1 + J, 1), from their changes on each."""
        if changes.shape[1] == 1:
            # One coordinate: Python's own numbers are faster than arrays.
            rows = [[0.0] * changes.shape[2]]
            parts = zip(self._next[:-1, 0].tolist(), changes[:-1, 0, :, 0].tolist(), strict=True)
            for matrix, change in parts:
                last = rows[-1]
                rows.append([sum(map(mul, row, last), c) for row, c in zip(matrix, change, strict=True)])
            return np.array(rows)[:, None, :, None]
        left = np.zeros_like(changes)
        for e in range(1, len(left)):
            left[e] = self._next[e - 1] @ left[e - 1] + changes[e - 1]
        return left


def _coupled_step(
    residual: Array, hessian: Array, terms: Sequence[Term], lengths: Array, method: Radau
) -> Array:
    """Solve for the correction with a full Hessian: a unit change of one coordinate affects all."""
    elements, p, n = residual.shape
    integral = (lengths[:, None, None] * method.integration)[:, None]
    # Right-hand sides of each coordinate, shape (E, n, p): the effect of a unit change of the path at the
    # left, then of each memory at the left.  `parts` are the matrices L A mu (drive) f in front of H delta,
    # shape (E, n, p, p).
    columns: list[Array] = [np.ones((elements, n, p))]
    parts: list[Array] = []
    for mobility, factor, propagator in terms:
        part = integral * np.swapaxes(mobility, 1, 2)[:, :, None]
        if propagator is not None:
            carry, drive = propagator
            columns.append(-(part @ carry[:, None, :, None])[..., 0])
            part = part @ drive[:, None]
        parts.append(part if factor is None else part * np.swapaxes(factor, 1, 2)[:, :, None])
    weighted = (
        np.sum(parts, axis=0) if len(parts) > 1 else parts[0] if parts else np.zeros((elements, n, p, p))
    )
    # `delta` is the solution for the residual alone; `responses` are those for the columns.
    system = np.einsum("eaij,ejab->eiajb", weighted, hessian).reshape(elements, p * n, p * n) + np.eye(p * n)
    # n columns for each left value.
    spread = [(np.swapaxes(c, 1, 2)[..., None] * np.eye(n)).reshape(elements, p * n, n) for c in columns]
    right = np.concatenate((residual.reshape(elements, p * n, 1), *spread), axis=2)
    solution: Any = np.linalg.solve(system, right)
    delta = np.ascontiguousarray(solution[..., 0].reshape(elements, p, n))
    responses = [
        part.reshape(elements, p, n, n) for part in np.split(solution[..., 1:], len(columns), axis=2)
    ]
    # From the first element to the last: add the effect of the left values, then propagate them to the next
    # one.
    inputs = [(factor, propagator) for _, factor, propagator in terms if propagator is not None]
    left, left_changes = np.zeros(n), [np.zeros(n) for _ in inputs]
    for e in range(elements):
        delta[e] += responses[0][e] @ left
        for response, change in zip(responses[1:], left_changes, strict=True):
            delta[e] += response[e] @ change
        if inputs:
            gradient_change = (hessian[e] @ delta[e][..., None])[..., 0]
            left_changes = [
                carry[e, -1] * change
                + drive[e, -1] @ (gradient_change if factor is None else factor[e] * gradient_change)
                for (factor, (carry, drive)), change in zip(inputs, left_changes, strict=True)
            ]
        left = delta[e, -1]
    return np.asarray(delta, dtype=np.float64)
