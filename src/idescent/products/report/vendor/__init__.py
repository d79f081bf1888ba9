"""Third-party software that the page of the report contains unchanged.

What lives here: uPlot, its licence (``uPlot.LICENSE``), and ``manifest.json`` with its origin, its version
and the SHA-256 of each file.  What does not: code of this project.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA_FILES = ("manifest.json", "uPlot.LICENSE", "uPlot.iife.min.js", "uPlot.min.css")
HERE = Path(__file__).parent
SCRIPT = HERE / "uPlot.iife.min.js"
STYLE = HERE / "uPlot.min.css"


def manifest() -> dict[str, Any]:
    """Return the content of ``manifest.json``."""
    content: dict[str, Any] = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    return content


def licence() -> str:
    """Return the text of the licence."""
    return (HERE / "uPlot.LICENSE").read_text(encoding="utf-8")
