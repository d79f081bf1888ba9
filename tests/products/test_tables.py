"""The tables hold what the error files hold; the compact ones say the same, readably."""

import csv
import math
import re

import pandas as pd
import pyarrow.parquet as pq
import pytest
from matplotlib.mathtext import MathTextParser

from idescent.products.errors import table as errors
from idescent.products.errors.rows import as_table
from idescent.store.tables import data_frame, read_errors, read_table
from idescent.store.trajectories import write_table

FORMATS = (".parquet", ".csv", ".md", ".tex")


def rows(
    optimizer="Adam",
    *,
    alpha=0.1,
    solution="paper.exact",
    status="converged",
    run="completed",
    solver=None,
    **given,
):
    """The tidy rows of one solution; measured against an exact one if it is given its solver's errors."""
    sup = given.pop("sup", {"theta": 1 / 3, "loss": 2.5e-7, "m": 0.0, "v": 1e100})
    fixed = {
        "objective": given.pop("objective", "quadratic"),
        "optimizer": optimizer,
        "label": ",".join(f"{name}~{value}" for name, value in {"alpha": alpha, **given}.items()),
        "alpha": alpha,
        **given,
        "steps": 100,
        "solution": solution,
        "status": status,
        "discrete_status": run,
        "compared": 100,
        "error_estimate": 1.25e-11,
    }
    # The model's part is drawn apart from the total, so that no table can take one for the other.
    model = sup if solver is None else {quantity: 0.5 * error for quantity, error in sup.items()}
    kinds = {"total": sup, "model": model, **({} if solver is None else {"solver": solver})}
    return [
        fixed
        | {"kind": kind, "quantity": quantity, "norm": norm, "error": error * factor}
        | {"relative": 0.1, "at": 7}
        for kind, errors in kinds.items()
        for quantity, error in errors.items()
        for norm, factor in (("sup", 1.0), ("rms", 0.5), ("final", 0.25))
    ]


@pytest.fixture
def written(tmp_path):
    def write(*groups):
        files = [tmp_path / f"{i}.parquet" for i in range(len(groups))]
        for file, group in zip(files, groups, strict=True):
            write_table(file, as_table(group))
        outputs = [tmp_path / f"errors{suffix}" for suffix in FORMATS]
        errors.write_errors(files, outputs)
        return dict(zip(FORMATS, outputs, strict=True))

    return write


