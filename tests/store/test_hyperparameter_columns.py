"""Columns of hyper-parameters: the usual four in every table, one more for each other that a study sets."""

import pyarrow as pa
import pytest

from idescent.products.errors.rows import as_table
from idescent.products.formats import in_order
from idescent.store.tables import columns_of, hyperparameters, read_errors
from idescent.store.trajectories import write_table

USUAL = {"beta": None, "beta1": None, "beta2": None, "weight_decay": None}


def row(optimizer, alpha=0.1, **arguments):
    label = ",".join([f"alpha~{alpha}", *(f"{name}~{value}" for name, value in arguments.items())])
    cell = {"objective": "bowl", "optimizer": optimizer, "label": label, "alpha": alpha}
    return cell | columns_of(arguments) | {"steps": 8, "solution": "one"}


@pytest.mark.parametrize(
    ("arguments", "columns"),
    [
        ({}, {}),
        ({"beta1": 0.9, "beta2": 0.99}, {"beta1": 0.9, "beta2": 0.99}),
        ({"psi": 0.004}, {"optimizer.psi": 0.004}),
        ({"steps": 3}, {"optimizer.steps": 3.0}),
        ({"accumulator": "norm"}, {"optimizer.accumulator": "norm"}),
        ({"nesterov": True}, {"optimizer.nesterov": "True"}),
        ({"beta1": "fast"}, {"optimizer.beta1": "fast"}),
    ],
)
def test_a_hyperparameter_has_a_column_of_its_own_and_is_read_back(arguments, columns):
    assert columns_of(arguments) == USUAL | columns
    words = {name: str(value) if value is True else value for name, value in arguments.items()}
    assert hyperparameters(columns_of(arguments) | {"steps": 8, "error": 0.1}) == words


def test_a_table_without_other_hyperparameters_has_the_fixed_columns_alone():
    names = as_table([row("Adam", beta1=0.9, beta2=0.99)]).column_names
    assert names[3:9] == ["alpha", "beta", "beta1", "beta2", "weight_decay", "steps"]


def test_parts_with_different_hyperparameters_merge_side_by_side(tmp_path):
    parts = [
        [row("Adam", beta1=0.9)],
        [row("QHM", beta=0.9, nu=0.7), row("QHM", beta=0.9, nu=0.8)],
        [row("mine:M", mode="fast", nu=1)],
        [row("mine:N", mode=2.0)],
    ]
    files = [tmp_path / f"{i}.parquet" for i in range(len(parts))]
    for file, part in zip(files, parts, strict=True):
        write_table(file, as_table(part))
    table = read_errors(files)
    assert table.column_names[7:10] == ["weight_decay", "optimizer.nu", "optimizer.mode"]
    assert table["optimizer.nu"].to_pylist() == [None, 0.7, 0.8, 1.0, None]
    # One number beside a word is a word, too.
    assert table["optimizer.mode"].to_pylist() == [None, None, None, "fast", "2"]
    assert [hyperparameters(r).get("nu") for r in table.to_pylist()] == [None, 0.7, 0.8, 1.0, None]


def test_cells_are_in_the_order_of_all_their_hyperparameters():
    rows = [
        row("QHM", beta=0.9, nu=nu, accumulator=word) if word else row("QHM", beta=0.9, nu=nu)
        for word in ("norm", "")
        for nu in (10.0, 9.0)
    ]
    rows.append(row("QHM", beta=0.9))
    ordered = in_order(as_table(rows)).to_pylist()
    assert [(r["optimizer.nu"], r["optimizer.accumulator"]) for r in ordered] == [
        *((None, None), (9.0, None), (9.0, "norm"), (10.0, None), (10.0, "norm"))
    ]


def test_a_column_holds_words_if_one_of_its_values_is_a_word():
    table = as_table([row("M", mode=0.5), row("M", mode="auto")])
    assert table.schema.field("optimizer.mode").type == pa.string()
    assert table["optimizer.mode"].to_pylist() == ["0.5", "auto"]
