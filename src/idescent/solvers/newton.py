"""Newton's step on one window: the path's equation, linearised about the last iterate.

What lives here: linear algebra.  What does not: the fixed point that takes the step
(:mod:`idescent.solvers.window`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.solvers.problem import Problem
from idescent.solvers.radau import Radau

Array = NDArray[np.float64]
Chain = tuple[Array, Array]
"""What carries a memory over each element: (E, p) for its left value, (E, p, p) for its source."""

Term = tuple[Array, Array | None, Chain | None]
"""What the velocity depends on: minus its derivative by a memory, the derivative of the memory's source by
the gradient (None: 1), and the memory's chain (None: the local gradient itself)."""

# Coordinates whose systems are solved at a time where the Hessian is diagonal.
BLOCK = 4096


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
    # Newton's matrix only steers the convergence, so a one-sided difference is good enough.
    shift = 1e-7 * (1.0 + np.abs(theta).max())
    shifted = theta[..., None, :] + shift * np.eye(n)
    differences: Array = np.swapaxes(problem.gradient(shifted) - gradient[..., None, :], -1, -2) / shift
    return differences[..., 0] if n == 1 else differences


def square_terms(
    problem: Problem,
    s: Array,
    theta: Array,
    gradient: Array,
    felt: list[Array],
    velocity: Array,
    chains: Sequence[Chain],
) -> list[Term]:
    """How the velocity depends on memories of squared gradients, one for each coordinate."""
    terms: list[Term] = []
    for i, memory in enumerate(problem.equation.memories):
        if memory.squared and memory.source is None and felt[i].shape == theta.shape:
            # What is not a number where a memory is 0 is left out: Newton's matrix only steers.
            shift = 1e-6 * felt[i]
            moved = problem.equation.velocity(
                s, theta, gradient, [*felt[:i], felt[i] + shift, *felt[i + 1 :]]
            )
            slope = np.nan_to_num((velocity - moved) / shift, nan=0.0, posinf=0.0, neginf=0.0)
            terms.append((slope, 2.0 * gradient, chains[i]))
    return terms


def newton_step(
    residual: Array, hessian: Array, terms: Sequence[Term], lengths: Array, method: Radau
) -> Array:
    """Solve the path's equation linearised about its last iterate, element by element.

    With the velocity along the local gradient: delta = residual + left - h A (mobility * H delta).  Along a
    memory with a chain H delta is replaced by the change of that memory, carry * left + drive (factor * H
    delta); the terms of several memories add up.  A diagonal Hessian gives one system of p unknowns per
    coordinate, a full one a system of p*n unknowns.
    """
    elements, p, n = residual.shape
    if hessian.ndim == 3 and n > BLOCK:
        blocks = [slice(i, i + BLOCK) for i in range(0, n, BLOCK)]
        corrections = []
        for b in blocks:
            mine = [(m[..., b], None if f is None else f[..., b], chain) for m, f, chain in terms]
            corrections.append(newton_step(residual[..., b], hessian[..., b], mine, lengths, method))
        return np.concatenate(corrections, axis=2)
    integral = (lengths[:, None, None] * method.integration)[:, None]
    # Right-hand sides per coordinate, shape (E, n, p): what a unit change of path and memories at the left
    # brings.
    columns, parts = [np.ones((elements, n, p))], []
    for mobility, factor, chain in terms:
        part = integral * np.swapaxes(mobility, 1, 2)[:, :, None]
        if chain is not None:
            carry, drive = chain
            columns.append(-(part @ carry[:, None, :, None])[..., 0])
            part = part @ drive[:, None]
        parts.append(part if factor is None else part * np.swapaxes(factor, 1, 2)[:, :, None])
    weighted = parts[0] if len(parts) == 1 else np.sum(parts, axis=0)
    if hessian.ndim == 3:
        system = np.eye(p) + weighted * np.swapaxes(hessian, 1, 2)[:, :, None]
        right = np.stack((np.swapaxes(residual, 1, 2), *columns), axis=-1)
        solved: Any = np.linalg.solve(system, right)
        delta, *responses = np.moveaxis(solved, (3, 2, 1), (0, 2, 3))
        delta = np.ascontiguousarray(delta, dtype=np.float64)
        product: Callable[[Array, Array], Array] = np.multiply
    else:
        system = np.einsum("eaij,ejab->eiajb", weighted, hessian).reshape(elements, p * n, p * n) + np.eye(
            p * n
        )
        spread = [(np.swapaxes(c, 1, 2)[..., None] * np.eye(n)).reshape(elements, p * n, n) for c in columns]
        right = np.concatenate((residual.reshape(elements, p * n, 1), *spread), axis=2)
        solved = np.linalg.solve(system, right)
        delta = np.ascontiguousarray(solved[..., 0].reshape(elements, p, n))
        responses = [
            part.reshape(elements, p, n, n) for part in np.split(solved[..., 1:], len(columns), axis=2)
        ]
        product = np.matmul
    felt = [(factor, chain) for _, factor, chain in terms if chain is not None]
    left, remembered = np.zeros(n), [np.zeros(n) for _ in felt]
    for e in range(elements):
        delta[e] += product(responses[0][e], left)
        for response, change in zip(responses[1:], remembered, strict=True):
            delta[e] += product(response[e], change)
        if felt:
            turn = hessian[e]
            turned = turn * delta[e] if turn.ndim == 2 else (turn @ delta[e][..., None])[..., 0]
            remembered = [
                carry[e, -1] * change + drive[e, -1] @ (turned if factor is None else factor[e] * turned)
                for (factor, (carry, drive)), change in zip(felt, remembered, strict=True)
            ]
        left = delta[e, -1]
    return np.asarray(delta, dtype=np.float64)
