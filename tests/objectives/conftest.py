"""Tests of PyTorch are skipped where it is missing, unless IDESCENT_TORCH is ``required``, as in CI."""

import os

if os.environ.get("IDESCENT_TORCH") == "required":
    import torch  # noqa: F401
