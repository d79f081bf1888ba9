"""Discrete kernels, one run: nanoseconds a step against the same loop in C and against other packages."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

import idescent as ide
from idescent.discrete import kernels
from idescent.discrete import loop as discrete
from idescent.objectives.protocol import CountedObjective
from idescent.optimizers.ratio import ratio_of
from suite import loops
from suite.peers import AbsentError
from suite.rows import Row, Spread
from suite.settings import Settings
from suite.timing import in_turns, ratio, seconds

TITLE = "Discrete kernels, one run"
TEXT = """One run of 5 000 steps on (θ − 4)² in one variable, in double precision, on one core, with
everything that a trajectory holds stored (other packages: θ alone). *C loop*: each optimizer written out by
itself, compiled with -O2, as the package is, and, for comparison, with -O3; nothing general, no test for
divergence. *kernel*: the package's compiled loop, the time inside of it. *simulate*: the whole call, with
checks, allocation and the loss. *NumPy loop*: what serves objectives without a compiled gradient. torch.optim
and optax are given the gradient by formula, without automatic differentiation; optax's *scan* is compiled as
a whole, and compilation is not counted. The C loop divides moments by 1 − βᵏ, the kernel multiplies them by
one over it. Before anything is timed the kernel's path is compared with the C loop's to 1e-12, and the end of
1 000 steps of the others' with it to 1e-6."""

# After more steps at the minimum moments fall below the normal numbers, with which processors are slow.
STEPS, SLOW_STEPS = 5_000, 1_000
# A loop of so few steps is called so many times in a row.
CALLS = 20
SAME, AGREE = 1e-12, 1e-6
# What each peer offers: our name for the method, and that by which its process knows it.
PEERS = {
    "torch": (("torch.optim", "loop"), ("torch.optim, fused", "fused")),
    "optax": (("optax, scan", "scan"), ("optax, jitted step", "step")),
}
# Per-step calls from Python take microseconds: fewer steps will do.
SLOW = {"loop", "fused", "step"}


def measure(settings: Settings) -> list[Row]:
    """Time every optimizer, and what a call costs before its first step."""
    levels = {"C loop": "-O2", "C loop, -O3": "-O3"}
    libraries = {method: loops.compiled(settings.scratch, level) for method, level in levels.items()}
    found: list[Row] = []
    with ExitStack() as stack:
        workers, absent = started(settings, stack)
        for name in loops.OPTIMIZERS:
            calls = _own_calls(settings, libraries, name)
            calls |= peer_calls(settings, workers, name)
            found += timed(settings, name, calls, "C loop", "ns a step")
            found += [Row(name, method, status="not installed", note=note) for method, note in absent]
            settings.say(f"{name}: timed")
    adam = loops.OPTIMIZERS["Adam"]
    call = partial(ide.simulate, adam, ide.Quadratic(4.0), alpha=loops.ALPHA, theta0=1.0, steps=1)
    (times,) = in_turns([lambda: 1e6 * seconds(call)], rounds=5 if settings.quick else 201, budget=2.0)
    return [*found, Row("Adam, one step", "simulate", values={"us a call": Spread.of(times)})]


def started(settings: Settings, stack: ExitStack) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Start the peers' processes; return them, and the methods that are not there with the reason."""
    workers, absent = {}, []
    for peer, methods in PEERS.items():
        try:
            workers[peer] = stack.enter_context(settings.peers.worker(peer))
        except AbsentError as error:
            if peer in settings.peers.wanted:
                absent += [(method, str(error)) for method, _ in methods]
    return workers, absent


def timed(
    settings: Settings, case: str, calls: dict[str, Callable[[], float]], base: str, quantity: str
) -> list[Row]:
    """Time calls in turns; return a row for each with its ratio to one of them."""
    rounds, budget = (1, 0.0) if settings.quick else (41, 12.0)
    times = dict(zip(calls, in_turns(list(calls.values()), rounds=rounds, budget=budget), strict=True))
    return [
        Row(
            case,
            method,
            values={quantity: Spread.of(values), f"ratio to {base}": ratio(values, times[base])},
        )
        for method, values in times.items()
    ]


