"""Runs of optax, timed by the Python of its own environment: a question a line, an answer a line.

Nothing of idescent is imported here.  Compilation is not timed.
"""

import functools
import json
import sys
import time

import jax
import jax.numpy as jnp
import optax

jax.config.update("jax_enable_x64", True)

ADAM = {"b1": 0.9, "b2": 0.999, "eps": 1e-8}


def made(name, alpha):
    if name == "AdaGrad":  # its eps stands under the root
        return optax.adagrad(alpha, initial_accumulator_value=0.0, eps=1e-16)
    if name == "RMSProp":
        return optax.rmsprop(alpha, decay=0.99, eps=1e-8, eps_in_sqrt=False)
    if name == "AdamW":
        return optax.adamw(alpha, **ADAM, weight_decay=0.1)
    if name == "AdamL2":
        return optax.chain(optax.add_decayed_weights(0.1), optax.adam(alpha, **ADAM))
    return optax.adam(alpha, **ADAM)


@functools.cache
def compiled(name, alpha, steps):
    optimizer = made(name, alpha)

    def step(carried, _):
        theta, state = carried
        updates, state = optimizer.update(2.0 * (theta - 4.0), state, theta)
        theta = optax.apply_updates(theta, updates)
        return (theta, state), theta

    one = jax.jit(lambda theta, state: step((theta, state), None)[0])
    many = jax.jit(lambda theta: jax.lax.scan(step, (theta, optimizer.init(theta)), None, length=steps)[1])
    return optimizer, one, many


def run(question):
    optimizer, one, many = compiled(question["optimizer"], question["alpha"], question["steps"])
    theta = jnp.full((question["runs"],), 1.0)
    if question["method"] == "scan":
        many(theta).block_until_ready()
        begin = time.perf_counter()
        theta = many(theta).block_until_ready()[-1]
        return {"seconds": time.perf_counter() - begin, "theta": theta.tolist()}
    state = optimizer.init(theta)
    one(theta, state)[0].block_until_ready()
    begin = time.perf_counter()
    for _ in range(question["steps"]):
        theta, state = one(theta, state)
    theta.block_until_ready()
    return {"seconds": time.perf_counter() - begin, "theta": theta.tolist()}


print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
