"""Dense oscillations of a curve become envelopes."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from idescent.products.paths import envelopes, lines
from idescent.products.paths.curves import first_measured


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


def test_a_short_oscillation_stays_a_line_and_a_short_interruption_does_not_split_an_envelope():
    k = np.arange(1, 2001, dtype=float)
    window = 2000.0 / envelopes.WINDOWS
    short = np.where((k > 1000) & (k < 1000 + 1.9 * window), np.cos(np.pi * k), 0.0)
    assert envelopes.separated(k, short, 1.0, 2000.0, 2.0) == ([slice(0, 2000)], [])
    interrupted = np.where((k > 1000) & (k < 1000 + 1.9 * window), 0.0, np.cos(np.pi * k))
    _, bands = envelopes.separated(k, interrupted, 1.0, 2000.0, 2.0)
    assert len(bands) == 1


def test_an_envelope_has_bounds_in_the_line_style_of_its_curve():
    ax = Figure().subplots()
    low, high = np.full(5, -1.0), np.full(5, 1.0)
    envelopes.draw_envelope(ax, np.arange(5.0), low, high, color="#123456", gid="g", linestyle="dashed")
    assert [(line.get_linestyle(), set(line.get_ydata())) for line in ax.lines] == [
        ("--", {-1.0}),
        ("--", {1.0}),
    ]
    (area,) = ax.collections
    assert area.get_alpha() < 0.3


@pytest.mark.parametrize(("errors", "first"), [([0.0, 1e-17, 1e-3, 1e-12], 2), ([1e-3, 1e-17], 0), ([], 0)])
def test_a_curve_of_errors_begins_after_the_iterations_that_the_model_copies(errors, first):
    assert first_measured(np.array(errors), 1e-11) == first
