"""One iteration of any declared optimizer: parameters of its functions are matched by name.

What lives here: :class:`Plan`, which resolves and checks names.  What does not: shapes
(:mod:`idescent.optimizers.layout`), and the loop over iterations (:mod:`idescent.discrete.generic`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import shown
from idescent.optimizers.declared import DeclaredMemory, Recursion
from idescent.optimizers.optimizer import Optimizer

Array = NDArray[np.float64]
Values = dict[str, Any]
"""Values by name, during an iteration."""

RESERVED = ("gradient", "theta", "point", "k", "alpha", "direction")
# Number of iterations whose values interpolate a recursion between them.
_NEIGHBOURS = 8
_LAGRANGE = [math.prod(i - j for j in range(_NEIGHBOURS) if j != i) for i in range(_NEIGHBOURS)]
_COLUMNS = ("t", "loss", "square")
_OLD = "_old"


class Plan:
    """The declaration of an optimizer with every name resolved.

    Parameters
    ----------
    optimizer : Optimizer

    Attributes
    ----------
    memories : dict of str to DeclaredMemory
        In the order of their declaration.
    sources : dict of str to callable
        Functions that compute the source of each memory from values by name.
    asked : frozenset of str
        Names of the parameters of the step.

    Raises
    ------
    ValueError
        If a name is reserved, or a parameter of a function has an unknown name.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.owner = optimizer, type(optimizer).__name__
        if not callable(getattr(optimizer, "step", None)):
            raise ValueError(f"{self.owner}: there is no method step: define step(self, ...) that returns D")
        if optimizer.decay not in (None, "coupled", "decoupled"):
            rule = "must be 'coupled', 'decoupled' or None"
            raise ValueError(f"{self.owner}.decay: {optimizer.decay!r} is not allowed: {rule}")
        if optimizer.decay is not None and not hasattr(optimizer, "weight_decay"):
            raise ValueError(f"{self.owner}: decay is {optimizer.decay!r} but there is no field weight_decay")
        self.memories: dict[str, DeclaredMemory] = self._named("memories", DeclaredMemory)
        self._sequences = self._named("sequences", Recursion)
        shared = set(self.memories) & set(self._sequences)
        if shared:
            raise ValueError(f"{self.owner}: {min(shared)!r} is the name of a memory and of a sequence")
        self.coupled, self.decoupled = optimizer.coupled_decay, optimizer.decoupled_decay
        self.shape = None if optimizer.shape is None else tuple(int(size) for size in optimizer.shape)
        self._old: set[str] = set()
        self.sources: dict[str, Callable[[Values], Any]] = {}
        self._resolve()

    def _named(self, method: str, kind: type) -> dict[str, Any]:
        """Return the dict that a method of the optimizer returns, with its names checked."""
        try:
            declared = getattr(self.optimizer, method)()
        except Exception as error:  # a method of the user may raise anything
            kind_of_error = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            text = " ".join(str(error).split())
            raise ValueError(f"{self.owner}.{method}: {kind_of_error}{text}") from error
        if not isinstance(declared, Mapping):
            raise ValueError(
                f"{self.owner}.{method}: {shown(declared)} is not allowed: must be a dict by name"
            )
        for name, value in declared.items():
            if not (isinstance(name, str) and name.isidentifier()):
                raise ValueError(f"{self.owner}.{method}: {name!r} is not allowed: must be an identifier")
            if name in RESERVED or name in _COLUMNS or name.endswith(_OLD):
                raise ValueError(f"{self.owner}.{method}: the name {name!r} is reserved: choose another")
            if not (isinstance(value, kind) or (method == "sequences" and callable(value))):
                rule = "average(...), accumulate(...), total(...) or maximum(...)"
                rule = rule if method == "memories" else "a function or recursion(...)"
                raise ValueError(f"{self.owner}.{method}: {name} is {shown(value)}: must be {rule}")
        return dict(declared)

    def _resolve(self) -> None:
        """Convert each function of the declaration to a function of values by name."""
        numbers = ("k", *self._sequences)
        old_names, earlier = [f"{name}{_OLD}" for name in (*self.memories, "theta")], ["k"]
        self._next: list[tuple[str, Callable[[Values], Any]] | tuple[str, _Recursion]] = []
        for name, sequence in self._sequences.items():
            where = f"sequences {name!r}"
            if isinstance(sequence, Recursion):
                function = self._by_name(where, sequence.function, [*earlier, f"{name}{_OLD}"])
                self._next.append((name, _Recursion(name, sequence.start, function, self._next.copy())))
            else:
                self._next.append((name, self._by_name(where, sequence, earlier)))
            earlier.append(name)
        common = ["theta", "alpha", *self.memories, *numbers, *old_names]
        inside = ["gradient", "point", *common]
        self._before = [self._update(n, m, inside, numbers) for n, m in self._read("new")]
        self._after = [self._update(n, m, [*inside, "direction"], numbers) for n, m in self._read("old")]
        self.asked = frozenset(inspect.signature(self.optimizer.step).parameters)
        self._step = self._by_name("step", self.optimizer.step, inside)
        point, evaluate = self.optimizer.point, self.optimizer.evaluate
        self._point = None if point is None else self._by_name("point", point, common)
        self._evaluate = None if evaluate is None else self._by_name("evaluate", evaluate, common)
        self._starts = {
            name: self._by_name(f"memories {name!r}, start", memory.start, ["gradient", "theta"])
            for name, memory in self.memories.items()
            if callable(memory.start)
        }

    def _read(self, read: str) -> list[tuple[str, DeclaredMemory]]:
        return [(name, memory) for name, memory in self.memories.items() if memory.read == read]

    def _by_name(self, where: str, function: Any, allowed: Sequence[str]) -> Callable[[Values], Any]:
        """Return a function of values by name that calls ``function`` with those its parameters name."""
        names = []
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            raise ValueError(f"{self.owner}.{where}: {shown(function)} has no readable signature") from None
        for parameter in parameters:
            if parameter.name in allowed and parameter.kind is not parameter.KEYWORD_ONLY:
                names.append(parameter.name)
            elif parameter.default is parameter.empty:
                rule = f"must be one of {', '.join(allowed)}"
                raise ValueError(f"{self.owner}.{where}: parameter {parameter.name!r} is unknown: {rule}")
            else:
                break
        old = {name.removesuffix(_OLD) for name in names if name.endswith(_OLD)}
        self._old |= old & {"theta", *self.memories}
        if not names:
            return lambda values: function()
        if len(names) == 1:
            (only,) = names
            return lambda values: function(values[only])
        arguments = itemgetter(*names)
        return lambda values: function(*arguments(values))

    def _update(
        self, name: str, memory: DeclaredMemory, allowed: Sequence[str], numbers: Sequence[str]
    ) -> Callable[[Values], None]:
        """Return a function that updates a memory in a dict of values."""
        where, squares, beta, kind = f"memories {name!r}", self.squares, memory.beta, memory.kind
        if memory.of == "gradient":
            source: Callable[[Values], Any] = itemgetter("gradient")
        elif memory.of == "square":
            source = lambda values: squares(values["gradient"])  # noqa: E731
        else:
            source = self._by_name(f"{where}, of", memory.of, allowed)
        self.sources[name] = source
        decay = self._by_name(f"{where}, beta", beta, numbers) if callable(beta) else None
        gain = memory.gain if decay is None else 1.0

        def update(values: Values) -> None:
            old, new = values[name], source(values)
            if decay is not None:
                rate = decay(values)
                new = (1.0 - rate) * new if kind == "average" else new
                values[name] = np.maximum(rate * old, new) if kind == "maximum" else rate * old + new
            elif kind == "average":
                values[name] = beta * old + gain * new
            elif kind == "maximum":
                values[name] = np.maximum(beta * old, new)
            else:
                values[name] = (old if kind == "sum" else beta * old) + new

        return update

    def squares(self, gradient: Array) -> Array:
        """Return the square, by coordinate or norm, of a gradient in the shape of the parameters."""
        if self.shape is None or not self.optimizer.norm:
            return self.optimizer.squares(gradient)
        axes = tuple(range(-len(self.shape), 0))
        return (gradient * gradient).sum(axis=axes, keepdims=True)  # type: ignore[no-any-return]

    def continued(self, k: Array) -> Values:
        """Return ``k`` and the smoothly continued sequences, at any real numbers ``k``."""
        values: Values = {"k": k}
        for name, function in self._next:
            values[name] = function.continued(k) if isinstance(function, _Recursion) else function(values)
        return values

    def place(self, values: Values, k: int, alpha: float) -> Array:
        """Set ``k``, ``alpha`` and the sequences of an iteration; return the point of the gradient."""
        values["k"], values["alpha"] = k, alpha
        for name, function in self._next:
            values[name] = function(values)
        return self.locate(values)

    def locate(self, values: Values) -> Array:
        """Set and return the point of the gradient; ``values`` has ``k``, ``alpha`` and the sequences."""
        if self._point is None and self.shape is None:
            point = values["point"] = values["theta"]
            return point  # type: ignore[no-any-return]
        for name in self._old:
            values[f"{name}{_OLD}"] = values[name]
        values["point"] = values["theta"] if self._point is None else self._point(values)
        return self.flat(values["point"])

    def remember(self, values: Values, gradient: Array) -> None:
        """Set the gradient and update the memories declared with ``read="new"``.

        Parameters
        ----------
        values : dict
            After :meth:`place`.
        gradient : ndarray, shape (..., n)
            Gradient of the objective at the point, a new array.
        """
        if self.shape is not None:
            gradient = gradient.reshape(gradient.shape[:-1] + self.shape)
        if self.coupled:
            gradient = gradient + self.coupled * values["point"]
        values["gradient"] = gradient
        for name in self._old:
            values[f"{name}{_OLD}"] = values[name]
        for update in self._before:
            update(values)

    def advance(self, values: Values, gradient: Array) -> None:
        """Complete the iteration that :meth:`place` began: update the memories and theta."""
        self.remember(values, gradient)
        direction = values["direction"] = self._step(values)
        theta, rate = values["theta"], values["alpha"]
        if self.decoupled:
            values["theta"] = (1.0 - rate * self.decoupled) * theta - rate * direction
        else:
            values["theta"] = theta - rate * direction
        for update in self._after:
            update(values)

    def direction(self, values: Values) -> Any:
        """Return D, computed from values by name."""
        return self._step(values)

    def evaluated(self, values: Values) -> Array:
        """Return the iterate that is stored, shape (..., n)."""
        return self.flat(values["theta"] if self._evaluate is None else self._evaluate(values))

    def flat(self, value: Any) -> Array:
        """Return a value in the shape of the parameters with shape (..., n)."""
        if self.shape is None:
            return value  # type: ignore[no-any-return]
        return value.reshape((*value.shape[: value.ndim - len(self.shape)], -1))  # type: ignore[no-any-return]

    def starts(self, theta: Array, gradient: Array, dims: Mapping[str, tuple[int, ...]]) -> Values:
        """Return the values before the first iteration.

        Parameters
        ----------
        theta, gradient : ndarray, shape (..., n)
            Initial values; the gradient is used only if the start of a memory depends on it.
        dims : mapping of str to tuple of int
            Shapes of the memories of one run, from :func:`idescent.optimizers.layout.layout`.

        Raises
        ------
        ValueError
            If the start of a memory is not finite or has another shape.
        """
        lead = theta.shape[:-1]
        if self.shape is not None:
            theta, gradient = (x.reshape(lead + self.shape) for x in (theta, gradient))
        values: Values = {"theta": theta, "alpha": math.nan, "k": 0}
        initial = {"gradient": gradient, "theta": theta}
        for name, memory in self.memories.items():
            start = self.begin(name, initial) if name in self._starts else memory.start
            array = np.asarray(start, dtype=np.float64)
            try:
                array = np.array(np.broadcast_to(array, lead + dims[name]))
            except ValueError:
                text = f"start has shape {array.shape}: must be {dims[name]}, that of the source"
                raise ValueError(f"{self.owner}.memories {name!r}: {text}") from None
            if not np.isfinite(array).all():
                raise ValueError(f"{self.owner}.memories {name!r}: start is not finite: {shown(start)}")
            values[name] = array
        return values

    def begin(self, name: str, values: Values) -> Any:
        """Return the start of a memory that is declared as a function."""
        return self._starts[name](values)

    @property
    def starts_from_gradient(self) -> bool:
        """Whether the start of a memory depends on the initial gradient."""
        starts = [memory.start for memory in self.memories.values() if callable(memory.start)]
        return any("gradient" in inspect.signature(start).parameters for start in starts)


