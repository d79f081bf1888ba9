"""``idescent show``: a plot of trajectory files, or of a run described on the line."""

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


# What a run and its solutions share, but for the optimizer.
_COMMON = ("objective", "alpha", "theta0", "schedule")
# Arguments that are not the run's: those of the plot, and of the command itself.
_OF_FILES = ("command", "run", "parser", "what", "quantity", "errors", "log", "title", "output")


@dataclass(frozen=True)
class _Shown:
    file: str
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


def run(options: Any) -> None:
    """Draw."""
    paths.check_output(options.output, ".png", ".pdf", ".svg")
    shown = _read(options) if options.what[0].endswith(".parquet") else _made(options)
    from idescent.drawing import saving
    from idescent.products.paths import figure as draw

    spec, drawn, notes = _figure(options, _judged(shown))
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


def _read(options: Any) -> list[_Shown]:
    for name, value in vars(options).items():
        if name not in _OF_FILES and value != options.parser.get_default(name):
            option = f"--{name.replace('_', '-')}"
            raise ValueError(f"{option}: files are drawn as they are; it is for an optimizer, which is run")
    shown = []
    for file in options.what:
        trajectory, metadata = paths.read(file)
        solution = metadata["cell"].pop("solution", {"name": "discrete"})
        shown.append(_Shown(file, metadata["cell"], solution["name"], trajectory))
    return shown


def _judged(shown: Sequence[_Shown]) -> list[_Shown]:
    """Let solutions have the status that is theirs beside their run, where that is shown."""
    from idescent.products.paths.curves import judged

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


def _made(options: Any) -> list[_Shown]:
    if len(options.what) > 1:
        raise ValueError(f"{options.what[1]!r} is not allowed: give either files or one optimizer")
    (options.optimizer,) = options.what
    described = cell.run(options)
    shown = [_Shown("the run", described.cell, "discrete", paths.simulated(described))]
    for model in options.model:
        solution, path = paths.solved(described, options, model)
        name = solution["solution"]["name"]
        shown.append(_Shown(name, described.cell, name, path))
    return shown


def _figure(options: Any, shown: Sequence[_Shown]) -> tuple[FigureSpec, list[list[Curve]], list[str]]:
    """Return panels of curves like the workflow's figures, and notes on files left out."""
    from idescent.products.paths.spec import FigureSpec

    panels: dict[str, list[_Shown]] = {}
    for one in shown:
        panels.setdefault(_problem(one.cell), []).append(one)
    problems = [group[0].cell for group in panels.values()]
    names = list(dict.fromkeys(one.name for one in shown))
    if options.errors and ("discrete" not in names or len(names) == 1):
        raise ValueError("--errors: there must be a discrete run and a solution of it")
    notes: list[str] = []
    hidden: list[Curve] = []  # without a point that can be seen
    draw = _errors if options.errors else _curves
    drawn = [draw(options, group, notes, hidden) for group in panels.values()]
    if any(drawn) and not options.errors:
        problems = [problem for problem, curves in zip(problems, drawn, strict=True) if curves]
        drawn = [curves for curves in drawn if curves]
    elif not any(drawn):
        problems, drawn = problems[:1], [hidden]
    if not any(drawn):
        raise ValueError(f"--errors: there is nothing to draw: {_others(shown)}")
    spec = FigureSpec.model_validate(
        {
            "title": options.title or options.quantity,
            "caption": "; ".join(dict.fromkeys(cell.described(one.cell) for one in shown)),
            "quantity": options.quantity,
            "objective": problems[0]["objective"]["name"],
            "select": [{"optimizer": one.cell["optimizer"]["class"]} for one in shown],
            "panels": [
                {"alpha": problem["alpha"], "title": options.title or _title(problem, problems)}
                for problem in problems
            ],
            "show": [name for name in names if name == "discrete"]
            + [name for name in names if name != "discrete"],
            "lines": _lines(names),
            "y_scale": "log" if options.log else "linear",
        }
    )
    return spec, drawn, notes


def _problem(cell: Mapping[str, Any]) -> str:
    """Return the key by which curves share a panel: they differ in optimizer and solution only."""
    return json.dumps({name: cell.get(name) for name in _COMMON}, sort_keys=True)


