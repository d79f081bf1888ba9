"""The command line ``idescent``: its commands, and how it ends.

What lives here: the table of commands and the entry point.  What does not: the commands themselves, one
module each beside this one; only that of the command given is imported: nothing is paid for the others.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

COMMANDS: dict[str, tuple[str, str]] = {}
"""Module and summary of the commands for people, in the order of the help."""

_HIDDEN = {"job": ("jobs", "")}
_DESCRIPTION = """\
Compare adaptive optimizers (AdaGrad, RMSProp, Adam ...) with the differential equations that model them.

Every command has its own help: idescent simulate --help.  Wherever a class is asked for, module:Class is one
of your own, from a file module.py in the current folder.
"""
_VALUE = re.compile(r"-\.?\d")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0, 1 or 2 after bad input, 130 after Ctrl-C."""
    given = list(_values(sys.argv[1:] if arguments is None else arguments))
    command = next((word for word in given if not word.startswith("-")), "")
    try:
        parsed = parser(command).parse_args(given)
        status = _run(parsed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write(f"\nidescent {command}: interrupted\n")
        return 128 + signal.SIGINT
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return status


def parser(*loaded: str) -> argparse.ArgumentParser:
    """Return the parser of everything; only the commands named have their arguments."""
    top = Parser(
        prog="idescent",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, help="print the version")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, (module, summary) in {**COMMANDS, **_HIDDEN}.items():
        shown = {"help": summary} if summary else {}
        wanted = importlib.import_module(f"idescent.cli.{module}") if name in loaded else None
        sub = commands.add_parser(
            name,
            **shown,
            description=None if wanted is None else wanted.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if wanted is not None:
            wanted.add(sub)
            sub.set_defaults(run=wanted.run)
    return top


def _run(given: Any) -> int:
    if given.command in _HIDDEN:
        status: int = given.run(given)
        return status
    try:
        given.run(given)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"idescent {given.command}: {' '.join(str(error).split())}\n")
        return 1
    return 0


def _values(words: Sequence[str]) -> Iterator[str]:
    """Join ``--theta0 -1,2`` to one word: a minus and a digit start no option."""
    kept = ""
    for word in words:
        if kept and _VALUE.match(word):
            yield f"{kept}={word}"
            kept = ""
            continue
        if kept:
            yield kept
        kept = word if word.startswith("--") and "=" not in word and len(word) > 2 else ""
        if not kept:
            yield word
    if kept:
        yield kept


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from idescent import __version__

        sys.stdout.write(f"idescent {__version__}\n")
        parser.exit()
