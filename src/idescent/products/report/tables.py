"""The report's tables: errors, failed solutions with diverged runs, and the CSV files of other products.

What lives here: columns for readers, from the complete table of errors.  What does not: the computation of
errors (:mod:`idescent.analysis.errors`), the table files (:mod:`idescent.products.errors.table`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from idescent.analysis.errors import BELOW
from idescent.drawing.markup import status_text
from idescent.products.report.content import Column, Table, columns, file_link, optimizer_name, view_link
from idescent.products.report.explorer import configuration
from idescent.store.files import read_csv
from idescent.trajectory import REFUSED, ended_well

Row = Mapping[str, Any]

# Columns with fewer texts get a filter.
_FEW_TEXTS = 20
_FILES = tuple(
    file_link(text, f"tables/errors.{suffix}")
    for text, suffix in (("Parquet", "parquet"), ("CSV", "csv"), ("Markdown", "md"), ("LaTeX", "tex"))
)


def pivoted(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Merge tidy rows of errors into one row per solution, quantity and norm, with all kinds of error.

    An error below the reference has no number.
    """
    lines: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        names = ("objective", "optimizer", "label", "solution", "quantity", "norm")
        line = lines.setdefault(tuple(row[name] for name in names), {})
        if row["status"] == BELOW:
            row = {**row, "error": None, "relative": None, "at": None}
        if row["kind"] == "total":
            line |= row
        line[f"{row['kind']} error"] = row["error"]
    return list(lines.values())


def errors_table(lines: Sequence[Row], explored: Collection[str]) -> Table:
    """Return the table of errors.

    Parameters
    ----------
    lines : sequence
        Rows of :func:`pivoted`.
    explored : collection of str
        Folders of the cells in the explorer; their rows link to it.
    """
    split = ("model", "solver") if any("solver error" in line for line in lines) else ()
    parts = columns(
        lines,
        ("objective", itemgetter("objective"), "text", ""),
        ("optimizer", optimizer_name, "text", ""),
        ("configuration", _configuration, "text", ""),
        ("α", itemgetter("alpha"), "count", ""),
        ("solution", itemgetter("solution"), "text", ""),
        ("quantity", _quantity, "text", "θ"),
        ("norm", itemgetter("norm"), "text", "sup"),
        ("|discrete − solution|", itemgetter("error"), "error", None),
        ("relative", itemgetter("relative"), "error", None),
        ("at k", itemgetter("at"), "count", None),
        *((kind, _get(f"{kind} error"), "error", None) for kind in split),
        ("estimate", itemgetter("error_estimate"), "error", None),
        ("iterations", itemgetter("steps"), "count", None),
        ("gradients", itemgetter("gradient_evaluations"), "count", None),
    )
    ends = columns(lines, ("links", lambda line: _links(line, explored), "links", None))
    caption = "Errors of every solution against the discrete run of its cell"
    return Table("errors-table", caption, [*parts, _statuses(lines), *ends], _FILES)


def odd(lines: Iterable[Row]) -> list[Row]:
    """Select one row for each solution that failed or belongs to a discrete run that diverged.

    A solution whose error is below the reference has not failed.
    """
    return [
        line
        for line in lines
        if (line["quantity"], line["norm"]) == ("theta", "sup")
        and not (line["status"] == BELOW and ended_well(line["discrete_status"]))
        and not ended_well(line["status"], line["discrete_status"])
    ]


def odd_table(lines: Sequence[Row], messages: Mapping[str, str], explored: Collection[str]) -> Table:
    """Return the table of failed solutions and diverged runs.

    Parameters
    ----------
    lines : sequence
        Rows of :func:`odd`.
    messages : mapping
        Messages of solvers and runs, by path of the file below the study's folder; may be incomplete.
    explored : collection of str
        As for :func:`errors_table`.
    """

    def message(line: Row) -> Any:
        of_solution = ended_well(line["discrete_status"]) or line["status"] == REFUSED
        file = f"{folder(line)}/{line['solution'] if of_solution else 'discrete'}.parquet"
        return line.get("reason") or messages.get(file)

    parts = columns(
        lines,
        ("objective", itemgetter("objective"), "text", ""),
        ("optimizer", optimizer_name, "text", ""),
        ("configuration", _configuration, "text", None),
        ("α", itemgetter("alpha"), "count", ""),
        ("path", itemgetter("solution"), "text", ""),
    )
    ends = columns(
        lines,
        ("error of θ", itemgetter("error"), "error", None),
        ("last k compared", itemgetter("compared"), "count", None),
        ("message", message, "text", None),
        ("links", lambda line: _links(line, explored), "links", None),
    )
    caption = "Solutions that failed, and solutions of runs that diverged"
    return Table("odd-table", caption, [*parts, _statuses(lines), *ends], _FILES)


def folder(line: Row) -> str:
    """Return the folder of a row's cell, relative to the study's folder."""
    return f"{line['objective']}/{optimizer_name(line)}/{line['label']}"


def csv_table(name: str, caption: str, file: Path) -> Table:
    """Return the table in a CSV file.  A column is numeric if all of its values are numbers or empty."""
    head, *body = read_csv(file)
    parts = []
    for i, title in enumerate(head):
        texts = [row[i] for row in body]
        numbers = _numbers(texts)
        if numbers is not None:
            parts.append(Column(title, numbers, "number"))
        else:
            parts.append(Column(title, texts, filter="" if len(set(texts)) < _FEW_TEXTS else None))
    return Table(name, caption, parts, [file_link("CSV", caption)])


def _get(name: str) -> Callable[[Row], Any]:
    return lambda line: line.get(name)


def _configuration(line: Row) -> str:
    return configuration(line["label"])


def _quantity(line: Row) -> str:
    return "θ" if line["quantity"] == "theta" else str(line["quantity"])


def _numbers(texts: Iterable[str]) -> list[float | None] | None:
    try:
        numbers = [float(text) if text else None for text in texts]
    except ValueError:
        return None
    return numbers if any(number is not None for number in numbers) else None


def _statuses(lines: Iterable[Row]) -> Column:
    values, looks = [], {}
    for line in lines:
        run = line["discrete_status"]
        status = str(line["status"] if ended_well(run) or line["status"] == REFUSED else f"run {run}")
        if status != BELOW and not ended_well(status):
            status = status_text(status)
            looks[status] = "mark"
        values.append(status)
    return Column("status", values, filter="", looks=looks)


def _links(line: Row, explored: Collection[str]) -> list[tuple[str, str]]:
    file = file_link("file", f"{folder(line)}/{line['solution']}.parquet")
    if folder(line) not in explored:
        return [file]
    view = {
        "objective": line["objective"],
        "optimizer": optimizer_name(line),
        "alpha": line["alpha"],
        "configuration": line["label"].partition(",")[2],
        "path": ["discrete", line["solution"]],
        "quantity": line["quantity"],
        **({} if line["at"] is None else {"at": line["at"]}),
    }
    return [view_link("curves", "explore", view), file]
