"""Solutions that their model or their solver does not offer, as far as that is known before anything runs.

What lives here: the refusal of a solution by one cell, and of a configuration in which nothing is left of a
solution.  What does not: what is recorded of a cell whose solution is refused
(:mod:`idescent.jobs.solve`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from idescent.models.equation import derive
from idescent.models.scheduled import under
from idescent.schedules import factors
from idescent.study import registry
from idescent.study.cells import Study
from idescent.study.messages import ConfigError

Spec = Mapping[str, Any]
Refusal = Callable[[Spec], str | None]


def check(study: Study, equations: Mapping[str, str]) -> None:
    """Check that nothing is refused by all cells that ask for it: solutions, equations, forecasts.

    Parameters
    ----------
    study : Study
    equations : mapping
        Where the configuration asks first for each stochastic equation.

    Raises
    ------
    ConfigError
        One line about the first that is.
    """
    for what, refuses, cells in _asked(study, equations):
        reasons = []
        for cell in cells:
            reason = refuses(cell)
            if reason is None:
                break
            reasons.append(reason)
        else:
            if reasons:
                places = "its only cell" if len(reasons) == 1 else f"all of its {len(reasons)} cells"
                raise ConfigError(f"config: {what} is refused in {places}: {reasons[0]}")


def _asked(study: Study, equations: Mapping[str, str]) -> Iterator[tuple[str, Refusal, Iterable[Spec]]]:
    """Yield the requests of a study, their places in the configuration, and their cells."""
    ensembles = list(study.settings["ensembles"].values())
    for name, solution in study.solutions.items():
        cells = (cell.spec() for cell in study.cells if name in cell.solutions)
        more = (one for one in ensembles if any(s["name"] == name for s in one["solutions"]))
        yield f"solutions.{name}: it", refusal(solution), itertools.chain(cells, more)
    for name, where in equations.items():
        asked = (one for one in ensembles if name in one["equations"])
        yield f"{where}: {name}", _equation_refusal(name), asked
    yield "forecast: it", _forecast_refusal(), study.settings["forecast"]


def refusal(solution: Spec) -> Refusal:
    """Return the function of a cell that says why a solution is refused there; None where it is not.

    What only shows when the model is solved is not known here.
    """
    try:
        model, solver = registry.model(solution["model"]), registry.solver(solution["solver"])
    except Exception:  # a module of the user's own: the job says what is wrong with it
        return lambda _: None

    def refuses(cell: Spec) -> str | None:
        alpha, steps = cell["alpha"], cell["steps"]
        try:
            optimizer, schedule = registry.optimizer(cell["optimizer"]), registry.schedule(cell)
            rates = factors(schedule, steps)
            equation = derive(under(model, schedule, steps), optimizer, alpha)
            if rates is not None:
                derive(model, optimizer, alpha * float(rates.max(initial=0.0)))
            if hasattr(solver, "check"):
                solver.check(model, equation)
        except ValueError as error:
            return " ".join(str(error).split())
        except Exception:  # as above
            return None
        return None

    return refuses


def _equation_refusal(name: str) -> Refusal:
    from idescent.products.ensembles.rows import EQUATIONS  # loads more than other studies need

    def refuses(cell: Spec) -> str | None:
        try:
            EQUATIONS[name]().check(registry.optimizer(cell["optimizer"]))
        except ValueError as error:
            return str(error)
        return None

    return refuses


def _forecast_refusal() -> Refusal:
    # What predicts is the half-step model; its pilot runs are not looked at here.
    return refusal({"model": {"class": "HalfStep"}, "solver": {"class": "Collocation"}})
