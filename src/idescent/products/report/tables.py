"""The report's tables: errors, failed solutions with diverged runs, and the CSV files of other products.

What lives here: rows for readers, from the complete table of errors.  What does not: the computation of
errors (:mod:`idescent.analysis.errors`), the table files (:mod:`idescent.products.errors.table`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from idescent.analysis.errors import BELOW
from idescent.drawing.markup import status_text
from idescent.products.report import content
from idescent.products.report.content import MISSING, Cell, Column, Table
from idescent.products.report.explorer import configuration
from idescent.store.files import read_csv
from idescent.trajectory import REFUSED, ended_well

Row = Mapping[str, Any]
# A column, and the function that returns its cell for a row of errors.
_Field = tuple[Column, Callable[[Row], Cell]]

# More rows make a browser slow and the page large; the files beside the page are complete.
MOST_ROWS = 2500


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


def shortened(lines: Sequence[Row]) -> tuple[list[Row], str]:
    """Select at most ``MOST_ROWS`` rows for the page; return them with a sentence about the selection."""
    kept, selection = list(lines), ""
    if len(kept) > MOST_ROWS:
        kept = [line for line in kept if line["norm"] == "sup"]
        selection = "This page shows the sup norm only."
    if len(kept) > MOST_ROWS:
        kept = [line for line in kept if line["quantity"] == "theta"]
        selection = "This page shows the sup norm of θ only."
    if len(kept) > MOST_ROWS:
        selection = f"This page shows the {MOST_ROWS} largest of {len(kept)} errors of θ in the sup norm."
        worst = sorted(kept, key=lambda line: -(line["error"] or 0.0))[:MOST_ROWS]
        chosen = {id(line) for line in worst}
        kept = [line for line in kept if id(line) in chosen]
    return kept, selection


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
    fields: list[_Field] = [
        (Column("objective", ""), itemgetter("objective")),
        (Column("optimizer", ""), _optimizer),
        (Column("configuration", ""), _configuration),
        (Column("α", ""), _count("alpha")),
        (Column("solution", ""), itemgetter("solution")),
        (Column("quantity", "θ"), lambda line: "θ" if line["quantity"] == "theta" else str(line["quantity"])),
        (Column("norm", "sup"), itemgetter("norm")),
        (Column("|discrete − solution|"), _error("error")),
        (Column("relative"), _error("relative")),
        (Column("at k"), _count("at")),
        *((Column(kind), _error(f"{kind} error")) for kind in split),
        (Column("estimate"), _error("error_estimate")),
        (Column("iterations"), _count("steps")),
        (Column("gradients"), _count("gradient_evaluations")),
        (Column("status", ""), _status),
        (Column("links"), lambda line: _links(line, explored)),
    ]
    caption = "Errors of every solution against the discrete run of its cell"
    return _table("errors-table", caption, fields, lines)


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

    def message(line: Row) -> str:
        of_solution = ended_well(line["discrete_status"]) or line["status"] == REFUSED
        file = f"{folder(line)}/{line['solution'] if of_solution else 'discrete'}.parquet"
        return line.get("reason") or messages.get(file, MISSING)

    fields: list[_Field] = [
        (Column("objective", ""), itemgetter("objective")),
        (Column("optimizer", ""), _optimizer),
        (Column("configuration"), _configuration),
        (Column("α", ""), _count("alpha")),
        (Column("path", ""), itemgetter("solution")),
        (Column("status", ""), _status),
        (Column("error of θ"), _error("error")),
        (Column("last k compared"), _count("compared")),
        (Column("message"), message),
        (Column("links"), lambda line: _links(line, explored)),
    ]
    caption = "Solutions that failed, and solutions of runs that diverged"
    return _table("odd-table", caption, fields, lines[:MOST_ROWS])


def folder(line: Row) -> str:
    """Return the folder of a row's cell, relative to the study's folder."""
    return f"{line['objective']}/{_optimizer(line)}/{line['label']}"


def csv_table(name: str, caption: str, file: Path) -> Table:
    """Return the table in a CSV file, with numbers rounded to five significant digits."""
    head, *body = read_csv(file)
    texts = [column for column, title in enumerate(head) if not _numeric([row[column] for row in body])]
    columns = [
        Column(title, "" if i in texts and len({row[i] for row in body}) < 20 else None)
        for i, title in enumerate(head)
    ]
    rows = [[_plain(value, i in texts) for i, value in enumerate(row)] for row in body[:MOST_ROWS]]
    note = "" if len(body) <= MOST_ROWS else f" (the first {MOST_ROWS} of {len(body)} rows)"
    return Table(name, caption + note, columns, rows)


def _table(name: str, caption: str, fields: Sequence[_Field], lines: Iterable[Row]) -> Table:
    rows = [[cell(line) for _, cell in fields] for line in lines]
    return Table(name, caption, [column for column, _ in fields], rows)


def _error(name: str) -> Callable[[Row], Cell]:
    return lambda line: content.error(line.get(name))


def _count(name: str) -> Callable[[Row], Cell]:
    return lambda line: content.count(line[name])


def _optimizer(line: Row) -> str:
    return str(line["optimizer"]).rpartition(":")[2]


def _configuration(line: Row) -> str:
    return configuration(line["label"])


def _numeric(values: Iterable[str]) -> bool:
    try:
        return bool([float(value) for value in values if value])
    except ValueError:
        return False


def _plain(value: str, text: bool) -> Cell:
    if text or not value:
        return value or MISSING
    number = float(value)
    digits = f"{number:.15g}" if number == round(number) and abs(number) < 1e9 else f"{number:.5g}"
    return {"value": repr(number), "text": digits}


def _status(line: Row) -> Cell:
    run = line["discrete_status"]
    status = str(line["status"] if ended_well(run) or line["status"] == REFUSED else f"run {run}")
    return status if status == BELOW or ended_well(status) else {"mark": status_text(status)}


def _links(line: Row, explored: Collection[str]) -> Cell:
    file = content.file_link("file", f"{folder(line)}/{line['solution']}.parquet")
    if folder(line) not in explored:
        return {"links": [file]}
    view = {
        "objective": line["objective"],
        "optimizer": _optimizer(line),
        "alpha": line["alpha"],
        "configuration": line["label"].partition(",")[2],
        "path": ["discrete", line["solution"]],
        "quantity": line["quantity"],
        **({} if line["at"] is None else {"at": line["at"]}),
    }
    return {"links": [content.explorer_link("curves", view), file]}
