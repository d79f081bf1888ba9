"""What is written of the measurements: tables, figures, machine, and what README and docs quote."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.store.files import write_text
from suite import figures, peers, text, topics
from suite.records import Record, code
from suite.rows import Row, Spread
from suite.targets import TARGETS, is_wanted, judged

# Topics whose tables the docs show whole.
WHOLE = (
    "kernels",
    "packs",
    "cells",
    "many_cells",
    "startup",
    "pipeline",
    "study_cost",
    "estimates",
    "installation",
    "cells_of_the_paper",
)
# What is shown of the others.
PARTS = {"initial_value": "Below are the models that miss a target; `make bench` writes all of them."}
FIGURES_TEXT = """Work–precision diagrams: `work_precision.*` (the paper's equations) and
`work_precision_half_step.*`; cost against iterations, parameters and cells: `growth.*`; start-up of each kind
of job: `startup.*`; kernels: `kernels.*`."""


def write(folder: Path, records: Sequence[Record]) -> None:
    """Write ``benchmarks.{md,csv,json}``, ``machine.json`` and the figures that the records have rows for."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {record.topic: record.rows for record in records}
    targets = judged(found)
    machines = {
        record.topic: {**record.machine, "began": record.began, "seconds": record.seconds}
        for record in records
    }
    plain = [{**record.__dict__, "rows": [row.plain() for row in record.rows]} for record in records]
    _json(folder / "machine.json", machines)
    _json(folder / "benchmarks.json", {"targets": targets, "topics": plain})
    write_text(folder / "benchmarks.csv", text.tidy(records))
    write_text(folder / "benchmarks.md", markdown(records, targets))
    figures.draw(folder, found)


def _json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def markdown(records: Sequence[Record], targets: Sequence[Mapping[str, Any]]) -> str:
    """Return the report."""
    lines = ["# Benchmarks", ""]
    if any(record.quick for record in records):
        lines += ["**A quick run, to see that everything runs: its times say nothing.**", ""]
    lines += ["Medians with quartiles in brackets; what is counted has none.", ""]
    lines += ["## Targets", "", text.targets_table(targets), "", FIGURES_TEXT, ""]
    for record in records:
        module = topics.module(record.topic)
        head = f"{text.machine_line(record)}; {record.began} UTC, {record.seconds:.0f} s, commit "
        head += f"{record.machine['commit']}; load before: {record.machine['load_before']:.1f}."
        lines += [f"## {module.TITLE}", "", module.TEXT, "", text.topic_table(record.rows), "", head]
        if record.left_out and record.topic in topics.WITH_PEERS:
            lines.append(f"Left out: {', '.join(record.left_out)}.")
        lines.append("")
    return "\n".join(lines)


def store(path: Path, pictures: Path, folder: Path, records: Sequence[Record]) -> None:
    """Write what README and docs quote to a file, and copy what the docs show of a folder to the pictures.

    Of other machines, the verdicts that the file has are kept; of figures and tables, the last.  Where only
    some topics were measured, their verdicts stand beside those of complete runs on other machines, and their
    tables replace those of the same topics.

    Raises
    ------
    ValueError
        If the records are of a quick run or not of the code that is here, or a topic was not measured and no
        other machine has a complete run, or this one has.
    """
    found = {record.topic: record for record in records}
    if not records or any(record.quick for record in records):
        raise ValueError("measured.json: a quick run's times say nothing: run `make bench` first")
    if stale := [record.topic for record in records if record.code != code(record.topic)]:
        raise ValueError(
            f"measured.json: {', '.join(stale)} measured on different code: run `make bench` again"
        )
    rows = {name: record.rows for name, record in found.items()}
    missing = [name for name in topics.NAMES if name not in found]
    last = {
        "machine": text.machine_line(records[0]),
        "measured": records[0].began,
        "commit": records[0].machine["commit"],
        "targets": judged(rows),
        "timings": timings(rows),
        "not_measured": missing,
    }
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"runs": []}
    complete = {run["machine"] for run in stored["runs"] if _is_complete(run)}
    if missing and (not complete or last["machine"] in complete):
        raise ValueError(f"measured.json: {', '.join(missing)} not measured: run `make bench` first")
    # Complete runs first: figures and tables are those of the first.
    runs = [last, *elsewhere(stored["runs"], last["machine"])]
    runs.sort(key=lambda run: not _is_complete(run))
    tables = {}
    for name, table in quoted(rows).items():
        machine = found[name].machine
        made = f"{text.machine_line(found[name])}; {found[name].began} UTC, commit {machine['commit']}."
        module = topics.module(name)
        words = f"{module.TEXT}\n\n{PARTS[name]}" if name in PARTS else module.TEXT
        tables[name] = {"title": module.TITLE, "text": words, "table": table, "measured": made}
    if missing:
        _json(path, stored | {"runs": runs, "tables": stored.get("tables", {}) | tables})
        return
    content = {
        "runs": runs,
        "peers": [line for name in peers.ENVIRONMENTS for line in peers.pinned(name)],
        "figures": {name: figures.FIGURES[name][2:] for name in figures.NAMES},
        "tables": tables,
    }
    for name in figures.NAMES:
        shutil.copyfile(folder / f"{name}.png", pictures / f"benchmarks_{name}.png")
    _json(path, content)


