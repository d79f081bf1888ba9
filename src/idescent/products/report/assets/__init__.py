"""Style sheet and scripts of the page."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
# The digest of the page's code covers these files (:mod:`idescent.study.provenance`).
DATA_FILES = ("tables.js", "plots.js", "explorer.js", "ladder.js", "page.css")
*SCRIPTS, STYLE = DATA_FILES


def read(name: str) -> str:
    """Return the text of one of the files."""
    return (HERE / name).read_text(encoding="utf-8")
