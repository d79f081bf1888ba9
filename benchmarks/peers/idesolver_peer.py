"""Solves by the PyPI package ``idesolver``, timed by the Python of its own environment: a question a line.

The equation is theta' = -m, where m(t) is the integral of ``rate * exp(-rate * (t - s)) * g(theta(s))`` over
[0, t].  Nothing of idescent is imported here.
"""

import json
import math
import sys
import time
import warnings

import numpy as np
from idesolver import IDESolver

GRADIENTS = {"quadratic": lambda theta: 2.0 * (theta - 4.0), "cosine": np.sin}
MOST, ENOUGH_SECONDS = 9, 1.0


def solve(given):
    gradient, rate = GRADIENTS[given["gradient"]], given["rate"]
    count = 0

    def counted(theta):
        nonlocal count
        count += 1
        return gradient(theta)

    tolerance = given["tolerance"]
    solver = IDESolver(
        x=np.linspace(0.0, given["end"], given["steps"] * given["parts"] + 1),
        y_0=given["theta0"],
        d=lambda x: -1.0,
        k=lambda x, s: rate * math.exp(-rate * (x - s)),
        f=counted,
        lower_bound=lambda x: 0.0,
        upper_bound=lambda x: x,
        global_error_tolerance=tolerance,
        ode_rtol=tolerance,
        ode_atol=tolerance,
        int_rtol=tolerance,
        int_atol=tolerance,
    )
    begin = time.perf_counter()
    theta = solver.solve()
    seconds = time.perf_counter() - begin
    rows = np.asarray(theta)[:: given["parts"]].tolist()
    return seconds, {"theta": rows, "gradients": count, "sweeps": solver.iteration}


def answer(given):
    times, said = [], {}
    while len(times) < MOST and sum(times) < ENOUGH_SECONDS:
        seconds, said = solve(given)
        times.append(seconds)
    return {**said, "seconds": times, "status": "converged", "estimate": None}


warnings.simplefilter("ignore")
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
