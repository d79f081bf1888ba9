"""The one data type that moves between stages, and its Parquet files.

What lives here: :class:`Trajectory`, :class:`Report`, and the only code of the package that reads or writes
Parquet.  Files carry the whole configuration of their cell and the report as JSON in their metadata, are
written whole or not at all, have the same bytes for the same content, and are refused if a bit of it changed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from idescent.common.numeric import is_whole
from idescent.store.files import plain, refused, whole
from idescent.store.seals import SEAL_KEY, sealed

Array = NDArray[np.float64]
Keep = int | Sequence[int] | NDArray[np.int64]

REFUSED = "refused"
"""Status of a solution that its model or solver does not offer: the message says why, no number exists."""

METADATA_KEY = b"idescent"
DIGEST_KEY = SEAL_KEY


@dataclass(frozen=True)
class Report:
    """What a run says about itself.

    Attributes
    ----------
    status : str
        ``completed`` or ``diverged`` for a discrete run; ``converged``, ``not converged``, ``diverged`` or
        ``refused`` for a solution, and for Algorithm 4 also ``smoothing exhausted`` and ``iteration limit``.
    message : str
        One line for a person.
    gradient_evaluations : int
        Points at which the gradient of the objective was taken.
    sweeps : int
        Fixed-point sweeps, over all windows of a solution.
    error_estimate : float
        Estimated sup-norm error of ``theta`` over the stored iterations; NaN where none is made.
    rtol, atol : float
        The tolerance asked for; NaN for a discrete run.
    diverged_at : int or None
        First iteration whose state is not finite.
    details : dict
        Further numbers of the method (windows, elements, residuals ...).
    """

    status: str
    message: str = ""
    gradient_evaluations: int = 0
    sweeps: int = 0
    error_estimate: float = math.nan
    rtol: float = math.nan
    atol: float = math.nan
    diverged_at: int | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the run ended as it should."""
        return ended_well(self.status)


def ended_well(*statuses: str) -> bool:
    """Whether every one of some statuses is that of a run that was completed or a solution that converged."""
    return all(status in ("completed", "converged") for status in statuses)


@dataclass(frozen=True)
class Trajectory:
    """A path of the parameters with its moments, discrete or continuous.

    It has r rows: one for every iteration k = 0 ... steps, or for those that were to be kept.

    Attributes
    ----------
    k : ndarray of int64, shape (r,)
        Iteration, from 0 to ``steps``.
    t : ndarray, shape (r,)
        Time, ``alpha * k``.
    theta : ndarray, shape (r, n)
        Parameters.  Rows from a divergence on are NaN.
    loss : ndarray, shape (r,)
        Objective at ``theta``.
    moments : dict of str to ndarray, shape (r, n) or (r, 1)
        The optimizer's moments under their own names: ``G``; ``v``; ``m`` and ``v``.
    report : Report
    """

    k: NDArray[np.int64]
    t: Array
    theta: Array
    loss: Array
    moments: dict[str, Array]
    report: Report

    @property
    def steps(self) -> int:
        """Number of iterations."""
        return int(self.k[-1])

    def rows(self, k: NDArray[np.int64]) -> Trajectory:
        """Return the trajectory with the rows of iterations ``k`` only, all of which it must have."""
        if np.array_equal(k, self.k):
            return self
        at = np.searchsorted(self.k, k)
        moments = {name: values[at] for name, values in self.moments.items()}
        return Trajectory(self.k[at], self.t[at], self.theta[at], self.loss[at], moments, self.report)

    def quantity(self, name: str) -> Array:
        """Return ``theta``, ``loss`` or a moment by name, shape (r, width)."""
        if name == "theta":
            return self.theta
        if name == "loss":
            return self.loss[:, None]
        return self.moments[name]


