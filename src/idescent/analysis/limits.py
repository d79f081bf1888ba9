r"""Largest stable curvature of a declared optimizer, from one iteration that is linear in the gradient.

What lives here: :class:`Linearised`, the iteration with its slow memories frozen, and :class:`Limit`, its
stability.  What does not: the curvature of an objective along a run (:mod:`idescent.analysis.edge`).

A memory is *slow* if it is a maximum, if its source is not linear in the gradient (squares), or if the step
is not linear in it (a mean inside a root).  The others, momenta for example, are *fast*.  With the slow
memories frozen, an iteration is linear in each coordinate j.  With the perturbations x of theta and of the
fast memories, and with the curvature h,

.. math::
    x_k = A\,x_{k-1} + B_j\,u_k, \qquad u_k = h\,C\,x_{k-1}, \qquad
    G_j(z) = C\,(zI - A)^{-1} B_j .

u is the perturbation of the gradient, Cx that of its point; B contains the learning rate and the frozen
memories.  A perturbation grows if A + h B C has an eigenvalue outside the unit circle.  The smallest h > 0
for which an eigenvalue reaches the circle, at z with :math:`h\,G_j(z) = 1`, is the largest stable curvature.
For Adam it is :math:`\frac{2(1+\beta_1)}{\alpha(1-\beta_1)}\,(\sqrt{\hat v_j} + \varepsilon)` once the bias
is corrected.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idescent.optimizers.layout import Dims, layout
from idescent.optimizers.optimizer import Optimizer
from idescent.optimizers.plan import Plan, Values
from idescent.optimizers.probes import OLD, initial

Array = NDArray[np.float64]
Outputs = dict[str, Array]

DIRECTION = "direction"
# Iterations, learning rate and relative shift of the probes; a relative second difference above the tolerance
# is a curvature.
_PROBES, _ALPHA, _SHIFT, _LINEAR = 3, 0.1, 2.0**-10, 1e-8
# A perturbation so small that a clip has no effect.  For a power of two, a linear function has no rounding.
_TINY = 2.0**-300
# Angles on the unit circle at which the sign of the imaginary part of G is compared, the relative size below
# which it is rounding, and bisections.
_ANGLES = np.pi * np.unique(np.concatenate([np.geomspace(1e-5, 1.0, 1000), np.linspace(1e-3, 1.0, 800)]))
_REAL, _BISECTIONS = 1e-10, 60
# Points at which two functions G are compared.
_CHECKS = np.exp(1j * np.linspace(0.3, 2.9, 12))
# Largest relative difference between coordinates, apart from one factor.
_ALIKE = 1e-6


@dataclass(frozen=True)
class Limit:
    """Stability of one iteration, for every coordinate.

    Attributes
    ----------
    sensitivity : ndarray, shape (n,)
        1 over the largest stable curvature of each coordinate.
    transition : ndarray, shape (m, m)
        A, for theta and m - 1 fast memories.
    feedback : ndarray, shape (m, m)
        h B C at the largest stable curvature h.
    """

    sensitivity: Array
    transition: Array
    feedback: Array

    def radius(self, sharpness: float) -> float:
        """Return the spectral radius of an iteration, for a curvature in units of the largest stable one."""
        return float(np.abs(np.linalg.eigvals(self.transition + sharpness * self.feedback)).max())


class Linearised:
    """One iteration of a declared optimizer with its slow memories frozen.

    Parameters
    ----------
    optimizer : Optimizer

    Attributes
    ----------
    fast, slow : tuple of str
        Names of the memories that follow a fast perturbation, and of those that are frozen.

    Raises
    ------
    ValueError
        If the step is not linear in the gradient and the fast memories (a sign, an orthogonalisation), or
        mixes coordinates.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.plan, self._dims = Plan(optimizer), dict[int, Dims]()
        self._known: tuple[NDArray[np.complex128], complex] | None = None
        self.fast = tuple(name for name, memory in self.plan.memories.items() if memory.kind != "maximum")
        self._classify()
        self.slow = tuple(name for name in self.plan.memories if name not in self.fast)

    def iterate(self, values: Values, gradient: Array) -> Outputs:
        """Compute one iteration without an update of the slow memories.

        Parameters
        ----------
        values : dict
            Parameters, memories, ``k``, ``alpha`` and sequences by name.  Fast memories have their values
            before the iteration, slow memories the values that the step reads.
        gradient : ndarray, shape of the parameters

        Returns
        -------
        dict of str to ndarray
            ``theta`` and the fast memories after the iteration, ``direction``, ``point``, and the source of
            each fast memory, as ``source of`` its name.
        """
        plan, local = self.plan, dict(values)
        local |= {f"{name}{OLD}": local[name] for name in ("theta", *plan.memories)}
        plan.locate(local)
        local["gradient"] = gradient
        outputs: Outputs = {"point": np.asarray(local["point"])}
        self._update("new", local, outputs)
        local[DIRECTION] = outputs[DIRECTION] = direction = np.asarray(plan.direction(local))
        rate = local["alpha"]
        local["theta"] = (1.0 - rate * plan.decoupled) * local["theta"] - rate * direction
        self._update("old", local, outputs)
        return outputs | {name: local[name] for name in ("theta", *self.fast)}

    def _update(self, read: str, local: Values, outputs: Outputs) -> None:
        for name in self.fast:
            memory = self.plan.memories[name]
            if memory.read == read:
                source = outputs[f"source of {name}"] = np.asarray(self.plan.sources[name](local))
                if callable(memory.beta):
                    numbers = [local[x] for x in inspect.signature(memory.beta).parameters if x in local]
                    beta = memory.beta(*numbers)
                else:
                    beta = memory.beta
                local[name] = beta * local[name] + (1.0 - beta if memory.kind == "average" else 1.0) * source

    def limit(self, k: int, alpha: float, theta: Array, memories: Mapping[str, Array]) -> Limit:
        """Return the stability of iteration ``k``.

        Parameters
        ----------
        k : int, >= 1
        alpha : float
            Learning rate of the iteration, with the factor of a schedule.
        theta : ndarray, shape (n,)
        memories : mapping of str to ndarray, shape (width,) each
            Values of the slow memories that the step reads.

        Raises
        ------
        ValueError
            If a slow memory is missing or has another size, the response is not finite or differs between
            coordinates in more than a positive factor, or the iteration is unstable for every curvature.
        """
        if alpha == 0.0:  # the end of a schedule
            return Limit(np.zeros_like(theta), np.eye(1), np.zeros((1, 1)))
        shape, dims = self.plan.shape or theta.shape, self._shapes(theta.size)
        values: Values = {name: float(x) for name, x in self.plan.continued(np.asarray(float(k))).items()}
        values |= {"alpha": alpha, "theta": theta.reshape(shape)} | dict.fromkeys(self.fast, np.zeros(shape))
        for name in self.slow:
            if name not in memories:
                raise ValueError(f"path: it does not store the memory {name!r} of {self.plan.owner}")
            memory = np.asarray(memories[name], dtype=np.float64)
            if memory.size != math.prod(dims[name]):
                raise ValueError(f"path: {name} has {memory.size} numbers: must be {math.prod(dims[name])}")
            values[name] = memory.reshape(dims[name])
        with np.errstate(all="ignore"):
            transition, drive, reading = self._system(values)
        if not (np.isfinite(transition).all() and np.isfinite(drive).all()):
            raise ValueError(f"{self.plan.owner}: its response to the gradient is not finite at k = {k}")
        generic = _gain(transition, drive, reading, _CHECKS[0])
        at = int(np.argmax(np.abs(generic)))
        if generic[at] == 0.0:
            raise ValueError(f"{self.plan.owner}: its step does not respond to the gradient at k = {k}")
        one = transition[at], drive[at], reading[at]
        z = self._reached(*one)
        gains = _gain(transition, drive, reading, z)
        limit = Limit(gains.real, one[0], np.outer(one[1], one[2]) / gains[at].real)
        # An average over all iterations has an eigenvalue near 1 at any curvature.
        if not (np.isfinite(z) and limit.radius(0.5) < 1.0 + 1e-9):
            raise ValueError(f"{self.plan.owner}: at k = {k} every curvature is unstable: it has no limit")
        ratios = gains / gains[at]
        alike = np.allclose(generic / generic[at], ratios, rtol=0.0, atol=_ALIKE)
        if not (alike and (ratios.real >= 0.0).all()):
            raise ValueError(
                f"{self.plan.owner}: its response to the gradient differs between coordinates in more than a "
                "positive factor: it has no single limit"
            )
        return limit

    def _reached(self, transition: Array, drive: Array, reading: Array) -> complex:
        """Return the point of the unit circle that an eigenvalue reaches first."""
        gains = _gain(transition, drive, reading, _CHECKS)
        shape = gains / gains[0]
        # G is a rational function: equal at these points, apart from a factor, it is equal everywhere.
        if self._known is None or not np.allclose(shape, self._known[0], rtol=1e-11, atol=0.0):
            self._known = shape, _crossing(transition, drive, reading)
        return self._known[1]

    def _shapes(self, n: int) -> Dims:
        if n not in self._dims:
            self._dims[n] = layout(self.plan, n)
        return self._dims[n]

    def _system(self, values: Values) -> tuple[Array, Array, Array]:
        """Return A, shape (n, m, m), B and C, shape (n, m)."""
        theta, names = values["theta"], ("theta", *self.fast)
        zero, one = np.zeros_like(theta), np.ones_like(theta)
        base = self.iterate(values, zero)
        sources = (DIRECTION, *(f"source of {name}" for name in self.fast))
        # Beside a term in theta, tiny numbers would be lost.
        size = 1.0 if any(base[name].any() for name in sources) else _TINY
        drive = self._change(self.iterate(values, size * one), base, values, size)
        # Of the size of theta, so that its digits do not hide the perturbation.
        moved = 2.0 ** math.ceil(math.log2(1.0 + float(np.abs(theta).max())))
        columns, readings = [], []
        for name in names:
            step = moved if name == "theta" else size
            outputs = self.iterate(values | {name: values[name] + step * one}, zero)
            column = self._change(outputs, base, values, step)
            if name == "theta":
                column[:, 0] += 1.0 - values["alpha"] * self.plan.decoupled
            columns.append(column)
            readings.append(((outputs["point"] - base["point"]) / step).ravel())
        return np.stack(columns, axis=-1), drive, np.stack(readings, axis=-1)

    def _change(self, outputs: Outputs, base: Outputs, values: Values, size: float) -> Array:
        """Return the changes of theta by the step and of the fast memories, over a perturbation's size."""
        step = -values["alpha"] * (outputs[DIRECTION] - base[DIRECTION])
        changes = (step, *(outputs[name] - base[name] for name in self.fast))
        return np.stack([change.ravel() / size for change in changes], axis=-1)

    def _classify(self) -> None:
        """Find the fast memories by probes; refuse a step that is not linear in them."""
        values, gradient = initial(self.plan)
        with np.errstate(all="ignore"):
            for k in range(1, _PROBES + 1):
                self.plan.place(values, k, _ALPHA)
                self.plan.advance(values, (1.0 + 0.25 * k) * gradient)
            gradient = gradient.reshape(np.shape(values["theta"]))
            for name in self.fast:
                # A memory that is still 0 hides the curvature of its source, and of the step.
                values[name] = np.where(values[name] == 0.0, 0.5, values[name])
            while True:
                curved = self._curved_sources(values, gradient) or self._curved_reads(values, gradient)
                if not curved:
                    break
                self.fast = tuple(name for name in self.fast if name not in curved)
            self._check(values, gradient)

    def _curved_sources(self, values: Values, gradient: Array) -> set[str]:
        """Return the memories whose sources, with all others frozen, are not linear in the gradient."""
        curved, names = set(), self.fast
        for name in names:
            self.fast = (name,)
            outputs = [self.iterate(values, (1.0 + i * _SHIFT) * gradient) for i in (-1, 0, 1)]
            if not _straight([output[f"source of {name}"] for output in outputs]):
                curved.add(name)
        self.fast = names
        return curved

    def _curved_reads(self, values: Values, gradient: Array) -> set[str]:
        """Return the first memory in which the step, or the source of another one, is not linear."""
        for name in self.fast:
            moved = [values | {name: (1.0 + i * _SHIFT) * values[name]} for i in (-1, 0, 1)]
            outputs = [self.iterate(shifted, gradient) for shifted in moved]
            for output in (DIRECTION, *(f"source of {other}" for other in self.fast)):
                if not _straight([o[output] for o in outputs]):
                    return {name}
        return set()

    def _check(self, values: Values, gradient: Array) -> None:
        owner, why = self.plan.owner, "edge needs a step that is linear in the gradient and its momenta"
        shape, names = np.shape(gradient), (DIRECTION, *(f"source of {name}" for name in self.fast))
        zero = values | dict.fromkeys(self.fast, np.zeros(shape))
        for name in self.fast:
            if np.shape(values[name]) != shape:
                raise ValueError(f"{owner}: {why}: its memory {name!r} does not have the shape of theta")

        def response(gradients: Array, size: float) -> Outputs:
            # Near 0, where a clip has no effect, but a sign has.
            shifted = {name: size * _SHIFT * values[name] for name in self.fast}
            return self.iterate(zero | shifted, _SHIFT * gradients)

        base, both = response(0.0 * gradient, 0.0), response(gradient, 1.0)
        first, second = response(gradient, 0.0), response(0.0 * gradient, 1.0)
        double = response(2.0 * gradient, 2.0)
        alone = np.zeros(shape)
        alone.flat[0] = gradient.flat[0]
        single = response(alone, 0.0)
        for name in names:
            parts = [o[name] - base[name] for o in (both, first, second, double, single)]
            scale = _LINEAR * float(np.abs(parts[0]).max()) + 1e-12 * float(np.abs(base[name]).max())
            error = max(
                float(np.abs(parts[0] - parts[1] - parts[2]).max()),
                float(np.abs(parts[3] - 2.0 * parts[0]).max()),
            )
            if not error <= scale:
                raise ValueError(f"{owner}: {why}: its step has a sign, a norm or another function of them")
            if not np.abs(parts[4].flat[1:]).max(initial=0.0) <= scale:
                raise ValueError(f"{owner}: {why}, coordinate by coordinate: its step mixes coordinates")


