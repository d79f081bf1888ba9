"""The audit of the paper's statements: verdicts, tables, bad files."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from job_words import job_words

from idescent import config, trajectory
from idescent.cli import main
from idescent.products.claims import audit, table
from idescent.products.claims import statements as spec
from idescent.products.claims.audit import FAILS, HOLDS, MISSING, NOT_APPLICABLE, SCHEME
from idescent.store import trajectories
from idescent.trajectory import Report

ROOT = Path(__file__).parents[2]
CENTER = 4.0
SOURCES = {
    "discrete": {"path": "discrete", "role": "discrete"},
    "exact": {"path": "paper.exact", "role": "exact"},
    "Algorithm 4": {"path": "paper.picard", "role": "scheme"},
}
SETTLES = {
    "measure": "settling",
    "quantity": "offset",
    "options": {"within": 0.01},
    "cell": {"optimizer": "AdaGrad", "alpha": 0.1},
    "expect": {"below": 4},
}


def cell(optimizer: str = "AdaGrad", alpha: float = 0.1, **arguments: float) -> dict[str, Any]:
    return {
        "objective": {"name": "quadratic", "class": "Quadratic", "arguments": {"center": CENTER}},
        "optimizer": {"class": optimizer, "arguments": arguments},
        "alpha": alpha,
        "theta0": [1.0],
        "steps": 5,
    }


def path(offset: list[float], status: str = "converged", **moments: list[float]) -> trajectory.Trajectory:
    theta = CENTER + np.array(offset, dtype=np.float64)[:, None]
    columns = {name: np.array(values, dtype=np.float64)[:, None] for name, values in moments.items()}
    return trajectory.assemble(theta, (theta[:, 0] - CENTER) ** 2, columns, 0.1, Report(status))


SLOW = [-3.0, -2.0, -1.5, -1.0, -0.01, 0.0]  # settles at 4
FAST = [-3.0, -2.0, -0.01, 0.0, 0.0, 0.0]  # settles at 2


def claims(check: dict[str, Any] = SETTLES, about: str = "model", **changes: Any) -> spec.Claims:
    claim = {"id": "one", "where": "Figure 1", "statement": "It settles.", "about": about, "checks": [check]}
    return spec.parse({"sources": SOURCES, "claims": [{**claim, **changes}]})


def run(discrete: list[float], exact: list[float] | None, picard: list[float] | None) -> audit.AuditedCell:
    given = {"discrete": discrete, "paper.exact": exact, "paper.picard": picard}
    return audit.AuditedCell(cell(), {name: path(y) for name, y in given.items() if y is not None})


@pytest.mark.parametrize(
    ("about", "discrete", "exact", "picard", "expected"),
    [
        ("discrete", FAST, SLOW, SLOW, HOLDS),
        ("discrete", SLOW, FAST, FAST, FAILS),
        ("discrete", FAST, None, None, HOLDS),
        ("model", SLOW, FAST, SLOW, HOLDS),
        ("model", FAST, SLOW, FAST, SCHEME),
        ("model", FAST, SLOW, SLOW, FAILS),
        ("model", FAST, FAST, None, HOLDS),
        ("model", FAST, SLOW, None, MISSING),
        ("model", FAST, None, FAST, MISSING),
        ("both", FAST, FAST, SLOW, HOLDS),
        ("both", SLOW, FAST, FAST, FAILS),
        ("both", FAST, SLOW, FAST, SCHEME),
        ("scheme", SLOW, SLOW, FAST, HOLDS),
        ("scheme", FAST, FAST, SLOW, FAILS),
        ("scheme", FAST, FAST, None, MISSING),
    ],
)
def test_the_verdict_follows_from_whom_a_claim_is_about(
    about: str, discrete: list[float], exact: list[float] | None, picard: list[float] | None, expected: str
) -> None:
    (finding,) = audit.audit(claims(about=about), [run(discrete, exact, picard)])
    assert finding.verdict == expected


def test_one_variant_of_the_scheme_that_fulfils_a_claim_is_enough() -> None:
    sources = {**SOURCES, "published": {"path": "paper.published", "role": "scheme"}}
    claim = claims().claims[0].model_dump(mode="json", exclude_defaults=True)
    several = spec.parse({"sources": sources, "claims": [claim]})
    both = run(SLOW, SLOW, SLOW)
    assert audit.audit(several, [both])[0].verdict == FAILS
    both.paths["paper.published"] = path(FAST)
    assert audit.audit(several, [both])[0].verdict == SCHEME


def test_no_implausible_path_decides_a_claim() -> None:
    # It settles, from 300 away: the run is never farther than 3 from its start.
    stray = [-3.0, 300.0, 0.01, 0.0, 0.0, 0.0]
    (finding,) = audit.audit(claims(about="scheme"), [run(FAST, FAST, stray)])
    assert (finding.verdict, finding.outcomes["Algorithm 4"].note) == (MISSING, "paper.picard: implausible")
    (finding,) = audit.audit(claims(about="scheme"), [run(FAST, FAST, [-3.0, 20.0, 0.01, 0.0, 0.0, 0.0])])
    assert finding.verdict == HOLDS
    (finding,) = audit.audit(claims(), [run(FAST, stray, FAST)])
    assert finding.verdict == MISSING


@pytest.mark.parametrize(("every", "expected"), [("all", FAILS), ("any", HOLDS)])
def test_a_check_wants_every_matching_cell_or_any(every: str, expected: str) -> None:
    check = {**SETTLES, "every": every, "cell": {"optimizer": "RMSProp", "beta": [0.0, 0.9]}}
    runs = [
        audit.AuditedCell(cell("RMSProp", beta=beta), {"discrete": path(y)})
        for beta, y in ((0.0, FAST), (0.9, SLOW), (0.99, SLOW))
    ]
    (finding,) = audit.audit(claims(check, "discrete"), runs)
    assert [reading.value for reading in finding.outcomes["discrete"].readings[0]] == [2, 4]
    assert finding.verdict == expected


@pytest.mark.parametrize(
    ("combine", "expect", "value", "verdict"),
    [
        ("ratio", {"at_most": 0.5}, 0.5, HOLDS),
        ("ratio", {"below": 0.5}, 0.5, FAILS),
        ("difference", {"at_least": -2}, -2, HOLDS),
        ("difference", {"above": -2}, -2, FAILS),
    ],
)
def test_a_second_term_is_another_cell(
    combine: str, expect: dict[str, float], value: float, verdict: str
) -> None:
    check = {**SETTLES, "relative_to": {"cell": {"alpha": 0.01}}, "combine": combine, "expect": expect}
    runs = [audit.AuditedCell(cell(alpha=a), {"discrete": path(y)}) for a, y in ((0.1, FAST), (0.01, SLOW))]
    (finding,) = audit.audit(claims(check, "discrete"), runs)
    assert finding.outcomes["discrete"].readings[0][0].value == value
    assert finding.verdict == verdict


def test_a_second_term_of_another_optimizer_keeps_objective_and_learning_rate_only() -> None:
    check = {**SETTLES, "cell": {"optimizer": "RMSProp"}, "relative_to": {"cell": {"optimizer": "AdaGrad"}}}
    runs = [
        audit.AuditedCell(cell("RMSProp", beta=0.9), {"discrete": path(FAST)}),
        audit.AuditedCell(cell("AdaGrad"), {"discrete": path(SLOW)}),
        audit.AuditedCell(cell("AdaGrad", alpha=0.01), {"discrete": path(FAST)}),
    ]
    (finding,) = audit.audit(claims(check, "discrete"), runs)
    assert [reading.value for reading in finding.outcomes["discrete"].readings[0]] == [0.5]


def test_a_path_is_not_compared_with_itself() -> None:
    gap = {**SETTLES, "measure": "gap", "options": {}, "against": "discrete", "expect": {"below": 0.2}}
    (finding,) = audit.audit(claims(gap), [run(FAST, FAST, SLOW)])
    states = {title: outcome.state for title, outcome in finding.outcomes.items()}
    assert states == {"discrete": NOT_APPLICABLE, "exact": HOLDS, "Algorithm 4": FAILS}


def test_a_check_pinned_to_a_source_gives_every_column_its_number() -> None:
    (finding,) = audit.audit(claims({**SETTLES, "source": "discrete"}), [run(FAST, SLOW, SLOW)])
    assert [outcome.readings[0][0].value for outcome in finding.outcomes.values()] == [2, 2, 2]


def test_a_window_leaves_out_what_is_outside() -> None:
    check = {**SETTLES, "measure": "peak", "options": {}, "k": [2, 3], "expect": {"below": 2}}
    (finding,) = audit.audit(claims(check, "discrete"), [run(SLOW, None, None)])
    assert finding.outcomes["discrete"].readings[0][0].value == 1.5
    beyond = {**check, "k": [2, 6]}
    (finding,) = audit.audit(claims(beyond, "discrete"), [run(SLOW, None, None)])
    assert (finding.verdict, finding.outcomes["discrete"].note) == (MISSING, "discrete ends at k = 5")


def test_what_cannot_be_measured_is_not_computed_and_says_why() -> None:
    elsewhere = claims({**SETTLES, "cell": {"optimizer": "Adam"}})
    (finding,) = audit.audit(elsewhere, [run(FAST, FAST, FAST)])
    assert finding.outcomes["exact"] == audit.ClaimOutcome(MISSING, note="the study has no such cell")
    unfinished = audit.AuditedCell(
        cell(), {"discrete": path(FAST), "paper.exact": path(FAST, "not converged")}
    )
    (finding,) = audit.audit(claims(), [unfinished])
    assert finding.outcomes["exact"].note == "paper.exact: not converged"
    assert finding.outcomes["Algorithm 4"].note == "there is no paper.picard"
    assert finding.verdict == MISSING


def test_algorithm_4_is_measured_but_marked_if_it_did_not_converge() -> None:
    given = run(FAST, FAST, None)
    given.paths["paper.picard"] = path(FAST, "smoothing exhausted")
    findings = audit.audit(claims(), [given])
    assert findings[0].outcomes["Algorithm 4"].state == HOLDS
    assert "✓ 2 †" in table.markdown(claims(), findings)
    given.paths["paper.picard"] = path([*FAST[:3], math.nan, math.nan, math.nan], "diverged")
    assert audit.audit(claims(), [given])[0].outcomes["Algorithm 4"].state == MISSING


def test_no_number_fulfils_no_threshold() -> None:
    bump = {**SETTLES, "measure": "bump_at", "quantity": "loss", "options": {}, "expect": {"at_least": 0}}
    findings = audit.audit(claims(bump, "discrete"), [run(FAST, None, None)])
    assert findings[0].verdict == FAILS
    assert "✗ none" in table.markdown(claims(bump, "discrete"), findings)


def test_excess_is_the_loss_above_its_least_value() -> None:
    objective = {"name": "mse", "class": "MeanSquaredError.synthetic", "arguments": {"seed": 42}}
    check = {**SETTLES, "measure": "peak", "quantity": "excess", "options": {}, "expect": {"below": 1}}
    loss = np.array([1.0, 0.5])
    made = trajectory.assemble(np.zeros((2, 1)), loss, {}, 0.1, Report("completed"))
    (finding,) = audit.audit(
        claims(check, "discrete"), [audit.AuditedCell({**cell(), "objective": objective}, {"discrete": made})]
    )
    assert finding.outcomes["discrete"].readings[0][0].value == pytest.approx(1.0 - 0.00982967, abs=1e-8)


def test_a_second_term_that_means_several_cells_is_one_line() -> None:
    check = {**SETTLES, "relative_to": {"cell": {"optimizer": "RMSProp"}}}
    cells = [cell(), cell("RMSProp", beta=0.0), cell("RMSProp", beta=0.9)]
    with pytest.raises(
        spec.ClaimsError, match=r"^one: relative_to.cell: .* matches 2 cells: must match one$"
    ):
        audit.required(claims(check), cells, [])


@pytest.mark.parametrize("field", ["cell", "relative_to.cell"])
def test_a_property_that_no_cell_has_is_one_line(field: str) -> None:
    second = {"relative_to": {"cell": {"betta": 0.9}}}
    check = {**SETTLES, **(second if field == "relative_to.cell" else {"cell": {"betta": 0.9}})}
    rule = "'betta' must be one of objective, optimizer, alpha, beta, beta1, beta2, weight_decay, nu$"
    with pytest.raises(spec.ClaimsError, match=rf"^one: checks.0.{field}: {rule}"):
        audit.required(claims(check), [cell(), cell("NAdam", nu=0.7)], [])


def test_a_second_term_keeps_every_hyperparameter_that_the_check_does_not_change() -> None:
    check = {**SETTLES, "cell": {"nu": 0.7}, "relative_to": {"cell": {"alpha": 0.01}}}
    cells = [cell("QHM", alpha=a, nu=nu) for a in (0.1, 0.01) for nu in (0.7, 0.8)]
    assert audit.required(claims(check), cells, []) == [(0, "discrete"), (2, "discrete")]


def test_a_quantity_that_the_optimizer_does_not_have_is_one_line() -> None:
    with pytest.raises(spec.ClaimsError, match=r"^one: quantity: 'm' is not allowed: .* theta, offset"):
        audit.audit(claims({**SETTLES, "quantity": "m"}), [run(FAST, FAST, FAST)])


def test_required_are_the_cells_and_paths_that_claims_name_and_no_others() -> None:
    check = {**SETTLES, "relative_to": {"cell": {"alpha": 0.01}}}
    cells = [cell(alpha=0.05), cell(), cell(alpha=0.01)]
    needed = audit.required(claims(check), cells, ["paper.exact", "half_step.exact"])
    assert needed == [(1, "discrete"), (1, "paper.exact"), (2, "discrete"), (2, "paper.exact")]


def test_the_tables_hold_every_claim_and_every_number() -> None:
    given = claims(id="one", reason="Because | of that.")
    findings = audit.audit(given, [run(FAST, SLOW, FAST)])
    text = table.markdown(given, findings)
    assert "**1 claims: 0 hold, 1 hold only for the scheme, 0 fail, 0 not computed.**" in text
    assert r"- one: Because | of that." in text
    (line,) = [line for line in text.splitlines() if line.startswith("| one ")]
    assert line.endswith("| ✓ 2 | ✗ 4 | ✓ 2 | < 4 | **holds only for the scheme** |")
    (row,) = csv.DictReader(io.StringIO(table.csv(given, findings)))
    assert (row["id"], row["verdict"], row["threshold"]) == ("one", SCHEME, "< 4")
    assert [row[name] for name in ("discrete", "exact", "exact state")] == ["2.0", "4.0", FAILS]
    assert row["cell"] == "objective~quadratic,optimizer~AdaGrad,alpha~0.1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "settling(offset, within 0.01) of AdaGrad α = 0.1"),
        (
            {"cell": {"optimizer": ["Adam", "AdamW"], "beta1": [0.9, 0.0]}, "k": [3, None]},
            "settling(offset, within 0.01) of Adam or AdamW β₁ = 0.9 or 0.0, k ≥ 3",
        ),
        (
            {
                "k": [1, 4],
                "source": "exact",
                "relative_to": {"cell": {"alpha": 0.01}},
                "combine": "difference",
            },
            "settling(offset, within 0.01) of AdaGrad α = 0.1, k 1–4, exact minus α = 0.01",
        ),
        (
            {"relative_to": {"source": "discrete"}},
            "settling(offset, within 0.01) of AdaGrad α = 0.1 / discrete",
        ),
    ],
)
def test_what_is_measured_is_said_in_words(changes: dict[str, Any], words: str) -> None:
    ((check,),) = [claim.checks for claim in claims({**SETTLES, **changes}).claims]
    assert table.measure(check) == words


def test_what_never_settles_and_has_no_bound_is_said_in_words() -> None:
    text = table.markdown(claims(), audit.audit(claims(), [run(FAST, [-3.0] * 6, FAST)]))
    assert "✗ never" in text
    ratio = {**SETTLES, "relative_to": {"source": "discrete"}, "expect": {"below": 9}}
    found = audit.audit(claims(ratio), [run(FAST, [-3.0] * 6, FAST)])
    assert "✗ ∞" in table.markdown(claims(ratio), found)


def test_a_source_without_numbers_is_named_instead_of_a_column() -> None:
    text = table.markdown(claims(), audit.audit(claims(), [run(FAST, SLOW, None)]))
    assert "Algorithm 4: not computed in this study, there is no paper.picard." in text
    assert "| discrete | exact | threshold | verdict |" in text
    assert "1 not computed" in text


def test_every_claim_of_the_paper_finds_its_cells_in_the_papers_grid() -> None:
    study = config.load(yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8")))
    cells = [cell.spec() for cell in study.cells]
    for claim in spec.read(ROOT / "config/claims.yaml").claims:
        for check in claim.checks:
            chosen = audit.select(check.cell, cells)
            assert chosen, claim.id
            for one in chosen:
                assert audit.partner(check, one, cells) is not None, claim.id
                if check.k[1] is not None:
                    assert check.k[1] <= one["steps"], claim.id


def test_the_command_writes_both_tables_from_files(tmp_path: Path) -> None:
    files = []
    for name, y in (("discrete", FAST), ("paper.exact", SLOW), ("paper.picard", FAST)):
        described: dict[str, Any] = cell()
        if name != "discrete":
            described["solution"] = {"name": name}
        files.append(tmp_path / f"{name}.parquet")
        trajectories.write(files[-1], path(y), described, {})
    listed = tmp_path / "claims.yaml"
    raw = {"sources": SOURCES, "claims": [claims().claims[0].model_dump(mode="json", exclude_defaults=True)]}
    listed.write_text(yaml.safe_dump(raw), encoding="utf-8")
    outputs = [tmp_path / "claims.md", tmp_path / "claims.csv"]
    arguments = job_words("claims", tmp_path, outputs, files, {"claims": str(listed)})
    assert main(arguments) == 0
    assert "**holds only for the scheme**" in outputs[0].read_text(encoding="utf-8")
    assert outputs[1].read_text(encoding="utf-8").count("\n") == 2


def test_a_bad_claims_file_stops_the_command_before_it_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "claims.yaml"
    listed.write_text(yaml.safe_dump({"sources": SOURCES, "claims": [{"id": "one"}]}), encoding="utf-8")
    output = tmp_path / "claims.md"
    arguments = job_words("claims", tmp_path, [output], ["none.parquet"], {"claims": str(listed)})
    assert main(arguments) == 1
    assert "claims.yaml: one: where is missing" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == [listed, tmp_path / "jobs"]
