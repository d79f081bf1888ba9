"""Templates, style and scripts of the page.

What lives here: the files, and their list: by it they belong to the sources on which a report depends
(:mod:`idescent.provenance`).
"""

from __future__ import annotations

from pathlib import Path
from string import Template

HERE = Path(__file__).parent
SCRIPTS = ("tables.js", "plots.js", "explorer.js")
STYLE = "page.css"
TEMPLATES = {
    "page": "page.html",
    "summary": "summary.html",
    "odd": "odd.html",
    "explorer": "explorer.html",
    "part": "part.html",
    "errors": "errors.html",
    "claims": "claims.html",
}


def read(name: str) -> str:
    """Return the text of one of the files."""
    return (HERE / name).read_text(encoding="utf-8")


def filled(template: str, **values: object) -> str:
    """Return a template with every placeholder replaced; the values are HTML already."""
    return Template(read(TEMPLATES[template])).substitute(values)
