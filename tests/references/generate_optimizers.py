"""Make ``optimizers.npz``: trajectories of torch.optim, optax and schedulefree in float64.

What lives here: the libraries that define the optimizers beyond the paper's five, on two quadratics, with the
libraries' own arguments.  Nothing of idescent is imported: both sides share only the meaning of parameters.
None of these libraries is a dependency of the project; to make the file again, in an environment of its own:

    pip install torch==2.14.1 optax==0.2.8 schedulefree==1.4.1 numpy
    python tests/references/generate_optimizers.py

Every case is stored at the iterations of ``KEPT``.  The array ``about`` is a JSON text with the versions and
the list ``cases``; case number i has the arrays ``i.theta`` and ``i.<memory>``, one row per kept iteration,
under idescent's names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import schedulefree
import torch

STEPS = 200
KEPT = [*range(13), *range(20, STEPS + 1, 10)]
ALPHAS = (0.02, 0.005)
CENTERS = ((4.0,), (4.0, -1.5, 0.3))
STARTS = ((1.03,), (1.03, 0.52, 2.77))
BETAS = ({"beta1": 0.9, "beta2": 0.999}, {"beta1": 0.5, "beta2": 0.9}, {"beta1": 0.0, "beta2": 0.99})
Rows = Iterator[dict[str, np.ndarray]]


def betas(a: dict[str, float]) -> tuple[float, float]:
    return a["beta1"], a["beta2"]


# Class and arguments in idescent's terms; the optimizer of PyTorch; where its state has the memories.
TORCH: list[tuple[str, dict[str, float], Callable[..., Any], dict[str, str]]] = [
    ("GradientDescent", {}, lambda p, a: torch.optim.SGD(p), {}),
    *(
        (
            "HeavyBall",
            {"beta": beta, "dampening": dampening},
            lambda p, a: torch.optim.SGD(p, momentum=a["beta"], dampening=a["dampening"]),
            {"b": "momentum_buffer"},
        )
        for beta, dampening in ((0.9, 0.0), (0.9, 0.9), (0.5, 0.3))
    ),
    *(
        (
            "Nesterov",
            {"beta": beta},
            lambda p, a: torch.optim.SGD(p, momentum=a["beta"], nesterov=True),
            {"b": "momentum_buffer"},
        )
        for beta in (0.9, 0.5)
    ),
    *(
        (
            "NAdam",
            {**both, "psi": psi},
            lambda p, a: torch.optim.NAdam(p, betas=betas(a), momentum_decay=a["psi"]),
            {"m": "exp_avg", "v": "exp_avg_sq"},
        )
        for both in BETAS
        for psi in (4e-3, 0.1)
    ),
    *(
        (
            "AMSGrad",
            both,
            lambda p, a: torch.optim.Adam(p, betas=betas(a), amsgrad=True),
            {"m": "exp_avg", "v": "exp_avg_sq", "u": "max_exp_avg_sq"},
        )
        for both in BETAS
    ),
    *(
        ("Adamax", both, lambda p, a: torch.optim.Adamax(p, betas=betas(a)), {"m": "exp_avg", "u": "exp_inf"})
        for both in BETAS
    ),
    *(
        (
            "AdaDelta",
            {"beta": beta, "eps": eps},
            lambda p, a: torch.optim.Adadelta(p, rho=a["beta"], eps=a["eps"]),
            {"v": "square_avg", "u": "acc_delta"},
        )
        for beta, eps in ((0.9, 1e-6), (0.95, 1e-2))
    ),
    *(
        (
            "CenteredRMSProp",
            {"beta": beta, "eps": eps},
            lambda p, a: torch.optim.RMSprop(p, alpha=a["beta"], eps=a["eps"], centered=True),
            {"v": "square_avg", "m": "grad_avg"},
        )
        for beta, eps in ((0.99, 1e-8), (0.9, 0.1))
    ),
    *(
        (
            "MomentumRMSProp",
            {"beta": 0.99, "beta1": momentum},
            lambda p, a: torch.optim.RMSprop(p, alpha=a["beta"], momentum=a["beta1"]),
            {"v": "square_avg", "b": "momentum_buffer"},
        )
        for momentum in (0.9, 0.5)
    ),
]
# Optimizers of optax; where their states have the memories.
OPTAX: list[tuple[str, dict[str, float], Callable[..., Any], dict[str, str]]] = [
    *(
        (
            "AdaBelief",
            {**both, "eps": 1e-16, "eps_root": root},
            lambda alpha, a: optax.adabelief(alpha, *betas(a), eps=a["eps"], eps_root=a["eps_root"]),
            {"m": "mu", "s": "nu"},
        )
        for both in BETAS[:2]
        for root in (1e-16, 1e-3)
    ),
    *(
        (
            "Lion",
            {**both, "weight_decay": decay},
            lambda alpha, a: optax.lion(alpha, *betas(a), weight_decay=a["weight_decay"]),
            {"m": "mu"},
        )
        for both in BETAS[:2]
        for decay in (0.0, 0.1)
    ),
    *(
        ("Signum", {"beta": beta}, lambda alpha, a: optax.signum(alpha, a["beta"]), {"m": "ema"})
        for beta in (0.9, 0.5)
    ),
    *(
        ("ADOPT", both, lambda alpha, a: optax.contrib.adopt(alpha, *betas(a)), {"m": "mu", "v": "nu"})
        for both in ({"beta1": 0.9, "beta2": 0.9999}, *BETAS[:2])
    ),
]
FREE: list[tuple[str, dict[str, float], Callable[..., Any], dict[str, str]]] = [
    *(
        (
            "ScheduleFreeSGD",
            {"beta": beta},
            lambda p, lr, a: schedulefree.SGDScheduleFree(p, lr=lr, momentum=a["beta"], foreach=False),
            {},
        )
        for beta in (0.9, 0.5)
    ),
    *(
        (
            "ScheduleFreeAdamW",
            {"beta1": 0.9, "beta2": beta2, "weight_decay": decay},
            lambda p, lr, a: schedulefree.AdamWScheduleFree(
                p, lr=lr, betas=betas(a), weight_decay=a["weight_decay"], foreach=False
            ),
            {"v": "exp_avg_sq"},
        )
        for beta2, decay in ((0.999, 0.0), (0.9, 0.1))
    ),
]


def torch_rows(make: Any, arguments: Any, states: Any, alpha: float, center: Any, start: Any) -> Rows:
    theta = torch.tensor(start, requires_grad=True)
    goal = torch.tensor(center)
    optimizer = make([theta], arguments)
    for group in optimizer.param_groups:
        group.update(lr=alpha, foreach=False)
    while True:
        state = {ours: optimizer.state[theta].get(theirs) for ours, theirs in states.items()}
        yield {
            "theta": theta.detach().numpy().copy(),
            **{name: np.zeros(len(start)) if s is None else s.numpy().copy() for name, s in state.items()},
        }
        optimizer.zero_grad()
        ((theta - goal) ** 2).sum().backward()
        optimizer.step()


def optax_rows(make: Any, arguments: Any, states: Any, alpha: float, center: Any, start: Any) -> Rows:
    theta, goal = jax.numpy.array(start), jax.numpy.array(center)
    optimizer = make(alpha, arguments)
    state = optimizer.init(theta)
    while True:
        # The first transformation of each of these chains is the one that remembers.
        yield {
            "theta": np.array(theta),
            **{ours: np.array(getattr(state[0], theirs)) for ours, theirs in states.items()},
        }
        updates, state = optimizer.update(2.0 * (theta - goal), state, theta)
        theta = optax.apply_updates(theta, updates)


def free_rows(make: Any, arguments: Any, states: Any, alpha: float, center: Any, start: Any) -> Rows:
    theta = torch.tensor(start, requires_grad=True)
    goal = torch.tensor(center)
    optimizer = make([theta], alpha, arguments)
    optimizer.train()
    beta = arguments.get("beta", arguments.get("beta1"))
    while True:
        state = optimizer.state[theta]
        y = theta.detach()
        # What the library's eval() makes of its point y: the mean of the iterates.
        x = (y - (1.0 - beta) * state.get("z", y)) / beta
        memories = {
            ours: state[theirs].numpy().copy() if theirs in state else 0.0 * x.numpy()
            for ours, theirs in states.items()
        }
        yield {"theta": x.numpy().copy(), **memories}
        optimizer.zero_grad()
        ((theta - goal) ** 2).sum().backward()
        optimizer.step()


def main() -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)  # PyTorch keeps NAdam's product of momenta in the default type
    jax.config.update("jax_enable_x64", True)
    cases, arrays = [], {}
    for rows, table in ((torch_rows, TORCH), (optax_rows, OPTAX), (free_rows, FREE)):
        for name, arguments, make, states in table:
            for center, start in zip(CENTERS, STARTS, strict=True):
                for alpha in ALPHAS:
                    made = rows(make, arguments, states, alpha, center, start)
                    # optax's ADOPT does not move in its first iteration.
                    every = [row for row, _ in zip(made, range(STEPS + 2), strict=False)][name == "ADOPT" :]
                    for column in every[0]:
                        arrays[f"{len(cases)}.{column}"] = np.stack([every[k][column] for k in KEPT])
                    cases.append(
                        {
                            "optimizer": {"class": name, "arguments": arguments},
                            "center": center,
                            "theta0": start,
                            "alpha": alpha,
                            "library": rows.__name__.removesuffix("_rows"),
                        }
                    )
    about = {
        "torch": torch.__version__,
        "optax": optax.__version__,
        "schedulefree": "1.4.1",
        "steps": STEPS,
        "kept": KEPT,
        "cases": cases,
    }
    target = Path(__file__).with_name("optimizers.npz")
    np.savez_compressed(target, about=np.array(json.dumps(about)), **arrays)
    print(f"{target.name}: {len(cases)} cases, {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
