"""Two processes for the jobs of a run, one that computes and one that draws: each imports its libraries once.

What lives here: these processes, and how they are started.  What does not: how a job is handed to one
(:mod:`idescent.jobs.client`), the job itself (:mod:`idescent.jobs.command`), the loop of a worker
(:mod:`idescent.jobs.worker`).

Snakemake starts a process for each job.  Importing matplotlib, pandas and seaborn takes one to three seconds,
longer than drawing a figure; importing NumPy, Arrow and SciPy takes half a second, longer than most packs of
cells.  Therefore, for the jobs that draw or tabulate and for those that compute:

1. Before the first job, the session listens on a Unix socket and starts this module as a process, with the
   names of the modules of these jobs.  The process inherits the socket and imports these modules.  Jobs that
   come earlier wait.
2. A job sends its arguments, its folder, its environment and its standard error to the
   socket, and waits for the exit status.
3. The process passes the connection to an idle worker, or forks a new worker if none is idle: there are at
   most as many workers as jobs at a time.  A worker runs one job after another, because matplotlib's caches
   of formulas, fonts and ticks save a third of the time of a figure.

Snakemake still counts, repeats and interrupts each figure by itself.

Nothing outlives the run.  The process ends when the session's end of a pipe closes; a worker ends when the
process ends or when the socket of its job closes; both also happen when Snakemake or the job is killed.  A
job runs in its own process if there is no shared one: on a cluster's node, in a container, by hand, or
outside Linux (elsewhere, libraries may not survive a fork).

Sums in the linear algebra library depend on its number of threads, which is fixed when the library is loaded.
Each process therefore begins with one thread, as Snakemake starts each job.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from idescent.jobs import worker
from idescent.jobs.client import VARIABLES

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def start(modules: Iterable[str], kind: str = "drawing") -> subprocess.Popen[bytes] | None:
    """Start a process, and pass its address to the jobs; None where there can be none.

    Parameters
    ----------
    modules : iterable of str
        Modules to import.
    kind : {"computing", "drawing"}
    """
    if sys.platform != "linux":
        return None
    # Only this user may enter the folder: whoever can connect can run code.
    path = Path(tempfile.mkdtemp(prefix="idescent-"), "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen(socket.SOMAXCONN)
        number = listener.fileno()
        command = [sys.executable, "-m", "idescent", "job", str(path), "--serve", str(number), *modules]
        # Ctrl-C reaches the jobs; this process ends with the session.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[number],
            env={**os.environ, **dict.fromkeys(_THREADS, "1")},
        )
    os.environ[VARIABLES[kind]] = str(path)
    return process


def serve(path: Path, number: int, modules: Iterable[str], run: Callable[[Path, Path | None], int]) -> None:
    """Accept connections until standard input ends; pass each one to a worker.

    Parameters
    ----------
    path : path
        The socket; its folder is removed at the end.
    number : int
        File descriptor of the listening socket.
    modules : iterable of str
        Modules to import before the first request.
    run : callable
        ``run(file, log)``: run a job, return its exit status.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the workers
    idle: dict[socket.socket, bool] = {}  # by the socket to each worker
    try:
        with socket.socket(fileno=number) as listener:
            for module in modules:
                importlib.import_module(module)
            # Collections in the workers skip the libraries' objects, and do not copy their pages.
            gc.collect()
            gc.freeze()
            while True:
                ready, _, _ = select.select([sys.stdin, listener, *idle], [], [])
                if sys.stdin in ready:
                    return
                # Before the next request: a worker reports that it is idle before its job ends.
                for control in idle.keys() & set(ready):
                    _hear(control, idle)
                if listener in ready:
                    connection, _ = listener.accept()
                    with connection:
                        if not _pass_on(connection, idle):
                            _fork(connection, listener, idle, run)
    finally:
        shutil.rmtree(path.parent, ignore_errors=True)


def _hear(control: socket.socket, idle: dict[socket.socket, bool]) -> None:
    """Note that a worker is idle, or that it has ended."""
    try:
        message = control.recv(1)
    except OSError:  # it has ended with an unread connection
        message = b""
    if message:
        idle[control] = True
    else:
        del idle[control]
        control.close()


def _pass_on(connection: socket.socket, idle: dict[socket.socket, bool]) -> bool:
    """Pass a connection to an idle worker; return whether there was one."""
    for control in [control for control, free in idle.items() if free]:
        idle[control] = False
        try:
            socket.send_fds(control, [b"c"], [connection.fileno()])
        except OSError:  # it has been killed: select reports its end
            continue
        return True
    return False


def _fork(
    connection: socket.socket,
    listener: socket.socket,
    idle: dict[socket.socket, bool],
    run: Callable[[Path, Path | None], int],
) -> None:
    """Fork a worker, which begins with this connection."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        # A copy of the other workers' sockets would hide the end of this process from them.
        for inherited in (listener, here, *idle):
            inherited.close()
        worker.work(connection, there, run)
    there.close()
    idle[here] = False