def kept(steps: int, keep: Keep | None) -> NDArray[np.int64]:
    """Return the iterations whose rows are stored.

    Parameters
    ----------
    steps : int
    keep : int or sequence of int or None
        Every how many-th (and the last); or which ones, increasing, from 0 to ``steps``; or all of them.

    Raises
    ------
    ValueError
        If ``keep`` is neither.
    """
    if keep is None:
        return np.arange(steps + 1, dtype=np.int64)
    if is_whole(keep) and keep >= 1:
        return np.append(np.arange(0, steps, keep, dtype=np.int64), np.int64(steps))
    k = np.asarray(keep)
    if k.ndim != 1 or k.dtype.kind not in "iu" or len(k) < 2 or (np.diff(k) <= 0).any():
        allowed = "must be an integer >= 1, or increasing iterations"
        raise ValueError(f"keep: {keep!r} is not allowed: {allowed}")
    if k[0] != 0 or k[-1] != steps:
        raise ValueError(f"keep: {k[0]} ... {k[-1]} is not allowed: must be from 0 to steps = {steps}")
    return k.astype(np.int64)


def reversals(run: Trajectory) -> int:
    """Count the iterations at which a discrete run chatters.

    A coordinate reverses at an iteration if its increments before and after have opposite signs.  Where it
    reverses at two successive iterations and more it goes to and fro with period two, which no solution of a
    differential equation does: such reversals are counted, others (an oscillation that the run resolves) are
    not, and neither are increments of the size of rounding.

    Returns
    -------
    int
        The largest count of all coordinates.
    """
    most = 0
    # Rows that are not stored tell nothing of the increments between.
    stored = np.diff(run.k) == 1
    for values in run.theta.T:
        with np.errstate(invalid="ignore", over="ignore"):
            steps = np.diff(values)
            rounding = 4.0 * np.finfo(np.float64).eps * np.abs(values[1:])
        signs = np.where(stored & np.isfinite(steps) & (np.abs(steps) > rounding), np.sign(steps), 0.0)
        turned = np.concatenate([[False], signs[1:] * signs[:-1] < 0.0, [False]])
        most = max(most, int((turned[1:-1] & (turned[2:] | turned[:-2])).sum()))
    return most


def assemble(
    theta: Array,
    loss: Array,
    moments: Mapping[str, Array],
    alpha: float,
    report: Report,
    k: NDArray[np.int64] | None = None,
) -> Trajectory:
    """Put a trajectory together, on the full grid k = 0 ... steps unless its iterations are given."""
    if k is None:
        k = kept(len(theta) - 1, None)
    return Trajectory(k, np.asarray(alpha * k, dtype=np.float64), theta, loss, dict(moments), report)


def write(
    path: str | Path, trajectory: Trajectory, cell: Mapping[str, Any], provenance: Mapping[str, Any]
) -> None:
    """Write a trajectory to a Parquet file, whole or not at all.

    Numbers of the report that are not finite are stored as null.  Its own fields come back as NaN then, those
    of its details as None.

    Parameters
    ----------
    path : path
        Target; its folder must exist.
    trajectory : Trajectory
    cell : mapping
        The whole configuration that made it.
    provenance : mapping
        Package version, source digest.
    """
    import pyarrow as pa

    values = {"k": trajectory.k, "t": trajectory.t, "theta": trajectory.theta, "loss": trajectory.loss}
    values |= trajectory.moments
    columns = {name: wrapped(column) for name, column in values.items()}
    report = plain(vars(trajectory.report))
    metadata = {"cell": dict(cell), "provenance": dict(provenance), "report": report}
    described = json.dumps(metadata, sort_keys=True).encode()
    schema = pa.schema(
        [pa.field(name, column.type, nullable=False) for name, column in columns.items()],
        metadata={METADATA_KEY: described, DIGEST_KEY: _digest(described, values)},
    )
    write_table(path, pa.Table.from_arrays(list(columns.values()), schema=schema))


def pyarrow_file(path: str | Path, mode: Literal["r", "w"] = "r") -> Any:
    """Open a file for pyarrow, which takes bytes only where a name is no UTF-8."""
    import pyarrow as pa

    return pa.OSFile(os.fsencode(path), mode)


