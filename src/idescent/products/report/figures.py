"""Figures of the report: the picture itself, with title, caption, rule and configuration."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from idescent.products.report.content import file_link

# A caption with one of these words is true of the drawing on white paper only.
_PAPER_ONLY = re.compile(r"\b(white|black)\b", re.IGNORECASE)
# The page contains the PNG instead of an SVG with more bytes than this.
MOST_BYTES = 300_000
_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
_TITLE = ".//{http://purl.org/dc/elements/1.1/}title"
_DESCRIPTION = ".//{http://purl.org/dc/elements/1.1/}description"


def figure(svg: Path, root: Path, rule: str, entry: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the content of one figure.

    Parameters
    ----------
    svg : path
        The drawing, beside its PNG and PDF.  Its metadata contain the title and the caption.
    root : path
        Folder of the page.
    rule : str
        Name of the workflow's rule that drew it.
    entry : mapping or None
        Configuration of the figure; None without one.

    Raises
    ------
    ValueError
        If the drawing is no SVG with a title and a caption.
    """
    title, caption = described(svg)
    paths = [svg.with_suffix(suffix).relative_to(root).as_posix() for suffix in (".pdf", ".svg", ".png")]
    files = [file_link(path.rpartition(".")[2].upper(), path) for path in paths]
    return {
        "name": svg.stem,
        "title": numbered(svg.stem, title),
        "caption": caption,
        "picture": embedded(svg),
        "files": files,
        "full": files[1][1],
        "as_drawn": _PAPER_ONLY.search(caption) is not None,
        "rule": rule,
        "configuration": None if entry is None else as_yaml(entry),
    }


def as_yaml(configuration: Mapping[str, Any]) -> str:
    """Return a configuration as YAML, in the order of its keys."""
    return yaml.safe_dump(dict(configuration), allow_unicode=True, sort_keys=False, width=100)


def numbered(name: str, title: str) -> str:
    """Prefix a title with the number in the figure's name: ``figure_08`` or ``figure_08_errors``."""
    match = re.fullmatch(r"figure_0*(\d+)(_errors)?", name)
    return f"Figure {match[1]}. {title}" if match else title


def described(svg: Path) -> tuple[str, str]:
    """Return title and caption from the metadata of an SVG.

    Raises
    ------
    ValueError
        If the file is no SVG, or has no title or no caption.
    """
    try:
        tree = ElementTree.parse(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"{svg}: not a whole SVG ({error}); delete it and rerun") from error
    texts = [tree.findtext(path) for path in (_TITLE, _DESCRIPTION)]
    if not all(texts):
        raise ValueError(f"{svg}: it has no title or no caption in its metadata; delete it and rerun")
    return str(texts[0]), str(texts[1])


def embedded(svg: Path) -> str:
    """Return a data URI of the SVG, or of the PNG beside it if the SVG is large."""
    picture = svg if svg.stat().st_size <= MOST_BYTES else svg.with_suffix(".png")
    return f"data:{_TYPES[picture.suffix]};base64,{base64.b64encode(picture.read_bytes()).decode()}"
