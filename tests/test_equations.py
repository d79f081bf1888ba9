"""Every model's equation at single points: the velocity against its formula in fifty digits, the mobility
against differences of the velocity."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import idescent as ide
from idescent.models.scheduled import Scheduled
from idescent.schedules import Cosine, Step

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
TIMES = [0.4, 0.9, 1.0, 1.3, 2.5, 7.25, 31.5, 400.0]


@pytest.fixture(autouse=True)
def fifty_digits():
    with mpmath.workdps(50):
        yield


def exact(values):
    return [mpf(float(x)) for x in np.atleast_1d(values)]


def squares(optimizer, gradient):
    """One for all coordinates, or one for each."""
    if optimizer.norm:
        return [sum(g * g for g in gradient)] * len(gradient)
    return [g * g for g in gradient]


def half_step(optimizer, alpha, s, theta, g, m, square):
    b1, b2 = mpf(optimizer.decay1), mpf(optimizer.decay2)

    def weight(beta):
        return 1 - beta * mpmath.exp(-2 * (1 - beta) / (1 + beta) * max(s - mpf(1) / 2, 0))

    def count():
        kappa, y = s + mpf(1) / 2, -mpmath.log(b2) if b2 else mpmath.inf
        if s <= 30:
            return mpmath.ceil(s)
        if optimizer.summing:
            return kappa + 1 / (16 * kappa)
        return kappa + y / 24 + y / (16 * mpmath.expm1(y * kappa)) if b2 else kappa

    if optimizer.summing:
        hat = [count() * v / (s + mpf(1) / 2 if s > 0.5 else 1) for v in square]
    else:
        hat = [v / weight(b2) for v in square]
        if not optimizer.bias_correction:
            hat = [(1 - b2 ** count()) * v for v in hat]
    step = [x / weight(b1) / (mpmath.sqrt(v) + optimizer.eps) for x, v in zip(m, hat, strict=True)]
    return decayed(optimizer, alpha, theta, step)


def decayed(optimizer, alpha, theta, step):
    """AdamW: theta' = -c theta - alpha c/(alpha w) d, c = -ln(1 - alpha w)."""
    share = alpha * mpf(optimizer.decoupled_decay)
    if not share:
        return [-alpha * d for d in step]
    c = -mpmath.log(1 - share)
    return [-c * x - alpha * c / share * d for x, d in zip(theta, step, strict=True)]


def third_order(optimizer, alpha, s, theta, g, m, square):
    c = -mpmath.log(1 - alpha * mpf(optimizer.decoupled_decay))
    found = []
    for i, h in enumerate(squares(optimizer, g)):
        (hat1, lag1, share1), (hat2, lag2, share2) = (
            memory_and_share(mpf(beta), s, memory, c)
            for beta, memory in ((optimizer.decay1, m[i]), (optimizer.decay2, square[i]))
        )
        y1 = hat1 - share1 * (g[i] - hat1)
        x = share2 * (h - hat2) / hat2
        y2 = hat2 / (1 + x + x * x)
        found.append(y1 / (mpmath.sqrt(y2) + optimizer.eps))
        if s > 1:
            slope1, slope2 = (g[i] - hat1) / lag1, (h - hat2) / lag2
            size = mpmath.sqrt(y2) * (mpmath.sqrt(y2) + optimizer.eps)
            q = slope2 / size
            slope2 = q / (1 + q * q) * size

            def direction(a, b):
                return a / (mpmath.sqrt(b) + optimizer.eps)

            bend = mpmath.diff(direction, (y1, y2), (0, 2)) * slope2**2
            bend += 2 * mpmath.diff(direction, (y1, y2), (1, 1)) * slope1 * slope2
            found[-1] -= bend / 24
    return decayed(optimizer, alpha, theta, found)


def memory_and_share(beta, s, memory, c):
    """The normalised memory, its lag from the kernel, and L/lag - 1."""
    bilinear = 2 * (1 - beta) / (1 + beta)
    mu = 6 * bilinear / (6 - bilinear**2)
    start = (1 - mpmath.sqrt(beta)) * mpmath.exp(-mu * s)
    mass = start + mpmath.quad(lambda r: mu * mpmath.exp(-mu * r), [0, s])
    lag = (start * s + mpmath.quad(lambda r: mu * r * mpmath.exp(-mu * r), [0, s])) / mass

    def discrete(s):
        k = s + mpf(1) / 2
        if not beta:
            return mpf(1) / 2
        fade = 1 / mpmath.log(1 / beta) if not k else k * beta**k / (1 - beta**k)
        return 1 / bilinear - fade

    target = s
    if s > 1:
        # 1 - d^2/24 + 3 d^4/640 with the second difference d^2, plus the later middle of a decaying step.
        stencil = [mpf(3) / 640, -mpf(1) / 24 - mpf(3) / 160, mpf(9) / 320 + mpf(13) / 12]
        weights = (*stencil, *stencil[1::-1])
        target = sum(w * discrete(s + j) for w, j in zip(weights, range(-2, 3), strict=True)) + c / 12
    return memory / mass, lag, target / lag - 1


