"""Third-party software that the page of the report contains.

What lives here: uPlot (plots) and Tabulator (tables), unchanged, with their licences, and ``manifest.json``
with the origin, the version and the SHA-256 of each file.  What does not: code of this project.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DATA_FILES = (
    "manifest.json",
    "uPlot.LICENSE",
    "uPlot.iife.min.js",
    "uPlot.min.css",
    "tabulator.LICENSE",
    "tabulator.min.js",
    "tabulator.min.css",
)
HERE = Path(__file__).parent


def manifest() -> list[dict[str, Any]]:
    """Return the content of ``manifest.json``: one entry for each library."""
    content: list[dict[str, Any]] = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    return content


def licences() -> dict[str, str]:
    """Return the texts of the licences, by the name of the library."""
    return dict(zip((entry["package"] for entry in manifest()), _texts(".LICENSE"), strict=True))


def script() -> str:
    """Return the scripts of all libraries, without references to source maps, which are not in the page."""
    return "\n".join(re.sub(r"^//# sourceMappingURL=.*\n?", "", text, flags=re.M) for text in _texts(".js"))


def style() -> str:
    """Return the style sheets of all libraries, without references to source maps."""
    return "\n".join(re.sub(r"/\*# sourceMappingURL=[^*]*\*/", "", text) for text in _texts(".css"))


def _texts(suffix: str) -> list[str]:
    names = [name for entry in manifest() for name in entry["files"] if name.endswith(suffix)]
    return [(HERE / name).read_text(encoding="utf-8") for name in names]
