"""Style and scripts, which the page alone needs."""

from __future__ import annotations

DATA_FILES = ("tables.js", "plots.js", "explorer.js", "page.css")
*SCRIPTS, STYLE = DATA_FILES
