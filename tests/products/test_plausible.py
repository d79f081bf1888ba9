"""A solution that leaves its run's neighbourhood is implausible, whatever its solver says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import idescent as ide
from idescent.analysis.errors import IMPLAUSIBLE, plausible, status
from idescent.cli import main
from idescent.drawing import saving
from idescent.models import Paper
from idescent.objectives import Quadratic
from idescent.products.errors import rows as error_rows
from idescent.products.errors import table as errors_table
from idescent.products.paths import figure as draw
from idescent.products.paths.curves import panel_curves, read_sources
from idescent.products.paths.spec import FigureSpec
from idescent.products.report import summary
from idescent.products.scaling import map as heatmap
from idescent.products.scaling import rows as scaling
from idescent.products.scaling import table as scaling_table
from idescent.solvers import Picard
from idescent.store.tables import data_frame
from idescent.trajectory import Report, Trajectory, assemble, read, read_with_metadata, write


def trajectory(
    theta: Any, ended: str, *, details: dict[str, Any] | None = None, **given: float
) -> Trajectory:
    points = np.asarray(theta, dtype=float)
    points = points[:, None] if points.ndim == 1 else points
    report = Report(ended, **given, details=details or {})
    return assemble(points, points.sum(axis=1), {}, 0.1, report)


def run(theta: Any, ended: str = "completed") -> Trajectory:
    return trajectory(theta, ended)


def solution(theta: Any, ended: str = "converged", rtol: float = 1e-9, atol: float = 1e-12) -> Trajectory:
    return trajectory(theta, ended, rtol=rtol, atol=atol)


def test_the_limit_is_ten_times_the_runs_largest_excursion_wherever_that_is() -> None:
    # 2 is the farthest from 5, before the last row.
    made = run([5.0, 7.0, 4.0])
    assert plausible(made, solution([5.0, 25.0, 5.0]))
    assert plausible(made, solution([5.0, -15.0, 5.0]))
    assert not plausible(made, solution([5.0, 25.001, 5.0]))
    assert not plausible(made, solution([5.0, 5.0, -15.001]))


def test_several_coordinates_count_by_their_euclidean_norm() -> None:
    # 5 = |(3, 4)| from (1, 1); no coordinate alone goes ten times as far as its own of the run.
    made = run([[1.0, 1.0], [4.0, 5.0]])
    assert plausible(made, solution([[1.0, 1.0], [31.0, 41.0]]))
    assert plausible(made, solution([[1.0, 1.0], [1.0, 51.0]]))
    assert not plausible(made, solution([[1.0, 1.0], [36.4, 36.4]]))


def test_a_run_that_stays_where_it_is_makes_no_rounding_implausible() -> None:
    made = run([4.0, 4.0, 4.0])
    assert plausible(made, solution([4.0, 4.0 + 3.9e-9, 4.0]))
    assert not plausible(made, solution([4.0, 4.0 + 4.1e-9, 4.0]))
    assert plausible(run([0.0, 0.0]), solution([0.0, 1e-12]))
    assert not plausible(run([0.0, 0.0]), solution([0.0, 1.1e-12]))


def test_the_tolerance_of_algorithm_4_is_one_of_the_solution() -> None:
    made = run([1.0, 1.0])
    swept = trajectory([1.0, 1.0 + 9e-5], "converged", rtol=1e-9, atol=1e-12, details={"tolerance": 1e-4})
    assert plausible(made, swept)
    assert not plausible(made, solution([1.0, 1.0 + 9e-5]))


@pytest.mark.parametrize(
    ("made", "path", "expected"),
    [
        (run([1.0, 2.0, math.nan], "diverged"), solution([1.0, 99.0, 999.0]), "converged"),
        (run([1.0, 2.0, 3.0]), solution([1.0, 99.0, math.nan], "diverged"), "diverged"),
        (run([1.0, 2.0, 3.0]), run([1.0, 99.0, 999.0]), "completed"),
        (run([1.0, 2.0, 3.0]), solution([1.0, 99.0, math.nan], "not converged"), IMPLAUSIBLE),
        (run([1.0, 2.0, 3.0]), solution([1.0, 99.0, 99.0], "smoothing exhausted"), IMPLAUSIBLE),
        (run([1.0, 2.0, 3.0]), solution([1.0, 9.0, 9.0], "smoothing exhausted"), "smoothing exhausted"),
        # Its norm overflows: infinitely far, and not unknown.
        (run([[1.0, 1.0]] * 2), solution([[1.0, 1.0], [1e200, 1e200]]), IMPLAUSIBLE),
    ],
)
def test_what_diverged_is_not_judged_and_what_was_judged_is_said(
    made: Trajectory, path: Trajectory, expected: str
) -> None:
    assert status(made, path) == expected
    assert plausible(made, path) is (expected != IMPLAUSIBLE)


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cell in which Algorithm 4 converges to 3e4: v has no memory, and m does."""
    folder = tmp_path_factory.mktemp("study") / "quadratic/Adam/alpha~0.1,beta1~0.9,beta2~0.0"
    folder.mkdir(parents=True)
    optimizer, objective = ide.Adam(0.9, 0.0), Quadratic(4.0)
    given: dict[str, Any] = {"alpha": 0.1, "theta0": 1.0, "steps": 10}
    spec = {
        "objective": {"name": "quadratic", "class": "Quadratic", "arguments": {"center": 4.0}},
        "optimizer": {"class": "Adam", "arguments": {"beta1": 0.9, "beta2": 0.0}},
        **given,
        "theta0": [1.0],
    }
    write(folder / "discrete.parquet", ide.simulate(optimizer, objective, **given), spec, {"code": "none"})
    picard = Picard(alignment="corrected", quadrature="exact")
    for name, solver in (("paper", None), ("algorithm-4", picard)):
        path = ide.solve(Paper(), optimizer, objective, **given, solver=solver)
        about = {"name": name, **({} if solver is None else {"reference": "paper"})}
        write(folder / f"{name}.parquet", path, spec | {"solution": about}, {"code": "none"})
    return folder


