"""Checks of the classes that a configuration names: they exist, take their arguments, and are of their kind.

What lives here: the checks before the first job.  A class of the package is built once.  A user's module is
parsed but not imported, because importing it may load anything (a library, data).  What does not: looking up
and building classes (:mod:`idescent.study.registry`).
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


def check_class(
    where: str, kind: str, name: str, arguments: Mapping[str, Any], key: str = "arguments"
) -> Any:
    """Check a class of the package by building it, or a user's class by parsing its module.

    Parameters
    ----------
    where : str
        Dotted path of the class in the configuration.
    kind : {"objective", "optimizer", "model", "solver", "schedule"}
    name : str
        As in the configuration.
    arguments : mapping
        Arguments of the class by name.
    key : str
        Key of the arguments in the configuration: ``arguments`` if they are below ``where``, another name,
        such as ``hyperparameters``, if they are beside it.

    Returns
    -------
    object or None
        The built object; None for a user's class.

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
        names = sorted(known(kind))
        rule = f"must be one of {', '.join(names)}, or your own as module:Class"
        rule += registry.question(names, name)
        raise refused(where, name, rule) from error
    return build(where, kind, name, constructor, arguments, key)


def build(where: str, kind: str, name: str, constructor: Any, arguments: Mapping[str, Any], key: str) -> Any:
    """Build an object; parameters as for :func:`check_class`.

    Raises
    ------
    ConfigError
        If the arguments are refused, or the object lacks an attribute of its kind (``registry.NEEDED``).
    """
    at = f"{where}.{key}" if key == "arguments" else f"{where.rpartition('.')[0]}.{key}"
    _check_arguments(at, constructor, arguments)
    try:
        built = constructor(**arguments)
    except Exception as error:  # a constructor may raise anything; the configuration chose its arguments
        text = " ".join(str(error).split()) or type(error).__name__
        owner = name.rpartition(":")[2].partition(".")[0]
        # The package's own messages begin with Class.argument: put the path of the arguments in its place.
        if text.startswith(f"{owner}."):
            raise ConfigError(f"config: {at}{text.removeprefix(owner)}") from error
        raise refused(at, dict(arguments), text) from error
    lacking = [needed for needed in NEEDED[kind] if not hasattr(built, needed)]
    if lacking:
        raise refused(where, name, f"must be an {kind}" if kind[0] == "o" else f"must be a {kind}")
    return built


def check_own(where: str, name: str) -> None:
    """Check that a user's module is allowed, exists, can be parsed, and defines the class.

    Raises
    ------
    ConfigError
        If one of these fails.
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
        modules(module)  # parses the user's modules that it imports, too
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        text = f"{error.msg} in line {error.lineno}" if isinstance(error, SyntaxError) else f"{error}"
        raise refused(where, name, f"{module!r} cannot be parsed: {text}") from error
    bound = set(_bound(tree))
    # "from x import *" and a module's __getattr__ may define any name: only importing would tell.
    if not bound & {attribute.partition(".")[0], "*", "__getattr__"}:
        raise refused(where, name, f"there is no {attribute.partition('.')[0]!r} in {file.name}")


def check_schedule(where: str, spec: Mapping[str, Any]) -> None:
    """Check a schedule; its arguments may be schedules or lists of schedules.

    Raises
    ------
    ConfigError
        If there is no such class, or it does not take the arguments.
    """
    name, arguments = spec["class"], spec["arguments"]
    if ":" in name or not any(isinstance(value, Mapping | list) for value in arguments.values()):
        check_class(where, "schedule", name, arguments)
        return
    for inner in _own_classes(arguments):
        check_own(where, inner)
    try:
        registry.schedule({"schedule": spec})
    except Exception as error:  # as in build
        text = f"there is no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise refused(where, dict(spec), text) from error


def _own_classes(value: Any) -> Iterator[str]:
    """Yield the names of users' classes among nested schedules."""
    if isinstance(value, Mapping):
        name = value.get("class")
        if isinstance(name, str) and ":" in name:
            yield name
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _own_classes(item)


def _check_arguments(at: str, constructor: Any, arguments: Mapping[str, Any]) -> None:
    """Check arguments against a constructor's signature and annotations."""
    try:
        parameters = inspect.signature(constructor).parameters
    except (TypeError, ValueError):
        return  # a constructor in C may have no signature; the call checks its arguments
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        named = [name for name, p in parameters.items() if p.kind is not p.VAR_POSITIONAL]
        for name in arguments:
            if name not in named:
                rule = f"must be one of {', '.join(named)}" if named else "the class takes no arguments"
                raise ConfigError(f"config: {at}.{path([name])}: this key is not allowed: {rule}")
    for name, parameter in parameters.items():
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and not variadic and name not in arguments:
            rule = f"{constructor.__qualname__} has no default for it"
            raise ConfigError(f"config: {at}.{name} is missing: {rule}")
    hints = _hints(constructor)
    for name, value in arguments.items():
        if name in hints and (broken := _broken_rule(hints[name], value)):
            raise refused(f"{at}.{path([name])}", value, broken)


@cache
def _hints(constructor: Any) -> dict[str, Any]:
    """Return the annotations of a constructor's arguments; none if they cannot be evaluated."""
    annotated = getattr(constructor, "__init__", None) if inspect.isclass(constructor) else constructor
    try:
        return get_type_hints(annotated)
    except (AttributeError, NameError, TypeError):
        return {}  # a name under "if TYPE_CHECKING", or no annotations


def _broken_rule(hint: Any, value: Any) -> str | None:
    """Return the rule that a value breaks by its annotation, or None."""
    if hint == ArrayLike:
        try:
            np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            return "must be a number or a list of numbers"
        return None
    try:
        # Pydantic's strict mode for JSON accepts a list for a tuple, but no text for a number.
        _adapter(hint).validate_json(json.dumps(value), strict=True)
    except (PydanticUserError, TypeError):
        return None  # pydantic does not know the annotation, or it cannot be hashed
    except ValidationError as error:
        return rule_of(error.errors(include_url=False)[0])
    return None


@cache  # thousands of cells have arguments of a few types
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def known(kind: str) -> list[str]:
    """Return the names of the package's classes of a kind."""
    home = importlib.import_module(f"idescent.{kind}s")
    names = getattr(home, "__all__", None) or [
        name for name, value in vars(home).items() if getattr(value, "__module__", "") == home.__name__
    ]
    values = ((name, getattr(home, name)) for name in names)
    # Protocols and base classes declare the attributes of their kind, but cannot be built.
    return [
        name
        for name, value in values
        if inspect.isclass(value)
        and not getattr(value, "_is_protocol", False)
        and name not in ("CountedObjective", "Optimizer")
        and all(hasattr(value, needed) for needed in NEEDED[kind])
    ]


def _bound(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module defines or imports, and ``*`` if it imports all names of another."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name):
            yield node.id
        else:
            yield from _bound(node)
