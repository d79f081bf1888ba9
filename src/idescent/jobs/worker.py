"""A worker of the shared process: it runs one job after another.

What lives here: the loop of a worker, and the check of the state that a job leaves.  What does not: the
choice of a worker (:mod:`idescent.jobs.shared_process`), the job itself (:mod:`idescent.jobs.command`).

The bytes of a result must not depend on earlier jobs of the same worker.  Each job has its own folder,
environment, standard error and filters of warnings.  A worker ends after a job that

- failed, or was interrupted,
- imported a user's module, which may change anything,
- left settings of matplotlib, open figures, signal handlers, threads or Python's search path changed, or
- needed much memory, which Python may not return to the system.

The next job then gets a new worker.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

MOST_MEMORY = 1 << 20
"""Peak memory in KiB; a worker that has needed more ends after its job."""


def work(
    connection: socket.socket, control: socket.socket, run: Callable[[Path, Path | None], int]
) -> NoReturn:
    """Run the job of a connection, then those of the connections that ``control`` receives; end this process.

    Parameters
    ----------
    connection : socket
        Connection to the first job; see :func:`idescent.jobs.shared_process.delegate`.
    control : socket
        Connection to the shared process.
    run : callable
        ``run(file, log)``: run a job, return its exit status.
    """
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        own_stderr = os.dup(2)
        while _answer(connection, control, own_stderr, run):
            # The frames of the job are gone: figures are reference cycles.
            gc.collect()
            _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not descriptors:  # the shared process has ended
                break
            connection = socket.socket(fileno=descriptors[0])
    finally:
        os._exit(0)


def _answer(
    connection: socket.socket,
    control: socket.socket,
    own_stderr: int,
    run: Callable[[Path, Path | None], int],
) -> bool:
    """Run the job of a connection and send its exit status; return whether this worker can run another."""
    status, reusable = 1, False
    done = threading.Event()
    watch = threading.Thread(target=_end_with, args=(connection, done), daemon=True)
    with connection:
        try:
            connection.send(b"t")  # taken: from here on, the end of the connection is a failure
            content, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 1)
            request = json.loads(content)
            os.dup2(descriptors[0], 2)
            os.close(descriptors[0])
            before, modules = _state(), {*sys.modules}
            threads = {*threading.enumerate(), watch}
            watch.start()
            os.chdir(request["folder"])
            os.environ.clear()
            os.environ.update(request["environment"])
            with warnings.catch_warnings():
                status = run(Path(request["file"]), request["log"] and Path(request["log"]))
            reusable = (
                status == 0
                and _state() == before
                and not _users(sys.modules.keys() - modules)
                and threads.issuperset(threading.enumerate())
                and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MOST_MEMORY
            )
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            # A reader of the job's standard error waits until no process has it open.
            os.dup2(own_stderr, 2)
            done.set()
            if reusable:
                with suppress(OSError):  # the shared process may have ended; the job has not failed
                    control.send(b"i")  # before the status, so that the next job finds this worker idle
            connection.send(bytes([status]))
        if reusable:
            connection.shutdown(socket.SHUT_RDWR)  # wakes the thread
            watch.join()
    return reusable


def _end_with(connection: socket.socket, done: threading.Event) -> None:
    """End this process when the job that waits for it has gone before it is done."""
    connection.recv(1)
    if not done.is_set():
        # os._exit executes no `finally`, so partial files are removed here.
        from idescent.store.files import remove_unfinished

        remove_unfinished()
        os._exit(1)


def _state() -> dict[str, Any]:
    """Return the settings of this process that a job may change for the next one."""
    state: dict[str, Any] = {
        "path": [*sys.path],
        "streams": (sys.stdout, sys.stderr, sys.excepthook),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "blocked": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "random": random.getstate(),
    }
    if "numpy.random" in sys.modules:
        import numpy as np

        state["numpy"] = (np.geterr(), np.get_printoptions(), repr(np.random.get_state(legacy=False)))
    if "matplotlib" in sys.modules:
        import matplotlib

        # Without the backend, which matplotlib chooses at its first use.
        items = dict.items(matplotlib.rcParams)
        state["matplotlib"] = {name: repr(value) for name, value in items if name != "backend"}
    pyplot = sys.modules.get("matplotlib.pyplot")
    state["figures"] = pyplot.get_fignums() if pyplot else []
    return state


def _users(modules: Iterable[str]) -> bool:
    """Whether one of these modules is a user's: neither of this package, nor installed, nor Python's."""
    for name in modules:
        first = name.partition(".")[0]
        if first == "idescent" or first in sys.stdlib_module_names:
            continue
        file = getattr(sys.modules[name], "__file__", None)
        # Modules without a file, as of a package without __init__.py, may be a user's too.
        if file is None or "site-packages" not in Path(file).parts:
            return True
    return False
