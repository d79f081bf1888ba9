"""What all tests share: hypothesis without randomness or deadlines, so that a failure comes back; Ctrl-C."""

import signal

from hypothesis import settings

settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")

# A shell starts what it puts into the background with the interrupt ignored, which is inherited.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
