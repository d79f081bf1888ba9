"""The table of errors has the right rows, columns, kinds and numbers for hand-made paths."""

import json
import math
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from handmade import path
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from job_words import job_words

import idescent as ide
from idescent.analysis import errors
from idescent.products.errors import rows as error_rows
from idescent.store import trajectories
from idescent.study import packs


def cell(alpha=0.5, **arguments):
    return {
        "objective": {"name": "bowl", "class": "Quadratic", "arguments": {}},
        "optimizer": {"class": "RMSProp" if arguments else "AdaGrad", "arguments": arguments},
        "alpha": alpha,
        "theta0": [1.0],
        "steps": 2,
    }


def put(folder, name, data, of, solution=None, reference=None):
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.parquet"
    described = {"name": solution} if reference is None else {"name": solution, "reference": reference}
    trajectories.write(file, data, of if solution is None else of | {"solution": described}, {})
    return file


def test_the_table_has_a_row_for_each_solution_kind_quantity_and_norm(tmp_path):
    of = cell(beta=0.9)
    folder = tmp_path / "alpha~0.5,beta~0.9"
    files = [
        put(
            folder,
            "b",
            path(
                [1.0, 2.5, 3.0],
                status="not converged",
                error_estimate=0.25,
                gradient_evaluations=70,
                sweeps=9,
            ),
            of,
            "b",
        ),
        put(folder, "discrete", path([1.0, 2.0, 3.0]), of),
        put(folder, "a", path([1.0, 2.0, 3.0], status="converged", error_estimate=math.nan), of, "a"),
    ]
    table = error_rows.table(files)
    rows = table.to_pylist()
    assert len(rows) == 2 * 2 * 3 * 3
    assert [row["solution"] for row in rows] == ["b"] * 18 + ["a"] * 18
    assert [row["kind"] for row in rows] == (["total"] * 9 + ["model"] * 9) * 2
    assert rows[0] == {
        "objective": "bowl",
        "optimizer": "RMSProp",
        "label": "alpha~0.5,beta~0.9",
        "alpha": 0.5,
        "beta": 0.9,
        "beta1": None,
        "beta2": None,
        "weight_decay": None,
        "steps": 2,
        "solution": "b",
        "status": "not converged",
        "discrete_status": "completed",
        "quantity": "theta",
        "norm": "sup",
        "kind": "total",
        "error": 0.5,
        "relative": 0.5 / 3.0,
        "at": 1,
        "compared": 2,
        "error_estimate": 0.25,
        "gradient_evaluations": 70,
        "sweeps": 9,
        "reversals": 0,
        "reference": "run",
        "reference_error": 2.0**-52 * 3.0 * math.sqrt(2.0),
    }
    assert [(row["norm"], row["at"]) for row in rows[:3]] == [("sup", 1), ("rms", None), ("final", 2)]
    assert rows[18]["error_estimate"] is None


def test_the_total_error_of_a_solution_without_a_reference_is_its_models(tmp_path):
    files = [
        put(tmp_path / "x", "discrete", path([1.0, 2.0, 3.0]), cell()),
        put(tmp_path / "x", "s", path([1.0, 2.5, 2.75], loss=[0.0, 4.0, 1.0]), cell(), "s"),
    ]
    rows = error_rows.table(files).to_pylist()
    total = [row | {"kind": "any"} for row in rows if row["kind"] == "total"]
    model = [row | {"kind": "any"} for row in rows if row["kind"] == "model"]
    assert len(total) == 9
    assert total == model


def kinds(rows, norm, quantity="theta"):
    return {
        row["kind"]: row["error"]
        for row in rows
        if (row["solution"], row["norm"], row["quantity"]) == ("scheme", norm, quantity)
    }


def three(folder, run, exact, scheme):
    """Write a run, its exact solution and a scheme that is measured against it; return the tidy rows."""
    files = [
        put(folder, "scheme", scheme, cell(), "scheme", "exact"),
        put(folder, "exact", exact, cell(), "exact"),
        put(folder, "discrete", run, cell()),
    ]
    return error_rows.table(files).to_pylist()


