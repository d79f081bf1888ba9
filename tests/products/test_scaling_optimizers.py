"""The table and the figure of all optimizers, from errors that are power laws by construction."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from job_words import job_words
from test_latex import compiled, needs_latex
from test_scaling import DECLARED, LADDER, tidy

from idescent import cli
from idescent.drawing.looks import model_look
from idescent.drawing.saving import styled
from idescent.products.errors import rows as error_rows
from idescent.products.formats import in_order
from idescent.products.scaling import optimizers, optimizers_figure
from idescent.products.scaling import rows as scaling
from idescent.store.tables import columns_of
from idescent.store.trajectories import write_table

CONSTANTS = {"first": 3.0, "second": 0.07}


def law(solution, alpha):
    return CONSTANTS[solution] * alpha ** DECLARED[solution][1]


def cells(optimizer, objective="bowl", change=None, **arguments):
    """Rows of errors of both models over the ladder; ``change`` replaces columns by solution and alpha."""
    found = []
    for solution in DECLARED:
        for alpha in LADDER:
            label = ",".join([f"alpha~{alpha}", *(f"{name}~{value}" for name, value in arguments.items())])
            fixed = {"optimizer": optimizer, "objective": objective, "error_estimate": 0.0, "label": label}
            fixed |= columns_of(arguments) | (change or {}).get((solution, alpha), {})
            found += [row | fixed for row in tidy(solution, alpha, law(solution, alpha), betas={})]
    return found


def made(*parts):
    errors = in_order(error_rows.as_table([row for part in parts for row in part])).to_pylist()
    return scaling.rows(errors, DECLARED, "first")


def body(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]


def test_the_last_slope_and_the_constant_at_the_declared_order_are_those_of_the_law():
    last = optimizers.last_rows(made(cells("RMSProp", beta=0.9)))
    assert [row["solution"] for row in last] == list(DECLARED)
    for row in last:
        assert row["alpha"] == LADDER[-1]
        assert row["slope"] == pytest.approx(DECLARED[row["solution"]][1])
        assert row["coefficient"] == pytest.approx(CONSTANTS[row["solution"]])
    assert last[1]["ratio"] == pytest.approx(law("first", LADDER[-1]) / law("second", LADDER[-1]))


def test_errors_that_do_not_count_leave_the_smallest_rate_that_does():
    near = {("second", LADDER[-1]): {"error_estimate": 1e-3}}
    row = optimizers.last_rows(made(cells("RMSProp", change=near)))[1]
    assert row["alpha"] == LADDER[-2]
    assert row["coefficient"] == pytest.approx(CONSTANTS["second"])
    gap = {("second", LADDER[-2]): {"status": "not converged"}}
    row = optimizers.last_rows(made(cells("RMSProp", change=gap)))[1]
    assert (row["alpha"], row["slope"]) == (LADDER[-1], None)
    refused = {("second", alpha): {"status": "refused", "error": None, "relative": None} for alpha in LADDER}
    row = optimizers.last_rows(made(cells("RMSProp", change=refused)))[1]
    assert (row["status"], row["error"], row["slope"], row["coefficient"]) == ("refused", None, None, None)


def test_each_optimizer_and_each_of_its_hyperparameters_has_a_row():
    refused = {("second", alpha): {"status": "refused", "error": None, "relative": None} for alpha in LADDER}
    failed = {("first", alpha): {"status": "not converged"} for alpha in LADDER}
    failed |= {("second", alpha): {"discrete_status": "diverged"} for alpha in LADDER}
    exact = {("first", alpha): {"error": 0.0, "relative": 0.0} for alpha in LADDER}
    exact |= {("second", alpha): {"error_estimate": 1.0} for alpha in LADDER}
    text = optimizers.markdown(
        optimizers.last_rows(
            made(
                cells("NAdam", beta1=0.9, psi=0.004),
                cells("NAdam", beta1=0.9, psi=0.5),
                cells("NAdam", "valley", beta1=0.9, psi=0.5),
                cells("mine:Own", change=refused),
                cells("Other", change=failed),
                cells("Sign", change=exact),
            )
        )
    )
    head, _, *rows = body(text)
    assert head[:4] == ["optimizer", "β", "bowl first order", "bowl first C"]
    assert rows == [
        ["NAdam", "0.9, ψ = 0.004", "1.00", "3.0", "2.00", "0.070", "–", "–", "–", "–"],
        ["NAdam", "0.9, ψ = 0.5", "1.00", "3.0", "2.00", "0.070", "1.00", "3.0", "2.00", "0.070"],
        ["Own", "–", "1.00", "3.0", "refused", "–", "–", "–", "–", "–"],
        ["Other", "–", "not converged", "–", "run diverged", "–", "–", "–", "–", "–"],
        ["Sign", "–", "rounding", "–", "rounding", "–", "–", "–", "–", "–"],
    ]
    assert "Declared orders: first 1, second 2. Rounding: no error is above 100 times" in text


def test_the_complete_table_has_a_column_for_each_further_hyperparameter(tmp_path):
    parts = (cells("NAdam", psi=0.004), cells("Adam", beta1=0.9))
    write_table(tmp_path / "scaling.parquet", scaling.as_table(made(*parts)))
    outputs = [tmp_path / f"all{suffix}" for suffix in (".parquet", ".csv", ".md", ".tex")]
    words = job_words("scaling_optimizers", tmp_path, outputs, [tmp_path / "scaling.parquet"])
    assert cli.main(words) == 0
    table = pq.read_table(outputs[0])
    assert table["optimizer.psi"].to_pylist() == [0.004, 0.004, None, None]
    assert table["declared_order"].to_pylist() == [1, 2, 1, 2]
    assert outputs[1].read_text(encoding="utf-8").startswith("objective,optimizer,configuration,beta,")


@needs_latex
def test_the_table_of_three_objectives_compiles_and_fits(tmp_path):
    parts = [
        cells(optimizer, objective, beta1=0.9, beta2=0.99, weight_decay=0.1)
        for objective in ("quadratic", "rotated", "rosenbrock")
        for optimizer in ("ScheduleFreeAdamW", "mine:Un_corrected", "NAdam")
    ]
    parts.append(cells("QHM", "rotated", beta=0.9, nu=0.7))
    for name, change in (("Sign", {"error_estimate": 1.0}), ("Odd", {"status": "smoothing exhausted"})):
        parts.append(
            cells(name, "rotated", change={(solution, a): change for solution in DECLARED for a in LADDER})
        )
    text = optimizers.latex(optimizers.last_rows(made(*parts)))
    assert compiled(tmp_path, text)[0] == []


def test_the_figure_shows_the_order_of_each_model_and_the_gain(tmp_path):
    parts = [cells("NAdam", name, psi=psi) for name in ("bowl", "valley") for psi in (0.004, 0.5)]
    parts += [cells("Adam", name, beta1=0.9) for name in ("bowl", "valley")]
    refused = {("second", alpha): {"status": "refused", "error": None, "relative": None} for alpha in LADDER}
    parts.append(cells("Lion", "valley", change=refused | {("first", a): {"error": 0.0} for a in LADDER}))
    with styled():
        figure = optimizers_figure.optimizers_figure(made(*parts), "first")
    left, middle, right = figure.axes
    assert [ax.get_title() for ax in (left, middle)] == ["bowl", "valley"]
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels == [r"NAdam, $\psi$ = 0.004", r"NAdam, $\psi$ = 0.5", "Adam", "Lion"]
    words = {(text.get_text(), text.get_position()) for text in middle.texts}
    assert words == {("rounding", (1, 3)), ("refused", (2, 3))}
    assert not left.texts
    for ax in (left, middle):
        for name, (model, order) in DECLARED.items():
            points = [line for line in ax.lines if line.get_gid() == name]
            assert [float(line.get_xdata()[0]) for line in points] == pytest.approx([order] * 3)
            assert [line.get_ydata()[0] for line in points] == [0, 1, 2]
            assert {line.get_color() for line in points} == {model_look(model)[0]}
    gains = [float(line.get_xdata()[0]) for line in right.lines if line.get_gid() == "gain"]
    ratio = law("first", LADDER[-1]) / law("second", LADDER[-1])
    assert gains == pytest.approx([ratio] * 6)
    assert right.get_xlabel() == "first / second"

    write_table(tmp_path / "scaling.parquet", scaling.as_table(made(*parts)))
    outputs = [tmp_path / f"all{suffix}" for suffix in (".pdf", ".svg", ".png")]
    given = {"reference": None}
    words = job_words("scaling_optimizers_figure", tmp_path, outputs, [tmp_path / "scaling.parquet"], given)
    assert cli.main(words) == 0
    with styled():
        assert len(optimizers_figure.optimizers_figure(made(*parts), None).axes) == 2


def test_a_bar_beyond_the_axis_ends_at_an_arrowhead():
    # The slope between the two largest learning rates is -2.
    steep = {("first", LADDER[0]): {"error": law("first", LADDER[1]) * (LADDER[1] / LADDER[0]) ** 2}}
    with styled():
        figure = optimizers_figure.optimizers_figure(made(cells("Adam", change=steep)), None)
    marks = [line for line in figure.axes[0].lines if line.get_gid() == "continues outside"]
    assert [(line.get_marker(), line.get_xdata()[0]) for line in marks] == [("<", 0.0)]


def test_a_figure_without_an_error_of_theta_is_refused():
    with pytest.raises(ValueError, match="no error of theta is given"):
        optimizers_figure.optimizers_figure([], None)
