"""The tables compile as they stand, and fit on the page, in a document that needs no more than they say."""

import math
import re
import shutil
import subprocess

import pytest
from test_scaling import LADDER, cut, made, tidy
from test_tables import measured, rows, written  # noqa: F401 (a fixture)

from idescent.products.errors import rows as error_rows
from idescent.products.scaling import rows as scaling
from idescent.products.scaling import table as scaling_table

DOCUMENT = r"""\documentclass[a4paper]{article}
\usepackage[margin=2.5cm]{geometry}
\usepackage{booktabs,longtable}
\begin{document}
\input{table}
\end{document}
"""


def compiled(folder, text):
    """Compile a table until its columns settle; return what LaTeX complains of, and the number of pages."""
    (folder / "table.tex").write_text(text, encoding="utf-8")
    (folder / "document.tex").write_text(DOCUMENT, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    for _ in range(4):
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", check=False
        )
        assert done.returncode == 0, done.stdout
        if "Table widths have changed" not in done.stdout:
            break
    complaints = re.findall(r"^(?:!|Overfull|LaTeX Warning|Package \w+ Warning).*", done.stdout, re.MULTILINE)
    (pages,) = re.findall(r"Output written on document.pdf \((\d+) page", done.stdout)
    return complaints, int(pages)


needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="needs pdflatex: Debian's texlive-latex-recommended"
)


@needs_latex
def test_scaling_tables_compile_and_fit_with_marks_gaps_and_small_rates(tmp_path):
    change = {"second": {0.1: {"status": "smoothing exhausted"}}}
    lines = scaling.compact(made(until=cut(*LADDER, at_most=500), **change), (0.1, 0.01, 0.001))
    fine = [2.0**-i * 1e-3 for i in range(9)]
    gaps = [
        row
        for alpha in fine
        for row in tidy("first_with_a-long.name", alpha, -math.inf if alpha == fine[3] else alpha**2.5)
    ]
    declared = {"first_with_a-long.name": ("mine", 2)}
    table = error_rows.as_table([row | {"objective": "a_bowl"} for row in gaps]).to_pylist()
    lines += scaling.compact(scaling.rows(table, declared, quantities=["loss"]), fine[:3])
    text = scaling_table.latex(lines, (0.1, 0.01, 0.001), "first")
    assert r"$^\dagger$" in text
    assert r"$^\ddagger$" in text
    assert compiled(tmp_path, text)[0] == []


@needs_latex
def test_a_long_scaling_table_breaks_across_pages(tmp_path):
    betas = [{"beta1": 0.9, "beta2": 1.0 - 0.01 * i, "weight_decay": 0.1} for i in range(1, 40)]
    found = [
        row | {"quantity": quantity}
        for given in betas
        for alpha in LADDER
        for row in tidy("first", alpha, alpha, betas=given, optimizer="AdamW")
        for quantity in (("theta", "v") if row["quantity"] == "theta" else ("loss", "m"))
    ]
    table = error_rows.as_table(found).to_pylist()
    lines = scaling.compact(
        scaling.rows(table, {"first": ("paper", 1)}, "first", ("loss", "m", "v")), LADDER[:3]
    )
    complaints, pages = compiled(tmp_path, scaling_table.latex(lines, LADDER[:3], "first"))
    assert complaints == []
    assert pages > 3


@needs_latex
def test_a_long_table_of_errors_breaks_across_pages(tmp_path, written):  # noqa: F811 (the fixture)
    many = [
        row | {"label": f"{row['label']},{i}"} for i in range(40) for row in measured("smoothing exhausted")
    ]
    outputs = written(many, rows("AdaGrad", status="not converged"))
    complaints, pages = compiled(tmp_path, outputs[".tex"].read_text(encoding="utf-8"))
    assert complaints == []
    assert pages > 2
