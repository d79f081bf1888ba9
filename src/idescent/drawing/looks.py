"""Colour, marker and line style of each model.

What lives here: plain values, because the report uses them without loading matplotlib.
"""

from __future__ import annotations

import colorsys
import hashlib
from typing import Any

# Colours of Okabe and Ito, and two of Tol.  Models whose curves coincide have markers of different sizes, and
# the smaller marker is drawn in front.
LOOKS: dict[str, tuple[str, str, float, Any]] = {
    "paper": ("#000000", "o", 4.8, "solid"),
    "half-step": ("#0072B2", "s", 3.4, (0, (4, 1))),
    "third-order": ("#009E73", "D", 2.6, "solid"),
    "local": ("#E69F00", "v", 6.0, (0, (5, 1.5))),
    "naive": ("#999933", ">", 4.2, (0, (3, 1.2))),
    "log-rate": ("#56B4E9", "^", 3.6, (0, (5, 1.5))),
    "sign-flow": ("#7F7F7F", "p", 4.2, (0, (1, 1.2))),
    "barakat-bianchi": ("#D55E00", "<", 4.0, (0, (6, 1.5, 1, 1.5))),
    "da-silva-gazeau": ("#CC79A7", "h", 6.6, (0, (1, 1.2))),
    "cattaneo": ("#882255", "P", 4.6, (0, (5, 1.5))),
    "heredia-second-order": ("#332288", "X", 4.4, (0, (6, 1.5, 1, 1.5))),
}
# Schemes by the name of their solution: a figure shows them together with their model.
SCHEMES: dict[str, tuple[str, str, float, Any]] = {"algorithm-4": ("#A6761D", "8", 6.2, (0, (2, 1.2)))}
_SPARE_MARKERS = ">*dH"
# Names in legends, by the name of a solution; other solutions have the name of the study.
_NAMES = {
    "paper": "IDE of the paper",
    "log-rate": "log-rate flow",
    "sign-flow": "sign flow",
    "local": "local equation",
    "barakat-bianchi": "Barakat & Bianchi",
    "da-silva-gazeau": "da Silva & Gazeau",
    "cattaneo": "Cattaneo et al.",
    "heredia": "Heredia, second order",
    "heredia-second-order": "Heredia, second order",
    "algorithm-4": "Algorithm 4",
    "malladi": "Malladi et al.",
    "compagnoni": "Compagnoni et al.",
}


def displayed(solution: str) -> str:
    """Return the name of a solution in legends: the authors or the words that the field uses."""
    return _NAMES.get(solution, solution)


def model_look(model: str) -> tuple[str, str, float, Any]:
    """Return the colour, marker, marker size and line style of a model, by its name.

    They are the same in every figure.  A model outside the package, and a second solution of one model, get a
    colour and a marker from a hash of the name.
    """
    if model in LOOKS or model in SCHEMES:
        return (LOOKS | SCHEMES)[model]
    digest = hashlib.sha256(model.encode()).digest()
    red, green, blue = colorsys.hls_to_rgb(digest[0] / 256, 0.3 + 0.25 * digest[1] / 255, 0.75)
    colour = f"#{round(255 * red):02X}{round(255 * green):02X}{round(255 * blue):02X}"
    return colour, _SPARE_MARKERS[digest[2] % len(_SPARE_MARKERS)], 4.2, "solid"
