"""One table of all optimizers: observed order and error constant of each model on each objective.

What lives here: rows from the complete scaling table, and their text.  What does not: the complete table
(:mod:`idescent.products.scaling.rows`), the figure (:mod:`.optimizers_figure`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from idescent.analysis.errors import BELOW
from idescent.analysis.floor import ABOVE_FLOOR
from idescent.drawing.hyperparameters import short
from idescent.drawing.markup import escaped, long_table, pipes, status_text
from idescent.products.formats import write_formats
from idescent.products.product import Task
from idescent.products.scaling.rows import Row, counts, good, meaningless
from idescent.store.columns import finite, nullable
from idescent.store.tables import HYPERPARAMETERS, hyperparameters, read_errors, with_others
from idescent.trajectory import ended_well

_CELL = ("objective", "optimizer", "configuration")
_SOLUTION = ("solution", "model", "status", "discrete_status", "horizon")
_NUMBERS = ("alpha", "time", "error", "floor", "slope", "coefficient", "ratio")
_RULE = (
    "Order: slope of ln(error) over ln(α) between the two smallest α of the ladder whose errors are above "
    f"{ABOVE_FLOOR:g} times the estimated error of solver and rounding. C: error divided by αᵖ at the "
    "smaller α, where p is the declared order. Error: largest error of θ over all iterations."
)
_EXACT = "rounding"
_EXPLAINED = f"Rounding: no error is above {ABOVE_FLOOR:g} times the estimated error of solver and rounding."


@dataclass(frozen=True)
class _Form:
    """Formats of numbers and texts."""

    number: str
    power: str
    missing: str
    order: str
    text: Callable[[str], str]


_MARKDOWN = _Form("{}", "{}e{}", "–", "{:.2f}", str)
_LATEX = _Form("${}$", r"${}{{\times}}10^{{{}}}$", "--", "${:.2f}$", escaped)


def last_rows(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Reduce the sup errors of theta to one row for each objective, configuration and solution.

    Parameters
    ----------
    rows : iterable of mapping
        Rows of the complete scaling table.

    Returns
    -------
    list of dict
        The row of the smallest learning rate whose error counts for an order
        (:func:`idescent.products.scaling.rows.counts`), with the ``coefficient`` C in error = C alpha^p, p
        being the declared order.  ``slope`` is None if the error at the next larger learning rate does not
        count.  Without an error that counts, it is the row of the smallest learning rate, without numbers.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if (row["quantity"], row["norm"]) == ("theta", "sup"):
            key = (row["objective"], row["optimizer"], row["configuration"], row["solution"])
            groups.setdefault(key, []).append(row)
    return [_last(members) for members in groups.values()]


def _last(members: Sequence[Row]) -> dict[str, Any]:
    members = sorted(members, key=lambda row: -row["alpha"])
    usable = [i for i, row in enumerate(members) if counts(row)]
    row = dict(members[usable[-1] if usable else -1])
    if not usable:
        return row | dict.fromkeys(("error", "slope", "ratio", "coefficient"))
    if usable[-1] - 1 not in usable:
        row["slope"] = None
    return row | {"coefficient": row["error"] / row["alpha"] ** row["declared_order"]}


def as_table(rows: Sequence[Row]) -> Any:
    """Return :func:`last_rows` as a pyarrow table; missing values are null."""
    import pyarrow as pa

    types = dict.fromkeys(_CELL, pa.string()) | dict.fromkeys(HYPERPARAMETERS, pa.float64())
    types |= dict.fromkeys(_SOLUTION, pa.string()) | {"declared_order": pa.int64(), "steps": pa.int64()}
    types |= dict.fromkeys(_NUMBERS, pa.float64())
    arrays = [nullable([finite(row.get(name)) for row in rows], type_) for name, type_ in types.items()]
    return with_others(pa.Table.from_arrays(arrays, names=list(types)), rows)


def markdown(rows: Sequence[Row]) -> str:
    """Return the table as Markdown: a row for each optimizer, four columns for two models of an objective."""
    head, lines = _content(rows, _MARKDOWN)
    text = ["# Orders and error constants of all optimizers", "", _RULE, ""]
    text += [pipes(" ".join(filter(None, column)) for column in head)]
    text += [pipes(["---"] * 2 + ["---:"] * (len(head) - 2)), *map(pipes, lines)]
    return "\n".join([*text, *_declared(rows)]) + "\n"


def latex(rows: Sequence[Row]) -> str:
    """Return the table as a LaTeX ``longtable`` for 16 cm of text width, three objectives and two models.

    It needs the packages ``booktabs`` and ``longtable``.
    """
    head, lines = _content(rows, _LATEX)
    above = [*_spanned([column[:1] for column in head]), *_spanned([column[:2] for column in head])]
    caption = f"Orders and error constants of all optimizers. {_RULE} {' '.join(_declared(rows))}"
    caption = escaped(" ".join(caption.split())).replace("ᵖ", "$^p$")
    columns = "@{}ll" + "r" * (len(head) - 2) + "@{}"
    body = [" & ".join(line) + r" \\" for line in lines]
    text = [r"% Needs \usepackage{booktabs,longtable}, 16 cm of text width."]
    text += [r"\begingroup\scriptsize\setlength{\tabcolsep}{1.5pt}\setlength{\LTcapwidth}{\textwidth}"]
    text += long_table(caption, columns, [name for *_, name in head], body, above)
    return "\n".join([*text, r"\endgroup"]) + "\n"


def _spanned(head: Sequence[tuple[str, ...]]) -> list[str]:
    """Return one line of a head, whose equal neighbours share a cell, and the rules below it."""
    cells, rules, at = [], [], 1
    for column, members in groupby(head):
        n = len(list(members))
        cells.append(rf"\multicolumn{{{n}}}{{c}}{{{column[-1]}}}" if column[-1] else " & ".join([""] * n))
        rules += [rf"\cmidrule(lr){{{at}-{at + n - 1}}}"] if column[-1] else []
        at += n
    return [" & ".join(cells) + r" \\", " ".join(rules)]


def _content(rows: Sequence[Row], form: _Form) -> tuple[list[tuple[str, str, str]], list[list[str]]]:
    """Return the heads of the columns (objective, solution, number) and the rows of cells."""
    objectives, solutions = (
        list(dict.fromkeys(row[key] for row in rows)) for key in ("objective", "solution")
    )
    at = {(*_configuration(row), row["objective"], row["solution"]): row for row in rows}
    head = [("", "", "optimizer"), ("", "", form.text("β"))]
    head += [
        (form.text(objective), form.text(solution), name)
        for objective in objectives
        for solution in solutions
        for name in ("order", "C" if form is _MARKDOWN else "$C$")
    ]
    lines = []
    for key in dict.fromkeys(map(_configuration, rows)):
        first = next(row for row in rows if _configuration(row) == key)
        cells = [form.text(name_of(first)), form.text(short(hyperparameters(first))) or form.missing]
        for objective in objectives:
            for solution in solutions:
                cells += _cells(at.get((*key, objective, solution)), form)
        lines.append(cells)
    return head, lines


def _cells(row: Row | None, form: _Form) -> list[str]:
    if row is None:
        return [form.missing] * 2
    if row["coefficient"] is None:
        reason = without_number(row)
        # One cell for both columns: a word in a column of orders would make the table wider than the page.
        return [rf"\multicolumn{{2}}{{c}}{{{reason}}}"] if form is _LATEX else [reason, form.missing]
    order = form.missing if row["slope"] is None else form.order.format(row["slope"])
    # Two digits: more would not fit on the page, and C still changes with the learning rate.
    mantissa, exponent = f"{row['coefficient']:.1e}".split("e")
    if -2 <= int(exponent) <= 2:
        rounded = float(f"{mantissa}e{exponent}")
        return [order, form.number.format(f"{rounded:.{max(1 - int(exponent), 0)}f}")]
    return [order, form.power.format(mantissa, int(exponent))]


def without_number(row: Row) -> str:
    """Return why a row of :func:`last_rows` has no error that counts for an order."""
    if row["status"] == BELOW:
        return _EXACT
    if meaningless(row) or not ended_well(row["status"]):
        return status_text(row["status"], narrow=True)
    if not good(row):
        return f"run {row['discrete_status']}"
    return "horizon cut" if row["horizon"] == "capped" else _EXACT


def _declared(rows: Sequence[Row]) -> list[str]:
    orders = {row["solution"]: row["declared_order"] for row in rows}
    text = f"Declared orders: {', '.join(f'{name} {order}' for name, order in orders.items())}."
    exact = any(row["coefficient"] is None and without_number(row) == _EXACT for row in rows)
    return ["", f"{text} {_EXPLAINED}" if exact else text]


def _configuration(row: Row) -> tuple[str, str]:
    return row["optimizer"], row["configuration"]


def name_of(row: Mapping[str, Any]) -> str:
    """Return the class of a row's optimizer without its module."""
    return str(row["optimizer"]).rpartition(":")[2]


def job(task: Task) -> str:
    """Write the table of all optimizers in several formats, from a complete scaling table."""
    rows = last_rows(read_errors(task.files).to_pylist())
    write_formats(task.outputs, as_table(rows), lambda: markdown(rows), lambda: latex(rows))
    return f"{len(task.outputs)} formats"
