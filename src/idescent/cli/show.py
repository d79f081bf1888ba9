"""``idescent show``: plot of trajectory files, or of a run that the options describe.

What lives here: the options, and the choice of panels and curves.  What does not: the drawing itself
(:mod:`idescent.products.paths.figure`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from idescent.cli import cell, paths, terminal
from idescent.cli.words import one_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from idescent.products.paths.curves import Curve
    from idescent.products.paths.spec import FigureSpec
    from idescent.trajectory import Report, Trajectory

HELP = """\
Plot runs and solutions over the iterations, from Parquet files or computed by this command.

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


# Keys of a cell that must be equal for curves to share a panel.
_COMMON = ("objective", "alpha", "theta0", "schedule")
# Options that are allowed with files: those of the plot, and argparse's own entries.
_OF_FILES = ("command", "run", "parser", "sources", "quantity", "errors", "log", "title", "output")


@dataclass(frozen=True)
class _Item:
    """A trajectory to plot, with its file, cell and name (``discrete``, or that of the solution)."""

    file: str
    cell: dict[str, Any]
    name: str
    trajectory: Trajectory


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="FILE|OPTIMIZER",
        help="Parquet files, or the class of an optimizer to run",
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


def run(options: Any) -> None:
    """Draw the plot, and save it or open it in a window."""
    paths.check_output(options.output, ".png", ".pdf", ".svg")
    items = _read(options) if options.sources[0].endswith(".parquet") else _computed(options)
    from idescent.drawing import saving
    from idescent.products.paths import figure as draw

    spec, drawn, notes = _figure(options, _judged(items))
    left_out = _left_out(spec, drawn, errors=options.errors)
    for note in notes:
        terminal.note(note)
    with saving.styled():
        figure = (draw.error_figure if options.errors else draw.figure)(spec, drawn)
        if options.output is not None:
            saving.save(figure, [options.output], spec.title, spec.caption)
            sys.stdout.write(f"{options.output}: {sum(map(len, drawn))} curves{left_out}\n")
        else:
            _open(figure)


def _read(options: Any) -> list[_Item]:
    for name, value in vars(options).items():
        if name not in _OF_FILES and value != options.parser.get_default(name):
            option = f"--{name.replace('_', '-')}"
            raise ValueError(f"{option} is not allowed with files: it describes a run of an optimizer")
    items = []
    for file in options.sources:
        trajectory, metadata = paths.read(file)
        solution = metadata["cell"].pop("solution", {"name": "discrete"})
        items.append(_Item(file, metadata["cell"], solution["name"], trajectory))
    return _alike(items)


def _alike(items: Sequence[_Item]) -> list[_Item]:
    """Project the parameters of all items of a cell if one of them is a recorded run with projections."""
    from idescent.analysis.projections import alike, projection_of

    projected = []
    for item in items:
        if (projection := projection_of(item.trajectory)) is not None:
            projected.append(item)
            terminal.note(f"{item.file}: {projection.text}")
    pairs = [(item, next((run for run in projected if run.cell == item.cell), item)) for item in items]
    return [replace(item, trajectory=alike(run.trajectory, item.trajectory)[1]) for item, run in pairs]


def _judged(items: Sequence[_Item]) -> list[_Item]:
    """Replace the status of implausible solutions, if their run is among the items."""
    from idescent.products.paths.curves import judged

    runs = [item for item in items if item.name == "discrete"]
    return [
        item
        if item.name == "discrete"
        else replace(
            item,
            trajectory=judged(
                next((run.trajectory for run in runs if run.cell == item.cell), None), item.trajectory
            ),
        )
        for item in items
    ]


def _computed(options: Any) -> list[_Item]:
    if len(options.sources) > 1:
        raise ValueError(f"{options.sources[1]!r} is not allowed: must be files only, or a single optimizer")
    (options.optimizer,) = options.sources
    described = cell.run(options)
    items = [_Item("the run", described.cell, "discrete", paths.simulated(described))]
    for model in options.model:
        solution, path = paths.solved(described, options, model)
        name = solution["solution"]["name"]
        items.append(_Item(name, described.cell, name, path))
    return items


def _figure(options: Any, items: Sequence[_Item]) -> tuple[FigureSpec, list[list[Curve]], list[str]]:
    """Return the figure's specification, the curves of each panel, and notes on items that are left out."""
    from idescent.products.paths.spec import FigureSpec

    panels: dict[str, list[_Item]] = {}
    for item in items:
        panels.setdefault(_problem(item.cell), []).append(item)
    problems = [group[0].cell for group in panels.values()]
    names = list(dict.fromkeys(item.name for item in items))
    if options.errors and ("discrete" not in names or len(names) == 1):
        raise ValueError("--errors needs a discrete run and a solution of it")
    notes: list[str] = []
    hidden: list[Curve] = []  # curves without a finite point, or, with --log, without a positive one
    draw = _errors if options.errors else _curves
    drawn = [draw(options, group, notes, hidden) for group in panels.values()]
    if any(drawn) and not options.errors:
        problems = [problem for problem, curves in zip(problems, drawn, strict=True) if curves]
        drawn = [curves for curves in drawn if curves]
    elif not any(drawn):
        problems, drawn = problems[:1], [hidden]
    if not any(drawn):
        raise ValueError(f"--errors: nothing to draw: {_others(items)}")
    spec = FigureSpec.model_validate(
        {
            "title": options.title or options.quantity,
            "caption": "; ".join(dict.fromkeys(cell.described(item.cell) for item in items)),
            "quantity": options.quantity,
            "objective": problems[0]["objective"]["name"],
            "select": [{"optimizer": item.cell["optimizer"]["class"]} for item in items],
            "panels": [
                {"alpha": problem["alpha"], "title": options.title or _title(problem, problems)}
                for problem in problems
            ],
            "show": [name for name in names if name == "discrete"]
            + [name for name in names if name != "discrete"],
            "y_scale": "log" if options.log else "linear",
        }
    )
    return spec, drawn, notes


