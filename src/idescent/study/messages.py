"""Messages about mistakes in a configuration: one line with the field, its value and the allowed values.

What lives here: :class:`ConfigError`, and the translation of pydantic's errors into plain words.  What does
not: the checks themselves (:mod:`idescent.study.keys`, :mod:`idescent.config`).

Pydantic reports each problem with a type, a location and the value.  It is translated in three steps:

1. The location becomes a dotted path: ``("runs", 0, "alpha", 1)`` is ``runs.0.alpha.1``.
2. The type becomes a rule in plain words (``_RULES``); a rule about keys is completed from the JSON schema,
   which lists the keys of each section and has their descriptions.
3. Both are joined: ``config: runs.0.alpha.1: 2 is not allowed: must be in (0, 1]``.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

# Abbreviates long values, so that a message stays one readable line.
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlevel = 3

# Rules by pydantic's type of an error; names in braces are in the context of the error.
_RULES = {
    "string_type": "must be text",
    "dict_type": "must be a mapping with names as keys",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "bool_type": "must be true or false",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "string_too_short": "must not be empty",
    "greater_than": "must be > {gt:g}",
    "greater_than_equal": "must be >= {ge:g}",
    "less_than": "must be < {lt:g}",
    "less_than_equal": "must be <= {le:g}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must consist of letters, digits and '_', and begin with a letter",
    "invalid_key": "a key must be text",
}


class ConfigError(ValueError):
    """A configuration cannot be run; the text has one line for each problem, each of limited length."""

    def __init__(self, text: str) -> None:
        lines = (n if len(n) <= 2000 else f"{n[:1200]} … {n[-600:]}" for n in text.split("\n"))
        super().__init__("\n".join(lines))


def refused(where: str, value: Any, rule: str) -> ConfigError:
    """Return the error ``config: where: value is not allowed: rule``."""
    return ConfigError(f"config: {where}: {shown(value)} is not allowed: {rule}")


def shown(value: Any) -> str:
    """Return the representation of any value, in one line of limited length."""
    if isinstance(value, int) and abs(value) >= 10**30:
        # Python raises ValueError on printing integers of more than 4300 digits.
        return f"an integer of {value.bit_length()} bits"
    return _REPR.repr(value)


def path(place: Iterable[Any]) -> str:
    """Return keys and indices as a dotted path in one line of limited length."""
    parts = (part if isinstance(part, str) and _plain(part) else shown(part) for part in place)
    return ".".join(parts)


def problem_lines(error: ValidationError, schema: Mapping[str, Any]) -> list[str]:
    """Return one line for each of pydantic's errors.

    Parameters
    ----------
    error : ValidationError
    schema : mapping
        The JSON schema of the configuration, with the keys of each section and their descriptions.
    """
    problems = error.errors(include_url=False)
    # A wrong item of a list makes pydantic report the list as too short, too: only the item is wrong.
    parents = {problem["loc"][:i] for problem in problems for i in range(len(problem["loc"]))}
    kept = [p for p in problems if not (p["type"] == "too_short" and p["loc"] in parents)]
    return [_line(problem, schema) for problem in kept]


def _line(problem: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    kind, value = problem["type"], problem["input"]
    # Pydantic adds "[key]" to the location of a mapping's key.
    place = [part for part in problem["loc"] if part != "[key]"]
    where = f"config: {path(place)}" if place else "config"
    if kind == "missing" and isinstance(place[-1], int):
        # An item of a list with a fixed length: the list is too short.
        length = len(_section(schema, place[:-1])["prefixItems"])
        return f"config: {path(place[:-1])}: {shown(value)} is not allowed: must be a list of {length} values"
    if kind == "missing":
        return f"{where} is missing: {_section(schema, place)['description']}"
    if kind == "extra_forbidden":
        return f"{where}: this key is not allowed: must be one of {_keys(schema, place[:-1])}"
    if kind in ("model_type", "model_attributes_type"):
        rule = f"must be a mapping with keys among {_keys(schema, place)}"
        return f"{where}: {shown(value)} is not allowed: {rule}"
    # A rule about several keys of a section refuses no single value: the message shows none.
    of_section = kind == "value_error" and _is_section(schema, place)
    return f"{where}: {'' if of_section else f'{shown(value)} is not allowed: '}{rule_of(problem)}"


def rule_of(problem: Mapping[str, Any]) -> str:
    """Return the rule that one of pydantic's errors states, in plain words."""
    if problem["type"] == "value_error":
        # Raised by this package's own validators, whose text is the rule.
        return str(problem["ctx"]["error"])
    context = problem.get("ctx", {})
    if problem["type"] in ("too_short", "too_long"):
        length = context.get("min_length", context.get("max_length"))
        return "must not be empty" if context.get("min_length") == 1 else f"must be a list of {length} values"
    rule = _RULES.get(problem["type"])
    return str(problem["msg"]) if rule is None else rule.format_map(context)


def _keys(schema: Mapping[str, Any], place: list[Any]) -> str:
    return ", ".join(_section(schema, place).get("properties", {}))


def _is_section(schema: Mapping[str, Any], place: list[Any]) -> bool:
    """Whether a location holds a mapping with fixed keys, or null."""
    branches = [branch for branch in _branches(schema, _node(schema, place)) if branch.get("type") != "null"]
    return all("properties" in branch for branch in branches)


def _section(schema: Mapping[str, Any], place: Iterable[Any]) -> Mapping[str, Any]:
    """Return the part of a JSON schema at a location, with the location's own description.

    If the schema allows alternatives there (a class name, or a mapping), it is the one with keys.
    """
    node = _node(schema, place)
    sections = [branch for branch in _branches(schema, node) if "properties" in branch]
    description = {"description": node["description"]} if "description" in node else {}
    return {**(sections[0] if sections else node), **description}


def _node(schema: Mapping[str, Any], place: Iterable[Any]) -> Mapping[str, Any]:
    """Return the node of a JSON schema at a location, or an empty one if the schema has none."""
    node: Mapping[str, Any] = schema
    for part in place:
        children = (_child(branch, part) for branch in _branches(schema, node))
        node = next((child for child in children if child), {})
    return node


def _branches(schema: Mapping[str, Any], node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the alternatives of a node, references resolved; the node itself if it has none."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    if "anyOf" in node:
        return [branch for option in node["anyOf"] for branch in _branches(schema, option)]
    return [node]


def _child(node: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    """Return the schema of one item of a list or one value of a mapping."""
    if isinstance(part, int):
        items = node.get("prefixItems", [])  # the items of a list of fixed length
        return items[part] if part < len(items) else node.get("items") or {}
    if part in node.get("properties", {}):
        value: Mapping[str, Any] = node["properties"][part]
        return value
    # A mapping from free names, such as objectives.
    named = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))
    return named if isinstance(named, Mapping) else {}


def _plain(part: str) -> bool:
    return part.isprintable() and 0 < len(part) <= 60
