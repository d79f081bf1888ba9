"""What `idescent show` draws of files: runs and their solutions, and nothing that would mislead."""

from pathlib import Path

import numpy as np
import pytest
from calling import RUN, named
from matplotlib.figure import Figure

from idescent import cli
from idescent.products.paths import figure as draw

LONGER = ["--alpha", "0.1", "--steps", "40"]


def made(name, *words):
    assert cli.main([*words, "--output", f"{name}.parquet"]) == 0


@pytest.fixture
def drawn(folder, monkeypatch, capsys):
    """Files of runs and solutions; and the panels of curves of the figure that was drawn last."""
    made("run", "simulate", "Adam", *RUN)
    made("path", "solve", "Paper", "Adam", *RUN)
    made("longer", "solve", "Paper", "Adam", *LONGER)
    made("other", "solve", "Paper", "Adam", *RUN, "--set", "center=-7")
    made("below", "simulate", "Adam", *RUN, "--theta0", "-50", "--set", "center=-60")
    made("adagrad", "simulate", "AdaGrad", *RUN)
    made("two", "simulate", "Adam", *RUN, "--theta0", "1,2")
    made("far", "simulate", "Adam", *RUN, "--set", "center=-7")
    made("warm", "simulate", "Adam", *RUN, "--schedule", "Cosine", "--schedule-set", "steps=60")
    capsys.readouterr()
    figures: list[Figure] = []
    build = draw.figure

    def built(*given):
        figures.append(build(*given))
        return figures[-1]

    monkeypatch.setattr(draw, "figure", built)
    return figures


def show(*words):
    return cli.main(["show", *words, "--output", "a.png"])


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ["run.parquet", "longer.parquet", "--errors"],
            ["longer.parquet", "another run", "40 iter", "30 iter"],
        ),
        (["run.parquet", "other.parquet", "--errors"], ["other.parquet", "another run", "center=-7"]),
        (["adagrad.parquet", "path.parquet", "--errors"], ["path.parquet", "another run", "AdaGrad"]),
        (["below.parquet", "--log"], ["theta", "no positive value"]),
        (["Adam", *RUN, "--theta0", "-50", "--set", "center=-60", "--log"], ["theta", "no positive value"]),
        (["run.parquet", "adagrad.parquet", "--quantity", "m"], ["--quantity", "'m'", "adagrad.parquet"]),
        (["run.parquet", "--alpha", "0.2"], ["--alpha", "not allowed with files"]),
        (["run.parquet", "--model", "Paper"], ["--model", "not allowed with files"]),
    ],
    ids=named,
)
def test_a_figure_without_a_curve_is_refused_in_one_line(words, parts, drawn, capsys):
    assert show(*words) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert all(part in said.err for part in parts), said.err
    assert not Path("a.png").exists()


@pytest.mark.parametrize(
    ("words", "left_out"),
    [
        (["run.parquet", "path.parquet", "longer.parquet", "--errors"], "longer.parquet"),
        (["run.parquet", "path.parquet", "adagrad.parquet", "--errors"], "adagrad.parquet"),
        (["run.parquet", "below.parquet", "--log"], "below.parquet"),
    ],
    ids=named,
)
def test_a_file_that_is_left_out_of_a_figure_is_named(words, left_out, drawn, capsys):
    assert show(*words) == 0
    said = capsys.readouterr()
    assert said.out == "a.png: 1 curves\n"
    assert said.err.startswith(f"note: {left_out} is not drawn: ")
    assert said.err.count("\n") == 1


def test_curves_of_different_problems_have_panels_of_their_own_which_say_so(drawn, capsys):
    assert show("run.parquet", "adagrad.parquet", "far.parquet", "two.parquet", "warm.parquet") == 0
    (figure,) = drawn
    titles = [
        ax.get_title(loc=where)
        for ax in figure.axes
        for where in ("center", "left")
        if ax.get_title(loc=where)
    ]
    assert titles == [
        r"Quadratic, $\alpha = 0.1$, $\theta_0$ = 1, constant rate",
        r"Quadratic(center=-7), $\alpha = 0.1$, $\theta_0$ = 1, constant rate",
        r"Quadratic, $\alpha = 0.1$, $\theta_0$ = 1, 2, constant rate",
        r"Quadratic, $\alpha = 0.1$, $\theta_0$ = 1, Cosine(steps=60)",
    ]
    # One optimizer beside another is what a panel is for.
    ends = [{round(float(np.asarray(line.get_ydata())[-1]), 6) for line in ax.lines} for ax in figure.axes]
    assert len(ends[0] - {4.0}) == 2


def test_a_run_and_its_solution_share_a_panel_without_a_remark(drawn, capsys):
    assert show("run.parquet", "path.parquet") == 0
    (figure,) = drawn
    assert [ax.get_title() for ax in figure.axes] == [r"$\alpha = 0.1$"]
    assert capsys.readouterr() == ("a.png: 2 curves\n", "")
