"""Trajectories with given values, for tests that compute the expected errors by hand."""

import numpy as np

import idescent as ide
from idescent import trajectory

ALPHA = 0.5


def path(theta, *, moments=None, loss=None, status="completed", **report):
    theta = np.array(theta, dtype=float)
    theta = theta[:, None] if theta.ndim == 1 else theta
    moments = {"v": np.zeros((len(theta), 1))} if moments is None else moments
    moments = {key: np.array(v, dtype=float).reshape(len(theta), -1) for key, v in moments.items()}
    loss = np.zeros(len(theta)) if loss is None else np.array(loss, dtype=float)
    return trajectory.assemble(theta, loss, moments, ALPHA, ide.Report(status, **report))
