"""Objectives written in JAX or PyTorch, differentiated by these libraries.

What lives here: two adapters from a loss to the contract of an objective, and to that of a finite sum if the
loss has data.  What does not: either library, which is imported when an adapter is created; the order of the
parameters of a tree (:mod:`idescent.objectives.trees`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from idescent.common.numeric import shown
from idescent.objectives import trees
from idescent.objectives.protocol import Array, Indices

Precision = Literal["float64", "float32"]


class _Adapter:
    """The parts that both adapters share: trees of parameters, and the number of samples.

    Attributes
    ----------
    dimension : int or None
        Number of parameters; None for any.
    samples : int
        Number of samples; only with ``data``.
    """

    # Whether dictionaries of parameters have the order of insertion, or that of their sorted keys.
    _inserted: ClassVar[bool]

    def __init__(self, parameters: Any, data: Any, dtype: str) -> None:
        if dtype not in ("float64", "float32"):
            raise ValueError(f"dtype: {shown(dtype)} is not allowed: must be 'float64' or 'float32'")
        self.dimension: int | None = None
        self._dtype = np.dtype(dtype)
        self._tree: Any = None
        self._shapes: list[tuple[int, ...]] = []
        if parameters is not None:
            draw = parameters if callable(parameters) else None
            self._tree = parameters if draw is None else draw(0)
            vector, self._shapes = trees.flat(self._tree, inserted=self._inserted)
            self.dimension = vector.size
            if draw is not None:
                self.initial = lambda seed: self.flatten(draw(seed))
        if data is not None:
            self.samples = _samples(trees.leaves(data, "data", inserted=self._inserted))
            self.value_of, self.gradient_of = self._value_of, self._gradient_of

    def flatten(self, tree: Any) -> Array:
        """Return a tree of parameters as a point, shape (n,).

        Raises
        ------
        ValueError
            If its arrays have other shapes than those of ``parameters``.
        """
        vector, shapes = trees.flat(tree, inserted=self._inserted)
        if shapes != self._shapes and self._tree is not None:
            raise ValueError(f"parameters: shapes {shapes} are not allowed: must be {self._shapes}")
        return np.asarray(vector, dtype=np.float64)

    def unflatten(self, theta: Array) -> Any:
        """Return points, shape (..., n), as a tree of NumPy arrays of shapes ``(..., *shape)``.

        Raises
        ------
        ValueError
            If the objective has no ``parameters``, or n is not their number.
        """
        if self._tree is None:
            raise ValueError("unflatten: there is no tree: give parameters to the objective")
        parts = trees.split(np.asarray(theta, dtype=self._dtype), self._shapes)
        return self._rebuilt(parts)

    def _checked(self, indices: Indices) -> Indices:
        """Refuse indices of samples that there are not; JAX would take the last sample instead."""
        rows = np.asarray(indices)
        if rows.dtype.kind not in "iu" or rows.size == 0 or not 0 <= rows.min() <= rows.max() < self.samples:
            rule = f"must be integers in [0, {self.samples - 1}]"
            raise ValueError(f"indices: {shown(indices)} is not allowed: {rule}")
        return rows

    def _rebuilt(self, parts: Sequence[Any]) -> Any:
        raise NotImplementedError

    def _value_of(self, theta: Array, indices: Indices) -> Array:
        raise NotImplementedError

    def _gradient_of(self, theta: Array, indices: Indices) -> Array:
        raise NotImplementedError


def _samples(arrays: Sequence[Any]) -> int:
    """Return the common length of the arrays of a data set."""
    lengths = {array.shape[0] if np.ndim(array) else 0 for array in arrays}
    if len(lengths) > 1 or 0 in lengths:
        rule = "must have the same number of samples, at least one"
        raise ValueError(f"data: arrays of lengths {sorted(lengths)} are not allowed: {rule}")
    return int(lengths.pop())


def _points(theta: Array, *others: Any) -> tuple[tuple[int, ...], list[Any]]:
    """Broadcast the leading axes of arrays; return these axes, and each array with one leading axis."""
    arrays = [np.asarray(array) for array in (theta, *others)]
    lead = np.broadcast_shapes(*(array.shape[:-1] for array in arrays))
    rows = [np.broadcast_to(array, (*lead, array.shape[-1])) for array in arrays]
    return lead, [row.reshape(-1, row.shape[-1]) for row in rows]


class JaxObjective(_Adapter):
    r"""A loss written in JAX.

    Parameters
    ----------
    loss : callable
        Maps parameters to a scalar.  Without ``parameters`` they are one JAX array of shape (n,).
    parameters : callable or tree, optional
        Maps a seed to initial parameters: any tree of arrays that JAX can flatten, in JAX's order.  ``loss``
        then receives such trees, and ``initial(seed)`` returns the flattened start.  A tree instead of a
        function has no ``initial``: ``flatten(tree)`` is a start.
    data : tree of arrays, optional
        Arrays with one row for each of N samples.  The loss is then ``loss(parameters, batch)``, where the
        batch has the same tree with some of the rows, and must be a mean over these rows (+ regularisation):
        the objective is a :class:`~idescent.objectives.protocol.FiniteSum`.
    dtype : {"float64", "float32"}
        Precision in which loss and derivatives are computed; results are float64 arrays.
    vmap : bool, optional
        Whether points are evaluated together by ``jax.vmap``, or one by one.  By default together without
        ``data``, for many points of a cheap loss; and one by one with ``data``, because products of many
        small matrices that differ from point to point are slow on a processor, and the activations of all
        points would be in memory.

    Notes
    -----
    With float64, enables JAX's 64-bit mode for the whole process: with JAX's default of 32 bits errors of a
    model below 1e-7 would be lost in rounding.  With float32 the loss is computed in JAX's default mode, as
    in a usual training loop.  A gradient then has a relative rounding error of about 1e-7 or more, and so has
    a solution; the solver's error estimate does not contain it.  Solve with ``rtol`` of 1e-6 or more: a
    solver that resolves the rounding of the gradient needs many times the work, or does not converge.

    Points that are evaluated together are padded to a power of two, because JAX compiles the loss for every
    number of points.  The loss is also compiled for every size of mini-batches.

    Raises
    ------
    ValueError
        If JAX is not installed, or an argument is not allowed.
    """

    _inserted = False

    def __init__(
        self,
        loss: Callable[..., Any],
        parameters: Callable[[int], Any] | Any | None = None,
        *,
        data: Any = None,
        dtype: Precision = "float64",
        vmap: bool | None = None,
    ) -> None:
        try:
            import jax
            import jax.experimental
        except ImportError as error:
            raise ValueError(f"JaxObjective: pip install 'idescent[jax]': {error}") from error
        if dtype == "float64":
            jax.config.update("jax_enable_x64", True)
        super().__init__(parameters, data, dtype)
        self._jax = jax
        self._data = None if data is None else jax.tree.map(self._rows, data)

        def mean(theta: Any, batch: Any) -> Any:
            tree = theta if self._tree is None else self._rebuilt(trees.split(theta, self._shapes))
            return loss(tree) if data is None else loss(tree, batch)

        def part(function: Callable[..., Any]) -> Callable[..., Any]:
            return lambda theta, rows, all_rows: function(
                theta, jax.tree.map(lambda leaf: leaf[rows], all_rows)
            )

        def product(theta: Any, direction: Any, batch: Any) -> Any:
            return jax.jvp(lambda point: gradient(point, batch), (theta,), (direction,))[1]

        def compiled(function: Callable[..., Any], *axes: int | None) -> Any:
            return jax.jit(jax.vmap(function, axes) if self._together else function)

        self._together = data is None if vmap is None else vmap
        gradient = jax.grad(mean)
        # The data are an argument: as a constant of the loss they would be compiled into it.
        self._value = compiled(mean, 0, None)
        self._gradient = compiled(gradient, 0, None)
        self._product = compiled(product, 0, 0, None)
        self._part_value = compiled(part(mean), 0, 0, None)
        self._part_gradient = compiled(part(gradient), 0, 0, None)

    def value(self, theta: Array) -> Array:
        """Return the loss, shape (...)."""
        return self._called(self._value, theta)

    def gradient(self, theta: Array) -> Array:
        """Return the gradient by reverse accumulation, shape (..., n)."""
        return self._called(self._gradient, theta)

    def hessian_vector(self, theta: Array, direction: Array) -> Array:
        """Return the Hessian times directions of the shape of ``theta``, forward over reverse."""
        return self._called(self._product, theta, np.asarray(direction, dtype=self._dtype))

    def _value_of(self, theta: Array, indices: Indices) -> Array:
        return self._called(self._part_value, theta, self._checked(indices))

    def _gradient_of(self, theta: Array, indices: Indices) -> Array:
        return self._called(self._part_gradient, theta, self._checked(indices))

    def _called(self, function: Callable[..., Any], theta: Array, *others: Any) -> Array:
        """Evaluate a compiled function at points (..., n)."""
        lead, arrays = _points(np.asarray(theta, dtype=self._dtype), *others)
        count = len(arrays[0])
        with self._precision():
            if self._together:
                # Padded by copies of the last point.
                rows = np.minimum(np.arange(1 << max(0, count - 1).bit_length()), count - 1)
                values = function(*(array[rows] for array in arrays), self._data)
            else:
                points = zip(*arrays, strict=True)
                values = np.stack([np.asarray(function(*point, self._data)) for point in points])
        result = np.asarray(values, dtype=np.float64)[:count]
        return result.reshape((*lead, *result.shape[1:]))

    def _precision(self) -> Any:
        """Return a context with 64 bits or without, whatever other objectives of the process need."""
        jax, wide = self._jax, self._dtype == np.float64
        # Before JAX 0.8 the context was experimental.
        context = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
        return context(wide)

    def _rows(self, leaf: Any) -> Any:
        array = np.asarray(leaf)
        with self._precision():
            return self._jax.numpy.asarray(array.astype(self._dtype) if array.dtype.kind == "f" else array)

    def _rebuilt(self, parts: Sequence[Any]) -> Any:
        return self._jax.tree.unflatten(self._jax.tree.structure(self._tree), parts)


class TorchObjective(_Adapter):
    r"""A loss written in PyTorch.

    Parameters
    ----------
    loss : callable
        Maps parameters to a scalar tensor.  Without ``parameters`` they are one tensor of shape (n,).
    dimension : int, optional
        Number of parameters n; None for any, or for that of ``parameters``.
    parameters : callable or tree, optional
        Maps a seed to initial parameters: a tensor, or a dictionary, list or tuple of tensors, in the order
        of insertion; for a module, ``dict(model.named_parameters())``.  ``loss`` then receives such trees
        (see ``torch.func.functional_call``), and ``initial(seed)`` returns the flattened start.  A tree
        instead of a function has no ``initial``: ``flatten(tree)`` is a start.
    data : tree of arrays or tensors, optional
        As in :class:`JaxObjective`.
    dtype : {"float64", "float32"}
        Precision in which loss and derivatives are computed; results are float64 arrays.

    Notes
    -----
    Points are evaluated one by one, because a loss with loops or branches may not accept batches.  See
    :class:`JaxObjective` for the precision that float32 leaves.

    Raises
    ------
    ValueError
        If PyTorch is not installed, or an argument is not allowed.
    """

    _inserted = True

    def __init__(
        self,
        loss: Callable[..., Any],
        dimension: int | None = None,
        parameters: Callable[[int], Any] | Any | None = None,
        *,
        data: Any = None,
        dtype: Precision = "float64",
    ) -> None:
        try:
            import torch
        except ImportError as error:
            raise ValueError(f"TorchObjective: pip install torch: {error}") from error
        super().__init__(parameters, data, dtype)
        if dimension is not None and self.dimension not in (None, dimension):
            raise ValueError(f"dimension: {dimension} is not allowed: the parameters have {self.dimension}")
        self.dimension = dimension or self.dimension
        self._torch, self._loss = torch, loss
        self._kind = torch.float64 if dtype == "float64" else torch.float32
        self._data_tree, self._data = data, None
        if data is not None:
            self._data = [self._rows(leaf) for leaf in trees.leaves(data, "data", inserted=True)]

    def value(self, theta: Array) -> Array:
        """Return the loss, shape (...)."""
        return self._each(self._at, theta)

    def gradient(self, theta: Array) -> Array:
        """Return the gradient by reverse accumulation, shape (..., n)."""
        return self._each(self._slope, theta)

    def hessian_vector(self, theta: Array, direction: Array) -> Array:
        """Return the Hessian times directions of the shape of ``theta``, reverse over reverse."""
        return self._each(self._bend, theta, direction)

    def _value_of(self, theta: Array, indices: Indices) -> Array:
        return self._each(self._at, theta, self._checked(indices))

    def _gradient_of(self, theta: Array, indices: Indices) -> Array:
        return self._each(self._slope, theta, self._checked(indices))

    def _at(self, point: Any, indices: Any = None) -> Any:
        """Return the loss at one point, over all samples or some."""
        tree = point if self._tree is None else self._rebuilt(trees.split(point, self._shapes))
        if self._data is None:
            return self._loss(tree)
        batch = self._data if indices is None else [leaf[indices] for leaf in self._data]
        return self._loss(tree, trees.rebuilt(self._data_tree, batch))

    def _slope(self, point: Any, indices: Any = None, create_graph: bool = False) -> Any:
        return self._torch.autograd.grad(self._at(point, indices), point, create_graph=create_graph)[0]

    def _bend(self, point: Any, direction: Any) -> Any:
        # A gradient that does not depend on the point has no graph to differentiate.
        slope = self._slope(point, create_graph=True)
        if not slope.requires_grad:
            return self._torch.zeros_like(point)
        return self._torch.autograd.grad(slope, point, direction, materialize_grads=True)[0]

    def _each(self, function: Callable[..., Any], theta: Array, *others: Any) -> Array:
        lead, arrays = _points(theta, *others)
        results = []
        for point, *more in zip(*arrays, strict=True):
            leaf = self._torch.tensor(point, dtype=self._kind, requires_grad=True)
            results.append(function(leaf, *(self._rows(other) for other in more)).detach().numpy())
        result = np.asarray(results, dtype=np.float64)
        return result.reshape((*lead, *result.shape[1:]))

    def _rows(self, leaf: Any) -> Any:
        tensor = self._torch.tensor(leaf) if isinstance(leaf, np.ndarray) else self._torch.as_tensor(leaf)
        return tensor.to(self._kind) if tensor.is_floating_point() else tensor

    def _rebuilt(self, parts: Sequence[Any]) -> Any:
        return trees.rebuilt(self._tree, parts)
