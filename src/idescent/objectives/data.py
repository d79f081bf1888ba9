"""Real data from scikit-learn's package, and their split into training and test samples.

What lives here: reading, standardising and splitting.  What does not: models of the data.  The files of the
installed package are read without an import of scikit-learn, which would take longer than many jobs.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idescent.objectives.protocol import Array

Labels = NDArray[np.intp]

# File, lines before the data, and SHA-256 of the numbers as little-endian float64, as other data would
# silently give other results.
_FILES = {
    "breast_cancer": (
        "breast_cancer.csv",
        1,
        "54cbf95e148c6eed11e8b2ac1637b5f44a8053293412279de71c47b345e9eb50",
    ),
    "digits": (
        "digits.csv.gz",
        0,
        "30aa855cd90427ff3c4996b3f40109597c57049f8a038cc52db1efeac8ad2e26",
    ),
}


@dataclass(frozen=True, eq=False)
class Split:
    """Training samples and test samples.

    Attributes
    ----------
    x, x_test : ndarray, shape (N, p)
        Features; each has mean 0 and standard deviation 1 over the training samples, or is 0 if it is
        constant over them.
    y, y_test : ndarray of int, shape (N,)
        Classes 0, 1, ...
    """

    x: Array
    y: Labels
    x_test: Array
    y_test: Labels


def read(name: str) -> tuple[Array, Labels]:
    """Return features (N, p) and classes (N,) of ``breast_cancer`` or ``digits``, in the order of the file.

    Breast cancer Wisconsin (diagnostic): 569 samples, 30 features; class 1 is benign.  Optical recognition of
    handwritten digits (test part): 1797 images of 8 x 8 pixels from 0 to 16.  Both from the UCI repository.

    Raises
    ------
    ValueError
        If scikit-learn is not installed, or its file contains other numbers.
    """
    file, header, expected = _FILES[name]
    # The search for a top-level package does not import it.
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise ValueError(f"{name}: the data are part of scikit-learn: pip install 'idescent[data]'")
    path = Path(package.submodule_search_locations[0], "datasets", "data", file)
    table = np.loadtxt(path, delimiter=",", skiprows=header, dtype=np.float64)
    digest = hashlib.sha256(table.astype("<f8").tobytes()).hexdigest()
    if digest != expected:
        raise ValueError(f"{name}: {path} has other numbers than expected: SHA-256 {digest}")
    return table[:, :-1], table[:, -1].astype(np.intp)


def split(x: Array, y: Any, test: float, seed: int) -> Split:
    """Shuffle the samples, hold out the fraction ``test``, and standardise by the training samples.

    Uses numpy's legacy generator, whose streams are frozen: the same seed always gives the same split.

    Raises
    ------
    ValueError
        If either part would be empty.
    """
    held_out = round(test * len(x))
    if not 0 < held_out < len(x):
        raise ValueError(
            f"test: {test!r} is not allowed: both parts must have at least one of {len(x)} samples"
        )
    order = np.random.RandomState(seed).permutation(len(x))
    train, rest = order[held_out:], order[:held_out]
    mean, spread = x[train].mean(axis=0), x[train].std(axis=0)
    scaled = (x - mean) / np.where(spread > 0.0, spread, 1.0)
    scaled[:, spread == 0.0] = 0.0
    return Split(scaled[train], y[train], scaled[rest], y[rest])