def _problem(cell: Mapping[str, Any]) -> str:
    """Return the key of a panel: its curves differ in optimizer and solution only."""
    return json.dumps({name: cell.get(name) for name in _COMMON}, sort_keys=True)


def _title(problem: Mapping[str, Any], problems: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the label that distinguishes a panel from the others, or None if only alpha does."""

    def differ(part: Callable[[Mapping[str, Any]], Any]) -> bool:
        return len({json.dumps(part(other), sort_keys=True) for other in problems}) > 1

    parts = []
    if differ(lambda other: other["objective"]):
        # The name is enough, unless two objectives of one name differ in their arguments.
        namesakes = [
            other for other in problems if other["objective"]["name"] == problem["objective"]["name"]
        ]
        same = all(other["objective"] == problem["objective"] for other in namesakes)
        parts.append(problem["objective"]["name"] if same else cell.called(problem["objective"]))
    parts.append(rf"$\alpha = {problem['alpha']:g}$")
    if differ(lambda other: other["theta0"]):
        parts.append(rf"$\theta_0$ = {cell.begin(problem['theta0'])}")
    if differ(lambda other: other.get("schedule")):
        parts.append(cell.called(problem["schedule"]) if problem.get("schedule") else "constant rate")
    return ", ".join(parts) if len(parts) > 1 else None


def _others(items: Sequence[_Item]) -> str:
    """Return a text about the first solution that belongs to none of the runs."""
    runs = [item for item in items if item.name == "discrete"]
    item = next(
        item for item in items if item.name != "discrete" and all(item.cell != run.cell for run in runs)
    )
    others = "; ".join(f"{run.file}: {cell.described(run.cell)}" for run in runs)
    return f"{item.file} is a solution of another run: {cell.described(item.cell)} ({others})"


def _left_out(spec: FigureSpec, drawn: Sequence[Sequence[Curve]], *, errors: bool) -> str:
    """Return the text about paths that no panel shows, for the end of the printed line.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    from idescent.products.paths.figure import part

    accounts = [part(spec, curves, errors=errors)[1] for curves in drawn]
    if not any(account.drawn for account in accounts):
        reasons = dict.fromkeys(account.whole for account in accounts)
        raise ValueError(f"nothing to draw of {spec.quantity}: {'; '.join(reasons)}")
    texts = dict.fromkeys(
        (account.whole or account.part).lower() for account in accounts if account.whole or account.part
    )
    return "".join(f"; {text}" for text in texts)


def _curves(options: Any, group: Sequence[_Item], notes: list[str], hidden: list[Curve]) -> list[Curve]:
    import numpy as np

    curves: list[Curve] = []
    for item in group:
        wide = _quantity(item, options.quantity)
        y = wide[:, 0] if wide.shape[1] == 1 else np.linalg.norm(wide, axis=1)
        if (np.isfinite(y) & (y > 0.0) if options.log else np.isfinite(y)).any():
            curves.append(_curve(item, y, wide.shape[1] > 1))
        else:
            points = "positive, finite" if options.log else "finite"
            notes.append(f"{item.file} is not drawn: it has no {points} value of {options.quantity}")
            hidden.append(_curve(item, y, wide.shape[1] > 1))
    return curves


def _errors(options: Any, group: Sequence[_Item], notes: list[str], _: list[Curve]) -> list[Curve]:
    from idescent.analysis.errors import common, distance

    curves = []
    runs = [item for item in group if item.name == "discrete"]
    solutions = [item for item in group if item.name != "discrete"]
    for run in runs:
        for item in (item for item in solutions if item.cell == run.cell):
            wide = _quantity(item, options.quantity)
            _quantity(run, options.quantity)
            y = distance(run.trajectory, item.trajectory, options.quantity)
            kept = item.trajectory.rows(common(run.trajectory, item.trajectory))
            of = _Item(item.file, item.cell, item.name, kept)
            curves.append(_curve(of, y, wide.shape[1] > 1, run.trajectory.report))
    for some, others, lacking in (
        (runs, solutions, "none of its solutions is among the files"),
        (solutions, runs, "its run is not among the files"),
    ):
        notes += [
            f"{item.file} is not drawn: {lacking}: {cell.described(item.cell)}"
            for item in some
            if all(item.cell != other.cell for other in others)
        ]
    return curves


def _curve(item: _Item, y: Any, vector: bool, run: Report | None = None) -> Curve:
    from idescent.products.paths.curves import curve

    return curve(item.cell, item.name, item.trajectory.k, y, item.trajectory.report, vector=vector, run=run)


def _quantity(item: _Item, name: str) -> Any:
    known = ("theta", "loss", *item.trajectory.moments)
    if name not in known:
        raise ValueError(f"--quantity: {name!r} of {item.file} is not allowed: {one_of(known, name)}")
    return item.trajectory.quantity(name)


def _open(figure: Figure) -> None:
    """Show a figure in a window; return when it is closed."""
    import matplotlib.pyplot as plt

    def drawn(*_: Any, **__: Any) -> Figure:
        return figure

    try:
        plt.figure(FigureClass=cast(Any, drawn))
    except ImportError as error:
        raise ValueError(f"no window can be opened: {error}: name a file with --output") from error
    # A backend for files only, such as Agg, has no framework of windows.
    if getattr(figure.canvas, "required_interactive_framework", None) is None:
        raise ValueError("no window can be opened: name a file with --output")
    plt.show()
