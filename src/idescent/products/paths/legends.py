"""Legend of a figure of paths, and notes about failed runs and solutions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from idescent.drawing import style
from idescent.drawing.legends import draw_legend
from idescent.products.paths.clipped import SUFFIX, clipped_key
from idescent.products.paths.curves import Curve
from idescent.products.paths.lines import ESTIMATE, MINIMUM, line_look
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
    """Draw one legend above the panels, and the notes of each panel below it: none covers a curve.

    The legend has the configurations first, and line styles and reference lines in rows of their own.

    Parameters
    ----------
    canvas : matplotlib.figure.Figure
    spec : FigureSpec
    panels : sequence of sequence of Curve
        The curves of each panel.
    keys : sequence of Line2D
        Handles of line styles and reference lines.
    with_markers : bool
        Whether the entries of configurations show their marker.
    """
    marks: dict[str, str] = {}
    for ax, notes in zip(canvas.axes, panel_notes(spec, panels), strict=False):
        _write_notes(ax, notes)
        for mark, (_, names) in notes.items():
            for name in names:
                marks[name] = marks.get(name, "") + mark
    handles = []
    for name, optimizer in configurations(panels).items():
        colour, marker = style.look(optimizer)
        label = f"{name} {marks.get(name, '')}".rstrip()
        handles.append(_handle(label, colour, "solid", marker if with_markers else "none"))
    draw_legend(canvas, [handles, keys])


def panel_notes(
    spec: FigureSpec, panels: Sequence[Sequence[Curve]]
) -> list[dict[str, tuple[str, list[str]]]]:
    """Return the notes on failed paths of each panel: text and configurations by mark.

    No two notes of a figure have the same mark.
    """
    marks = (mark * (1 + i // len(_MARKS)) for i, mark in enumerate(_MARKS * _MOST_NOTES))
    result: list[dict[str, tuple[str, list[str]]]] = []
    count = 0
    for curves in panels:
        failures: dict[str, list[str]] = {}
        for curve in curves:
            if curve.remark:
                names = failures.setdefault(f"{_path_name(spec, curve.name)}: {curve.remark}", [])
                name = style.configuration(curve.cell["optimizer"])
                names += [] if name in names else [name]
        result.append({})
        for text, names in failures.items():
            if count < _MOST_NOTES:
                result[-1][next(marks)] = text, names
            elif count == _MOST_NOTES:
                result[-1]["…"] = "more: see the table of errors", []
            count += 1
    return result


def configurations(panels: Sequence[Sequence[Curve]]) -> dict[str, dict[str, Any]]:
    """Return the optimizer of each configuration, by label, in the order of the panels."""
    optimizers = [curve.cell["optimizer"] for curves in panels for curve in curves]
    return {style.configuration(optimizer): optimizer for optimizer in optimizers}


def _write_notes(ax: Axes, notes: dict[str, tuple[str, list[str]]]) -> None:
    """Write the notes of a panel below its label, and their marks behind its title."""
    if not notes:
        return
    ax.set_title(f"{ax.get_title()} {''.join(mark for mark in notes if mark in _MARKS * 9)}".rstrip())
    text = "\n".join(f"{mark} {note}" for mark, (note, _) in notes.items())
    ax.annotate(
        text,
        (0.5, 0.0),
        xycoords=ax.xaxis.label,
        xytext=(0.0, -4.0),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=6.5,
        color=style.GREY,
        gid="notes",
        annotation_clip=False,
    )


def marker_key(label: str, marker: str) -> Line2D:
    """Return a grey legend handle with a marker and no line."""
    return _handle(label, style.GREY, "none", marker)


def line_key(spec: FigureSpec, name: str) -> Line2D:
    """Return the legend handle for the line style of a solution."""
    look = line_look(spec, name)
    colour = style.tinted(style.GREY, look.tint)
    return Line2D([], [], color=colour, linestyle=look.line, linewidth=look.width, label=look.label)


def reference_keys(axes: Iterable[Axes]) -> list[Line2D]:
    """Return legend handles of the minimum, error estimates and marks of clipped curves in the panels."""
    ids = {line.get_gid() or "" for ax in axes for line in ax.lines}
    keys = []
    if "minimum" in ids:
        keys.append(Line2D([], [], **MINIMUM, label="minimum"))
    if "estimate" in ids:
        keys.append(Line2D([], [], **ESTIMATE, color=style.GREY, label="solver's error estimate"))
    if any(name.endswith(SUFFIX) for name in ids):
        keys.append(clipped_key())
    return keys


def _path_name(spec: FigureSpec, name: str) -> str:
    label = spec.lines[name].label if name in spec.lines else None
    return label or style.legend_name(name)


def _handle(label: str, colour: str, line: Literal["solid", "none"], marker: str) -> Line2D:
    return Line2D([], [], color=colour, linestyle=line, marker=marker, markerfacecolor="white", label=label)
