"""The optimizers beyond the paper's five: against the libraries that define them, and against each other."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import linalg

import idescent as ide
from idescent.check import check
from idescent.objectives import RotatedQuadratic
from idescent.optimizers import Optimizer, average
from idescent.study import registry
from idescent.study.arguments import known


def read(name):
    """Return the cases of a file of references, each with its arrays, and what the file says of itself."""
    with np.load(Path(__file__).parents[1] / "references" / name) as stored:
        about = json.loads(str(stored["about"]))
        arrays = [{} for _ in about["cases"]]
        for column in set(stored.files) - {"about"}:
            number, _, quantity = column.partition(".")
            arrays[int(number)][quantity] = stored[column]
    return [case | {"arrays": values} for case, values in zip(about["cases"], arrays, strict=True)], about


VECTORS, ABOUT = read("optimizers.npz")
MATRICES, ABOUT_MATRICES = read("matrix_optimizers.npz")
CASES = VECTORS + MATRICES
KEPT = ABOUT["kept"]
CELL = {"alpha": 0.02, "theta0": [1.03, 0.52, 2.77], "steps": 100}
BOWL = ide.Quadratic([4.0, -1.5, 0.3])


# Those that no library defines, against the loop of their authors.
OWN_LOOPS = {"QHM", "Shampoo"}


def described(case):
    spec = case["optimizer"]
    arguments = spec["arguments"].items()
    values = ",".join(
        name if value is True else f"{value:g}" if isinstance(value, float) else f"{value}".replace(" ", "")
        for name, value in arguments
        if value is not False
    )
    return f"{case['library']}-{spec['class']}({values})-{len(case['theta0'])}-{case['alpha']}"


def run_of(case):
    objective = (
        registry.objective(case["objective"]) if "objective" in case else ide.Quadratic(case["center"])
    )
    optimizer = registry.optimizer(case["optimizer"])
    cell = {name: case[name] for name in ("alpha", "theta0")}
    return ide.simulate(optimizer, objective, **cell, steps=ABOUT["steps"])


@pytest.mark.parametrize("case", CASES, ids=described)
def test_runs_agree_with_the_library_at_every_stored_iteration(record_property, case):
    run = run_of(case)
    for name in ("theta", *run.moments):
        if name not in case["arrays"]:
            assert name == "x"  # the library computes it from another point
            continue
        found, expected = run.quantity(name)[KEPT], case["arrays"][name]
        if name != "theta":
            found, expected = found[1:], expected[1:]  # starts differ in what no iteration shows
        difference = abs(found - expected).max() / abs(expected).max()
        record_property(name, float(difference))
        assert difference <= 1e-12, name


def test_every_optimizer_of_the_package_is_compared_with_its_library():
    of_paper = {"AdaGrad", "RMSProp", "Adam", "AdamW", "AdamL2"}
    compared = {case["optimizer"]["class"] for case in CASES}
    assert compared | of_paper | OWN_LOOPS == set(known("optimizer"))
    versions = {"torch": "2.14.1", "optax": "0.2.8"}
    for about, expected in ((ABOUT, versions | {"schedulefree": "1.4.1"}), (ABOUT_MATRICES, versions)):
        assert {name: about[name].split("+")[0] for name in expected} == expected
        assert (about["kept"], about["steps"]) == (KEPT, ABOUT["steps"])


def quasi_hyperbolic(theta, alpha, steps, beta, nu):
    """Algorithm 1 of Ma and Yarats (2018), as the authors write it."""
    buffer = np.zeros_like(theta)
    for _ in range(steps):
        gradient = 2.0 * (theta - np.array([4.0, -1.5, 0.3]))
        buffer = beta * buffer + (1 - beta) * gradient
        theta = theta - alpha * ((1 - nu) * gradient + nu * buffer)
        yield theta


@pytest.mark.parametrize(("beta", "nu"), [(0.999, 0.7), (0.9, 1.0), (0.9, 0.0), (0.0, 0.7)])
def test_qhm_is_the_algorithm_of_its_authors(beta, nu):
    run = ide.simulate(ide.QHM(beta, nu), BOWL, **CELL)
    rows = list(quasi_hyperbolic(np.array(CELL["theta0"]), CELL["alpha"], CELL["steps"], beta, nu))
    np.testing.assert_allclose(run.theta[1:], rows, rtol=1e-12)


def shampoo(theta, gradient, alpha, steps, eps):
    """Algorithm 1 of Gupta, Koren and Singer (2018), as the authors write it, with roots of roots."""
    w = theta
    left, right = eps * np.eye(w.shape[0]), eps * np.eye(w.shape[1])
    for _ in range(steps):
        g = gradient(w)
        left, right = left + g @ g.T, right + g.T @ g
        quarters = [linalg.inv(linalg.sqrtm(linalg.sqrtm(matrix))).real for matrix in (left, right)]
        w = w - alpha * quarters[0] @ g @ quarters[1]
        yield w.ravel(), left.ravel(), right.ravel()


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (1, 6)])
@pytest.mark.parametrize(("eps", "alpha"), [(1e-4, 0.1), (1.0, 0.1), (1e-2, 0.02)])
def test_shampoo_is_the_algorithm_of_its_authors(shape, eps, alpha):
    objective = RotatedQuadratic(6, 20.0, seed=1, minimum=[4.0, -1.5, 0.3, 2.0, 1.0, -0.7])
    start = np.array([1.03, 0.52, 2.77, 0.1, -0.4, 0.9])
    run = ide.simulate(ide.Shampoo(shape, eps), objective, alpha=alpha, theta0=start, steps=100)
    gradient = lambda w: objective.gradient(w.ravel()).reshape(shape)  # noqa: E731
    rows = list(shampoo(start.reshape(shape), gradient, alpha, 100, eps))
    for name, expected in zip(("theta", "L", "R"), zip(*rows, strict=True), strict=True):
        scale = abs(np.stack(expected)).max()
        np.testing.assert_allclose(run.quantity(name)[1:], expected, rtol=0.0, atol=1e-12 * scale)


def agree(one, other, rtol=1e-13):
    paths = [ide.simulate(optimizer, BOWL, **CELL).theta for optimizer in (one, other)]
    np.testing.assert_allclose(*paths, rtol=rtol, atol=1e-14)


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Gradient descent along the average of gradients."""

    beta: float = 0.9

    def memories(self):
        return {"m": average(self.beta)}

    def step(self, m):
        return m


