"""Check before a run or solution begins that its rows fit into memory.

Operating systems promise more memory than they have and kill the process that uses it, without an exception.

What lives here: the memory available, the numbers that a run stores, and the check.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from idescent.optimizers.optimizer import Optimizer
from idescent.trajectory import Keep

# Bytes of a number; and bytes up to which a run is not checked, because every machine has them.
_NUMBER = 8
_SMALL = 2**26
_MEMINFO = Path("/proc/meminfo")
# Files with the limit of a container or batch job, and with its present use (control groups 2 and 1).
_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available() -> int | None:
    """Return the bytes available on this machine, or in this container; None if the system reports none."""
    sizes = []
    if _MEMINFO.is_file():
        fields = dict(line.split(":", 1) for line in _MEMINFO.read_text(encoding="ascii").splitlines())
        if "MemAvailable" in fields:
            sizes.append(1024 * int(fields["MemAvailable"].split()[0]))
    for limit, used in _LIMITS:
        try:
            sizes.append(int(Path(limit).read_text("ascii")) - int(Path(used).read_text("ascii")))
        except (OSError, ValueError):
            continue  # no limit: there is no such file, or its text is "max"
    return min(sizes, default=None)


def numbers(optimizer: Optimizer, n: int, steps: int, keep: Keep | None) -> int:
    """Return the count of numbers that a run or solution of n parameters stores and needs for its loss."""
    steps = int(steps)  # a small integer type of numpy would overflow
    if keep is None:
        rows = steps + 1
    elif isinstance(keep, int | np.integer):
        rows = -(-steps // max(1, int(keep))) + 1
    else:
        rows = len(keep)
    # Each row: k, t and the loss; theta and the memories; and twice theta, the work space of most objectives'
    # values.
    return rows * (3 + 3 * n + sum(widths(optimizer, n)))


def widths(optimizer: Optimizer, n: int) -> list[int]:
    """Return the number of coordinates of each memory for n parameters.

    The declaration states it where the memory averages the gradient or its square, or starts from an array;
    for any other memory the number is an estimate.
    """
    sizes = []
    for memory in optimizer.memories().values():
        size = 1 if callable(memory.start) else np.size(memory.start)
        sizes.append(max(size, optimizer.width(n) if memory.of == "square" else n))
    return sizes


def check(steps: int, needed: int) -> None:
    """Refuse a run whose numbers do not fit into memory.

    Parameters
    ----------
    steps : int
        Iterations of the run, for the message.
    needed : int
        Count of its numbers.

    Raises
    ------
    ValueError
        If the numbers need more bytes than are :func:`available`.
    """
    free = available() if _NUMBER * needed > _SMALL else None
    if free is not None and _NUMBER * needed > free:
        raise ValueError(
            f"steps: {steps} is not allowed: the rows need {_size(_NUMBER * needed)} of memory, and "
            f"{_size(free)} are available: must be fewer, or fewer rows kept"
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"
