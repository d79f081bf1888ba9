"""Templates of the page: all of its HTML, for the engine Jinja2.

``page.html.j2`` is the skeleton; it includes one template for each section.  ``macros.html.j2`` has the parts
that several sections share.  What does not live here: numbers, and their conversion to text
(:mod:`idescent.products.report.numbers`).
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

# The digest of the page's code covers these files (:mod:`idescent.study.provenance`).
DATA_FILES = (
    "page.html.j2",
    "macros.html.j2",
    "summary.html.j2",
    "odd.html.j2",
    "explorer.html.j2",
    "errors.html.j2",
    "claims.html.j2",
    "figures.html.j2",
    "headline.html.j2",
    "product.html.j2",
    "provenance.html.j2",
)
HERE = Path(__file__).parent


def render(template: str, **content: object) -> str:
    """Return the text of a template filled with ``content``; strings are escaped unless they are ``Markup``.

    Raises
    ------
    jinja2.UndefinedError
        If the template needs a variable that ``content`` lacks.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(content)
