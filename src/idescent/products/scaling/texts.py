"""Words and numbers of the scaling tables for people: formats, notes and the text of each cell.

What lives here: what the long form and the table for a journal share.  What does not: the tables themselves
(:mod:`idescent.products.scaling.table`, :mod:`idescent.products.scaling.journal`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from idescent.analysis import orders
from idescent.analysis.errors import BELOW, IMPLAUSIBLE
from idescent.analysis.floor import ABOVE_FLOOR
from idescent.drawing.markup import escaped, scientific, status_text
from idescent.products.scaling.rows import ScalingLine
from idescent.trajectory import REFUSED

FIT = (
    "Order: least-squares slope of ln(error) over ln(α) in the asymptotic window, ± the wider of Student's "
    "95 % interval and the drift that the last slopes leave possible."
)
RULE = (
    f"{FIT} The window ends at the smallest α whose error is above {ABOVE_FLOOR:g} times the "
    "estimated error of solver and rounding, and "
    f"extends to larger α as long as pairwise slopes differ by at most {orders.SPREAD:g}; it has at least "
    f"{orders.FEWEST} values of α (their number is in brackets). Without such a window there is no order, "
    "and the last pairwise slope is in brackets. Declared: the order that the model claims as α → 0."
)
REASONS = {
    "too few": "the ladder has too few α",
    "not counted": "too few solutions reached their tolerance over a horizon that was not cut",
    "zero": "errors are 0",
    "floor": f"errors are within {ABOVE_FLOOR:g} times the estimated error of solver and rounding",
    "chatter": "a coordinate of the run oscillates from one iteration to the next",
    "slopes differ": f"pairwise slopes differ by more than {orders.SPREAD:g}",
}
"""Meaning of each kind of reason why there is no order."""

NOTE = "A solution did not reach its tolerance, or a run diverged; its error does not count for the order."
ODD = {
    IMPLAUSIBLE: "Implausible: the solution is more than ten times as far from the start as the run ever is.",
    REFUSED: "Refused: the model or its solver does not allow these hyper-parameters.",
    BELOW: f"Below: the error is less than {ABOVE_FLOOR:g} times the reference's own.",
}
CUT = (
    "A run had not settled at the largest horizon and was cut there; its error does not count for the order."
)

Column = tuple[str, str]
"""Common head of several columns (or empty), and the head of one."""


@dataclass(frozen=True)
class Form:
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


MARKDOWN = Form(
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
LATEX = Form(
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
    # The column has no room for the numbers of a reason.
    reason=orders.short,
)


def rule(lines: Iterable[ScalingLine]) -> str:
    """Return the rule of the fit, with the kinds of reasons if a line has no order."""
    if not any(line.reason for line in lines):
        return RULE
    return f"{RULE} Reasons for no window. {' '.join(meaning(kind) for kind in REASONS)}"


def meaning(kind: str) -> str:
    """Return the meaning of a kind of reason as a sentence: ``Zero: errors are 0.``."""
    return f"{kind.capitalize()}: {REASONS[kind]}."


def error(value: float | str | None, form: Form) -> str:
    """Return an error, or the status of one that has no meaning."""
    if value == BELOW:
        return status_text(BELOW, narrow=True)
    if isinstance(value, str):
        return form.bold.format(value)
    return scientific(value, form.number, form.missing)


def rates(what: str, alphas: Iterable[float], form: Form) -> list[Column]:
    """Return the heads of columns that have a learning rate each."""
    return [(f"{what} {form.alpha} =", form.rate.format(rate(alpha, form.power))) for alpha in alphas]


def sections(lines: Iterable[ScalingLine]) -> dict[tuple[str, str], list[ScalingLine]]:
    """Group lines by objective and optimizer."""
    groups: dict[tuple[str, str], list[ScalingLine]] = {}
    for line in lines:
        groups.setdefault((line.objective, line.optimizer), []).append(line)
    return groups


def notes(lines: Iterable[ScalingLine], form: Form) -> list[tuple[str, str]]:
    """Return the signs behind names of solutions, with their meanings."""
    lines = list(lines)
    needed = (any(line.marked for line in lines), any("capped" in line.horizons for line in lines))
    signs = zip(form.daggers, (NOTE, CUT), needed, strict=True)
    return [(sign, note) for sign, note, used in signs if used]


def horizon(lines: Sequence[ScalingLine]) -> str:
    """Return the horizons of the runs of a section in words."""
    steps = [count for line in lines for count in line.steps.values()]
    times = [alpha * count for line in lines for alpha, count in line.steps.items()]
    span = f"k = {min(steps)}" + (f" … {max(steps)}" if max(steps) > min(steps) else "")
    if any(line.horizons != {"given"} for line in lines):
        return f"until settled, {span}"
    coarsest = max(alpha for line in lines for alpha in line.steps)
    # A whole number of iterations misses a time by up to half a learning rate.
    return f"t = {min(times):.3g}" if max(times) - min(times) <= coarsest else span


def name(line: ScalingLine, form: Form) -> str:
    """Return the name of a solution with its signs."""
    signs = zip(form.daggers, (line.marked, "capped" in line.horizons), strict=True)
    return form.text(line.solution) + "".join(sign for sign, used in signs if used)


def order(line: ScalingLine, form: Form) -> str:
    """Return the fitted order with half the width of its interval, or the last slope in brackets."""
    if line.fitted is None:
        return form.missing if line.slope is None else f"({line.slope:.2f})"
    value, low, high = line.fitted
    return form.order.format(value, 0.5 * (high - low))


def decimal(value: float | None, form: Form) -> str:
    """Return a number with two decimals."""
    return form.missing if value is None else form.decimal.format(value)


def window(line: ScalingLine, form: Form) -> str:
    """Return the asymptotic window with its number of learning rates, or why there is none."""
    if line.window is None:
        return "none" if line.reason is None else f"none ({form.reason(line.reason)})"
    largest, smallest, points = line.window
    ends = (form.rate.format(rate(alpha, form.power)) for alpha in (largest, smallest))
    return form.window.format(*ends, points)


def rate(alpha: float, power: str) -> str:
    """Return a learning rate; ``power`` formats mantissa and exponent of a small one."""
    text = f"{alpha:g}"
    mantissa, letter, exponent = text.partition("e")
    return power.format(mantissa, int(exponent)) if letter else text


def ratio(value: float | None, form: Form) -> str:
    """Return a ratio of errors with two digits, or as a whole number from 100 on."""
    if value is None:
        return form.missing
    if value >= 1e5:
        return scientific(value, form.number, form.missing)
    return f"{value:.0f}" if value >= 100.0 else f"{value:.2g}"


def count(value: int | None, form: Form) -> str:
    """Return a whole number."""
    return form.missing if value is None else str(value)


def tex(text: str) -> str:
    """Return a sentence of the scaling tables in LaTeX."""
    signs = {"α": r"$\alpha$", "→": r"$\to$", "±": r"$\pm$", "%": r"\%", "…": r"$\dots$"}
    return "".join(signs.get(c, c) for c in text).replace("k = ", "$k =$ ").replace("t = ", "$t =$ ")
