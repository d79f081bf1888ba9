"""Choose the values that a panel can draw, and explain the values that it cannot draw.

What lives here: one rule for all figures, and the note inside a panel that counts undrawn values.  What does
not: drawing curves.  A panel without any drawable value never stops a study: its note gives the reason.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idescent.drawing.style import GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Magnitudes that an axis can represent together with its margins; matplotlib overflows beyond them.
SMALLEST, LARGEST = 1e-250, 1e250
# Prefixes of the note's ``id`` in the SVG: an empty panel, and a panel without some of its values.
NOTHING, LEFT_OUT = "nothing drawn", "left out"
_PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
_LETTER = 0.62  # mean width of a letter as a fraction of the font size


def drawable(values: ArrayLike, *, log: bool) -> NDArray[np.bool_]:
    """Test each value for an axis: finite, at most ``LARGEST``, and on a logarithmic axis positive.

    Parameters
    ----------
    values : array_like
        None counts as NaN.
    log : bool
        Whether the axis is logarithmic; then a value must be at least ``SMALLEST``.

    Returns
    -------
    ndarray of bool
        In the shape of ``values``.
    """
    numbers = _numbers(values)
    with np.errstate(invalid="ignore"):
        representable = np.isfinite(numbers) & (np.abs(numbers) <= LARGEST)
        return np.asarray(representable & (numbers >= SMALLEST) if log else representable)


def held(values: ArrayLike, *, log: bool) -> NDArray[np.float64]:
    """Replace the values that a line cannot contain by NaN; zero and negative values stay on any axis."""
    numbers = _numbers(values)
    return np.where(
        drawable(numbers, log=log) | (numbers <= 0.0) & drawable(numbers, log=False), numbers, np.nan
    )


@dataclass(frozen=True)
class Account:
    """The number of drawn and of undrawn values of a panel.

    Attributes
    ----------
    drawn : int
        Number of drawn values.
    left_out : dict of str to int
        Number of undrawn values, by reason.
    whole : str
        The reason for an empty panel; an empty string if the panel draws any value.
    """

    drawn: int
    left_out: dict[str, int]
    whole: str

    @property
    def part(self) -> str:
        """The undrawn values of a panel with drawn ones, in words; empty if every value is drawn."""
        if self.whole or not self.left_out:
            return ""
        return "Not drawn: " + ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())


def account(
    values: Iterable[ArrayLike],
    *,
    log: bool,
    noun: str = "value",
    missing: int = 0,
    diverged: bool = False,
    told: Collection[str] = (),
) -> Account:
    """Count the values that a panel can draw.

    Parameters
    ----------
    values : iterable of array_like
        The values of each curve; None counts as NaN.
    log : bool
        Whether the axis is logarithmic.
    noun : str
        Noun for the values, such as ``error``.
    missing : int
        Number of values that are not finite and that ``values`` does not contain.
    diverged : bool
        Whether all runs diverged: this is then the reason for an empty panel.
    told : collection of str
        Reasons that the figure's caption explains: a panel with drawn values does not repeat them.
    """
    parts = [_numbers(part).ravel() for part in values]
    numbers = np.concatenate(parts) if parts else np.empty(0)
    finite = numbers[np.isfinite(numbers)]
    sizes = np.abs(finite)
    counts = {"not finite": len(numbers) - len(finite) + missing, "too large": int((sizes > LARGEST).sum())}
    if log:
        counts["zero"] = int((finite == 0.0).sum())
        counts["negative"] = int(((finite < 0.0) & (sizes <= LARGEST)).sum())
        counts["too small"] = int(((finite > 0.0) & (finite < SMALLEST)).sum())
    drawn = int(drawable(numbers, log=log).sum())
    left_out = {reason: count for reason, count in counts.items() if count and not (drawn and reason in told)}
    return Account(drawn, left_out, "" if drawn else _why(left_out, log=log, noun=noun, diverged=diverged))


def account_of(rows: Sequence[Mapping[str, Any]], key: str = "error", told: Collection[str] = ()) -> Account:
    """Count the rows of a table of errors that a logarithmic panel can draw, as :func:`account` does."""
    diverged = bool(rows) and all(row.get("discrete_status") == "diverged" for row in rows)
    return account([[row[key] for row in rows]], log=True, noun="error", diverged=diverged, told=told)


def _why(left_out: dict[str, int], *, log: bool, noun: str, diverged: bool) -> str:
    if diverged:
        return "all runs diverged"
    if not left_out:
        return f"no {noun} to draw"
    if set(left_out) == {"zero"}:
        return f"all {noun}s are zero"
    if set(left_out) == {"not finite"}:
        return f"no finite {noun}"
    if log and not {"too large", "too small"} & set(left_out):
        return f"no positive {noun} to draw on a logarithmic axis"
    return f"no {noun} between {SMALLEST:g} and {LARGEST:g} to draw"


def say(ax: Axes, found: Account) -> None:
    """Write a note into a panel: the reason for an empty one, or the number of its undrawn values.

    The note's ``id`` in the SVG is the same text without line breaks.
    """
    properties: dict[str, Any] = {"transform": ax.transAxes, "color": GREY, "zorder": 10, "bbox": _PAPER}
    if found.whole:
        text = _wrapped(ax, found.whole, 7.0)
        gid = f"{NOTHING}: {found.whole}"
        note = ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=7.0, gid=gid, **properties)
    elif found.part:
        text = _wrapped(ax, found.part, 5.5)
        gid = f"{LEFT_OUT}: {found.part}"
        note = ax.text(0.02, 0.02, text, ha="left", va="bottom", fontsize=5.5, gid=gid, **properties)
    else:
        return
    # The constrained layout would shrink the panel to the width of a long note.
    note.set_in_layout(False)


def without_scale(axes: Iterable[Axes], axis: Literal["x", "y", "both"]) -> None:
    """Remove the ticks of an axis without any value: its limits have no meaning."""
    for ax in axes:
        ax.tick_params(axis=axis, which="both", length=0.0, labelleft=axis == "x", labelbottom=axis == "y")


def _wrapped(ax: Axes, text: str, size: float) -> str:
    """Break a text into lines that fit the panel's width before the layout changes it."""
    points = 72.0 * ax.get_window_extent().width / ax.figure.dpi
    return textwrap.fill(text, max(int(points / (_LETTER * size)), 12))


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    # The conversion to float64 turns None into NaN.
    return np.asarray(values, dtype=np.float64)
