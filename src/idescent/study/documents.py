"""Reader of configuration and claims files, with checks that are missing in Snakemake's own reader.

What lives here: the checks for duplicate keys, for tags and templates that run code, and for the size of a
file.  They take one pass over YAML's events, before any value is constructed.  What does not: the meaning of
keys (:mod:`idescent.study.keys`), the limits (:mod:`idescent.study.limits`).
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

# libyaml is ten times faster than PyYAML's own parser.  Neither is recursive: deep nesting is no danger here.
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS = "tag:yaml.org,2002:"


class DocumentError(ValueError):
    """A file is not a valid YAML or JSON document; the text is one line, without the file's name."""


def read(path: str | Path) -> Any:
    """Read a YAML or JSON file.

    Raises
    ------
    DocumentError
        As :func:`check`, or if a value cannot be constructed, such as the date 2026-13-01.
    """
    text = check(path)
    try:
        return yaml.load(text, Loader=_PARSER)  # a safe loader: no tag runs code
    except (yaml.YAMLError, ValueError) as error:
        if (value := _as_json(text)) is not None:
            return value
        raise _not_yaml(error) from error


def check(path: str | Path) -> str:
    """Check a YAML or JSON file, and return its text.

    Raises
    ------
    DocumentError
        If the file cannot be read, is too large, has a key twice in one mapping, or has tags or a template
        that run code.
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
        # JSON allows tabs between its tokens; YAML does not allow them as indentation.
        spaced = text.replace("\t", " ") if text.lstrip().startswith("{") else text
        _examine(yaml.parse(spaced, Loader=_PARSER))
    except yaml.YAMLError as error:
        # libyaml refuses two things that JSON allows: surrogate pairs, and keys of more than 1024 characters.
        if _as_json(text) is None:
            raise _not_yaml(error) from error
    return text


@dataclass
class _Node:
    """A list or mapping whose end has not been read yet.

    Attributes
    ----------
    anchor : str or None
    keys : dict of str to int, or None
        Line of each key; None for a list.
    values : int
        Number of values, with those of nested lists and mappings and its own.
    at_key : bool
        The next event is a key (only used for mappings).
    """

    anchor: str | None
    keys: dict[str, int] | None
    values: int = 1
    at_key: bool = True


def _examine(events: Iterable[Any]) -> None:
    """Check keys, tags, nesting and size in one pass over YAML's events."""
    sizes: dict[str, int] = {}  # number of values under each anchor
    scalars: dict[str, str] = {}  # text of each anchored scalar: an alias of it may be a key
    # The first node is the document; it contains the list or mapping of the file.
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
                # An alias inside its own anchor would be a value that contains itself.
                raise DocumentError(
                    f"line {line}: *{anchor} is not allowed: there is no complete &{anchor} above"
                )
            values, key = sizes[anchor], scalars.get(anchor)
        elif isinstance(event, yaml.ScalarEvent):
            _check_tag(event, line)
            values, key = 1, event.value
            if event.anchor:
                sizes[event.anchor], scalars[event.anchor] = 1, event.value
        else:
            continue  # start or end of a stream or document
        parent = open_nodes[-1]
        if parent.keys is not None and parent.at_key and key is not None:
            _add_key(parent.keys, key, line, top=len(open_nodes) == 2)
        parent.at_key = not parent.at_key
        parent.values += values
        if parent.values > MOST_VALUES:
            rule = f"must have at most {MOST_VALUES} values, with each alias counted in full"
            raise DocumentError(f"line {line}: {rule}")


def _add_key(keys: dict[str, int], key: str, line: int, *, top: bool) -> None:
    if key in keys:
        raise DocumentError(f"{_plain(key)} is not allowed twice: it is in line {keys[key]} and line {line}")
    if top and key == "__use_yte__":
        raise DocumentError(
            f"line {line}: {key} is not allowed: with this key the file is a template that runs code"
        )
    keys[key] = line


def _check_tag(event: Any, line: int) -> None:
    tag = event.tag or "!"
    if tag != "!" and (not tag.startswith(_TAGS) or tag.startswith(f"{_TAGS}python/")):
        rule = "must be one of YAML's own tags"
        raise DocumentError(f"line {line}: {_plain('!' + tag.removeprefix(_TAGS))} is not allowed: {rule}")


def _as_json(text: str) -> Any:
    """Return the value of a text in JSON, or None if the text is not JSON."""
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except RecursionError as error:
        raise DocumentError(f"must be nested at most {DEEPEST} deep") from error
    except DocumentError:
        raise
    except ValueError:
        return None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise DocumentError(f"{_plain(duplicate)} is not allowed twice")
    return mapping


def _not_yaml(error: Exception) -> DocumentError:
    """Return an error with the problem and its line, without the lines of the file that PyYAML quotes."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    text = " ".join(str(problem).split())
    return DocumentError(f"not YAML: {text}{f' in line {mark.line + 1}' if mark else ''}")


def _plain(text: str) -> str:
    return text if text.isprintable() and len(text) <= 60 else shown(text)
