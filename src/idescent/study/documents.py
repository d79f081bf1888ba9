"""Configuration and claims files as they are written: what Snakemake's own reader lets pass in silence.

What lives here: keys given twice, tags and templates that run code, and the size of a file, found in one pass
over YAML's events, before any value is made of them.  What does not: what keys mean
(:mod:`idescent.study.keys`), how large a study may be (:mod:`idescent.study.limits`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from idescent.study.limits import DEEPEST, LARGEST_FILE, MOST_VALUES
from idescent.study.messages import shown

# libyaml is ten times faster than PyYAML's own parser, and neither is recursive.
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS = "tag:yaml.org,2002:"


class DocumentError(ValueError):
    """A file that is not what it says; its text is one line, without the file's name."""


def read(path: str | Path) -> Any:
    """Read a YAML or JSON file.

    Raises
    ------
    DocumentError
        As :func:`check`, or if a value cannot be made of it.
    """
    text = check(path)
    try:
        return yaml.load(text, Loader=_PARSER)  # safe
    except (yaml.YAMLError, ValueError) as error:
        if (found := _as_json(text)) is not None:
            return found
        raise _not_yaml(error) from error


def check(path: str | Path) -> str:
    """Return the text of a YAML or JSON file in which every key is given once.

    Raises
    ------
    DocumentError
        If it cannot be read, is too large, gives a key twice in one mapping, or has tags or a template that
        run code.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise DocumentError("cannot be read: there is no such file")
        if (size := file.stat().st_size) > LARGEST_FILE:
            raise DocumentError(f"{size} bytes are not allowed: must be at most {LARGEST_FILE}")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"not YAML: not UTF-8: {error.reason}") from error
    try:
        # Between the tokens of JSON a tab is as good as a space; in YAML's own blocks it is a mistake.
        spaced = text.replace("\t", " ") if text.lstrip().startswith("{") else text
        _examine(yaml.parse(spaced, Loader=_PARSER))
    except yaml.YAMLError as error:
        # Of JSON, libyaml knows neither surrogates nor keys of more than 1024 characters.
        if _as_json(text) is None:
            raise _not_yaml(error) from error
    return text


@dataclass
class _Node:
    """A list or mapping that has begun: how many values it has, and the lines of its keys."""

    anchor: str | None
    keys: dict[str, int] | None
    values: int = 1
    at_key: bool = True


def _examine(events: Iterable[Any]) -> None:
    sizes: dict[str, int] = {}  # of what an alias stands for
    scalars: dict[str, str] = {}
    open_nodes = [_Node(None, None)]
    for event in events:
        line = event.start_mark.line + 1
        key = None
        if isinstance(event, yaml.CollectionStartEvent):
            _check_tag(event, line)
            keys: dict[str, int] | None = {} if isinstance(event, yaml.MappingStartEvent) else None
            open_nodes.append(_Node(event.anchor, keys))
            if len(open_nodes) > DEEPEST + 1:
                raise DocumentError(f"line {line}: must be nested at most {DEEPEST} deep")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            ended = open_nodes.pop()
            values = ended.values
            if ended.anchor:
                sizes[ended.anchor] = values
        elif isinstance(event, yaml.AliasEvent):
            anchor = event.anchor or ""
            if anchor not in sizes:
                raise DocumentError(f"line {line}: *{anchor} stands for nothing that is complete above")
            values, key = sizes[anchor], scalars.get(anchor)
        elif isinstance(event, yaml.ScalarEvent):
            _check_tag(event, line)
            values, key = 1, event.value
            if event.anchor:
                sizes[event.anchor], scalars[event.anchor] = 1, event.value
        else:
            continue  # the beginning or the end of a stream or document
        parent = open_nodes[-1]
        if parent.keys is not None and parent.at_key and key is not None:
            _add_key(parent.keys, key, line, top=len(open_nodes) == 2)
        parent.at_key = not parent.at_key
        parent.values += values
        if parent.values > MOST_VALUES:
            rule = f"must have at most {MOST_VALUES} values, with each alias counted as what it stands for"
            raise DocumentError(f"line {line}: {rule}")


def _add_key(keys: dict[str, int], key: str, line: int, *, top: bool) -> None:
    if key in keys:
        raise DocumentError(f"{_plain(key)} is not allowed twice: it is in line {keys[key]} and line {line}")
    if top and key == "__use_yte__":
        raise DocumentError(f"line {line}: {key} is not allowed: it makes the file a template that runs code")
    keys[key] = line


def _check_tag(event: Any, line: int) -> None:
    tag = event.tag or "!"
    if tag != "!" and (not tag.startswith(_TAGS) or tag.startswith(f"{_TAGS}python/")):
        rule = "must have the tags of YAML itself"
        raise DocumentError(f"line {line}: {_plain('!' + tag.removeprefix(_TAGS))} is not allowed: {rule}")


def _as_json(text: str) -> Any:
    """Return the value of a JSON text, or None if it is none."""
    try:
        return json.loads(text, object_pairs_hook=_unlike)
    except RecursionError as error:
        raise DocumentError(f"must be nested at most {DEEPEST} deep") from error
    except DocumentError:
        raise
    except ValueError:
        return None


def _unlike(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DocumentError(f"{_plain(twice)} is not allowed twice")
    return found


def _not_yaml(error: Exception) -> DocumentError:
    """Say what is wrong and where, without the lines of the file that PyYAML quotes."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return DocumentError(
        f"not YAML: {' '.join(str(what).split())}{f' in line {mark.line + 1}' if mark else ''}"
    )


def _plain(text: str) -> str:
    return text if text.isprintable() and len(text) <= 60 else shown(text)
