"""Recording of training runs: trajectory files of loops that this package does not run.

What lives here: :class:`Recorder`, for loops in JAX, PyTorch or NumPy.  What does not: the order of the
parameters in a tree (:mod:`idescent.objectives.trees`), the format of the file
(:mod:`idescent.store.trajectories`), projections (:mod:`idescent.analysis.projections`).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from idescent.analysis.projections import Projection
from idescent.common.numeric import integer, is_number, is_whole, shown
from idescent.discrete.start import named
from idescent.objectives.trees import flat
from idescent.optimizers.layout import layout
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan
from idescent.store.trajectories import write
from idescent.trajectory import Report, Trajectory

# Libraries whose versions are stored, if the program has imported them.
_LIBRARIES = ("jax", "optax", "torch")


class Recorder:
    r"""A recorder of a training loop.

    Call it with the parameters *before* each update, and once more after the last one::

        with ide.Recorder("run.parquet", optimizer=ide.Adam(0.9, 0.999), alpha=1e-3, every=10) as recorder:
            for k, batch in enumerate(batches):
                loss = ...                                   # at the parameters and the batch of iteration k
                recorder(k, parameters, loss)
                ...                                          # the update
            recorder(steps, parameters, full_loss, keep=True)

    The file is that of a discrete run: ``idescent show`` and ``idescent compare`` take it, and ``idescent
    predict`` starts from its iteration 0, or from any stored one if the moments are recorded too.  Rows
    are in memory until :meth:`save` or :meth:`close` writes the file atomically.  If the loop raises an
    exception inside a ``with`` block, the file has the iterations until then.

    Parameters
    ----------
    path : path
        File to write, ``.parquet``; its folder must exist.
    optimizer : Optimizer, or mapping with ``class`` and ``arguments``
        Optimizer of the loop with its hyper-parameters; a mapping for one that this package does not have.
    alpha : float in (0, 1]
        Learning rate; time is :math:`t = \alpha k`.
    schedule : Schedule, optional
        Learning-rate schedule of the loop.
    objective : str, or mapping with ``class`` and ``arguments``, optional
        Class of the loss, ``module:Class`` or of this package.  A solution of ``idescent solve`` belongs to
        the recorded run if its objective has this class and these arguments.
    name : str
        Name of the loss in tables and figures, if ``objective`` is not given.
    theta0 : mapping ``{"seed": int}``, optional
        Seed from which the objective drew the start; by default the file names the start by its numbers, or
        by their projections.
    every : int, >= 1
        Store every iteration that is a multiple of it.  At others neither parameters nor loss are read, so
        that an accelerator need not wait.
    projections : int, >= 1, optional
        Store this number of random projections instead of the parameters.
    seed : int in [0, 2**64)
        Seed of the projections.
    batches : optional
        Description of the mini-batches, such as ``{"seed": 0, "size": 32}``: anything that JSON can store.

    Notes
    -----
    Memory: the stored rows, ``n`` numbers each, or ``projections`` numbers.  Parameters in float32 or float64
    are stored without loss, those with fewer bits as float32 numbers.

    Raises
    ------
    ValueError
        If an argument is not allowed, or the file cannot be written: at once, not after the training.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        optimizer: Optimizer | Mapping[str, Any],
        alpha: float,
        schedule: Any = None,
        objective: str | Mapping[str, Any] | None = None,
        name: str = "recorded loss",
        theta0: Mapping[str, int] | None = None,
        every: int = 1,
        projections: int | None = None,
        seed: int = 0,
        batches: Any = None,
    ) -> None:
        self.path = Path(path)
        _check_path(self.path)
        if not is_number(alpha) or not 0.0 < alpha <= 1.0:
            raise ValueError(f"alpha: {shown(alpha)} is not allowed: must be a number in (0, 1]")
        integer("every", every)
        if projections is not None:
            Projection(1, projections, seed)
        self._cell: dict[str, Any] = {
            "objective": _objective(objective, name),
            "optimizer": _spec("optimizer", optimizer),
            "alpha": float(alpha),
        }
        if schedule is not None:
            spec = _spec("schedule", schedule)
            self._cell["schedule"] = {"name": spec["class"].rpartition(":")[2], **spec}
        if theta0 is not None and (set(theta0) != {"seed"} or not is_whole(theta0["seed"])):
            raise ValueError(f'theta0: {shown(theta0)} is not allowed: must be {{"seed": an integer}}')
        self._theta0 = None if theta0 is None else {"seed": int(theta0["seed"])}
        self._optimizer = optimizer
        self._batches = _as_json("batches", batches)
        self._every, self._directions, self._seed = int(every), projections, seed
        self._projection: Projection | None = None
        self._shapes: list[tuple[int, ...]] = []
        self._latest, self._message, self._closed = -1, "", False
        self._k: list[int] = []
        self._theta: list[NDArray[Any]] = []
        self._loss: list[float] = []
        self._moments: dict[str, list[NDArray[np.float64]]] = {}
        self._widths: dict[str, int] = {}
        self._dtype = np.dtype(np.float32)

    def __call__(
        self,
        k: int,
        parameters: Any,
        loss: Any | Callable[[], Any],
        *,
        moments: Mapping[str, Any] | Callable[[], Any] | None = None,
        keep: bool = False,
    ) -> None:
        r"""Record the state after k updates.

        Parameters
        ----------
        k : int
            Iteration: 0 for the start, then increasing.
        parameters : array, tensor, tree or iterable of them
            :math:`\theta_k`, in the order of :mod:`idescent.objectives.trees`; copied.
        loss : float, scalar array or tensor, or function without arguments
            Loss at :math:`\theta_k`; a function is called at the stored iterations only.
        moments : mapping, named tuple, or function without arguments, optional
            The optimizer's moments after k updates, trees by name, not bias-corrected.  Names are those of
            this package, of ``torch.optim`` (``exp_avg``, ``exp_avg_sq``) or of ``optax`` (``mu``, ``nu``).
            At k = 0 they are not read: the optimizer's own initial values are stored.  With moments each
            stored iteration can be the start of a prediction.
        keep : bool
            Store this iteration even if it is no multiple of ``every``: the last one.

        Raises
        ------
        ValueError
            If k does not begin at 0 and increase, the number of parameters changes, or something is not a
            number; if moments are incomplete, or given with projections or for the optimizer of another
            package.
        """
        if self._closed:
            raise ValueError(f"recorder of {self.path}: it is closed")
        if not is_whole(k) or k <= self._latest:
            raise ValueError(f"k: {shown(k)} is not allowed: must be an integer >= {self._latest + 1}")
        if self._latest < 0 and k > 0:
            raise ValueError(f"k: {k} is not allowed: must begin at 0, with the start before any update")
        if k % self._every == 0 or keep:
            self._store(int(k), parameters, loss, moments)
        self._latest = int(k)

    def _store(self, k: int, parameters: Any, loss: Any, moments: Any) -> None:
        theta, shapes = flat(parameters)
        value = np.asarray(_number(loss() if callable(loss) else loss))
        if not self._k:
            self._shapes = shapes
            if self._directions is not None:
                self._projection = Projection(theta.size, self._directions, self._seed)
        if shapes != self._shapes:
            sizes = ", ".join(map(str, self._shapes[:4]))
            raise ValueError(
                f"parameters: {theta.size} in {len(shapes)} arrays are not allowed: "
                f"must have the shapes of k = 0, {sizes}{', ...' if len(self._shapes) > 4 else ''}"
            )
        values = self._named_moments(k, theta, moments)
        if self._k and values.keys() != self._moments.keys():
            rule = f"must be there at each stored iteration, as at k = {self._k[0]}, or at none"
            raise ValueError(f"moments: {list(values) or None} at k = {k} is not allowed: {rule}")
        for name, moment in values.items():
            self._moments.setdefault(name, []).append(moment)
        self._dtype = np.result_type(self._dtype, theta.dtype)
        self._theta.append(theta if self._projection is None else self._projection(theta))
        self._loss.append(float(value))
        self._k.append(k)

    def _named_moments(self, k: int, theta: NDArray[Any], moments: Any) -> dict[str, NDArray[np.float64]]:
        """Return the moments of a stored iteration by the names of the optimizer, each of shape (width,)."""
        if moments is None:
            return {}
        if self._projection is not None:
            raise ValueError("moments: not allowed with projections, from which no prediction can start")
        optimizer = self._optimizer
        if not isinstance(optimizer, Optimizer):
            raise ValueError(f"moments: not allowed for the optimizer {shown(optimizer)} of another package")
        if k == 0:
            plan = Plan(optimizer)
            # The layout tries the optimizer on vectors of this size: once, not at each stored iteration.
            initial = plan.starts(theta.astype(np.float64), np.zeros(theta.size), layout(plan, theta.size))
            self._widths = {name: initial[name].size for name in plan.memories}
            if not plan.starts_from_gradient:
                return {name: np.ravel(initial[name]) for name in plan.memories}
        vectors, _ = named(
            moments() if callable(moments) else moments,
            list(optimizer.memories()),
            lambda _, tree: flat(tree)[0].astype(np.float64),
            field="moments",
        )
        for name, value in vectors.items():
            # Without moments at k = 0 the caller refuses these.
            if value.size != self._widths.get(name, value.size):
                rule = f"must be {self._widths[name]}"
                raise ValueError(f"moments: {name!r}: {value.size} values are not allowed: {rule}")
        return vectors

    def trajectory(self) -> Trajectory:
        """Return the recorded run.

        Raises
        ------
        ValueError
            If fewer than two iterations are stored.
        """
        if len(self._k) < 2:
            raise ValueError(f"recorder of {self.path}: {len(self._k)} stored iterations: must be at least 2")
        k = np.array(self._k, dtype=np.int64)
        theta = np.stack(self._theta).astype(np.float64)
        loss = np.array(self._loss)
        moments = {name: np.stack(rows) for name, rows in self._moments.items()}
        finite = np.isfinite(theta).all(axis=1)
        diverged_at = None
        if not finite.all():
            first = int(np.argmin(finite))
            diverged_at = self._k[first]
            for values in (theta, loss, *moments.values()):
                values[first:] = np.nan
        details = {
            "recorded": True,
            "every": self._every,
            "dtype": self._dtype.name,
            "shapes": [list(shape) for shape in self._shapes],
            "batches": self._batches,
            "projection": None if self._projection is None else asdict(self._projection),
        }
        message = f"recorded{self._message}"
        if diverged_at is not None:
            message = f"not finite from the stored iteration {diverged_at} on; {message}"
        status = "completed" if diverged_at is None else "diverged"
        report = Report(status, message, diverged_at=diverged_at, details=details)
        return Trajectory(k, self._cell["alpha"] * k, theta, loss, moments, report)

    def save(self) -> None:
        """Write the iterations that are stored so far, for example at a checkpoint; the recording goes on."""
        from idescent import __version__

        run = self.trajectory()
        theta0 = self._theta0 or self._theta[0].astype(np.float64).tolist()
        libraries = {
            name: sys.modules[name].__version__ for name in _LIBRARIES if sys.modules.get(name) is not None
        }
        cell = {**self._cell, "theta0": theta0, "steps": run.steps}
        write(self.path, run, cell, {"version": __version__, "libraries": libraries})

    def close(self) -> None:
        """Write the file; the recorder takes no further iterations."""
        if not self._closed:
            self.save()
            self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._message = f" until {type(error).__name__}"
            if len(self._k) < 2:
                self._closed = True
        self.close()