def write_table(path: str | Path, table: Any) -> None:
    """Write a pyarrow table, whole or not at all: zstd, byte-stream split, page checksums, and a seal."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def numeric(type_: pa.DataType) -> bool:
        return bool(pa.types.is_floating(type_) or pa.types.is_integer(type_))

    split = [f.name for f in table.schema if numeric(f.type)]
    split += [f"{f.name}.list.element" for f in table.schema if pa.types.is_fixed_size_list(f.type)]
    if DIGEST_KEY not in (table.schema.metadata or {}):  # a trajectory has its own
        table = sealed(table)
    with whole(path) as partial, pyarrow_file(partial, "w") as target:
        pq.write_table(
            table,
            target,
            compression="zstd",
            use_dictionary=False,
            use_byte_stream_split=split,
            write_page_checksum=True,
            write_statistics=False,
        )


def read(path: str | Path) -> Trajectory:
    """Read a trajectory.

    Raises
    ------
    ValueError
        If the file is not a whole, undamaged trajectory; the message names it.
    """
    return read_with_metadata(path)[0]


def read_with_metadata(path: str | Path) -> tuple[Trajectory, dict[str, Any]]:
    """Read a trajectory and the metadata of its file (keys ``cell``, ``provenance``, ``report``)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not pq.read_table: it imports pandas.
        with pyarrow_file(path) as source, pq.ParquetFile(source, page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
        described = table.schema.metadata[METADATA_KEY]
        columns = {name: _values(table.column(name)) for name in table.column_names}
        if _digest(described, columns) != table.schema.metadata[DIGEST_KEY]:
            raise ValueError("its content is not what was written")
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError) as error:
        raise refused(path, "trajectory file", error) from error
    metadata: dict[str, Any] = json.loads(described)
    k = columns.pop("k")[:, 0]
    t, theta, loss = columns.pop("t")[:, 0], columns.pop("theta"), columns.pop("loss")[:, 0]
    fields: dict[str, Any] = {
        name: math.nan if value is None else value for name, value in metadata["report"].items()
    }
    fields["diverged_at"] = metadata["report"]["diverged_at"]
    return Trajectory(k, t, theta, loss, columns, Report(**fields)), metadata


def _digest(described: bytes, columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a digest of everything a file says: Parquet's page checksums leave out its footer."""
    digest = hashlib.sha256(described)
    for name, column in columns.items():
        rows = np.ascontiguousarray(column).reshape(len(column), -1)
        digest.update(f"{name} {rows.dtype} {rows.shape}".encode())
        digest.update(rows.data)
    return digest.hexdigest().encode()


def wrapped(values: NDArray[Any]) -> Any:
    """Wrap an array without a copy.  ``pa.array(ndarray)`` would import pandas, half a second a job."""
    import pyarrow as pa

    values = np.ascontiguousarray(values)
    flat = pa.Array.from_buffers(
        pa.int64() if values.dtype == np.int64 else pa.float64(), values.size, [None, pa.py_buffer(values)]
    )
    if values.ndim == 1 or values.shape[1] == 1:
        return flat
    element = pa.field("element", flat.type, nullable=False)
    return pa.FixedSizeListArray.from_arrays(flat, type=pa.list_(element, values.shape[1]))


def _values(column: Any) -> NDArray[Any]:
    """Unwrap an array without a copy.  ``to_numpy()``, too, would import pandas."""
    import pyarrow as pa

    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    if pa.types.is_fixed_size_list(array.type):
        width, array = array.type.list_size, array.flatten()
    else:
        width = 1
    types: dict[Any, type[np.generic]] = {pa.int64(): np.int64, pa.float64(): np.float64}
    flat = np.frombuffer(array.buffers()[1], types[array.type], count=array.offset + len(array))
    return flat[array.offset :].reshape(-1, width)