def _title(problem: Mapping[str, Any], problems: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the label that distinguishes a panel from the others, or None if only alpha does."""

    def differ(what: Callable[[Mapping[str, Any]], Any]) -> bool:
        return len({json.dumps(what(other), sort_keys=True) for other in problems}) > 1

    parts = []
    if differ(lambda other: other["objective"]):
        alike = [other for other in problems if other["objective"]["name"] == problem["objective"]["name"]]
        same = all(other["objective"] == problem["objective"] for other in alike)
        parts.append(problem["objective"]["name"] if same else cell.called(problem["objective"]))
    parts.append(rf"$\alpha = {problem['alpha']:g}$")
    if differ(lambda other: other["theta0"]):
        parts.append(rf"$\theta_0$ = {cell.begin(problem['theta0'])}")
    if differ(lambda other: other.get("schedule")):
        parts.append(cell.called(problem["schedule"]) if problem.get("schedule") else "constant rate")
    return ", ".join(parts) if len(parts) > 1 else None


def _others(shown: Sequence[_Shown]) -> str:
    """Return which solution belongs to none of the runs."""
    runs = [one for one in shown if one.name == "discrete"]
    one = next(one for one in shown if one.name != "discrete" and all(one.cell != run.cell for run in runs))
    others = "; ".join(f"{run.file}: {cell.described(run.cell)}" for run in runs)
    return f"{one.file} is a solution of another run: {cell.described(one.cell)} ({others})"


def _left_out(spec: FigureSpec, drawn: Sequence[Sequence[Curve]], *, errors: bool) -> str:
    """Return the names of paths that no panel shows, for the printed line.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    from idescent.products.paths.figure import part

    accounts = [part(spec, curves, errors=errors)[1] for curves in drawn]
    if not any(found.drawn for found in accounts):
        reasons = dict.fromkeys(found.whole for found in accounts)
        raise ValueError(f"nothing to draw of {spec.quantity}: {'; '.join(reasons)}")
    told = dict.fromkeys(
        (found.whole or found.part).lower() for found in accounts if found.whole or found.part
    )
    return "".join(f"; {text}" for text in told)


def _lines(names: Sequence[str]) -> dict[str, dict[str, str]]:
    # The models' own names: all that is in a plot of one's own is known by them.
    kinds = ("solid", "dashed", "dotted", "dashdot")
    solutions = [name for name in names if name != "discrete"]
    return {
        name: {"label": f"{name} ({kinds[i % 4]})", "line": kinds[i % 4]} for i, name in enumerate(solutions)
    }


def _curves(options: Any, group: Sequence[_Shown], notes: list[str], hidden: list[Curve]) -> list[Curve]:
    import numpy as np

    curves: list[Curve] = []
    for one in group:
        wide = _quantity(one, options.quantity)
        y = wide[:, 0] if wide.shape[1] == 1 else np.linalg.norm(wide, axis=1)
        if (np.isfinite(y) & (y > 0.0) if options.log else np.isfinite(y)).any():
            curves.append(_curve(one, y, wide.shape[1] > 1))
        else:
            notes.append(f"{one.file} is not drawn: it has no point that can be seen")
            hidden.append(_curve(one, y, wide.shape[1] > 1))
    return curves


def _errors(options: Any, group: Sequence[_Shown], notes: list[str], _: list[Curve]) -> list[Curve]:
    from idescent.analysis.errors import common, distance

    curves = []
    runs = [one for one in group if one.name == "discrete"]
    solutions = [one for one in group if one.name != "discrete"]
    for run in runs:
        for one in (one for one in solutions if one.cell == run.cell):
            wide = _quantity(one, options.quantity)
            _quantity(run, options.quantity)
            y = distance(run.trajectory, one.trajectory, options.quantity)
            kept = one.trajectory.rows(common(run.trajectory, one.trajectory))
            of = _Shown(one.file, one.cell, one.name, kept)
            curves.append(_curve(of, y, wide.shape[1] > 1, run.trajectory.report))
    for some, others, lacking in ((runs, solutions, "no solution of it"), (solutions, runs, "no run of it")):
        notes += [
            f"{one.file} is not drawn: there is {lacking}: {cell.described(one.cell)}"
            for one in some
            if all(one.cell != other.cell for other in others)
        ]
    return curves


def _curve(one: _Shown, y: Any, vector: bool, run: Report | None = None) -> Curve:
    from idescent.products.paths.curves import curve

    return curve(one.cell, one.name, one.trajectory.k, y, one.trajectory.report, vector=vector, run=run)


def _quantity(one: _Shown, name: str) -> Any:
    known = ("theta", "loss", *one.trajectory.moments)
    if name not in known:
        raise ValueError(f"--quantity: {name!r} of {one.file} is not allowed: {one_of(known, name)}")
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
