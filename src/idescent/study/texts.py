"""Which characters a text of a configuration may hold.

What lives here: the check of every text, whatever its place, when a file is read.  What does not: what can be
drawn (:mod:`idescent.drawing.formulas`), how a text is quoted for HTML, LaTeX or Markdown (where these are
written).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from idescent.study.messages import ConfigError, path, refused

RULE = "text must hold no control characters but tab and newline, no lone surrogates and no bidi overrides"

# Controls, lone surrogates, and what is no character are not allowed in XML, and so not in SVG; of the
# separators of lines only one.  Overrides of the direction make a text look like another one.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17))
    + "]"
)


def forbidden(value: Any) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield place and text of everything below a value, keys included, that no text may be.

    Parameters
    ----------
    value : any
        As YAML gives it; what several places share is looked at once.
    """
    seen: set[int] = set()
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), value)]
    while waiting:
        place, found = waiting.pop()
        if isinstance(found, str):
            if _FORBIDDEN.search(found):
                yield place, found
            continue
        inner: Iterable[tuple[Any, Any]] = ()
        if isinstance(found, Mapping):
            inner = [*found.items(), *((key, key) for key in found)]
        elif isinstance(found, list | tuple):
            inner = enumerate(found)
        if inner and id(found) not in seen:
            seen.add(id(found))
            waiting += reversed([((*place, key), item) for key, item in inner])


def check(raw: Any) -> None:
    """Check every text of a configuration.

    Raises
    ------
    ConfigError
        One line for each text that holds what none may.
    """
    problems = [str(refused(path(place), text, RULE)) for place, text in forbidden(raw)]
    if problems:
        raise ConfigError("\n".join(problems))
