"""Discrete runs against PyTorch, against plain Python floats, and at the edge of what can be run."""

import math
from pathlib import Path

import numpy as np
import pytest
from problems import Opaque

import idescent as ide
from idescent.discrete import kernels

OPTIMIZERS = [
    ("AdaGrad", {}),
    ("RMSProp", {"beta": 0.0}),
    ("RMSProp", {"beta": 0.9}),
    ("Adam", {"beta1": 0.9, "beta2": 0.99}),
    ("Adam", {"beta1": 0.0, "beta2": 0.999}),
    ("AdamW", {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1}),
    ("AdamL2", {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1}),
]
POINTS = {1: ([4.0], [1.0]), 3: ([4.0, -1.5, 0.3], [1.0, 0.52, 2.77])}


class Steep:
    """The separable quadratic with one huge curvature: the square of its gradient overflows."""

    curvature = 1e200

    def value(self, theta):
        return self.curvature * (theta * theta).sum(axis=-1)

    def gradient(self, theta):
        return 2.0 * self.curvature * theta

    def separable_quadratic(self, n):
        return np.full(n, 2.0 * self.curvature), np.zeros(n)


# Plain Python floats


def plain_loop(name, arguments, alpha, center, theta0, steps, norm, eps=1e-8):
    """Algorithms 1-3 as they are written, on Python floats; returns rows of theta and of each moment."""
    theta, n = list(theta0), len(theta0)
    m, v = [0.0] * n, [0.0] * (1 if norm else n)
    rows = {"theta": [list(theta)], "m": [list(m)], "v": [list(v)]}
    decay = arguments.get("weight_decay", 0.0)
    beta1 = arguments.get("beta1")
    beta2 = arguments.get("beta2", arguments.get("beta"))
    for k in range(1, steps + 1):
        g = [2.0 * (theta[i] - center[i]) for i in range(n)]
        if name == "AdamL2":
            g = [g[i] + decay * theta[i] for i in range(n)]
        squares = [g[i] * g[i] for i in range(n)]
        if norm:
            total = 0.0
            for square in squares:
                total += square
            squares = [total]
        for j, square in enumerate(squares):
            v[j] = v[j] + square if name == "AdaGrad" else beta2 * v[j] + (1.0 - beta2) * square
        for i in range(n):
            second = v[0 if norm else i]
            if name in ("AdaGrad", "RMSProp"):
                theta[i] = theta[i] - alpha * g[i] / (math.sqrt(second) + eps)
                continue
            m[i] = beta1 * m[i] + (1.0 - beta1) * g[i]
            m_hat, v_hat = 1.0 / (1.0 - beta1**k) * m[i], 1.0 / (1.0 - beta2**k) * second
            kept = (1.0 - alpha * decay) * theta[i] if name == "AdamW" else theta[i]
            theta[i] = kept - alpha * m_hat / (math.sqrt(v_hat) + eps)
        for column, values in (("theta", theta), ("m", m), ("v", v)):
            rows[column].append(list(values))
    rows["G"] = rows["v"]
    return rows


@pytest.fixture(params=["compiled", "python"])
def wrap(request):
    """Choose the loop: the compiled one needs the objective's closed form."""
    if request.param == "compiled":
        assert kernels.compiled() is not None, "the kernels are not built"
        return lambda objective: objective
    return Opaque


@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS)
@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("alpha", [0.1, 0.01])
def test_both_loops_have_the_bits_of_plain_python_floats(wrap, alpha, n, accumulator, name, arguments):
    center, theta0 = POINTS[n]
    expected = plain_loop(name, arguments, alpha, center, theta0, 400, accumulator == "norm")
    optimizer = getattr(ide, name)(**arguments, accumulator=accumulator)
    run = ide.simulate(optimizer, wrap(ide.Quadratic(center)), alpha=alpha, theta0=theta0, steps=400)
    assert run.report.ok
    for quantity in ("theta", *run.moments):
        assert run.quantity(quantity).tobytes() == np.array(expected[quantity]).tobytes(), quantity


