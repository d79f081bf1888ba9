"""Templates, style and scripts of the page.

What lives here: the files, and the list of templates; that of style and scripts is :mod:`.look`, which the
sections do not need.  By these lists files belong to the sources of what is made with them
(:mod:`idescent.study.provenance`).
"""

from __future__ import annotations

from pathlib import Path
from string import Template

HERE = Path(__file__).parent
DATA_FILES = (
    "page.html",
    "summary.html",
    "odd.html",
    "explorer.html",
    "part.html",
    "errors.html",
    "claims.html",
)
TEMPLATES = {file.removesuffix(".html"): file for file in DATA_FILES}


def read(name: str) -> str:
    """Return the text of one of the files."""
    return (HERE / name).read_text(encoding="utf-8")


def filled(template: str, **values: object) -> str:
    """Return a template with every placeholder replaced; the values are HTML already."""
    return Template(read(TEMPLATES[template])).substitute(values)
