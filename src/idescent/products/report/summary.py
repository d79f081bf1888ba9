"""The text summary of a study: its largest errors and its failures, on one screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from idescent.analysis.errors import BELOW, IMPLAUSIBLE, MEANINGLESS
from idescent.products.product import Task
from idescent.store.files import read_csv, write_text
from idescent.trajectory import REFUSED, ended_well

Row = Mapping[str, str]


def job(task: Task) -> str:
    """Write the summary of a study from its ``errors.csv``; return the first line."""
    head, *body = read_csv(task.files[0])
    rows = [dict(zip(head, row, strict=True)) for row in body]
    text = "\n".join(lines(task.given["study"], task.files[0], task.given["figures"], rows)) + "\n"
    write_text(task.outputs[0], text)
    return text.splitlines()[0]


def lines(study: str, table: Path, figures: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Return the summary, line by line."""
    root = table.parent.parent
    # The largest error of theta: that of another quantity or norm may be below the reference.
    solutions = {_solution(row): row for row in rows if _is_largest(row)}
    cells = {_cell(row): row for row in rows}
    text = [f"Study {study}: {len(cells)} cells, {len(solutions)} solutions"]
    if figures:
        text.append(f"  figures  {root}/figures ({len(figures)}: {', '.join(figures)})")
    text.append(f"  tables   {table.with_suffix('')}.csv, .md, .tex, .parquet")
    text.append("  largest |discrete - continuous| of theta over all iterations, by optimizer and solution:")
    worst: dict[tuple[str, str], Row] = {}
    for row in rows:
        if _is_largest(row) and row["error"] and row["status"] not in MEANINGLESS:
            key = (row["optimizer"], row["solution"])
            if key not in worst or float(row["error"]) > float(worst[key]["error"]):
                worst[key] = row
    text += [
        f"    {optimizer:8s} {solution}  {float(row['error']):.2e}"
        f"  at {row['objective']} {row['label']}, k = {row['at']}"
        for (optimizer, solution), row in worst.items()
    ]
    statuses = {key: row["status"] for key, row in solutions.items()}
    separate = ("diverged", *MEANINGLESS)
    unconverged = [key for key, end in statuses.items() if not ended_well(end) and end not in separate]
    text += _listing("not converged", unconverged)
    text += _listing("diverged solutions", [key for key, end in statuses.items() if end == "diverged"])
    below = [key for key, end in statuses.items() if end == BELOW]
    text += [f"  errors of theta below the reference: {len(below)}"] if below else []
    for status in (IMPLAUSIBLE, REFUSED):
        reasons = [f"{key}: {row['reason']}" for key, row in solutions.items() if row["status"] == status]
        text += _listing(f"{status} solutions", reasons) if reasons else []
    diverged = [key for key, row in cells.items() if row["discrete_status"] == "diverged"]
    return text + _listing("diverged runs", diverged)


def _is_largest(row: Row) -> bool:
    return (row["quantity"], row["norm"], row["kind"]) == ("theta", "sup", "total")


def _cell(row: Row) -> str:
    return f"{row['objective']} {row['optimizer']} {row['label']}"


def _solution(row: Row) -> str:
    return f"{_cell(row)} {row['solution']}"


def _listing(title: str, names: Iterable[str]) -> list[str]:
    names = list(names)
    return [f"  {title}: {len(names) or 'none'}", *(f"    {name}" for name in names)]
