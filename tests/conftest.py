"""Settings of all tests: one thread for linear algebra, hypothesis without randomness, Ctrl-C, order."""

import os
import signal

import pytest
from hypothesis import settings

# OpenBLAS divides small products among as many threads as there are cores, although each process of
# pytest-xdist has a core already: a gradient of a network then takes ten times as long.  The variable is
# read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")

# A shell starts what it puts into the background with the interrupt ignored, which is inherited.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders of long tests: short ones remain when pytest-xdist shares out the last."""
    items.sort(key=lambda item: item.path.parent.name not in ("faults", "workflow"))
