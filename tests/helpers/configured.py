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


def figure(**changes: Any) -> dict[str, Any]:
    """A figure of the small configuration."""
    return {
        "title": "t",
        "caption": "c",
        "quantity": "theta",
        "objective": "quadratic",
        "select": [{"optimizer": "Adam"}],
        "panels": [{"alpha": 0.1}],
        **changes,
    }


def problem(raw: dict[str, Any]) -> str:
    with pytest.raises(config.ConfigError) as caught:
        config.load(raw)
    return str(caught.value)


def complete() -> dict[str, Any]:
    """A configuration with every section and every key."""
    return {
        "study": "tiny",
        "objectives": {
            "quadratic": {"class": "Quadratic", "arguments": {"center": 4.0}},
            "mse": {"class": "MeanSquaredError.synthetic", "arguments": {"seed": 42, "size": 10}},
        },
        "schedules": {
            "fall": {"class": "Cosine", "arguments": {"steps": 16}},
            "both": {
                "class": "Sequential",
                "arguments": {
                    "schedules": [{"class": "Constant"}, {"class": "Cosine", "arguments": {"steps": 9}}],
                    "milestones": [5],
                },
            },
        },
        "runs": [
            {
                "objective": "quadratic",
                "schedule": "fall",
                "optimizer": "Adam",
                "theta0": [1.0, 2.0],
                "hyperparameters": {"beta1": 0.9, "beta2": [0.9, 0.99]},
                "alpha": [0.1, 0.05],
                "steps": [8, 16],
                "solutions": ["paper.exact", "paper.picard"],
            },
            {"objective": "mse", "optimizer": "AdaGrad", "theta0": 1.0, "alpha": 0.1, "time": 1.0},
        ],
        "solutions": {
            "paper.exact": {"model": "Paper", "solver": "Collocation", "rtol": 1e-6, "atol": 1e-9},
            "paper.picard": {"model": "Paper", "solver": "Picard", "reference": "paper.exact"},
            "half": {
                "model": {"class": "HalfStep", "arguments": {"start": 20}},
                "solver": {"class": "Collocation", "arguments": {"stages": 7}},
            },
        },
        "figures": {
            "one": {
                "title": "Adam",
                "caption": "Adam.",
                "quantity": "theta",
                "objective": "quadratic",
                "select": [{"optimizer": "Adam", "beta2": 0.99}],
                "panels": [
                    {
                        "alpha": 0.1,
                        "k_max": 8,
                        "title": "left",
                        "inset": {"k": [1, 4], "y": [0, 1], "at": [0.1, 0.1, 0.2, 0.2]},
                    }
                ],
                "show": ["discrete", "paper.exact"],
                "errors": True,
                "lines": {"paper.exact": {"line": "dashed", "width": 1.0, "label": "exact"}},
                "width": "single",
                "x_label": "k",
                "y_label": "theta",
                "x_scale": "linear",
                "y_scale": "log",
            }
        },
        "claims": "config/claims.yaml",
        "forecast": [
            {"objective": "quadratic", "optimizer": "AdaGrad", "theta0": 1.0, "alpha": 0.01, "steps": 100}
        ],
        "scaling": {
            "name": "ladder",
            "reference": "paper.exact",
            "alpha": [0.1],
            "quantities": ["theta", "v"],
        },
        "ensembles": [
            {
                "objective": "mse",
                "optimizer": "Adam",
                "theta0": 0.0,
                "hyperparameters": {"beta1": 0.9, "beta2": 0.99},
                "alpha": [0.1],
                "steps": 40,
                "batch": [2, 8],
                "runs": 10,
                "seed": 3,
                "equations": ["Malladi", "Compagnoni"],
                "substeps": 2,
                "start": 5,
                "points": 20,
                "observe": ["loss", "norm2"],
                "solutions": ["paper.exact"],
            }
        ],
        "fidelity": {"within": [0.01, 0.1], "curves": ["quadratic"]},
        "cells_per_job": 2,
        "seconds_per_job": 30.0,
    }
