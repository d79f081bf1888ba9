"""The first screen of the report: sentences and ladders computed from rows with known numbers."""

import subprocess

import pytest

from idescent.products.report import facts, headline, ladders, scaling

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


def comparison(rows, models=MODELS):
    (sentence,) = headline.comparisons(headline.largest(rows), models)
    return sentence


def fit(solution, order, declared=2.0, place="a"):
    row = {"objective": "bowl", "optimizer": "Adam", "configuration": place, "solution": solution}
    return row | {"order": order, "declared_order": declared}


def test_the_sentence_has_the_range_of_ratios_and_the_number_of_cells_that_are_closer():
    assert comparison(lines()) == (
        "The half-step model is closer to the discrete run than the paper’s equation (paper.exact) in 2 of 3 "
        "cells: the paper’s largest error of θ is 0.5 to 10 times its own (median 2)."
    )
    closer = [
        line | {"error": line["error"] / 10} if line["solution"] == "half-step" else line for line in lines()
    ]
    assert comparison(closer) == (
        "The half-step model is 5 to 100 times closer to the discrete run than the paper’s equation "
        "(paper.exact), measured by the largest error of θ over all iterations, in all 3 cells (median 20)."
    )


def test_a_failed_solution_takes_no_part_in_the_sentence():
    assert "in 1 of 2 cells: " in comparison(lines("not converged"))


def test_the_half_step_and_third_order_models_come_before_a_closer_model():
    others = {"third": "ThirdOrder", "rate": "LogRate"}
    models = MODELS | {
        name: {"model": {"class": model, "arguments": {}}, "solver": "Collocation"}
        for name, model in others.items()
    }
    paper = [line for line in lines() if line["solution"] == "paper.exact"]
    rows = lines() + [
        line | {"solution": name, "error": line["error"] / factor}
        for name, factor in (("third", 1e4), ("rate", 2e6))
        for line in paper
    ]
    half, third = headline.comparisons(headline.largest(rows), models)
    assert half.startswith("The half-step model is closer")
    assert (
        third
        == "The third-order model (third) is 10\u202f000 times closer, in all 3 cells (median 10\u202f000)."
    )
    without = [row for row in rows if row["solution"] not in ("half-step", "third")]
    assert comparison(without, models).startswith("rate is 2 × 10⁶ times closer to the discrete run than the")


def test_without_a_second_model_the_sentence_has_the_errors_themselves():
    paper = [line for line in lines() if line["solution"] == "paper.exact"]
    text = "The largest error of θ over all iterations of the paper’s equation (paper.exact) is "
    assert comparison(paper) == text + "0.1 to 0.4 in 3 cells (median 0.2)."
    assert comparison(paper[:1]) == text + "0.4 in 1 cell."
    empty = {"sentences": [], "picture": {}}
    assert headline.section([], [], {}) == empty


def test_the_sentence_on_orders_is_about_the_three_models_and_the_picture_about_all():
    fits = [
        fit("half-step", 1.95),
        fit("half-step", 2.01, place="b"),
        fit("scheme", 0.3),
        fit("other", 0.9, 1.0),
    ]
    shown = headline.section(lines(), fits, MODELS)
    assert shown["sentences"][1:] == [
        "Fitted order of the error in α: 1.95 to 2.01 for the half-step model (declared 2)."
    ]
    rows = {row["label"]: row for row in shown["picture"]["rows"]}
    assert list(rows) == ["half-step", "scheme", "other"]
    # The axis is from 0 to 3: an order of 2 is at two thirds.
    assert rows["half-step"]["marks"] == [0.6667]
    assert rows["half-step"]["dots"] == [0.65, 0.67]
    assert headline.section([], fits[2:], MODELS)["sentences"] == [
        "Fitted order of the error in α: 0.90 for other (declared 1)."
    ]


def test_the_sentence_on_failures_names_the_solutions():
    assert headline.failures(7, []) == "No failures: every run was completed, and every solution converged."
    odd = [{"solution": name} for name in "aabbbcd"]
    text = "7 of 9 solutions failed or belong to a diverged run: 3 of b, 2 of a, 1 of c and 1 of others."
    assert headline.failures(9, odd) == text


def git(folder, *arguments):
    subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=b", *arguments], check=True
    )


def test_the_commit_is_that_of_the_package_and_knows_of_changes(tmp_path, monkeypatch):
    package = tmp_path / "src" / "package"
    (package / "products" / "report").mkdir(parents=True)
    monkeypatch.setattr(facts, "__file__", str(package / "products" / "report" / "facts.py"))
    nothing = {"commit": "", "date": "", "changed": False}
    (package / "__init__.py").write_text("")
    git(tmp_path, "init", "-q")
    # A folder of installed packages inside a repository that does not track it.
    assert facts.commit() == nothing
    git(tmp_path, "add", ".")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2001-02-03T23:30:00-0500")
    git(tmp_path, "commit", "-q", "-m", "first")
    head = subprocess.run(
        ["git", "-C", str(tmp_path), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout
    # The date is in UTC.
    assert facts.commit() == {"commit": head[:12], "date": "2001-02-04", "changed": False}
    (tmp_path / "notes.txt").write_text("outside the package")
    assert not facts.commit()["changed"]
    (package / "new.py").write_text("")
    assert facts.commit()["changed"]


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
