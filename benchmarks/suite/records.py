"""A topic's rows on disk, whole or not at all, with the machine and the code that they are from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from idescent.store.files import write_text
from suite.rows import Row

ROOT = Path(__file__).resolve().parents[2]
TOPICS = ROOT / "benchmarks/suite/topics"
# Modules of the suite that only tell what was measured.
_TELLING = {"figures", "records", "report", "targets", "text"}
_PACKAGES = ("numpy", "scipy", "pyarrow", "matplotlib", "snakemake")


@dataclass(frozen=True)
class Record:
    """What one topic measured.

    Attributes
    ----------
    topic : str
    quick : bool
    code : str
        Digest of the package and of what measures the topic.
    began : str
        Date and time, UTC.
    seconds : float
    machine : dict
    left_out : list of str
        Peers that were not asked.
    rows : list of Row
    """

    topic: str
    quick: bool
    code: str
    began: str
    seconds: float
    machine: dict[str, Any]
    left_out: list[str]
    rows: list[Row]


def write(folder: Path, record: Record) -> None:
    """Write a record into a folder of records."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {**record.__dict__, "rows": [row.plain() for row in record.rows]}
    write_text(folder / f"{record.topic}.json", json.dumps(plain, indent=1, ensure_ascii=False) + "\n")


def read(folder: Path, topics: Sequence[str]) -> list[Record]:
    """Return the records that are there, in the order of the topics."""
    found = []
    for topic in topics:
        file = folder / f"{topic}.json"
        if file.is_file():
            plain = json.loads(file.read_text(encoding="utf-8"))
            found.append(Record(**{**plain, "rows": [Row.from_plain(row) for row in plain["rows"]]}))
    return found


def code(topic: str) -> str:
    """Return the digest of what a topic's rows depend on and is ours."""
    own = _with_imported(topic)
    total = hashlib.sha256()
    files = [*(ROOT / "requirements").glob("*.lock"), ROOT / "config/config.yaml"]
    for folder in ("src/idescent", "workflow", "benchmarks"):
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in sorted(files):
        if path.parent == TOPICS and path.stem not in (*own, "__init__"):
            continue
        if path.parent == TOPICS.parent and path.stem in _TELLING:
            continue
        if (
            path.suffix in (".py", ".c", ".smk", ".txt", ".lock", ".yaml", ".mplstyle")
            or path.name == "Snakefile"
        ):
            total.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return total.hexdigest()


def _with_imported(topic: str) -> set[str]:
    found, waiting = set(), {topic}
    while waiting:
        name = waiting.pop()
        found.add(name)
        text = (TOPICS / f"{name}.py").read_text(encoding="utf-8")
        waiting |= set(re.findall(r"^from suite\.topics\.(\w+) import", text, flags=re.M)) - found
    return found


def machine() -> dict[str, Any]:
    """Return what the numbers depend on beside the code: processor, compiler, versions, and the load."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "compiler": _first_line(["gcc", "--version"]),
        "versions": {name: metadata.version(name) for name in _PACKAGES},
        "load_before": os.getloadavg()[0],
        "commit": _first_line(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]),
    }


def now() -> str:
    """Return date and time, UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime())


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.M)
    if not found:
        return platform.processor() or "unknown"
    # Virtual machines call generations of a processor by one name.
    kinds = [re.search(rf"^{key}\s*:\s*(\d+)$", text, flags=re.M) for key in ("cpu family", "model")]
    family, model = (kind[1] if kind else None for kind in kinds)
    return found[1] if family is None else f"{found[1]} (family {family}, model {model})"


def _first_line(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "not there"
    return (done.stdout.splitlines() or ["not there"])[0]
