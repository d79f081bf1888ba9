"""Tables of weak errors for people: Markdown and LaTeX.

What lives here: the text, and writing all formats.  What does not: the numbers
(:mod:`idescent.products.ensembles.rows`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.drawing.hyperparameters import short
from idescent.drawing.markup import escaped, long_table, pipes, scientific
from idescent.products.formats import write_formats
from idescent.products.product import Task
from idescent.store.tables import hyperparameters, read_errors
from idescent.trajectory import ended_well

Row = Mapping[str, Any]

_EXPLAINED = (
    "Largest difference over the iterations between the mean of the mini-batch runs and the expectation of a "
    "model, with its 95 % interval (simultaneous over the iterations), and relative to the largest mean. A "
    "difference is detected if the interval excludes 0 at some iteration; otherwise the runs are too few to "
    "detect one."
)
_HEAD = ("batch", "runs", "model", "quantity", "error", "from", "to", "relative", "detected", "status")


def write(table: Any, outputs: Iterable[Path]) -> None:
    """Write a table of :func:`idescent.products.ensembles.rows.largest_table` in each format.

    Raises
    ------
    ValueError
        If the suffix of an output is not known.
    """
    rows = table.to_pylist()
    # The metadata of each part stay in its own file.
    bare = table.replace_schema_metadata(None)
    write_formats(outputs, bare, lambda: markdown(rows), lambda: latex(rows))


def markdown(rows: Sequence[Row]) -> str:
    """Return the table as Markdown, a section for each objective."""
    text = ["# Mini-batches: mean of the runs and expectation of the models", "", _EXPLAINED, ""]
    align = ["---", "---", "---:", "---:", "---:", "---", "---", *["---:"] * 4, "---", "---"]
    for objective in dict.fromkeys(row["objective"] for row in rows):
        text += [f"## {objective}", "", pipes(["optimizer", "β", "α", *_HEAD]), pipes(align)]
        members = [row for row in rows if row["objective"] == objective]
        text += [pipes(_cells(row, "{}e{}", "–", lambda t: t)) for row in members]
        text.append("")
    text += [f"{reason}\n" for reason in _reasons(rows)]
    return "\n".join(text)


def latex(rows: Sequence[Row]) -> str:
    """Return the table as a LaTeX ``longtable``, for 16 cm of text width."""
    head = ["Optimizer", r"$\beta$", r"$\alpha$", *(name.capitalize() for name in _HEAD)]
    lines: list[str] = []
    for objective in dict.fromkeys(row["objective"] for row in rows):
        lines += [r"\midrule"] if lines else []
        lines.append(rf"\multicolumn{{{len(head)}}}{{l}}{{\emph{{{escaped(objective)}}}}} \\")
        for row in rows:
            if row["objective"] == objective:
                lines.append(" & ".join(_cells(row, r"${}{{\times}}10^{{{}}}$", "--", escaped)) + r" \\")
    text = [r"% Needs \usepackage{booktabs,longtable}, 16 cm of text width."]
    text += [r"\begingroup\scriptsize\setlength{\tabcolsep}{2pt}\setlength{\LTcapwidth}{\textwidth}"]
    caption = escaped(" ".join([_EXPLAINED, *_reasons(rows)]))
    table = long_table(caption, "llrrrllrrrrll", head, lines)
    return "\n".join([*text, *table, r"\endgroup"]) + "\n"


def _reasons(rows: Sequence[Row]) -> list[str]:
    """Return one sentence for each model, optimizer and reason of a refusal."""
    refusals = {(row["model"], row["optimizer"], row["reason"]) for row in rows if row.get("reason")}
    return [f"{model} is refused for {optimizer}: {reason}." for model, optimizer, reason in sorted(refusals)]


def _cells(row: Row, power: str, missing: str, text: Callable[[str], str]) -> list[str]:
    betas = text(short(hyperparameters(row)))
    numbers = [scientific(row[name], power, missing) for name in ("error", "low", "high", "relative")]
    status = row["status"] if ended_well(row["status"]) else f"{row['status']} !"
    return [
        *(text(row["optimizer"]), betas or missing, f"{row['alpha']:g}", str(row["batch"]), str(row["runs"])),
        *(
            text(row["model"]),
            text(row["quantity"]),
            *numbers,
            missing if row["detected"] is None else "yes" if row["detected"] else "no",
            text(status),
        ),
    ]


def job(task: Task) -> str:
    """Write the largest weak errors of all ensembles as one table; return a line about it."""
    write(read_errors(task.files), task.outputs)
    return f"{len(task.outputs)} formats"