def _straight(values: list[Array]) -> bool:
    """Whether three values at equal distances are on a line."""
    left, middle, right = values
    change = float(np.abs(right - middle).max()) + float(np.abs(middle - left).max())
    rounding = 1e-14 * float(np.abs(middle).max())
    return bool(np.abs(right - 2.0 * middle + left).max() <= _LINEAR * change + rounding)


def _gain(
    transition: Array, drive: Array, reading: Array, z: complex | NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """Return G(z); leading axes of the arguments are broadcast."""
    size = transition.shape[-1]
    inverse = np.asarray(z)[..., None, None] * np.eye(size) - transition
    solution = np.linalg.solve(inverse, np.broadcast_to(drive[..., None], (*inverse.shape[:-1], 1)))
    return np.asarray((reading * solution[..., 0]).sum(axis=-1))


def _crossing(transition: Array, drive: Array, reading: Array) -> complex:
    """Return where an eigenvalue reaches the unit circle first as the curvature grows; NaN if nowhere."""

    def gain(angle: Array | float) -> NDArray[np.complex128]:
        return _gain(transition, drive, reading, np.exp(1j * np.asarray(angle)))

    gains = gain(_ANGLES[:-1])
    # Without friction G is real all around the circle, up to rounding.
    clear = np.abs(gains.imag) > _REAL * np.abs(gains)
    angles, imaginary = _ANGLES[:-1][clear], gains.imag[clear]
    points = [-1.0 + 0.0j]
    for i in np.flatnonzero(imaginary[:-1] * imaginary[1:] < 0.0):
        left, right = angles[i], angles[i + 1]
        for _ in range(_BISECTIONS):
            middle = 0.5 * (left + right)
            left, right = (middle, right) if gain(middle).imag * imaginary[i] > 0.0 else (left, middle)
        points.append(complex(np.exp(0.5j * (left + right))))
    # G is real there, and the curvature 1 / G.
    real = [float(_gain(transition, drive, reading, z).real) for z in points]
    largest = int(np.argmax(real))
    return points[largest] if real[largest] > 0.0 else complex(np.nan)
