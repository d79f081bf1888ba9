"""Completion script for fish, which shtab does not offer.

What lives here: the translation of a parser into ``complete`` lines.  What does not: which words complete an
argument (:mod:`idescent.cli.completion`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

Words = Callable[[argparse.Action], tuple[str, ...] | None]

_PROGRAM = "idescent"


def script(parser: argparse.ArgumentParser, words: Words) -> str:
    """Return the script.

    Parameters
    ----------
    parser : ArgumentParser
        With one level of commands.
    words : callable
        The words that complete an argument; None if it is completed with files.
    """
    return "".join(f"complete -c {_PROGRAM} {line}\n" for line in _lines(parser, words))


def _lines(parser: argparse.ArgumentParser, words: Words) -> Iterator[str]:
    yield "-f"
    yield from (_option(action, words, "__fish_use_subcommand") for action in _options(parser))
    for commands in parser._actions:
        if not isinstance(commands, argparse._SubParsersAction):
            continue
        for summary in commands._choices_actions:
            yield f"-n __fish_use_subcommand -a {summary.dest} -d {_quoted(summary.help)}"
        for name in (summary.dest for summary in commands._choices_actions):
            yield from _command(commands.choices[name], words, f"__fish_seen_subcommand_from {name}")


def _command(parser: argparse.ArgumentParser, words: Words, condition: str) -> Iterator[str]:
    for action in _options(parser):
        yield _option(action, words, condition)
    for action in parser._actions:
        if not action.option_strings:
            yield f"-n {_quoted(condition)} {_values(words(action))}"
            if action.metavar == "CONFIG":  # a study or a file
                yield f"-n {_quoted(condition)} -F"


def _options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.option_strings]


def _option(action: argparse.Action, words: Words, condition: str) -> str:
    names = [f"-{'l' if name.startswith('--') else 's'} {name.lstrip('-')}" for name in action.option_strings]
    line = f"-n {_quoted(condition)} {' '.join(names)}"
    if action.nargs != 0:
        line += f" -r {_values(words(action))}"
    return f"{line} -d {_quoted(action.help)}"


def _values(words: tuple[str, ...] | None) -> str:
    return "-F" if words is None else f"-f -a {_quoted(' '.join(words))}"


def _quoted(text: str | None) -> str:
    """Return a text in single quotes, in which fish knows two escapes."""
    text = (text or "").replace("%%", "%").replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