@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS)
def test_the_compiled_loop_has_the_bits_of_the_python_loop_on_other_curvatures(name, arguments):
    objective, optimizer = ide.MeanSquaredError.synthetic(), getattr(ide, name)(**arguments)
    for alpha in (0.1, 0.01, 1.0):
        arguments = {"alpha": alpha, "theta0": 0.0, "steps": 300}
        fast = ide.simulate(optimizer, objective, **arguments)
        slow = ide.simulate(optimizer, Opaque(objective), **arguments)
        for quantity in ("theta", "loss", *fast.moments):
            assert fast.quantity(quantity).tobytes() == slow.quantity(quantity).tobytes(), quantity
        assert fast.report == slow.report


def test_the_bias_correction_is_exact_after_the_compiled_loop_stops_computing_it():
    # 0.5**k is below half a unit in the last place of 1 from k = 54 on.
    arguments = {"beta1": 0.5, "beta2": 0.6}
    expected = plain_loop("Adam", arguments, 0.01, [4.0], [1.0], 200, norm=False)
    run = ide.simulate(ide.Adam(**arguments), ide.Quadratic(), alpha=0.01, theta0=1.0, steps=200)
    assert run.theta.tobytes() == np.array(expected["theta"]).tobytes()


# What comes back


def test_a_run_has_the_shapes_and_the_first_row_that_are_promised(wrap):
    run = ide.simulate(
        ide.Adam(0.9, 0.99, accumulator="norm"),
        wrap(ide.Quadratic([4.0, -1.5, 0.3])),
        alpha=0.1,
        theta0=[1.0, 2.0, 3.0],
        steps=np.int64(7),
    )
    assert run.steps == 7
    assert run.k.dtype == np.int64
    assert run.k.tolist() == list(range(8))
    assert run.t.tolist() == [0.1 * k for k in range(8)]
    assert run.theta.shape == run.moments["m"].shape == (8, 3)
    assert run.moments["v"].shape == (8, 1)
    assert run.loss.shape == (8,)
    assert run.theta[0].tolist() == [1.0, 2.0, 3.0]
    assert not run.moments["m"][0].any()
    assert not run.moments["v"][0].any()
    assert (run.report.status, run.report.gradient_evaluations) == ("completed", 7)
    assert run.report.diverged_at is None


def test_integers_and_single_precision_numbers_are_taken_at_double_precision(wrap):
    objective = wrap(ide.Quadratic())
    run = ide.simulate(ide.AdamW(0.9, 0.99, 0.1), objective, alpha=np.float32(0.1), theta0=1, steps=50)
    same = ide.simulate(
        ide.AdamW(0.9, 0.99, 0.1), objective, alpha=float(np.float32(0.1)), theta0=1.0, steps=50
    )
    assert run.theta.tobytes() == same.theta.tobytes()
    assert ide.simulate(ide.AdaGrad(), objective, alpha=1, theta0=1, steps=3).t.dtype == np.float64


def test_curvature_given_as_integers_or_one_number_is_understood():
    class Sloppy(Opaque):
        def separable_quadratic(self, n):  # part of the contract
            return 2, [4, 4, 4]

    run, expected = (
        ide.simulate(ide.AdaGrad(), f, alpha=0.1, theta0=[1.0, 2.0, 3.0], steps=20)
        for f in (Sloppy(ide.Quadratic()), ide.Quadratic())
    )
    assert run.theta.tobytes() == expected.theta.tobytes()


# Divergence


def assert_diverged_at(run, iteration):
    assert not run.report.ok
    assert (run.report.status, run.report.diverged_at) == ("diverged", iteration)
    assert f"iteration {iteration} " in run.report.message
    assert run.report.gradient_evaluations == iteration
    for quantity in ("theta", "loss", *run.moments):
        values = run.quantity(quantity)
        assert np.isfinite(values[:iteration]).all(), quantity
        assert np.isnan(values[iteration:]).all(), quantity


