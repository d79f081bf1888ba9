"""How a program ends on Ctrl-C: at once, whatever it is in the middle of.

What lives here: the thread that ends it where Python does not.  What does not: the usual end, by
``KeyboardInterrupt`` (:func:`idescent.cli.main`).

Python hears a signal between two of its own instructions only: not while a library compresses a file or
factorises a matrix, which may take minutes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

STATUS = 128 + signal.SIGINT

# Seconds that Python has to end by itself.
_PATIENCE = 0.5
_ending = threading.Lock()


def watch(name: str) -> None:
    """Begin to listen for Ctrl-C, in the main thread; ``name`` is what to call the program."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(heard, name), daemon=True).start()


def end(name: str) -> int:
    """Say that the program is interrupted, once; return its exit status."""
    if _ending.acquire(blocking=False):
        sys.stderr.write(f"{name}: interrupted\n")
        sys.stderr.flush()
    return STATUS


def _listen(heard: int, name: str) -> None:
    while signal.SIGINT not in os.read(heard, 1):
        pass
    threading.Event().wait(_PATIENCE)
    # Still here: what is half-written is removed here, since no `finally` will be.
    from idescent.store.files import remove_unfinished

    remove_unfinished()
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")  # the line of progress
    end(name)
    os._exit(STATUS)
