"""The benchmark of processor time counts every process, also those for which nobody waits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from suite import processes, projects

SECONDS = 0.4
BURN = f"""
import os, signal, subprocess, sys, time
def burn():
    while time.process_time() < {SECONDS}:
        pass
"""
CASES = {
    "itself": "burn()",
    "a child": "subprocess.run([sys.executable, '-c', CODE], check=True)",
    # As a worker of the shared process: Linux adds its time to no other process.
    "a forked worker of a parent that ignores its end": """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    burn()
    os._exit(0)
try:
    os.wait()
except ChildProcessError:
    pass
""",
    "an orphan": "subprocess.Popen([sys.executable, '-c', CODE])",
}


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are counted on Linux")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_time_of_every_process_is_counted_once(case, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"{BURN}\nCODE = {BURN + 'burn()'!r}\n{case}\n", encoding="utf-8")
    usage = processes.run([sys.executable, str(script)], tmp_path, {**os.environ})
    assert SECONDS <= usage.seconds < 2 * SECONDS
    assert sum(usage.shares.values()) == pytest.approx(usage.seconds)


def test_a_failed_command_is_no_measurement(tmp_path):
    with pytest.raises(RuntimeError, match="no luck"):
        processes.run([sys.executable, "-c", "import sys; sys.exit('no luck')"], tmp_path, {**os.environ})


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_the_memory_of_a_worker_for_which_nobody_waits_is_seen():
    worker = "held = bytearray(300_000_000); print('held', flush=True); input()"
    parent = f"""
import signal, subprocess, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
process = subprocess.Popen([sys.executable, "-c", {worker!r}])
process.wait()
"""
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        peaks = [projects.high_water(pid) for pid in projects.descendants(process.pid)]
        process.communicate("\n")
    assert 300_000_000 < 1024 * max(peaks) < 400_000_000
    assert projects.high_water(process.pid) == 0
