"""Products declare their rules once: what is declared is what the workflow runs, a user's own included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from configured import complete, minimal
from projects import ROOT, STUDY

from idescent import config
from idescent.products.product import Job, Output, Rule, figures, tables
from idescent.products.report.keys import drawn
from idescent.study.messages import ConfigError

OWN = """
from idescent.products.product import Job, Output, Rule

class Own:
    def __init__(self, name="own", file="tables/own.csv", rules=None):
        self.name, self.file, self.kind = name, file, rules

    def rules(self, study):
        if self.kind == "text":
            return ["compare"]
        jobs = () if self.kind == "no jobs" else (Job("c"),)
        return [Rule(self.name, "table", "own_product:make", (Output(self.file),), jobs, "make it")]

class Without:
    pass
"""


NO_RULES = "config: products.mine: rules(study) must return Rule objects with at least one job"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_product.py").write_text(OWN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("own_product", None)


def rules_of(raw: dict[str, Any]) -> list[Rule]:
    return config.rules(config.load(raw))


def with_own(class_: str = "Own", **arguments: Any) -> dict[str, Any]:
    return minimal() | {"products": {"mine": {"class": f"own_product:{class_}", "arguments": arguments}}}


def test_no_two_rules_have_the_same_name_or_make_the_same_file() -> None:
    rules = rules_of({**complete(), "claims": None})
    names = [rule.name for rule in rules]
    assert len(set(names)) == len(names)
    files = [file for rule in rules for file in rule.made()]
    assert len(set(files)) == len(files)


def test_the_report_shows_maps_among_ladders_in_the_order_of_the_runs() -> None:
    raw = yaml.safe_load((ROOT / "config" / "odd.yaml").read_text(encoding="utf-8"))
    stems = [(stem, rule) for stem, rule, *_ in drawn(rules_of(raw)) if stem.startswith("scaling")]
    assert stems == [
        ("scaling_memories_Adam", "scaling_map"),
        ("scaling_quadratic_AdamW", "scaling_figure"),
        ("scaling_edge_RMSProp", "scaling_figure"),
        ("scaling_quadratic_RMSProp", "scaling_figure"),
        ("scaling_still_RMSProp", "scaling_figure"),
    ]


def test_a_study_without_solutions_has_no_overview_of_errors() -> None:
    names = {rule.name for rule in rules_of({**minimal(), "solutions": {}})}
    assert "overview" not in names
    assert {"compare", "tables", "summary"} < names
    assert "overview" in {rule.name for rule in rules_of(minimal())}


def test_every_file_that_a_job_waits_for_is_made_by_another_rule() -> None:
    rules = rules_of({**complete(), "claims": None})
    made = {file for rule in rules for file in rule.made()}
    waited = {file for rule in rules for job in rule.jobs for file in job.inputs}
    assert waited <= made
    assert len(waited) > 10


def test_what_a_profile_or_a_module_may_mention_has_the_names_that_it_always_had() -> None:
    names = {rule.name for rule in rules_of({**complete(), "claims": None})}
    always = {"simulate", "solve", "compare", "tables", "report_numbers", "report", "summary"}
    assert always | {"figure_with_errors", "scaling", "fidelity", "fidelity_pack", "forecast"} <= names
    assert {"figure", "overview"} <= {rule.name for rule in rules_of(STUDY)}


@pytest.mark.parametrize(
    "product", sorted(p.parent.name for p in Path(config.__file__).parent.glob("products/*/keys.py"))
)
def test_declaring_a_product_loads_neither_matplotlib_nor_scipy_nor_jinja2(product: str) -> None:
    code = (
        f"import sys, idescent.products.{product}.keys\n"
        "print(*{'matplotlib', 'scipy', 'pandas', 'seaborn', 'jinja2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "\n"


MEASURED = """
import sys
from pathlib import Path
import idescent as ide
from idescent.products.ensembles import rows as ensembles
from idescent.products.errors import rows as errors
from idescent.products.fidelity import rows as fidelity
from idescent.products.forecast import rows as forecast
from idescent.store import trajectories

