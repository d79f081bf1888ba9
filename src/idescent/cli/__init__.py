"""The command line ``idescent``: the table of its commands, and the entry point.

What lives here: parsing, errors and exit statuses.  What does not: the commands, which have one module each
beside this one.  Only the module of the called command is imported, so that the start is fast.
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
    "init": ("init", "create a project of your own"),
    "run": ("run", "run a study: runs, solutions, tables, figures, report"),
    "report": ("report", "open the report of a study"),
    "list": ("listing", "list optimizers, models, objectives, products, studies"),
    "simulate": ("simulate", "run an optimizer"),
    "solve": ("solve", "solve a continuous-time model of an optimizer"),
    "compare": ("compare", "compute errors of solutions against a run"),
    "fast-forward": ("fast_forward", "compute a long run without making each iteration"),
    "predict": ("predict", "predict a training run at less cost than the run"),
    "check": ("check", "check a class of your own, or a configuration"),
    "show": ("show", "plot runs and solutions"),
    "info": ("info", "describe an optimizer, a file, a folder of results or this installation"),
}
"""Module and summary of each public command, in the order of the help."""

_HIDDEN = {"job": ("idescent.jobs.command", "")}
_DESCRIPTION = """\
Compare adaptive optimizers (AdaGrad, RMSProp, Adam ...) with the differential equations that model them.

Every command has its own help: idescent simulate --help.  Every name of a class may also be module:Class, a
class of your own from a file module.py in the current folder.
"""
_EPILOG = """\
example:
  idescent show Adam --alpha 0.1 --model HalfStep --output adam.png

completion in bash: source <(idescent --print-completion bash)
completion in zsh: idescent --print-completion zsh > _idescent, in a folder of $fpath
completion in fish: idescent --print-completion fish > ~/.config/fish/completions/idescent.fish

exit status: 0 done, or help; 1 bad input, or a failed run or check; 2 a word not understood; 130 Ctrl-C
"""
_ALIKE = {"–": "-", "−": "-", "µ": "u", "…": "...", "“": '"', "”": '"', "’": "'", "θ": "theta", "α": "alpha"}
# A negative value, which argparse would read as an option.
_VALUE = re.compile(r"-\.?\d")


class Parser(argparse.ArgumentParser):
    """A parser that reports each error in one line."""

    def error(self, message: str) -> NoReturn:
        """Print an error in one line, and exit with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def unknown(self, word: str) -> NoReturn:
        """Refuse a word that is neither an option nor an expected argument."""
        if not word.startswith("-"):
            self.error(f"{word!r} is not allowed: the command has no further argument")
        options = [name for name in self._option_string_actions if name.startswith("--")]
        name = word.partition("=")[0]
        self.error(f"{name!r} is not allowed: {_one_of(options, name)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            rule = _one_of(map(str, action.choices), str(value))
            raise argparse.ArgumentError(action, f"{value!r} is not allowed: {rule}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit status.

    The status is 0 after success, 1 or 2 after bad input, and 130 after Ctrl-C.  Without arguments it prints
    the help, and so does a command without its arguments if it requires some; the status is then 0.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words of the command line; by default those of the process, which then also reacts to signals.
    """
    words = list(_values(sys.argv[1:] if arguments is None else arguments))
    command = words[0] if words and not words[0].startswith("-") else ""
    name = f"idescent {command}".rstrip()
    if arguments is None:
        _prepare_streams()
        interrupt.watch(name)
    try:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _warn
                return _dispatched(words, command)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return interrupt.end(name)
    except OSError as error:  # the last output could not be written
        # Python flushes the stream again at exit: that must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader, such as head, has closed the pipe
            return 128 + signal.SIGPIPE
        sys.stderr.write(f"{name}: {error}\n")
        return 1


def _dispatched(words: Sequence[str], command: str) -> int:
    """Parse the words, run the command, and return its exit status."""
    top = parser(command)
    if command and command not in {**COMMANDS, **_HIDDEN}:
        top.error(f"{command!r} is not allowed: {_one_of(COMMANDS, command)}")
    if not words:
        top.print_help()
        return 0
    if len(words) == 1 and command in COMMANDS and (alone := _needy(top, command)):
        alone.print_help()
        return 0
    if command == "run" and (len(words) == 1 or words[1].startswith("-")):
        words = [command, "", *words[1:]]  # the value of one of Snakemake's options is no configuration
    parsed, unknown = top.parse_known_args(words)
    if unknown and hasattr(parsed, "more"):
        parsed.more = [word for word in unknown if word != "--"]
    elif unknown:
        parsed.parser.unknown(unknown[0])
    return _run(parsed)


def _needy(top: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser | None:
    """Return the parser of a command that requires arguments, and None of another command."""
    commands = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    sub: argparse.ArgumentParser = commands.choices[command]
    return sub if any(action.required for action in sub._actions) else None


def parser(*loaded: str) -> argparse.ArgumentParser:
    """Return the parser of all commands; only the commands in ``loaded`` have their arguments."""
    top = Parser(
        prog="idescent",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, help="print the version")
    top.add_argument(
        "--print-completion",
        action=_Completion,
        choices=("bash", "zsh", "fish"),
        help="print a script for the shell",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, (module, summary) in {**COMMANDS, **_HIDDEN}.items():
        implementation: Any = _module(module) if name in loaded else None
        texts = (
            {}
            if implementation is None
            else {"description": implementation.HELP, "epilog": implementation.EPILOG}
        )
        if summary:  # a command without a summary is not listed in the help
            texts["help"] = summary
        sub = commands.add_parser(name, formatter_class=argparse.RawDescriptionHelpFormatter, **texts)
        sub.set_defaults(parser=sub)
        if implementation is not None:
            implementation.add(sub)
            sub.set_defaults(run=implementation.run)
    return top


def _module(name: str) -> Any:
    return importlib.import_module(name if "." in name else f"idescent.cli.{name}")


def _run(options: Any) -> int:
    if options.command in _HIDDEN:
        status: int = options.run(options)
        return status
    try:
        return options.run(options) or 0  # only some commands return a status
    except BrokenPipeError:
        raise
    except (ValueError, OSError, MemoryError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"idescent {options.command}: {text}\n")
        return 1


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning in one line, without the line of code that raised it."""
    sys.stderr.write(f"warning: {' '.join(str(message).split())}\n")


def _prepare_streams() -> None:
    """Let output succeed in every encoding, and with a closed stream."""
    codecs.register_error("idescent", _replaced)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (never closed)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="idescent")


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace a character that the encoding lacks by a similar character, or by its number."""
    assert isinstance(error, UnicodeEncodeError)
    alike = _ALIKE.get(error.object[error.start])
    return codecs.backslashreplace_errors(error) if alike is None else (alike, error.start + 1)


def _values(words: Sequence[str]) -> Iterator[str]:
    """Join ``--theta0 -1,2`` to ``--theta0=-1,2``: argparse would read ``-1,2`` as an option."""
    option = ""
    for word in words:
        if option and _VALUE.match(word):
            yield f"{option}={word}"
            option = ""
            continue
        if option:
            yield option
        option = word if word.startswith("--") and "=" not in word and len(word) > 2 else ""
        if not option:
            yield word
    if option:
        yield option


def _one_of(names: Iterable[str], name: str) -> str:
    from idescent.cli.words import one_of  # imported for errors only: a correct call starts faster

    return one_of(names, name)


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
