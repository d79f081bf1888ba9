"""How large a configuration may be: beyond, it is a mistake, or meant to do harm.

What lives here: the limits, far from what a study needs, and the checks that refuse a study before its grid
is expanded.  A run's length is bounded by the memory of its rows.  What does not: limits of single values
(:mod:`idescent.study.values`), files (:mod:`idescent.study.documents`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from idescent.study.messages import ConfigError, path, refused

if TYPE_CHECKING:
    from idescent.study.keys import RunSpec

LARGEST_FILE = 10_000_000
"""Bytes of a configuration or claims file."""
MOST_VALUES = 500_000
"""Values in a configuration, lists and mappings among them; an alias counts as what it stands for."""
DEEPEST = 50
"""Lists and mappings inside each other in a file."""
MOST_NAMES = 1000
"""Objectives, schedules, solutions, figures."""
MOST_PANELS = 100
"""Panels of a figure."""
MOST_RESULTS = 1_000_000
"""Runs and solutions of a study: each has a file."""
MOST_PREDICTIONS = 10_000
"""Forecasts, and ensembles, of a study: each takes a second at least."""
LARGEST_RUN = 10**9
"""Iterations times parameters of a run, whose every row is kept: theta alone has 8 GB."""
LARGEST_FORECAST = 10**8
"""Learning rate times iterations of a forecast: its pilot runs can be as long."""
LARGEST_ENSEMBLE = 10**9
"""Runs of an ensemble times the parameters, the batch, or the points."""
MOST_ITERATIONS = 10**13
"""Iterations of all runs of a block together: two days at the 20 ns of a compiled one."""
LARGEST_SIZE = 10_000_000
"""Parameters, samples, or hidden units of an objective of the package."""
_SIZES = ("dimension", "size", "hidden")


def check_values(raw: Any) -> None:
    """Refuse a configuration of too many values, before anything else walks it.

    An alias of YAML shares what it stands for, so that nine short lines can hold 10**9 values.

    Raises
    ------
    ConfigError
        If there are more than ``MOST_VALUES``; it names the section in which they are exceeded.
    """
    left = MOST_VALUES
    for name, section in raw.items() if isinstance(raw, Mapping) else ():
        left -= _count(section, left)
        if left < 0:
            rule = f"must have at most {MOST_VALUES} values, with each alias counted as what it stands for"
            raise ConfigError(f"config: {path([name])}: {rule}")


def _count(value: Any, most: int) -> int:
    """Count values inside each other, until they are more than ``most``."""
    waiting, count = [(value, 0)], 0
    while waiting and count <= most:
        value, depth = waiting.pop()
        count += 1
        # What is nested deeper, or in itself, is refused where it stands.
        if isinstance(value, Mapping | list | tuple) and depth < DEEPEST:
            inner = value.values() if isinstance(value, Mapping) else value
            waiting.extend((item, depth + 1) for item in inner)
    return count


def check_grid(spec: Any) -> None:
    """Refuse a study that is too large, without expanding it.

    Raises
    ------
    ConfigError
        One line that names the field, its number, and the limit.
    """
    for section in ("objectives", "schedules", "solutions", "figures"):
        if (count := len(getattr(spec, section))) > MOST_NAMES:
            raise ConfigError(f"config: {section}: {count} are not allowed: must be at most {MOST_NAMES}")
    for name, figure in spec.figures.items():
        if (count := len(figure.panels)) > MOST_PANELS:
            where = f"config: figures.{name}.panels"
            raise ConfigError(f"{where}: {count} are not allowed: must be at most {MOST_PANELS}")
    for name, objective in spec.objectives.items():
        for key in _SIZES:
            given = objective.arguments.get(key)
            if ":" not in objective.class_ and isinstance(given, int | float) and given > LARGEST_SIZE:
                rule = f"must be at most {LARGEST_SIZE}"
                raise refused(f"objectives.{name}.arguments.{key}", given, rule)
    for section, blocks in (("runs", spec.runs), ("forecast", spec.forecast), ("ensembles", spec.ensembles)):
        total, most, what = 0, MOST_PREDICTIONS, section.rstrip("s") + "s"
        if section == "runs":
            most, what = MOST_RESULTS, "runs and solutions"
        for i, block in enumerate(blocks):
            at = f"{section}.{i}"
            total += _results(spec, section, block)
            if total > most:
                rule = f"must be at most {most} in the whole study"
                raise ConfigError(f"config: {at}: {total} {what} up to here are not allowed: {rule}")
            check_length(at, block, len(block.theta0) if isinstance(block.theta0, list) else 1)


def check_length(at: str, block: RunSpec, parameters: int) -> None:
    """Refuse runs whose rows no machine could keep, or that would not end.

    Raises
    ------
    ConfigError
        One line that names the field, its value, and the limit.
    """
    section = at.partition(".")[0]
    times = math.prod(map(len, block.hyperparameters.values()))
    iterations = 0.0
    for j, alpha in enumerate(block.alpha):
        key, given, steps = _horizon(block, j, alpha)
        if section == "forecast":
            if alpha * steps > LARGEST_FORECAST:
                rule = f"alpha ({alpha!r}) times iterations must be at most {LARGEST_FORECAST}"
                raise refused(f"{at}.{key}", given, rule)
        elif section == "runs":
            if steps * parameters > LARGEST_RUN:
                rule = f"iterations times parameters ({parameters}) must be at most {LARGEST_RUN}"
                raise refused(f"{at}.{key}", given, rule)
            iterations += steps * times
        else:
            iterations += steps * times * _checked_runs(at, block, parameters, steps)
        if iterations > MOST_ITERATIONS:
            rule = f"must be at most {MOST_ITERATIONS:.0e} iterations of all runs of the block together"
            raise refused(f"{at}.{key}", given, rule)


def _results(spec: Any, section: str, block: RunSpec) -> int:
    cells = len(block.alpha) * math.prod(map(len, block.hyperparameters.values()))
    if section != "runs":
        return cells * len(getattr(block, "batch", [1]))
    return cells * (1 + len(spec.solutions if block.solutions is None else block.solutions))


def _horizon(block: RunSpec, j: int, alpha: float) -> tuple[str, Any, float]:
    """Return the key that sets the horizon of a learning rate, its value, and the iterations."""
    if block.time is not None:
        return "time", block.time, block.time / alpha
    if block.until is not None:
        return "until.at_most", block.until.at_most, float(block.until.at_most)
    steps = block.horizon(j)
    return "steps", steps, float(steps)


def _checked_runs(at: str, block: Any, parameters: int, steps: float) -> int:
    """Return how many runs an ensemble has, if what is kept of them fits into memory."""
    for name, size in (
        ("parameters", parameters),
        ("batch", max(block.batch)),
        ("points", min(block.points, steps)),
    ):
        if block.runs * size > LARGEST_ENSEMBLE:
            rule = f"runs times {name} must be at most {LARGEST_ENSEMBLE}"
            raise refused(f"{at}.runs", block.runs, rule)
    runs: int = block.runs
    return runs * (block.substeps if block.equations else 1)
