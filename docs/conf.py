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
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
ElementTree.register_namespace("", "http://www.w3.org/1998/Math/MathML")

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
    ("py:class", r"idescent\.solvers\.(march|quadrature|integro)\..*"),
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


def _described(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """Write what napoleon would misread so that it does not.

    Before the first colon of a description it finds a type, and attributes that share an entry it does not
    part, as it does parameters.
    """
    if what in ("data", "attribute") and lines:
        lines[:0] = ["..", ""]  # an empty comment, without a colon
    if "Attributes" not in lines:
        return
    begin = lines.index("Attributes") + 2
    while begin < len(lines) and not lines[begin].startswith("---"):
        if shared := re.fullmatch(r"(\w+(?:, \w+)+) : (.*)", lines[begin]):
            end = begin + 1
            while end < len(lines) and (lines[end].startswith(" ") or not lines[end]):
                end += 1
            told = lines[begin + 1 : end]
            lines[begin:end] = [
                line for one in shared[1].split(", ") for line in (f"{one} : {shared[2]}", *told)
            ]
        begin += 1


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
    lined_up = display == "block" and re.search(r"(?<!\\)&|\\\\", latex) and r"\begin" not in latex
    mathml: str = convert(rf"\begin{{split}}{latex}\end{{split}}" if lined_up else latex, display=display)
    if unknown := re.search(r">(\\[a-zA-Z]+)<", mathml):
        raise ValueError(f"{unknown[1]} is not allowed in a formula: latex2mathml does not know it ({latex})")
    root = ElementTree.fromstring(mathml)
    _set_as_tex(root)
    return ElementTree.tostring(root, encoding="unicode")


# Between these and what is beside them there is no space.
_CLOSE = ("/", "|", "‖")


def _set_as_tex(parent: ElementTree.Element) -> None:
    """Set what browsers would set otherwise than TeX: primes, the space at a / and behind a function."""
    for i, child in enumerate(list(parent)):
        _set_as_tex(child)
        kind, last = child.tag.rpartition("}")[2], child[-1] if len(child) else None
        if kind == "mo" and child.text in _CLOSE:
            child.attrib |= {"lspace": "0", "rspace": "0"}
        if kind == "mi" and child.text == "~":  # the letter is set high, as an accent
            child.tag, child.text = child.tag.replace("}mi", "}mo"), "∼"
        if kind == "mtd" and (side := child.get("columnalign")):
            child.set("style", f"text-align: {side}; padding-{side}: 0")
        if kind in ("msup", "msubsup") and last is not None and set(last.text or "") & set("′″‴⁗"):
            # A prime is high and small as it is: raised once more it could not be read.
            child.remove(last)
            last.tag = last.tag.replace("}mi", "}mo")
            last.attrib |= {"lspace": "0", "rspace": "0"}
            row = ElementTree.Element(child.tag.replace(kind, "mrow"))
            if kind == "msup":
                row.append(child[0])
            else:
                child.tag = child.tag.replace(kind, "msub")
                row.append(child)
            row.append(last)
            parent[i] = row
    for i in range(len(parent) - 1, 0, -1):
        name, argument = parent[i - 1], parent[i]
        # Two letters and more are a name; before a bracket there is no space.
        if name.tag.endswith("}mi") and re.fullmatch(r"[a-z]{2,}", name.text or "") and argument.text != "(":
            parent.insert(i, ElementTree.Element(name.tag[:-2] + "mspace", width="0.1667em"))


def _punctuated(app: Any, tree: nodes.document, page: str) -> None:
    """Keep a formula and the full stop behind it on one line."""
    for formula in list(tree.findall(nodes.math)):
        parent, i = formula.parent, formula.parent.index(formula)
        after = parent[i + 1] if len(parent) > i + 1 else None
        if isinstance(after, nodes.Text) and (found := re.match(r"[.,;:?!)\]]+", after)):
            together = nodes.inline("", "", classes=["together"])
            parent[i : i + 2] = [together, nodes.Text(after[found.end() :])]
            together += [formula, nodes.Text(found[0])]


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
    app.connect("autodoc-process-docstring", _described, priority=400)
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("missing-reference", _exported)
    app.connect("doctree-resolved", _punctuated)
    pages.write(HERE / "_generated")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
