"""The processes that run jobs: what they share, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from waiting import until

from idescent.jobs import client, job_files, shared_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a shared process on Linux only")

# A module of a user's own, as a job's function may be: it says in which process it runs.
OWN = """
import os, sys, time
from pathlib import Path

def parent(task):
    task.outputs[0].write_text(f"{os.getpid()} {os.getppid()} {'decimal' in sys.modules}")
    return "done"

def wrong(task):
    raise ValueError("alpha: -1 is not allowed")

def write(task):
    from idescent.store.files import whole
    with whole(Path("big.txt")) as partial:
        partial.write_text("half")
        sleep(task)

def sleep(task):
    task.outputs[0].write_text(str(os.getpid()))
    time.sleep(60)
    return "done"
"""


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(client.VARIABLES["computing"], "")  # so that it is forgotten after the test
    Path("own.py").write_text(OWN)
    process = shared_process.start(["decimal"], "computing")
    assert process is not None
    until(Path(os.environ[client.VARIABLES["computing"]]).exists)
    yield process
    process.stdin.close()
    assert process.wait(30) == 0


def job(function: str) -> list[str]:
    content = {"name": "table", "function": f"own:{function}", "given": {}, "files": []}
    job_files.write(f"{function}.json", {**content, "code": "c", "plan": "", "output": [f"{function}.txt"]})
    return [
        sys.executable,
        "-m",
        "idescent.jobs.client",
        f"{function}.json",
        "--log",
        "log",
        "--shared",
        "computing",
    ]


def test_jobs_of_a_users_module_each_have_a_worker_that_has_imported(
    shared: subprocess.Popen[bytes],
) -> None:
    seen = set()
    for _ in range(2):
        outcome = subprocess.run(job("parent"), capture_output=True, text=True, check=True)
        assert outcome.stderr == "table: parent: done\n"
        own, parent, imported = Path("parent.txt").read_text().split()
        assert (int(parent), imported) == (shared.pid, "True")
        seen.add(own)
    assert len(seen) == 2


def test_a_failing_job_ends_as_in_a_process_of_its_own(shared: subprocess.Popen[bytes]) -> None:
    command = job("wrong")
    alone = subprocess.run(
        [sys.executable, "-m", "idescent", "job", "wrong.json"], capture_output=True, text=True
    )
    together = subprocess.run(command, capture_output=True, text=True)
    assert (together.returncode, together.stderr) == (alone.returncode, alone.stderr)
    assert together.stderr == "table: wrong: alpha: -1 is not allowed\n"


def started(command: list[str]) -> tuple[subprocess.Popen[str], psutil.Process]:
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    file = Path("sleep.txt")
    until(lambda: file.is_file() and file.read_text() != "")
    return process, psutil.Process(int(file.read_text()))


def test_a_job_that_is_killed_takes_its_child_along(shared: subprocess.Popen[bytes]) -> None:
    process, child = started(job("sleep"))
    assert child.ppid() == shared.pid
    process.kill()
    process.communicate()
    until(lambda: not child.is_running())


def test_a_job_that_is_killed_leaves_no_partial_file(shared: subprocess.Popen[bytes]) -> None:
    command = job("write")
    job_files.write("write.json", {**job_files.read(Path("write.json")), "output": ["sleep.txt"]})
    process, child = started(command)
    assert any("big.txt" in path.name for path in Path().iterdir())
    process.kill()
    process.communicate()
    until(lambda: not child.is_running())
    assert not any("big.txt" in path.name for path in Path().iterdir())


def test_a_shared_process_begins_with_one_thread_of_linear_algebra(shared: subprocess.Popen[bytes]) -> None:
    subprocess.run(job("parent"), check=True)  # after which it has begun
    assert psutil.Process(shared.pid).environ()["OPENBLAS_NUM_THREADS"] == "1"


def test_a_child_that_is_killed_is_a_failed_job(shared: subprocess.Popen[bytes]) -> None:
    process, child = started(job("sleep"))
    child.kill()
    assert process.communicate()[1] == "job sleep.json: its process was killed\n"
    assert process.returncode == 1


def test_without_the_process_a_job_runs_in_its_own(
    shared: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(client.VARIABLES["computing"], str(tmp_path / "nothing listens here"))
    subprocess.run(job("parent"), check=True)
    assert Path("parent.txt").read_text().split()[1] == str(os.getpid())


def test_the_process_and_its_socket_end_with_the_one_that_started_it(tmp_path: Path) -> None:
    code = (
        "import os, time\nfrom idescent.jobs import shared_process as s\n"
        "print(s.start([]).pid, os.environ['IDESCENT_SHARED_PROCESS'], flush=True)\ntime.sleep(60)\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    pid, path = starter.stdout.readline().split()
    until(Path(path).exists)
    process = psutil.Process(int(pid))
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    until(lambda: not Path(path).parent.exists() and not process.is_running())
