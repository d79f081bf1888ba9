"""Origin of a report: versions, digests, machine.

What lives here: facts about software, code and machine.  They contain no name of a host or person, no path
and no clock time: equal results on one machine give equal pages.  Facts that differ between machines are in a
table of their own (``machine``).
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from idescent import __version__

_PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "matplotlib", "seaborn", "jinja2", "snakemake")


def versions() -> dict[str, str]:
    """Return the versions of this package and its dependencies; ``not installed`` for an absent one."""
    numbers = {"idescent": __version__, "Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            numbers[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            numbers[name] = "not installed"
    return numbers


def machine() -> dict[str, str]:
    """Return the facts that may differ between machines with the same study."""
    system = f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}"
    return {"operating system": system.rstrip(" ,"), "processor": _processor()}


def made() -> str | None:
    """Return the time of ``SOURCE_DATE_EPOCH`` in UTC; None if the variable is not set.

    Raises
    ------
    ValueError
        If it is not a whole number of seconds.
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if seconds is None:
        return None
    if not seconds.isdecimal():
        raise ValueError(
            f"SOURCE_DATE_EPOCH: {seconds!r} is not allowed: must be seconds since 1970, as digits"
        )
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M UTC")


def commit() -> dict[str, Any]:
    """Return the ``commit`` of the package's code, its ``date`` (UTC), and whether the code is ``changed``.

    The values are empty where the package is not part of a repository, as in an installed wheel, or where git
    is absent.  The date is that of the commit and not of the clock: the same commit and results give the same
    page.  New files that git does not ignore count as changes.
    """
    package = Path(__file__).parents[2]
    empty = {"commit": "", "date": "", "changed": False}
    # A folder of installed packages can be inside a repository of the user's own.
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return empty
    text = _git(package, "log", "-1", "--format=%h %ct", "--abbrev=12")
    if not text:
        return empty
    name, seconds = text.split()
    date = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d")
    changes = _git(package, "status", "--porcelain", "--", ".")
    return {"commit": name, "date": date, "changed": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    """Return the output of a git command; None if it fails or there is no git."""
    # Without optional locks, `git status` does not write to a repository that other jobs read.
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def digests_of(files: Iterable[Path]) -> list[str]:
    """Return the SHA-256 of each file."""
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def digest_of(digests: Iterable[str]) -> str:
    """Return the SHA-256 of a sequence of digests."""
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()


def codes(trajectories: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the digests of the code that made the trajectories, by the name of the path.

    Parameters
    ----------
    trajectories : mapping
        Metadata of trajectory files, by file.
    """
    digests: dict[str, set[str]] = {}
    for file, content in trajectories.items():
        digests.setdefault(Path(file).stem, set()).add(content["provenance"].get("code") or "not recorded")
    return {name: sorted(values) for name, values in digests.items()}


def section(own: Mapping[str, str], inputs: str, by_path: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the content of the section on versions, digests and machine.

    Parameters
    ----------
    own : mapping of str to str
        Digests of the report's own code, by the result of that code; empty where none is recorded.
    inputs : str
        Digest of the input files of the page.
    by_path : mapping of str to list of str
        Digests of the code that made the trajectories, as returned by :func:`codes`.
    """
    digests = [(name, code or "not recorded") for name, code in own.items()]
    digests += [(name, ", ".join(values)) for name, values in by_path.items()]
    digests.append(("input files of this page (SHA-256)", inputs))
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
