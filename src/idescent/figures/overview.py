"""All errors of a study in one picture.

What lives here: :func:`render_overview`, a dot plot drawn with seaborn.  What does not: the figures of
trajectories (:mod:`.draw`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from idescent.figures import style
from idescent.figures.draw import save, styled
from idescent.study import spread
from idescent.tables.files import read_errors

TITLE = "Largest error of the parameters, all cells"
CAPTION = (
    "Largest distance over all iterations between the discrete path of θ and that of its continuous model, "
    "for every optimizer and learning rate of the study. Crosses: the solution did not reach its tolerance, "
    "or a run diverged; the error is then that up to the last finite iteration."
)

_MARKERS = ("o", "s", "D", "^", "v", "P")


def render_overview(errors: str | Path | Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Draw the sup error of theta for every cell: configurations down, errors across, a line for each alpha.

    Parameters
    ----------
    errors : path or iterable of path
        Tables of errors (Parquet).
    outputs : iterable of path
        Where to write: any of .pdf, .svg and .png.

    Raises
    ------
    ValueError
        If a table is damaged or holds no error that can be drawn.
    """
    files = [errors] if isinstance(errors, str | Path) else list(errors)
    rows = overview_rows(read_errors(files).to_pylist())
    with styled():
        save(overview_figure(rows), outputs, TITLE, CAPTION)


def overview_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Choose and name what is drawn: one row for each cell and solution, in order."""
    chosen = []
    for row in rows:
        if row["quantity"] != "theta" or row["norm"] != "sup" or row["kind"] != "total" or not row["error"]:
            continue
        names = ("beta", "beta1", "beta2", "weight_decay")
        arguments = {name: row[name] for name in names if row[name] is not None}
        chosen.append(
            {
                "objective": row["objective"],
                "configuration": style.configuration({"class": row["optimizer"], "arguments": arguments}),
                "alpha": row["alpha"],
                "solution": row["solution"],
                "error": row["error"],
                "good": row["status"] == "converged" and row["discrete_status"] == "completed",
            }
        )
    return chosen


def overview_figure(rows: list[dict[str, Any]]) -> Figure:
    """Build the picture; call it inside the style's context."""
    import pandas as pd
    import seaborn as sns

    if not rows:
        raise ValueError("errors: no sup error of theta is given: there must be at least one that is not 0")
    data = pd.DataFrame(rows)
    objectives = list(dict.fromkeys(data["objective"]))
    names = {o: list(dict.fromkeys(data.loc[data["objective"] == o, "configuration"])) for o in objectives}
    counts = [len(names[objective]) for objective in objectives]
    alphas = sorted(set(data["alpha"]), reverse=True)
    # Greys, the smaller the rate the lighter: colours are taken, each by its configuration.
    palette = {f"{a:g}": str(0.6 * i / max(1, len(alphas) - 1)) for i, a in enumerate(alphas)}
    solutions = list(dict.fromkeys(data["solution"]))
    data["rate"] = [f"{a:g}" for a in data["alpha"]]
    # Each rate has a line of its own within the row of its configuration: fewer marks lie on each other.
    lines = [0.7 * (i + 0.5) / len(alphas) - 0.35 for i in range(len(alphas))]
    data["row"] = [
        names[objective].index(configuration) + lines[alphas.index(alpha)]
        for objective, configuration, alpha in zip(
            data["objective"], data["configuration"], data["alpha"], strict=True
        )
    ]
    row = 0.12 + 0.08 * min(len(alphas), 4)
    height = row * sum(counts) + 0.3 * len(objectives) + 0.75
    size = (style.WIDTHS["double"], height)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.03))
    axes = figure.subplots(len(objectives), 1, sharex=True, squeeze=False, height_ratios=counts).ravel()
    for ax, objective in zip(axes, objectives, strict=True):
        part = data[data["objective"] == objective]
        sns.scatterplot(
            part,
            x="error",
            y="row",
            hue="rate",
            hue_order=list(palette),
            palette=palette,
            style="solution",
            style_order=solutions,
            markers=dict(zip(solutions, (_MARKERS * len(solutions))[: len(solutions)], strict=True)),
            s=22,
            ax=ax,
            legend="full" if ax is axes[0] else False,
        )
        for marks in ax.collections:  # hollow: one does not hide another
            marks.set(edgecolor=marks.get_facecolor(), linewidth=1.0)
            marks.set_facecolor("none")
        bad = part[~part["good"]]
        ax.plot(bad["error"], bad["row"], "x", color="black", markersize=5, gid="not converged")
        ax.set(xscale="log", ylabel="", xlabel="", title=f"objective: {objective}")
        ax.set_yticks(range(len(names[objective])), names[objective])
        ax.set_ylim(len(names[objective]) - 0.5, -0.5)
        ax.grid(axis="both", color="#DDDDDD", linewidth=0.5)
        ax.set_axisbelow(True)
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_locator(LogLocator(numticks=9))
        ax.xaxis.set_minor_formatter(NullFormatter())
    axes[-1].set_xlabel(r"$\max_k\,\Vert\theta_\mathrm{discrete} - \theta_\mathrm{IDE}\Vert$")
    legend = axes[0].get_legend()
    assert legend is not None  # made from what is drawn, and replaced by one outside the panels
    legend.remove()
    # Greys in between are told by their neighbours.
    rates = {
        rf"$\alpha = {float(name):.3g}$": ("o", grey, grey)
        for name, grey in spread(list(palette.items()), 12)
    }
    shapes = dict(zip(solutions, _MARKERS * len(solutions), strict=False)) if len(solutions) > 1 else {}
    keys = rates | {
        textwrap.shorten(style.solution(name), 40): (shape, "black", "none") for name, shape in shapes.items()
    }
    handles = [
        Line2D([], [], linestyle="none", marker=shape, color=edge, markerfacecolor=face, markersize=4.2)
        for shape, edge, face in keys.values()
    ]
    if not data["good"].all():
        keys["not converged"] = ("x", "black", "black")
        handles.append(Line2D([], [], linestyle="none", marker="x", color="black", markersize=5))
    figure.legend(handles, list(keys), loc="outside upper center", ncols=min(len(handles), 4))
    return figure
