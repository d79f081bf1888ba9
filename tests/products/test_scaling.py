"""Scaling tables and figures of errors that are power laws by construction."""

import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from drawn import VISION, lab
from job_words import job_words

from idescent import cli
from idescent.analysis.errors import BELOW
from idescent.drawing import saving
from idescent.drawing.looks import LOOKS, SCHEMES, model_look
from idescent.products.errors import rows as error_rows
from idescent.products.scaling import figure as drawing
from idescent.products.scaling import rows as scaling
from idescent.products.scaling import table as scaling_table
from idescent.products.scaling.rows import sup_errors
from idescent.store.trajectories import write_table

LADDER = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
DECLARED = {"first": ("paper", 1), "second": ("half-step", 2)}
LAWS = {"first": lambda a: 3.0 * a, "second": lambda a: 7.0 * a**2}


def tidy(solution, alpha, error, **given):
    """Rows of errors of one solution of one cell: sup, rms and final of theta, and of loss."""
    betas = given.pop("betas", {"beta": 0.9})
    fixed = {
        "objective": "bowl",
        "optimizer": "RMSProp",
        "label": ",".join(f"{name}~{value}" for name, value in {"alpha": alpha, **betas}.items()),
        "alpha": alpha,
        **betas,
        "steps": round(1.0 / alpha),
        "solution": solution,
        "status": "converged",
        "discrete_status": "completed",
        "kind": "total",
        "error_estimate": 1e-12,
        "reference": "run",
        "reference_error": 2.0**-52 * 2.0 * np.sqrt(round(1.0 / alpha)),
        "gradient_evaluations": round(100 / alpha),
        "sweeps": 7,
        **given,
    }
    return [
        fixed
        | {"quantity": quantity, "norm": norm, "error": error * factor, "relative": error * factor / 2.0}
        for quantity in ("theta", "loss")
        for norm, factor in (("sup", 1.0), ("rms", 0.5), ("final", 0.25))
    ]


def made(until=(), **change):
    """The table of two models over the ladder, in no order of alpha."""
    found = [
        row
        for solution, law in LAWS.items()
        for alpha in reversed(LADDER)
        for row in tidy(solution, alpha, law(alpha), **change.get(solution, {}).get(alpha, {}))
    ]
    table = error_rows.as_table(found).to_pylist()
    return scaling.rows(table, DECLARED, "first", until=until)


def one(found, solution, alpha, norm="sup"):
    (row,) = (r for r in found if (r["solution"], r["alpha"], r["norm"]) == (solution, alpha, norm))
    return row


def test_there_is_one_row_for_each_solution_norm_and_learning_rate_and_rates_fall():
    found = made()
    assert len(found) == 2 * 3 * len(LADDER)
    assert {row["quantity"] for row in found} == {"theta"}
    assert [row["alpha"] for row in found[: len(LADDER)]] == list(LADDER)


def test_the_orders_of_power_laws_are_found_in_every_norm_with_what_was_declared_beside_them():
    for row in made():
        exact = {"first": 1.0, "second": 2.0}[row["solution"]]
        assert row["order"] == pytest.approx(exact, abs=1e-9)
        assert row["order_low"] <= row["order"] <= row["order_high"]
        assert row["declared_order"] == exact
        assert (row["window_from"], row["window_to"], row["points"]) == (0.1, 0.001, 7)
        assert row["slope"] is None if row["alpha"] == 0.1 else row["slope"] == pytest.approx(exact)
        assert row["used"]


def test_ratios_are_those_of_the_references_error_at_the_same_rate():
    found = made()
    assert one(found, "first", 0.01)["ratio"] == 1.0
    assert one(found, "second", 0.01, "rms")["ratio"] == pytest.approx(3.0 / (7.0 * 0.01))
    assert {row["ratio"] for row in scaling.rows(tidy("first", 0.1, 1.0), DECLARED)} == {None}


def test_the_floor_joins_the_solvers_estimate_and_the_rounding_of_the_run():
    rounding = 2.0**-52 * 2.0 * np.sqrt(1000)
    assert one(made(), "second", 0.001)["floor"] == pytest.approx(1e-12 + rounding)


def test_errors_near_their_floor_do_not_count_for_the_order():
    found = made(second={0.001: {"error_estimate": 1e-6}})
    row = one(found, "second", 0.001)
    assert not row["used"]
    assert row["window_to"] == 0.002
    assert row["slope"] == pytest.approx(2.0)


