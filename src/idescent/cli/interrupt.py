"""Immediate exit on Ctrl-C, even during a long call into a library.

What lives here: the thread that ends the process if Python does not react.  What does not: the usual exit by
``KeyboardInterrupt`` (:func:`idescent.cli.main`).

Python handles a signal only between two of its own instructions.  It does not while a library compresses a
file or factorises a matrix, which may take minutes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

STATUS = 128 + signal.SIGINT

# Time in seconds in which Python may end by itself.
_PATIENCE = 0.5
_ending = threading.Lock()


def watch(name: str) -> None:
    """Start the thread that waits for Ctrl-C; call it in the main thread.

    Parameters
    ----------
    name : str
        Name of the program in the message.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    # The C-level handler writes the number of each signal to the pipe, even while Python code is blocked.
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(read_end, name), daemon=True).start()


def unwatch() -> None:
    """Let the command end by ``KeyboardInterrupt`` only, in its own time."""
    signal.set_wakeup_fd(-1)


def end(name: str) -> int:
    """Print once that the program was interrupted; return the exit status."""
    if _ending.acquire(blocking=False):
        sys.stderr.write(f"{name}: interrupted\n")
        sys.stderr.flush()
    return STATUS


def _listen(read_end: int, name: str) -> None:
    while signal.SIGINT not in os.read(read_end, 1):
        pass
    threading.Event().wait(_PATIENCE)
    # The process still runs.  os._exit executes no `finally`, so partial files are removed here.
    from idescent.store.files import remove_unfinished

    remove_unfinished()
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")  # erase the line of progress
    end(name)
    os._exit(STATUS)
