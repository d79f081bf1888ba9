"""What a page has to say but for its pictures: the sections that are made from tables and trajectories.

What lives here: :func:`numbers`, and what fills the sections.  What does not: tables and the explorer's data,
and putting the page together (:mod:`.page`): that waits for the figures, this does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idescent.analysis.errors import IMPLAUSIBLE, MEANINGLESS
from idescent.products.product import Task
from idescent.products.report import claims, explorer, facts, tables
from idescent.products.report.assets import filled
from idescent.products.report.markup import Column, Content, Number, count, escape, link, pairs, table
from idescent.store.files import write_text
from idescent.store.tables import read_errors
from idescent.trajectory import REFUSED

_MEANINGS = {
    IMPLAUSIBLE: "<strong>Implausible</strong>: the solver says that it is done, but the solution goes more "
    "than ten times as far from the start as the run ever does. No order, scale or comparison takes its "
    "numbers.",
    REFUSED: "<strong>Refused</strong>: the model or the solver does not take these hyper-parameters. There "
    "is nothing to compare.",
}

Said = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class NumbersInputs:
    """What the numbers of a report are taken from.

    Attributes
    ----------
    study : str
    root : path
        Folder of the study, and of the page.
    trajectories : sequence of path
        Files that the explorer shows.
    cells, solutions : int
        How many the study has; the explorer may show fewer.
    shown : sequence of str
        Names of paths in the order in which the figures show them.
    further : sequence of str
        Names of further tables, ``tables/<name>.csv``.
    claims : bool
        Whether there is an audit, ``tables/claims.csv``.
    """

    study: str
    root: Path
    trajectories: Sequence[Path]
    cells: int
    solutions: int
    shown: Sequence[str] = field(default_factory=tuple)
    further: Sequence[str] = field(default_factory=tuple)
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
    """Return what :func:`idescent.products.report.page.page` puts together with the figures, ready for JSON.

    Parameters
    ----------
    given : Inputs

    Returns
    -------
    dict
        ``sections``: HTML by name, those that are empty left out; ``files``: that of the table of trajectory
        files; ``data``: the explorer's, as JSON text; ``codes``: digests of the code that made the
        trajectories, by the name of the path; ``inputs``: digests of the files that all this is from.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    lines = tables.pivoted(read_errors([given.errors]).to_pylist())
    read = explorer.Shelf()
    said = {file.relative_to(given.root).as_posix(): read(file)[1] for file in given.trajectories}
    explored = {name.rpartition("/")[0] for name in said}
    found = claims.read(given.audit) if given.claims else []
    data = explorer.gather(given.trajectories, given.root, given.shown, read)
    sections = {
        "summary": _summary(given, lines, found),
        "odd": _odd(given, lines, said, explored),
        "explorer": _explorer(given, said, data["rows"]),
        "errors": _errors(given, lines, explored),
        "claims": _claims(found) if given.claims else "",
    }
    audit = [given.audit] if given.claims else []
    return {
        "sections": {name: text for name, text in sections.items() if text},
        "files": _files(said),
        "data": json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False),
        "codes": facts.codes(said),
        "inputs": facts.digests_of([given.errors, *audit, *given.trajectories]),
    }


def _summary(given: NumbersInputs, lines: Sequence[tables.Row], found: Sequence[Mapping[str, str]]) -> str:
    odd = tables.odd(lines)
    diverged = {tables.folder(line) for line in odd if line["discrete_status"] == "diverged"}
    rows: list[tuple[str, Content]] = [
        ("cells", count(given.cells)),
        ("solutions", count(given.solutions)),
        ("solutions that did not end as they should", Number(len(odd), str(len(odd)), "odd")),
        *(
            (f"solutions that are {status}", Number(number, str(number), "odd"))
            for status in MEANINGLESS
            if (number := sum(line["status"] == status for line in odd))
        ),
        ("discrete runs that diverged", Number(len(diverged), str(len(diverged)), "odd")),
    ]
    for verdict, number in claims.verdicts(found).items():
        rows.append((f"claims: {verdict}", Number(number, str(number), "claims")))
    return filled("summary", table=pairs("glance", f"The study {given.study}", rows))


def _odd(given: NumbersInputs, lines: Sequence[tables.Row], said: Said, explored: set[str]) -> str:
    odd = tables.odd(lines)
    if not odd:
        return "<p>None: every run was completed, and every solution reached its tolerance.</p>"
    messages = {file: content["report"]["message"] for file, content in said.items()}
    listed = tables.odd_table(odd, messages, explored)
    statuses = {line["status"] for line in odd}
    meanings = "".join(f"<p>{text}</p>\n" for status, text in _MEANINGS.items() if status in statuses)
    return filled("odd", odd=len(odd), solutions=given.solutions, table=listed, meanings=meanings)


def _explorer(given: NumbersInputs, said: Said, rows: int) -> str:
    shown = sum("solution" in content["cell"] for content in said.values())
    part = ""
    if shown < given.solutions:
        part = filled(
            "part",
            cells=given.cells,
            solutions=given.solutions,
            cells_shown=len(said) - shown,
            solutions_shown=shown,
        )
    return filled("explorer", rows=rows, digits=explorer.DIGITS, part=part)


def _errors(given: NumbersInputs, lines: Sequence[tables.Row], explored: set[str]) -> str:
    kept, missing = tables.shortened(lines)
    formats = {"parquet": "Parquet", "csv": "CSV", "md": "Markdown", "tex": "LaTeX"}
    files = " · ".join(link(f"tables/errors.{kind}", name).text for kind, name in formats.items())
    listed = tables.errors_table(kept, explored)
    text = [filled("errors", missing=escape(missing), files=files, table=listed)]
    for name in given.further:
        file = given.root / f"tables/{name}.csv"
        text.append(f'<h3 id="table-{escape(name)}">Table “{escape(name)}”</h3>')
        text.append(tables.csv_table(f"{name}-table", f"tables/{name}.csv", file))
    return "\n".join(text)


def _claims(found: Sequence[Mapping[str, str]]) -> str:
    number = "; ".join(f"{n} × {verdict}" for verdict, n in claims.verdicts(found).items())
    files = f"{link('tables/claims.csv', 'CSV').text} · {link('tables/claims.md', 'Markdown').text}"
    return filled("claims", number=escape(number), files=files, table=claims.claims_table(found))


def _files(said: Said) -> str:
    columns = [Column("file"), Column("status", filter=True), Column("gradients")]
    rows: list[list[Content]] = [
        [link(file, file), content["report"]["status"], count(content["report"]["gradient_evaluations"])]
        for file, content in said.items()
    ]
    return table("files-table", "Runs and solutions that the explorer shows", columns, rows)


def job(task: Task) -> str:
    """Write the numbers of a study's page as JSON; return a line about them."""
    inputs = NumbersInputs(**task.given, root=task.outputs[0].parent, trajectories=task.files)
    write_text(task.outputs[0], json.dumps(numbers(inputs) | {"code": task.code}, ensure_ascii=False) + "\n")
    return f"{len(inputs.trajectories)} trajectories to explore"
