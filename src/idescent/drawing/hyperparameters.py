"""Hyper-parameters as text, for labels and tables: names as letters, and values with all their digits.

What lives here: the text of any hyper-parameter of any optimizer.  What does not: colours and markers
(:mod:`.style`), columns of tables (:mod:`idescent.store.tables`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"([a-z]+)(\d*)")
_LETTER = re.compile("([α-ω])([₀-₉]*)")
# Names that differ from those of Unicode ("lamda"), and commands of TeX that differ from the names.
_ALIASES = {"eps": "epsilon", "lambda": "lamda"}
_TEX = {"epsilon": "varepsilon", "lamda": "lambda", "omicron": "mathrm{o}", "final sigma": "varsigma"}
_DIGITS, _SUBSCRIPTS = "0123456789", "₀₁₂₃₄₅₆₇₈₉"
# Hyper-parameters whose names are words; their values follow without an equals sign.
_WORDS = ("weight_decay", "accumulator")


def letter(name: str) -> str:
    """Return a name as a Greek letter, ``β₁`` for ``beta1``, or as words, ``weight decay``."""
    match = _NAME.fullmatch(name)
    if match is None:
        return name.replace("_", " ")
    word, digits = match.groups()
    try:
        greek = unicodedata.lookup(f"GREEK SMALL LETTER {_ALIASES.get(word, word)}")
    except KeyError:
        return name
    return greek + digits.translate(str.maketrans(_DIGITS, _SUBSCRIPTS))


def tex(text: str) -> str:
    r"""Write the Greek letters of a text, with their subscripts, in TeX: ``$\beta_1$`` for ``β₁``."""

    def letter_in_tex(match: re.Match[str]) -> str:
        word = unicodedata.name(match[1]).removeprefix("GREEK SMALL LETTER ").lower()
        digits = match[2].translate(str.maketrans(_SUBSCRIPTS, _DIGITS))
        index = f"_{{{digits}}}" if len(digits) > 1 else f"_{digits}" if digits else ""
        return rf"$\{_TEX.get(word, word)}{index}$"

    return _LETTER.sub(letter_in_tex, text)


def number(value: Any) -> str:
    """Return a value in short, with up to twelve digits: ``0.9``, ``1e-08``, ``norm``."""
    return str(value) if isinstance(value, bool | str) else f"{value:.12g}"


def label(arguments: Mapping[str, Any]) -> list[str]:
    r"""Return one text in TeX for each hyper-parameter: ``$\psi$ = 0.004``, ``weight decay 0.01``."""
    return [
        f"{letter(name)} {value}" if name in _WORDS else f"{tex(letter(name))} = {number(value)}"
        for name, value in arguments.items()
    ]


def short(arguments: Mapping[str, Any]) -> str:
    """Return the entry of a column ``β``: betas as numbers, others with names, ``0.9, 0.99, ψ = 0.004``."""
    return ", ".join(_entry(name, value) for name, value in arguments.items())


def _entry(name: str, value: Any) -> str:
    if name in ("beta", "beta1", "beta2"):
        return number(value)
    return f"decay {number(value)}" if name == "weight_decay" else f"{letter(name)} = {number(value)}"
