"""A small configuration, changed and refused: what the tests of configurations share."""

from __future__ import annotations

from typing import Any

import pytest

from idescent import config


def minimal() -> dict[str, Any]:
    return {
        "study": "tiny",
        "objectives": {"quadratic": {"class": "Quadratic", "arguments": {"center": 4.0}}},
        "runs": [
            {
                "objective": "quadratic",
                "optimizer": "Adam",
                "theta0": 1.0,
                "hyperparameters": {"beta2": [0.99, 0.999], "beta1": 0.9},
                "alpha": [0.1, 0.01],
                "steps": [10, 100],
            }
        ],
        "solutions": {
            "paper.exact": {"model": "Paper", "solver": "Collocation", "rtol": 1e-9, "atol": 1e-12}
        },
        "figures": {},
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    raw = minimal()
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    target: Any = raw
    for part in parents:
        target = target[part]
    target[last] = value
    return raw


def problem(raw: dict[str, Any]) -> str:
    with pytest.raises(config.ConfigError) as caught:
        config.load(raw)
    return str(caught.value)