def test_a_solution_that_did_not_converge_does_not_count_and_is_marked():
    found = made(second={0.005: {"status": "not converged"}})
    row = one(found, "second", 0.005)
    assert not row["used"]
    assert row["points"] == 6
    marked = {line.solution: line.marked for line in scaling.compact(found, (0.1, 0.01))}
    assert marked == {"first": False, "second": True}
    for text in (
        scaling_table.markdown(scaling.compact(found, (0.1,)), (0.1,), "first"),
        scaling_table.latex(scaling.compact(found, (0.1,)), (0.1,), "first"),
    ):
        assert re.search(r"second (†|\$\^\\dagger\$)", text.replace("second$", "second $"))
        assert not re.search(r"first ?(†|\$\^\\dagger\$)", text)


def test_configurations_are_kept_apart():
    found = [
        row
        for beta, power in ((0.9, 1), (0.99, 2))
        for alpha in LADDER
        for row in tidy("first", alpha, alpha**power, betas={"beta": beta})
    ]
    lines = scaling.compact(scaling.rows(error_rows.as_table(found).to_pylist(), DECLARED), (0.1,))
    assert [(line.betas, round(line.fitted[0], 6)) for line in lines] == [("0.9", 1.0), ("0.99", 2.0)]


def test_the_compact_table_says_what_the_complete_one_says():
    first, second = scaling.compact(made(), (0.1, 0.01, 0.001))
    assert second.errors == pytest.approx((7e-2, 7e-4, 7e-6))
    assert second.ratios == pytest.approx((3 / 0.7, 3 / 0.07, 3 / 0.007))
    assert (second.declared, second.evaluations, second.window) == (2, 100_000, (0.1, 0.001, 7))
    assert first.slope == pytest.approx(1.0)
    text = scaling_table.markdown([first, second], (0.1, 0.01, 0.001), "first")
    assert "| 0.9 | second | 7.00e-2 | 7.00e-4 | 7.00e-6 | 2.000 ± 0.000 | 2 | 0.1 … 0.001 (7) |" in text
    assert "| 0.9 | second | 100000 | 4.3 | 43 | 429 |" in text
    assert "| 0.9 | second | 2.00 | 2.00 | 2.00 | 2.00 | 2.00 | 2.00 |" in text
    assert "| 0.9 | second | 2.00 | 2.00 | 2.00 |\n" in text
    assert "Horizon: t = 1." in text


def test_small_learning_rates_of_the_window_are_powers_of_ten():
    ladder = [2.0**-i * 1e-3 for i in range(6)] + [2e-5]
    found = [row for alpha in ladder for row in tidy("first", alpha, alpha)]
    lines = scaling.compact(scaling.rows(error_rows.as_table(found).to_pylist(), DECLARED), (1e-3,))
    assert "| 0.001 … 2e-5 (7) |" in scaling_table.markdown(lines, (1e-3,))
    assert r"& $0.001$--$2 \times 10^{-5}$ (7) \\" in scaling_table.latex(lines, (1e-3,))


def test_without_a_window_the_last_slope_stands_in_brackets():
    found = [row for i, a in enumerate(LADDER) for row in tidy("first", a, a ** (1.0 + 0.1 * i))]
    (line,) = scaling.compact(scaling.rows(error_rows.as_table(found).to_pylist(), DECLARED), (0.1,))
    assert line.fitted is None
    assert f"| ({line.slope:.2f}) | 1 | none (slopes differ: 1.43 to 2.50) |" in scaling_table.markdown(
        [line], (0.1,)
    )


def test_every_row_of_the_latex_tables_has_as_many_cells_as_columns():
    text = scaling_table.latex(scaling.compact(made(), (0.1, 0.01)), (0.1, 0.01), "first")
    tables = re.findall(r"\\begin{longtable}{(\w+)}(.*?)\\end{longtable}", text, flags=re.DOTALL)
    assert len(tables) == 4
    for columns, body in tables:
        inside = [line for line in body.splitlines() if line.endswith(r"\\") and "caption" not in line]
        assert len(inside) == 6
        for line in inside:
            spans = [int(n) for n in re.findall(r"\\multicolumn{(\d+)}", line)]
            assert line.count("&") + 1 + sum(spans) - len(spans) == len(columns)


