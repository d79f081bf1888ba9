"""Compile the discrete kernels; all other metadata is in pyproject.toml."""

from hashlib import sha256
from pathlib import Path

from setuptools import Extension, setup

SOURCE = Path("src/idescent/discrete/_kernels.c")

# The library is plain C without Python.h, loaded through ctypes.  Contraction to fused multiply-add is off
# because the kernels promise the bits of a plain-Python loop.  Without a compiler the package still installs
# and runs the same arithmetic, more slowly, in Python.
setup(
    ext_modules=[
        Extension(
            "idescent.discrete._kernels",
            sources=[str(SOURCE)],
            define_macros=[("SOURCE_DIGEST", f'"{sha256(SOURCE.read_bytes()).hexdigest()}"')],
            extra_compile_args=["-std=c11", "-O2", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi"],
            libraries=["m"],
            optional=True,
        )
    ]
)
