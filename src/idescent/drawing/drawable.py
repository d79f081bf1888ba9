"""What a panel can draw of its values, and the words for what it cannot.

What lives here: the one rule for all figures, and the text that a panel shows in place of a curve or below
it.  What does not: drawing curves.  A panel never ends a study: where there is nothing to draw, it says why.
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

# Sizes that an axis can hold with its margins: beyond them double precision ends, and matplotlib with it.
SMALLEST, LARGEST = 1e-250, 1e250
# Where nothing is drawn: identifiers in the SVG.
NOTHING, LEFT_OUT = "nothing drawn", "left out"
_PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
_LETTER = 0.62  # width of a letter in sizes of the type


def drawable(values: ArrayLike, *, log: bool) -> NDArray[np.bool_]:
    """Say which values an axis can hold: finite, not too large, and on a logarithmic one positive.

    Parameters
    ----------
    values : array_like
        None counts as NaN.
    log : bool
        Whether the axis is logarithmic.
    """
    numbers = _numbers(values)
    with np.errstate(invalid="ignore"):
        held = np.isfinite(numbers) & (np.abs(numbers) <= LARGEST)
        return np.asarray(held & (numbers >= SMALLEST) if log else held)


def held(values: ArrayLike, *, log: bool) -> NDArray[np.float64]:
    """Return values for a line, NaN where an axis cannot hold one; on any, 0 and less stay as they are."""
    numbers = _numbers(values)
    return np.where(
        drawable(numbers, log=log) | (numbers <= 0.0) & drawable(numbers, log=False), numbers, np.nan
    )


@dataclass(frozen=True)
class Account:
    """What is drawn of the values of a panel, and what is not.

    Attributes
    ----------
    drawn : int
        Number of values that are drawn.
    left_out : dict of str to int
        Number of values that are not, by reason.
    whole : str
        Why nothing is drawn; empty if something is.
    """

    drawn: int
    left_out: dict[str, int]
    whole: str

    @property
    def part(self) -> str:
        """What is left out of a panel in which something is drawn; empty if nothing is."""
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
        Of every curve; None counts as NaN.
    log : bool
        Whether the axis is logarithmic.
    noun : str
        What the values are.
    missing : int
        Values that are not finite and not among ``values``.
    diverged : bool
        Whether all runs diverged: the reason, if nothing can be drawn.
    told : collection of str
        Reasons that need not be told where something is drawn.
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
    """Write into a panel why it is empty, or what it leaves out; the SVG's ``id`` has it in one line."""
    at: dict[str, Any] = {"transform": ax.transAxes, "color": GREY, "zorder": 10}
    if found.whole:
        text = _wrapped(ax, found.whole, 7.0)
        at["bbox"] = _PAPER
        note = ax.text(
            0.5, 0.5, text, ha="center", va="center", fontsize=7.0, gid=f"{NOTHING}: {found.whole}", **at
        )
    elif found.part:
        text = _wrapped(ax, found.part, 5.5)
        at["bbox"] = _PAPER
        gid = f"{LEFT_OUT}: {found.part}"
        note = ax.text(0.02, 0.02, text, ha="left", va="bottom", fontsize=5.5, gid=gid, **at)
    else:
        return
    # A long sentence must not squeeze the panel.
    note.set_in_layout(False)


def without_scale(axes: Iterable[Axes], axis: Literal["x", "y", "both"]) -> None:
    """Remove ticks where no value gives them a meaning."""
    for ax in axes:
        ax.tick_params(axis=axis, which="both", length=0.0, labelleft=axis == "x", labelbottom=axis == "y")


def _wrapped(ax: Axes, text: str, size: float) -> str:
    """Break a text into lines that fit into a panel, as wide as it is before the layout is found."""
    points = 72.0 * ax.get_window_extent().width / ax.figure.dpi
    return textwrap.fill(text, max(int(points / (_LETTER * size)), 12))


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    # None becomes NaN.
    return np.asarray(values, dtype=np.float64)
