"""Format rows, numbers and text in Markdown, LaTeX and reStructuredText."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from idescent.drawing.hyperparameters import tex

# Displayed texts of stored statuses, in full and for narrow places; other statuses are displayed as stored.
_STATUSES = {
    "smoothing exhausted": ("not converged (no smoothing left)", "not converged"),
    "below the reference": ("below the reference", "below"),
}


def long_table(
    caption: str, columns: str, head: Iterable[str], rows: Iterable[str], above: Iterable[str] = ()
) -> list[str]:
    """Return the lines of a ``longtable``; every page repeats its head and the lines ``above`` the head."""
    heads = [r"\toprule", *above, " & ".join(head) + r" \\", r"\midrule"]
    text = [rf"\begin{{longtable}}{{{columns}}}", rf"\caption{{{caption}}} \\", *heads, r"\endfirsthead"]
    return [*text, *heads, r"\endhead", r"\bottomrule", r"\endfoot", *rows, r"\end{longtable}"]


def pipes(cells: Iterable[str]) -> str:
    """Format one row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def scientific(value: float | None, form: str, missing: str) -> str:
    """Format a number with two decimals in scientific notation.

    Parameters
    ----------
    value : float or None
    form : str
        Format with two fields: mantissa and exponent.
    missing : str
        Text for None and NaN.
    """
    if value is None or math.isnan(value):
        return missing
    if value == 0.0:
        return "0"
    if math.isinf(value):
        return "∞" if form.startswith("{}") else r"$\infty$"
    mantissa, exponent = f"{value:.2e}".split("e")
    return form.format(mantissa, int(exponent))


def status_text(status: str, *, narrow: bool = False) -> str:
    """Return the displayed text of a stored status of a run or a solution, shorter for a narrow place."""
    return _STATUSES.get(status, (status, status))[narrow]


def escaped(text: str) -> str:
    """Escape a text for LaTeX; Greek letters and their subscripts become mathematics."""
    special = {c: "\\" + c for c in "&%$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\~{}", "^": r"\^{}"}
    special |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\n": " ", "\t": " "}
    escapes = "".join(special.get(c, c) for c in text)
    # Braces prevent ligatures: LaTeX prints two hyphens as a dash and two quotation marks as one.
    return tex(re.sub(r"(?<=[-`',?!])(?=[-`',])", "{}", escapes))


def marked(text: str) -> str:
    """Escape a text for Markdown, in one line."""
    return re.sub(r"([\\`*_\[\]<>~&$#])", r"\\\1", " ".join(text.split()))


def restructured(text: str) -> str:
    """Escape a text for reStructuredText: one paragraph without markup.

    A directive in a caption could otherwise include a file of the machine, or a script, in Snakemake's own
    report.
    """
    return re.sub(r"([^\w\s])", r"\\\1", " ".join(text.split()))