def elsewhere(runs: Sequence[dict[str, Any]], machine: str) -> list[dict[str, Any]]:
    """Return which of stored runs are of the present targets and on other machines."""
    names = [target.name for target in TARGETS]
    return [run for run in runs if run["machine"] != machine and [t["name"] for t in run["targets"]] == names]


def _is_complete(run: Mapping[str, Any]) -> bool:
    return not run.get("not_measured")


def timings(rows: Mapping[str, Sequence[Row]]) -> list[dict[str, str]]:
    """Return the lines of the README's table that no target is about."""
    values = next((row.values for row in rows.get("pipeline", ()) if row.case == "paper"), {})
    wanted = {
        "second run of the paper, nothing to do": "again, s",
        "one more α for Adam (4 cells)": "one more, s",
        "peak memory of any process": "memory, MB",
    }
    return [
        {"what": what, "measured": _with_unit(values.get(quantity), quantity)}
        for what, quantity in wanted.items()
    ]


def _with_unit(spread: Spread | None, quantity: str) -> str:
    return text.spread(spread) + (f" {quantity.rpartition(', ')[2]}" if spread is not None else "")


def quoted(rows: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """Return the tables that the docs show, by topic that was measured: whole where they are short."""
    tables = {name: text.topic_table(rows[name]) for name in WHOLE if name in rows}
    if "initial_value" in rows:
        tables["initial_value"] = text.topic_table(missed(rows["initial_value"], "initial_value"))
    if "precision" in rows:
        tables["precision"] = reached(rows["precision"])
    return tables


def missed(rows: Sequence[Row], topic: str) -> list[Row]:
    """Return the rows that miss a target of a topic, and what they are compared with."""
    bounds = [target for target in TARGETS if target.topic == topic]
    above = {
        (row.case, row.setting)
        for row in rows
        for target in bounds
        if is_wanted(row, target) and row.value(target.quantity) > target.bound
    }
    return [row for row in rows if (row.case, row.setting) in above]


def reached(rows: Sequence[Row], bounds: Sequence[float] = (1e-3, 1e-8)) -> str:
    """Return the least work of each method for an error of at most so much, beside the exact solver's."""
    lines = []
    for case in dict.fromkeys(row.case for row in rows):
        solved = [row for row in rows if row.case == case and "gradients" in row.values]
        for method in dict.fromkeys(row.method for row in solved):
            line = [case, method]
            for bound in bounds:
                for quantity in ("gradients", "s"):
                    least, base = (_least(solved, name, bound, quantity) for name in (method, "exact"))
                    shown = text.DASH if least is None else text.number(least)
                    if least is not None and base is not None and method != "exact":
                        shown += f" ({text.number(least / base)}×)"
                    line.append(shown)
            lines.append(line)
    head = ["equation", "method", *(f"{q} for {b:.0e}" for b in bounds for q in ("gradients", "s"))]
    return text.table(head, lines, 2)


def _least(rows: Sequence[Row], method: str, bound: float, quantity: str) -> float | None:
    good = [row.value(quantity) for row in rows if row.method == method and row.value("error") <= bound]
    return min(good, default=None)
