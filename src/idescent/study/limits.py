"""Limits on the size of a configuration; a larger one is a mistake or an attack.

What lives here: the limits, far above the needs of any study, and the checks that refuse a study before its
grid is expanded.  The length of a run is bounded by the memory of its rows.  What does not: limits of single
values (:mod:`idescent.study.values`), the reading of files (:mod:`idescent.study.documents`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from idescent.study.messages import ConfigError, path, refused

if TYPE_CHECKING:
    from idescent.study.keys import RunSpec

LARGEST_FILE = 10_000_000
"""Largest size of a configuration or claims file, in bytes."""
MOST_VALUES = 500_000
"""Largest number of values in a configuration.

Lists and mappings count as values, too; an alias counts as all values under its anchor.
"""
DEEPEST = 50
"""Largest depth of nested lists and mappings in a file."""
MOST_NAMES = 1000
"""Largest number of objectives, schedules, solutions and figures, each."""
MOST_PANELS = 100
"""Largest number of panels in a figure."""
MOST_RESULTS = 1_000_000
"""Largest number of runs and solutions of a study together: each has a file."""
MOST_PREDICTIONS = 10_000
"""Largest number of forecasts, and of ensembles, of a study: each takes at least a second."""
LARGEST_RUN = 10**9
"""Largest product of iterations and parameters of a run.  Every row is kept: theta alone takes 8 GB then."""
LARGEST_FORECAST = 2**53
"""Largest number of iterations of a forecast: larger integers k are not exact in float64."""
LARGEST_ENSEMBLE = 10**9
"""Largest product of the runs of an ensemble with its parameters, its batch or its points, each."""
MOST_ITERATIONS = 10**13
"""Largest number of iterations of all runs of a block together: two days at 20 ns a compiled iteration."""
LARGEST_SIZE = 10_000_000
"""Largest number of parameters, samples or hidden units of an objective of the package."""
_SIZES = ("dimension", "size", "hidden")


def check_values(raw: Any) -> None:
    """Refuse a configuration with too many values, before any other check reads it.

    YAML's aliases share one object, so that nine short lines can expand to 10**9 values.

    Raises
    ------
    ConfigError
        If there are more than ``MOST_VALUES``; it names the section that exceeds the limit.
    """
    left = MOST_VALUES
    for name, section in raw.items() if isinstance(raw, Mapping) else ():
        left -= _count(section, left)
        if left < 0:
            rule = f"must have at most {MOST_VALUES} values, with each alias counted in full"
            raise ConfigError(f"config: {path([name])}: {rule}")


def _count(value: Any, most: int) -> int:
    """Count a value and all nested values; stop once there are more than ``most``."""
    waiting, count = [(value, 0)], 0
    while waiting and count <= most:
        value, depth = waiting.pop()
        count += 1
        # Deeper values, and values that contain themselves, are refused by the check of their key.
        if isinstance(value, Mapping | list | tuple) and depth < DEEPEST:
            inner = value.values() if isinstance(value, Mapping) else value
            waiting.extend((item, depth + 1) for item in inner)
    return count


def check_grid(spec: Any) -> None:
    """Refuse a study that is too large, without expanding it.

    Raises
    ------
    ConfigError
        One line that names the field, the number and the limit.
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
            size = objective.arguments.get(key)
            if ":" not in objective.class_ and isinstance(size, int | float) and size > LARGEST_SIZE:
                rule = f"must be at most {LARGEST_SIZE}"
                raise refused(f"objectives.{name}.arguments.{key}", size, rule)
    for section, blocks in (("runs", spec.runs), ("forecast", spec.forecast), ("ensembles", spec.ensembles)):
        total, most, noun = 0, MOST_PREDICTIONS, section.rstrip("s") + "s"
        if section == "runs":
            most, noun = MOST_RESULTS, "runs and solutions"
        for i, block in enumerate(blocks):
            at = f"{section}.{i}"
            total += _results(spec, section, block)
            if total > most:
                rule = f"must be at most {most} in the whole study"
                raise ConfigError(f"config: {at}: {total} {noun} up to here are not allowed: {rule}")
            # A start of one number, or a drawn one, counts as one parameter here; config.load repeats the
            # check with the objective's number of parameters.
            check_length(at, block, len(block.theta0) if isinstance(block.theta0, list) else 1)


def check_length(at: str, block: RunSpec, parameters: int) -> None:
    """Refuse runs whose rows do not fit into any machine's memory, or that take too long.

    Parameters
    ----------
    at : str
        Path of the block in the configuration, for example ``runs.0``.
    block : RunSpec
    parameters : int
        Number of parameters n.

    Raises
    ------
    ConfigError
        One line that names the field, its value and the limit.
    """
    section = at.partition(".")[0]
    combinations = math.prod(map(len, block.hyperparameters.values()))
    iterations = 0.0
    for j, alpha in enumerate(block.alpha):
        key, value, steps = _horizon(block, j, alpha)
        if section == "forecast":
            if steps > LARGEST_FORECAST:
                raise refused(f"{at}.{key}", value, f"must be at most {LARGEST_FORECAST} iterations")
        elif section == "runs":
            if steps * parameters > LARGEST_RUN:
                rule = f"iterations times parameters ({parameters}) must be at most {LARGEST_RUN}"
                raise refused(f"{at}.{key}", value, rule)
            iterations += steps * combinations
        else:
            iterations += steps * combinations * _checked_runs(at, block, parameters, steps)
        if iterations > MOST_ITERATIONS:
            rule = f"all runs of the block together must have at most {MOST_ITERATIONS:.0e} iterations"
            raise refused(f"{at}.{key}", value, rule)


def _results(spec: Any, section: str, block: RunSpec) -> int:
    """Return the number of results of a block: of files for ``runs``, of predictions for other sections."""
    cells = len(block.alpha) * math.prod(map(len, block.hyperparameters.values()))
    if section != "runs":
        return cells * len(getattr(block, "batch", [1]))
    return cells * (1 + len(spec.solutions if block.solutions is None else block.solutions))


def _horizon(block: RunSpec, j: int, alpha: float) -> tuple[str, Any, float]:
    """Return the key that sets the horizon for a learning rate, its value, and the number of iterations."""
    if block.time is not None:
        return "time", block.time, block.time / alpha
    if block.until is not None:
        return "until.at_most", block.until.at_most, float(block.until.at_most)
    steps = block.horizon(j)
    return "steps", steps, float(steps)


def _checked_runs(at: str, block: Any, parameters: int, steps: float) -> int:
    """Return the number of runs of an ensemble, substeps of its equations included.

    Raises
    ------
    ConfigError
        If the arrays of the ensemble do not fit into memory.
    """
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
