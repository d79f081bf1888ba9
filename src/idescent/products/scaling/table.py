"""Scaling tables for people: Markdown and LaTeX, one row for each model of each configuration.

What lives here: the long form, and writing all formats.  What does not: the numbers
(:mod:`idescent.products.scaling.rows`), the text of a cell (:mod:`.texts`), the table for a journal
(:mod:`.journal`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from pathlib import Path

from idescent.analysis.errors import NORMS
from idescent.drawing.markup import escaped, long_table, pipes
from idescent.products.formats import write_formats
from idescent.products.product import Task
from idescent.products.scaling import journal, texts
from idescent.products.scaling.rows import Row, ScalingLine, as_table, compact
from idescent.products.scaling.rows import rows as scaling_rows
from idescent.products.scaling.texts import Column, Form
from idescent.store.files import write_text
from idescent.store.tables import read_errors
from idescent.study import registry

_PAIR = "from the next larger α to the one named"
_ORDERS = "fitted order of each quantity and norm over the iterations, each in its own asymptotic window"
# More slopes would leave no room for the names of the models.
_MOST_SLOPES = 12


def write(
    rows: Sequence[Row],
    alphas: Sequence[float],
    reference: str | None,
    outputs: Iterable[Path],
    maps: Collection[str] = (),
) -> None:
    """Write the complete table (.parquet, .csv) and the compact ones (.md, .tex), these without ``maps``.

    Raises
    ------
    ValueError
        If the suffix of an output is not known; then nothing is written.
    """
    lines = compact([row for row in rows if row["objective"] not in maps], alphas)
    write_formats(
        outputs,
        as_table(rows),
        lambda: markdown(lines, alphas, reference),
        lambda: latex(lines, alphas, reference),
    )


def markdown(lines: Sequence[ScalingLine], alphas: Sequence[float], reference: str | None = None) -> str:
    """Return the compact tables as Markdown, one section for each objective and optimizer."""
    text = ["# Errors and orders of the models", ""]
    text += ["Error: largest |discrete − continuous| of θ over all iterations."]
    text += [f"Ratio: the error of `{reference}` divided by this one, at the same α."] if reference else []
    text += [
        texts.rule(lines),
        "Gradients: gradient evaluations of the solver, at the tolerance of the study.",
    ]
    text += [f"Slope: pairwise, {_PAIR}. Last table: {_ORDERS}.", ""]
    for (objective, optimizer), members in texts.sections(lines).items():
        text += [f"## {optimizer}, {objective}", "", f"Horizon: {texts.horizon(members)}.", ""]
        for head, rows in _tables(members, alphas, reference, texts.MARKDOWN):
            if len(head) == 2:
                continue  # a ladder of one learning rate has no slopes
            text += [pipes(" ".join(filter(None, column)) for column in head)]
            text += [pipes(["---"] * 2 + ["---:"] * (len(head) - 2)), *map(pipes, rows), ""]
    text += [f"{sign.strip()} {note}" for sign, note in texts.notes(lines, texts.MARKDOWN)]
    text += [note for word, note in texts.ODD.items() if any(word in line.errors for line in lines)]
    return "\n".join(text).rstrip("\n") + "\n"


def latex(lines: Sequence[ScalingLine], alphas: Sequence[float], reference: str | None = None) -> str:
    """Return the compact tables as LaTeX ``longtable`` environments, for 16 cm of text width.

    They need the packages ``booktabs`` and ``longtable``.
    """
    text = [r"% Errors and orders of the models. Needs \usepackage{booktabs,longtable}, 16 cm of text width."]
    text += [r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}\setlength{\LTcapwidth}{\textwidth}"]
    rule = texts.tex(texts.rule(lines))
    for (objective, optimizer), members in texts.sections(lines).items():
        horizon = texts.tex(texts.horizon(members))
        subject = f"{escaped(optimizer)}, objective {escaped(objective)}, horizon {horizon}"
        cost = "Gradient evaluations of the solver at the smallest $\\alpha$ of the table of errors"
        gain = f", and the error of {escaped(reference)} divided by this one" if reference else ""
        captions = [
            f"Largest error of $\\theta$ over all iterations, and observed orders: {subject}. {rule}",
            f"Cost: {subject}. {cost}{gain}.",
            f"Pairwise slopes, {texts.tex(_PAIR)}: {subject}.",
            f"Orders of errors: {subject}. {_ORDERS[0].upper()}{_ORDERS[1:]}.",
        ]
        rule = "Order, declared order and window as in the first of these tables."
        notes = "".join(f" {sign} {note}" for sign, note in texts.notes(members, texts.LATEX))
        notes += "".join(
            f" {note}" for word, note in texts.ODD.items() if any(word in m.errors for m in members)
        )
        tables = _tables(members, alphas, reference, texts.LATEX)
        for caption, (head, rows) in zip(captions, tables, strict=True):
            text += ["", *_longtable(caption + notes, head, rows)] if len(head) > 2 else []
    return "\n".join([*text, r"\endgroup"]) + "\n"


def _longtable(caption: str, head: Sequence[Column], rows: Iterable[Sequence[str]]) -> list[str]:
    top, rules, at = [], [], 1
    for common, members in groupby(head, key=lambda column: column[0]):
        n = len(list(members))
        top.append(rf"\multicolumn{{{n}}}{{c}}{{{common}}}" if common else " & ".join([""] * n))
        rules += [rf"\cmidrule(lr){{{at}-{at + n - 1}}}"] if common else []
        at += n
    above = [" & ".join(top) + r" \\", " ".join(rules)] if rules else []
    text: list[str] = []
    before: str | None = None
    for betas, *cells in rows:
        text += [r"\addlinespace"] if before not in (None, betas) else []
        text.append(" & ".join(["" if betas == before else betas, *cells]) + r" \\")
        before = betas
    columns = "ll" + "r" * (len(head) - 2)
    return long_table(caption, columns, [name for _, name in head], text, above)


def _tables(
    lines: Sequence[ScalingLine], alphas: Sequence[float], reference: str | None, form: Form
) -> list[tuple[list[Column], list[list[str]]]]:
    """Return heads and rows of the tables of one section: errors, costs, slopes, orders."""
    falling = sorted({alpha for line in lines for alpha in line.slopes}, reverse=True)[-_MOST_SLOPES:]
    quantities = dict.fromkeys(quantity for line in lines for quantity, _ in line.orders)
    pairs = [(quantity, norm) for quantity in quantities for norm in NORMS]
    ratio = f"ratio to {form.text(reference)} at" if reference else None
    heads: list[list[Column]] = [
        [*texts.rates("error at", alphas, form), ("", "order"), ("", "declared"), ("", "window")],
        [
            *texts.rates("gradients at", alphas[-1:], form),
            *(texts.rates(ratio, alphas, form) if ratio else []),
        ],
        texts.rates("slope at", falling, form),
        [(form.symbol(quantity), norm) for quantity, norm in pairs],
    ]
    parts: list[list[list[str]]] = [[], [], [], []]
    for line in lines:
        errors = [texts.error(error, form) for error in line.errors]
        fits = [line.orders.get(pair) for pair in pairs]
        cells = [
            [*errors, texts.order(line, form), texts.count(line.declared, form), texts.window(line, form)],
            [
                texts.count(line.evaluations, form),
                *(texts.ratio(value, form) for value in line.ratios if ratio),
            ],
            [texts.decimal(line.slopes.get(alpha), form) for alpha in falling],
            [texts.decimal(fit and fit[0], form) for fit in fits],
        ]
        for part, row in zip(parts, cells, strict=True):
            part.append([form.text(line.betas) or form.missing, texts.name(line, form), *row])
    start = [("", form.betas), ("", "model")]
    return [([*start, *head], rows) for head, rows in zip(heads, parts, strict=True)]


def job(task: Task) -> str:
    """Write the complete scaling table, its long form and the table for a journal; return a line about it."""
    given = task.given
    models = {name: registry.model(spec) for name, spec in given["models"].items()}
    declared = {name: (model.name, model.order) for name, model in models.items()}
    errors = read_errors(task.files).to_pylist()
    rows = scaling_rows(errors, declared, given["reference"], given["quantities"], given["until"])
    *formats, paper = task.outputs
    write(rows, given["alpha"], given["reference"], formats, given["maps"])
    lines = compact([row for row in rows if row["objective"] not in given["maps"]], given["alpha"])
    write_text(paper, journal.latex(lines, given["alpha"], given["label"]))
    return f"{len(formats)} formats, and a table for a journal"
