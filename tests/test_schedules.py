"""Learning-rate schedules: their factors, discrete runs, models of second order under them, configuration."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import idescent as ide
from idescent.discrete import kernels
from idescent.discrete import loop as discrete
from idescent.models.scheduled import Scheduled, under
from idescent.objectives import CountedObjective
from idescent.optimizers.ratio import ratio_of
from idescent.schedules import Constant, Cosine, LinearWarmup, Sequential, Step, factors

QUADRATIC = ide.Quadratic(4.0)
with np.load(Path(__file__).parent / "references" / "torch_schedules.npz") as stored:
    TORCH = {name: stored[name] for name in stored.files}
# What each is called in the file of references.
SCHEDULES = {
    "warmup": LinearWarmup(20, start=0.1),
    "cosine": Cosine(99, final=0.1),
    "step": Step(7, 0.5),
    "warmup_cosine": Sequential((LinearWarmup(20), Cosine(79)), (20,)),
}
OPTIMIZERS = [
    ide.AdaGrad(),
    ide.RMSProp(0.9),
    ide.Adam(0.9, 0.99),
    ide.AdamW(0.9, 0.99, weight_decay=0.5),
    ide.AdamL2(0.9, 0.99, weight_decay=0.5),
]


# Factors.


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_are_those_of_pytorch(name):
    np.testing.assert_allclose(factors(SCHEDULES[name], 100), TORCH[name], rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("schedule", "tolerance"),
    [
        (Constant(0.3), 1e-15),
        (LinearWarmup(10), 1e-15),
        (LinearWarmup(10, start=0.5), 1e-15),
        (LinearWarmup(1), 1e-15),
        (Step(3, 0.5), 1e-15),
        (Sequential((LinearWarmup(5), Step(3, 0.5)), (5,)), 1e-15),
        (Cosine(30, final=0.1), (np.pi / 30) ** 2 / 24),
    ],
)
def test_the_average_over_a_step_is_the_factor_of_the_iteration(schedule, tolerance):
    nodes, weights = np.polynomial.legendre.leggauss(12)
    inner = np.arange(0.5, 30.0)[:, None] + 0.5 * nodes
    averages = schedule.rate(inner) @ (0.5 * weights)
    assert np.abs(averages - factors(schedule, 30)).max() <= 1.001 * tolerance


@pytest.mark.parametrize("name", SCHEDULES)
def test_between_its_breaks_a_schedule_is_smooth(name):
    """A polynomial of degree 8 on each piece: what it leaves would be of the size of a missed jump."""
    schedule = SCHEDULES[name]
    edges = [0.0, *schedule.breaks(90), 90.0]
    for left, right in itertools.pairwise(edges):
        x = np.linspace(-1.0, 1.0, 200)
        s = 0.5 * (left + right) + 0.5 * (right - left) * x
        # A value at a jump is that before it.
        inside = s[1:]
        fit = np.polynomial.chebyshev.Chebyshev.fit(inside, schedule.rate(inside), 12)
        assert np.abs(fit(inside) - schedule.rate(inside)).max() < 1e-9


def test_the_end_of_a_step_belongs_to_it_even_when_rounding_puts_it_a_little_later():
    late = np.array([7.0, np.nextafter(7.0, 8.0), 7.001])
    assert Step(7, 0.5).rate(late).tolist() == [1.0, 1.0, 0.5]
    both = Sequential((Constant(), Constant(0.5)), (7,))
    assert both.rate(late).tolist() == [1.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(0.0), "Constant.factor: 0.0 is not allowed: must be a finite number > 0"),
        (lambda: LinearWarmup(0), "LinearWarmup.steps: 0 is not allowed: must be an integer >= 1"),
        (lambda: LinearWarmup(5, 1.5), "LinearWarmup.start: 1.5 is not allowed: must be a number in [0, 1]"),
        (lambda: Cosine(2.5), "Cosine.steps: 2.5 is not allowed: must be an integer >= 1"),
        (lambda: Cosine(5, -0.1), "Cosine.final: -0.1 is not allowed: must be a number in [0, 1]"),
        (lambda: Step(0, 0.5), "Step.every: 0 is not allowed: must be an integer >= 1"),
        (lambda: Step(5, float("nan")), "Step.factor: nan is not allowed: must be a finite number > 0"),
        (
            lambda: Sequential((Constant(), Constant()), (5, 9)),
            "Sequential.milestones: (5, 9) is not allowed: must be 1 increasing numbers of iterations",
        ),
        (
            lambda: Sequential((Constant(), Constant(), Constant()), (9, 5)),
            "Sequential.milestones: (9, 5) is not allowed: must be 2 increasing numbers of iterations",
        ),
    ],
)
def test_a_mistake_names_field_value_and_what_is_allowed(make, message):
    with pytest.raises(ValueError, match="not allowed") as error:
        make()
    assert str(error.value) == message


# Discrete runs.


class Opaque:
    """The quadratic without the closed form that the compiled kernel needs."""

    value, gradient = staticmethod(QUADRATIC.value), staticmethod(QUADRATIC.gradient)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("name", SCHEDULES)
def test_compiled_and_python_loops_have_the_same_bits_under_a_schedule(optimizer, name):
    assert kernels.compiled() is not None
    arguments = {"alpha": 0.1, "theta0": [1.0, 2.5], "steps": 100, "schedule": SCHEDULES[name]}
    runs = [ide.simulate(optimizer, objective, **arguments) for objective in (QUADRATIC, Opaque())]
    assert runs[0].theta.tobytes() == runs[1].theta.tobytes()
    assert all(runs[0].moments[m].tobytes() == runs[1].moments[m].tobytes() for m in runs[0].moments)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_iteration_k_is_a_run_of_one_iteration_at_alpha_times_its_factor(optimizer):
    schedule, alpha = SCHEDULES["warmup_cosine"], 0.1
    run = ide.simulate(optimizer, QUADRATIC, alpha=alpha, theta0=1.0, steps=40, schedule=schedule)
    rates = alpha * factors(schedule, 40)
    for k in (1, 2, 20, 21, 40):
        theta = np.vstack((run.theta[k - 1], [np.nan]))
        moments = [np.vstack((rows[k - 1], [np.nan])) for rows in run.moments.values()]
        first = moments[0] if ratio_of(optimizer).first else None
        discrete.run_python(
            optimizer, CountedObjective(QUADRATIC), rates[k - 1], 1, theta, first, moments[-1], done=k - 1
        )
        assert theta[1] == run.theta[k]


def test_time_stays_nominal_under_a_schedule():
    run = ide.simulate(OPTIMIZERS[2], QUADRATIC, alpha=0.1, theta0=1.0, steps=10, schedule=Cosine(10))
    assert run.t.tolist() == (0.1 * np.arange(11)).tolist()


@dataclass(frozen=True)
class Wrong:
    value: float

    def rate(self, s):
        return np.full_like(s, self.value)

    def breaks(self, steps):
        return ()


@pytest.mark.parametrize("value", [-0.1, np.nan])
@pytest.mark.parametrize("run", [ide.simulate, ide.solve])
def test_a_negative_or_undefined_factor_is_refused(value, run):
    model = (ide.models.Paper(),) if run is ide.solve else ()
    with pytest.raises(ValueError, match="every factor must be a finite number >= 0"):
        run(*model, OPTIMIZERS[2], QUADRATIC, alpha=0.1, theta0=1.0, steps=5, schedule=Wrong(value))


# Models.


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_a_constant_schedule_leaves_every_bit_of_runs_and_solutions(optimizer):
    arguments = {"alpha": 0.05, "theta0": 1.0, "steps": 40}
    plain, constant = (
        ide.simulate(optimizer, QUADRATIC, **arguments, schedule=s) for s in (None, Constant())
    )
    assert plain.theta.tobytes() == constant.theta.tobytes()
    for model in (ide.models.Paper(), ide.models.HalfStep()):
        direct = ide.solve(model, optimizer, QUADRATIC, **arguments)
        solved = ide.solve(model, optimizer, QUADRATIC, **arguments, schedule=Constant())
        assert direct.theta.tobytes() == solved.theta.tobytes()
        assert under(model, Constant(), 40) is model


MODELS = ["Paper", "HalfStep", "Local", "LogRate", "SignFlow", "ThirdOrder", "BarakatBianchi", "Cattaneo"]


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        *((name, ide.Adam(0.9, 0.99)) for name in (*MODELS, "DaSilvaGazeau", "HerediaSecondOrder")),
        *((name, ide.RMSProp(0.9)) for name in MODELS[:4]),
        *((name, ide.AdamW(0.9, 0.99, 0.5)) for name in MODELS[:6]),
    ],
)
def test_a_constant_factor_on_a_model_is_another_learning_rate(name, optimizer):
    """Through the general mechanism: wherever alpha stands in a model, the factor reaches it."""
    model = getattr(ide.models, name)()
    arguments = {"theta0": 1.0, "steps": 40, "rtol": 1e-11, "atol": 1e-12}
    wanted = ide.solve(model, optimizer, QUADRATIC, alpha=0.05, **arguments)
    found = ide.solve(model, optimizer, QUADRATIC, alpha=0.1, **arguments, schedule=Constant(0.5))
    assert found.report.ok
    np.testing.assert_allclose(found.theta, wanted.theta, rtol=0, atol=1e-10)


@pytest.mark.parametrize("schedule", [Step(10, 0.5), SCHEDULES["warmup_cosine"], Cosine(30)])
@pytest.mark.parametrize(
    ("model", "optimizer"),
    [(ide.models.Paper(), ide.RMSProp(0.9)), (ide.models.HalfStep(), ide.Adam(0.9, 0.99))],
)
def test_the_solver_keeps_its_certificate_across_kinks(model, optimizer, schedule):
    """Against itself with other nodes, so on another mesh; and at no more than a few times the cost."""
    arguments = {"alpha": 0.1, "theta0": 1.0, "steps": 50, "rtol": 1e-11, "atol": 1e-12}
    plain = ide.solve(model, optimizer, QUADRATIC, **arguments)
    paths = [
        ide.solve(
            model, optimizer, QUADRATIC, **arguments, schedule=schedule,
            solver=ide.solvers.Collocation(stages=stages),
        )
        for stages in (9, 6)
    ]  # fmt: skip
    assert all(path.report.ok and np.isfinite(path.theta).all() for path in paths)
    assert np.abs(paths[0].theta - paths[1].theta).max() < 1e-10
    assert paths[0].report.gradient_evaluations < 4 * plain.report.gradient_evaluations


def test_no_iteration_is_lost_where_a_border_falls_on_it_up_to_rounding():
    """Two elements meet at 31 less a rounding error and at 31: neither side used to claim the iteration."""
    path = ide.solve(
        ide.models.Paper(),
        ide.RMSProp(0.9),
        QUADRATIC,
        alpha=2.0**-6,
        theta0=1.0,
        steps=64,
        schedule=Step(16, 0.5),
        rtol=1e-12,
        atol=1e-13,
    )
    assert path.report.ok
    assert path.report.error_estimate < 1e-11
    assert np.isfinite(path.theta).all()
    assert np.isfinite(path.moments["v"]).all()


def test_a_flow_of_constant_sign_moves_by_the_area_under_the_schedule():
    """Where the velocity is alpha*rate(s) times a constant sign, theta moves by alpha times the area."""
    schedule = Sequential((LinearWarmup(10), Step(5, 0.5)), (10,))
    path = ide.solve(
        ide.models.SignFlow(),
        ide.RMSProp(0.9, eps=0.0),
        QUADRATIC,
        alpha=0.01,
        theta0=1.0,
        steps=30,
        schedule=schedule,
    )
    area = np.concatenate(([0.0], np.cumsum(factors(schedule, 30))))
    np.testing.assert_allclose(path.theta[:, 0], 1.0 + 0.01 * area, rtol=0, atol=1e-10)


def errors(model, optimizer, alphas, make, time=1.0, power=1):
    found = []
    for alpha in alphas:
        steps = round(time / alpha**power)
        cell = {"alpha": alpha, "theta0": 1.0, "steps": steps, "schedule": make(steps)}
        run = ide.simulate(optimizer, QUADRATIC, **cell)
        path = ide.solve(model, optimizer, QUADRATIC, **cell, rtol=1e-12, atol=1e-13)
        assert path.report.ok
        found.append(np.abs(run.theta - path.theta).max())
    return np.array(found)


def slopes(found, alphas):
    return np.diff(np.log(found)) / np.diff(np.log(alphas))


def cosine(steps):
    return Cosine(steps)


def warmup_cosine(steps):
    return Sequential((LinearWarmup(steps // 8), Cosine(steps - steps // 8, final=0.1)), (steps // 8,))


def stairs(steps):
    return Step(steps // 4, 0.5)


@pytest.mark.parametrize(
    ("optimizer", "make"),
    [
        (ide.Adam(0.9, 0.9), cosine),
        (ide.Adam(0.9, 0.9), warmup_cosine),
        (ide.AdamW(0.9, 0.9, weight_decay=0.5), cosine),
        (ide.AdamW(0.9, 0.9, weight_decay=0.5), warmup_cosine),
        (ide.RMSProp(0.9), cosine),
        (ide.RMSProp(0.9), stairs),
    ],
)
def test_the_half_step_model_stays_of_second_order_under_a_schedule(optimizer, make):
    """The schedule is a function of time, so its iterations grow like 1/alpha."""
    # Under a cosine the terms of higher order are small at smaller learning rates only.
    alphas = 2.0 ** -(np.arange(9, 13) if make is cosine else np.arange(7, 11))
    assert np.abs(slopes(errors(ide.models.HalfStep(), optimizer, alphas, make), alphas) - 2.0).max() < 0.1


@pytest.mark.parametrize("make", [lambda steps: LinearWarmup(steps // 4), warmup_cosine])
def test_after_a_warm_up_from_zero_rmsprops_slopes_tend_to_2_at_smaller_learning_rates(make):
    """At larger ones the error changes its sign on the way."""
    alphas = 2.0 ** -np.arange(10, 13)
    found = slopes(errors(ide.models.HalfStep(), ide.RMSProp(0.9), alphas, make), alphas)
    assert np.abs(found - 2.0).max() < 0.1
    assert found[1] > found[0]


def test_a_schedule_read_half_an_iteration_early_or_late_would_be_of_first_order():
    """What the alignment at mid-step is worth: the same solution with the rate of either end of a step."""

    @dataclass(frozen=True)
    class Shifted:
        schedule: object
        shift: float

        def rate(self, s):
            return self.schedule.rate(s + self.shift)

        def breaks(self, steps):
            return tuple(b - self.shift for b in self.schedule.breaks(steps))

    alphas, optimizer = 2.0 ** -np.arange(7, 10), ide.Adam(0.9, 0.9)
    for shift in (-0.5, 0.5):
        found = []
        for alpha in alphas:
            steps = round(1.0 / alpha)
            cell = {"alpha": alpha, "theta0": 1.0, "steps": steps}
            run = ide.simulate(optimizer, QUADRATIC, **cell, schedule=Cosine(steps))
            late = Shifted(Cosine(steps), shift)
            path = ide.solve(ide.models.HalfStep(), optimizer, QUADRATIC, **cell, schedule=late, rtol=1e-11)
            found.append(np.abs(run.theta - path.theta).max())
        assert np.abs(slopes(found, alphas) - 1.0).max() < 0.1


def test_the_third_order_model_says_that_it_is_of_second_order_under_a_schedule():
    alphas, model, optimizer = 2.0 ** -np.arange(7, 11), ide.models.ThirdOrder(), ide.Adam(0.9, 0.9)
    assert Scheduled(model, Cosine(10), 10).order == 2
    assert Scheduled(ide.models.Paper(), Cosine(10), 10).order == 1
    assert np.abs(slopes(errors(model, optimizer, alphas, cosine), alphas) - 2.0).max() < 0.1
