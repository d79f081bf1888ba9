"""The report's tables of errors, and of the runs and solutions that did not end as they should.

What lives here: rows for people from the complete table of errors.  What does not: computing errors
(:mod:`idescent.analysis.errors`), the tables beside the page (:mod:`idescent.tables`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.products.report.content import (
    MISSING,
    Cell,
    Column,
    Table,
    count,
    error,
    explorer_link,
    file_link,
)
from idescent.products.report.explorer import configuration
from idescent.store.files import read_csv
from idescent.trajectory import REFUSED, ended_well

Row = Mapping[str, Any]

# More rows than this make a browser slow and the page large; the files beside it are complete.
MOST_ROWS = 2500
_SYMBOLS = {"theta": "θ"}


def pivoted(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Gather tidy rows of errors into one for each solution, quantity and norm, with all kinds of error."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        names = ("objective", "optimizer", "label", "solution", "quantity", "norm")
        line = found.setdefault(tuple(row[name] for name in names), {})
        if row["kind"] == "total":
            line |= row
        line[f"{row['kind']} error"] = row["error"]
    return list(found.values())


def shortened(lines: Sequence[Row]) -> tuple[list[Row], str]:
    """Leave out rows that do not fit the page; return the rest, and a sentence about those left out."""
    kept, missing = list(lines), ""
    if len(kept) > MOST_ROWS:
        kept = [line for line in kept if line["norm"] == "sup"]
        missing = "Only the largest errors over all iterations are shown here."
    if len(kept) > MOST_ROWS:
        kept = [line for line in kept if line["quantity"] == "theta"]
        missing = "Only the largest errors of θ are shown here."
    if len(kept) > MOST_ROWS:
        total = len(kept)
        worst = sorted(kept, key=lambda line: -(line["error"] or 0.0))[:MOST_ROWS]
        chosen = {id(line) for line in worst}
        kept = [line for line in kept if id(line) in chosen]
        missing = f"Only the {MOST_ROWS} largest errors of θ, of {total}, are shown here."
    return kept, missing


def errors_table(lines: Sequence[Row], explored: Collection[str]) -> Table:
    """Return the table of errors.

    Parameters
    ----------
    lines : sequence
        Rows of :func:`pivoted`.
    explored : collection of str
        Folders of the cells that the explorer holds; their rows have a link to it.
    """
    split = any("solver error" in line for line in lines)
    columns = [
        Column("objective", ""),
        Column("optimizer", ""),
        Column("configuration", ""),
        Column("α", ""),
        Column("solution", ""),
        Column("quantity", "θ"),
        Column("norm", "sup"),
        Column("|discrete − solution|"),
        Column("relative"),
        Column("at k"),
        *([Column("model"), Column("solver")] if split else []),
        Column("estimate"),
        Column("iterations"),
        Column("gradients"),
        Column("status", ""),
        Column("look"),
    ]
    rows: list[list[Cell]] = []
    for line in lines:
        kinds = [error(line.get(kind)) for kind in ("model error", "solver error")] if split else []
        rows.append(
            [
                *_cell(line),
                count(line["alpha"]),
                line["solution"],
                _SYMBOLS.get(str(line["quantity"]), str(line["quantity"])),
                line["norm"],
                error(line["error"]),
                error(line["relative"]),
                count(line["at"]),
                *kinds,
                error(line["error_estimate"]),
                count(line["steps"]),
                count(line["gradient_evaluations"]),
                _status(line),
                _look(line, explored),
            ]
        )
    return Table(
        "errors-table", "Errors of every solution against the discrete run of its cell", columns, rows
    )


def odd(lines: Iterable[Row]) -> list[Row]:
    """Return, once each, the solutions that did not converge and those of runs that diverged."""
    return [
        line
        for line in lines
        if (line["quantity"], line["norm"]) == ("theta", "sup")
        and not ended_well(line["status"], line["discrete_status"])
    ]


def odd_table(lines: Sequence[Row], said: Mapping[str, str], explored: Collection[str]) -> Table:
    """Return the table of runs and solutions that did not end as they should.

    Parameters
    ----------
    lines : sequence
        Of :func:`odd`.
    said : mapping
        What a solver or run said of itself, by path of its file below the study's folder; as far as known.
    explored : collection of str
        As for :func:`errors_table`.
    """
    columns = [
        Column("objective", ""),
        Column("optimizer", ""),
        Column("configuration"),
        Column("α", ""),
        Column("path", ""),
        Column("status", ""),
        Column("error of θ"),
        Column("last compared"),
        Column("what the solver or run said"),
        Column("look"),
    ]
    rows: list[list[Cell]] = []
    for line in lines[:MOST_ROWS]:
        own = ended_well(line["discrete_status"]) or line["status"] == REFUSED
        file = f"{folder(line)}/{line['solution'] if own else 'discrete'}.parquet"
        rows.append(
            [
                *_cell(line),
                count(line["alpha"]),
                line["solution"],
                _status(line),
                error(line["error"]),
                count(line["compared"]),
                line.get("reason") or said.get(file, MISSING),
                _look(line, explored),
            ]
        )
    return Table("odd-table", "Solutions that did not converge, and runs that diverged", columns, rows)


def folder(line: Row) -> str:
    """Return the folder of a row's cell below the study's."""
    return f"{line['objective']}/{line['optimizer'].rpartition(':')[2]}/{line['label']}"


def csv_table(name: str, caption: str, file: Path) -> Table:
    """Return a table of a CSV file as it is, numbers with five digits."""
    head, *body = read_csv(file)
    texts = [column for column, title in enumerate(head) if not _numeric([row[column] for row in body])]
    columns = [
        Column(title, "" if i in texts and len({row[i] for row in body}) < 20 else None)
        for i, title in enumerate(head)
    ]
    rows = [[_plain(value, i in texts) for i, value in enumerate(row)] for row in body[:MOST_ROWS]]
    note = "" if len(body) <= MOST_ROWS else f" (the first {MOST_ROWS} of {len(body)} rows)"
    return Table(name, caption + note, columns, rows)


def _numeric(values: Iterable[str]) -> bool:
    try:
        return bool([float(value) for value in values if value])
    except ValueError:
        return False


def _plain(value: str, text: bool) -> Cell:
    if text or not value:
        return value or MISSING
    number = float(value)
    shown = f"{number:.15g}" if number == round(number) and abs(number) < 1e9 else f"{number:.5g}"
    return {"value": repr(number), "text": shown}


def _cell(line: Row) -> list[Cell]:
    return [line["objective"], line["optimizer"].rpartition(":")[2], configuration(line["label"])]


def _status(line: Row) -> Cell:
    run = line["discrete_status"]
    status = str(line["status"] if ended_well(run) or line["status"] == REFUSED else f"run {run}")
    return status if ended_well(status) else {"mark": status}


def _look(line: Row, explored: Collection[str]) -> Cell:
    where = folder(line)
    file = file_link("file", f"{where}/{line['solution']}.parquet")
    if where not in explored:
        return {"links": [file]}
    view = {
        "objective": line["objective"],
        "optimizer": line["optimizer"].rpartition(":")[2],
        "alpha": line["alpha"],
        "configuration": line["label"].partition(",")[2],
        "path": ["discrete", line["solution"]],
        "quantity": line["quantity"],
    }
    if line["at"] is not None:
        view["at"] = line["at"]
    return {"links": [explorer_link("curves", view), file]}
