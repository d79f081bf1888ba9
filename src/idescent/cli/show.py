"""``idescent show``: a plot of trajectory files, or of a run described on the line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from idescent.cli import cell, paths

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from idescent.figures.data import Curve
    from idescent.figures.spec import FigureSpec
    from idescent.trajectory import Trajectory

HELP = """\
Plot runs and solutions over the iterations, from Parquet files or made for the occasion.

The plot opens in a window, unless --output names a file.  Markers are discrete runs, lines are solutions;
there is a panel for every learning rate and objective.
"""
EPILOG = f"""\
examples
  idescent show Adam --alpha 0.1 --steps 60 --model Paper --model HalfStep --output adam.png
  idescent show Adam --alpha 0.1 --steps 60 --model Paper --model HalfStep --errors --output errors.pdf
  idescent simulate RMSProp --alpha 0.1 --output run.parquet
  idescent solve Paper RMSProp --alpha 0.1 --output path.parquet
  idescent show run.parquet path.parquet --quantity loss --log --output loss.svg

{cell.COMMON}"""


@dataclass(frozen=True)
class _Shown:
    cell: dict[str, Any]
    name: str
    trajectory: Trajectory


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "what", nargs="+", metavar="FILE|OPTIMIZER", help="Parquet files, or the class of an optimizer to run"
    )
    group = parser.add_argument_group("the plot")
    group.add_argument("--quantity", default="theta", metavar="NAME", help="theta (default), loss, G, v or m")
    group.add_argument(
        "--errors", action="store_true", help="draw |run - solution| instead, on a logarithmic axis"
    )
    group.add_argument("--log", action="store_true", help="logarithmic axis of the quantity")
    group.add_argument("--title", metavar="TEXT", help="heading of every panel")
    group.add_argument("--output", type=Path, metavar="FILE", help=".png, .pdf or .svg instead of a window")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="CLASS",
        help="model to solve and draw; may be repeated",
    )
    cell.add(parser)
    cell.add_solution(parser)


def run(given: Any) -> None:
    """Draw."""
    paths.check_output(given.output, ".png", ".pdf", ".svg")
    shown = _read(given) if given.what[0].endswith(".parquet") else _made(given)
    from idescent.figures import draw, saving

    spec, drawn = _figure(given, _judged(shown))
    with saving.styled():
        figure = (draw.error_figure if given.errors else draw.figure)(spec, drawn)
        if given.output is not None:
            saving.save(figure, [given.output], spec.title, spec.caption)
            sys.stdout.write(f"{given.output}: {sum(map(len, drawn))} curves\n")
        else:
            _open(figure)


def _read(given: Any) -> list[_Shown]:
    if given.model:
        raise ValueError("--model: files are drawn as they are; with an optimizer instead, models are solved")
    shown = []
    for file in given.what:
        trajectory, metadata = paths.read(file)
        solution = metadata["cell"].pop("solution", {"name": "discrete"})
        shown.append(_Shown(metadata["cell"], solution["name"], trajectory))
    return shown


def _judged(shown: Sequence[_Shown]) -> list[_Shown]:
    """Let solutions have the status that is theirs beside their run, where that is shown."""
    from idescent.figures.data import judged

    runs = [one for one in shown if one.name == "discrete"]
    return [
        one
        if one.name == "discrete"
        else replace(
            one,
            trajectory=judged(
                next((run.trajectory for run in runs if run.cell == one.cell), None), one.trajectory
            ),
        )
        for one in shown
    ]


def _made(given: Any) -> list[_Shown]:
    if len(given.what) > 1:
        raise ValueError(f"{given.what[1]!r} is not allowed: give either files or one optimizer")
    (given.optimizer,) = given.what
    described = cell.run(given)
    shown = [_Shown(described.cell, "discrete", paths.simulated(described))]
    for model in given.model:
        solution, path = paths.solved(described, given, model)
        shown.append(_Shown(described.cell, solution["solution"]["name"], path))
    return shown


def _figure(given: Any, shown: Sequence[_Shown]) -> tuple[FigureSpec, list[list[Curve]]]:
    """Return what is shown as the workflow's figures are: panels of curves."""
    from idescent.figures.spec import FigureSpec

    panels: dict[tuple[str, float], list[_Shown]] = {}
    for one in shown:
        panels.setdefault((one.cell["objective"]["name"], one.cell["alpha"]), []).append(one)
    several = len({objective for objective, _ in panels}) > 1
    names = list(dict.fromkeys(one.name for one in shown))
    if given.errors and ("discrete" not in names or len(names) == 1):
        raise ValueError("--errors: there must be a discrete run and a solution of it")
    drawn = [_errors(given, group) if given.errors else _curves(given, group) for group in panels.values()]
    spec = FigureSpec.model_validate(
        {
            "title": given.title or given.quantity,
            "caption": "; ".join(dict.fromkeys(cell.described(one.cell) for one in shown)),
            "quantity": given.quantity,
            "objective": next(iter(panels))[0],
            "select": [{"optimizer": one.cell["optimizer"]["class"]} for one in shown],
            "panels": [
                {
                    "alpha": alpha,
                    "title": given.title or (rf"{objective}, $\alpha = {alpha:g}$" if several else None),
                }
                for objective, alpha in panels
            ],
            "show": [name for name in names if name == "discrete"]
            + [name for name in names if name != "discrete"],
            "lines": _lines(names),
            "y_scale": "log" if given.log else "linear",
        }
    )
    return spec, drawn


