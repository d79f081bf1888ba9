"""Measure the order of the second-order model for every optimizer of the package, and write docs/orders.md.

    python docs/orders_numbers.py            measure all optimizers; a few minutes
    python docs/orders_numbers.py Adam Lion  measure these, and leave the other rows as they are

Each optimizer is verified by :func:`idescent.verify` on three objectives.  The page gets two tables: the
second-order model, and the first-order model for the optimizers of which the former claims no order.
"""

import argparse
import inspect
from collections.abc import Iterator
from pathlib import Path

from refresh import fill_measured

import idescent as ide
from idescent import models
from idescent.analysis.verification import Verification, power
from idescent.models.card import claim
from idescent.objectives import Rosenbrock, RotatedQuadratic
from idescent.optimizers import _OPTIMIZERS, Optimizer

TARGET = Path(__file__).parent / "orders.md"
OBJECTIVES = {
    "quadratic": (ide.Quadratic(4.0), 1.0),
    "rotated": (RotatedQuadratic(3, 4.0, 0), [1.5, -1.0, 2.0]),
    "Rosenbrock": (Rosenbrock(2, 10.0), [-1.5, 0.5]),
}
# Four parameters, for optimizers whose parameters form a matrix.
MATRICES = {
    "quadratic": (ide.Quadratic(4.0), [1.0, 1.5, 2.0, 2.5]),
    "rotated": (RotatedQuadratic(4, 4.0, 0), [1.5, -1.0, 2.0, -0.5]),
    "Rosenbrock": (Rosenbrock(4, 10.0), [-1.5, 0.5, -1.5, 0.5]),
}
ALL = "all"
# A weight decay whose product with a learning rate 2^-p, taken from 1, is not rounded.
HYPERPARAMETERS = {"beta": 0.9, "beta1": 0.9, "beta2": 0.95, "weight_decay": 0.125, "shape": (2, 2)}
MODELS = {"second": models.HalfStep(), "first": models.Naive()}
HEAD = ("optimizer", "objective", "claim", "verdict", "last two slopes", "smallest α", "horizon t")
LEFT = 4  # columns aligned left


def optimizers(names: list[str]) -> Iterator[Optimizer]:
    """Return optimizers of the package with short memories, so that the asymptotic range is reached."""
    for name in names:
        kind = getattr(ide, name)
        known = inspect.signature(kind).parameters
        yield kind(**{key: value for key, value in HYPERPARAMETERS.items() if key in known})


def claimed(model: models.Model, optimizer: Optimizer) -> str:
    """Return a claim as a cell of the table."""
    one = claim(model, optimizer)
    return f"order {one.order}" if one.order is not None else f"none: {one.why.removeprefix('refused: ')}"


def objectives(model: models.Model, optimizer: Optimizer) -> list[str]:
    """Return the objectives of an optimizer's rows; one row for all if the model claims nothing."""
    return list(OBJECTIVES) if claim(model, optimizer).order is not None else [ALL]


def row(optimizer: Optimizer, objective: str, model: models.Model) -> list[str]:
    """Measure one row."""
    cells = OBJECTIVES if optimizer.shape is None else MATRICES
    function, theta0 = cells["quadratic" if objective == ALL else objective]
    result = ide.verify(optimizer, function, theta0=theta0, model=model)
    named = f"`{repr(optimizer).partition('(')[0]}`"
    return [named, objective, claimed(model, optimizer), verdict(result), *numbers(result)]


def verdict(result: Verification) -> str:
    """Return the verdict, with its reason if the claim is not confirmed."""
    return result.verdict if result.verdict in ("ok", "no claim") else f"{result.verdict}: {result.why}"


def numbers(result: Verification) -> list[str]:
    """Return the last two slopes, the smallest learning rate and the horizon."""
    if not result.rungs:
        return ["exact", "–", f"{result.time:g}"] if result.verdict == "ok" else ["–", "–", "–"]
    slopes = ", ".join(f"{slope:.2f}" for slope in result.slopes[-2:]) or "–"
    return [slopes, power(result.rungs[-1].alpha), f"{result.time:g}"]


def tables(text: str) -> dict[str, dict[tuple[str, str], list[str]]]:
    """Return the rows of the page by table, optimizer and objective."""
    rows: dict[str, dict[tuple[str, str], list[str]]] = {}
    for name in MODELS:
        block = text.partition(f"<!-- {name}: measured -->")[2].partition("<!--")[0]
        lines = [line for line in block.splitlines() if line.startswith("| `")]
        cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
        rows[name] = {(line[0].strip("`"), line[1]): line for line in cells}
    return rows


def table(rows: dict[tuple[str, str], list[str]]) -> str:
    """Return rows as a Markdown table, in the order of the package and of the objectives."""
    dashes = ["---"] * LEFT + ["---:"] * (len(HEAD) - LEFT)
    order = [(name, objective) for name in sorted(_OPTIMIZERS) for objective in (*OBJECTIVES, ALL)]
    lines = [HEAD, dashes, *(rows[key] for key in order if key in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure, and write the page after each optimizer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=sorted(_OPTIMIZERS), help="optimizers (default: all)")
    for optimizer in optimizers(parser.parse_args().names):
        name, rows = type(optimizer).__name__, tables(TARGET.read_text(encoding="utf-8"))
        no_claim = claim(MODELS["second"], optimizer).order is None
        for kind, model in MODELS.items():
            rows[kind] = {key: line for key, line in rows[kind].items() if key[0] != name}
            if kind == "first" and not no_claim:
                continue
            for objective in objectives(model, optimizer):
                rows[kind][name, objective] = line = row(optimizer, objective, model)
                print(" | ".join([kind, *line]), flush=True)
        fill_measured(TARGET, {kind: table(lines) for kind, lines in rows.items()})


if __name__ == "__main__":
    main()
