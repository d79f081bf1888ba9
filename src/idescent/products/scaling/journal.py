"""The scaling table for a journal of two columns: one floating LaTeX table for a study, as wide as the page.

What lives here: its rows, caption and division into pages.  What does not: the long form (:mod:`.table`), the
text of a cell (:mod:`.texts`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from idescent.analysis import orders
from idescent.drawing.markup import escaped
from idescent.products.scaling import texts
from idescent.products.scaling.rows import ScalingLine

# Estimates for Computer Modern in the size of the table, in points: 16 cm of text width, a character, an
# error such as 3.4·10^-2, and the space between two columns.
_WIDTH, _CHARACTER, _ERROR, _SPACE = 450.0, 4.3, 30.0, 6.0
_LEAST = 4  # errors beside each other, however long the names are
_MANY = 8  # from so many errors beside each other on, columns are closer
# Rows of a page of US letter with caption and head, and the height of a heading and of spaces in rows.
_PAGE, _HEADING, _GAP, _THIN = 50.0, 2.0, 0.5, 0.2
_LINE = 100  # characters in a line of notes
_FORM = replace(texts.LATEX, power=r"{}{{\cdot}}10^{{{}}}", bold=r"\emph{{{}}}")


def latex(lines: Sequence[ScalingLine], alphas: Sequence[float], label: str) -> str:
    r"""Return the table as LaTeX ``table*`` environments for 16 cm of text width.

    It needs the package ``booktabs``.  The first environment has the caption and the label; further pages of
    a long table refer to it.

    Parameters
    ----------
    lines : sequence of ScalingLine
    alphas : sequence of float
        Learning rates of the errors of ``lines``.
    label : str
        Argument of ``\label``.
    """
    if not lines:
        return "% Every objective of the study is drawn as a map: the table has no row.\n"
    across = _across(lines, len(alphas))
    text = [r"% Errors and orders for a journal. Needs \usepackage{booktabs}, 16 cm of text width."]
    start = rf"\caption{{{_caption(lines)}}}\label{{{label}}}"
    notes = _notes(lines)
    room = _PAGE - len(notes) / _LINE
    pages = list(_pages(_blocks(lines, across, room), across, room))
    for i, rows in enumerate(pages):
        text += [
            r"\begin{table*}[tp]",
            rf"\centering\footnotesize\setlength{{\tabcolsep}}{{{_space(across)}}}",
        ]
        text += [rf"Table~\ref{{{label}}}, continued.\par\smallskip" if i else start]
        text += [rf"\begin{{tabular}}{{ll{'r' * across}l}}", r"\toprule", *_head(alphas, across), r"\midrule"]
        text += [*rows, r"\bottomrule", r"\end{tabular}"]
        if i == len(pages) - 1:
            text += [rf"\par\smallskip\parbox{{\textwidth}}{{{notes}}}"]
        text += [r"\end{table*}"]
    return "\n".join(text) + "\n"


def _space(across: int) -> str:
    return "2pt" if across >= _MANY else "3pt"


def _across(lines: Sequence[ScalingLine], count: int) -> int:
    """Return how many errors fit beside each other; further ones are in further lines of the same row."""
    columns = [[line.betas for line in lines], [line.solution for line in lines]]
    columns += [[orders.short(line.reason or "") or "1.000 ± 0.000" for line in lines]]
    fixed = sum(_CHARACTER * max(map(len, column)) + _SPACE for column in columns)
    most = max(_LEAST, int((_WIDTH - fixed) / (_ERROR + _SPACE)))
    return math.ceil(count / math.ceil(count / most))


def _head(alphas: Sequence[float], across: int) -> list[str]:
    rates = [f"${_rate(alpha)}$" for alpha in alphas]
    above = rf" & & \multicolumn{{{across}}}{{c}}{{error at $\alpha =$}} & \\"
    return [above, rf"\cmidrule(lr){{3-{across + 2}}}", *_row([r"$\beta$", "model"], rates, "order", across)]


def _row(names: Sequence[str], cells: Sequence[str], last: str, across: int) -> list[str]:
    """Return a row in as many lines as its cells need; the first line has the names and the last cell."""
    lines = []
    for i in range(0, len(cells), across):
        part = [*cells[i : i + across], *[""] * (across - len(cells[i : i + across]))]
        lines.append(
            " & ".join([*(names if i == 0 else [""] * len(names)), *part, "" if i else last]) + r" \\"
        )
    return lines


def _blocks(lines: Sequence[ScalingLine], across: int, room: float) -> Iterator[tuple[str, list[str], float]]:
    """Return the heading above each configuration, its rows, and their height; a page has room for them."""
    common = len({_conditions(members) for members in texts.sections(lines).values()}) == 1
    for (objective, optimizer), members in texts.sections(lines).items():
        heading = rf"\emph{{{escaped(optimizer)}, {escaped(objective)}}}"
        heading += "" if common else f": {_conditions(members)}"
        for betas, same in groupby(members, key=lambda line: line.betas):
            models = list(same)
            deep = math.ceil(len(models[0].errors) / across)
            height = deep + _THIN if deep > 1 else 1.0
            most = max(1, int((room - _HEADING) / height))
            for i in range(0, len(models), most):
                rows: list[str] = []
                for line in models[i : i + most]:
                    rows += [r"\addlinespace[2pt]"] if rows and deep > 1 else []
                    names = ["" if rows else escaped(betas) or _FORM.missing, texts.name(line, _FORM)]
                    rows += _row(names, [_error(value) for value in line.errors], _order(line), across)
                yield heading, rows, height * len(models[i : i + most])


def _pages(blocks: Iterable[tuple[str, list[str], float]], across: int, room: float) -> Iterator[list[str]]:
    """Divide the rows into pages, between configurations; each page repeats the heading above its rows."""
    page: list[str] = []
    used, above = 0.0, ""
    for heading, rows, height in blocks:
        if page and used + height + (_GAP if heading == above else _HEADING) > room:
            yield page
            page, used, above = [], 0.0, ""
        if heading == above:
            page.append(r"\addlinespace")
            used += _GAP
        else:
            page += [r"\midrule"] if page else []
            page += [rf"\multicolumn{{{across + 3}}}{{l}}{{{heading}}} \\", r"\addlinespace"]
            used += _HEADING
        page += rows
        used, above = used + height, heading
    yield page


def _caption(lines: Sequence[ScalingLine]) -> str:
    """Return the caption: norm, grid and horizon, in at most two lines."""
    conditions = {_conditions(members) for members in texts.sections(lines).values()}
    where = conditions.pop() if len(conditions) == 1 else "grid and horizon beside each optimizer"
    return (
        r"Errors $\max_k \|\theta_k - \theta(t_k)\|_2$ over all iterations $k$, "
        f"{where}. Order with its interval, or the reason why there is none."
    )


def _conditions(lines: Sequence[ScalingLine]) -> str:
    """Return grid and horizon of some lines."""
    alphas = sorted({alpha for line in lines for alpha in line.steps}, reverse=True)
    if len(alphas) == 1:
        grid = rf"$\alpha = {_rate(alphas[0])}$"
    else:
        most = "" if all(len(line.steps) == len(alphas) for line in lines) else "up to "
        grid = rf"{most}{len(alphas)} $\alpha$ from ${_rate(alphas[0])}$ to ${_rate(alphas[-1])}$"
    return f"{grid}, horizon {texts.tex(texts.horizon(lines))}"


def _notes(lines: Sequence[ScalingLine]) -> str:
    """Explain the order, and the signs, reasons and statuses that the table contains."""
    kinds = {orders.short(line.reason).partition(":")[0] for line in lines if line.reason}
    sentences = [texts.tex(texts.FIT)]
    sentences += [texts.tex(texts.meaning(kind)) for kind in texts.REASONS if kind in kinds]
    sentences += [f"{sign} {note}" for sign, note in texts.notes(lines, _FORM)]
    sentences += [note for word, note in texts.ODD.items() if any(word in line.errors for line in lines)]
    sentences += (
        [f"{_FORM.missing} Not computed, or not finite."] if any(None in m.errors for m in lines) else []
    )
    return " ".join(sentences)


def _order(line: ScalingLine) -> str:
    if line.fitted is None:
        return _FORM.missing if line.reason is None else orders.short(line.reason)
    return texts.order(line, _FORM)


def _error(value: float | str | None) -> str:
    """Return an error with two digits, to save width."""
    if value is None or isinstance(value, str) or not 0.0 < value < math.inf:
        return texts.error(value, _FORM)
    mantissa, exponent = f"{value:.1e}".split("e")
    return rf"${mantissa}{{\cdot}}10^{{{int(exponent)}}}$"


def _rate(alpha: float) -> str:
    r"""Return a learning rate in TeX: ``0.1``, ``10^{-5}``, ``2{\cdot}10^{-5}``."""
    return texts.rate(alpha, _FORM.power).removeprefix(r"1{\cdot}")
