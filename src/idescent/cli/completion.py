"""``idescent --print-completion``: completion scripts for bash, zsh and fish.

What lives here: the completion of commands, options, names of classes, studies and files.  What does not: the
commands themselves (:mod:`idescent.cli`).
"""

from __future__ import annotations

import argparse
import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import shtab

from idescent.cli import fish, studies
from idescent.study.arguments import known

_KINDS = ("optimizer", "objective", "model", "solver", "schedule")
_FILES = ("FILE", "RUN", "SOLUTION")
_EITHER = ("FILE|OPTIMIZER", "PATH|OPTIMIZER")


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the completion script for a shell, ``bash``, ``zsh`` or ``fish``."""
    if shell == "fish":
        return fish.script(parser, _words)
    names = " ".join(studies.names())
    functions = [f'_idescent_study() {{ compgen -W "{names}" -- "$1"; compgen -f -- "$1"; }}\n']
    for kind in _KINDS:
        words = " ".join(_constructors(kind))
        functions.append(f'_idescent_{kind}() {{ compgen -W "{words}" -- "$1"; }}\n')
    functions.append('_idescent_file_or_optimizer() { _idescent_optimizer "$1"; compgen -f -- "$1"; }\n')
    for action in _actions(parser):
        if action.dest in _KINDS and action.metavar != "SOLUTION":
            words = " ".join(_constructors(action.dest))
            action.complete = {"bash": f"_idescent_{action.dest}", "zsh": f"({words})"}  # type: ignore[attr-defined]
        elif action.metavar in _EITHER:
            words = " ".join(_constructors("optimizer"))
            either = f"{{_alternative 'optimizers:optimizer:({words})' 'files:file:_files'}}"
            action.complete = {"bash": "_idescent_file_or_optimizer", "zsh": either}  # type: ignore[attr-defined]
        elif action.metavar == "CONFIG":
            either = f"{{_alternative 'studies:study:({names})' 'files:file:_files'}}"
            action.complete = {"bash": "_idescent_study", "zsh": either}  # type: ignore[attr-defined]
        elif action.metavar == "DIR":
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    preamble: Any = {"bash": "".join(functions)}
    return str(shtab.complete(parser, shell, preamble=preamble))


def _words(action: argparse.Action) -> tuple[str, ...] | None:
    """Return the words that complete an argument; None for files."""
    if action.dest in _KINDS and action.metavar != "SOLUTION":
        return tuple(_constructors(action.dest))
    if action.choices is not None:
        return tuple(map(str, action.choices))
    if action.metavar == "CONFIG":
        return tuple(studies.names())
    return None if action.metavar in (*_FILES, *_EITHER, "DIR") else ()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _actions(sub)
        else:
            yield action


def _constructors(kind: str) -> list[str]:
    """Return the names of the classes of a kind, and of their class methods (``Perceptron.digits``)."""
    home = importlib.import_module(f"idescent.{kind}s")
    names = []
    for name in sorted(known(kind)):
        methods = inspect.getmembers(getattr(home, name), inspect.ismethod)
        names += [name, *(f"{name}.{method}" for method, _ in methods if not method.startswith("_"))]
    return names
