"""One process for the tables and figures of a run: it imports their libraries once.

What lives here: that process, how it is started, and how a job is handed to it.  What does not: the job
itself (:mod:`idescent.jobs.command`).

Snakemake starts a process for each job.  Importing matplotlib, pandas and seaborn takes one to three seconds,
longer than drawing a figure.  Therefore:

1. Before the first job, the session listens on a Unix socket and starts this module as a process, with the
   names of the modules that draw and tabulate.  The process inherits the socket and imports these modules.
   Jobs that come earlier wait.
2. A job with ``--shared`` sends its arguments, its folder, its environment and its standard error to the
   socket, and waits for the exit status.
3. The process forks.  The child runs the job as the job's own process would, and ends.

Forking keeps jobs apart: no job sees a style or a warning filter that another one has set, and several run at
a time.  Snakemake still counts, repeats and interrupts each figure by itself.

Nothing outlives the run.  The process ends when the session's end of a pipe closes, a child ends when the
socket of its job closes; both also happen when Snakemake or the job is killed.  A job runs in its own
process if there is no shared one: on a cluster's node, in a container, by hand, or outside Linux (elsewhere,
libraries may not survive a fork).
"""

from __future__ import annotations

import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

VARIABLE = "IDESCENT_SHARED_PROCESS"


def start(modules: Iterable[str]) -> subprocess.Popen[bytes] | None:
    """Start the process, and tell jobs where it listens; None where there can be none.

    Parameters
    ----------
    modules : iterable of str
        Modules to import.
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
        process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, pass_fds=[number])
    os.environ[VARIABLE] = str(path)
    return process


def delegate(file: Path, log: Path | None) -> int | None:
    """Have the shared process run a job; return its exit status.

    None means that no shared process has taken the job: it must run here.
    """
    path = os.environ.get(VARIABLE)
    if path is None:
        return None
    request = {
        "file": str(file),
        "log": log and str(log),
        "folder": str(Path.cwd()),
        "environment": {**os.environ},
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        try:
            connection.connect(path)
            socket.send_fds(connection, [json.dumps(request).encode()], [2])
            taken = connection.recv(1)
        except OSError:  # it has ended, or the environment is too long
            return None
        if not taken:  # it has ended before it could fork
            return None
        status = connection.recv(1)
    if not status:
        sys.stderr.write(f"job {file}: its process was killed\n")
        return 1
    return status[0]


def serve(path: Path, number: int, modules: Iterable[str], run: Callable[[Path, Path | None], int]) -> None:
    """Accept connections until standard input ends; fork for each request.

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
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    try:
        with socket.socket(fileno=number) as listener:
            for module in modules:
                importlib.import_module(module)
            while True:
                ready, _, _ = select.select([sys.stdin, listener], [], [])
                if sys.stdin in ready:
                    return
                connection, _ = listener.accept()
                with connection:
                    if os.fork() == 0:
                        _answer(connection, run)
    finally:
        shutil.rmtree(path.parent, ignore_errors=True)


def _answer(connection: socket.socket, run: Callable[[Path, Path | None], int]) -> NoReturn:
    """Run the request, send its exit status, and end this process."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection.send(b"t")  # taken: from here on, the end of the connection is a failure
        content, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 1)
        request = json.loads(content)
        os.dup2(descriptors[0], 2)
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        status = run(Path(request["file"]), request["log"] and Path(request["log"]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        try:
            connection.send(bytes([status]))
        finally:
            os._exit(0)


def _end_with(connection: socket.socket) -> None:
    """End this process when the job that waits for it has gone."""
    connection.recv(1)
    os._exit(1)