def body(markdown):
    lines = [line for line in markdown.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def test_parquet_holds_every_row_in_the_order_of_the_files(written):
    groups = rows("RMSProp", beta=0.9), rows("AdaGrad"), rows(beta1=0.9, beta2=0.99)
    found = pq.read_table(written(*groups)[".parquet"])
    assert found.equals(as_table([row for group in groups for row in group]))


def test_csv_reads_back_to_the_same_numbers(written):
    group = rows(beta1=0.9, beta2=0.99)
    with written(group)[".csv"].open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == len(group)
    for text, row in zip(found, group, strict=True):
        assert float(text["error"]) == row["error"]
        assert (text["beta"], float(text["beta1"])) == ("", 0.9)
        assert (text["quantity"], text["norm"], int(text["at"])) == (row["quantity"], row["norm"], row["at"])


def test_markdown_has_one_row_for_each_cell_with_its_largest_errors(written):
    text = written(rows(beta1=0.9, beta2=0.99), rows("AdaGrad", sup={"theta": 0.5, "loss": 1.0, "G": 20.0}))[
        ".md"
    ]
    head, adam, adagrad = body(text.read_text(encoding="utf-8"))
    assert head[:4] == ["optimizer", "β", "α", "steps"]
    assert adam == [
        "Adam",
        "0.9, 0.99",
        "0.1",
        "100",
        "3.33e-1",
        "0",
        "1.00e100",
        "2.50e-7",
        "1.25e-11",
        "converged",
    ]
    assert adagrad == [
        "AdaGrad",
        "–",
        "0.1",
        "100",
        "5.00e-1",
        "–",
        "2.00e1",
        "1.00e0",
        "1.25e-11",
        "converged",
    ]


def test_weight_decay_is_not_taken_for_a_beta(written):
    text = written(rows("AdamW", beta1=0.9, beta2=0.99, weight_decay=0.05))[".md"].read_text(encoding="utf-8")
    assert body(text)[1][1] == "0.9, 0.99, decay 0.05"


def test_objectives_get_sections_of_their_own(written):
    text = written(rows(), rows(objective="mse"))[".md"].read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["quadratic", "mse"]


def test_several_solutions_get_a_row_each_and_are_named(written):
    text = written(rows() + rows(solution="paper.picard"))[".md"].read_text(encoding="utf-8")
    assert [row[4] for row in body(text)] == ["solution", "paper.exact", "paper.picard"]


@pytest.mark.parametrize("given", [{"status": "not converged"}, {"status": "diverged"}, {"run": "diverged"}])
def test_what_did_not_end_well_is_marked_and_explained(written, given):
    outputs = written(rows(**given))
    assert "†" in body(outputs[".md"].read_text(encoding="utf-8"))[1][-1]
    assert outputs[".md"].read_text(encoding="utf-8").splitlines()[-1].startswith("† ")
    assert outputs[".tex"].read_text(encoding="utf-8").count(r"$^\dagger$") == 2


def test_what_ended_well_is_not_marked(written):
    outputs = written(rows())
    assert not any(
        "†" in outputs[s].read_text("utf-8") or "dagger" in outputs[s].read_text("utf-8")
        for s in (".md", ".tex")
    )


def test_latex_is_a_long_table_whose_rows_have_as_many_cells_as_columns(written):
    text = written(rows(solution="a_b.c") + rows(), rows("AdaGrad", status="not converged"))[
        ".tex"
    ].read_text("utf-8")
    columns = len(re.search(r"begin{longtable}{(\w+)}", text).group(1))
    body = [line for line in text.splitlines() if line.endswith(r"\\") and "&" in line]
    # The head stands twice: for the first page and for the others.
    assert len(body) == 2 + 3
    assert {len(re.split(r"(?<!\\)&", line)) for line in body} == {columns}
    rules = (r"\toprule", r"\midrule", r"\bottomrule", r"\end{longtable}")
    assert [text.count(rule) for rule in rules] == [2, 2, 1, 1]
    assert r"a\_b.c" in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_every_formula_of_the_latex_table_parses(written):
    text = written(rows(sup={"theta": math.inf, "loss": 1e-5, "v": 0.0}))[".tex"].read_text("utf-8")
    formulas = re.findall(r"\$[^$]+\$", text)
    assert formulas
    for formula in formulas:
        MathTextParser("path").parse(formula)


def test_the_same_errors_give_the_same_bytes(written):
    first = {suffix: file.read_bytes() for suffix, file in written(rows(), rows("AdaGrad")).items()}
    assert {suffix: file.read_bytes() for suffix, file in written(rows(), rows("AdaGrad")).items()} == first


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    write_table(tmp_path / "in.parquet", as_table(rows()))
    with pytest.raises(ValueError, match=r"'\.xls' is not allowed: must be one of \.parquet, \.csv"):
        errors.write_errors([tmp_path / "in.parquet"], [tmp_path / "errors.csv", tmp_path / "errors.xls"])
    assert [file.name for file in tmp_path.iterdir()] == ["in.parquet"]


def test_a_truncated_error_file_is_named(tmp_path):
    write_table(tmp_path / "in.parquet", as_table(rows()))
    content = (tmp_path / "in.parquet").read_bytes()
    (tmp_path / "in.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"in\.parquet: not a whole table of errors"):
        errors.write_errors([tmp_path / "in.parquet"], [tmp_path / "errors.csv"])
    assert not (tmp_path / "errors.csv").exists()


# --- the three errors -------------------------------------------------------------------------------------

SOLVER = {"theta": 0.25, "loss": 3e-9, "m": math.nan, "v": 0.0}


def measured(status="converged"):
    """An exact solution and a scheme beside it."""
    given = {"beta1": 0.9, "beta2": 0.99}
    return rows(**given) + rows(solution="paper.picard", status=status, solver=SOLVER, **given)


def split_section(markdown):
    _, found, text = markdown.partition("# Three errors")
    return body(text) if found else None


def test_the_split_has_the_sup_of_each_kind_for_every_quantity_of_what_has_a_reference():
    found = list(errors.split(data_frame(as_table(measured()))).itertuples())
    assert [(s.solution, s.quantity) for s in found] == [
        ("paper.picard", quantity) for quantity in ("theta", "loss", "m", "v")
    ]
    assert [(s.model, s.solver, s.total) for s in found if s.quantity != "m"] == [
        (1 / 6, 0.25, 1 / 3),
        (1.25e-7, 3e-9, 2.5e-7),
        (5e99, 0.0, 1e100),
    ]
    first = found[0]
    assert (first.objective, first.optimizer, first.betas, first.alpha, first.status) == (
        "quadratic",
        "Adam",
        "0.9, 0.99",
        0.1,
        "converged",
    )


def test_the_split_can_be_that_of_another_norm():
    splits = errors.split(data_frame(as_table(measured())), "final")
    assert list(splits["total"])[:2] == [0.25 / 3, 0.25 * 2.5e-7]


def test_markdown_shows_model_solver_and_total_side_by_side(written):
    head, theta, loss, m, v = split_section(written(measured())[".md"].read_text(encoding="utf-8"))
    assert head == [
        "objective",
        "optimizer",
        "β",
        "α",
        "solution",
        "quantity",
        "model",
        "solver",
        "total",
        "status",
    ]
    place = ["quadratic", "Adam", "0.9, 0.99", "0.1", "paper.picard"]
    assert theta == [*place, "theta", "1.67e-1", "2.50e-1", "3.33e-1", "converged"]
    assert loss == [*place, "loss", "1.25e-7", "3.00e-9", "2.50e-7", "converged"]
    assert m == [*place, "m", "0", "–", "0", "converged"]
    assert v == [*place, "v", "5.00e99", "0", "1.00e100", "converged"]


def test_latex_shows_model_solver_and_total_side_by_side(written):
    text = written(measured())[".tex"].read_text(encoding="utf-8")
    first, second = re.findall(r"\\begin{longtable}{(\w+)}(.*?)\\end{longtable}", text, re.DOTALL)
    assert "paper.picard" in first[1]
    columns, split = second
    lines = [line for line in split.splitlines() if line.endswith(r"\\") and "&" in line]
    assert {len(re.split(r"(?<!\\)&", line)) for line in lines} == {len(columns)}
    cells = [[cell.strip() for cell in line.removesuffix(r"\\").split("&")] for line in lines]
    assert cells[0][6:9] == ["Model", "Solver", "Total"]
    assert [row[5] for row in cells[2:]] == [r"$\theta$", "Loss", "$m$", "$v$"]
    assert cells[2][6:] == [
        r"$1.67{\times}10^{-1}$",
        r"$2.50{\times}10^{-1}$",
        r"$3.33{\times}10^{-1}$",
        "converged",
    ]
    assert cells[4][6:] == ["0", "--", "0", "converged"]
    for formula in re.findall(r"\$[^$]+\$", split):
        MathTextParser("path").parse(formula)


def test_a_scheme_that_did_not_converge_is_marked_in_the_split_and_explained(written):
    outputs = written(measured("smoothing exhausted"))
    markdown = outputs[".md"].read_text(encoding="utf-8")
    assert [row[-1] for row in split_section(markdown)[1:]] == ["**not converged (no smoothing left)** †"] * 4
    assert markdown.count("\n† ") == 1
    tex = outputs[".tex"].read_text(encoding="utf-8")
    split = tex[tex.index("Three errors") :]
    assert split.count(r"& not converged$^\dagger$") == 4
    assert (
        tex.count(
            r"\caption{Largest distance between discrete run and solution over all iterations. $^\dagger$"
        )
        == 1
    )


def test_without_a_reference_there_is_no_split(written):
    outputs = written(rows(), rows("AdaGrad"))
    assert split_section(outputs[".md"].read_text(encoding="utf-8")) is None
    assert outputs[".tex"].read_text(encoding="utf-8").count(r"\begin{longtable}") == 1


def test_a_diverged_run_is_marked_in_the_split_too(written):
    group = rows(solution="paper.picard", run="diverged", solver=SOLVER)
    markdown = written(group)[".md"].read_text(encoding="utf-8")
    assert [row[-1] for row in split_section(markdown)[1:]] == ["**run diverged** †"] * 4


def test_a_table_of_several_parts_can_be_read_back(written):
    groups = rows("Adam"), rows("AdaGrad")
    assert read_errors([written(*groups)[".parquet"]]).num_rows == sum(map(len, groups))


def test_a_table_of_no_solution_has_no_line_and_no_split():
    nothing = data_frame(as_table([]))
    text = errors.markdown(errors.compact(nothing), errors.split(nothing))
    assert body(text) == []


# --- for pandas -------------------------------------------------------------------------------------------


def test_a_table_is_read_into_pandas_with_its_numbers_and_types(written):
    path = written(measured())[".parquet"]
    table, expected = read_table(path), read_errors([path])
    assert list(table.columns) == expected.column_names
    for name in table.columns:
        values = [None if value is pd.NA or value != value else value for value in table[name]]
        assert values == expected.column(name).to_pylist()
    types = {str(table[name].dtype) for name in ("steps", "at", "compared", "sweeps")}
    assert types == {"Int64"}
    assert table["error"].dtype == table["beta1"].dtype == "float64"


def test_a_damaged_table_is_refused_by_name(tmp_path):
    path = tmp_path / "errors.parquet"
    path.write_bytes(b"PAR1 and then something else")
    with pytest.raises(ValueError, match=r"errors\.parquet"):
        read_table(path)
