"""Rows, numbers and words in Markdown and LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable


def long_table(
    caption: str, columns: str, head: Iterable[str], rows: Iterable[str], above: Iterable[str] = ()
) -> list[str]:
    """Return the lines of a ``longtable`` whose head, with what is above it, is repeated on every page."""
    heads = [r"\toprule", *above, " & ".join(head) + r" \\", r"\midrule"]
    text = [rf"\begin{{longtable}}{{{columns}}}", rf"\caption{{{caption}}} \\", *heads, r"\endfirsthead"]
    return [*text, *heads, r"\endhead", r"\bottomrule", r"\endfoot", *rows, r"\end{longtable}"]


def pipes(cells: Iterable[str]) -> str:
    """Return a row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def scientific(value: float | None, form: str, missing: str) -> str:
    """Return a number with two decimals, mantissa and exponent put into ``form``."""
    if value is None or math.isnan(value):
        return missing
    if value == 0.0:
        return "0"
    if math.isinf(value):
        return "∞" if form.startswith("{}") else r"$\infty$"
    mantissa, exponent = f"{value:.2e}".split("e")
    return form.format(mantissa, int(exponent))


def escaped(text: str) -> str:
    """Return a text as LaTeX prints it."""
    special = {c: "\\" + c for c in "&%$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\~{}", "^": r"\^{}"}
    special |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\n": " ", "\t": " "}
    found = "".join(special.get(c, c) for c in text)
    # Two hyphens would be a dash, two quotation marks one.
    return re.sub(r"(?<=[-`',?!])(?=[-`',])", "{}", found)


def marked(text: str) -> str:
    """Return a text as Markdown shows it, in one line."""
    return re.sub(r"([\\`*_\[\]<>~&$#])", r"\\\1", " ".join(text.split()))
