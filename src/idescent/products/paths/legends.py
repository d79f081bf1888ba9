"""Legends of a figure of paths, and notes about failed runs and solutions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from idescent.drawing import style
from idescent.products.paths.curves import Curve
from idescent.products.paths.lines import ESTIMATE, MINIMUM
from idescent.products.paths.spec import FigureSpec

_MARKS = "†‡§¶"
_MOST_NOTES = 8


def draw_legends(
    canvas: Figure,
    spec: FigureSpec,
    panels: Sequence[Sequence[Curve]],
    keys: Sequence[Line2D],
    *,
    with_markers: bool,
) -> None:
    """Draw the configurations above the panels, and line styles and notes below: no legend covers a curve.

    Parameters
    ----------
    canvas : matplotlib.figure.Figure
    spec : FigureSpec
    panels : sequence of sequence of Curve
        The curves of each panel.
    keys : sequence of Line2D
        Handles for the legend of line styles.
    with_markers : bool
        Whether the entries of configurations show their marker.
    """
    handles = []
    notes: list[str] = []
    for optimizer, remarks in configurations(spec, panels).values():
        colour, marker = style.look(optimizer)
        label = style.configuration(optimizer)
        for remark in remarks:
            notes += [] if remark in notes else [remark]
            if (i := notes.index(remark)) < _MOST_NOTES:
                label += _MARKS[i % len(_MARKS)]
        handles.append(_handle(label, colour, "solid", marker if with_markers else "none"))
    columns = legend_columns(spec)
    together = len(handles) + len(keys) <= columns
    above = [*handles, *keys] if together else handles
    canvas.legend(handles=_by_row(above, columns), loc="outside upper center", ncols=columns)
    if keys and not together:
        below = _key_columns(len(keys)) if spec.width == "double" else 1
        canvas.legend(handles=list(keys), loc="outside lower center", ncols=below)
    if notes:
        marked = [f"{_MARKS[i % len(_MARKS)]} {note}" for i, note in enumerate(notes[:_MOST_NOTES])]
        if len(notes) > _MOST_NOTES:
            marked.append(f"and {len(notes) - _MOST_NOTES} more: see the table of errors")
        last = canvas.axes[len(spec.panels) - 1]
        last.set_xlabel("\n".join([last.get_xlabel(), *marked]))


def configurations(
    spec: FigureSpec, panels: Sequence[Sequence[Curve]]
) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Return optimizer and remarks of each configuration, by label, in the order of the panels."""
    entries: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for curves in panels:
        for curve in curves:
            optimizer = curve.cell["optimizer"]
            remarks = entries.setdefault(style.configuration(optimizer), (optimizer, []))[1]
            if curve.remark:
                where = rf"$\alpha = {curve.cell['alpha']:g}$"
                remarks.append(f"{_path_name(spec, curve.name)}, {where}: {curve.remark}")
    return entries


def legend_columns(spec: FigureSpec) -> int:
    """Return the number of columns of the legend of configurations."""
    return 4 if spec.width == "double" else 1


def marker_key(label: str, marker: str) -> Line2D:
    """Return a grey legend handle with a marker and no line."""
    return _handle(label, style.GREY, "none", marker)


def line_key(spec: FigureSpec, name: str) -> Line2D:
    """Return the legend handle for the line style of a solution."""
    look = style.line(name, spec.solutions.index(name), spec.lines)
    return Line2D([], [], color=style.GREY, linestyle=look.line, linewidth=look.width, label=look.label)


def reference_keys(axes: Iterable[Axes]) -> list[Line2D]:
    """Return legend handles for the reference lines in some panels: the minimum and error estimates."""
    ids = {line.get_gid() for ax in axes for line in ax.lines}
    keys = []
    if "minimum" in ids:
        keys.append(Line2D([], [], **MINIMUM, label="minimum"))
    if "estimate" in ids:
        keys.append(Line2D([], [], **ESTIMATE, color=style.GREY, label="solver's error estimate"))
    return keys


def _path_name(spec: FigureSpec, name: str) -> str:
    """Return the displayed name of a path without its line style."""
    label = spec.lines[name].label if name in spec.lines else None
    line = r" \((line|solid|dashed|dotted|dashdot)\)$"
    return re.sub(line, "", label) if label else style.solution(name)


def _key_columns(keys: int) -> int:
    return keys if keys <= 6 else 4


def _by_row(handles: Sequence[Line2D], columns: int) -> list[Line2D]:
    """Reorder the handles so that the legend reads row by row: matplotlib fills it column by column."""
    return [handle for column in range(columns) for handle in handles[column::columns]]


def _handle(label: str, colour: str, line: Literal["solid", "none"], marker: str) -> Line2D:
    return Line2D([], [], color=colour, linestyle=line, marker=marker, markerfacecolor="white", label=label)
