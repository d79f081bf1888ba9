"""Scaling tables for people: Markdown and LaTeX, one row for each model of each configuration.

What lives here: the text, and writing all formats.  What does not: the numbers
(:mod:`idescent.products.scaling.rows`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from idescent.analysis import orders
from idescent.analysis.errors import BELOW, IMPLAUSIBLE, NORMS
from idescent.analysis.floor import ABOVE_FLOOR
from idescent.drawing.markup import escaped, long_table, pipes, scientific, status_text
from idescent.products.formats import write_formats
from idescent.products.product import Task
from idescent.products.scaling.rows import Row, ScalingLine, as_table, compact
from idescent.products.scaling.rows import rows as scaling_rows
from idescent.store.tables import read_errors
from idescent.study import registry
from idescent.trajectory import REFUSED

_RULE = (
    "Order: least-squares slope of ln(error) over ln(α) in the asymptotic window, ± the wider of Student's "
    "95 % interval and the drift that the last slopes leave possible. The window ends at the smallest α "
    f"whose error is above {ABOVE_FLOOR:g} times the estimated error of solver and rounding, and "
    f"extends to larger α as long as pairwise slopes differ by at most {orders.SPREAD:g}; it has at least "
    f"{orders.FEWEST} values of α (their number is in brackets). Without such a window there is no order, "
    "and the last pairwise slope is in brackets. Declared: the order that the model claims as α → 0."
)
_REASONS = (
    "Reasons for no window. Too few: the ladder has too few α. Not counted: too few solutions reached their "
    "tolerance over a horizon that was not cut. Zero and floor: errors are 0, or within "
    f"{ABOVE_FLOOR:g} times the estimated error of solver and rounding. Chatter: a coordinate of the "
    "run oscillates from one iteration to the next. Slopes differ: pairwise slopes differ by more than "
    f"{orders.SPREAD:g}."
)
_NOTE = "A solution did not reach its tolerance, or a run diverged; its error does not count for the order."
_ODD = {
    IMPLAUSIBLE: "Implausible: the solution is more than ten times as far from the start as the run ever is.",
    REFUSED: "Refused: the model or its solver does not allow these hyper-parameters.",
    BELOW: f"Below: the error is less than {ABOVE_FLOOR:g} times the reference's own.",
}
_CUT = (
    "A run had not settled at the largest horizon and was cut there; its error does not count for the order."
)
_PAIR = "from the next larger α to the one named"
_ORDERS = "fitted order of each quantity and norm over the iterations, each in its own asymptotic window"
# More slopes would leave no room for the names of the models.
_MOST_SLOPES = 12


Column = tuple[str, str]
"""Common head of several columns (or empty), and the head of one."""


@dataclass(frozen=True)
class _Form:
    """Formats of numbers and signs."""

    number: str
    power: str
    rate: str
    decimal: str
    order: str
    window: str
    missing: str
    daggers: tuple[str, str]
    alpha: str
    betas: str
    bold: str
    text: Callable[[str], str]
    symbol: Callable[[str], str]
    reason: Callable[[str], str]


_MARKDOWN = _Form(
    number="{}e{}",
    power="{}e{}",
    rate="{}",
    decimal="{:.2f}",
    order="{:.3f} ± {:.3f}",
    window="{} … {} ({})",
    missing="–",
    daggers=(" †", " ‡"),
    alpha="α",
    betas="β",
    bold="**{}**",
    text=str,
    symbol=str,
    reason=str,
)
_LATEX = _Form(
    number=r"${} \times 10^{{{}}}$",
    power=r"{} \times 10^{{{}}}",
    rate="${}$",
    decimal="${:.2f}$",
    order=r"${:.3f} \pm {:.3f}$",
    window="{}--{} ({})",
    missing="--",
    daggers=(r"$^\dagger$", r"$^\ddagger$"),
    alpha=r"$\alpha$",
    betas=r"$\beta$",
    bold=r"\textbf{{{}}}",
    text=escaped,
    symbol=lambda name: {"theta": r"$\theta$", "loss": "loss"}.get(name, f"${name}$"),
    # The column has room only for the kind of reason.
    reason=lambda text: text.partition(":")[0],
)


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
    text += [_rule(lines), "Gradients: gradient evaluations of the solver, at the tolerance of the study."]
    text += [f"Slope: pairwise, {_PAIR}. Last table: {_ORDERS}.", ""]
    for (objective, optimizer), members in _sections(lines).items():
        text += [f"## {optimizer}, {objective}", "", f"Horizon: {_horizon(members)}.", ""]
        for head, rows in _tables(members, alphas, reference, _MARKDOWN):
            if len(head) == 2:
                continue  # a ladder of one learning rate has no slopes
            text += [pipes(" ".join(filter(None, column)) for column in head)]
            text += [pipes(["---"] * 2 + ["---:"] * (len(head) - 2)), *map(pipes, rows), ""]
    text += [f"{sign.strip()} {note}" for sign, note in _notes(lines, _MARKDOWN)]
    text += [note for word, note in _ODD.items() if any(word in line.errors for line in lines)]
    return "\n".join(text).rstrip("\n") + "\n"


def latex(lines: Sequence[ScalingLine], alphas: Sequence[float], reference: str | None = None) -> str:
    """Return the compact tables as LaTeX ``longtable`` environments, for 16 cm of text width.

    They need the packages ``booktabs`` and ``longtable``.
    """
    text = [r"% Errors and orders of the models. Needs \usepackage{booktabs,longtable}, 16 cm of text width."]
    text += [r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}\setlength{\LTcapwidth}{\textwidth}"]
    rule = _rule(lines)
    for (objective, optimizer), members in _sections(lines).items():
        subject = f"{escaped(optimizer)}, objective {escaped(objective)}, horizon {_tex(_horizon(members))}"
        cost = "Gradient evaluations of the solver at the smallest $\\alpha$ of the table of errors"
        gain = f", and the error of {escaped(reference)} divided by this one" if reference else ""
        captions = [
            f"Largest error of $\\theta$ over all iterations, and observed orders: {subject}. {_tex(rule)}",
            f"Cost: {subject}. {cost}{gain}.",
            f"Pairwise slopes, {_tex(_PAIR)}: {subject}.",
            f"Orders of errors: {subject}. {_ORDERS[0].upper()}{_ORDERS[1:]}.",
        ]
        rule = "Order, declared order and window as in the first of these tables."
        notes = "".join(f" {sign} {note}" for sign, note in _notes(members, _LATEX))
        notes += "".join(f" {note}" for word, note in _ODD.items() if any(word in m.errors for m in members))
        tables = _tables(members, alphas, reference, _LATEX)
        for caption, (head, rows) in zip(captions, tables, strict=True):
            text += ["", *_longtable(caption + notes, head, rows)] if len(head) > 2 else []
    return "\n".join([*text, r"\endgroup"]) + "\n"


def _rule(lines: Iterable[ScalingLine]) -> str:
    return f"{_RULE} {_REASONS}" if any(line.reason for line in lines) else _RULE


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
    lines: Sequence[ScalingLine], alphas: Sequence[float], reference: str | None, form: _Form
) -> list[tuple[list[Column], list[list[str]]]]:
    """Return heads and rows of the tables of one section: errors, costs, slopes, orders."""
    falling = sorted({alpha for line in lines for alpha in line.slopes}, reverse=True)[-_MOST_SLOPES:]
    quantities = dict.fromkeys(quantity for line in lines for quantity, _ in line.orders)
    pairs = [(quantity, norm) for quantity in quantities for norm in NORMS]
    ratio = f"ratio to {form.text(reference)} at" if reference else None
    heads: list[list[Column]] = [
        [*_rates("error at", alphas, form), ("", "order"), ("", "declared"), ("", "window")],
        [*_rates("gradients at", alphas[-1:], form), *(_rates(ratio, alphas, form) if ratio else [])],
        _rates("slope at", falling, form),
        [(form.symbol(quantity), norm) for quantity, norm in pairs],
    ]
    parts: list[list[list[str]]] = [[], [], [], []]
    for line in lines:
        errors = [_error(error, form) for error in line.errors]
        fits = [line.orders.get(pair) for pair in pairs]
        cells = [
            [*errors, _order(line, form), _count(line.declared, form), _window(line, form)],
            [_count(line.evaluations, form), *(_ratio(value, form) for value in line.ratios if ratio)],
            [_decimal(line.slopes.get(alpha), form) for alpha in falling],
            [_decimal(fit and fit[0], form) for fit in fits],
        ]
        for part, row in zip(parts, cells, strict=True):
            part.append([form.text(line.betas) or form.missing, _name(line, form), *row])
    start = [("", form.betas), ("", "model")]
    return [([*start, *head], rows) for head, rows in zip(heads, parts, strict=True)]


def _error(error: float | str | None, form: _Form) -> str:
    if error == BELOW:
        return status_text(BELOW, narrow=True)
    if isinstance(error, str):
        return form.bold.format(error)
    return scientific(error, form.number, form.missing)


def _rates(what: str, alphas: Iterable[float], form: _Form) -> list[Column]:
    return [(f"{what} {form.alpha} =", form.rate.format(_rate(alpha, form.power))) for alpha in alphas]


def _sections(lines: Iterable[ScalingLine]) -> dict[tuple[str, str], list[ScalingLine]]:
    groups: dict[tuple[str, str], list[ScalingLine]] = {}
    for line in lines:
        groups.setdefault((line.objective, line.optimizer), []).append(line)
    return groups


def _notes(lines: Iterable[ScalingLine], form: _Form) -> list[tuple[str, str]]:
    lines = list(lines)
    needed = (any(line.marked for line in lines), any("capped" in line.horizons for line in lines))
    notes = zip(form.daggers, (_NOTE, _CUT), needed, strict=True)
    return [(sign, note) for sign, note, shown in notes if shown]


def _horizon(lines: Sequence[ScalingLine]) -> str:
    """Return the horizons of the runs of a section in words."""
    steps = [count for line in lines for count in line.steps.values()]
    times = [alpha * count for line in lines for alpha, count in line.steps.items()]
    span = f"k = {min(steps)}" + (f" … {max(steps)}" if max(steps) > min(steps) else "")
    if any(line.horizons != {"given"} for line in lines):
        return f"until settled, {span}"
    coarsest = max(alpha for line in lines for alpha in line.steps)
    # A whole number of iterations misses a time by up to half a learning rate.
    return f"t = {min(times):.3g}" if max(times) - min(times) <= coarsest else span


def _name(line: ScalingLine, form: _Form) -> str:
    signs = zip(form.daggers, (line.marked, "capped" in line.horizons), strict=True)
    return form.text(line.solution) + "".join(sign for sign, shown in signs if shown)


def _order(line: ScalingLine, form: _Form) -> str:
    if line.fitted is None:
        return form.missing if line.slope is None else f"({line.slope:.2f})"
    order, low, high = line.fitted
    return form.order.format(order, 0.5 * (high - low))


def _decimal(value: float | None, form: _Form) -> str:
    return form.missing if value is None else form.decimal.format(value)


def _window(line: ScalingLine, form: _Form) -> str:
    if line.window is None:
        return "none" if line.reason is None else f"none ({form.reason(line.reason)})"
    largest, smallest, points = line.window
    ends = (form.rate.format(_rate(alpha, form.power)) for alpha in (largest, smallest))
    return form.window.format(*ends, points)


def _rate(alpha: float, power: str) -> str:
    text = f"{alpha:g}"
    mantissa, letter, exponent = text.partition("e")
    return power.format(mantissa, int(exponent)) if letter else text


def _ratio(value: float | None, form: _Form) -> str:
    if value is None:
        return form.missing
    if value >= 1e5:
        return scientific(value, form.number, form.missing)
    return f"{value:.0f}" if value >= 100.0 else f"{value:.2g}"


def _count(value: int | None, form: _Form) -> str:
    return form.missing if value is None else str(value)


def _tex(text: str) -> str:
    """Return a sentence of this module in LaTeX."""
    signs = {"α": r"$\alpha$", "→": r"$\to$", "±": r"$\pm$", "%": r"\%", "…": r"$\dots$"}
    return "".join(signs.get(c, c) for c in text).replace("k = ", "$k =$ ").replace("t = ", "$t =$ ")


def job(task: Task) -> str:
    """Write the complete scaling table and its compact forms; return a line about it."""
    given = task.given
    models = {name: registry.model(spec) for name, spec in given["models"].items()}
    declared = {name: (model.name, model.order) for name, model in models.items()}
    errors = read_errors(task.files).to_pylist()
    rows = scaling_rows(errors, declared, given["reference"], given["quantities"], given["until"])
    write(rows, given["alpha"], given["reference"], task.outputs, given["maps"])
    return f"{len(task.outputs)} formats"
