"""Words of a command line: whole numbers, and suggestions for misspelt names.

What lives here: parsing, and the errors about words that cannot be parsed.  What does not: classes
(:mod:`idescent.cli.cell`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from idescent.study.registry import question as question

_MOST = 2**53


def whole(text: str, rule: str = "must be a whole number up to 2**53, for example 100 or 1e6") -> int:
    """Read a whole number, ``1000000`` or ``1e6``; ``rule`` is the end of the error about another word."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    # Compare first: converting 1e999999999 to an integer would take a billion digits.
    if not (number.is_finite() and -_MOST <= number <= _MOST and number == number.to_integral_value()):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: {rule}")
    return int(number)


def one_of(names: Iterable[str], word: str, more: str = "") -> str:
    """Return ``must be one of a, b, c; did you mean b?``, without the question if no name is similar."""
    names = list(names)
    return f"must be one of {', '.join(names)}{more}{question(names, word)}"
