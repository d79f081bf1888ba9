"""Workers of the shared process run several jobs, and no job sees what an earlier one has changed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from waiting import until

from idescent.jobs.client import VARIABLES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a shared process on Linux only")

# A server whose jobs are Python programs that are executed in the worker.
SERVER = """
import os, sys, socket
from pathlib import Path
import matplotlib.backends.backend_pdf, matplotlib.backends.backend_svg
from idescent.jobs import shared_process, worker

def run(file, log):
    scope = {"worker": worker, "status": 0}
    exec(compile(file.read_text(), str(file), "exec"), scope)
    return scope["status"]

path = Path(sys.argv[1])
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(str(path))
listener.listen(9)
shared_process.serve(path, listener.detach(), [], run)
"""
CLIENT = (
    "import sys\nfrom idescent.jobs.client import delegate\n"
    "status = delegate(sys.argv[1], None)\nsys.exit(77 if status is None else status)\n"
)
PID = "import os, sys\nsys.stderr.write(str(os.getpid()))\n"
SLEEP = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
# Draws a figure with formulas, as the figures of a study do.
DRAW = """
from matplotlib.figure import Figure
from idescent.drawing.saving import save, styled
with styled():
    figure = Figure()
    axes = figure.subplots()
    axes.set(xscale="log", title=r"$\\alpha^{2} + \\beta_1$, NAME")
    axes.plot([1, 10, 1000 * len("NAME")], [0.1, 0.3, 0.2], label=r"$\\theta_k$")
    axes.legend()
    save(figure, [f"NAME.{suffix}" for suffix in ("pdf", "svg", "png")], "title", "caption")
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "server"
    folder.mkdir()
    monkeypatch.setenv(VARIABLES["drawing"], str(folder / "socket"))
    command = [sys.executable, "-c", SERVER, str(folder / "socket")]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        until((folder / "socket").exists)
        yield process
        process.stdin.close()
        assert process.wait(30) == 0


def client(code: str, folder: str = ".", **environment: str) -> subprocess.Popen[str]:
    file = Path(f"job{time.monotonic_ns()}.py").absolute()
    file.write_text(code)
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(file)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
    )


def job(code: str, folder: str = ".", **environment: str) -> tuple[int, str]:
    process = client(code, folder, **environment)
    error = process.communicate(timeout=60)[1]
    return process.returncode, error


def test_one_worker_runs_jobs_in_turn_and_two_run_them_at_a_time(server: subprocess.Popen[bytes]) -> None:
    assert len({job(PID) for _ in range(4)}) == 1
    wait = "import time\nfrom pathlib import Path\nPath(f'{os.getpid()}.busy').touch()\n"
    wait += "while len([*Path().glob('*.busy')]) < 2: time.sleep(0.01)\n"
    together = [client(PID + wait) for _ in range(2)]
    assert len({process.communicate(timeout=60)[1] for process in together}) == 2
    assert len(psutil.Process(server.pid).children()) == 2


def test_each_job_has_its_own_folder_environment_errors_and_warnings(server: subprocess.Popen[bytes]) -> None:
    Path("other").mkdir()
    code = PID + (
        "import warnings\nsys.stderr.write(f' {os.path.basename(os.getcwd())} {os.environ.get(\"ONE\")} ')\n"
        "os.environ['TWO'] = '2' if 'TWO' not in os.environ else 'seen'\n"
        "sys.stderr.write(os.environ['TWO'])\nwarnings.warn('careful')\nwarnings.simplefilter('ignore')\n"
    )
    first, second = job(code, "other", ONE="1")[1], job(code)[1]
    pid = first.split()[0]
    assert first.startswith(f"{pid} other 1 2")
    assert second.startswith(f"{pid} {Path.cwd().name} None 2")
    assert "UserWarning: careful" in first
    assert "UserWarning: careful" in second


@pytest.mark.parametrize(
    "change",
    [
        "import matplotlib\nmatplotlib.rcParams['lines.linewidth'] = 9",
        "from matplotlib import pyplot\npyplot.figure()",
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "import sys\nsys.path.insert(0, 'elsewhere')",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        "import numpy as np\nnp.random.seed(1)\nnp.seterr(all='ignore')",
        "import random\nrandom.seed(1)",
        "import sys\nsys.path.append('.')\nimport users\nsys.path.pop()",
        "worker.MOST_MEMORY = 1",
        "status = 3",
    ],
)
def test_a_job_that_leaves_a_change_ends_its_worker(server: subprocess.Popen[bytes], change: str) -> None:
    Path("users.py").write_text("")
    job("import numpy.random")
    status, changed = job(f"{PID}{change}")
    assert status == (3 if change == "status = 3" else 0)
    later = job(PID)
    assert later[0] == 0
    assert later[1] != changed


def test_an_exception_fails_its_job_only(server: subprocess.Popen[bytes]) -> None:
    status, error = job("raise RuntimeError('this job')")
    assert (status, error.splitlines()[-1]) == (1, "RuntimeError: this job")
    assert job(PID)[0] == 0


@pytest.mark.parametrize("victim", ["client", "worker", "idle worker"])
def test_a_kill_takes_no_other_job_along(server: subprocess.Popen[bytes], victim: str) -> None:
    worker = psutil.Process(int(job(PID)[1]))
    if victim == "idle worker":
        worker.kill()
    else:
        process = client(SLEEP)
        until(lambda: Path("pid").is_file() and Path("pid").read_text() == str(worker.pid))
        (process if victim == "client" else worker).kill()
        error = process.communicate(timeout=60)[1]
        assert ("was killed" in error) == (victim == "worker")
    until(lambda: not worker.is_running())
    status, pid = job(PID)
    assert status == 0
    assert int(pid) != worker.pid


def test_a_job_succeeds_although_the_process_is_killed_meanwhile(server: subprocess.Popen[bytes]) -> None:
    process = client("import time\nopen('begun', 'w').close()\ntime.sleep(0.5)\n")
    until(Path("begun").exists)
    server.kill()
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0
    server.wait(30)
    server.returncode = 0  # the fixture expects an orderly end


def test_idle_workers_end_with_the_process_even_if_it_is_killed(server: subprocess.Popen[bytes]) -> None:
    pause = "import time\ntime.sleep(0.5)\n"
    clients = [client(PID + pause) for _ in range(3)]
    pids = [int(process.communicate(timeout=60)[1]) for process in clients]
    workers = [psutil.Process(pid) for pid in sorted({*pids})]
    psutil.Process(server.pid).terminate()
    until(lambda: not any(process.is_running() for process in workers))
    server.wait(30)
    server.returncode = 0  # the fixture expects an orderly end


def test_a_figure_has_the_same_bytes_first_and_after_other_figures(server: subprocess.Popen[bytes]) -> None:
    contents, pids = [], []
    for names in (("one", "three", "seven"), ("seven", "three", "one")):
        for name in names:
            status, pid = job(PID + DRAW.replace("NAME", name))
            assert status == 0, pid
            pids.append(pid)
        files = (f"{name}.{suffix}" for name in sorted(names) for suffix in ("pdf", "svg", "png"))
        contents.append({file: Path(file).read_bytes() for file in files})
        job("status = 1")  # ends the worker: the next order begins with a new one
    assert contents[0] == contents[1]
    assert (len({*pids[:3]}), len({*pids[3:]}), len({*pids})) == (1, 1, 2)
