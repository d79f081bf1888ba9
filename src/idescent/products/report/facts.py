"""Where a report comes from: versions, digests, machine.

What lives here: facts about software, sources and machine.  No name of a host or of a person, no path and no
clock: the same results on the same machine make the same page.  What differs between machines is in one table
of its own (``machine``).
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from idescent import __version__

_PACKAGES = ("numpy", "scipy", "pyarrow", "matplotlib", "seaborn", "snakemake")


def versions() -> dict[str, str]:
    """Return the versions of this package and its dependencies; ``not installed`` where one is absent."""
    found = {"idescent": __version__, "Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, str]:
    """Return the facts that may differ between machines that make the same study."""
    system = f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}"
    return {"operating system": system.rstrip(" ,"), "processor": _processor()}


def made() -> str | None:
    """Return the day that ``SOURCE_DATE_EPOCH`` names; None if it is not set.

    Raises
    ------
    ValueError
        If it is not a whole number of seconds.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        return None
    if not given.isdecimal():
        raise ValueError(
            f"SOURCE_DATE_EPOCH: {given!r} is not allowed: must be seconds since 1970, as digits"
        )
    return datetime.fromtimestamp(int(given), UTC).strftime("%Y-%m-%d %H:%M UTC")


def digests_of(files: Iterable[Path]) -> list[str]:
    """Return the SHA-256 of each file."""
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def digest_of(digests: Iterable[str]) -> str:
    """Return the SHA-256 of files in their order, from that of each."""
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()


def codes(said: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Gather the source digests of runs and solutions, by the name of the path.

    Parameters
    ----------
    said : mapping
        Metadata of trajectory files, by file.
    """
    found: dict[str, set[str]] = {}
    for file, content in said.items():
        found.setdefault(Path(file).stem, set()).add(content["provenance"].get("code") or "not recorded")
    return {name: sorted(digests) for name, digests in found.items()}


def section(own: Mapping[str, str], inputs: str, by_path: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the content of the section on versions, digests and machine.

    Parameters
    ----------
    own : mapping of str to str
        Digests of the page's own code, by what it made; empty where none is recorded.
    inputs : str
        Digest of the files that the page is made from.
    by_path : mapping of str to list of str
        Digests of the code that made the runs and solutions, by the name of the path.
    """
    digests = [(name, code or "not recorded") for name, code in own.items()]
    digests += [(name, ", ".join(found)) for name, found in by_path.items()]
    digests.append(("what this page was made from (SHA-256 of the input files)", inputs))
    return {
        "versions": list(versions().items()),
        "digests": digests,
        "machine": list(machine().items()),
        "date": made(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or "not known"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
