"""What is said of a mistake in a configuration: one line with field, value and what is allowed.

What lives here: :class:`ConfigError`, and the translation of pydantic's findings into plain words.  What does
not: the checks themselves (:mod:`idescent.study.keys`, :mod:`idescent.config`).
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlevel = 3

_RULES = {
    "string_type": "must be text",
    "dict_type": "must be a mapping from names",
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
    "string_pattern_mismatch": "must consist of letters, digits and '_', a letter first",
    "invalid_key": "a key must be text",
}


class ConfigError(ValueError):
    """A configuration that cannot be run; its text has one line per problem, each of limited length."""

    def __init__(self, text: str) -> None:
        lines = text.split("\n")
        super().__init__("\n".join(n if len(n) <= 2000 else f"{n[:1200]} … {n[-600:]}" for n in lines))


def refused(where: str, value: Any, rule: str) -> ConfigError:
    """Return the error ``config: where: value is not allowed: rule``."""
    return ConfigError(f"config: {where}: {shown(value)} is not allowed: {rule}")


def shown(value: Any) -> str:
    """Return any value as one line of limited length."""
    if isinstance(value, int) and abs(value) >= 10**30:
        return f"an integer of {value.bit_length()} bits"  # Python refuses to print the largest
    return _REPR.repr(value)


def path(place: Iterable[Any]) -> str:
    """Return keys and indices as a dotted path in one line of limited length."""
    parts = (part if isinstance(part, str) and _plain(part) else shown(part) for part in place)
    return ".".join(parts)


def problem_lines(error: ValidationError, schema: Mapping[str, Any]) -> list[str]:
    """Return one line for each of pydantic's findings.

    Parameters
    ----------
    error : ValidationError
    schema : mapping
        The JSON schema of what was checked; it knows which keys there are and what they mean.
    """
    problems = error.errors(include_url=False)
    # Of a list with a wrong item pydantic says, too, that the items that are left are too few.
    inner = {problem["loc"][:i] for problem in problems for i in range(len(problem["loc"]))}
    kept = [p for p in problems if not (p["type"] == "too_short" and p["loc"] in inner)]
    return [_line(problem, schema) for problem in kept]


def rule_of(problem: Mapping[str, Any]) -> str:
    """Return the rule that one of pydantic's findings states, in plain words."""
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    context = problem.get("ctx", {})
    if problem["type"] in ("too_short", "too_long"):
        wanted = context.get("min_length", context.get("max_length"))
        return "must not be empty" if context.get("min_length") == 1 else f"must be a list of {wanted}"
    rule = _RULES.get(problem["type"])
    return str(problem["msg"]) if rule is None else rule.format_map(context)


def _line(problem: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    kind, value = problem["type"], problem["input"]
    place = [part for part in problem["loc"] if part != "[key]"]
    where = f"config: {path(place)}" if place else "config"
    if kind == "missing" and isinstance(place[-1], int):
        wanted = len(_at(schema, place[:-1])["prefixItems"])
        return f"config: {path(place[:-1])}: {shown(value)} is not allowed: must be a list of {wanted}"
    if kind == "missing":
        return f"{where} is missing: {_at(schema, place)['description']}"
    if kind == "extra_forbidden":
        return f"{where}: this key is not allowed: must be one of {_keys(schema, place[:-1])}"
    if kind in ("model_type", "model_attributes_type"):
        rule = f"must be a mapping with keys among {_keys(schema, place)}"
        return f"{where}: {shown(value)} is not allowed: {rule}"
    # What is wrong with several keys of a section together is not said of one value.
    together = kind == "value_error" and _is_section(schema, place)
    return f"{where}: {'' if together else f'{shown(value)} is not allowed: '}{rule_of(problem)}"


def _keys(schema: Mapping[str, Any], place: list[Any]) -> str:
    return ", ".join(_at(schema, place).get("properties", {}))


def _is_section(schema: Mapping[str, Any], place: list[Any]) -> bool:
    options = [option for option in _branches(schema, _node(schema, place)) if option.get("type") != "null"]
    return all("properties" in option for option in options)


def _at(schema: Mapping[str, Any], place: Iterable[Any]) -> Mapping[str, Any]:
    """Return the part of a JSON schema that describes a place; of alternatives, the one with keys."""
    node = _node(schema, place)
    sections = [branch for branch in _branches(schema, node) if "properties" in branch]
    described = {"description": node["description"]} if "description" in node else {}
    return {**(sections[0] if sections else node), **described}


def _node(schema: Mapping[str, Any], place: Iterable[Any]) -> Mapping[str, Any]:
    node: Mapping[str, Any] = schema
    for part in place:
        found = (_child(branch, part) for branch in _branches(schema, node))
        node = next((child for child in found if child), {})
    return node


def _branches(schema: Mapping[str, Any], node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    if "anyOf" in node:
        return [branch for option in node["anyOf"] for branch in _branches(schema, option)]
    return [node]


def _child(node: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    if isinstance(part, int):
        pieces = node.get("prefixItems", [])
        return pieces[part] if part < len(pieces) else node.get("items") or {}
    if part in node.get("properties", {}):
        found: Mapping[str, Any] = node["properties"][part]
        return found
    more = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))
    return more if isinstance(more, Mapping) else {}


def _plain(part: str) -> bool:
    return part.isprintable() and 0 < len(part) <= 60
