"""Leaps against discrete runs, shared by the tests of leaps."""

import numpy as np

import idescent as ide


class Crossing:
    """A quadratic on which the gradient by the first coordinate passes zero long before the minimum."""

    matrix = np.array([[1.0, 2.0], [2.0, 8.0]])

    def value(self, theta):
        return 0.5 * np.einsum("...i,ij,...j", theta, self.matrix, theta)

    def gradient(self, theta):
        return theta @ self.matrix


def compared(optimizer, objective, alpha, theta0, steps, rtol=1e-12, **settings):
    """Return a leap, and its sup error against the run."""
    leap = ide.leap(optimizer, objective, alpha=alpha, theta0=theta0, steps=steps, rtol=rtol, **settings)
    run = ide.simulate(
        optimizer, objective, alpha=alpha, theta0=theta0, steps=steps, schedule=settings.get("schedule")
    )
    k = np.arange(leap.reached + 1)
    for name, values in leap.moments(k).items():
        scale = np.abs(run.moments[name]).max()
        if leap.report.error_estimate <= 1e-9:
            assert np.abs(values - run.moments[name][k]).max() <= 1e-6 * scale
    return leap, np.abs(leap(k) - run.theta[k]).max()
