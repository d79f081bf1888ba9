"""Make ``matrix_optimizers.npz``: trajectories of matrix optimizers of torch.optim and optax in float64.

What lives here: Muon and Adafactor of both libraries, with the libraries' own arguments, on a quadratic that
couples all entries.  Nothing of idescent is imported: both sides share only the meaning of parameters.  None
of these libraries is a dependency of the project; to make the file again, in an environment of its own:

    pip install torch==2.14.1 optax==0.2.8 numpy
    python tests/references/generate_matrix_optimizers.py

PyTorch's Muon converts its momentum to bfloat16; here it does not.  Every case is stored at the iterations of
``KEPT``.  The array ``about`` is a JSON text with the versions and the list ``cases``; case number i has the
arrays ``i.theta`` and ``i.<memory>``, one row per kept iteration, under idescent's names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import torch

STEPS = 200
KEPT = [*range(13), *range(20, STEPS + 1, 10)]
Rows = Iterator[dict[str, np.ndarray]]

MUON = [
    {"shape": shape, "beta": beta, "eps": 0.0, "weight_decay": decay, "nesterov": nesterov}
    for shape in ([2, 3], [3, 2])
    for beta, decay, nesterov in ((0.95, 0.0, True), (0.8, 0.1, True), (0.95, 0.1, False))
]
ADAFACTOR = [
    {"shape": shape, "tau": tau, "clip": clip, "eps": eps, "eps2": eps2, "weight_decay": decay}
    for shape in ([2, 3], [3, 2], [1, 3, 2])
    for tau, clip, eps, eps2, decay in (
        (0.8, 1.0, 2.0**-52, 1e-3, 0.0),
        (0.5, 1.02, 0.03, 0.9, 0.1),
    )
]
TORCH: list[tuple[str, dict[str, Any], Callable[..., Any], dict[str, str]]] = [
    *(
        (
            "Muon",
            a,
            lambda p, a: torch.optim.Muon(
                p, momentum=a["beta"], weight_decay=a["weight_decay"], nesterov=a["nesterov"]
            ),
            {"m": "momentum_buffer"},
        )
        for a in MUON
    ),
    *(
        (
            "Adafactor",
            a,
            lambda p, a: torch.optim.Adafactor(
                p,
                beta2_decay=-a["tau"],
                eps=(a["eps"], a["eps2"]),
                d=a["clip"],
                weight_decay=a["weight_decay"],
            ),
            {"R": "row_var", "C": "col_var"},
        )
        for a in ADAFACTOR
    ),
]
# Coefficients with which the iteration converges to the polar factor.
CONVERGENT = {"ns_coeffs": (15 / 8, -10 / 8, 3 / 8), "ns_steps": 40}


def factored(alpha: float, a: dict[str, Any]) -> Any:
    """Adafactor of optax without the scale of parameters; its default decay is computed in float32."""
    return optax.chain(
        optax.scale_by_factored_rms(
            decay_rate=a["tau"],
            min_dim_size_to_factor=2,
            decay_rate_fn=lambda i, exponent: 1.0 - jax.numpy.asarray(i + 1.0, "float64") ** -exponent,
        ),
        optax.clip_by_block_rms(a["clip"]),
        optax.scale(-alpha),
    )


OPTAX: list[tuple[str, dict[str, Any], Callable[..., Any], Callable[..., Any]]] = [
    *(
        (
            "Muon",
            a | {"corrected": True, "eps": 1e-8},
            lambda alpha, a: optax.contrib.muon(
                alpha, beta=a["beta"], eps=a["eps"], weight_decay=a["weight_decay"], nesterov=a["nesterov"]
            ),
            lambda state: {"m": state.inner_states["muon"].inner_state[0].mu.T},
        )
        for a in MUON
    ),
    *(
        (
            "Muon",
            a | {"corrected": True, "exact": True},
            lambda alpha, a: optax.contrib.muon(
                alpha,
                beta=a["beta"],
                weight_decay=a["weight_decay"],
                nesterov=a["nesterov"],
                **CONVERGENT,
            ),
            lambda state: {"m": state.inner_states["muon"].inner_state[0].mu.T},
        )
        for a in MUON
    ),
    *(
        (
            "Adafactor",
            {"shape": [3, 2], "tau": tau, "clip": clip, "scaled": False},
            factored,
            # Of the transposed matrix, rows are averages over its longer axis.
            lambda state: {"R": state[0].v_col, "C": state[0].v_row},
        )
        for tau, clip in ((0.8, 1.0), (0.6, 0.7))
    ),
]
OBJECTIVE = {"dimension": 6, "condition": 20.0, "seed": 1, "minimum": [80.0, -30.0, 6.0, 40.0, 20.0, -14.0]}
START = (1.03, 0.52, 2.77, 0.1, -0.4, 0.9)


def alphas(name: str, arguments: dict[str, Any]) -> tuple[float, float]:
    """Learning rates for which no run reaches the minimum, where it would amplify rounding.

    At the largest one, PyTorch's bound of Adafactor's learning rate has an effect.
    """
    return (0.1, 0.005) if name == "Muon" or arguments.get("weight_decay") == 0.0 else (0.02, 0.005)


def quadratic() -> Callable[[np.ndarray], np.ndarray]:
    """Gradient of a quadratic in a random basis, with curvatures from 1 down to 1/condition."""
    n = OBJECTIVE["dimension"]
    stream = np.random.RandomState(OBJECTIVE["seed"])
    q, r = np.linalg.qr(stream.standard_normal((n, n)))
    q *= np.sign(np.diag(r))
    hessian = q @ np.diag(np.geomspace(1.0, 1.0 / OBJECTIVE["condition"], n)) @ q.T
    return lambda theta: (hessian @ (theta.ravel() - OBJECTIVE["minimum"])).reshape(theta.shape)


def torch_rows(make: Any, arguments: Any, states: Any, alpha: float) -> Rows:
    gradient = quadratic()
    theta = torch.tensor(START).reshape(arguments["shape"]).requires_grad_()
    optimizer = make([theta], arguments)
    for group in optimizer.param_groups:
        group.update(lr=alpha)
    while True:
        state = {ours: optimizer.state[theta].get(theirs) for ours, theirs in states.items()}
        yield {
            "theta": theta.detach().numpy().ravel().copy(),
            **{name: np.zeros(1) if s is None else s.numpy().ravel().copy() for name, s in state.items()},
        }
        theta.grad = torch.tensor(gradient(theta.detach().numpy()))
        optimizer.step()


def optax_rows(make: Any, arguments: Any, states: Any, alpha: float) -> Rows:
    """In optax's layout, rows are inputs: the transposed matrix."""
    gradient = quadratic()
    theta = jax.numpy.array(START).reshape(arguments["shape"]).T
    optimizer = make(alpha, arguments)
    state, update = optimizer.init(theta), jax.jit(optimizer.update)  # else compiled in every iteration
    while True:
        memories = {name: np.array(value).ravel() for name, value in states(state).items()}
        yield {"theta": np.array(theta.T).ravel(), **memories}
        updates, state = update(jax.numpy.array(gradient(np.array(theta.T)).T), state, theta)
        theta = optax.apply_updates(theta, updates)


