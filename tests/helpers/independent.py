"""Solutions of the paper's equations by methods foreign to the package.

Equations (3) and (4), one-dimensional quadratics: in the variable ``ln|theta - c|`` the right-hand side is a
pure integral and nothing is stiff. On elements of length 1/2^j the look-ahead s + 1 falls on the same
Chebyshev node 2^j elements later, so nothing is interpolated; path and memory are iterated over the whole
horizon at once.
Equations (3) and (4), any objective, short horizons: iteration j is a function of its own on [0, 1], and all
of them together solve a boundary-value problem, given to scipy's solve_bvp.
Equation (5), in one dimension: scipy's DOP853 on the chain of linear equations, started from the limits at 0.
"""

import numpy as np
from numpy.polynomial import chebyshev
from scipy.integrate import solve_bvp, solve_ivp


def gradient_over_root(
    curvature, center, theta0, alpha, steps, beta=None, eps=1e-8, split=1, nodes=14, extra=40
):
    """Return theta and the memory at k = 0 ... steps for the gradient a(theta - c); no beta is AdaGrad."""
    length, count = 1.0 / split, (steps + extra) * split
    x = np.cos(np.pi * np.arange(nodes, -1, -1) / nodes)
    values = np.linalg.inv(chebyshev.chebvander(x, nodes))
    integrals = [chebyshev.chebint(row, lbnd=-1) for row in np.eye(nodes + 1)]
    weights = (np.stack([chebyshev.chebval(x, row) for row in integrals], axis=1) @ values) * length / 2.0
    rate, gain = (0.0, 1.0) if beta is None else (1.0 - beta, 1.0 - beta)
    local = (x + 1.0) * length / 2.0
    grow, fade = np.exp(rate * local), np.exp(-rate * local)

    log = np.full((count, nodes + 1), np.log(abs(theta0 - center)))
    memory = np.zeros_like(log)
    for _ in range(400):
        square = (curvature * np.exp(log)) ** 2
        inner = gain * (square * grow) @ weights.T
        left = np.empty(count)
        carried = 0.0
        for e in range(count):
            left[e] = carried
            carried = fade[-1] * (carried + inner[e, -1])
        memory = fade * (left[:, None] + inner)
        ahead = np.vstack((memory[split:], np.repeat(memory[-1:], split, axis=0)))
        # Beyond the end the memory only fades; what that is worth is gone before the horizon, `extra`
        # iterations earlier.
        speed = -alpha * curvature / (np.sqrt(ahead) + eps)
        step = speed @ weights.T
        ends = np.concatenate(([0.0], np.cumsum(step[:-1, -1])))
        new = np.log(abs(theta0 - center)) + ends[:, None] + step
        # Below e^-60 the distance is rounding of theta.
        change = np.abs(np.where(new > -60.0, new - log, 0.0)).max()
        log = new
        if change < 1e-14:
            break
    else:
        raise AssertionError(f"the reference itself did not converge: {change}")
    rows = np.arange(steps) * split
    distance = np.append(np.exp(log[rows, 0]), np.exp(log[steps * split, 0]))
    theta = center + np.sign(theta0 - center) * distance
    return theta, np.append(memory[rows, 0], memory[steps * split, 0])


def boundary_values(
    gradient, theta0, alpha, steps, beta=None, eps=1e-8, norm=False, extra=8, tolerance=1e-10
):
    """Return theta, shape (steps + 1, n), and the memory at k = 0 ... steps; no beta is AdaGrad.

    With u_j(x) = theta(j + x) and w_j(x) = M(j + x), 0 <= x <= 1: u_j' = -alpha g(u_j)/(sqrt(w_{j+1}) + eps),
    w_j' = c g(u_j)^2 - rate w_j, joined by u_{j+1}(0) = u_j(1) and likewise w.  The last iteration, `extra`
    ones after the horizon, does not look ahead.
    """
    theta0 = np.asarray(theta0, dtype=float)
    n, count = len(theta0), steps + extra
    width = 1 if norm else n
    rate, gain = (0.0, 1.0) if beta is None else (1.0 - beta, 1.0 - beta)

    def parts(y):
        """Paths, shape (count, n, nodes), and memories, (count, width, nodes)."""
        return y[: count * n].reshape(count, n, -1), y[count * n :].reshape(count, width, -1)

    def source(u):
        g = np.moveaxis(gradient(np.moveaxis(u, 1, -1)), -1, 1)
        return g, (g * g).sum(axis=1, keepdims=True) if norm else g * g

    def slope(x, y):
        u, w = parts(y)
        g, h = source(u)
        ahead = np.concatenate((w[1:], w[-1:]))
        moved = -alpha * g / (np.sqrt(np.maximum(ahead, 0.0)) + eps)
        return np.concatenate(
            (moved.reshape(count * n, -1), (gain * h - rate * w).reshape(count * width, -1))
        )

    def joints(left, right):
        (u0, w0), (u1, w1) = parts(left), parts(right)
        first = (u0[0, :, 0] - theta0, w0[0, :, 0])
        return np.concatenate([*first, (u0[1:] - u1[:-1]).ravel(), (w0[1:] - w1[:-1]).ravel()])

    # First guess: the discrete optimizer, by straight lines.
    rows, memory = [theta0], [np.zeros(width)]
    for _ in range(count):
        g, h = source(rows[-1][None, :, None])
        memory.append((1.0 - rate) * memory[-1] + gain * h[0, :, 0])
        rows.append(rows[-1] - alpha * g[0, :, 0] / (np.sqrt(memory[-1]) + eps))
    x = np.linspace(0.0, 1.0, 17)
    lines = [np.diff(a, axis=0)[..., None] * x + np.array(a)[:-1, :, None] for a in (rows, memory)]
    guess = np.concatenate([part.reshape(-1, len(x)) for part in lines])
    found = solve_bvp(slope, joints, x, guess, tol=tolerance, max_nodes=5000)
    assert found.success, found.message
    u, w = parts(found.sol(np.zeros(1)))
    return u[: steps + 1, :, 0], w[: steps + 1, :, 0]


def adam(gradient, theta0, alpha, steps, beta1, beta2, eps=1e-8, decoupled=0.0, coupled=0.0):
    """Return theta, m, v at k = 0 ... steps for scalar theta."""
    log1 = np.log(beta1) if beta1 else None
    start = 1e-9

    def full(theta):
        return gradient(theta) + coupled * theta

    def slope(s, y):
        theta, m, v = y
        g = full(theta)
        mass1 = 1.0 if log1 is None else -np.expm1(s * log1)
        root2 = np.sqrt(-np.expm1(s * np.log(beta2)))
        direction = root2 / mass1 * m / (np.sqrt(v) + eps * root2)
        return [
            -alpha * direction - alpha * decoupled * theta,
            (1 - beta1) * (g - m),
            (1 - beta2) * (g * g - v),
        ]

    g0 = full(theta0)
    first = [theta0, (1 - beta1) * g0 * start, (1 - beta2) * g0 * g0 * start]
    first[0] += start * slope(start, first)[0]
    k = np.arange(1, steps + 1)
    found = solve_ivp(slope, (start, steps), first, "DOP853", k, rtol=2.3e-14, atol=1e-15)
    assert found.success
    return np.hstack((np.array([[theta0], [0.0], [0.0]]), found.y))
