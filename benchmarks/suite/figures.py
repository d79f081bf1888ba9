"""The figures of the benchmarks, in the project's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator

from idescent.drawing import style
from idescent.drawing.saving import save, styled
from suite.problems import HALF_STEPS, PAPERS, Problem
from suite.rows import Row, select

Rows = Mapping[str, Sequence[Row]]
FORMATS = (".pdf", ".png")

# Okabe and Ito's colours; markers differ too.
METHODS = {
    "exact": ("#0072B2", "o", "idescent, exact"),
    "Algorithm 4": ("#E69F00", "D", "Algorithm 4"),
    "idesolver": ("#000000", "s", "idesolver"),
    "solve_ivp DOP853": ("#009E73", "^", "solve_ivp, DOP853"),
    "solve_ivp LSODA": ("#56B4E9", "v", "solve_ivp, LSODA"),
    "diffrax": ("#CC79A7", "P", "diffrax, Dopri8"),
}
# By the name in the legend: colour, marker, and the methods of one run and of many that are so drawn.
KERNELS = {
    "C loop, -O2": ("#000000", "|", ("C loop", "C, side by side")),
    "C loop, -O3": ("#AAAAAA", "|", ("C loop, -O3", "C, side by side, -O3")),
    "idescent, kernel": ("#0072B2", "o", ("kernel", "pack")),
    "idescent, whole call": ("#56B4E9", "s", ("simulate", "simulate_many")),
    "idescent, NumPy": ("#7F7F7F", "d", ("NumPy loop", "NumPy, side by side")),
    "optax, scan": ("#CC79A7", "P", ("optax, scan",)),
    "optax, jitted step": ("#882255", "X", ("optax, jitted step",)),
    "torch.optim, fused": ("#D55E00", "^", ("torch.optim, fused",)),
    "torch.optim": ("#E69F00", "v", ("torch.optim",)),
}
OPTIMIZERS = {"AdaGrad": "#000000", "RMSProp": "#D55E00", "Adam": "#0072B2"}


def draw(folder: Path, found: Rows) -> None:
    """Draw every figure whose topics have been measured."""
    for name, (make, needs, title, caption) in FIGURES.items():
        if all(topic in found for topic in needs):
            with styled():
                save(make(found), [folder / f"{name}{suffix}" for suffix in FORMATS], title, caption)


def work_precision(found: Rows) -> Figure:
    """Draw the paper's equations."""
    return _work_precision(found["precision"], PAPERS)


def work_precision_half_step(found: Rows) -> Figure:
    """Draw the half-step models."""
    return _work_precision(found["precision"], HALF_STEPS)