def _lines(names: Sequence[str]) -> dict[str, dict[str, str]]:
    # The models' own names: all that is in a plot of one's own is known by them.
    kinds = ("solid", "dashed", "dotted", "dashdot")
    solutions = [name for name in names if name != "discrete"]
    return {
        name: {"label": f"{name} ({kinds[i % 4]})", "line": kinds[i % 4]} for i, name in enumerate(solutions)
    }


def _curves(given: Any, group: Sequence[_Shown]) -> list[Curve]:
    import numpy as np

    return [
        _curve(one, wide[:, 0] if wide.shape[1] == 1 else np.linalg.norm(wide, axis=1), wide.shape[1] > 1)
        for one in group
        for wide in [_quantity(one, given.quantity)]
    ]


def _errors(given: Any, group: Sequence[_Shown]) -> list[Curve]:
    from idescent.errors import common, distance

    curves = []
    for run in (one for one in group if one.name == "discrete"):
        for one in group:
            if one.name != "discrete" and one.cell == run.cell:
                wide = _quantity(one, given.quantity)
                _quantity(run, given.quantity)
                y = distance(run.trajectory, one.trajectory, given.quantity)
                kept = one.trajectory.rows(common(run.trajectory, one.trajectory))
                curves.append(_curve(_Shown(one.cell, one.name, kept), y, wide.shape[1] > 1))
    return curves


def _curve(one: _Shown, y: Any, vector: bool) -> Curve:
    import numpy as np

    from idescent.figures.data import Curve

    seen = np.isfinite(y)
    k = one.trajectory.k[seen].astype(np.float64)
    return Curve(one.cell, one.name, k, y[seen], vector, one.trajectory.report)


def _quantity(one: _Shown, name: str) -> Any:
    known = ("theta", "loss", *one.trajectory.moments)
    if name not in known:
        raise ValueError(f"--quantity: {name!r} is not allowed: must be one of {', '.join(known)}")
    return one.trajectory.quantity(name)


def _open(figure: Figure) -> None:
    """Show a figure in a window until it is closed."""
    import matplotlib.pyplot as plt

    def drawn(*_: Any, **__: Any) -> Figure:
        return figure

    try:
        plt.figure(FigureClass=cast(Any, drawn))
    except ImportError as error:
        raise ValueError(f"no window can be opened here: {error}: name a file with --output") from error
    if getattr(figure.canvas, "required_interactive_framework", None) is None:
        raise ValueError("no window can be opened here: name a file with --output")
    plt.show()
