"""A full disk, and one that cannot be written to: one clear line, nothing half-written, and on it goes.

The disk is a small file system in memory in a mount namespace of its own, which ends with the test.  That
takes root, or a kernel that lets users make namespaces; where there is neither, these tests fail and say so.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import faulty
import pytest
from faulty import TARGETS, make_slow
from projects import Outcome, Project, new_project

pytestmark = pytest.mark.workflow


def on_a_disk(project: Project, script: str) -> list[Outcome]:
    """Run a shell script with ``results`` on a disk of its own; return what each ``study`` in it said."""
    (project.folder / "results").mkdir(exist_ok=True)
    command = " ".join([*project.command, "--cores", "1", *TARGETS])
    functions = f'study() {{ {command} 2>&1 || echo "status $?"; echo "=== end"; }}\nset -e\n'
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            *([] if os.geteuid() == 0 else ["--map-root-user"]),
            "bash",
            "-c",
            functions + script,
        ],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (
        "this test mounts a small disk, for which it needs root or user namespaces: " + done.stderr
    )
    parts = done.stdout.split("=== end\n")[:-1]
    return [
        Outcome(int((re.findall(r"^status (\d+)$", part, re.MULTILINE) or ["0"])[0]), part) for part in parts
    ]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_slow(new_project(tmp_path / "project"), pause=0.0)


@pytest.fixture
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return faulty.completed(tmp_path_factory).project.contents()


@pytest.mark.parametrize("kilobytes", [4, 8, 32, 60, 120])
def test_a_full_disk_is_said_in_one_line_and_a_larger_one_completes_the_study(
    project: Project, expected: dict[str, bytes], kilobytes: int
) -> None:
    full, larger = on_a_disk(
        project,
        f"mount -t tmpfs -o size={kilobytes}k tmpfs results; study; cp -r results full\n"
        "mount -o remount,size=20m results; study; cp -r results larger\n",
    )
    assert full.status == 1
    said = [line for line in full.text.splitlines() if "No space left on device" in line]
    assert said, full.text
    assert "Traceback" not in full.text, full.text
    assert len(said) == len(set(said)) <= 2, full.text
    there = Project(project.folder / "full")
    assert list(there.folder.rglob("*.partial")) == []
    found = {str(file.relative_to(there.folder / "tiny")): file for file in there.folder.rglob("*.parquet")}
    assert all(file.read_bytes() == expected[name] for name, file in found.items())
    assert larger.status == 0, larger.text
    (project.folder / "results").rmdir()
    (project.folder / "larger").rename(project.folder / "results")
    assert project.contents() == expected


def test_a_folder_that_cannot_be_written_to_is_said_in_one_line(project: Project) -> None:
    empty, complete, changed = on_a_disk(
        project,
        "mount -t tmpfs -o size=20m,ro tmpfs results; study\n"
        "mount -o remount,rw results; study > /dev/null; mount -o remount,ro results; study\n"
        "sed -i 's/steps: 30/steps: 31/w changed' config/tiny.yaml; test -s changed; study\n",
    )
    for outcome, reason in ((empty, "Read-only file system"), (changed, "no job can run")):
        assert outcome.status == 1
        assert outcome.text.count(f"results/tiny cannot be written to: {reason}") == 1, outcome.text
        assert outcome.text.count("Read-only file system") <= 1, outcome.text
        assert "Traceback" not in outcome.text, outcome.text
    assert complete.status == 0
    assert "Nothing to be done" in complete.text