@dataclass(frozen=True)
class UncorrectedAdam(ide.Adam):
    """Adam without bias correction."""

    def step(self, m, v):
        return m / (np.sqrt(v) + self.eps)


REDUCTIONS = {
    "AdamW without decay is Adam": (ide.AdamW(0.9, 0.99, 0.0), ide.Adam(0.9, 0.99)),
    "AdamL2 without decay is Adam": (ide.AdamL2(0.9, 0.99, 0.0), ide.Adam(0.9, 0.99)),
    "RMSProp is Adam uncorrected without a first moment": (ide.RMSProp(0.9), UncorrectedAdam(0.0, 0.9)),
    "QHM with nu = 1 descends along the average": (ide.QHM(0.9, 1.0), Momentum(0.9)),
    "QHM with nu = 0 is gradient descent": (ide.QHM(0.9, 0.0), ide.GradientDescent()),
    "NAdam without a first moment is Adam": (ide.NAdam(0.0, 0.99), ide.Adam(0.0, 0.99)),
    "Lion with equal decays is Signum": (ide.Lion(0.9, 0.9), ide.Signum(0.9)),
    "heavy ball without momentum is gradient descent": (ide.HeavyBall(0.0), ide.GradientDescent()),
    "damped heavy ball without momentum, too": (ide.HeavyBall(0.0, 0.5), ide.GradientDescent()),
    "Nesterov without momentum is gradient descent": (ide.Nesterov(0.0), ide.GradientDescent()),
    "RMSProp with momentum 0 is RMSProp": (ide.MomentumRMSProp(0.9, 0.0), ide.RMSProp(0.9)),
    "and with one accumulator": (
        ide.MomentumRMSProp(0.9, 0.0, accumulator="norm"),
        ide.RMSProp(0.9, accumulator="norm"),
    ),
    "NAdam without a first moment and with one accumulator is Adam": (
        ide.NAdam(0.0, 0.99, accumulator="norm"),
        ide.Adam(0.0, 0.99, accumulator="norm"),
    ),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_an_optimizer_reduces_to_another(name):
    agree(*REDUCTIONS[name])


def test_schedule_free_without_interpolation_is_the_mean_of_gradient_descent():
    free = ide.simulate(ide.ScheduleFreeSGD(0.0), BOWL, **CELL)
    plain = ide.simulate(ide.GradientDescent(), BOWL, **CELL).theta[1:]
    means = np.cumsum(plain, axis=0) / np.arange(1.0, len(plain) + 1)[:, None]
    np.testing.assert_allclose(free.theta[1:], means, rtol=1e-13)


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
def test_amsgrad_is_adam_while_the_second_moment_grows(accumulator):
    short = CELL | {"steps": 10}
    kinds = (ide.AMSGrad, ide.Adam)
    paths = [ide.simulate(o(0.9, 0.999, accumulator=accumulator), BOWL, **short).theta for o in kinds]
    np.testing.assert_allclose(*paths, rtol=1e-13)


def test_adopt_and_schedule_free_adamw_with_one_accumulator_are_their_equations():
    alpha, theta0 = CELL["alpha"], np.array(CELL["theta0"], dtype=float)
    adopt = ide.simulate(ide.ADOPT(0.9, 0.99, accumulator="norm"), BOWL, **CELL)
    theta, m, v = theta0, 0.0, (BOWL.gradient(theta0) ** 2).sum()
    for k in range(1, CELL["steps"] + 1):
        g = BOWL.gradient(theta)
        bound = k**0.25
        m = 0.9 * m + 0.1 * np.clip(g / max(np.sqrt(v), 1e-6), -bound, bound)
        theta, v = theta - alpha * m, 0.99 * v + 0.01 * (g**2).sum()
        np.testing.assert_allclose(adopt.theta[k], theta, rtol=1e-12, atol=1e-14)
    free = ide.simulate(ide.ScheduleFreeAdamW(0.9, 0.99, accumulator="norm"), BOWL, **CELL)
    z, x, v = theta0, theta0, 0.0
    for k in range(1, CELL["steps"] + 1):
        g = BOWL.gradient(0.1 * z + 0.9 * x)
        v = 0.99 * v + 0.01 * (g**2).sum()
        z = z - alpha * g / (np.sqrt(v / (1.0 - 0.99**k)) + 1e-8)
        x = x + (z - x) / k
        np.testing.assert_allclose(free.theta[k], x, rtol=1e-12, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({case["optimizer"]["class"] for case in CASES} | OWN_LOOPS))
def test_idescent_check_finds_no_fault(name):
    arguments = {"shape": [2, 3]} if name in ("Muon", "Shampoo", "Adafactor") else {}
    verdicts = check("optimizer", getattr(ide, name), arguments)
    assert not [verdict for verdict in verdicts if verdict.status in ("fail", "not checked")]