@pytest.fixture(scope="module")
def rows(cell: Path) -> list[dict[str, Any]]:
    return list(error_rows.table(sorted(cell.iterdir())).to_pylist())


def test_the_table_marks_the_solution_and_its_file_keeps_what_the_solver_said(
    cell: Path, rows: list[dict[str, Any]]
) -> None:
    said = {
        (row["solution"], row["kind"]): (row["status"], row["error"])
        for row in rows
        if (row["quantity"], row["norm"]) == ("theta", "sup")
    }
    assert read(cell / "algorithm-4.parquet").report.status == "converged"
    assert said["algorithm-4", "total"][0] == said["algorithm-4", "solver"][0] == IMPLAUSIBLE
    assert said["algorithm-4", "total"][1] == pytest.approx(29998, abs=1.0)
    # The reference is as good beside this solution as it is by itself.
    assert said["algorithm-4", "model"] == said["paper", "model"] == said["paper", "total"]
    assert said["paper", "total"][0] == "converged"
    (reason,) = {row["reason"] for row in rows if row["status"] == IMPLAUSIBLE}
    assert reason == "3e+04 from the start, where the run is at most 1.09 from it"


def test_the_tables_for_people_say_so_in_bold_and_why(rows: list[dict[str, Any]]) -> None:
    frame = data_frame(error_rows.as_table(rows))
    lines, splits = errors_table.compact(frame), errors_table.split(frame)
    text = errors_table.markdown(lines, splits)
    assert text.count("| **implausible** † |") == 1 + len(splits)
    assert "algorithm-4 is implausible at quadratic, Adam (0.9, 0), alpha = 0.1: 3e+04 from the start" in text
    assert r"\textbf{implausible}$^\dagger$" in errors_table.latex(lines, splits)


def test_an_implausible_reference_marks_what_is_measured_with_it(cell: Path, tmp_path: Path) -> None:
    folder = tmp_path / cell.name
    folder.mkdir()
    said = {"discrete": "discrete", "paper": "algorithm-4", "algorithm-4": "paper"}
    for name, other in said.items():
        path, spec = read_with_metadata(cell / f"{name}.parquet")
        if name != "discrete":
            spec["cell"]["solution"] = {"name": other, **({"reference": "paper"} if name == "paper" else {})}
        write(folder / f"{other}.parquet", path, spec["cell"], {"code": "none"})
    table = error_rows.table(sorted(folder.iterdir()))
    rows = table.to_pylist()
    kinds = {(row["solution"], row["kind"]): row["status"] for row in rows}
    assert kinds["algorithm-4", "total"] == "converged"
    assert kinds["algorithm-4", "model"] == kinds["algorithm-4", "solver"] == IMPLAUSIBLE
    assert set(errors_table.split(data_frame(table))["status"]) == {IMPLAUSIBLE}


