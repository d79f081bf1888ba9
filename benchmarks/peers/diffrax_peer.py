"""Solves by diffrax, timed by the Python of its own environment: a question a line, an answer a line.

The models without look-ahead and without jumps, as ordinary equations in k-time, written by hand.  Nothing of
idescent is imported here.  Compilation is not timed; gradients are counted in a solve of their own.
"""

import json
import sys
import time

import diffrax
import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)

GRADIENTS = {"quadratic": lambda theta: 2.0 * (theta - 4.0), "cosine": jnp.sin}
MOST, ENOUGH_SECONDS = 9, 1.0
COUNT = [0]


def count():
    COUNT[0] += 1


def slope_of(given, gradient):
    alpha, b1, b2, eps = (given[name] for name in ("alpha", "beta1", "beta2", "eps"))
    if given["model"] == "momentum":
        return lambda s, y, _: jnp.stack([-alpha * y[1], (1 - b1) * (gradient(y[0]) - y[1])])

    def paper(s, y, _):
        g, root = gradient(y[0]), jnp.sqrt(-jnp.expm1(s * jnp.log(b2)))
        mass = -jnp.expm1(s * jnp.log(b1))
        theta = -alpha * root / mass * y[1] / (jnp.sqrt(jnp.maximum(y[2], 0.0)) + eps * root)
        return jnp.stack([theta, (1 - b1) * (g - y[1]), (1 - b2) * (g * g - y[2])])

    def rate(kappa, beta):
        kept = beta**kappa
        mass = 1 - kept
        lag = (1 + beta) / (2 * (1 - beta)) - kappa * kept / mass
        return (1 + kept / mass * (1 + kappa * jnp.log(beta) / mass)) / lag

    def half_step(s, y, _):
        g, (r1, r2) = gradient(y[0]), (rate(s + 0.5, b) for b in (b1, b2))
        theta = -alpha * y[1] / (jnp.sqrt(jnp.maximum(y[2], 0.0)) + eps)
        return jnp.stack([theta, r1 * (g - y[1]), r2 * (g * g - y[2])])

    return {"paper": paper, "half-step": half_step}[given["model"]]


def solver_of(given, counting):
    gradient = GRADIENTS[given["gradient"]]

    def counted(theta):
        jax.debug.callback(count)
        return gradient(theta)

    term = diffrax.ODETerm(slope_of(given, counted if counting else gradient))
    controller = diffrax.PIDController(rtol=given["rtol"], atol=given["atol"])
    # The optimizer's own iterations come before.
    saved = diffrax.SaveAt(ts=jnp.arange(len(given["first"]) + 1.0, given["steps"] + 1.0))

    @jax.jit
    def solve(start):
        return diffrax.diffeqsolve(
            term,
            diffrax.Dopri8(),
            given["begin"],
            float(given["steps"]),
            None,
            start,
            saveat=saved,
            stepsize_controller=controller,
            max_steps=100_000,
            throw=False,
        )

    return solve


def answer(given):
    start = jnp.array(given["start"])
    solver_of(given, True)(start).ys.block_until_ready()
    jax.effects_barrier()
    gradients, COUNT[0] = COUNT[0], 0
    solve, times = solver_of(given, False), []
    found = solve(start)
    found.ys.block_until_ready()
    while len(times) < MOST and sum(times) < ENOUGH_SECONDS:
        begin = time.perf_counter()
        found = solve(start)
        found.ys.block_until_ready()
        times.append(time.perf_counter() - begin)
    status = "converged" if bool(found.result == diffrax.RESULTS.successful) else "not converged"
    theta = [given["theta0"], *given["first"], *found.ys[:, 0].tolist()]
    return {
        "theta": theta,
        "seconds": times,
        # One more than its iterations, for the memories that the next step reads.
        "gradients": gradients + (len(given["first"]) + 1 if given["first"] else 0),
        "sweeps": None,
        "status": status,
        "estimate": None,
    }


print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
