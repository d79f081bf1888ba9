"""Calling commands as a person does: what the tests of commands share."""

import subprocess
import sys

RUN = ["--alpha", "0.1", "--steps", "30"]


def named(value):
    return " ".join(value) if isinstance(value, list) else ""


def call(*words, **more):
    return subprocess.run(
        [sys.executable, "-m", "idescent", *words], capture_output=True, text=True, check=False, **more
    )