@pytest.mark.parametrize("optimizer", [ide.AdaGrad(), ide.RMSProp(0.9), ide.Adam(0.9, 0.99)], ids=repr)
@pytest.mark.parametrize("theta0", [1.0, [0.0, 1.0, 0.0]])
def test_an_overflowing_second_moment_is_a_divergence_although_theta_stays_finite(wrap, optimizer, theta0):
    assert_diverged_at(ide.simulate(optimizer, wrap(Steep()), alpha=0.1, theta0=theta0, steps=5), 1)


def test_decoupled_decay_beyond_two_over_alpha_diverges_where_plain_floats_do(wrap):
    arguments = {"beta1": 0.9, "beta2": 0.99, "weight_decay": 30.0}
    rows = plain_loop("AdamW", arguments, 0.1, [4.0], [1.0], 1200, norm=False)
    state = np.hstack([rows[name] for name in ("theta", "m", "v")])
    first = int(np.argmin(np.isfinite(state).all(axis=1)))
    assert 0 < first < 1200
    run = ide.simulate(ide.AdamW(**arguments), wrap(ide.Quadratic()), alpha=0.1, theta0=1.0, steps=1200)
    assert_diverged_at(run, first)
    assert run.theta[:first].tobytes() == np.array(rows["theta"][:first]).tobytes()


def test_a_gradient_that_overflows_on_the_way_is_recorded():
    class Unbounded:
        def value(self, theta):
            return -np.exp(theta).sum(axis=-1)

        def gradient(self, theta):
            return -np.exp(theta)

    # RMSProp with beta = 0 climbs alpha a step; e^(2 theta) overflows above 354.89, which is left at theta_9.
    run = ide.simulate(ide.RMSProp(0.0), Unbounded(), alpha=0.1, theta0=354.0, steps=30)
    assert_diverged_at(run, 10)


def test_a_gradient_that_is_not_a_number_on_the_way_is_recorded():
    class Root:
        def value(self, theta):
            return np.where(np.isnan(theta), 0.0, np.sqrt(theta)).sum(axis=-1)

        def gradient(self, theta):
            return 0.5 / np.sqrt(theta)

    # Three steps of 0.25 from 0.7 leave the domain; the gradient there is asked for in the fourth.
    run = ide.simulate(ide.RMSProp(0.0, eps=0.0), Root(), alpha=0.25, theta0=0.7, steps=6)
    assert run.report.diverged_at == 4
    assert np.isnan(run.loss[4:]).all()
    assert np.isfinite(run.loss[:3]).all()


def test_dividing_zero_by_zero_is_a_divergence_not_a_crash(wrap):
    assert_diverged_at(
        ide.simulate(ide.AdaGrad(eps=0.0), wrap(ide.Quadratic(4.0)), alpha=0.1, theta0=4.0, steps=3), 1
    )


def test_dividing_by_nothing_is_a_divergence_without_a_warning(wrap):
    # g is not 0, but its square is below the smallest number there is.
    run = ide.simulate(ide.RMSProp(0.9, eps=0.0), wrap(ide.Quadratic(0.0)), alpha=0.1, theta0=1e-170, steps=3)
    assert_diverged_at(run, 1)


# Bad input


class Returning:
    """An objective that returns what it was given."""

    def __init__(self, value=None, gradient=None):
        self.returned = value, gradient

    def __repr__(self):
        return f"Returning{self.returned}"

    def value(self, theta):
        return (theta * theta).sum(axis=-1) if self.returned[0] is None else self.returned[0]

    def gradient(self, theta):
        return 2.0 * theta if self.returned[1] is None else self.returned[1]


class OnePoint:
    """Forgets to say that it takes one point at a time."""

    def __repr__(self):
        return "OnePoint()"

    def value(self, theta):
        return (theta * theta).sum()

    def gradient(self, theta):
        return 2.0 * np.eye(theta.shape[0]) @ theta