class _Recursion:
    """A sequence by recursion, computed one iteration after the other."""

    def __init__(
        self,
        name: str,
        start: float,
        function: Callable[[Values], Any],
        before: Sequence[tuple[str, Any]],
    ) -> None:
        self.name, self.start, self.function, self.before = name, start, function, before
        self.k, self.value = 0, start
        self._known = self._table = np.array([start])
        self._logarithm = self._settled = False

    def continued(self, k: Array) -> Array:
        """Return the sequence at any real numbers ``k``, by polynomials through eight neighbours."""
        last = max(0, math.ceil(float(np.max(k)))) + _NEIGHBOURS
        if len(self._table) <= last and not self._settled:
            self._extend(2 * last)
        count = len(self._table)
        x = np.clip(np.asarray(k, dtype=np.float64), 0.0, count - 1.0)
        first = np.clip(np.floor(x).astype(np.int64) - _NEIGHBOURS // 2 + 1, 0, count - _NEIGHBOURS)
        away = [x - first - i for i in range(_NEIGHBOURS)]
        value, left = np.zeros_like(x), np.ones_like(x)
        right = [np.ones_like(x)]
        for distance in away[:0:-1]:
            right.append(right[-1] * distance)
        for i, (distance, beyond) in enumerate(zip(away, reversed(right), strict=True)):
            value += self._table[first + i] * left * beyond / _LAGRANGE[i]
            left = left * distance
        return np.exp(value) if self._logarithm else value

    def _extend(self, last: int) -> None:
        """Compute the sequence up to an iteration, or until it no longer changes."""
        sequence = list(self._known)
        while len(sequence) <= max(last, 2 * _NEIGHBOURS) and not self._settled:
            sequence.append(float(self({"k": len(sequence)}, sequences=True)))
            # The sequence vanishes beside 1, or is constant.
            late, vanishes = len(sequence) > 2 * _NEIGHBOURS, 0.0 < abs(sequence[-1]) < 1e-250
            self._settled = late and (vanishes or len(set(sequence[-_NEIGHBOURS:])) == 1)
        values = self._known = np.array(sequence)
        self._logarithm = bool((values > 0.0).all())
        self._table = np.log(values) if self._logarithm else values

    def __call__(self, values: Values, *, sequences: bool = False) -> float:
        k = values["k"]
        if k < self.k:
            self.k, self.value = 0, self.start
        while self.k < k:
            self.k += 1
            known: Values = values if self.k == k and not sequences else {"k": self.k}
            if known is not values:
                for name, function in self.before:
                    known[name] = function(known)
            known[f"{self.name}{_OLD}"] = self.value
            self.value = self.function(known)
        return self.value