def cut(*alphas, at_most):
    """A block of cells whose horizons were found, and cut where they are ``at_most``."""
    fixed = {"objective": "bowl", "optimizer": "RMSProp", "configurations": ["beta~0.9"]}
    return [{**fixed, "alpha": list(alphas), "at_most": at_most}]


def test_an_error_over_a_horizon_that_was_cut_does_not_count_and_the_tables_say_so():
    found = made(until=cut(*LADDER, at_most=500))
    assert one(found, "first", 0.005)["horizon"] == "reached"
    assert one(found, "first", 0.002)["horizon"] == one(found, "first", 0.001)["horizon"] == "capped"
    assert one(found, "first", 0.001)["window_to"] == 0.005
    assert not one(found, "first", 0.002)["used"]
    assert {row["horizon"] for row in made(until=cut(0.3, at_most=1))} == {"given"}
    text = scaling_table.markdown(scaling.compact(found, (0.1,)), (0.1,))
    assert "| 0.9 | first ‡ |" in text
    assert "‡ A run had not settled" in text
    assert "Horizon: until settled, k = 10 … 1000." in text
    assert "‡" not in scaling_table.markdown(scaling.compact(made(), (0.1,)), (0.1,))


def test_orders_are_declared_of_theta_and_loss_and_found_for_whatever_is_asked():
    found = [row for a in LADDER for row in tidy("first", a, a)]
    found += [row | {"quantity": "v"} for row in found if row["quantity"] == "loss"]
    rows = scaling.rows(error_rows.as_table(found).to_pylist(), DECLARED, quantities=("v",))
    assert {(row["quantity"], row["declared_order"]) for row in rows} == {("theta", 1), ("v", None)}
    assert all(row["order"] == pytest.approx(1.0) for row in rows)
    assert {row["constant"] for row in rows if row["quantity"] == "v"} == {None}
    (line,) = scaling.compact(rows, (0.1,))
    assert set(line.orders) == {(q, norm) for q in ("theta", "v") for norm in ("sup", "rms", "final")}


def test_maps_are_left_out_of_the_compact_tables_and_stay_in_the_complete_one(tmp_path):
    outputs = [tmp_path / f"scaling{suffix}" for suffix in (".csv", ".md")]
    scaling_table.write(made(), (0.1,), None, outputs, maps=["bowl"])
    assert len(outputs[0].read_text(encoding="utf-8").splitlines()) == 1 + len(made())
    assert "first" not in outputs[1].read_text(encoding="utf-8")


def test_the_command_writes_all_formats_and_the_figure_from_the_complete_table(tmp_path):
    found = [row for s, law in LAWS.items() for a in LADDER for row in tidy(s, a, law(a))]
    write_table(tmp_path / "errors.parquet", error_rows.as_table(found))
    given = {"reference": "first", "alpha": [0.1, 0.01], "quantities": ["theta", "loss"]}
    given |= {"until": [], "maps": [], "label": "tab:study-scaling"}
    given["models"] = {"first": {"class": "Paper"}, "second": {"class": "HalfStep"}}
    suffixes = (".parquet", ".csv", ".md", ".tex", "_compact.tex")
    outputs = [str(tmp_path / f"scaling{suffix}") for suffix in suffixes]
    assert cli.main(job_words("scaling", tmp_path, outputs, [tmp_path / "errors.parquet"], given)) == 0
    rows = pq.read_table(outputs[0]).to_pylist()
    assert len(rows) == 2 * 2 * 3 * len(LADDER)
    assert {(row["solution"], row["model"], row["declared_order"]) for row in rows} == {
        ("first", "paper", 1),
        ("second", "half-step", 2),
    }
    figures = [str(tmp_path / f"figure{suffix}") for suffix in (".pdf", ".svg", ".png")]
    shown = {"objective": "bowl", "optimizer": "RMSProp"}
    assert cli.main(job_words("scaling_figure", tmp_path, figures, [outputs[0]], shown)) == 0
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"'.xls' is not allowed"):
        scaling_table.write(made(), (0.1,), None, [tmp_path / "a.md", tmp_path / "a.xls"])
    assert not list(tmp_path.iterdir())


# --- figures ----------------------------------------------------------------------------------------------


def curves(figure):
    (ax,) = (ax for ax in figure.axes if ax.get_visible())
    return {line.get_gid(): line for line in ax.lines if line.get_gid()}


