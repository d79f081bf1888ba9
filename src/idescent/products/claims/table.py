"""Write the results of an audit: a readable table (Markdown) and a complete one (CSV).

What lives here: formatting.  What does not: outcomes and verdicts (:mod:`.audit`).  The Markdown table has
one row for each claim, the CSV table one row for each number.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from idescent.drawing.hyperparameters import letter
from idescent.drawing.markup import marked, pipes
from idescent.products.claims.audit import (
    FAILS,
    HOLDS,
    MISSING,
    NO_PATH,
    NOT_APPLICABLE,
    VERDICTS,
    AuditedCell,
    ClaimOutcome,
    Finding,
    Reading,
    audit,
)
from idescent.products.claims.statements import COLUMNS, Check, Claims, read
from idescent.products.product import Task
from idescent.store.cells import read_cells
from idescent.store.files import write_text

_ENDLESS = ("settling", "reach", "decay")
_INTRODUCTION = """\
The claims are statements of the paper in our words, each with a measure and a threshold. The discrete run
decides a claim about the discrete algorithm, the exact solution a claim about the continuous model. A claim
that the exact solution does not fulfil but Algorithm 4 does *holds only for the scheme*. ✓: the column
fulfils the threshold; ✗: it does not. Semicolons separate the parts of a claim, "a … b" is the range over
several cells, and – marks a column that would be compared with itself."""


def counts(findings: Sequence[Finding]) -> str:
    """Return, e.g., ``40 claims: 30 hold, 2 hold only for the scheme, 8 fail, 0 not computed``."""
    number = Counter(finding.verdict for finding in findings)
    words = ("hold", "hold only for the scheme", "fail", "not computed")
    parts = [f"{number[state]} {word}" for state, word in zip(VERDICTS, words, strict=True)]
    return f"{len(findings)} claims: {', '.join(parts)}"


def markdown(claims: Claims, findings: Sequence[Finding]) -> str:
    """Format the readable table: the counts, one row for each claim, and the reasons for the thresholds."""
    absent = _absent(claims, findings)
    titles = [title for title in claims.sources if title not in absent]
    head = ["id", "where", "claim", "measure", *map(marked, titles), "threshold", "verdict"]
    text = ["# Claims of the paper", "", f"**{counts(findings)}.**", "", _INTRODUCTION, ""]
    text += [
        f"{marked(title)}: not computed in this study, {marked(note)}.\n" for title, note in absent.items()
    ]
    text += [pipes(head), pipes(["---"] * len(head))]
    for finding in findings:
        claim = finding.claim
        text.append(
            pipes(
                [
                    claim.id,
                    marked(claim.where),
                    marked(claim.statement),
                    marked("; ".join(map(measure, claim.checks))),
                    *(_shown(claim.checks, finding.outcomes[title]) for title in titles),
                    "; ".join(_threshold(check) for check in claim.checks),
                    f"**{finding.verdict}**",
                ]
            )
        )
    if any(
        outcome.state in (HOLDS, FAILS) and outcome.note for f in findings for outcome in f.outcomes.values()
    ):
        text += ["", "† At least one path of Algorithm 4 in this number did not converge."]
    reasons = [
        f"- {finding.claim.id}: {marked(finding.claim.reason)}"
        for finding in findings
        if finding.claim.reason
    ]
    if reasons:
        text += ["", "## Why these thresholds", "", *reasons]
    return "\n".join(text) + "\n"


def csv(claims: Claims, findings: Sequence[Finding]) -> str:
    """Return the complete table: one row for each number; empty where there is none."""
    import pandas as pd

    titles = list(claims.sources)
    columns = [*COLUMNS[:-1], *(f"{title}{suffix}" for title in titles for suffix in ("", " state", " note"))]
    columns.append(COLUMNS[-1])
    rows: list[list[object]] = []
    for finding in findings:
        claim = finding.claim
        for i, check in enumerate(claim.checks):
            readings = {
                title: {reading.label: reading for reading in outcome.readings[i]} if outcome.readings else {}
                for title, outcome in finding.outcomes.items()
            }
            for label in dict.fromkeys(name for found in readings.values() for name in found) or [""]:
                row: list[object] = [claim.id, claim.where, claim.statement, claim.about, finding.verdict]
                row += [i + 1, measure(check), label, _threshold(check)]
                for title in titles:
                    row += _fields(finding.outcomes[title], readings[title].get(label))
                rows.append([*row, claim.reason])
    return pd.DataFrame(rows, columns=columns).to_csv(index=False, lineterminator="\n")


def measure(check: Check) -> str:
    """Describe a check in a few words: measure, quantity, options and cells."""
    options = ", ".join(f"{name} {value}" for name, value in check.options.items())
    words = f"{check.measure}({check.quantity}{', ' + options if options else ''})"
    if check.against:
        words += f" to {check.against}"
    words += f" of {_cells(check.cell)}"
    first, final = check.k
    if (first, final) != (0, None):
        words += f", k {'≥ ' + str(first) if final is None else f'{first}–{final}'}"
    if check.source:
        words += f", {check.source}"
    if check.relative_to:
        second = " ".join(filter(None, (_cells(check.relative_to.cell), check.relative_to.source)))
        words += f" {'/' if check.combine == 'ratio' else 'minus'} {second}"
    return words


def _absent(claims: Claims, findings: Sequence[Finding]) -> dict[str, str]:
    """Return the sources without any number, and the reasons; the table omits their columns."""
    outcomes = {title: [finding.outcomes[title] for finding in findings] for title in claims.sources}
    return {
        title: ", ".join(dict.fromkeys(outcome.note for outcome in of_source if outcome.note))
        for title, of_source in outcomes.items()
        if all(outcome.state in (MISSING, NOT_APPLICABLE) for outcome in of_source)
    }


def _fields(outcome: ClaimOutcome, reading: Reading | None) -> list[object]:
    if reading is None:
        return ["", outcome.state, outcome.note]
    number = "" if math.isnan(reading.value) else repr(reading.value)
    return [number, HOLDS if reading.holds else FAILS, outcome.note]


def _cells(selector: Mapping[str, object]) -> str:
    words = []
    for name, value in selector.items():
        values = " or ".join(map(str, value)) if isinstance(value, list) else str(value)
        words.append(values if name in ("objective", "optimizer") else f"{letter(name)} = {values}")
    return " ".join(words)


def _threshold(check: Check) -> str:
    return f"{check.expect}{' in at least one cell' if check.every == 'any' else ''}"


def _shown(checks: Sequence[Check], outcome: ClaimOutcome) -> str:
    if outcome.state == NOT_APPLICABLE:
        return "–"
    if outcome.state == MISSING:
        return MISSING if outcome.note.startswith(NO_PATH) else f"{MISSING}: {marked(outcome.note)}"
    parts = []
    for check, readings in zip(checks, outcome.readings, strict=True):
        values = list(dict.fromkeys(reading.value for reading in readings))
        if len(values) > 2 and not any(map(math.isnan, values)):
            parts.append(f"{_number(check, min(values))} … {_number(check, max(values))}")
        else:
            parts.append(", ".join(_number(check, value) for value in values))
    mark = "✓" if outcome.state == HOLDS else "✗"
    return f"{mark} {'; '.join(parts)}{' †' if outcome.note else ''}"


def _number(check: Check, value: float) -> str:
    if math.isnan(value):
        return "none"
    if math.isinf(value):
        return (
            "never" if check.measure in _ENDLESS and check.relative_to is None else "∞" if value > 0 else "−∞"
        )
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def job(task: Task) -> str:
    """Evaluate all claims and write the tables; return the counts of the verdicts for the screen."""
    claims = read(task.given["claims"])
    findings = audit(claims, [AuditedCell(cell.setup, cell.paths) for cell in read_cells(task.files)])
    formats = {".csv": csv, ".md": markdown}
    texts = [formats[output.suffix](claims, findings) for output in task.outputs]
    for output, text in zip(task.outputs, texts, strict=True):
        write_text(output, text)
    return counts(findings)
