"""Settings of all tests: one thread for linear algebra, hypothesis without randomness, Ctrl-C."""

import os
import signal
import sys

from hypothesis import settings

# OpenBLAS divides small products among as many threads as there are cores, although each process of
# pytest-xdist has a core already: a gradient of a network then takes ten times as long.  It reads this once.
assert "numpy" not in sys.modules
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")

# A shell starts what it puts into the background with the interrupt ignored, which is inherited.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
