"""Scaling tables for people: Markdown and LaTeX, one row for each model of each configuration.

What lives here: the text, and writing all formats.  What does not: the numbers (:mod:`idescent.scaling`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from idescent import orders
from idescent.files import write_text
from idescent.scaling import Line, Row, as_table, compact
from idescent.tables import FORMATS, csv, escaped, pipes, scientific
from idescent.trajectory import write_table

_RULE = (
    "Order: least-squares slope of ln(error) over ln(α) in the asymptotic window, ± the wider of Student's "
    "95 % interval and the drift that the last slopes leave possible. The window ends at the smallest α "
    f"whose error is above {orders.ABOVE_FLOOR:g} times what solver and rounding may make, and reaches up as "
    f"far as pairwise slopes differ by at most {orders.SPREAD:g}; it has at least {orders.FEWEST} values of "
    "α. Without such a window there is no order; the last pairwise slope then stands in brackets."
)
_NOTE = "A solution did not reach its tolerance, or a run diverged; it does not count for the order."


def write(
    found: Sequence[Row], alphas: Sequence[float], reference: str | None, outputs: Iterable[Path]
) -> None:
    """Write the complete table (.parquet, .csv) and the compact one (.md, .tex).

    Raises
    ------
    ValueError
        If the suffix of an output is not known; then nothing is written.
    """
    targets = list(outputs)
    for target in targets:
        if target.suffix not in FORMATS:
            known = ", ".join(FORMATS)
            raise ValueError(f"{target}: {target.suffix!r} is not allowed: must be one of {known}")
    table, lines = as_table(found), compact(found, alphas)
    for target in targets:
        if target.suffix == ".parquet":
            write_table(target, table)
        elif target.suffix == ".csv":
            write_text(target, csv(table))
        elif target.suffix == ".md":
            write_text(target, markdown(lines, alphas, reference))
        else:
            write_text(target, latex(lines, alphas, reference))


def markdown(lines: Sequence[Line], alphas: Sequence[float], reference: str | None = None) -> str:
    """Return the compact table as Markdown, one section for each objective and optimizer."""
    head = ["β", "model", *(f"error, α = {alpha:g}" for alpha in alphas)]
    head += [f"ratio, α = {alpha:g}" for alpha in alphas] if reference else []
    head += ["order", "window", "declared", f"gradients, α = {min(alphas):g}"]
    text = ["# Errors and orders of the models", ""]
    text += ["Error: largest |discrete − continuous| of θ over all iterations."]
    text += [f"Ratio: the error of `{reference}` over this one's, at the same α."] if reference else []
    text += [_RULE, "Gradients: gradient evaluations of the solver, at the tolerance of the study.", ""]
    for (objective, optimizer), members in _sections(lines).items():
        text += [
            f"## {optimizer}, {objective}",
            "",
            pipes(head),
            pipes(["---"] * 2 + ["---:"] * (len(head) - 2)),
        ]
        for line in members:
            cells = [line.betas or "–", line.solution + (" †" if line.marked else "")]
            cells += [scientific(error, "{}e{}", "–") for error in line.errors]
            cells += [_ratio(ratio, "–") for ratio in line.ratios] if reference else []
            cells += [_order(line, "{:.3f} ± {:.3f}", "–"), _window(line, "{} … {}", "{}e{}", "–")]
            cells += [_count(line.declared, "–"), _count(line.evaluations, "–")]
            text.append(pipes(cells))
        text.append("")
    if any(line.marked for line in lines):
        text.append(f"† {_NOTE}")
    return "\n".join(text).rstrip("\n") + "\n"


def latex(lines: Sequence[Line], alphas: Sequence[float], reference: str | None = None) -> str:
    """Return the compact tables as LaTeX ``tabular`` environments; they need the package ``booktabs``."""
    n = len(alphas)
    columns = "ll" + "r" * n + ("r" * n if reference else "") + "rrrr"
    rates = [f"${alpha:g}$" for alpha in alphas]
    spans = [rf"\multicolumn{{{n}}}{{c}}{{Error at $\alpha =$}}"]
    rules = rf"\cmidrule(lr){{3-{2 + n}}}"
    if reference:
        spans.append(rf"\multicolumn{{{n}}}{{c}}{{Ratio to {escaped(reference)} at $\alpha =$}}")
        rules += rf" \cmidrule(lr){{{3 + n}-{2 + 2 * n}}}"
    head = [r"$\beta$", "Model", *rates, *(rates if reference else [])]
    head += ["Order", "Window", "Declared", "Gradients"]
    text = ["% Errors and orders of the models. Needs \\usepackage{booktabs}."]
    text += [f"% {sentence.removesuffix('.')}." for sentence in _plain(_RULE).split(". ")]
    text += [f"% Gradients: evaluations at alpha = {min(alphas):g}."]
    power = r"${} \times 10^{{{}}}$"
    for (objective, optimizer), members in _sections(lines).items():
        text += ["", f"% {optimizer}, {objective}", f"\\begin{{tabular}}{{{columns}}}", r"\toprule"]
        text += [" & & " + " & ".join(spans) + r" & & & & \\", rules, " & ".join(head) + r" \\"]
        before: str | None = None
        for line in members:
            text += [] if line.betas == before else [r"\midrule"]
            cells = ["" if line.betas == before else line.betas or "--"]
            before = line.betas
            cells.append(escaped(line.solution) + (r"$^\dagger$" if line.marked else ""))
            cells += [scientific(error, power, "--") for error in line.errors]
            cells += [_ratio(ratio, "--") for ratio in line.ratios] if reference else []
            cells += [
                _order(line, r"${:.3f} \pm {:.3f}$", "--"),
                _window(line, "${}$--${}$", r"{} \times 10^{{{}}}", "--"),
            ]
            cells += [_count(line.declared, "--"), _count(line.evaluations, "--")]
            text.append(" & ".join(cells) + r" \\")
        text.append(r"\bottomrule")
        if any(line.marked for line in members):
            text.append(rf"\multicolumn{{{len(columns)}}}{{l}}{{$^\dagger$ {_NOTE}}} \\")
        text.append(r"\end{tabular}")
    return "\n".join(text) + "\n"


def _sections(lines: Iterable[Line]) -> dict[tuple[str, str], list[Line]]:
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.objective, line.optimizer), []).append(line)
    return groups


def _order(line: Line, form: str, missing: str) -> str:
    if line.fitted is not None:
        order, low, high = line.fitted
        return form.format(order, 0.5 * (high - low))
    return missing if line.slope is None else f"({line.slope:.2f})"


def _window(line: Line, form: str, power: str, missing: str) -> str:
    return missing if line.window is None else form.format(*(_rate(a, power) for a in line.window))


def _rate(alpha: float, power: str) -> str:
    text = f"{alpha:g}"
    mantissa, letter, exponent = text.partition("e")
    return power.format(mantissa, int(exponent)) if letter else text


def _ratio(value: float | None, missing: str) -> str:
    if value is None:
        return missing
    return f"{value:.0f}" if value >= 100.0 else f"{value:.2g}"


def _count(value: int | None, missing: str) -> str:
    return missing if value is None else str(value)


def _plain(text: str) -> str:
    return text.replace("α", "alpha").replace("±", "+-")