def test_model_solver_and_total_error_are_those_computed_by_hand(tmp_path):
    run, exact, scheme = path([1.0, 2.0, 8.0]), path([1.0, 5.0, 9.0]), path([1.0, 4.0, 5.0])
    rows = three(tmp_path / "x", run, exact, scheme)
    assert kinds(rows, "sup") == {"model": 3.0, "solver": 4.0, "total": 3.0}
    assert kinds(rows, "final") == {"model": 1.0, "solver": 4.0, "total": 3.0}
    assert kinds(rows, "rms") == pytest.approx(
        {"model": math.sqrt(10 / 3), "solver": math.sqrt(17 / 3), "total": math.sqrt(13 / 3)}, rel=1e-15
    )
    sup = [row for row in rows if (row["solution"], row["norm"]) == ("scheme", "sup")]
    at = {row["kind"]: (row["at"], row["relative"]) for row in sup if row["quantity"] == "theta"}
    # Relative to the discrete run, the solver's error too: the three can be compared.
    assert at == {"model": (1, 3 / 8), "solver": (2, 4 / 8), "total": (2, 3 / 8)}
    assert {row["kind"] for row in rows if row["solution"] == "exact"} == {"model", "total"}


def test_errors_of_opposite_sign_cancel_in_the_total_only(tmp_path):
    run, exact, scheme = path([0.0, 1.0]), path([0.0, 1.5]), path([0.0, 1.0])
    rows = three(tmp_path / "x", run, exact, scheme)
    assert kinds(rows, "sup") == {"model": 0.5, "solver": 0.5, "total": 0.0}


small = arrays(float, (5, 2), elements=st.floats(-1e3, 1e3, allow_nan=False))


@given(small, small, small)
def test_no_error_of_the_three_exceeds_the_sum_of_the_other_two(tmp_path_factory, run, exact, scheme):
    folder = tmp_path_factory.mktemp("three")
    rows = three(folder / "x", *(path(x, loss=x[:, 0] ** 2) for x in (run, exact, scheme)))
    for quantity in ("theta", "loss"):
        for norm in errors.NORMS:
            low, middle, high = sorted(kinds(rows, norm, quantity).values())
            assert high <= (low + middle) * (1 + 1e-12) + 1e-12
    assert kinds(rows, "sup")["model"] == ide.compare(path(run), path(exact)).sup["theta"]
    assert kinds(rows, "sup")["solver"] == ide.compare(path(exact), path(scheme)).sup["theta"]
    assert kinds(rows, "sup")["total"] == ide.compare(path(run), path(scheme)).sup["theta"]


def test_each_kind_reaches_as_far_as_its_two_paths_are_finite(tmp_path):
    run, exact = path([1.0, 2.0, 3.0, 4.0]), path([1.0, 2.0, 3.5, 6.0])
    scheme = path([1.0, 2.25, math.nan, math.nan], status="diverged", diverged_at=2)
    rows = three(tmp_path / "x", run, exact, scheme)
    assert kinds(rows, "sup") == {"model": 2.0, "solver": 0.25, "total": 0.25}
    mine = [row for row in rows if row["solution"] == "scheme"]
    assert {row["kind"]: row["compared"] for row in mine} == {"model": 3, "solver": 1, "total": 1}