def main() -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.Tensor.bfloat16 = torch.Tensor.clone
    jax.config.update("jax_enable_x64", True)
    cases, arrays = [], {}
    for library, rows, table in (("torch", torch_rows, TORCH), ("optax", optax_rows, OPTAX)):
        for name, arguments, make, states in table:
            for alpha in alphas(name, arguments):
                made = rows(make, arguments, states, alpha)
                every = [row for row, _ in zip(made, range(STEPS + 1), strict=False)]
                for column in every[-1]:
                    shape = every[-1][column].shape  # PyTorch has no memory before the first iteration
                    values = [np.broadcast_to(every[k][column], shape) for k in KEPT]
                    arrays[f"{len(cases)}.{column}"] = np.stack(values)
                cases.append(
                    {
                        "optimizer": {"class": name, "arguments": arguments},
                        "objective": {"class": "RotatedQuadratic", "arguments": OBJECTIVE},
                        "theta0": START,
                        "alpha": alpha,
                        "library": library,
                    }
                )
    about = {
        "torch": torch.__version__,
        "optax": optax.__version__,
        "steps": STEPS,
        "kept": KEPT,
        "cases": cases,
    }
    target = Path(__file__).with_name("matrix_optimizers.npz")
    np.savez_compressed(target, about=np.array(json.dumps(about)), **arrays)
    print(f"{target.name}: {len(cases)} cases, {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
