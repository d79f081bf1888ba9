"""Packs: which cells share a job, and how their results are found again.

What lives here: the partition of a study's cells into jobs, and the manifest that a job leaves behind.  What
does not: running anything (:mod:`idescent.jobs.pack`), the places of results (:mod:`idescent.study.cells`).

A job costs about a second before it computes anything, so that cells that take less share one.  Packs are how
a study is run, not what it is: every cell has a file of its own, whose bytes are the same in every packing.
The partition depends on the cells alone, not on their order: a pack is all cells of a branch of a binary
tree, over the learning rate first and over a hash of the cell below that.  Cells that are added to a grid
change no pack but those that they fall into.
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


class Packable(Protocol):
    """What the partition reads of a cell."""

    @property
    def alpha(self) -> float:
        """Learning rate."""

    @property
    def folder(self) -> str:
        """Folder, unlike that of any other cell."""


C = TypeVar("C", bound=Packable)


def partition(cells: Sequence[C], weight: Callable[[C], float], limit: float) -> dict[str, list[C]]:
    """Divide cells into packs that weigh at most ``limit``, or are one cell.

    Parameters
    ----------
    cells : sequence
    weight : callable
        Weight of a cell: its seconds, or 1.
    limit : float

    Returns
    -------
    dict of str to list
        Packs by name, the cells of each in the order given.  A name is the path to the branch: ``a`` and the
        bits of the learning rate, ``h`` and the bits of the hash; ``all`` for the whole tree.
    """
    packs: dict[str, list[C]] = {}

    def divide(branch: list[_Leaf[C]], rate: str, hashed: str) -> None:
        if len(branch) == 1 or sum(leaf.weight for leaf in branch) <= limit:
            name = (f"a{rate}" if rate else "") + (f"h{hashed}" if hashed else "") or "all"
            packs[name] = [leaf.cell for leaf in branch]
            return
        by_rate = not hashed and len({leaf.cell.alpha for leaf in branch}) > 1 and len(rate) < 40
        depth = len(rate if by_rate else hashed)
        halves: dict[str, list[_Leaf[C]]] = {"0": [], "1": []}
        for leaf in branch:
            halves[_rate_bit(leaf.cell.alpha, depth) if by_rate else _hash_bit(leaf.hash, depth)].append(leaf)
        for bit, half in halves.items():
            if half:
                divide(half, rate + bit if by_rate else rate, hashed if by_rate else hashed + bit)

    if cells:
        divide([_leaf(cell, weight(cell)) for cell in cells], "", "")
    return packs


@dataclass(frozen=True)
class _Leaf(Generic[C]):
    cell: C
    weight: float
    hash: int


def _leaf(cell: C, weight: float) -> _Leaf[C]:
    digest = hashlib.sha256(cell.folder.encode()).digest()
    return _Leaf(cell, weight, int.from_bytes(digest, "big"))


def _rate_bit(alpha: float, depth: int) -> str:
    # The shift keeps powers of ten, and twice and five times them, off the borders between branches.
    place = min(max((0.37 - math.log10(alpha)) / 10.0, 0.0), 1.0 - 2.0**-50)
    return str(int(place * 2.0 ** (depth + 1)) & 1)


def _hash_bit(value: int, depth: int) -> str:
    return str(value >> depth & 1)


def seconds(steps: int, parameters: int, solver: str | None) -> float:
    """Return the estimated time of a run (``solver`` None) or a solution on one core.

    Packs of cells that take a fraction of a second need no better guess than this.

    Parameters
    ----------
    steps : int
    parameters : int
        Number of parameters n.
    solver : str or None
        Class of the solver.
    """
    size = 1.0 + parameters / 100.0
    if solver is None:
        return (2e-3 + 1e-7 * steps) * size
    if solver == "Picard":
        return (0.02 + 1e-4 * steps) * size
    return (0.05 + 5e-7 * steps) * size


def study_folder(manifest: Path) -> Path:
    """Return the folder of the study with this manifest: ``<it>/packs/<objective>/<optimizer>/<pack>/``."""
    return manifest.parents[4]


def write_manifest(path: Path, files: Mapping[str, Path], statuses: Mapping[str, str]) -> None:
    """Write the manifest of a pack, for each file digest, size and status; same files, same bytes.

    Parameters
    ----------
    path : path
    files : mapping of str to path
        The cells' files by their path below the folder of the study.
    statuses : mapping of str to str
        What each says about itself.
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
        If it is not what was written; the message names it.
    """
    try:
        manifest = json.loads(Path(path).read_text(encoding="utf-8"))
        entries: dict[str, dict[str, Any]] = manifest["cells"]
        if manifest["sha256"] != _checksum(entries):
            raise ValueError("its content is not what was written")
    except (ValueError, LookupError, TypeError) as error:
        raise refused(path, "manifest", error) from error
    return entries


def _checksum(entries: Mapping[str, Mapping[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


def files(manifests: Sequence[Path]) -> list[Path]:
    """Return the cells' files that manifests name, cell by cell."""
    found = [study_folder(manifest) / name for manifest in manifests for name in read_manifest(manifest)]
    folders = {file.parent: i for i, file in reversed(list(enumerate(found)))}
    return sorted(found, key=lambda file: folders[file.parent])


def damaged(manifest: Path) -> list[Path]:
    """Return the files of a pack that are missing or damaged.

    A file that is older than the manifest and has its size is taken as sound; others are read.

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
    try:
        status = file.stat()
    except FileNotFoundError:
        return False
    if status.st_size != entry["bytes"]:
        return False
    if status.st_mtime_ns <= written:
        return True
    return bool(hashlib.sha256(file.read_bytes()).hexdigest() == entry["sha256"])


def tally(statuses: Sequence[str]) -> str:
    """Return ``48 converged, 2 not converged``, the most frequent first."""
    return ", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common())
