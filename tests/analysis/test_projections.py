"""Random projections of parameters: linear, of the right size on average, and the same for ever."""

import numpy as np
import pytest

from idescent.analysis.projections import Projection


def test_projections_are_linear_and_keep_norms_on_average():
    n, directions = 300, 64
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, n))
    one = Projection(n, directions, 5)
    np.testing.assert_allclose(one(2 * x - y), 2 * one(x) - one(y), atol=1e-12)
    squares = [np.sum(Projection(n, directions, seed)(x) ** 2) / np.sum(x**2) for seed in range(200)]
    spread = np.sqrt(2.0 / directions)
    assert abs(np.mean(squares) - 1.0) < 4 * spread / np.sqrt(200)
    assert 0.8 * spread < np.std(squares) < 1.2 * spread
    assert one.spread == pytest.approx(spread / 2)


def test_the_signs_depend_on_the_seed_and_the_direction_only():
    identity = np.eye(70)
    few, many = Projection(70, 2, 9), Projection(70, 5, 9)
    signs = np.sign(many(identity))
    assert np.sign(few(identity)).tolist() == signs[:, :2].tolist()
    assert np.unique(np.abs(many(identity)) * np.sqrt(5)).round(15).tolist() == [1.0]
    assert abs(np.corrcoef(signs.T) - np.eye(5)).max() < 0.5
    assert np.sign(Projection(70, 5, 8)(identity)).tolist() != signs.tolist()
    # Bit by bit from the generator's raw numbers, which numpy guarantees never to change.
    words = np.random.Philox(key=np.array([9, 2**63 + 4], dtype=np.uint64)).random_raw(2)
    assert signs[:, 4].tolist() == [2.0 * (int(words[j // 64]) >> j % 64 & 1) - 1.0 for j in range(70)]
