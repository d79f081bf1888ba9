"""Every model's equation at single points: the velocity against its formula in fifty digits, the mobility
against differences of the velocity."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from formulas import FORMULAS, exact, squares
from mpmath import mpf

import idescent as ide
from idescent.models.local import HeldRoot
from idescent.models.scheduled import Scheduled, under
from idescent.models.third_order import Filter
from idescent.optimizers.ratio import ratio_of
from idescent.schedules import Constant, Cosine, Step

M = ide.models
ALPHA = 0.1
RNG = np.random.default_rng(7)
THETA, GRADIENT, FIRST = RNG.normal(size=(3, 2))
SQUARE = np.abs(RNG.normal(size=2)) + 0.2
VARIANTS = [
    ide.Adam(0.9, 0.99, eps=0.3),
    ide.Adam(0.0, 0.5, eps=1e-8),
    ide.AdamW(0.8, 0.95, 1.5, eps=0.3),
    ide.AdamL2(0.9, 0.0, 0.5, eps=0.3),
]
PLAIN = [ide.RMSProp(0.9, eps=0.3), ide.RMSProp(0.0, eps=0.3), ide.AdaGrad(eps=0.3)]
TIMES = [0.4, 0.9, 1.0, 1.3, 1.5, 2.5, 7.25, 31.5, 400.0]


@pytest.fixture(autouse=True)
def fifty_digits():
    with mpmath.workdps(50):
        yield


# Both closures have the name "local".
STEP, RELAXED = M.Local(), M.Local("relaxed", name="relaxed")
CASES = [
    *((model, one) for model in (M.Paper(), M.HalfStep(), STEP, RELAXED) for one in VARIANTS + PLAIN),
    *((M.ThirdOrder(), one) for one in VARIANTS),
    *((model, one) for model in (M.LogRate(), M.SignFlow()) for one in VARIANTS + PLAIN[:2]),
    *((model, VARIANTS[i]) for model in (M.BarakatBianchi(), M.DaSilvaGazeau()) for i in (0, 1, 3)),
]


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize("lookahead", [0.0, 1.0])
@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.5, 0.99), (0.3, 0.6), (0.0, 0.5)], ids=str)
def test_heredias_force_is_that_of_its_moments(betas, lookahead, accumulator):
    """The moments by quadrature of their kernels, for a gradient a + b s; its memories in closed form."""
    optimizer = ide.AdamL2(*betas, 0.5, eps=0.3, accumulator=accumulator)
    equation = M.HerediaSecondOrder(lookahead).equation(optimizer, ALPHA)
    assert equation.coupled_decay == 0.5
    assert equation.lookahead == lookahead
    assert [memory.squared for memory in equation.memories] == [False, False, True, True, False]
    motion = equation.memories[-1]
    assert (motion.gain, motion.rate, motion.squared, motion.ahead) == (2.0, 2.0, False, False)

    def gradient(s):
        return [mpf("1.5") + mpf("0.25") * s, mpf("-0.5") + mpf("0.125") * s]

    def remembered(memory, s):
        """The integral of gain exp(-rate (s - r)) times what it remembers, by coordinate."""

        def source(r):
            given = np.array([float(x) for x in gradient(r)])
            if memory.source is None:
                return optimizer.squares(given) if memory.squared else given
            return memory.source(np.array([float(r)]), np.zeros(1), given, [], None)

        nodes, weights = np.polynomial.legendre.leggauss(40)
        r = 0.5 * s * (1.0 + nodes)
        values = np.array([source(x) for x in r])
        kernel = memory.gain * np.exp(-memory.rate * (s - r)) * weights * 0.5 * s
        return kernel @ values

    def moment(beta, s, h):
        kappa = mpmath.sqrt(mpmath.mpc(2 * beta - 1))

        def kernel(age):
            ratio = mpmath.sinh(kappa * age) / kappa if kappa else age
            return mpmath.re(2 * (1 - beta) * mpmath.exp(-age) * ratio)

        return mpmath.quad(lambda r: kernel(s - r) * h(r), [0, s])

    for s in (0.7, 3.0):
        at = mpf(s) + mpf(lookahead)
        state = [remembered(memory, float(at)) for memory in equation.memories[:4]]
        found = motion.source(np.array([s]), np.zeros(1), GRADIENT, state, None)
        first, second = (1 - mpf(b) ** mpf(s) for b in betas)
        for i in range(2):
            m = moment(mpf(betas[0]), at, lambda r, i=i: gradient(r)[i])
            v = moment(mpf(betas[1]), at, lambda r, i=i: squares(optimizer, gradient(r))[i])
            root = mpmath.sqrt(second)
            force = -mpf(ALPHA) * root / first * m / (mpmath.sqrt(v) + mpf(optimizer.eps) * root)
            assert found[i] == pytest.approx(float(force), rel=1e-9)


def test_heredias_lookahead_is_a_finite_number_of_iterations():
    for given in (-0.5, np.inf, np.nan):
        with pytest.raises(
            ValueError, match=rf"^HerediaSecondOrder\.lookahead: {given!r} is not allowed: must be "
        ):
            M.HerediaSecondOrder(given)


def test_cattaneos_eps_has_two_places():
    with pytest.raises(
        ValueError, match=r"^Cattaneo\.root: 'within' is not allowed: must be 'outside' or 'inside'$"
    ):
        M.Cattaneo("within")


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize("stage", [True, False])
@pytest.mark.parametrize("root", ["outside", "inside"])
@pytest.mark.parametrize("optimizer", VARIANTS[:2], ids=str)
def test_cattaneos_velocity_is_that_of_its_formula(optimizer, root, stage, accumulator):
    optimizer = replace(optimizer, accumulator=accumulator)
    equation = M.Cattaneo(root, stage).equation(optimizer, ALPHA)
    assert not any(memory.squared for memory in equation.memories)
    assert M.Cattaneo(root).equation(VARIANTS[3], ALPHA).coupled_decay == VARIANTS[3].coupled_decay > 0.0
    alpha, eps = mpf(ALPHA), mpf(optimizer.eps)
    g, d = exact(GRADIENT), exact(FIRST)
    sizes = [mpmath.sqrt(x) for x in squares(optimizer, g)]
    scales = [x + eps if root == "outside" else mpmath.sqrt(x * x + eps) for x in sizes]
    # The change of the size's square, halved: what the second moment follows.
    products = (
        [sum(x * y for x, y in zip(g, d, strict=True))] * 2
        if optimizer.norm
        else [x * y for x, y in zip(g, d, strict=True)]
    )
    for s in TIMES:
        k = mpf(s) + mpf(1) / 2
        first, second = (
            b / (1 - b) - (k * b**k / (1 - b**k) if stage else 0)
            for b in (mpf(ratio_of(optimizer).beta1), mpf(ratio_of(optimizer).beta2))
        )
        expected = []
        for x, change, size, scale, product in zip(g, d, sizes, scales, products, strict=True):
            drop = x * product / ((size if root == "outside" else scale) * scale)
            bracket = x + alpha * (first + mpf(1) / 2) * change - alpha * (second + mpf(1) / 2) * drop
            expected.append(float(-alpha * bracket / scale))
        found = equation.velocity(np.array([s]), THETA, GRADIENT, [GRADIENT, FIRST])
        assert found == pytest.approx(expected, rel=1e-11)


def memories(equation, optimizer):
    """A state: a gradient is that of the point, all else is anything."""
    values = []
    for i, memory in enumerate(equation.memories):
        if memory.squared:
            values.append(SQUARE[: 1 if optimizer.norm else 2] / (1.0 + i))
        else:
            values.append(GRADIENT if memory.name == "gradient" else FIRST / (1.0 + i))
    return values


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize(("model", "optimizer"), CASES, ids=lambda x: getattr(x, "name", str(x)))
def test_the_velocity_is_that_of_the_models_formula(model, optimizer, accumulator):
    optimizer = replace(optimizer, accumulator=accumulator)
    equation = model.equation(optimizer, ALPHA)
    assert equation.coupled_decay == optimizer.coupled_decay
    state = memories(equation, optimizer)
    of_square = [memory.squared for memory in equation.memories]
    # A model without memory of the gradient, or of its square, ignores the value.
    first, square = (
        exact(np.broadcast_to(state[of_square.index(squared) if squared in of_square else 0], 2))
        for squared in (False, True)
    )
    for s in TIMES:
        found = equation.velocity(np.array([s]), THETA, GRADIENT, state)
        expected = FORMULAS[model.name](
            optimizer, mpf(ALPHA), mpf(s), exact(THETA), exact(GRADIENT), first, square
        )
        assert found == pytest.approx([float(x) for x in expected], rel=1e-11, abs=0), s


@pytest.mark.parametrize(("model", "optimizer"), CASES, ids=lambda x: getattr(x, "name", str(x)))
def test_behind_its_last_break_a_velocity_does_not_jump(model, optimizer):
    equation = model.equation(optimizer, ALPHA)
    state = memories(equation, optimizer)

    def jump(s):
        sides = [equation.velocity(np.array([s + shift]), THETA, GRADIENT, state) for shift in (1e-7, -1e-7)]
        return np.abs(sides[0] / sides[1] - 1.0).max()

    last = equation.breaks_until
    assert last in (0.0, 1.0)
    for s in range(1 + int(last), 40):
        assert jump(float(s)) < 1e-6, s
    # Without memory nothing is counted.
    if last and ratio_of(optimizer).beta2:
        assert jump(last) > 1e-6


@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_a_held_root_of_nothing_points_nowhere(eps):
    """No gradient, now or ever: the direction is 0, its slope what the limit from small gradients is."""
    root = HeldRoot(ide.RMSProp(0.9, eps=eps), eps, 0.9, 0.1)
    gradient, memory = np.array([0.0, 2.0]), np.array([0.0, 1.0])
    assert root.direction(gradient, memory).tolist() == [0.0, pytest.approx(2.0 / (np.sqrt(1.3) + eps))]
    slope = root.slope(gradient, memory)[0]
    assert slope == pytest.approx(1.0 / eps) if eps else 1e200 < slope < np.inf


@pytest.mark.parametrize("s", [0.5, 1.5, 4.5])
def test_the_discrete_lag_of_a_very_long_memory_keeps_its_digits(s):
    beta = 1.0 - 1e-5
    k, b = mpf(s) + mpf(1) / 2, mpf(beta)
    exact_lag = (1 + b) / (1 - b) / 2 - k * b**k / (1 - b**k)
    assert abs(Filter(beta).discrete_lag(np.array([s]))[0] - float(exact_lag)) < 1e-9


def test_a_model_that_there_is_not_is_named():
    with pytest.raises(AttributeError, match=r"^module 'idescent\.models' has no attribute 'Fourth'$"):
        M.Fourth  # noqa: B018


def test_the_local_model_has_two_closures():
    with pytest.raises(ValueError, match=r"^Local\.closure: 'none' is not allowed: must be 'step' or "):
        M.Local("none")


@pytest.mark.parametrize("s", [0.5, 1.0, 1.5, 30.0, 200.0])
def test_the_third_order_model_rests_where_nothing_was_ever_remembered(s):
    equation = M.ThirdOrder().equation(ide.Adam(0.9, 0.99), ALPHA)
    nothing = np.zeros(2)
    assert np.array_equal(equation.velocity(np.array([s]), THETA, nothing, [nothing, nothing]), nothing)


@pytest.mark.parametrize(
    "model",
    [M.HalfStep(), M.ThirdOrder(), M.LogRate(), M.DaSilvaGazeau(), M.BarakatBianchi(), M.Paper()],
    ids=lambda m: m.name,
)
@pytest.mark.parametrize("optimizer", [*VARIANTS[:2], *PLAIN], ids=str)
def test_the_moments_of_a_constant_gradient_are_the_optimizers(model, optimizer):
    """For rates 1 - beta and no start, 1 - exp(-(1 - beta) k) for 1 - beta^k."""
    try:
        equation = model.equation(optimizer, ALPHA)
    except ValueError:
        assert not ratio_of(optimizer).corrected
        return
    plain = model.name in ("barakat-bianchi", "paper")
    for k in np.array([1.0, 2.0, 10.0, 300.0]):
        since = k + equation.moment_offset - equation.held_until
        for memory in equation.memories:
            if not memory.stored:
                continue
            beta = ratio_of(optimizer).beta2 if memory.squared else ratio_of(optimizer).beta1
            if memory.rate == np.inf or memory.change is not None:
                held = memory.gain
            elif memory.rate == 0.0:
                held = memory.initial + memory.gain * since
            else:
                faded = np.exp(-memory.rate * since)
                held = memory.initial * faded + memory.gain / memory.rate * (1.0 - faded)
            if memory.readout is not None:
                held *= memory.readout(k)
            discrete = k if ratio_of(optimizer).sums else 1.0 - (np.exp(beta - 1.0) if plain else beta) ** k
            assert held == pytest.approx(discrete, rel=1e-12)


MOBILITY = [
    *((model, optimizer) for model, optimizer in CASES if model.name != "half-step"),
    *((M.Cattaneo(root), optimizer) for root in ("outside", "inside") for optimizer in VARIANTS[:2]),
]


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize(("model", "optimizer"), MOBILITY, ids=lambda x: getattr(x, "name", str(x)))
def test_the_mobility_is_the_velocitys_derivative_by_its_direction(model, optimizer, accumulator):
    optimizer = replace(optimizer, accumulator=accumulator)
    equation = model.equation(optimizer, ALPHA)
    for s in TIMES:
        time, state = np.array([s]), memories(equation, optimizer)
        if model.name == "third-order":
            # What bends the path is left out; it vanishes where both memories agree with the present.
            state = in_agreement(equation, optimizer, s)
        found = np.broadcast_to(equation.mobility(time, state), 2)
        for shifted in ([0, 1],) if model.name == "cattaneo" and optimizer.norm else ([0], [1]):
            sides = []
            for shift in (1e-5, -1e-5):
                gradient, felt = GRADIENT.copy(), [memory.copy() for memory in state]
                if equation.direction is not None:
                    felt[equation.direction][shifted] += shift
                else:
                    gradient[shifted] += shift
                    felt = [
                        gradient if m.name == "gradient" else x
                        for m, x in zip(equation.memories, felt, strict=True)
                    ]
                sides.append(equation.velocity(time, THETA, gradient, felt)[shifted])
            assert (sides[1] - sides[0]) / 2e-5 == pytest.approx(found[shifted], rel=1e-6), s


def in_agreement(equation, optimizer, s):
    """Memories of a gradient that has always been the present one."""
    betas = (ratio_of(optimizer).beta1, ratio_of(optimizer).beta2)
    masses = [
        1 - np.sqrt(beta) * np.exp(-memory.rate * s)
        for beta, memory in zip(betas, equation.memories, strict=True)
    ]
    return [GRADIENT * masses[0], optimizer.squares(GRADIENT) * masses[1]]


SCHEDULED = [
    (M.Paper(), VARIANTS[2]),
    (M.Paper(), PLAIN[0]),
    (M.HalfStep(), VARIANTS[2]),
    (M.Cattaneo(), VARIANTS[0]),
    (M.HerediaSecondOrder(), VARIANTS[0]),
]


@pytest.mark.parametrize(("model", "optimizer"), SCHEDULED, ids=lambda x: getattr(x, "name", str(x)))
def test_under_a_schedule_its_rate_stands_wherever_alpha_does(model, optimizer):
    schedule = Cosine(40, final=0.2)
    equation = Scheduled(model, schedule, 40).equation(optimizer, ALPHA)
    state = memories(equation, optimizer)
    times = np.array([[0.7], [5.0], [31.5]])
    rows = [np.broadcast_to(x, (3, len(x))) for x in state]
    theta, gradient = (np.broadcast_to(x, (3, 2)) for x in (THETA, GRADIENT))

    def product(direction):
        return 3.0 * direction

    velocity = equation.velocity(times, theta, gradient, rows)
    mobility = equation.mobility and equation.mobility(times, rows)
    for i, s in enumerate(times):
        plain = model.equation(optimizer, ALPHA * float(schedule.rate(s)[0]))
        assert velocity[i] == pytest.approx(plain.velocity(s, THETA, GRADIENT, state), rel=1e-14)
        assert (mobility is None) == (plain.mobility is None)
        if mobility is not None:
            assert mobility[i] == pytest.approx(plain.mobility(s, state), rel=1e-14)
        for there, here in zip(equation.memories, plain.memories, strict=True):
            functions = {"source": None, "readout": None, "change": None}
            assert replace(there, **functions) == replace(here, **functions)
            assert (there.source is None) == (here.source is None)
            if here.source is not None:
                felt = there.source(times, gradient, gradient, rows, product)[i]
                assert felt == pytest.approx(here.source(s, GRADIENT, GRADIENT, state, product), rel=1e-14)


def test_without_a_schedule_that_changes_anything_a_model_is_itself():
    model = M.Paper()
    assert under(model, None, 40) is under(model, Constant(), 40) is model
    assert under(model, Constant(0.5), 40) == Scheduled(model, Constant(0.5), 40)


def test_what_looks_ahead_to_a_jump_of_the_rate_has_one_itself():
    """Also behind the horizon, as far as elements reach; and the horizon is one."""
    schedule = Step(7, 0.5)
    for model, ahead in ((M.Paper(), True), (M.Local(), False)):
        equation = Scheduled(model, schedule, 30).equation(PLAIN[0], ALPHA)
        jumps = {*np.arange(7.0, 94.0, 7.0), 30.0}
        assert set(equation.breaks) == jumps | ({s - 1.0 for s in jumps} if ahead else set())
        assert list(equation.breaks) == sorted(equation.breaks)