def test_a_missing_reference_is_one_line_that_names_it(tmp_path):
    files = [
        put(tmp_path / "x", "discrete", path([1.0, 2.0]), cell()),
        put(tmp_path / "x", "scheme", path([1.0, 2.0]), cell(), "scheme", "exact"),
    ]
    with pytest.raises(ValueError, match="x: the reference of scheme is exact, but no file contains exact"):
        error_rows.table(files)
    manifest = tmp_path / "packs/objective/optimizer/all/discrete.json"
    manifest.parent.mkdir(parents=True)
    packs.write_manifest(
        manifest, {f"x/{file.name}": file for file in files}, {f"x/{file.name}": "" for file in files}
    )
    output = tmp_path / "errors.parquet"
    command = [sys.executable, "-m", "idescent", *job_words("compare", tmp_path, [output], [manifest])]
    command += ["--log", str(tmp_path / "log")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "the reference of scheme is exact, but no file contains exact" in line
    assert not output.exists()


def test_the_table_survives_its_file(tmp_path):
    of = cell()
    files = [
        put(tmp_path / "x", "discrete", path([1.0, 2.0]), of),
        put(tmp_path / "x", "s", path([1.0, 2.5]), of, "s"),
    ]
    table = error_rows.table(files)
    table.validate(full=True)
    trajectories.write_table(tmp_path / "errors.parquet", table)
    assert pq.read_table(tmp_path / "errors.parquet").equals(table)


def test_an_optimizer_whose_parameters_are_not_written_down_has_none(tmp_path):
    of = cell() | {"optimizer": {"class": "AdaGrad"}}
    files = [put(tmp_path / "x", "discrete", path([1.0, 2.0]), of)]
    files.append(put(tmp_path / "x", "s", path([1.0, 2.0]), of, "s"))
    assert error_rows.table(files).column("beta1").null_count == len(error_rows.table(files))


def test_cells_keep_the_order_in_which_they_are_given(tmp_path):
    files = []
    for alpha in (0.25, 0.125, 0.5):
        folder = tmp_path / f"alpha~{alpha}"
        files.append(put(folder, "discrete", path([1.0, 2.0]), cell(alpha)))
        files.append(put(folder, "s", path([1.0, 2.0]), cell(alpha), "s"))
    table = error_rows.table(files)
    assert list(dict.fromkeys(table.column("alpha").to_pylist())) == [0.25, 0.125, 0.5]


def test_a_diverged_run_is_marked_as_such(tmp_path):
    run = path([1.0, 2.0, math.nan], status="diverged", diverged_at=2)
    files = [
        put(tmp_path / "x", "discrete", run, cell()),
        put(tmp_path / "x", "s", path([1.0, 2.0, 3.0], status="converged"), cell(), "s"),
    ]
    row = error_rows.table(files).to_pylist()[0]
    assert (row["discrete_status"], row["status"], row["compared"]) == ("diverged", "converged", 1)


def test_a_solution_without_its_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="0 discrete runs"):
        error_rows.table([put(tmp_path / "x", "s", path([1.0, 2.0]), cell(), "s")])


def test_a_solution_of_another_cell_is_refused(tmp_path):
    files = [
        put(tmp_path / "x", "discrete", path([1.0, 2.0]), cell(0.5)),
        put(tmp_path / "x", "s", path([1.0, 2.0]), cell(0.25), "s"),
    ]
    with pytest.raises(ValueError, match="s belongs to another cell than the other files"):
        error_rows.table(files)


def test_comparing_files_loads_neither_pandas_nor_plotting_and_tables_load_pandas_alone(tmp_path):
    files = [
        put(tmp_path / "x", "discrete", path([1.0, 2.0]), cell()),
        put(tmp_path / "x", "s", path([1.0, 2.0]), cell(), "s"),
    ]
    code = (
        "import sys, json; from pathlib import Path\n"
        "from idescent.products.errors import rows, table\n"
        "from idescent.products.product import Task\n"
        "from idescent.store import trajectories\n"
        "heavy = {'pandas', 'matplotlib', 'seaborn', 'scipy', 'pydantic'}\n"
        "written = Path(sys.argv[1])\n"
        "trajectories.write_table(written, rows.table(sys.argv[2:]))\n"
        "measured = sorted(heavy & set(sys.modules))\n"
        "kinds = [written.with_name(f'all.{s}') for s in ('parquet', 'csv', 'md', 'tex')]\n"
        "table.job(Task([written], kinds))\n"
        "print(json.dumps([measured, sorted(heavy & set(sys.modules))]))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "errors.parquet"), *map(str, files)]
    loaded = json.loads(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)
    assert loaded == [[], ["pandas"]]
