"""Gradient evaluations that each continuous model costs: counted, not timed."""

from __future__ import annotations

import numpy as np

import idescent as ide
from idescent import models
from idescent.models.equation import derive
from suite.rows import Row, Spread
from suite.settings import Settings

TITLE = "What each model costs"
TEXT = """Every model over t = 1 on (θ − 4)² from θ = 1 at rtol 1e-6: gradient evaluations, with those of the
certificate, and the true error against a solution at rtol 1e-11. Where it is far below 1e-6 the count is an
upper bound."""

ALPHAS = (0.1, 0.01, 0.001)
OPTIMIZERS = {
    "AdaGrad": ide.AdaGrad(),
    "RMSProp 0.9": ide.RMSProp(0.9),
    "RMSProp 0.99": ide.RMSProp(0.99),
    "Adam 0, 0.99": ide.Adam(0.0, 0.99),
    "Adam 0.9, 0.999": ide.Adam(0.9, 0.999),
}
MODELS = [getattr(models, name)() for name in models.__all__ if name not in ("Equation", "Memory", "Model")]


def measure(settings: Settings) -> list[Row]:
    """Solve every model for every optimizer at every learning rate."""
    found, objective = [], ide.Quadratic(4.0)
    for name, optimizer in list(OPTIMIZERS.items())[: 1 if settings.quick else None]:
        for model in MODELS:
            try:
                derive(model, optimizer, ALPHAS[0])
            except ValueError:
                continue  # the model says that it does not cover this optimizer
            for alpha in ALPHAS[:1] if settings.quick else ALPHAS:
                cell = {"alpha": alpha, "theta0": 1.0, "steps": round(1.0 / alpha)}
                path = ide.solve(model, optimizer, objective, **cell, rtol=1e-6, atol=1e-9)
                fine = ide.solve(model, optimizer, objective, **cell, rtol=1e-11, atol=1e-13)
                quantities = {
                    "gradients": Spread.exact(path.report.gradient_evaluations),
                    "error": Spread.exact(np.abs(path.theta - fine.theta).max()),
                }
                setting, status = f"alpha {alpha:g}", path.report.status
                found.append(Row(name, model.name, setting, alpha, status, values=quantities))
        settings.say(f"{name}: models counted")
    return found
