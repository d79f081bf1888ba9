"""Style sheets and scripts of the page."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
# The digest of the page's code covers these files (:mod:`idescent.study.provenance`).
DATA_FILES = (
    "blocks.js",
    "tables.js",
    "plots.js",
    "downloads.js",
    "explorer.js",
    "ladder.js",
    "figures.js",
    "page.css",
    "tables.css",
)
SCRIPTS = tuple(name for name in DATA_FILES if name.endswith(".js"))
STYLES = tuple(name for name in DATA_FILES if name.endswith(".css"))


def read(name: str) -> str:
    """Return the text of one of the files."""
    return (HERE / name).read_text(encoding="utf-8")
