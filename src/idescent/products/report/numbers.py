"""The first stage of the report: the content of all sections that come from tables and trajectories.

What lives here: :func:`numbers`, and the content of these sections.  What does not: the rows of tables
(:mod:`.tables`), the explorer's data (:mod:`.explorer`), the page itself (:mod:`.page`).  The page waits for
the figures; this stage runs while they are drawn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idescent.analysis.errors import BELOW, IMPLAUSIBLE
from idescent.products.product import Task
from idescent.products.report import claims, explorer, facts, headline, ladders, scaling, tables
from idescent.products.report.content import Column, Table, compressed, file_link
from idescent.store.files import read_csv, write_text
from idescent.store.tables import read_errors
from idescent.trajectory import REFUSED

Metadata = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class NumbersInputs:
    """Inputs of the report's numbers.

    Attributes
    ----------
    study : str
    root : path
        Folder of the study and of the page.
    trajectories : sequence of path
        Files that the explorer shows.
    cells, solutions : int
        Their number in the study; the explorer may show fewer.
    shown : sequence of str
        Names of paths in the order in which the figures show them.
    further : sequence of (name, product)
        Further tables, ``tables/<name>.csv``, and the products that write them.
    models : mapping
        ``model`` (its specification) and ``solver`` (its class) of each solution, by its name.
    claims : bool
        Whether there is an audit, ``tables/claims.csv``.
    """

    study: str
    root: Path
    trajectories: Sequence[Path]
    cells: int
    solutions: int
    shown: Sequence[str] = field(default_factory=tuple)
    further: Sequence[tuple[str, str]] = field(default_factory=tuple)
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    claims: bool = False

    @property
    def errors(self) -> Path:
        """The complete table of errors."""
        return self.root / "tables/errors.parquet"

    @property
    def audit(self) -> Path:
        """The complete table of claims."""
        return self.root / "tables/claims.csv"


def numbers(given: NumbersInputs) -> dict[str, Any]:
    """Return the content of the page except the figures, for :func:`idescent.products.report.page.page`.

    Parameters
    ----------
    given : NumbersInputs

    Returns
    -------
    dict
        ``sections``: content of each section, None if the section is absent; ``tables``: content of further
        tables, by the product that writes them; ``files``: the table of
        trajectory files; ``data``: the list of the explorer's plots, as JSON text; ``blocks``: the data of
        each plot and of the ladders, compressed, by name; ``codes``: digests of the code that
        made the trajectories, by the name of the path; ``inputs``: digests of the input files.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    lines = tables.pivoted(read_errors([given.errors]).to_pylist())
    read = explorer.Reader()
    data, blocks = explorer.gather(given.trajectories, given.root, given.shown, read)
    metadata = {file.relative_to(given.root).as_posix(): read.metadata[file] for file in given.trajectories}
    explored = {name.rpartition("/")[0] for name in metadata}
    claim_rows = claims.read(given.audit) if given.claims else []
    further, orders = _further(given)
    head = headline.section(lines, orders, given.models)
    audit = [given.audit] if given.claims else []
    return {
        "sections": {
            "summary": {
                "headline": head,
                "failures": headline.failures(given.solutions, tables.odd(lines)),
                "table": _summary(given, lines, claim_rows),
            },
            "odd": _odd(given, lines, metadata, explored),
            "explorer": _explorer(given, metadata, data["rows"]),
            "errors": tables.errors_table(lines, explored).content(),
            "claims": claims.section(claim_rows) if given.claims else None,
        },
        "tables": further,
        "files": _files(metadata).content(),
        "data": json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False),
        "blocks": blocks | {"ladders": compressed(ladders.gather(lines))},
        "codes": facts.codes(metadata),
        "inputs": facts.digests_of([given.errors, *audit, *given.trajectories]),
    }


def _summary(
    given: NumbersInputs, lines: Sequence[tables.Row], claim_rows: Sequence[claims.Row]
) -> list[tuple[str, int, str]]:
    """Return numbers of the study: a noun, its number, and the section that the number links to."""
    odd = tables.odd(lines)
    diverged = {tables.folder(line) for line in odd if line["discrete_status"] == "diverged"}
    counts = [(status, sum(line["status"] == status for line in odd)) for status in (IMPLAUSIBLE, REFUSED)]
    sups = [line for line in lines if (line["quantity"], line["norm"]) == ("theta", "sup")]
    below = sum(line["status"] == BELOW for line in sups)
    return [
        ("cells", given.cells, ""),
        ("solutions", given.solutions, ""),
        ("solutions that failed or whose run diverged", len(odd), "odd"),
        *((f"{status} solutions", n, "odd") for status, n in counts if n),
        ("diverged discrete runs", len(diverged), "odd"),
        *([("errors of θ below the reference", below, "")] if below else []),
        *((f"claims: {name}", n, "claims") for name, n in claims.verdicts(claim_rows).items()),
    ]


def _odd(
    given: NumbersInputs, lines: Sequence[tables.Row], metadata: Metadata, explored: set[str]
) -> dict[str, Any]:
    odd = tables.odd(lines)
    messages = {file: content["report"]["message"] for file, content in metadata.items()}
    statuses = {line["status"] for line in odd}
    return {
        "count": len(odd),
        "solutions": given.solutions,
        "implausible": IMPLAUSIBLE in statuses,
        "refused": REFUSED in statuses,
        "table": tables.odd_table(odd, messages, explored).content(),
    }


def _explorer(given: NumbersInputs, metadata: Metadata, rows: int) -> dict[str, Any]:
    solutions = sum("solution" in content["cell"] for content in metadata.values())
    return {
        "rows": rows,
        "digits": explorer.DIGITS,
        "cells": given.cells,
        "solutions": given.solutions,
        "cells_shown": len(metadata) - solutions,
        "solutions_shown": solutions,
    }


def _further(given: NumbersInputs) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    """Return the further tables by product, and the ladders of a scaling table."""
    further: dict[str, list[dict[str, Any]]] = {}
    fits: list[dict[str, Any]] = []
    for name, product in given.further:
        file = f"tables/{name}.csv"
        head, *body = read_csv(given.root / file)
        content: dict[str, Any] = {"name": name, "note": "", "files": [file_link("CSV", file)]}
        if product == "scaling" and scaling.is_complete(head):
            fits = scaling.fitted(head, body)
            content["note"] = "One row for each ladder of learning rates; errors of θ in the sup norm."
            table = scaling.table(f"{name}-table", fits, content["files"])
        else:
            table = tables.csv_table(f"{name}-table", file, given.root / file)
        content["table"] = table.content()
        further.setdefault(product, []).append(content)
    return further, fits


def _files(metadata: Metadata) -> Table:
    reports = [content["report"] for content in metadata.values()]
    columns = [
        Column("file", [[file_link(file, file)] for file in metadata], "links"),
        Column("status", [report["status"] for report in reports], filter=""),
        Column("gradients", [report["gradient_evaluations"] for report in reports], "count"),
    ]
    return Table("files-table", "Runs and solutions that the explorer shows", columns)


def job(task: Task) -> str:
    """Write the numbers of a study's report as JSON; return a line for the screen."""
    inputs = NumbersInputs(**task.given, root=task.outputs[0].parent, trajectories=task.files)
    content = json.dumps(numbers(inputs) | {"code": task.code}, ensure_ascii=False, allow_nan=False)
    write_text(task.outputs[0], content + "\n")
    return f"{len(inputs.trajectories)} trajectories in the explorer"
