"""The models' velocities in as many digits as mpmath is set to, each written down from its docstring.

Every function takes the optimizer, alpha, s, and the coordinates of theta, gradient, first moment and second
moment as numbers of mpmath; it returns the coordinates of d(theta)/ds.
"""

import mpmath
import numpy as np
from mpmath import mpf

from idescent.optimizers.ratio import ratio_of


def exact(values):
    return [mpf(float(x)) for x in np.atleast_1d(values)]


def squares(optimizer, gradient):
    """One for all coordinates, or one for each."""
    if optimizer.norm:
        return [sum(g * g for g in gradient)] * len(gradient)
    return [g * g for g in gradient]


def half_step(optimizer, alpha, s, theta, g, m, square):
    """The memories are averages; the masses of a sum and of an uncorrected average vary with kappa."""
    b2, ratio = mpf(ratio_of(optimizer).beta2), ratio_of(optimizer)

    def directions(shift):
        kappa = max(s + mpf(1) / 2 + shift, mpf(1) / 2)
        mass = kappa if ratio.sums else 1 if ratio.corrected else 1 - b2**kappa
        return [x / (mpmath.sqrt(mass * v) + optimizer.eps) for x, v in zip(m, square, strict=True)]

    at = [directions(shift) for shift in range(-4, 5)]
    step = [mpf(0)] * len(m)
    # The series of x/(2 sinh(x/2)) in the difference 2 sinh(x/2), by differences of differences.
    for coefficient in (mpf(1), -mpf(1) / 24, mpf(3) / 640, -mpf(5) / 7168, mpf(35) / 294912):
        step = [total + coefficient * d for total, d in zip(step, at[len(at) // 2], strict=True)]
        at = [
            [right - 2 * middle + left for left, middle, right in zip(*parts, strict=True)]
            for parts in zip(at, at[1:], at[2:], strict=False)
        ]
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
            for beta, memory in ((ratio_of(optimizer).beta1, m[i]), (ratio_of(optimizer).beta2, square[i]))
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
    if not ratio_of(optimizer).corrected:
        return [-alpha * x / (mpmath.sqrt(v) + eps) for x, v in zip(g, square, strict=True)]
    first, second = (1 - mpf(b) ** s for b in (ratio_of(optimizer).beta1, ratio_of(optimizer).beta2))
    root = mpmath.sqrt(second)
    return [
        -alpha * root / first * a / (mpmath.sqrt(v) + eps * root) - w * x
        for a, v, x in zip(m, square, theta, strict=True)
    ]


def corrected(mass, inside=False):
    """A rival's equation of Adam: both averages by their masses, eps as it stands there."""

    def formula(optimizer, alpha, s, theta, g, m, square):
        if not ratio_of(optimizer).corrected:
            return held(lambda beta: (beta, 1 - beta))(optimizer, alpha, s, theta, g, m, square)
        eps, w = mpf(optimizer.eps), alpha * mpf(optimizer.decoupled_decay)
        first, second = (mass(mpf(b), s) for b in (ratio_of(optimizer).beta1, ratio_of(optimizer).beta2))
        hats = [v / second for v in square]
        roots = [mpmath.sqrt(v + eps**2) if inside else mpmath.sqrt(v) + eps for v in hats]
        return [-alpha * a / first / root - w * x for a, root, x in zip(m, roots, theta, strict=True)]

    return formula


def held(weights):
    """The gradient over the root of a memory whose gradient is held over the iteration."""

    def formula(optimizer, alpha, s, theta, g, m, square):
        if ratio_of(optimizer).corrected:
            return paper(optimizer, alpha, s, theta, g, m, square)
        keep, add = (1, 1) if ratio_of(optimizer).sums else weights(mpf(ratio_of(optimizer).beta2))
        later = [keep * v + add * h for v, h in zip(square, squares(optimizer, g), strict=True)]
        return [-alpha * x / (mpmath.sqrt(v) + optimizer.eps) for x, v in zip(g, later, strict=True)]

    return formula


def sign_flow(optimizer, alpha, s, theta, g, m, square):
    w = alpha * mpf(optimizer.decoupled_decay)
    sizes = [mpmath.sqrt(h) + optimizer.eps for h in squares(optimizer, g)]
    return [-alpha * x / size - w * at for x, size, at in zip(g, sizes, theta, strict=True)]


def of_beta(beta, s):
    return 1 - beta**s


FORMULAS = {
    "half-step": half_step,
    "third-order": third_order,
    "paper": paper,
    "local": held(lambda beta: (beta, 1 - beta)),
    "relaxed": held(lambda beta: (mpmath.exp(beta - 1), 1 - mpmath.exp(beta - 1))),
    "log-rate": corrected(of_beta),
    "barakat-bianchi": corrected(lambda beta, s: 1 - mpmath.exp(-(1 - beta) * s)),
    "da-silva-gazeau": corrected(of_beta, inside=True),
    "sign-flow": sign_flow,
}
