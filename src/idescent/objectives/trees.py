"""Trees of parameters as one vector.

What lives here: the order of the parameters, and their conversion to NumPy, for trees of arrays of JAX,
PyTorch or NumPy.  What does not: either library; neither is imported.

A tree is an array, or a dictionary, list, tuple or iterator of trees.  The vector has the leaves one after
the other, each in C order (last index fastest).  Lists, tuples and iterators keep their order.  Dictionaries
have the order of their library: sorted keys for JAX and NumPy, as in ``jax.flatten_util.ravel_pytree``;
the order of insertion for tensors of PyTorch, so that ``dict(model.named_parameters())`` and
``model.parameters()`` give the same vector.
"""

from __future__ import annotations

import math
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import shown


def leaves(tree: Any, name: str = "parameters", *, inserted: bool | None = None) -> list[Any]:
    """Return the arrays of a tree in the order of the vector.

    Parameters
    ----------
    tree : tree of arrays
    name : str
        First word of the messages.
    inserted : bool, optional
        Whether dictionaries have the order of insertion; by default, if the tree has tensors of PyTorch.

    Raises
    ------
    ValueError
        If a leaf is not an array, or the tree has none.
    """
    if isinstance(tree, Iterator):
        tree = list(tree)
    found = _inserted(tree)
    if inserted is None:
        inserted = any(_is_tensor(leaf) for leaf in found)
    if not inserted:
        # JAX also knows the containers of its libraries, which are no dictionaries or lists.
        jax = sys.modules.get("jax")
        found = _sorted(tree) if jax is None else jax.tree_util.tree_leaves(tree)
    for leaf in found:
        if not hasattr(leaf, "shape") and not isinstance(leaf, float):
            raise ValueError(f"{name}: {shown(leaf)} is not allowed: must be arrays, or a tree of arrays")
    if not found:
        raise ValueError(f"{name}: the tree has no arrays: must have at least one")
    return found


def flat(
    tree: Any, *, inserted: bool | None = None
) -> tuple[NDArray[np.floating[Any]], list[tuple[int, ...]]]:
    """Return the parameters of a tree as one new vector, and the shapes of its leaves.

    Parameters
    ----------
    tree : tree of arrays
    inserted : bool, optional
        As for :func:`leaves`.

    Returns
    -------
    vector : ndarray, shape (n,)
        In float32 if no leaf has more digits, and else in float64.
    shapes : list of tuple of int

    Raises
    ------
    ValueError
        If a leaf is not an array of floating-point numbers, or the tree has none.
    """
    arrays = [_array(leaf) for leaf in leaves(tree, inserted=inserted)]
    return np.concatenate([array.reshape(-1) for array in arrays]), [array.shape for array in arrays]


def rebuilt(tree: Any, new: Sequence[Any]) -> Any:
    """Return a tree of dictionaries, lists and tuples with other leaves, in the order of insertion."""
    return _rebuilt(tree, iter(new))


def _rebuilt(tree: Any, new: Iterator[Any]) -> Any:
    if isinstance(tree, Mapping):
        return {name: _rebuilt(value, new) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        values = [_rebuilt(value, new) for value in tree]
        return tuple(values) if isinstance(tree, tuple) else values
    return None if tree is None else next(new)


def split(theta: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """Divide vectors of any library, shape (..., n), into arrays of shape ``(..., *shape)``.

    Raises
    ------
    ValueError
        If n is not the number of parameters.
    """
    ends = list(accumulate((math.prod(shape) for shape in shapes), initial=0))
    if theta.ndim == 0 or theta.shape[-1] != ends[-1]:
        raise ValueError(f"theta: shape {tuple(theta.shape)} is not allowed: must be (..., {ends[-1]})")
    lead = theta.shape[:-1]
    return [
        theta[..., start:end].reshape((*lead, *shape))
        for (start, end), shape in zip(pairwise(ends), shapes, strict=True)
    ]


def _inserted(tree: Any) -> list[Any]:
    if isinstance(tree, Mapping):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        return [leaf for value in tree for leaf in _inserted(value)]
    return [] if tree is None else [tree]


def _sorted(tree: Any) -> list[Any]:
    if isinstance(tree, Mapping):
        # JAX keeps the order of an OrderedDict.
        names = tree if isinstance(tree, OrderedDict) else sorted(tree)
        tree = [tree[name] for name in names]
    if isinstance(tree, list | tuple):
        return [leaf for value in tree for leaf in _sorted(value)]
    return [] if tree is None else [tree]


def _is_tensor(leaf: Any) -> bool:
    return hasattr(leaf, "detach")


def _array(leaf: Any) -> NDArray[np.floating[Any]]:
    """Return a leaf as an array of float32 or float64, which may share its memory."""
    if _is_tensor(leaf):
        leaf = leaf.detach().cpu()
        # NumPy has no bfloat16.
        leaf = (leaf.float() if leaf.is_floating_point() and leaf.element_size() < 4 else leaf).numpy()
    array = np.asarray(leaf)
    if array.dtype in (np.float32, np.float64):
        return array
    # The type of JAX's bfloat16 is an extension of NumPy's, of kind V.
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise ValueError(f"parameters: {array.dtype} is not allowed: must be floating-point numbers")
    return array.astype(np.float32 if array.itemsize < 4 else np.float64)
