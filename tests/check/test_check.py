"""`idescent check`: what ships passes; each broken class is caught by the check meant for it alone."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from checked import MODELS, OBJECTIVES, OPTIMIZERS

from idescent import cli, config, models
from idescent.check.differences import derivative, noise

ROOT = Path(__file__).parents[2]
FINE = [
    ["Quadratic"],
    ["Quadratic", "--dimension", "4", "--theta0", "-2.5", "--seed", "3"],
    ["MeanSquaredError.synthetic"],
    ["Rosenbrock"],
    ["Rosenbrock", "--arguments", '{"dimension": 3}', "--theta0", "-1.2,1,0.5"],
    ["RotatedQuadratic", "--arguments", '{"dimension": 5, "condition": 1000, "seed": 0}'],
    ["DoubleWell"],
    ["LogisticRegression.breast_cancer"],
    ["Perceptron.digits", "--arguments", '{"hidden": 2}'],
    ["mine_check:Ripple", "--dimension", "3"],
    ["mine_check:Mean"],
    ["mine_check:Bowl"],
    ["mine_check:OnePoint"],
    ["mine_check:Walled"],
    ["mine_check:Looped"],
    *([name] for name in ("AdaGrad", "RMSProp", "Adam", "AdamW", "AdamL2")),
    ["mine_check_optimizers:Plain"],
    ["mine_check_optimizers:Sign"],
    *([name] for name in ("Paper", "HalfStep", "BarakatBianchi")),
    ["mine_check_models:Fine"],
]
BROKEN = {
    "WrongSign": ("gradient", "sign"),
    "SlightlyOff": ("gradient", "differentiate value again"),
    "OneComponentOff": ("gradient", "differentiate value again"),
    "KeptAxis": ("one point", "axis=-1"),
    "InPlace": ("input kept", "gradient changes its argument theta"),
    "Noisy": ("repeatable", "draw random numbers once"),
    "Counting": ("repeatable", "value of the same theta"),
    "Cached": ("order of calls", "from theta alone"),
    "Buffered": ("order of calls", "return a new array"),
    "Single": ("float64", "float32"),
    "SingleInside": ("precision", "float64 throughout"),
    "Jump": ("precision", "without jumps"),
    "Undeclared": ("batches", "vectorized = False"),
    "MixedRows": ("batch = rows", "do not mix the rows"),
    "NotANumber": ("finite", "--theta0"),
    "Asymmetric": ("hessian symmetric", "second derivatives commute"),
    "WrongHessian": ("hessian", "differentiate gradient again"),
    "WrongProduct": ("hessian_vector", "Hessian at theta times direction"),
    "NotDiagonal": ("hessian_diagonal", "only if the whole Hessian is diagonal"),
    "NotSeparable": ("separable_quadratic", "remove the method"),
    "OtherRidge": ("finite sum", "same regularisation"),
    "HalfASum": ("finite sum", "there is no value_of"),
    "NoGradient": ("methods", "there is no method gradient"),
    "Raises": ("one point", "AttributeError"),
    "Unmade": ("methods", "KeyError"),
    "OtherStart": ("theta0", "RandomState(seed)"),
    "optimizers:Reserved": ("structure", "memories: the name 'gradient' is reserved: choose another"),
    "optimizers:Unknown": (
        "structure",
        "step: parameter 't' is unknown: must be one of gradient, point, theta, alpha, m",
    ),
    "optimizers:Flagged": (
        "constructs",
        "moments belongs to the former declaration by flags: declare memories()",
    ),
    "optimizers:ForgottenDecay": ("hyper-parameters", "weight_decay has no effect"),
    "optimizers:OneNumber": ("shapes", "differs from that of single runs: leading axes are runs"),
    "optimizers:Scalar": ("shapes", "step: D has shape (): it must be (1,), that of theta"),
    "optimizers:NoRoot": ("shapes", "step: D is not finite"),
    "optimizers:InPlace": ("shapes", "it changes m in place: return a new array"),
    "optimizers:Typo": ("shapes", "step raises AttributeError: 'Typo' object has no attribute 'epsilon'"),
    "optimizers:Unchecked": ("refuses", "super().__post_init__()"),
    "optimizers:Stranger": ("family", "must derive from idescent.optimizers.Optimizer"),
    "optimizers:Unequal": ("frozen", "__eq__"),
    "models:TooProud": ("order", "declared 2, observed"),
    "models:TooModest": ("attributes", "files are named after it"),
    "models:Falls": ("equations", "refuse with a ValueError"),
    "models:Refuses": ("equations", "at least one"),
    "models:Half": ("velocity", "shape"),
    "models:Uphill": ("order", "correct the equation"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in (("", OBJECTIVES), ("_optimizers", OPTIMIZERS), ("_models", MODELS)):
        (tmp_path / f"mine_check{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, f"mine_check{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


def checked(capsys, *words):
    status = cli.main(["check", *words, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert status == (0 if found["passed"] else 1)
    return found


@pytest.mark.parametrize("words", FINE, ids=" ".join)
def test_what_is_right_passes(words, folder, capsys):
    found = checked(capsys, *words)
    assert found["passed"], found
    assert not [entry for entry in found["checks"] if entry["status"] == "not checked"]


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_caught_by_the_check_meant_for_it_and_by_no_other(name, folder, capsys):
    kind, _, own = name.rpartition(":")
    found = checked(capsys, f"mine_check{'_' + kind if kind else ''}:{own}")
    failed = [(entry["check"], entry["text"]) for entry in found["checks"] if entry["status"] == "fail"]
    expected, said = BROKEN[name]
    assert [check for check, _ in failed] == [expected], failed
    assert said in failed[0][1]
    assert "\n" not in failed[0][1]


def orders(found):
    return {
        entry["check"]: (entry["status"], entry["text"])
        for entry in found["checks"]
        if entry["check"].startswith("order ")
    }


def test_claims_are_measured_with_short_memories(capsys):
    found = orders(checked(capsys, "Adam"))
    for model, claimed in (("HalfStep", 2), ("Paper", 1)):
        status, text = found[f"order {model}"]
        assert status == "ok"
        assert text.startswith(f"claimed {claimed}, slopes ")
        assert text.endswith("(beta1 = 0.684, beta2 = 0.968)")


def test_an_optimizer_without_a_claim_passes_and_is_told_why(capsys):
    for name, why in (("Lion", "a sign"), ("CenteredRMSProp", "its step is not smooth")):
        status, text = orders(checked(capsys, name))["order HalfStep"]
        assert status == "not offered"
        assert text.startswith(f"no claim: {why}")


def test_a_claim_above_the_measured_order_fails(monkeypatch, capsys):
    monkeypatch.setattr(models.Paper, "__init__", lambda self: None)
    monkeypatch.setattr(models.Paper, "order", 2)
    found = checked(capsys, "HeavyBall")
    status, text = orders(found)["order Paper"]
    assert status == "fail"
    assert text.startswith("claimed 2, slopes ")
    assert "below 1.9" in text
    assert not found["passed"]


def test_a_person_sees_one_line_a_check_and_the_status_tells(folder, capsys):
    assert cli.main(["check", "mine_check:WrongSign"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {"ok", "FAIL", "–"}
    (failed,) = [line for line in lines if line.startswith("FAIL")]
    assert failed.split()[1] == "gradient"
    assert cli.main(["check", "mine_check:Ripple"]) == 0
    text = capsys.readouterr().out
    assert "FAIL" not in text
    assert "–     hessian_diagonal" in text
    assert "µs in a batch of 1000" in text


def test_speed_hints_where_vectorising_pays_and_judges_nothing(folder, capsys):
    assert cli.main(["check", "mine_check:OnePoint"]) == 0
    assert "accept theta (m, n) at once" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Nothing"], "'Nothing' is not allowed: must be module:Class"),
        (["no_module:Class"], "no_module"),
        (["mine_check:Nothing"], "Nothing"),
        (["mine_check:np"], "np"),
        (["Quadratic", "--arguments", "{"], "--arguments: '{' is not allowed: must be a JSON object"),
        (["Quadratic", "--arguments", '{"middle": 1}'], "--arguments: 'middle' is no argument of Quadratic"),
        (["Perceptron"], "--arguments: split is missing"),
        (["Quadratic", "--dimension", "0"], "must be a whole number >= 1"),
        (["Adam", "--theta0", "1"], "--theta0 and --dimension are for objectives"),
        (["Quadratic", "--kind", "model"], "Quadratic"),
        (["Quadratic", "--theta0", "seed:1"], "has no method initial(seed)"),
        (["Rosenbrock", "--dimension", "3"], "Rosenbrock has 2 parameters"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_status_2(words, said, folder, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["check", *words])
    assert ended.value.code == 2
    given = capsys.readouterr()
    assert said in given.err
    assert given.err.count("\n") == 1
    assert given.out == ""


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (np.exp, 1.0),
        (lambda x: np.sin(40.0 * x + 1.0), 40.0 * np.cos(1.0)),
        (lambda x: np.log(x + 0.02), 50.0),
        (lambda x: 1e6 + x**3 + x, 1.0),
    ],
)
def test_the_error_of_a_difference_is_within_its_estimate(function, slope, scale):
    def line(h):
        with np.errstate(all="ignore"):
            return scale * np.asarray(function(np.float64(h)))

    found, error = derivative(line, 1.0, noise(line, 1.0))
    assert abs(float(found) - scale * slope) <= error
    assert error <= 1e-7 * scale * slope or error <= 1e-6 * scale


@pytest.mark.parametrize("sigma", [1e-12, 1e-8, 1e-4])
def test_the_noise_of_a_function_is_found_within_a_factor(sigma):
    stream = np.random.RandomState(0)
    found = noise(lambda h: np.asarray(np.exp(h) + sigma * stream.standard_normal()), 1.0)
    assert 0.2 * sigma <= found <= 5.0 * sigma


def test_a_kink_gives_no_derivative_that_looks_good():
    found, error = derivative(lambda h: np.asarray(abs(h - 0.01)), 1.0, 1e-16)
    assert abs(float(found) + 1.0) <= error


def test_every_model_of_the_package_is_recognised_as_one():
    from idescent.check import kind_of

    assert {kind_of(getattr(models, name)) for name in ("Paper", "HalfStep", "ThirdOrder")} == {"model"}


def test_the_page_on_objectives_of_ones_own_runs_and_shows_what_it_prints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    text = (ROOT / "docs" / "own-objective.md").read_text(encoding="utf-8")
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert " ".join(language for language, _ in found) == "python sh text sh python sh text python yaml"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    printed = None
    for language, code in found:
        if language == "text":
            assert code == printed
            continue
        if saved := re.match(r"# (\S+\.(?:py|yaml))\n", code):
            (tmp_path / saved[1]).write_text(code, encoding="utf-8")
        if language == "yaml":
            assert len(config.load(yaml.safe_load(code)).cells) == 2
            continue
        command = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
        done = subprocess.run(
            [*command, code], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
        )
        assert done.returncode == 0, done.stderr
        printed = done.stdout