folder = Path(sys.argv[1], "alpha~0.1")
folder.mkdir()
cell = {"alpha": 0.1, "theta0": 1.0, "steps": 10}
setup = cell | {"objective": {"name": "bowl", "class": "Quadratic"}, "optimizer": {"class": "AdaGrad"}}
run = ide.simulate(ide.AdaGrad(), ide.Quadratic(), **cell)
path = ide.solve(ide.models.HalfStep(), ide.AdaGrad(), ide.Quadratic(), **cell)
files = [folder / "discrete.parquet", folder / "half-step.parquet"]
trajectories.write(files[0], run, setup, {})
trajectories.write(files[1], path, setup | {"solution": {"name": "half-step"}}, {})
trajectories.write_table(folder / "errors.parquet", errors.table(files))
found = fidelity.rows(files, [0.1], ide.Quadratic())
trajectories.write_table(folder / "fidelity.parquet", fidelity.as_table(found))
forecast.predict(setup)
samples = {"name": "mse", "class": "MeanSquaredError.synthetic", "arguments": {"size": 20}}
batches = {"label": "x", "batch": 4, "runs": 3, "seed": 0, "points": 5, "observe": ["loss"]}
batches |= {"solutions": [], "equations": ["Compagnoni"], "substeps": 1, "start": 2}
rms = {"optimizer": {"class": "RMSProp", "arguments": {"beta": 0.9}}}
curves, _ = ensembles.make(setup | {"objective": samples} | rms | batches, print)
trajectories.write_table(folder / "curves.parquet", ensembles.curves_table(curves))
print(*{"pandas", "matplotlib", "seaborn"} & set(sys.modules), sep="\\n")
"""


def test_simulating_solving_and_measuring_load_neither_pandas_nor_seaborn(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert not {"pandas", "matplotlib", "seaborn"} & set(done.stdout.split("\n"))
    assert len(list((tmp_path / "alpha~0.1").iterdir())) == 5


def test_a_product_of_ones_own_adds_its_rules_before_the_report(own: None) -> None:
    rules = rules_of(with_own())
    names = [rule.name for rule in rules]
    assert names.index("compare") < names.index("own") < names.index("report")
    numbers = next(rule for rule in rules if rule.name == "report_numbers")
    assert "tables/own.csv" in numbers.jobs[0].inputs
    assert "own" in dict(numbers.jobs[0].given["further"])


@pytest.mark.parametrize(
    ("name", "arguments", "line"),
    [
        (
            "Own",
            {"name": "compare"},
            "config: products.mine: 'compare' is not allowed: another rule has this name",
        ),
        (
            "Own",
            {"file": "tables/errors.csv"},
            "config: products.mine: 'tables/errors.csv' is not allowed: another rule writes this file",
        ),
        ("Own", {"rules": "no jobs"}, NO_RULES),
        ("Own", {"rules": "text"}, NO_RULES),
        (
            "Without",
            {},
            "config: products.mine: 'own_product:Without' is not allowed: "
            "must be a class with a method rules(study)",
        ),
    ],
)
def test_a_mistake_in_a_product_of_ones_own_is_one_line(
    name: str, arguments: dict[str, Any], line: str, own: None
) -> None:
    with pytest.raises(ConfigError) as caught:
        rules_of(with_own(name, **arguments))
    assert str(caught.value) == line


def test_the_files_of_tables_and_figures_are_in_all_formats() -> None:
    assert [output.path for output in tables("a", "a.rst")] == [
        f"tables/a{suffix}" for suffix in (".parquet", ".csv", ".md", ".tex")
    ]
    rule = Rule("r", "figure", "m:f", figures("f.rst"), (Job("c", {"figure": "x"}),), "draw")
    assert rule.made() == ["figures/x.pdf", "figures/x.svg", "figures/x.png"]
    assert [output.caption for output in rule.outputs] == ["", "f.rst", ""]
    assert Output("tables/a.csv").category == "Tables"
