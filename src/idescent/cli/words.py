"""Words of a command line: numbers that stand for counts, and names that were misspelt.

What lives here: how they are read, and what is said of those that cannot be.  What does not: classes
(:mod:`idescent.cli.cell`).
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

_MOST = 2**53


def whole(text: str, rule: str = "must be a whole number up to 2**53, for example 100 or 1e6") -> int:
    """Read a whole number, ``1000000`` or ``1e6``; ``rule`` is what is said if it is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    # Compared before anything is computed: 1e999999999 has a billion digits.
    if not (number.is_finite() and -_MOST <= number <= _MOST and number == number.to_integral_value()):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: {rule}")
    return int(number)


def one_of(names: Iterable[str], given: str, more: str = "") -> str:
    """Return ``must be one of a, b, c; did you mean b?``, without the question where nothing is alike."""
    names = list(names)
    return f"must be one of {', '.join(names)}{more}{question(names, given)}"


def question(names: Iterable[str], given: str) -> str:
    """Return ``; did you mean b?``, or nothing where no name is alike."""
    plain = {_plain(name): name for name in names}
    alike = difflib.get_close_matches(_plain(given), plain, n=1)
    return f"; did you mean {plain[alike[0]]}?" if alike else ""


def _plain(name: str) -> str:
    """Return a name without what is easily mistaken: ``half-step`` is ``HalfStep``."""
    return name.lower().replace("-", "").replace("_", "")
