"""``python -m idescent.jobs.client``: hand a job to a shared process, or run ``idescent job`` without one.

What lives here: the request of a job, and its command line.  What does not: the shared process
(:mod:`idescent.jobs.shared_process`), the job (:mod:`idescent.jobs.command`).

Each job of Snakemake starts this module, so it imports no more than the request needs: neither ``argparse``
nor ``pathlib``, whose imports take longer than the request.
"""

from __future__ import annotations

import json
import os
import socket
import sys

VARIABLES = {"computing": "IDESCENT_COMPUTING_PROCESS", "drawing": "IDESCENT_SHARED_PROCESS"}
"""Environment variables with the paths of the sockets, by kind of shared process."""


def delegate(file: str, log: str | None, kind: str = "drawing") -> int | None:
    """Have a shared process run a job; return its exit status.

    None means that no shared process has taken the job: it must run here.
    """
    path = os.environ.get(VARIABLES[kind])
    if path is None:
        return None
    request = {"file": file, "log": log, "folder": os.getcwd(), "environment": {**os.environ}}  # noqa: PTH109
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


def main() -> int:
    """Run the job of ``FILE --log LOG --shared KIND``; return the exit status."""
    file, _, log, _, kind = sys.argv[1:]
    try:
        status = delegate(file, log, kind)
    except KeyboardInterrupt:
        sys.stderr.write("idescent job: interrupted\n")
        return 130
    if status is None:  # this process becomes that of the job
        os.execv(sys.executable, [sys.executable, "-m", "idescent", "job", file, "--log", log])
    return status


if __name__ == "__main__":
    sys.exit(main())
