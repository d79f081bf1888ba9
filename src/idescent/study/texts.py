"""Check of the characters in a configuration's texts.

What lives here: the check of every text of a configuration, keys included.  What does not: the check that a
formula can be drawn (:mod:`idescent.drawing.formulas`); the quoting for HTML, LaTeX and Markdown, which is in
the modules that write these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from idescent.study.messages import ConfigError, path, refused

RULE = "text must not contain control characters (except tab, newline), lone surrogates or bidi overrides"

# XML, and therefore SVG, forbids control characters, lone surrogates and noncharacters.  Of the separators of
# lines, only the newline is allowed.  Bidi overrides can display one text as another.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17))
    + "]"
)


def forbidden(value: Any) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield the location and the text of every text with a forbidden character, keys included.

    Parameters
    ----------
    value : any
        Value of a YAML document.  A value that aliases share is examined once.
    """
    seen: set[int] = set()
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), value)]
    while waiting:
        place, node = waiting.pop()
        if isinstance(node, str):
            if _FORBIDDEN.search(node):
                yield place, node
            continue
        inner: Iterable[tuple[Any, Any]] = ()
        if isinstance(node, Mapping):
            inner = [*node.items(), *((key, key) for key in node)]
        elif isinstance(node, list | tuple):
            inner = enumerate(node)
        if inner and id(node) not in seen:
            seen.add(id(node))
            # Reversed: the stack yields problems in the order of the document.
            waiting += reversed([((*place, key), item) for key, item in inner])


def check(raw: Any) -> None:
    """Check every text of a configuration.

    Raises
    ------
    ConfigError
        One line for each text with a forbidden character.
    """
    problems = [str(refused(path(place), text, RULE)) for place, text in forbidden(raw)]
    if problems:
        raise ConfigError("\n".join(problems))
