"""Whether a run fits into memory, checked before it begins.

What lives here: what is free, and the refusal of runs and solutions that would need more.  Systems promise
memory that they do not have and kill who uses it: no exception would tell.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from idescent.optimizers.optimizer import Optimizer
from idescent.trajectory import Keep

# Bytes: those of a number, and what is too little to ask for.
_NUMBER = 8
_SMALL = 2**26
_MEMINFO = Path("/proc/meminfo")
# The limit of a container or a batch job, and what it uses of it.
_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available() -> int | None:
    """Return how many bytes are free on this machine, or in this container; None where nobody says."""
    found = []
    if _MEMINFO.is_file():
        fields = dict(line.split(":", 1) for line in _MEMINFO.read_text(encoding="ascii").splitlines())
        if "MemAvailable" in fields:
            found.append(1024 * int(fields["MemAvailable"].split()[0]))
    for limit, used in _LIMITS:
        try:
            found.append(int(Path(limit).read_text("ascii")) - int(Path(used).read_text("ascii")))
        except (OSError, ValueError):
            continue  # there is no such limit: no file, or the word "max"
    return min(found, default=None)


def numbers(optimizer: Optimizer, n: int, steps: int, keep: Keep | None) -> int:
    """Return how many numbers a run or solution of n parameters stores, and its loss is computed with."""
    steps = int(steps)  # one of numpy's small integers would overflow
    if keep is None:
        rows = steps + 1
    elif isinstance(keep, int | np.integer):
        rows = -(-steps // max(1, int(keep))) + 1
    else:
        rows = len(keep)
    # k, t and the loss; theta and the moments; and theta twice, which most objectives need for their value.
    return rows * (3 + 3 * n + (len(optimizer.moments) - 1) * n + optimizer.width(n))


def check(steps: int, needed: int) -> None:
    """Refuse a run that does not fit into memory.

    Parameters
    ----------
    steps : int
        For the message.
    needed : int
        How many numbers there will be.

    Raises
    ------
    ValueError
        If they need more bytes than :func:`available`.
    """
    free = available() if _NUMBER * needed > _SMALL else None
    if free is not None and _NUMBER * needed > free:
        raise ValueError(
            f"steps: {steps} is not allowed: the rows need {_size(_NUMBER * needed)} of memory, and "
            f"{_size(free)} are available: must be fewer, or fewer of them kept"
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"