class OneSum(OnePoint):
    """Of n points it returns n numbers if they have n coordinates: those of the columns, not of the rows."""

    def value(self, theta):
        return (theta * theta).sum(axis=0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": -0.1}, "alpha"),
        ({"alpha": 1.0000001}, "alpha"),
        ({"alpha": math.nan}, "alpha"),
        ({"alpha": math.inf}, "alpha"),
        ({"alpha": True}, "alpha"),
        ({"alpha": "0.1"}, "alpha"),
        ({"alpha": None}, "alpha"),
        ({"steps": 0}, "steps"),
        ({"steps": -1}, "steps"),
        ({"steps": 1.5}, "steps"),
        ({"steps": 10.0}, "steps"),
        ({"steps": True}, "steps"),
        ({"steps": None}, "steps"),
        ({"theta0": math.nan}, "theta0"),
        ({"theta0": [1.0, math.inf]}, "theta0"),
        ({"theta0": []}, "theta0"),
        ({"theta0": [[1.0]]}, "theta0"),
        ({"theta0": "one"}, "theta0"),
        ({"theta0": [[1.0], [2.0, 3.0]]}, "theta0"),
        ({"theta0": None}, "theta0"),
        ({"objective": ide.MeanSquaredError.synthetic(), "theta0": [0.0, 1.0]}, "theta0"),
        ({"objective": Returning(value=math.nan)}, r"objective\.value"),
        (
            {"objective": Returning(value=np.array([1.0]))},
            r"objective\.value: shape \(1,\) at theta0: .*\(\)$",
        ),
        ({"objective": Returning(value="much")}, r"objective\.value"),
        ({"objective": Returning(gradient=np.array([math.nan]))}, r"objective\.gradient"),
        ({"objective": Returning(gradient=np.array([math.inf]))}, r"objective\.gradient"),
        ({"objective": Returning(gradient=1.0)}, r"objective\.gradient"),
        ({"objective": Returning(gradient=np.ones(2))}, r"objective\.gradient"),
        ({"objective": ide.Quadratic([1.0, 2.0, 3.0]), "theta0": [1.0, 2.0]}, r"objective\.value"),
        (
            {"objective": OnePoint(), "theta0": [1.0, 2.0]},
            r"objective\.value: .*; set vectorized = False .* a time$",
        ),
        ({"objective": OneSum(), "theta0": [1.0, 2.0]}, r"objective\.value: .* vectorized = False"),
        ({"objective": OneSum(), "theta0": [1.0, 2.0, 3.0]}, r"objective\.value: .* vectorized = False"),
    ],
    # No backslash: a name with one is not found again by pytest.
    ids=lambda value: value.replace("\\", "") if isinstance(value, str) else " ".join(value),
)
def test_bad_input_is_refused_in_one_line_that_names_the_field(change, field):
    arguments = {"objective": Returning(), "alpha": 0.1, "theta0": 1.0, "steps": 10, **change}
    with pytest.raises(ValueError, match=rf"^{field}") as caught:
        ide.simulate(ide.AdaGrad(), **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("alpha", [1, 1.0, 5e-324])
def test_the_ends_of_the_allowed_ranges_are_allowed(wrap, alpha, steps):
    run = ide.simulate(ide.AdaGrad(), wrap(ide.Quadratic()), alpha=alpha, theta0=1.0, steps=steps)
    assert run.report.ok


def test_a_one_point_objective_that_says_so_runs_like_any_other():
    marked = OnePoint()
    marked.vectorized = False
    one = ide.simulate(ide.Adam(0.9, 0.99), marked, alpha=0.1, theta0=[1.0, 2.0], steps=20)
    other = ide.simulate(ide.Adam(0.9, 0.99), ide.Quadratic(0.0), alpha=0.1, theta0=[1.0, 2.0], steps=20)
    assert one.theta.tobytes() == other.theta.tobytes()
    assert one.loss.tobytes() == other.loss.tobytes()


def test_kernels_of_another_source_are_refused(monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"another source")
    with pytest.raises(RuntimeError, match=r"older than src/idescent/discrete/_kernels\.c"):
        kernels.compiled.__wrapped__()
