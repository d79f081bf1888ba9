"""The page: the sections of a report in one file that needs no other.

What lives here: :func:`page`, the order of the sections, and what fills the templates in ``assets``.  What
does not: tables and figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from idescent.report import assets, claims, explorer, facts, figures, tables, vendor
from idescent.report.assets import filled
from idescent.report.markup import Column, Content, Number, count, escape, link, pairs, table
from idescent.tables.files import read_errors

Said = Mapping[str, Mapping[str, Any]]

_TITLES = {
    "summary": "At a glance",
    "odd": "Not converged, diverged",
    "explorer": "Explorer",
    "errors": "Errors",
    "claims": "Claims",
    "figures": "Figures",
    "provenance": "Provenance",
}


@dataclass(frozen=True)
class Inputs:
    """What a report is made from.

    Attributes
    ----------
    study : str
    config : mapping
        The configuration as it was given.
    root : path
        Folder of the study, and of the page.
    trajectories : sequence of path
        Files that the explorer shows.
    cells, solutions : int
        How many the study has; the explorer may show fewer.
    figures : sequence of (stem, rule, entry)
        ``entry`` is the name of the figure in the configuration, empty for one without.
    further : sequence of str
        Names of further tables, ``tables/<name>.csv``.
    claims : bool
        Whether there is an audit, ``tables/claims.csv``.
    """

    study: str
    config: Mapping[str, Any]
    root: Path
    trajectories: Sequence[Path]
    cells: int
    solutions: int
    figures: Sequence[tuple[str, str, str]] = field(default_factory=tuple)
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


def page(given: Inputs, code: str) -> str:
    """Return the whole page.

    Parameters
    ----------
    given : Inputs
    code : str
        Digest of the sources behind this stage.

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
    data = explorer.gather(given.trajectories, given.root, _shown_order(given.config), read)
    content = {
        "summary": _summary(given, lines, found),
        "odd": _odd(given, lines, said, explored),
        "explorer": _explorer(given, said, data["rows"]),
        "errors": _errors(given, lines, explored),
        "claims": _claims(found) if given.claims else "",
        "figures": _figures(given),
        "provenance": _provenance(given, said, code),
    }
    content = {name: text for name, text in content.items() if text}
    return filled(
        "page",
        study=escape(given.study),
        navigation="".join(f'<li><a href="#{name}">{_TITLES[name]}</a></li>' for name in content),
        sections="\n".join(_section(name, text) for name, text in content.items()),
        style=vendor.STYLE.read_text(encoding="utf-8") + assets.read(assets.STYLE),
        licence=vendor.licence().replace("--", "- -"),
        script=_script(),
        data=_json(data),
    )


def _script() -> str:
    ours = "\n".join(assets.read(name) for name in assets.SCRIPTS)
    return f'{vendor.SCRIPT.read_text(encoding="utf-8")}\n(() => {{\n"use strict";\n{ours}}})();'


def _json(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c")  # no text in it can end the script


def _section(name: str, text: str) -> str:
    title = _TITLES[name]
    anchor = f'<a class="anchor" href="#{name}" aria-label="Link to: {title}">#</a>'
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">\n'
        f'<h2 id="{name}-title">{title} {anchor}</h2>\n{text}\n</section>'
    )


def _summary(given: Inputs, lines: Sequence[tables.Row], found: Sequence[Mapping[str, str]]) -> str:
    odd = tables.odd(lines)
    diverged = {tables.folder(line) for line in odd if line["discrete_status"] == "diverged"}
    rows: list[tuple[str, Content]] = [
        ("cells", count(given.cells)),
        ("solutions", count(given.solutions)),
        ("solutions that did not end as they should", Number(len(odd), str(len(odd)), "odd")),
        ("discrete runs that diverged", Number(len(diverged), str(len(diverged)), "odd")),
    ]
    for verdict, number in claims.verdicts(found).items():
        rows.append((f"claims: {verdict}", Number(number, str(number), "claims")))
    return filled("summary", table=pairs("glance", f"The study {given.study}", rows))


def _odd(given: Inputs, lines: Sequence[tables.Row], said: Said, explored: set[str]) -> str:
    odd = tables.odd(lines)
    if not odd:
        return "<p>None: every run was completed, and every solution reached its tolerance.</p>"
    messages = {file: content["report"]["message"] for file, content in said.items()}
    listed = tables.odd_table(odd, messages, explored)
    return filled("odd", odd=len(odd), solutions=given.solutions, table=listed)


def _explorer(given: Inputs, said: Said, rows: int) -> str:
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


def _errors(given: Inputs, lines: Sequence[tables.Row], explored: set[str]) -> str:
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


def _figures(given: Inputs) -> str:
    entries = given.config.get("figures", {})
    return "\n".join(
        figures.figure(given.root / f"figures/{stem}.svg", given.root, rule, entries[name] if name else None)
        for stem, rule, name in given.figures
    )


def _provenance(given: Inputs, said: Said, code: str) -> str:
    drawings = [given.root / f"figures/{stem}.svg" for stem, _, _ in given.figures]
    audit = [given.audit] if given.claims else []
    inputs = facts.digest_of([given.errors, *audit, *given.trajectories, *drawings])
    config = yaml.safe_dump(dict(given.config), allow_unicode=True, sort_keys=False, width=100)
    columns = [Column("file"), Column("status", filter=True), Column("gradients")]
    rows: list[list[Content]] = [
        [link(file, file), content["report"]["status"], count(content["report"]["gradient_evaluations"])]
        for file, content in said.items()
    ]
    files = table("files-table", "Runs and solutions that the explorer shows", columns, rows)
    drawn = escape("{package} {version} ({license} licence, {home})".format(**vendor.manifest()))
    return "\n".join(
        [
            facts.section(code, inputs, facts.codes(said)),
            f"<details><summary>Configuration of the study</summary><pre>{escape(config)}</pre></details>",
            f"<details><summary>Parquet files</summary>{files}</details>",
            f"<p>The explorer's plots are drawn by {drawn}, which is part of this file.</p>",
        ]
    )


def _shown_order(config: Mapping[str, Any]) -> list[str]:
    """Return the names of paths in the order in which the figures show them."""
    return [name for entry in config.get("figures", {}).values() for name in entry.get("show", [])]
