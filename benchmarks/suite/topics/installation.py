"""From a clone to the paper's report with `make`: time, distributions and size, against an earlier commit."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from suite.rows import Row, Spread
from suite.settings import ROOT, Settings
from suite.timing import seconds
from suite.topics import study_cost

TITLE = "Installation"
TEXT = """`make` in a fresh clone, from the first command to the report of the paper, with all cores. *warm*:
distributions are in the caches of pip and uv. *cold*: these caches are empty, so that the network counts.
*earlier*: the commit f9850d4, whose `make` installed what tests, lint and documentation need as well. Ratios
are those of the two commits in turns in one run."""

_COUNT = "import importlib.metadata as m; print(len({d.metadata['Name'] for d in m.distributions()}))"


def measure(settings: Settings) -> list[Row]:
    """Clone, install and run both commits, with warm and with empty caches."""
    commits = {"now": "HEAD"} if settings.quick else {"earlier": study_cost.COMMIT, "now": "HEAD"}
    if not study_cost.known():
        note = f"{study_cost.COMMIT} is not in this clone"
        return [Row("clone to report", "earlier", status="not measured", note=note)]
    rows = []
    with tempfile.TemporaryDirectory(dir=settings.scratch) as folder:
        caches = Path(folder, "caches")
        # With empty caches first: this run fills them for the other.
        for setting in ("cold", "warm"):
            measured = {}
            for method, commit in commits.items():
                if setting == "cold":
                    shutil.rmtree(caches, ignore_errors=True)
                measured[method] = _values(Path(folder, "clone"), commit, caches)
                settings.say(f"{setting}, {method}: {measured[method]['s'].median:.3g} s")
                if setting == "cold":
                    _keep(caches, Path(folder, "kept"))
            if setting == "cold":
                shutil.rmtree(caches)
                Path(folder, "kept").rename(caches)
            if "earlier" in measured:
                ratio = measured["now"]["s"].median / measured["earlier"]["s"].median
                measured["now"]["ratio to earlier"] = Spread.exact(ratio)
            rows += [Row("clone to report", method, setting, values=v) for method, v in measured.items()]
    return rows


def _values(clone: Path, commit: str, caches: Path) -> dict[str, Spread]:
    """Run `make` in a new clone of a commit; return its quantities."""
    shutil.rmtree(clone, ignore_errors=True)
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    environment |= {"PIP_CACHE_DIR": str(caches / "pip"), "UV_CACHE_DIR": str(caches / "uv")}

    def call() -> None:
        _run("git", "clone", "--quiet", str(ROOT), str(clone))
        _run("git", "-C", str(clone), "checkout", "--quiet", commit)
        _run("make", "-C", str(clone), environment=environment)

    elapsed = seconds(call)
    python = str(clone / ".venv/bin/python")
    count = int(subprocess.run([python, "-c", _COUNT], capture_output=True, text=True, check=True).stdout)
    size = sum(path.lstat().st_size for path in (clone / ".venv").rglob("*") if not path.is_dir())
    return {
        "s": Spread.exact(elapsed),
        "distributions": Spread.exact(count),
        "environment, MB": Spread.exact(size / 1e6),
    }


def _keep(caches: Path, kept: Path) -> None:
    """Add the files of the caches to those of the other commit."""
    shutil.copytree(caches, kept, dirs_exist_ok=True, symlinks=True)


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