def paper(optimizer, alpha, s, theta, g, m, square):
    eps, w = optimizer.eps, alpha * mpf(optimizer.decoupled_decay)
    if not optimizer.bias_correction:
        return [-alpha * x / (mpmath.sqrt(v) + eps) for x, v in zip(g, square, strict=True)]
    first, second = (1 - mpf(b) ** s for b in (optimizer.decay1, optimizer.decay2))
    root = mpmath.sqrt(second)
    return [
        -alpha * root / first * a / (mpmath.sqrt(v) + eps * root) - w * x
        for a, v, x in zip(m, square, theta, strict=True)
    ]


FORMULAS = {"half-step": half_step, "third-order": third_order, "paper": paper}
CASES = [
    *((model, optimizer) for model in (M.Paper(), M.HalfStep(), M.ThirdOrder()) for optimizer in VARIANTS),
    *((model, optimizer) for model in (M.Paper(), M.HalfStep()) for optimizer in PLAIN),
]


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize("stage", [True, False])
@pytest.mark.parametrize("root", ["outside", "inside"])
@pytest.mark.parametrize("optimizer", VARIANTS[:2], ids=str)
def test_cattaneos_velocity_is_that_of_its_formula(optimizer, root, stage, accumulator):
    optimizer = replace(optimizer, accumulator=accumulator)
    equation = M.Cattaneo(root, stage).equation(optimizer, ALPHA)
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
            for b in (mpf(optimizer.decay1), mpf(optimizer.decay2))
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
    for memory in equation.memories:
        if memory.squared:
            values.append(SQUARE[: 1 if optimizer.norm else 2])
        else:
            values.append(GRADIENT if memory.name == "gradient" else FIRST)
    return values


@pytest.mark.parametrize("accumulator", ["coordinate", "norm"])
@pytest.mark.parametrize(("model", "optimizer"), CASES, ids=lambda x: getattr(x, "name", str(x)))
def test_the_velocity_is_that_of_the_models_formula(model, optimizer, accumulator):
    optimizer = replace(optimizer, accumulator=accumulator)
    equation = model.equation(optimizer, ALPHA)
    state = memories(equation, optimizer)
    square = exact(np.broadcast_to(state[-1], 2))
    first = exact(state[0]) if len(state) > 1 else None
    for s in TIMES:
        found = equation.velocity(np.array([s]), THETA, GRADIENT, state)
        expected = FORMULAS[model.name](
            optimizer, mpf(ALPHA), mpf(s), exact(THETA), exact(GRADIENT), first, square
        )
        assert found == pytest.approx([float(x) for x in expected], rel=1e-11, abs=0), s


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
        assert not optimizer.bias_correction
        return
    plain = model.name in ("barakat-bianchi", "paper")
    for k in np.array([1.0, 2.0, 10.0, 300.0]):
        since = k + equation.moment_offset - equation.held_until
        for memory in equation.memories:
            if not memory.stored:
                continue
            beta = optimizer.decay2 if memory.squared else optimizer.decay1
            if memory.rate == np.inf:
                held = memory.gain
            elif memory.rate == 0.0:
                held = memory.initial + memory.gain * since
            else:
                faded = np.exp(-memory.rate * since)
                held = memory.initial * faded + memory.gain / memory.rate * (1.0 - faded)
            if memory.readout is not None:
                held *= memory.readout(k)
            discrete = k if optimizer.summing else 1.0 - (np.exp(beta - 1.0) if plain else beta) ** k
            assert held == pytest.approx(discrete, rel=1e-12)


HELD = [M.Local(), M.Local("relaxed"), M.LogRate()]
MOBILITY = [
    *CASES,
    *((model, optimizer) for model in HELD for optimizer in PLAIN[:2]),
    *((M.Local(), optimizer) for optimizer in (PLAIN[2], VARIANTS[0])),
    *((model, optimizer) for model in (M.SignFlow(), M.LogRate()) for optimizer in VARIANTS),
    *((M.BarakatBianchi(), optimizer) for optimizer in VARIANTS[:2]),
    *((M.DaSilvaGazeau(), optimizer) for optimizer in VARIANTS[:2]),
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
    betas = (optimizer.decay1, optimizer.decay2)
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

    velocity, mobility = equation.velocity(times, theta, gradient, rows), equation.mobility(times, rows)
    for i, s in enumerate(times):
        plain = model.equation(optimizer, ALPHA * float(schedule.rate(s)[0]))
        assert velocity[i] == pytest.approx(plain.velocity(s, THETA, GRADIENT, state), rel=1e-14)
        assert mobility[i] == pytest.approx(plain.mobility(s, state), rel=1e-14)
        for there, here in zip(equation.memories, plain.memories, strict=True):
            assert replace(there, source=None, readout=None) == replace(here, source=None, readout=None)
            assert (there.source is None) == (here.source is None)
            if here.source is not None:
                felt = there.source(times, gradient, rows, product)[i]
                assert felt == pytest.approx(here.source(s, GRADIENT, state, product), rel=1e-14)


def test_what_looks_ahead_to_a_jump_of_the_rate_has_one_itself():
    """Also behind the horizon, as far as elements reach; and the horizon is one."""
    schedule = Step(7, 0.5)
    for model, ahead in ((M.Paper(), True), (M.Local(), False)):
        equation = Scheduled(model, schedule, 30).equation(PLAIN[0], ALPHA)
        jumps = {*np.arange(7.0, 94.0, 7.0), 30.0}
        assert set(equation.breaks) == jumps | ({s - 1.0 for s in jumps} if ahead else set())
        assert list(equation.breaks) == sorted(equation.breaks)