def test_no_order_no_ratio_and_no_slope_is_made_of_it() -> None:
    given = {
        "objective": "quadratic", "optimizer": "Adam", "beta": None, "beta1": 0.9, "beta2": 0.0,
        "weight_decay": None, "steps": 10, "discrete_status": "completed", "quantity": "theta", "norm": "sup",
        "kind": "total", "error_estimate": 1e-12, "gradient_evaluations": 1, "sweeps": 1,
        "reference": "run", "reference_error": 1e-15,
    }  # fmt: skip
    ladder = [
        given
        | {"solution": name, "alpha": alpha, "label": f"alpha~{alpha},beta1~0.9", "relative": error}
        | {"error": error, "status": IMPLAUSIBLE if error > 1.0 else "converged"}
        for name, errors_at in (("good", [0.1, 0.05, 0.02, 0.01]), ("bad", [3e4, 0.05, 0.02, 9e4]))
        for alpha, error in zip([0.1, 0.05, 0.02, 0.01], errors_at, strict=True)
    ]
    found = scaling.rows(ladder, dict.fromkeys(("good", "bad"), ("paper", 1)), reference="bad")
    of = {(row["solution"], row["alpha"]): row for row in found}
    assert of["good", 0.1]["order"] == pytest.approx(1.0)
    assert of["bad", 0.1]["order"] is None
    assert [of["good", alpha]["ratio"] for alpha in (0.1, 0.05, 0.02, 0.01)] == [None, 1.0, 1.0, None]
    assert [of["bad", alpha]["slope"] is None for alpha in (0.05, 0.02, 0.01)] == [True, False, True]
    lines = scaling.compact(found, [0.1, 0.02])
    assert [line.errors for line in lines] == [(0.1, 0.02), (IMPLAUSIBLE, 0.02)]
    text = scaling_table.markdown(lines, [0.1, 0.02], "bad")
    assert "| **implausible** | 2.00e-2 |" in text
    assert "Implausible: the solution is more than ten times as far" in text
    assert r"\textbf{implausible} &" in scaling_table.latex(lines, [0.1, 0.02], "bad")


def test_no_colour_and_no_scale_of_a_map_is_made_of_it() -> None:
    fixed = {
        "objective": "memories", "optimizer": "Adam", "beta": None, "beta1": 0.9, "weight_decay": None,
        "solution": "algorithm-4", "quantity": "theta", "norm": "sup", "discrete_status": "completed",
        "floor": 1e-12,
    }  # fmt: skip
    cells = [(alpha, beta2) for alpha in (0.1, 0.01, 0.001) for beta2 in (0.0, 0.9, 0.99)]
    rows = [
        fixed | {"alpha": alpha, "beta2": beta2, "relative": 0.1 * alpha, "error": 0.1 * alpha}
        | {"status": "converged"} | ({} if beta2 else {"relative": 3e4, "error": 3e4, "status": IMPLAUSIBLE})
        for alpha, beta2 in cells
    ]  # fmt: skip
    rows[0] |= {"relative": None, "error": None, "status": "refused"}
    with saving.styled():
        figure = heatmap.heatmap_figure(rows)
    mesh = figure.axes[0].collections[0]
    assert np.ma.getmaskarray(mesh.get_array()).sum(axis=0).tolist() == [3, 0, 0]
    assert (mesh.norm.vmin, mesh.norm.vmax) == (-4.0, -2.0)
    marks = sorted(str(box.get_gid()) for box in figure.axes[0].patches)
    assert marks == [IMPLAUSIBLE, IMPLAUSIBLE, "refused"]
    assert {text.get_text() for text in figure.legends[0].get_texts()} >= {IMPLAUSIBLE, "refused"}


def test_the_summary_lists_it_and_does_not_call_it_the_largest(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    table = tmp_path / "tables/errors.csv"
    table.parent.mkdir()
    texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    said = "\n".join(summary.lines("odd", table, [], texts))
    assert (
        "implausible solutions: 1\n    quadratic Adam alpha~0.1,beta1~0.9,beta2~0.0 algorithm-4: 3e" in said
    )
    assert "not converged: none" in said
    assert "algorithm-4  " not in said


def test_a_figure_keeps_its_scale_and_its_legend_says_why(cell: Path) -> None:
    spec = FigureSpec.model_validate(
        {
            "title": "Adam", "caption": "Adam.", "quantity": "theta", "objective": "quadratic",
            "select": [{"optimizer": "Adam"}], "panels": [{"alpha": 0.1}],
            "show": ["discrete", "paper", "algorithm-4"],
        }
    )  # fmt: skip
    curves = panel_curves(spec, spec.panels[0], read_sources(sorted(cell.iterdir())))
    assert [curve.remark for curve in curves] == ["", "", IMPLAUSIBLE]
    with saving.styled():
        figure = draw.figure(spec, [curves])
        figure.draw_without_rendering()
    low, high = figure.axes[0].get_ylim()
    assert 0.5 < low < 1.0
    assert 4.0 < high < 4.5
    (note,) = (text for text in figure.axes[0].texts if text.get_gid() == "notes")
    assert "Algorithm 4: implausible" in note.get_text()
    assert any((line.get_gid() or "").endswith("algorithm-4:clipped") for line in figure.axes[0].lines)


def test_the_command_line_says_so(cell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(cell / f"{name}.parquet") for name in ("discrete", "paper", "algorithm-4")]
    assert main(["compare", *files]) == 0
    said = capsys.readouterr()
    assert "paper.parquet: paper, converged" in said.out
    assert "algorithm-4.parquet: algorithm-4, implausible" in said.out
    assert (
        "more than ten times as far from the start as the run (status of its solver: converged)" in said.err
    )
