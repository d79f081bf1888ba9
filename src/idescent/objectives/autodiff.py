"""Objectives written in JAX or PyTorch, differentiated by these libraries.

What lives here: two adapters from a loss to the contract of an objective, in float64.  What does not: either
library; each is imported when an adapter is created.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from idescent.objectives.protocol import Array


class JaxObjective:
    r"""A loss written in JAX.

    Parameters
    ----------
    loss : callable
        Maps parameters to a scalar.  Without ``parameters`` they are one JAX array of shape (n,).
    parameters : callable, optional
        Maps a seed to initial parameters: any tree of arrays that JAX can flatten, in JAX's order.  ``loss``
        then receives such trees, and ``initial(seed)`` returns the flattened start.

    Notes
    -----
    Enables JAX's 64-bit mode for the whole process: with JAX's default of 32 bits errors of a model below
    1e-7 would be lost in rounding.  Batches of points are padded to a power of two, because JAX compiles the
    loss for every length.

    Raises
    ------
    ValueError
        If JAX is not installed.
    """

    def __init__(self, loss: Callable[[Any], Any], parameters: Callable[[int], Any] | None = None) -> None:
        try:
            import jax
            from jax.flatten_util import ravel_pytree
        except ImportError as error:
            raise ValueError(f"JaxObjective: pip install 'idescent[jax]': {error}") from error
        jax.config.update("jax_enable_x64", True)
        self.dimension: int | None = None
        flat_loss = loss
        if parameters is not None:
            self._draw = lambda seed: np.asarray(ravel_pytree(parameters(seed))[0], dtype=np.float64)
            self.initial = self._draw
            start, unravel = ravel_pytree(jax.tree.map(lambda x: np.asarray(x, np.float64), parameters(0)))
            self.dimension = start.size
            flat_loss = lambda theta: loss(unravel(theta))  # noqa: E731  # one of two, both unnamed
        gradient = jax.grad(flat_loss)
        self._value = jax.jit(jax.vmap(flat_loss))
        self._gradient = jax.jit(jax.vmap(gradient))
        self._product = jax.jit(jax.vmap(lambda theta, v: jax.jvp(gradient, (theta,), (v,))[1]))

    def value(self, theta: Array) -> Array:
        """Return the loss, shape (...)."""
        return _padded(self._value, theta)

    def gradient(self, theta: Array) -> Array:
        """Return the gradient by reverse accumulation, shape (..., n)."""
        return _padded(self._gradient, theta)

    def hessian_vector(self, theta: Array, direction: Array) -> Array:
        """Return the Hessian times directions of the shape of ``theta``, forward over reverse."""
        return _padded(self._product, theta, direction)


def _padded(function: Callable[..., Any], *points: Array) -> Array:
    """Evaluate a function at points (..., n), padded by copies of the last one to a power of two."""
    lead, n = points[0].shape[:-1], points[0].shape[-1]
    flat = [np.broadcast_to(p, (*lead, n)).reshape(-1, n) for p in points]
    count = len(flat[0])
    rows = np.minimum(np.arange(1 << max(0, count - 1).bit_length()), count - 1)
    result = np.asarray(function(*(p[rows] for p in flat)), dtype=np.float64)[:count]
    return result.reshape((*lead, *result.shape[1:]))


class TorchObjective:
    r"""A loss written in PyTorch.

    Parameters
    ----------
    loss : callable
        Maps parameters, one float64 tensor of shape (n,), to a scalar tensor.
    dimension : int, optional
        Number of parameters n; None for any.

    Notes
    -----
    Points are evaluated one by one, because a loss with loops or branches may not accept batches.

    Raises
    ------
    ValueError
        If PyTorch is not installed.
    """

    def __init__(self, loss: Callable[[Any], Any], dimension: int | None = None) -> None:
        try:
            import torch
        except ImportError as error:
            raise ValueError(f"TorchObjective: pip install torch: {error}") from error
        self._torch, self._loss, self.dimension = torch, loss, dimension

    def value(self, theta: Array) -> Array:
        """Return the loss, shape (...)."""
        return self._each(lambda point: self._loss(point), theta)

    def gradient(self, theta: Array) -> Array:
        """Return the gradient by reverse accumulation, shape (..., n)."""
        return self._each(self._slope, theta)

    def hessian_vector(self, theta: Array, direction: Array) -> Array:
        """Return the Hessian times directions of the shape of ``theta``, reverse over reverse."""
        return self._each(self._bend, theta, direction)

    def _slope(self, point: Any, create_graph: bool = False) -> Any:
        return self._torch.autograd.grad(self._loss(point), point, create_graph=create_graph)[0]

    def _bend(self, point: Any, direction: Any) -> Any:
        # A gradient that does not depend on the point has no graph to differentiate.
        slope = self._slope(point, create_graph=True)
        if not slope.requires_grad:
            return self._torch.zeros_like(point)
        return self._torch.autograd.grad(slope, point, direction, materialize_grads=True)[0]

    def _each(self, function: Callable[..., Any], theta: Array, *directions: Array) -> Array:
        lead, n = theta.shape[:-1], theta.shape[-1]
        flat = [np.broadcast_to(p, theta.shape).reshape(-1, n) for p in (theta, *directions)]
        results = []
        for point, *others in zip(*flat, strict=True):
            leaf = self._torch.tensor(point, dtype=self._torch.float64, requires_grad=True)
            more = [self._torch.tensor(other, dtype=self._torch.float64) for other in others]
            results.append(function(leaf, *more).detach().numpy())
        result = np.asarray(results, dtype=np.float64)
        return result.reshape((*lead, *result.shape[1:]))
