"""Compile the discrete kernels, and copy the workflow into the package; the rest is in pyproject.toml."""

import shutil
from hashlib import sha256
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

SOURCE = Path("src/idescent/discrete/_kernels.c")
STUDY = ("Snakefile", "workflow", "config", "profiles")


class BuildPy(build_py):
    """Copy the workflow, the configurations and the profiles to ``idescent/_study``.

    An editable installation reads them in the tree itself (:mod:`idescent.cli.studies`).
    """

    def run(self):
        """Build the package, then copy."""
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib, "idescent/_study")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in STUDY:
            if Path(name).is_dir():
                shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(name, folder / name)


class BuildExt(build_ext):
    """Remove libraries that earlier builds left beside the source under another name."""

    def run(self):
        """Remove, then build."""
        if self.inplace or getattr(self, "editable_mode", False):
            for library in SOURCE.parent.glob("_kernels.*.so"):
                library.unlink()
        super().run()


# The library is plain C without Python.h, loaded through ctypes: one wheel serves every Python.  Contraction
# to fused multiply-add is off because the kernels promise the bits of a plain-Python loop.  The package also
# installs without a compiler, and runs the same arithmetic, more slowly, in Python.
setup(
    cmdclass={"build_py": BuildPy, "build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    ext_modules=[
        Extension(
            "idescent.discrete._kernels",
            sources=[str(SOURCE)],
            define_macros=[("SOURCE_DIGEST", f'"{sha256(SOURCE.read_bytes()).hexdigest()}"')],
            extra_compile_args=["-std=c11", "-O2", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi"],
            libraries=["m"],
            optional=True,
            py_limited_api=True,
        )
    ],
)
