"""Classes that a configuration names: whether they exist, take their arguments, and are what is asked for.

What lives here: checks made before anything runs.  The package's own classes are built once; a module of the
user's own may load anything (a library, data), so that it is read, not imported.  What does not: looking up
and building (:mod:`idescent.study.registry`).
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import ArrayLike
from pydantic import PydanticUserError, TypeAdapter, ValidationError

from idescent.study import registry
from idescent.study.messages import ConfigError, path, refused, rule_of
from idescent.study.provenance import find_module, modules
from idescent.study.registry import NEEDED


def check_class(where: str, kind: str, name: str, given: Mapping[str, Any], key: str = "arguments") -> Any:
    """Check a class of the package by building it, or one of the user's own by reading its module.

    Parameters
    ----------
    where : str
        Dotted path of the class in the configuration.
    kind : {"objective", "optimizer", "model", "solver", "schedule"}
    name : str
        As in the configuration.
    given : mapping
        Its arguments by name.
    key : str
        Name of the arguments in the configuration; they stand beside the class if ``where`` ends with it.

    Returns
    -------
    object or None
        None for a class of the user's own.

    Raises
    ------
    ConfigError
        If there is no such class, or it does not take the arguments.
    """
    if ":" in name:
        check_own(where, name)
        return None
    try:
        constructor = registry.resolve(kind, name)
    except ValueError as error:
        rule = f"must be one of {', '.join(sorted(known(kind)))}, or your own as module:Class"
        raise refused(where, name, rule) from error
    return build(where, kind, name, constructor, given, key)


def build(where: str, kind: str, name: str, constructor: Any, given: Mapping[str, Any], key: str) -> Any:
    """Build an object; an error names its argument."""
    at = f"{where}.{key}" if key == "arguments" else f"{where.rpartition('.')[0]}.{key}"
    _check_arguments(at, constructor, given)
    try:
        built = constructor(**given)
    except Exception as error:  # whatever a constructor raises, its arguments were the configuration's
        text = " ".join(str(error).split()) or type(error).__name__
        owner = name.rpartition(":")[2].partition(".")[0]
        if text.startswith(f"{owner}."):
            raise ConfigError(f"config: {at}{text.removeprefix(owner)}") from error
        raise refused(at, dict(given), text) from error
    lacking = [needed for needed in NEEDED[kind] if not hasattr(built, needed)]
    if lacking:
        raise refused(where, name, f"must be an {kind}" if kind[0] == "o" else f"must be a {kind}")
    return built


def check_own(where: str, name: str) -> None:
    """Check that a module of the user's own is allowed, is there, can be parsed, and has the class.

    Raises
    ------
    ConfigError
        If not.
    """
    module, _, attribute = name.rpartition(":")
    try:
        registry.check_trusted(module)
    except ValueError as error:
        raise refused(where, name, str(error)) from None
    file = find_module(module)
    if file is None:
        raise refused(where, name, f"there is no module {module!r}")
    try:
        modules(module)
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        text = f"{error.msg} in line {error.lineno}" if isinstance(error, SyntaxError) else f"{error}"
        raise refused(where, name, f"{module!r} is not Python that can be read: {text}") from error
    bound = set(_bound(tree))
    if not bound & {attribute.partition(".")[0], "*", "__getattr__"}:
        raise refused(where, name, f"there is no {attribute.partition('.')[0]!r} in {file.name}")


def check_schedule(where: str, spec: Mapping[str, Any]) -> None:
    """Check a schedule, whose arguments may be schedules themselves.

    Raises
    ------
    ConfigError
        If there is no such class, or it does not take the arguments.
    """
    name, given = spec["class"], spec["arguments"]
    if ":" in name or not any(isinstance(value, Mapping | list) for value in given.values()):
        check_class(where, "schedule", name, given)
        return
    for inner in _own_classes(given):
        check_own(where, inner)
    try:
        registry.schedule({"schedule": spec})
    except Exception as error:  # as in build
        text = f"there is no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise refused(where, dict(spec), text) from error


def _own_classes(value: Any) -> Iterator[str]:
    """Yield the names of the user's own classes among the schedules inside another."""
    if isinstance(value, Mapping):
        name = value.get("class")
        if isinstance(name, str) and ":" in name:
            yield name
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _own_classes(item)


def _check_arguments(at: str, constructor: Any, given: Mapping[str, Any]) -> None:
    try:
        parameters = inspect.signature(constructor).parameters
    except (TypeError, ValueError):
        return  # a constructor written in C: calling it will tell
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        named = [name for name, p in parameters.items() if p.kind is not p.VAR_POSITIONAL]
        for name in given:
            if name not in named:
                rule = f"must be one of {', '.join(named)}" if named else "there are none"
                raise ConfigError(f"config: {at}.{path([name])}: this key is not allowed: {rule}")
    for name, parameter in parameters.items():
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and not variadic and name not in given:
            raise ConfigError(f"config: {at}.{name} is missing: {constructor.__qualname__} has no default")
    hints = _hints(constructor)
    for name, value in given.items():
        if name in hints and (wanted := _mismatch(hints[name], value)):
            raise refused(f"{at}.{path([name])}", value, wanted)


@cache
def _hints(constructor: Any) -> dict[str, Any]:
    typed = getattr(constructor, "__init__", None) if inspect.isclass(constructor) else constructor
    try:
        return get_type_hints(typed)
    except (AttributeError, NameError, TypeError):
        return {}  # imported for the type checker only, or none at all


def _mismatch(hint: Any, value: Any) -> str | None:
    """Return the rule of an annotation that a value breaks, if it does."""
    if hint == ArrayLike:
        try:
            np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            return "must be a number or a list of numbers"
        return None
    try:
        # By way of JSON, where a list is good for a tuple, but no text for a number.
        _adapter(hint).validate_json(json.dumps(value), strict=True)
    except (PydanticUserError, TypeError):
        return None  # an annotation that pydantic does not know, or that cannot be hashed
    except ValidationError as error:
        return rule_of(error.errors(include_url=False)[0])
    return None


@cache  # thousands of cells have arguments of a few types
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def known(kind: str) -> list[str]:
    """Name the package's own classes of a kind."""
    home = importlib.import_module(f"idescent.{kind}s")
    names = getattr(home, "__all__", None) or [
        name for name, value in vars(home).items() if getattr(value, "__module__", "") == home.__name__
    ]
    found = ((name, getattr(home, name)) for name in names)
    # What has its parts by annotation is the contract, not one that keeps it.
    return [
        name
        for name, value in found
        if inspect.isclass(value)
        and not getattr(value, "_is_protocol", False)
        and name not in ("CountedObjective", "Optimizer")
        and all(hasattr(value, needed) for needed in NEEDED[kind])
    ]


def _bound(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module binds, ``*`` for those that it takes from another."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name):
            yield node.id
        else:
            yield from _bound(node)