def test_the_figure_draws_every_error_and_fills_the_window():
    found = made(second={0.1: {"status": "not converged"}})
    with saving.styled():
        figure = drawing.scaling_figure(sup_errors(found, "bowl", "RMSProp"))
    lines = curves(figure)
    assert list(lines["first line"].get_ydata()) == pytest.approx([3.0 * alpha for alpha in LADDER])
    assert list(lines["second window"].get_xdata()) == list(LADDER[1:])
    assert list(lines["second outside"].get_xdata()) == [0.1]
    assert list(lines["second not converged"].get_xdata()) == [0.1]
    assert "first not converged" not in lines
    labels = {text.get_text() for text in figure.legends[0].get_texts()} - {" "}
    assert labels == {"first", "second", "in the fit of the order", "outside the fit", "did not converge"}


def test_the_triangles_have_the_slopes_that_they_say():
    with saving.styled():
        figure = drawing.scaling_figure(sup_errors(made(), "bowl", "RMSProp"))
    lines = curves(figure)
    for order in (1, 2, 3):
        x, y = (np.log10(values) for values in lines[f"slope {order}"].get_data())
        assert np.diff(y) / np.diff(x) == pytest.approx([order])


def test_an_error_within_its_floor_is_not_drawn():
    found = made(second={0.001: {"error_estimate": 1e-6}})
    with saving.styled():
        figure = drawing.scaling_figure(sup_errors(found, "bowl", "RMSProp"))
    assert list(curves(figure)["second line"].get_xdata()) == list(LADDER[:-1])


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no error of theta is given"):
        drawing.scaling_figure(sup_errors(made(), "elsewhere", "RMSProp"))


@pytest.mark.parametrize("vision", VISION, ids=str)
def test_models_that_look_alike_in_colour_differ_in_marker_and_line(vision):
    looks = {name: model_look(name) for name in (*LOOKS, *SCHEMES)}
    names = list(looks)
    for i, name in enumerate(names):
        for other in names[:i]:
            (colour, marker, _, line), (colour2, marker2, _, line2) = looks[name], looks[other]
            assert marker != marker2
            close = np.linalg.norm(lab(colour, vision) - lab(colour2, vision)) < 12.0
            assert not close or str(line) != str(line2)


def test_a_scheme_does_not_look_like_its_model_whichever_comes_first():
    for order in (("paper", "algorithm-4", "again"), ("algorithm-4", "paper", "again")):
        found = drawing._solutions([{"solution": name, "model": "paper"} for name in order])
        looks = [model_look(name if own else model) for name, (model, own) in found.items()]
        assert len(set(map(str, looks))) == 3
        assert looks[order.index("paper")] == model_look("paper")


def test_a_model_outside_the_package_has_a_look_of_its_own_and_keeps_it():
    assert model_look("mine") == model_look("mine")
    assert model_look("mine") != model_look("yours")


def test_an_error_below_the_reference_has_no_number_and_counts_for_no_order():
    below = {"status": BELOW, "reference_error": 1.0}
    found = made(second={0.005: below})
    row = one(found, "second", 0.005)
    assert (row["error"], row["relative"], row["slope"], row["ratio"]) == (None, None, None, None)
    assert row["reference_error"] == 1.0
    # No smaller learning rate is used either: its error may exceed its floor by chance.
    assert not any(one(found, "second", alpha)["used"] for alpha in LADDER if alpha <= 0.005)
    lines = {line.solution: line for line in scaling.compact(found, (0.1, 0.005))}
    assert lines["second"].errors[1] == BELOW
    assert not lines["second"].marked
    text = scaling_table.markdown(list(lines.values()), (0.1, 0.005))
    assert "| below |" in text
    assert "†" not in text
    assert "Below: the error is less than 100 times the reference's own." in text


def test_a_panel_names_the_rates_below_the_reference():
    below = {"status": BELOW, "reference_error": 1.0}
    with saving.styled():
        figure = drawing.scaling_figure(
            sup_errors(made(second=dict.fromkeys(LADDER[-3:], below)), "bowl", "RMSProp")
        )
    (note,) = (text for text in figure.axes[0].texts if text.get_gid() == "remark")
    assert note.get_text() == f"second: below the reference at α ≤ {LADDER[-3]:g}"
    assert "x" not in {line.get_marker() for line in figure.axes[0].lines}
