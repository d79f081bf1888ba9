"""Dense oscillations of a curve become envelopes."""

import numpy as np

from idescent.products.paths import envelopes, lines


def test_a_dense_oscillation_is_an_envelope_and_the_rest_a_line():
    k = np.arange(1, 2001, dtype=float)
    swings = np.where(k < 1000, 0.0, np.cos(np.pi * k))
    parts, bands = envelopes.separated(k, swings, 1.0, 2000.0, 2.0)
    (band,) = bands
    assert 950 < band.k[0] < 1040 < 1990 < band.k[-1]
    assert (band.low.min(), band.high.max()) == (-1.0, 1.0)
    assert [(part.start, part.stop < 1045) for part in parts] == [(0, True)]
    # As slow as the panel resolves: no envelope.
    slow = np.cos(2 * np.pi * k / 200)
    assert envelopes.separated(k, slow, 1.0, 2000.0, 2.0) == ([slice(0, 2000)], [])


def test_a_long_stretch_below_the_floor_is_a_piece_of_its_own_that_meets_its_neighbours():
    y = np.concatenate([np.ones(20), np.full(30, 1e-14), np.ones(5), np.full(2, 1e-14), np.ones(9)])
    rows = np.arange(len(y))
    pieces = lines._above_and_below(rows, y, rows.astype(float), 1e-11, 10.0)
    assert [(int(piece[0]), int(piece[-1])) for piece in pieces] == [(0, 19), (19, 50), (50, 65)]
