"""Colours, markers, labels and line styles: each configuration has the same ones in every figure.

What lives here: lookups by name, and the location of the style file.  What does not: drawing.  The colours
come from the palettes of Okabe and Ito and of Tol, which readers with red-green blindness can distinguish.
Colours in one figure also differ in lightness or in marker, so they remain distinct in grey print.
"""

from __future__ import annotations

import colorsys
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from idescent.drawing.hyperparameters import label
from idescent.drawing.looks import displayed

if TYPE_CHECKING:
    from idescent.products.paths.spec import LineStyle

DATA_FILES = ("idescent.mplstyle",)
STYLE_FILE = Path(__file__).with_name(DATA_FILES[0])

# Widths in inches of a column and of a page in a common two-column journal.
WIDTHS = {"single": 3.3, "double": 6.9}
# Height of that page without the caption, in inches.
HEIGHT = 9.0

GREY = "#555555"

_LOOKS = {
    ("AdaGrad",): ("#000000", "o"),
    ("RMSProp", 0.0): ("#E69F00", "v"),
    ("RMSProp", 0.9): ("#D55E00", "s"),
    ("RMSProp", 0.99): ("#882255", "D"),
    ("Adam", 0.0, 0.99): ("#56B4E9", "^"),
    ("Adam", 0.0, 0.999): ("#0072B2", "s"),
    ("Adam", 0.9, 0.99): ("#009E73", "D"),
    ("Adam", 0.9, 0.999): ("#332288", "o"),
    ("Adam", 0.99, 0.999): ("#CC79A7", "^"),
}
_SPARE_MARKERS = "osD^v<>ph"

_BETAS = ("beta", "beta1", "beta2")
_QUANTITIES = {"theta": r"\theta", "loss": r"L(\theta)"}

_SOLUTIONS = {
    "paper.exact": "IDE, exact",
    "paper.picard": "IDE, Algorithm 4",
    "published.spline": "IDE, Algorithm 4 as published",
}
LineKind = Literal["solid", "dashed", "dotted", "dashdot"]
# Kind, width in points and tint of the solutions of a figure, by position.  Solutions of one configuration
# share its hue, so they differ in lightness and width, too: dashes disappear where a curve is short or steep.
_LINES: tuple[tuple[LineKind, float, float], ...] = (
    ("solid", 2.6, 0.55),
    ("dashed", 1.1, 0.0),
    ("dotted", 1.4, -0.45),
    ("dashdot", 1.0, -0.45),
)
_ONLY: tuple[LineKind, float, float] = ("solid", 1.2, 0.0)


@dataclass(frozen=True)
class LineLook:
    """Line style of a solution.

    Attributes
    ----------
    line : str
    width : float
        In points.
    label : str
        Entry in the legend.
    tint : float
        Change of the configuration's colour, see :func:`tinted`.
    """

    line: LineKind
    width: float
    label: str
    tint: float


def look(optimizer: Mapping[str, Any]) -> tuple[str, str]:
    """Return the colour and marker of a configuration ``{"class": ..., "arguments": {...}}``.

    They are the same in every figure.  A configuration outside the table gets them from a hash of its
    content.
    """
    arguments = optimizer.get("arguments", {})
    betas = {name: value for name, value in arguments.items() if name in _BETAS}
    key = (optimizer["class"], *(float(betas[name]) for name in sorted(betas)))
    if len(betas) == len(arguments) and key in _LOOKS:
        return _LOOKS[key]
    digest = hashlib.sha256(json.dumps([optimizer["class"], arguments], sort_keys=True).encode()).digest()
    red, green, blue = colorsys.hls_to_rgb(digest[0] / 256, 0.3 + 0.25 * digest[1] / 255, 0.75)
    colour = f"#{round(255 * red):02X}{round(255 * green):02X}{round(255 * blue):02X}"
    return colour, _SPARE_MARKERS[digest[2] % len(_SPARE_MARKERS)]


def configuration(optimizer: Mapping[str, Any]) -> str:
    """Return the label of a configuration in TeX notation, such as ``Adam, β1 = 0.9, β2 = 0.99``.

    It has every hyper-parameter of ``arguments``.  Only letters are set as mathematics, because matplotlib
    sets mathematics slowly.
    """
    name = optimizer["class"].rpartition(":")[2]
    return ", ".join([name, *label(optimizer.get("arguments", {}))])


def told_apart(names: Sequence[str]) -> tuple[str, list[str]]:
    """Split labels of configurations into their common part and their last values.

    ``RMSProp, β = 0.9`` and ``RMSProp, β = 0.99`` become ``RMSProp, β`` with ``0.9`` and ``0.99``.  Labels
    that differ in more than their last value have an empty common part and are returned unchanged.
    """
    parts = [name.rpartition(" = ") for name in names]
    shared = {common for common, _, _ in parts}
    if len(names) < 2 or len(shared) > 1:
        return "", list(names)
    return shared.pop(), [value for _, _, value in parts]


def symbol(quantity: str, *, vector: bool = False) -> str:
    """Return the TeX symbol of a quantity without dollar signs; for a vector, the symbol of its norm."""
    text = _QUANTITIES.get(quantity, quantity)
    return rf"\Vert {text} \Vert" if vector else text


def solution(name: str) -> str:
    """Return the displayed name of a solution; the default is its name in the study."""
    return _SOLUTIONS.get(name, name)


def legend_name(name: str) -> str:
    """Return the name of a solution in legends: that of the model alone where its solver is exact."""
    known = _SOLUTIONS.get(name)
    return displayed(name.removesuffix(".exact") if known is None else known)


def line(name: str, position: int, given: Mapping[str, LineStyle], count: int = 2) -> LineLook:
    """Return the line look of a solution.

    Parameters
    ----------
    name : str
    position : int
        Position among the solutions of the figure.
    given : mapping of str to LineStyle
        Configured styles; what they leave open has a default for the position.
    count : int
        Number of solutions in the figure: a single one has the configuration's own colour.
    """
    kind, width, tint = _LINES[position % len(_LINES)] if count > 1 else _ONLY
    style = given.get(name)
    if style is None:
        return LineLook(kind, width, legend_name(name), tint)
    return LineLook(style.line or kind, style.width or width, style.label or legend_name(name), tint)


def tinted(colour: str, tint: float) -> str:
    """Mix a colour ``#RRGGBB`` with white (``tint`` > 0) or with black (``tint`` < 0), in these shares."""
    target = 255 if tint > 0.0 else 0
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(part + abs(tint) * (target - part)):02X}" for part in parts)
