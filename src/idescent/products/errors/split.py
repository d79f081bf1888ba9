"""The three errors in one picture: what the model costs, and what the way of solving it adds.

What lives here: :func:`render_split`.  What does not: computing the errors (:mod:`idescent.analysis.errors`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from idescent.analysis.errors import MEANINGLESS
from idescent.drawing import style
from idescent.drawing.drawable import account_of, drawable, say, without_scale
from idescent.drawing.remarks import remarks, titled
from idescent.drawing.saving import save, styled
from idescent.products.formats import in_order
from idescent.store.tables import hyperparameters, read_errors
from idescent.trajectory import ended_well

TITLE = "Model error, solver error and total error of the parameters"
CAPTION = (
    "Largest error of θ over all iterations for every cell: of the model (discrete run against exact "
    "solution), of the solver (exact solution against the scheme) and in total (discrete run against the "
    "scheme). Crosses: the scheme did not converge."
)

# Blue, orange and black differ in hue, lightness and shape.
_KINDS = {
    "model": ("#0072B2", "o", "model: |discrete − exact|"),
    "solver": ("#E69F00", "D", "solver: |exact − scheme|"),
    "total": ("#000000", "|", "total: |discrete − scheme|"),
}


def render_split(errors: str | Path | Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Draw the three sup errors of theta: configurations down, errors across, a column for each alpha.

    Parameters
    ----------
    errors : path or iterable of path
        Tables of errors (Parquet), of parts of a study in any order of their cells.
    outputs : iterable of path
        Where to write: any of .pdf, .svg and .png.

    Raises
    ------
    ValueError
        If a table is damaged or no solution in it is measured against an exact one.
    """
    files = [errors] if isinstance(errors, str | Path) else list(errors)
    rows = split_rows(in_order(read_errors(files)).to_pylist())
    with styled():
        save(split_figure(rows), outputs, TITLE, CAPTION)


def split_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Choose the sup errors of theta that come in three kinds; of a cell, its first such solution."""
    rows = [row for row in rows if row["quantity"] == "theta" and row["norm"] == "sup"]
    schemes: dict[tuple[str, str, str], str] = {}
    for row in rows:
        if row["kind"] == "solver":
            schemes.setdefault((row["objective"], row["optimizer"], row["label"]), row["solution"])
    return [
        row
        for row in rows
        if schemes.get((row["objective"], row["optimizer"], row["label"])) == row["solution"]
    ]


def split_figure(rows: list[dict[str, Any]]) -> Figure:
    """Build the picture; call it inside the style's context."""
    if not rows:
        raise ValueError("errors: no solution is measured against an exact one: there must be at least one")
    objectives = list(dict.fromkeys(row["objective"] for row in rows))
    alphas = sorted({row["alpha"] for row in rows}, reverse=True)
    names = {
        name: list(dict.fromkeys(_name(r) for r in rows if r["objective"] == name)) for name in objectives
    }
    counts = [len(names[name]) for name in objectives]
    height = 0.22 * sum(counts) + 0.35 * len(objectives) + 0.7
    figure = Figure(figsize=(style.WIDTHS["double"], height), layout=ConstrainedLayoutEngine(h_pad=0.03))
    grid = figure.subplots(
        len(objectives), len(alphas), sharex=True, sharey="row", squeeze=False, height_ratios=counts
    )
    for i, objective in enumerate(objectives):
        for j, alpha in enumerate(alphas):
            ax = grid[i, j]
            here = [r for r in rows if r["objective"] == objective and r["alpha"] == alpha]
            found = account_of([row for row in here if row["status"] not in MEANINGLESS])
            for row in here:
                if row["status"] in MEANINGLESS or not drawable(row["error"], log=True):
                    continue
                colour, marker, _ = _KINDS[row["kind"]]
                y = names[objective].index(_name(row))
                hollow = "none" if row["kind"] == "solver" else colour
                size = 9 if marker == "|" else 4.5
                ax.plot(row["error"], y, marker, color=colour, markerfacecolor=hollow, markersize=size)
                if row["kind"] == "solver" and not ended_well(row["status"]):
                    ax.plot(row["error"], y, "x", color="black", markersize=6, gid="not converged")
            odd = {(row["solution"], _name(row)): row for row in here if row["status"] in MEANINGLESS}
            told = remarks({**row, "configuration": name} for (_, name), row in odd.items())
            title = f"{objective}, $\\alpha = {alpha:g}$"
            ax.set(xscale="log", title=titled(title, told, 90 // len(alphas)))
            ax.set_yticks(range(counts[i]), names[objective])
            ax.set_ylim(counts[i] - 0.5, -0.5)
            ax.grid(axis="both", color="#DDDDDD", linewidth=0.5)
            ax.set_axisbelow(True)
            ax.tick_params(axis="y", length=0)
            ax.xaxis.set_major_locator(LogLocator(numticks=8))
            ax.xaxis.set_minor_formatter(NullFormatter())
            if here:
                say(ax, found)
    if all(row["status"] in MEANINGLESS or account_of([row]).whole for row in rows):
        without_scale(grid.ravel(), "x")
    for ax in grid[-1]:
        ax.set_xlabel(r"largest error of $\theta$")
    handles = [
        Line2D(
            [],
            [],
            color=c,
            marker=m,
            linestyle="",
            markerfacecolor="none" if kind == "solver" else c,
            label=label,
        )
        for kind, (c, m, label) in _KINDS.items()
    ]
    handles.append(Line2D([], [], color="black", marker="x", linestyle="", label="scheme not converged"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def _name(row: dict[str, Any]) -> str:
    return style.configuration({"class": row["optimizer"], "arguments": hyperparameters(row)})
