r"""Packs: the groups of cells that share a job, and the manifest of each job's files.

What lives here: the partition of a study's cells into packs, and the manifest that a job writes.  What does
not: the jobs themselves (:mod:`idescent.jobs.pack`), the paths of results (:mod:`idescent.study.cells`).

A job takes about a second before it computes anything, so that short cells share one.  The packing affects
the run time only: every cell has a file of its own, with the same bytes in every packing.

How packs are formed, for the cells of one objective and one optimizer:

1. All cells form one branch.  A branch that weighs at most the limit, or that is a single cell, is a pack.
2. A heavier branch with several learning rates is halved by learning rate.  The axis is
   :math:`u = (0.37 - \log_{10}\alpha)/10`, cut off to [0, 1); a branch at depth d is halved by the binary
   digit d of u after the point (d = 0, 1, ...).
3. A heavier branch with one learning rate is halved by the SHA-256 of the cells' folders, bit by bit.
4. The bits name the pack: ``a`` and those of the learning rate, then ``h`` and those of the hash; ``all`` if
   nothing was halved.

For example, nine cells at each of the learning rates 0.1, 0.03, 0.01, 0.003 and 0.001, at most four cells a
pack: the nine cells at 0.1 lie in the branch ``a0010`` (:math:`u = 0.137`, between 2/16 and 3/16), which is
halved by the hash into ``a0010h00``, ``a0010h01`` and ``a0010h1``.

The bits of a cell depend on that cell alone, not on other cells or on their order.  A cell that is added to a
study therefore changes only the pack into which it falls; all others keep their names and manifests.  The one
exception: the first cell with a second learning rate, in a branch that was halved by the hash, renames the
packs of that branch.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from idescent.store.files import refused, write_text

# At most so many bits of the learning rate are read.  Rates that agree in all of them differ by less than
# 1e-10 relatively, or are all below 10**-9.63; the hash separates their cells.
_MOST_RATE_BITS = 40

# For the estimate of time.  Equations that look ahead are solved again in each window until they agree.
_AHEAD = {("Paper", "AdaGrad"), ("Paper", "RMSProp")}
# Costs of other models relative to the paper's, whose equation for Adam does not look ahead.
_RELATIVE = {"ThirdOrder": 2.4, "SignFlow": 0.4, "Cattaneo": 0.5, "HerediaSecondOrder": 75.0}
# A leap, whatever its length, and the length of runs that are computed whole in less time.
_LEAP, _LONG = 0.09, 200_000


class Packable(Protocol):
    """The properties of a cell that the partition reads."""

    @property
    def alpha(self) -> float:
        """Learning rate."""

    @property
    def folder(self) -> str:
        """Folder of the cell, different from that of every other cell."""


C = TypeVar("C", bound=Packable)


@dataclass(frozen=True)
class _Leaf(Generic[C]):
    """A cell with its weight, the binary digits of its u, and the hash of its folder."""

    cell: C
    weight: float
    rate: int
    hash: int


def partition(cells: Sequence[C], weight: Callable[[C], float], limit: float) -> dict[str, list[C]]:
    """Divide cells into packs that weigh at most ``limit`` or are a single cell.

    Parameters
    ----------
    cells : sequence
    weight : callable
        Weight of a cell: its seconds, or 1.
    limit : float

    Returns
    -------
    dict of str to list
        Packs by name, the cells of each in the order of ``cells``.
    """
    packs: dict[str, list[C]] = {}

    def divide(branch: list[_Leaf[C]], rate_bits: str, hash_bits: str) -> None:
        if len(branch) == 1 or sum(leaf.weight for leaf in branch) <= limit:
            name = (f"a{rate_bits}" if rate_bits else "") + (f"h{hash_bits}" if hash_bits else "") or "all"
            packs[name] = [leaf.cell for leaf in branch]
            return
        several_rates = len({leaf.cell.alpha for leaf in branch}) > 1
        # Once a branch is halved by hash, so is everything below it: a name is read from left to right.
        by_rate = not hash_bits and several_rates and len(rate_bits) < _MOST_RATE_BITS
        depth = len(rate_bits if by_rate else hash_bits)
        halves: dict[str, list[_Leaf[C]]] = {"0": [], "1": []}
        for leaf in branch:
            # The first digit of u is the highest of the number, the first one of the hash the lowest.
            shift = _MOST_RATE_BITS - 1 - depth if by_rate else depth
            halves["1" if (leaf.rate if by_rate else leaf.hash) >> shift & 1 else "0"].append(leaf)
        for bit, half in halves.items():
            if half:
                divide(
                    half, rate_bits + bit if by_rate else rate_bits, hash_bits if by_rate else hash_bits + bit
                )

    if cells:
        rates = {alpha: _rate_digits(alpha) for alpha in {cell.alpha for cell in cells}}
        divide([_Leaf(cell, weight(cell), rates[cell.alpha], _hash(cell)) for cell in cells], "", "")
    return packs


def _hash(cell: Packable) -> int:
    return int.from_bytes(hashlib.sha256(cell.folder.encode()).digest(), "big")


def _rate_digits(alpha: float) -> int:
    """Return the first binary digits of u after the point (the module's docstring defines u)."""
    # The shift of 0.37 keeps 1, 2 and 5 times powers of ten off the borders between branches.
    u = min(max((0.37 - math.log10(alpha)) / 10.0, 0.0), 1.0 - 2.0**-50)
    return int(u * 2.0**_MOST_RATE_BITS)


def seconds(
    steps: int,
    parameters: int,
    solver: str | None,
    model: str = "",
    optimizer: str = "",
    *,
    leap: bool = False,
) -> float:
    """Return the estimated processor time of a discrete run (``solver`` None) or of a solution.

    The estimate decides which cells share a job and which job starts first; no result depends on it.  The
    benchmark ``estimates`` compares it with measured times.  It does not foresee solutions of Algorithm 4
    that do not converge, which take up to 50 times longer.

    Parameters
    ----------
    steps : int
        Iterations.
    parameters : int
        Number of parameters n.
    solver : str or None
        Class of the solver.
    model, optimizer : str
        Their classes.
    leap : bool
        Whether a leap may replace the run.

    Returns
    -------
    float
        Seconds.
    """
    size = 1.0 + parameters / 100.0
    if solver is None:
        return (_LEAP if leap and steps > _LONG else 6e-4 + 4e-8 * steps) * size
    if solver == "Picard":
        return (3.5e-3 + 5e-6 * steps) * size
    # Elements of a collocation grow with the smooth path: their number grows with the logarithm of the steps.
    decades = min(max(math.log10(steps), 1.0), 5.5) - 1.0
    if (model, optimizer) in _AHEAD:
        return 0.05 * (1.0 + 0.5 * decades) * size
    return 7e-3 * _RELATIVE.get(model, 1.0) * (1.0 + 0.8 * decades) * size


def study_folder(manifest: Path) -> Path:
    """Return the study's folder of ``<folder>/packs/<objective>/<optimizer>/<pack>/<name>.json``."""
    return manifest.parents[4]


def write_manifest(path: Path, files: Mapping[str, Path], statuses: Mapping[str, str]) -> None:
    """Write the manifest of a pack: size, digest and status of each file, and a checksum of the manifest.

    The same files and statuses give the same bytes.

    Parameters
    ----------
    path : path
    files : mapping of str to path
        The cells' files by their path below the study's folder.
    statuses : mapping of str to str
        The status in the report of each file, such as ``converged``.
    """
    entries = {
        name: {
            "bytes": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "status": statuses[name],
        }
        for name, file in files.items()
    }
    write_text(path, json.dumps({"cells": entries, "sha256": _checksum(entries)}, indent=1) + "\n")


def read_manifest(path: str | Path) -> dict[str, dict[str, Any]]:
    """Return a manifest's entries by file.

    Raises
    ------
    DamagedError
        If the content differs from the content as written; the message names the manifest.
    """
    try:
        manifest = json.loads(Path(path).read_text(encoding="utf-8"))
        entries: dict[str, dict[str, Any]] = manifest["cells"]
        if manifest["sha256"] != _checksum(entries):
            raise ValueError("its content does not match its checksum")
    except (ValueError, LookupError, TypeError) as error:
        raise refused(path, "manifest", error) from error
    return entries


def _checksum(entries: Mapping[str, Mapping[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


def files(manifests: Sequence[Path]) -> list[Path]:
    """Return the cells' files that manifests list, cell by cell.

    Each manifest lists one path of many cells (the discrete runs, or one solution).  Cells come in the order
    in which they first appear, the files of a cell in the order of the manifests.
    """
    listed = [study_folder(manifest) / name for manifest in manifests for name in read_manifest(manifest)]
    # Reversed, so that the first place of a folder overwrites the later ones.
    first_place = {file.parent: i for i, file in reversed(list(enumerate(listed)))}
    return sorted(listed, key=lambda file: first_place[file.parent])


def damaged(manifest: Path) -> list[Path]:
    """Return the files of a pack that are missing or damaged.

    A file with the listed size that is older than the manifest counts as sound without being read; hashing
    every file would make each start of the workflow slow.  Other files are hashed.

    Raises
    ------
    DamagedError
        If the manifest itself is damaged.
    """
    written = manifest.stat().st_mtime_ns
    return [
        file
        for name, entry in read_manifest(manifest).items()
        if not _sound(file := study_folder(manifest) / name, entry, written)
    ]


def _sound(file: Path, entry: Mapping[str, Any], written: int) -> bool:
    """Whether a file agrees with its entry; ``written`` is the manifest's modification time."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return False
    if status.st_size != entry["bytes"]:
        return False
    if status.st_mtime_ns <= written:
        return True
    # Newer than the manifest: changed, or copied and restored with a new date.
    return bool(hashlib.sha256(file.read_bytes()).hexdigest() == entry["sha256"])


def tally(statuses: Sequence[str]) -> str:
    """Return ``48 converged, 2 not converged``, the most frequent status first."""
    return ", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common())
