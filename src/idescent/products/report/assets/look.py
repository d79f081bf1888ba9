"""Style and scripts, which the page alone needs."""

from __future__ import annotations

SCRIPTS = ("tables.js", "plots.js", "explorer.js")
STYLE = "page.css"
