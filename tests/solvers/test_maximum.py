"""A maximum sampled at the middle of every iteration, on any mesh."""

import numpy as np
import pytest

from idescent.solvers.maximum import sampled_maximum
from idescent.solvers.radau import radau

METHOD = radau(9)


def samples(decay, source, last, first=0.0):
    """Return the discrete maxima M_k = max(decay M_{k-1}, h(k - 1/2)), for k = 1 ... last."""
    maxima = [first]
    for k in range(1, last + 1):
        maxima.append(max(decay * maxima[-1], source(k - 0.5)))
    return np.array(maxima[1:])


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("lengths", [[40.0], [0.5, 0.25, 3.1, 12.0, 24.15], [1.0] * 40])
def test_samples_are_the_discrete_maxima_on_every_mesh(decay, lengths):
    def source(s):
        return 1.0 + np.sin(0.05 * s) + 0.3 * np.cos(0.08 * s)

    edges = np.concatenate(([0.0], np.cumsum(lengths)))
    s = edges[:-1, None] + np.array(lengths)[:, None] * METHOD.nodes
    values, last = sampled_maximum(
        decay, edges, METHOD, source(s)[..., None], np.zeros(1), np.zeros(len(lengths), dtype=bool)
    )
    expected = samples(decay, source, 40)
    # The last sample before the end, half an iteration later.
    assert last[-1, 0] == pytest.approx(expected[-1] * decay**0.5, rel=2e-6)
    times = np.arange(0.5, 40.0)
    for s_e, row in zip(s, values[..., 0], strict=True):
        for at, value in zip(s_e, row, strict=True):
            index = np.searchsorted(times, at, side="right") - 1
            faded = expected[index] * decay ** (at - times[index]) if index >= 0 else 0.0
            assert value == pytest.approx(max(faded, source(at)), rel=2e-6)


def test_a_held_maximum_keeps_its_value():
    values, last = sampled_maximum(
        0.5, np.array([8.0, 8.5]), METHOD, np.full((1, 9, 2), 7.0), np.array([1.0, 9.0]), np.array([True])
    )
    assert (values == [1.0, 9.0]).all()
    assert last.tolist() == [[1.0, 9.0]]