def peer_calls(
    settings: Settings, workers: dict[str, Any], name: str, runs: int = 1
) -> dict[str, Callable[[], float]]:
    """Return calls that give nanoseconds a step and run; their paths have been compared with ours."""
    cell = {"alpha": loops.ALPHA, "theta0": loops.THETA0, "steps": SLOW_STEPS}
    run = ide.simulate(loops.OPTIMIZERS[name], ide.Quadratic(loops.CENTER), **cell)
    calls: dict[str, Callable[[], float]] = {}
    for peer, worker in workers.items():
        for method, known in PEERS[peer]:
            question = {"optimizer": name, "method": known, "alpha": loops.ALPHA, "runs": runs}
            answer = worker.ask(question | {"steps": SLOW_STEPS})
            if answer is None:
                continue  # this optimizer has no such method
            distance = np.abs(np.array(answer["theta"]) - run.theta[-1, 0]).max()
            if not distance <= AGREE:
                raise RuntimeError(
                    f"{method}, {name}: its run ends {distance:.1e} from ours, which is too far"
                )
            steps = SLOW_STEPS if known in SLOW or settings.quick or runs > 1 else STEPS
            calls[method] = partial(_ask, worker, question | {"steps": steps}, 1e9 / (steps * runs))
    return calls


def _ask(worker: Any, question: dict[str, Any], scale: float) -> float:
    return float(worker.ask(question)["seconds"]) * scale


def _own_calls(settings: Settings, libraries: dict[str, Any], name: str) -> dict[str, Callable[[], float]]:
    optimizer, objective = loops.OPTIMIZERS[name], ide.Quadratic(loops.CENTER)
    ours, theirs, plain = loops.rows(STEPS), loops.rows(STEPS), loops.rows(SLOW_STEPS)
    kernel = kernel_call(optimizer, ours)
    kernel()
    short = {method: loops.single(library, name, theirs) for method, library in libraries.items()}
    for method, reference in short.items():
        reference()
        # What the last bit is, tests compare.
        if not np.allclose(ours[0], theirs[0], rtol=SAME, atol=0.0):
            raise RuntimeError(f"{name}: the kernel and the {method} do not agree: nothing to time")
    short["simulate"] = partial(
        ide.simulate, optimizer, objective, alpha=loops.ALPHA, theta0=loops.THETA0, steps=STEPS
    )
    first = plain[1] if ratio_of(optimizer).first else None
    counted = CountedObjective(objective)
    loop = partial(
        discrete.run_python, optimizer, counted, loops.ALPHA, SLOW_STEPS, plain[0], first, plain[2]
    )
    count = 1 if settings.quick else CALLS
    timers = {method: partial(seconds, call) for method, call in short.items()} | {"kernel": kernel}
    calls = {method: partial(_in_a_row, timer, count) for method, timer in timers.items()}
    return calls | {"NumPy loop": lambda: seconds(loop) * 1e9 / SLOW_STEPS}


def _in_a_row(timer: Callable[[], float], count: int) -> float:
    return sum(timer() for _ in range(count)) * 1e9 / (STEPS * count)


class Inside:
    """The compiled kernels, with the seconds that are spent inside of them."""

    def __init__(self) -> None:
        self.seconds, self._library = 0.0, library()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a function of the library that is timed."""
        function = getattr(self._library, name)

        def timed(*arguments: Any) -> Any:
            begin = time.perf_counter()
            found = function(*arguments)
            self.seconds += time.perf_counter() - begin
            return found

        return timed


def inside(fill: Callable[[Any], Any]) -> float:
    """Return the seconds that a call of the kernels, which is given the library, spends inside of it."""
    kept = Inside()
    fill(kept)
    return kept.seconds


def kernel_call(optimizer: Any, arrays: Sequence[np.ndarray]) -> Callable[[], float]:
    """Return a call of the compiled kernel on one run, which returns the seconds inside of it."""
    theta, first, second = arrays
    rows = kernels.RunRows(
        optimizer,
        ide.Quadratic(loops.CENTER).separable_quadratic(theta.shape[1]),
        loops.ALPHA,
        None,
        theta,
        first if ratio_of(optimizer).first else None,
        second,
    )
    return partial(inside, lambda found: kernels.fill(found, rows))


def library() -> Any:
    """Return the compiled kernels.

    Raises
    ------
    RuntimeError
        If they are not built.
    """
    found = kernels.compiled()
    if found is None:
        raise RuntimeError("the compiled kernel is not built: install the package with a C compiler")
    return found
