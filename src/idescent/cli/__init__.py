"""The command line ``idescent``: its commands, and how it ends.

What lives here: the table of commands and the entry point.  What does not: the commands themselves, one
module each beside this one; only that of the command given is imported: nothing is paid for the others.
"""

from __future__ import annotations

import argparse
import codecs
import importlib
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from idescent.cli import interrupt

COMMANDS = {
    "simulate": ("simulate", "run an optimizer"),
    "solve": ("solve", "solve a continuous-time model of an optimizer"),
    "compare": ("compare", "measure how far solutions are from a run"),
    "fast-forward": ("fast_forward", "predict a long run without making it"),
    "check": ("check", "tell what is wrong with a class of your own"),
    "show": ("show", "plot runs and solutions"),
    "info": ("info", "say what a file, a folder of results or this installation is"),
}
"""Module and summary of the commands for people, in the order of the help."""

_HIDDEN = {"job": ("idescent.jobs.command", "")}
_DESCRIPTION = """\
Compare adaptive optimizers (AdaGrad, RMSProp, Adam ...) with the differential equations that model them.

Every command has its own help: idescent simulate --help.  Wherever a class is asked for, module:Class is one
of your own, from a file module.py in the current folder.
"""
_EPILOG = """\
example:
  idescent show Adam --alpha 0.1 --model HalfStep --output adam.png

whole studies, from a file with their grid: snakemake --cores all --configfile config/smoke.yaml
completion in bash: source <(idescent --print-completion bash)
completion in zsh: idescent --print-completion zsh > _idescent, in a folder of $fpath
"""
_ALIKE = {"–": "-", "−": "-", "µ": "u", "…": "...", "“": '"', "”": '"', "’": "'", "θ": "theta", "α": "alpha"}
_VALUE = re.compile(r"-\.?\d")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def unknown(self, word: str) -> NoReturn:
        """Refuse a word that stands for nothing."""
        if not word.startswith("-"):
            self.error(f"{word!r} is not allowed: there is no further argument")
        options = [name for name in self._option_string_actions if name.startswith("--")]
        name = word.partition("=")[0]
        self.error(f"{name!r} is not allowed: {_one_of(options, name)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            rule = _one_of(map(str, action.choices), str(value))
            raise argparse.ArgumentError(action, f"{value!r} is not allowed: {rule}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0, 1 or 2 after bad input, 130 after Ctrl-C.

    Without any argument the help is printed, and the status is 0.
    """
    given = list(_values(sys.argv[1:] if arguments is None else arguments))
    command = given[0] if given and not given[0].startswith("-") else ""
    name = f"idescent {command}".rstrip()
    if arguments is None:
        _prepare_streams()
        interrupt.watch(name)
    try:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _warn
                return _ended(given, command)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return interrupt.end(name)
    except OSError as error:  # what was printed last did not arrive
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read has seen enough
            return 128 + signal.SIGPIPE
        sys.stderr.write(f"{name}: {error}\n")
        return 1


def _ended(given: Sequence[str], command: str) -> int:
    top = parser(command)
    if command and command not in {**COMMANDS, **_HIDDEN}:
        top.error(f"{command!r} is not allowed: {_one_of(COMMANDS, command)}")
    if not given:
        top.print_help()
        return 0
    parsed, unknown = top.parse_known_args(given)
    if unknown:
        parsed.parser.unknown(unknown[0])
    return _run(parsed)


def parser(*loaded: str) -> argparse.ArgumentParser:
    """Return the parser of everything; only the commands named have their arguments."""
    top = Parser(
        prog="idescent",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, help="print the version")
    top.add_argument(
        "--print-completion", action=_Completion, choices=("bash", "zsh"), help="print a script for the shell"
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, (module, summary) in {**COMMANDS, **_HIDDEN}.items():
        wanted: Any = _module(module) if name in loaded else None
        about = {} if wanted is None else {"description": wanted.HELP, "epilog": wanted.EPILOG}
        if summary:  # what has none is left out of the help
            about["help"] = summary
        sub = commands.add_parser(name, formatter_class=argparse.RawDescriptionHelpFormatter, **about)
        sub.set_defaults(parser=sub)
        if wanted is not None:
            wanted.add(sub)
            sub.set_defaults(run=wanted.run)
    return top


def _module(name: str) -> Any:
    return importlib.import_module(name if "." in name else f"idescent.cli.{name}")


def _run(given: Any) -> int:
    if given.command in _HIDDEN:
        status: int = given.run(given)
        return status
    try:
        return given.run(given) or 0  # only what gives a verdict returns a status
    except BrokenPipeError:
        raise
    except (ValueError, OSError, MemoryError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"idescent {given.command}: {text}\n")
        return 1


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning in one line, without the code that gave it."""
    sys.stderr.write(f"warning: {' '.join(str(message).split())}\n")


def _prepare_streams() -> None:
    """Make output safe in every encoding, and when its stream is closed."""
    codecs.register_error("idescent", _replaced)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (for good)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="idescent")


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace a character that the encoding lacks by a similar one, if there is, or by its number."""
    assert isinstance(error, UnicodeEncodeError)
    alike = _ALIKE.get(error.object[error.start])
    return codecs.backslashreplace_errors(error) if alike is None else (alike, error.start + 1)


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


def _one_of(names: Iterable[str], given: str) -> str:
    from idescent.cli.words import one_of  # what goes well is not to wait for it

    return one_of(names, given)


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from idescent import __version__

        sys.stdout.write(f"idescent {__version__}\n")
        parser.exit()


class _Completion(argparse.Action):
    def __call__(self, top: argparse.ArgumentParser, _: Any, shell: Any, __: Any = None) -> NoReturn:
        from idescent.cli.completion import script

        sys.stdout.write(script(parser(*COMMANDS), shell))
        top.exit()