def _number(loss: Any) -> Any:
    """Return a loss as a real number, also from a tensor that requires a gradient."""
    value = np.asarray(loss.detach().cpu() if hasattr(loss, "detach") else loss)
    if value.size != 1 or (value.dtype.kind not in "fiu" and value.dtype.name != "bfloat16"):
        raise ValueError(f"loss: {shown(loss)} is not allowed: must be one real number")
    return value.reshape(())


def _check_path(path: Path) -> None:
    if path.suffix != ".parquet":
        raise ValueError(f"path: {str(path)!r} is not allowed: must end in .parquet")
    if not path.parent.is_dir():
        raise ValueError(f"path: {str(path)!r} is not allowed: there is no folder {path.parent}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        reason = "it is a folder" if path.is_dir() else f"{path.parent} is write-protected"
        raise ValueError(f"path: {str(path)!r} is not allowed: {reason}")


def _objective(objective: str | Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    if objective is None:
        return {"name": name, "class": "RecordedLoss", "arguments": {"name": name}}
    spec = {"class": objective} if isinstance(objective, str) else dict(objective)
    checked = _spec("objective", {"arguments": {}, **spec})
    return {"name": checked["class"].rpartition(":")[2], **checked}


def _spec(kind: str, value: Any) -> dict[str, Any]:
    """Return ``{"class": ..., "arguments": {...}}`` of an object: the arguments that are no defaults."""
    if isinstance(value, Mapping):
        if set(value) != {"class", "arguments"} or not isinstance(value["class"], str):
            raise ValueError(f"{kind}: {shown(value)} is not allowed: must have class and arguments")
        return {"class": value["class"], "arguments": _as_json(kind, dict(value["arguments"]))}
    if not is_dataclass(value) or isinstance(value, type):
        raise ValueError(
            f"{kind}: {shown(value)} is not allowed: must be such as ide.Adam(0.9, 0.999), "
            'or {"class": name, "arguments": {...}}'
        )
    home = type(value).__module__
    name = type(value).__qualname__
    arguments = {
        field.name: _argument(kind, getattr(value, field.name))
        for field in fields(value)
        if field.default is MISSING or getattr(value, field.name) != field.default
    }
    return {"class": name if home.startswith("idescent.") else f"{home}:{name}", "arguments": arguments}


def _argument(kind: str, value: Any) -> Any:
    if is_dataclass(value):
        return _spec(kind, value)
    if isinstance(value, tuple) and kind == "optimizer":
        return "x".join(map(str, value))  # a shape, in the form that figures print
    return _as_json(kind, [_argument(kind, item) for item in value] if isinstance(value, tuple) else value)


def _as_json(name: str, value: Any) -> Any:
    """Return a value as JSON returns it, so that it equals what is read from the file."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {shown(value)} is not allowed: JSON cannot store it: {error}") from error
