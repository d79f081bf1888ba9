"""Find refused solutions before any job runs: their model or solver cannot express the optimizer of a cell.

What lives here: the test for one cell, and the error for a solution that all of its cells refuse.  What does
not: the record of a refused solution in the results (:mod:`idescent.jobs.solve`).
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
    """Check that at least one cell accepts each solution and stochastic equation of the study.

    Parameters
    ----------
    study : Study
    equations : mapping of str to str
        For each stochastic equation, the place in the configuration that first names it.

    Raises
    ------
    ConfigError
        One line about the first request that all of its cells refuse.
    """
    for place, refusal_of, cells in _requests(study, equations):
        reasons = []
        for cell in cells:
            reason = refusal_of(cell)
            if reason is None:
                break
            reasons.append(reason)
        else:
            if reasons:
                count = "its only cell" if len(reasons) == 1 else f"all of its {len(reasons)} cells"
                raise ConfigError(f"config: {place}: refused in {count}: {reasons[0]}")


def _requests(study: Study, equations: Mapping[str, str]) -> Iterator[tuple[str, Refusal, Iterable[Spec]]]:
    """Yield, for each request of a study, its place in the configuration, its test and its cells."""
    ensembles = list(study.settings["ensembles"].values())
    for name, solution in study.solutions.items():
        cells = (cell.spec() for cell in study.cells if name in cell.solutions)
        more = (one for one in ensembles if any(s["name"] == name for s in one["solutions"]))
        yield f"solutions.{name}", refusal(solution), itertools.chain(cells, more)
    for name, where in equations.items():
        with_equation = (one for one in ensembles if name in one["equations"])
        yield f"{where}: {name}", _equation_refusal(name), with_equation


def refusal(solution: Spec) -> Refusal:
    """Return a function that maps a cell to the reason why it refuses a solution, or to None.

    It does not find refusals that occur only while the solver runs.
    """
    try:
        model, solver = registry.model(solution["model"]), registry.solver(solution["solver"])
    except Exception:  # an error in a user's own module: the job reports it
        return lambda _: None

    def reason(cell: Spec) -> str | None:
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

    return reason


def _equation_refusal(name: str) -> Refusal:
    # Imported here because studies without ensembles do not need its dependencies.
    from idescent.products.ensembles.rows import EQUATIONS

    def reason(cell: Spec) -> str | None:
        try:
            EQUATIONS[name]().check(registry.optimizer(cell["optimizer"]))
        except ValueError as error:
            return str(error)
        return None

    return reason
