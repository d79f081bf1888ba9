"""The first screen of the report: sentences and ladders computed from rows with known numbers."""

import pytest

from idescent.products.report import headline, ladders, scaling

MODELS = {
    "paper.exact": {"model": {"class": "Paper", "arguments": {}}, "solver": "Collocation"},
    "scheme": {"model": {"class": "Paper", "arguments": {}}, "solver": "Picard"},
    "half-step": {"model": {"class": "HalfStep", "arguments": {}}, "solver": "Collocation"},
}
ERRORS = {"paper.exact": (0.4, 0.2, 0.1), "scheme": (1e-9, 1e-9, 1e-9), "half-step": (0.2, 0.02, 0.2)}


def lines(status="converged"):
    fixed = {"objective": "bowl", "optimizer": "Adam", "quantity": "theta", "norm": "sup"}
    return [
        fixed
        | {"label": f"alpha~{alpha},beta1~0.9", "alpha": alpha, "solution": name, "error": error}
        | {
            "status": status if i == 0 and name == "half-step" else "converged",
            "discrete_status": "completed",
        }
        for name, errors in ERRORS.items()
        for i, (alpha, error) in enumerate(zip((0.1, 0.01, 0.001), errors, strict=True))
    ]


def test_the_sentence_has_the_range_of_ratios_and_the_number_of_cells_that_are_closer():
    text = headline.comparison(headline.largest(lines()), MODELS)
    assert "half-step is closer to the discrete run than the paper’s equation (paper.exact)" in text
    assert "in 2 of 3 cells compared" in text
    assert "is 0.5 to 10 times smaller, in the median 2 times" in text


def test_a_failed_solution_takes_no_part_in_the_sentence():
    text = headline.comparison(headline.largest(lines("not converged")), MODELS)
    assert "in 1 of 2 cells compared" in text


def test_without_a_second_model_the_sentence_has_the_errors_themselves():
    errors = {"paper.exact": headline.largest(lines())["paper.exact"]}
    assert (
        headline.comparison(errors, MODELS)
        == "The largest error of θ of paper.exact is 0.1 to 0.4 in 3 cells."
    )
    assert headline.section([], [], {}) == {"sentences": [], "picture": {}}


def test_a_ladder_has_every_learning_rate_and_no_other_norm():
    wrong = [line | {"norm": "rms"} for line in lines()]
    gathered = {entry["path"]: entry["points"] for entry in ladders.gather(lines() + wrong)}
    assert gathered["half-step"] == [(0.001, 0.2), (0.01, 0.02), (0.1, 0.2)]
    assert ladders.gather(lines()[:1]) == []


def test_a_scaling_table_becomes_one_row_for_each_ladder():
    head = sorted(scaling.COLUMNS)
    row = dict.fromkeys(head, "") | {"objective": "bowl", "optimizer": "Adam", "solution": "half-step"}
    row |= {"quantity": "theta", "norm": "sup", "order": "2.0", "order_low": "1.9", "order_high": "2.05"}
    row |= {"window_from": "0.1", "window_to": "0.01", "points": "4", "declared_order": "2"}
    body = [row | {"alpha": "0.1", "error": "0.5"}, row | {"alpha": "0.01", "error": "0.005"}]
    body.append(body[0] | {"norm": "rms"})
    (ladder,) = scaling.fitted(head, [[entry[name] for name in head] for entry in body])
    assert (ladder["alphas"], ladder["errors"], ladder["order"]) == ((0.1, 0.01), (0.5, 0.005), 2.0)
    columns = {column.title: column for column in scaling.table("scaling-table", [ladder]).columns}
    assert (columns["order"].kind, columns["order"].values) == ("order", [2.0])
    assert (columns["±"].kind, columns["±"].values) == ("spread", [pytest.approx(0.1)])
    assert columns["links"].values == [
        [("plot", "#ladder?objective=bowl&optimizer=Adam&configuration=%E2%80%93&quantity=theta")]
    ]
    assert scaling.is_complete(head)
    assert not scaling.is_complete(head[1:])
