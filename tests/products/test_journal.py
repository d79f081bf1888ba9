"""The table for a journal: every learning rate asked for, each order or its reason, two lines of caption."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_scaling import LADDER, cut, made

from idescent.analysis.errors import BELOW, IMPLAUSIBLE
from idescent.products.scaling import journal
from idescent.products.scaling import rows as scaling
from idescent.products.scaling.rows import ScalingLine
from idescent.trajectory import REFUSED

LABEL = "tab:study-scaling"
SMALL = [0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4, 2e-5, 1e-5, 1e-6, 1e-7]
REASONS = {
    "chatter: 1998 reversals at α = 0.005": "chatter: 1998 reversals",
    "not counted: 0 of 19 errors count": "not counted",
    "slopes differ: -0.06 to 1.96": "slopes differ",
    "floor: 3 of 5 errors": "floor",
    "zero: 5 of 5 errors": "zero",
    "too few: 2 errors": "too few",
}
"""Reasons, and their words in the table."""


def line(alphas: list[float], **change: Any) -> ScalingLine:
    """One row over a ladder, of order 2."""
    return ScalingLine(
        **{
            "objective": "bowl",
            "optimizer": "AdamW",
            "betas": "0.9, 0.99, decay 0.1",
            "solution": "barakat-bianchi",
            "steps": {alpha: round(1.0 / alpha) for alpha in alphas},
            "errors": tuple(3.4 * alpha**2 for alpha in alphas),
            "ratios": (None,) * len(alphas),
            "slopes": dict.fromkeys(alphas[1:], 2.0),
            "orders": {("theta", "sup"): (2.0, 1.95, 2.05)},
            "window": (alphas[0], alphas[-1], len(alphas)),
            "reason": None,
            "declared": 2,
            "evaluations": 10,
            "marked": False,
            "horizons": frozenset({"given"}),
            **change,
        }
    )


def without_order(line: ScalingLine, reason: str) -> ScalingLine:
    return replace(line, orders={("theta", "sup"): None}, window=None, reason=reason)


def hostile() -> list[ScalingLine]:
    """More rows than a page has, with all reasons, signs and statuses."""
    models = [without_order(line(SMALL, solution=f"a_model&{i}"), text) for i, text in enumerate(REASONS)]
    odd = (IMPLAUSIBLE, REFUSED, BELOW, None, 0.0, math.inf, *[1e-11] * 4)
    models += [line(SMALL, solution="odd", errors=odd, marked=True, horizons=frozenset({"capped"}))]
    models += [line(SMALL, solution=f"model {i}") for i in range(60)]
    betas = [replace(row, betas=f"0.9, 0.{i}", optimizer="Adam") for i in range(90, 93) for row in models[:9]]
    return [*models, *betas]


def body(text: str) -> list[list[str]]:
    """Cells of the rows below the head, without headings."""
    found = []
    for table in re.findall(r"\\begin{tabular}.*?\\midrule\n(.*?)\\bottomrule", text, re.DOTALL):
        found += [row.removesuffix(r" \\").split(" & ") for row in table.splitlines() if " & " in row]
    return [[cell.strip() for cell in row] for row in found]


def test_the_table_has_every_learning_rate_asked_for_and_the_fitted_orders_of_the_long_form() -> None:
    lines = scaling.compact(made(), LADDER)
    text = journal.latex(lines, LADDER, LABEL)
    assert r" & model & $0.1$ & $0.05$ & $0.02$ & $0.01$ & $0.005$ & $0.002$ & $0.001$ & order \\" in text
    first, second = body(text)
    exact = [f"{7.0 * alpha**2:.1e}".split("e") for alpha in LADDER]
    assert second[2:-1] == [rf"${mantissa}{{\cdot}}10^{{{int(power)}}}$" for mantissa, power in exact]
    assert (first[0], first[1], second[0], second[1]) == ("0.9", "first", "", "second")
    assert (first[-1], second[-1]) == (r"$1.000 \pm 0.000$", r"$2.000 \pm 0.000$")
    assert text.count(rf"\label{{{LABEL}}}") == 1
    assert r"\emph{RMSProp, bowl}} \\" in text
    assert r"7 $\alpha$ from $0.1$ to $0.001$, horizon $t =$ 1" in text


def test_many_learning_rates_are_in_further_lines_of_the_same_row() -> None:
    (row,) = [line(SMALL, errors=tuple(float(i + 1) for i in range(len(SMALL))))]
    text = journal.latex([row], SMALL, LABEL)
    cells = [cell for line in body(text) for cell in line[2:-1] if cell]
    assert cells == [rf"${i + 1}.0{{\cdot}}10^{{0}}$" for i in range(9)] + [r"$1.0{\cdot}10^{1}$"]
    head = text.partition(r"\cmidrule")[2].partition(r"\midrule")[0]
    assert re.findall(r"\$([^$]+)\$", head.replace(r"$\beta$", "")) == [
        *("0.1", "0.05", "0.02", "0.01", "0.001", "0.0001", r"2{\cdot}10^{-5}"),
        *("10^{-5}", "10^{-6}", "10^{-7}"),
    ]


@pytest.mark.parametrize(("reason", "word"), list(REASONS.items()))
def test_an_order_that_cannot_be_given_says_why_and_the_notes_explain_the_word(
    reason: str, word: str
) -> None:
    text = journal.latex([without_order(line([0.1]), reason)], [0.1], LABEL)
    ((*_, last),) = body(text)
    assert last == word
    assert f" {word.partition(':')[0].capitalize()}: " in text
    others = {text.partition(":")[0].capitalize() for text in REASONS} - {word.partition(":")[0].capitalize()}
    assert not any(f" {other}: " in text for other in others)


def test_different_grids_and_horizons_are_named_beside_their_optimizers() -> None:
    lines = [line([0.1, 0.01]), line([0.1, 0.01, 0.001], optimizer="Adam", steps=dict.fromkeys(LADDER, 50))]
    text = journal.latex(lines, [0.1, 0.01], LABEL)
    assert r"\emph{AdamW, bowl}: 2 $\alpha$ from $0.1$ to $0.01$, horizon $t =$ 1} \\" in text
    assert r"\emph{Adam, bowl}: 7 $\alpha$ from $0.1$ to $0.001$, horizon $k =$ 50} \\" in text
    assert "grid and horizon beside each optimizer" in text
    fewer = line([0.1], solution="fewer")
    assert "up to 2 $" in journal.latex([line([0.1, 0.01]), fewer], [0.1], LABEL)


def test_signs_and_statuses_are_explained_only_where_they_occur() -> None:
    text = journal.latex(scaling.compact(made(until=cut(*LADDER, at_most=500)), (0.1,)), (0.1,), LABEL)
    assert r"first$^\ddagger$" in text
    assert r"$^\ddagger$ A run had not settled" in text
    assert r"^\dagger" not in text
    assert "Implausible" not in text
    assert "Not computed" not in text
    assert "-- Not computed, or not finite." in journal.latex([line([0.1], errors=(None,))], [0.1], LABEL)
    assert r"\emph{implausible}" in journal.latex(hostile(), SMALL, LABEL)


def test_a_long_table_has_one_caption_and_its_further_pages_repeat_the_heading() -> None:
    text = journal.latex(hostile(), SMALL, LABEL)
    pages = text.split(r"\begin{table*}")[1:]
    assert len(pages) > 2
    assert [r"\caption" in page for page in pages] == [True, *[False] * (len(pages) - 1)]
    assert all(rf"Table~\ref{{{LABEL}}}, continued." in page for page in pages[1:])
    assert all(r"\emph{Adam" in page and r"0.9, 0.9" in page for page in pages)
    # Each row is in one page only.
    names = [row[1] for row in body(text) if row[1]]
    assert names == [texts.replace("&", r"\&").replace("_", r"\_") for texts in map(_name, hostile())]


def _name(line: ScalingLine) -> str:
    return line.solution + (r"$^\dagger$$^\ddagger$" if line.marked else "")


def test_a_study_of_maps_alone_has_a_remark_instead_of_a_table() -> None:
    assert journal.latex([], [0.1], LABEL).startswith("% Every objective")


DOCUMENT = r"""\documentclass[twocolumn%s]{article}
\usepackage{booktabs}
\begin{document}
Text. \input{table}\clearpage
\newsavebox{\typeset}
\sbox{\typeset}{\parbox{16cm}{\setlength{\parindent}{0pt}Table 1: %s\par\typeout{caption: \the\prevgraf}}}
\end{document}
"""


@pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="needs pdflatex: Debian's texlive-latex-recommended"
)
@pytest.mark.parametrize("paper", ["", ",a4paper"])
@pytest.mark.parametrize(
    ("lines", "alphas"),
    [
        (scaling.compact(made(until=cut(*LADDER, at_most=500)), LADDER), LADDER),
        ([line(SMALL, steps=dict.fromkeys(SMALL, 200_000_000), horizons=frozenset({"capped"}))], SMALL),
        ([line([*SMALL, *(0.5 * alpha for alpha in SMALL[-9:])])], [*SMALL, *(0.5 * a for a in SMALL[-9:])]),
        (hostile(), SMALL),
        (hostile(), SMALL[:1]),
    ],
    ids=["usual", "until", "many", "hostile", "one"],
)
def test_the_table_compiles_in_two_columns_and_fits_with_two_lines_of_caption(
    tmp_path: Path, lines: list[ScalingLine], alphas: list[float], paper: str
) -> None:
    chosen = [replace(line, errors=line.errors[: len(alphas)]) for line in lines]
    text = journal.latex(chosen, alphas, LABEL)
    (tmp_path / "table.tex").write_text(text, encoding="utf-8")
    (caption,) = re.findall(r"\\caption{(.*)}\\label", text)
    (tmp_path / "document.tex").write_text(DOCUMENT % (paper, caption), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    for _ in range(2):
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False
        )
    assert done.returncode == 0, done.stdout
    assert re.findall(r"^(?:Overfull|LaTeX Warning|Package \w+ Warning).*", done.stdout, re.MULTILINE) == []
    (height,) = re.findall(r"^caption: (\d+)", done.stdout, re.MULTILINE)
    assert int(height) <= 2
