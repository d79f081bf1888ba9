"""Timing in turns, so that a drift of the machine hits everything that is compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from suite.rows import Spread

FEWEST_ROUNDS = 3


def seconds(call: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def in_turns(calls: Sequence[Callable[[], float]], *, rounds: int, budget: float) -> list[list[float]]:
    """Call each once a round, beginning with another one each time; return what each said, by call.

    Parameters
    ----------
    calls : sequence of callable
        Each measures itself and returns a number.  A first round, which loads what is loaded on first use,
        does not count.
    rounds : int
        At most so many; at least three, or one if only one is asked for.
    budget : float
        Seconds after which no further round begins.
    """
    for call in calls:
        call()
    found: list[list[float]] = [[] for _ in calls]
    begin = time.perf_counter()
    for done in range(rounds):
        if done >= FEWEST_ROUNDS and time.perf_counter() - begin > budget:
            break
        for i in range(len(calls)):
            at = (done + i) % len(calls)
            found[at].append(calls[at]())
    return found


def ratio(values: Sequence[float], base: Sequence[float]) -> Spread:
    """Return the spread of the ratios, round by round."""
    return Spread.of([value / other for value, other in zip(values, base, strict=True)])


def repeated(call: Callable[[], Any], *, most: int, budget: float) -> tuple[Any, list[float]]:
    """Call up to a number of times or of seconds; return the last result and the seconds of each."""
    times: list[float] = []
    result = None
    while len(times) < most and (not times or sum(times) < budget):
        begin = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - begin)
    return result, times