def _work_precision(rows: Sequence[Row], problems: Mapping[str, Problem]) -> Figure:
    figure = _canvas(4.1)
    grid = figure.subplots(2, len(problems), sharex="col", sharey="row", squeeze=False)
    seen: set[str] = set()
    for j, (name, problem) in enumerate(problems.items()):
        mine = [row for row in rows if row.case == name]
        floor = next((row.value("error") for row in mine if row.method == "reference"), 0.0)
        for i, work in enumerate(("gradients", "s")):
            ax = grid[i, j]
            for method, (colour, marker, _) in METHODS.items():
                points = _points(mine, method, work, floor)
                if not points:
                    continue
                seen.add(method)
                size = {"exact": 4.0}.get(method, 3.2)
                ax.plot(
                    *zip(*points, strict=True),
                    color=colour,
                    marker=marker,
                    markersize=size,
                    linewidth=0.9,
                    zorder=2 + (method == "exact"),
                )
                literal = [row for row in mine if row.method == method and row.setting == "literal"]
                for point in _points(literal, method, work, floor):
                    ax.plot(*point, "*", color=colour, markersize=10, markeredgecolor="white", zorder=4)
            _log(ax, ax.xaxis, ax.yaxis)
            ax.set_xlim(3.0, 2e-17)
            ax.xaxis.set_major_locator(FixedLocator([1e-2, 1e-6, 1e-10, 1e-14]))
        grid[0, j].set_title(problem.title)
        grid[1, j].set_xlabel(r"largest error of $\theta$")
    grid[0, 0].set_ylabel("gradient evaluations")
    grid[1, 0].set_ylabel("wall time (s)")
    handles = [_key(METHODS[m][2], METHODS[m][0], METHODS[m][1]) for m in METHODS if m in seen]
    if "Algorithm 4" in seen:
        handles.append(_key(r"as the paper ran it (step $\alpha$)", METHODS["Algorithm 4"][0], "*", "none"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def _points(rows: Sequence[Row], method: str, work: str, floor: float) -> list[tuple[float, float]]:
    """Return error and work; errors below the reference's own error are drawn at that level."""
    found = [row for row in rows if row.method == method and math.isfinite(row.value("error"))]
    return [(max(row.value("error"), floor, 1e-16), row.value(work)) for row in found]


def growth(found: Rows) -> Figure:
    """Draw cost against iterations, parameters and cells."""
    figure = _canvas(2.6)
    steps, sizes, cells = figure.subplots(1, 3)
    looks = {"run": ("--", "o"), "exact": ("-", "s"), "half-step": (":", "^")}
    for name, colour in OPTIMIZERS.items():
        for method, (line, marker) in looks.items():
            _series(steps, select(found["steps"], case=name, method=method), "s", colour, line, marker)
    steps.set(xlabel="iterations", ylabel="wall time (s)")
    keys = [_key(name, colour, "") for name, colour in OPTIMIZERS.items()]
    keys += [_key(method, style.GREY, marker, line) for method, (line, marker) in looks.items()]
    steps.legend(handles=keys, loc="upper left", ncols=2, handlelength=2.0, columnspacing=0.8)
    for method, colour, marker in (
        ("run", "#0072B2", "o"),
        ("run, plain objective", "#56B4E9", "s"),
        ("half-step", "#D55E00", "^"),
    ):
        rows = select(found["dimension"], method=method)
        _series(sizes, rows, "s", colour, "-", marker, label=method)
    sizes.set(xlabel=r"parameters $n$", ylabel="wall time of 10 iterations (s)")
    sizes.legend(loc="upper left")
    for quantity, colour, marker in (
        ("run, s", "#0072B2", "o"),
        ("compute, s", "#E69F00", "s"),
        ("plan, s", "#7F7F7F", "^"),
    ):
        rows = found["cells"]
        label = {
            "run, s": "whole run",
            "compute, s": "compute alone, 1 core",
            "plan, s": "planning",
        }[quantity]
        _series(cells, rows, quantity, colour, "-", marker, label=label)
    cells.set(xlabel="cells of the study", ylabel="wall time (s)")
    cells.legend(loc="upper left")
    for ax in (steps, sizes, cells):
        _log(ax, ax.xaxis, ax.yaxis)
        low, high = ax.get_ylim()
        ax.set_ylim(low, high * (high / low) ** 0.45)  # room for the legend
    return figure


def _series(
    ax: Axes,
    rows: Sequence[Row],
    quantity: str,
    colour: str,
    line: str,
    marker: str,
    label: str | None = None,
) -> None:
    rows = [row for row in rows if quantity in row.values]
    middle = [row.values[quantity].median for row in rows]
    bars = [
        [row.values[quantity].median - row.values[quantity].low for row in rows],
        [row.values[quantity].high - row.values[quantity].median for row in rows],
    ]
    ax.errorbar(
        [row.x for row in rows],
        middle,
        yerr=bars,
        color=colour,
        linestyle=line,
        marker=marker,
        linewidth=0.9,
        elinewidth=0.6,
        markersize=3.0,
        label=label,
    )


def kernels(found: Rows) -> Figure:
    """Draw nanoseconds a step of every method, for one run and for packs."""
    figure = _canvas(2.9)
    seen: set[str] = set()
    panels = (("kernels", "ns a step", "one run"), ("packs", "ns a run-step", "many runs"))
    for ax, (topic, quantity, title) in zip(figure.subplots(1, 2, sharex=True), panels, strict=True):
        rows = [row for row in found[topic] if quantity in row.values]
        names = list(dict.fromkeys(row.case for row in rows))
        for i, (label, (colour, marker, methods)) in enumerate(KERNELS.items()):
            for row in rows:
                if row.method in methods:
                    seen.add(label)
                    # What is alike would else lie on each other.
                    y = names.index(row.case) + (0.0 if marker == "|" else 0.08 * (i - 5))
                    tall = {"markersize": 14, "markeredgewidth": 1.4} if marker == "|" else {"markersize": 4}
                    ax.plot(row.value(quantity), y, marker, color=colour, zorder=2 + (marker != "|"), **tall)
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.tick_params(axis="y", length=0)
        _log(ax, ax.xaxis)
        ax.set(
            title=title, xlabel="time of a step" + (" of one of them (ns)" if topic == "packs" else " (ns)")
        )
    handles = [_key(label, *KERNELS[label][:2], "none") for label in KERNELS if label in seen]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def startup(found: Rows) -> Figure:
    """Draw the start-up of every kind of job, imports apart."""
    rows = sorted(found["startup"], key=lambda row: row.value("s"))
    figure = _canvas(0.9 + 0.15 * len(rows), "single")
    ax = figure.subplots()
    for y, row in enumerate(rows):
        whole, imports = row.values["s"], min(row.value("import, s"), row.value("s"))
        colour = "#7F7F7F" if row.method in ("python", "numpy") else "#56B4E9"
        ax.barh(y, whole.median, color=colour, height=0.7)
        ax.barh(y, imports, color="none", edgecolor="black", hatch="////", linewidth=0.4, height=0.7)
        ax.plot([whole.low, whole.high], [y, y], color="black", linewidth=0.8)
    ax.axvline(0.4, color="#D55E00", linewidth=0.8, linestyle="--")
    ax.annotate(
        "target, kernel jobs",
        (0.4, len(rows) - 0.4),
        xytext=(3, 0),
        textcoords="offset points",
        color="#D55E00",
        fontsize=6.5,
        va="bottom",
    )
    ax.set_yticks(range(len(rows)), [row.method for row in rows])
    ax.set_ylim(-0.6, len(rows) + 0.3)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("wall time (s)")
    keys = [Patch(color="#56B4E9", label="smallest job")]
    keys.append(
        Patch(facecolor="none", edgecolor="black", hatch="////", linewidth=0.4, label="of it: imports")
    )
    ax.legend(handles=keys, loc="center right")
    return figure


def _canvas(height: float, width: str = "double") -> Figure:
    return Figure(
        figsize=(style.WIDTHS[width], height), layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03)
    )


def _log(ax: Axes, *axes: Any) -> None:
    """Make axes logarithmic, with a tick a decade at most and a light grid."""
    for axis in axes:
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
        axis.set_major_locator(LogLocator(base=10.0, numticks=8))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    ax.grid(axis="both" if len(axes) == 2 else "x", color="#DDDDDD", linewidth=0.5)
    ax.set_axisbelow(True)


def _key(label: str, colour: str, marker: str, line: str = "-") -> Line2D:
    return Line2D(
        [],
        [],
        color=colour,
        marker=marker,
        linestyle=line,
        markersize=7 if marker in "*|" else 4,
        label=label,
    )


FIGURES: dict[str, tuple[Callable[[Rows], Figure], tuple[str, ...], str, str]] = {
    "work_precision": (
        work_precision,
        ("precision",),
        "Work and precision, the paper's equations",
        "Gradient evaluations (above) and wall time (below) against the largest error of θ over all "
        "iterations; the precise and cheap corner is at the lower right. The exact solver's work includes "
        "its certificate. Star: Algorithm 4 with the step α; its other points have finer steps. The "
        "look-ahead of RMSProp and AdaGrad is no initial-value problem, so solve_ivp and diffrax cannot "
        "solve it; idesolver's form fits momentum alone. Errors below the reference's own error are drawn "
        "at that level.",
    ),
    "work_precision_half_step": (
        work_precision_half_step,
        ("precision",),
        "Work and precision, half-step models",
        "The same for the half-step models, which are ordinary equations; solve_ivp and diffrax solve "
        "them as written by hand. The first eight iterations are the optimizer's own, and the memories are "
        "constant for half an iteration more; solve_ivp was started there by hand.",
    ),
    "growth": (
        growth,
        ("steps", "dimension", "cells"),
        "Cost against iterations, parameters and cells",
        "Left: runs with all rows stored, and solutions at rtol 1e-9, for α = 0.01. Middle: Adam, 10 "
        "iterations of a diagonal quadratic. Right: a study with one exact solution a cell. Bars: "
        "quartiles.",
    ),
    "kernels": (
        kernels,
        ("kernels", "packs"),
        "Discrete kernels",
        "Nanoseconds a step of one run (left), and of 256 runs, a step of one run (right); medians.",
    ),
    "startup": (
        startup,
        ("startup",),
        "Start-up of each kind of job",
        "Wall time of the smallest job of each kind, from the start of its process to its end; lines: "
        "quartiles; hatched: what imports take.",
    ),
}
NAMES = tuple(FIGURES)
