"""How Sphinx builds the site: `make docs`.  Nothing is loaded from the network, neither now nor by a reader.

Formulas become MathML, which browsers draw themselves: no script, no font of our own.  What is generated
(gallery, findings, command line, list of the API) is written by `pages.py` before Sphinx reads.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import pages  # noqa: E402 (beside this file)

import idescent  # noqa: E402

project = "idescent"
author = "the idescent developers"
project_copyright = "the idescent developers"
release = version = idescent.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_generated/parts"]

# A reference that leads nowhere is an error; the types in numpy-style docstrings are prose.
nitpicky = True
nitpick_ignore_regex = [("py:class", r"(?!idescent\.).*"), ("py:class", r".*\._\w+")]
# Modules that docstrings name and that have no page: how the package is built inside.
nitpick_ignore_regex += [
    ("py:mod", r"idescent\..*"),
    ("py:class", r"idescent\.solvers\.(march|quadrature)\..*"),
]
suppress_warnings = ["ref.python"]  # words of that prose that are also names of attributes

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "idescent"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"

# Links to files outside docs, as they read on a code host, and the pages that show these files here.
_ELSEWHERE = {"../config/README.md": "configuration.md"}


def _readable(app: Any, name: str, source: list[str]) -> None:
    for there, here in _ELSEWHERE.items():
        source[0] = source[0].replace(f"]({there}", f"]({here}")


def _docstring(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """Keep bars as bars: in reStructuredText |x| would be a substitution."""
    inside = False
    for i, line in enumerate(lines):
        if line.strip():
            inside = line.startswith("    ") if not inside else line.startswith(" ")
        if not inside:
            quoted = re.split(r"(``.*?``|:[a-z]+:`.*?`)", line)
            lines[i] = "".join(
                part if n % 2 else re.sub(r"(?<![\\|])\|(?!\|)", r"\\|", part)
                for n, part in enumerate(quoted)
            )


def _exported(app: Any, env: Any, node: Any, text: nodes.Element) -> nodes.Element | None:
    """Resolve a name that a package exports, such as idescent.solve, to where it is defined."""
    module, _, name = str(node.get("reftarget", "")).rpartition(".")
    if node.get("refdomain") != "py" or not module.startswith("idescent"):
        return None
    try:
        item = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        return None
    target = f"{getattr(item, '__module__', '')}.{getattr(item, '__qualname__', '')}"
    domain = env.get_domain("py")
    if target not in domain.objects:
        return None
    found: nodes.Element | None = domain.resolve_xref(
        env, node["refdoc"], app.builder, domain.objects[target].objtype, target, node, text
    )
    return found


def _formula(self: Any, node: nodes.Element, display: str) -> str:
    latex = node.astext()
    mathml: str = convert(latex, display=display)
    if unknown := re.search(r">(\\[a-zA-Z]+)<", mathml):
        raise ValueError(f"{unknown[1]} is not allowed in a formula: latex2mathml does not know it ({latex})")
    return mathml


def _inline(self: Any, node: nodes.Element) -> None:
    self.body.append(_formula(self, node, "inline"))
    raise nodes.SkipNode


def _displayed(self: Any, node: nodes.Element) -> None:
    self.body.append(f'<div class="formula">{_formula(self, node, "block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer of formulas and write the generated pages."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_displayed, None))
    app.connect("source-read", _readable)
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("missing-reference", _exported)
    pages.write(HERE / "_generated")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
