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

from idescent import cli, config, models
from idescent.check.differences import derivative, noise

ROOT = Path(__file__).parents[1]
OBJECTIVES = '''
import numpy as np


class Ripple:
    """sum of cosh(x_i - i) and a coupling of neighbours."""

    def __init__(self, weight=0.5):
        self.weight = weight

    def value(self, theta):
        i = np.arange(theta.shape[-1])
        beside = theta[..., 1:] * theta[..., :-1]
        return np.cosh(theta - i).sum(axis=-1) + self.weight * beside.sum(axis=-1)

    def gradient(self, theta):
        g = np.sinh(theta - np.arange(theta.shape[-1]))
        g[..., 1:] += self.weight * theta[..., :-1]
        g[..., :-1] += self.weight * theta[..., 1:]
        return g

    def hessian(self, theta):
        n = theta.shape[-1]
        h = np.cosh(theta - np.arange(n))[..., None] * np.eye(n)
        return h + self.weight * (np.eye(n, k=1) + np.eye(n, k=-1))

    def hessian_vector(self, theta, direction):
        return (self.hessian(theta) @ direction[..., None])[..., 0]


class Mean:
    """Half the mean squared distance to three points on a line."""

    samples = 3
    data = np.array([0.0, 1.0, 5.0])

    def value(self, theta):
        return self.value_of(theta, np.arange(3))

    def gradient(self, theta):
        return self.gradient_of(theta, np.arange(3))

    def value_of(self, theta, indices):
        return 0.5 * ((theta[..., None] - self.data[indices][..., None, :]) ** 2).mean(axis=-1).sum(axis=-1)

    def gradient_of(self, theta, indices):
        return (theta[..., None] - self.data[indices][..., None, :]).mean(axis=-1)


class Bowl:
    def value(self, theta):
        return ((theta - 4.0) ** 2).sum(axis=-1)

    def gradient(self, theta):
        return 2.0 * (theta - 4.0)


class OnePoint(Bowl):
    vectorized = False

    def value(self, theta):
        return float(theta @ theta) + theta[0] * theta[1]

    def gradient(self, theta):
        return 2.0 * theta + np.array([theta[1], theta[0]])


class Walled(Bowl):
    def value(self, theta):
        return -np.log(1.01 - theta).sum(axis=-1)

    def gradient(self, theta):
        return 1.0 / (1.01 - theta)


class Looped(Bowl):
    def gradient(self, theta):
        rows = theta.reshape(-1, theta.shape[-1])
        return np.stack([2.0 * (row - 4.0) for row in rows]).reshape(theta.shape)


class WrongSign(Ripple):
    def gradient(self, theta):
        return -super().gradient(theta)


class SlightlyOff(Ripple):
    def gradient(self, theta):
        return super().gradient(theta) * (1.0 + 1e-5)


class OneComponentOff(Ripple):
    def gradient(self, theta):
        g = super().gradient(theta)
        g[..., 1] *= 1.0 + 1e-5
        return g


class KeptAxis(Bowl):
    def value(self, theta):
        return ((theta - 4.0) ** 2).sum(axis=-1, keepdims=True)


class InPlace(Bowl):
    def gradient(self, theta):
        theta -= 4.0
        return 2.0 * theta


class Noisy(Bowl):
    def gradient(self, theta):
        return super().gradient(theta) + 1e-9 * np.random.default_rng().standard_normal(theta.shape)


class Counting(Bowl):
    calls = 0

    def value(self, theta):
        self.calls += 1
        return super().value(theta) / self.calls


class Cached(Bowl):
    away = None

    def value(self, theta):
        self.away = theta - 4.0
        return (self.away**2).sum(axis=-1)

    def gradient(self, theta):
        if self.away is None or self.away.shape != theta.shape:
            self.away = theta - 4.0
        return 2.0 * self.away


class Buffered(Bowl):
    buffer = {}

    def gradient(self, theta):
        out = self.buffer.setdefault(theta.shape, np.empty(theta.shape))
        out[...] = 2.0 * (theta - 4.0)
        return out


class Single(Bowl):
    def gradient(self, theta):
        return (2.0 * (theta - 4.0)).astype(np.float32)


class SingleInside(Bowl):
    def value(self, theta):
        return ((theta.astype(np.float32) - np.float32(4.0)) ** 2).sum(axis=-1).astype(np.float64)


class Undeclared(OnePoint):
    vectorized = True


class MixedRows(Ripple):
    def gradient(self, theta):
        g = super().gradient(theta)
        return g if theta.ndim == 1 else g[..., ::-1, :]


class NotANumber(Bowl):
    def value(self, theta):
        return np.log(theta - 1.0).sum(axis=-1)

    def gradient(self, theta):
        return 1.0 / (theta - 1.0)


class Jump(Bowl):
    def value(self, theta):
        return super().value(theta) + 1e-3 * np.floor(1e7 * theta[..., 0])


class Asymmetric(Ripple):
    def hessian(self, theta):
        n = theta.shape[-1]
        return super().hessian(theta) + 0.1 * np.eye(n, k=1)

    def hessian_vector(self, theta, direction):
        return (Ripple.hessian(self, theta) @ direction[..., None])[..., 0]


class WrongHessian(Asymmetric):
    def hessian(self, theta):
        return 1.001 * Ripple.hessian(self, theta)


class WrongProduct(Ripple):
    def hessian_vector(self, theta, direction):
        return super().hessian_vector(theta, direction) + 1e-4 * direction


class NotDiagonal(Ripple):
    def hessian_diagonal(self, theta):
        return np.cosh(theta - np.arange(theta.shape[-1]))


class NotSeparable(Bowl):
    def separable_quadratic(self, n):
        return np.full(n, 2.0), np.full(n, 3.0)


class OtherRidge(Mean):
    def gradient_of(self, theta, indices):
        return super().gradient_of(theta, indices) + 1e-3 * theta

    def gradient(self, theta):
        return Mean.gradient_of(self, theta, np.arange(3))


class HalfASum(Bowl):
    samples = 3

    def gradient_of(self, theta, indices):
        return self.gradient(theta)


class NoGradient:
    def value(self, theta):
        return (theta**2).sum(axis=-1)


class Raises(Bowl):
    def gradient(self, theta):
        return self.weights * theta


class Unmade(Bowl):
    def __init__(self):
        raise KeyError("weights")


class OtherStart(Bowl):
    dimension = 2

    def initial(self, seed):
        return np.random.default_rng().standard_normal(2)
'''
OPTIMIZERS = """
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from idescent.optimizers import Optimizer


@dataclass(frozen=True)
class Plain(Optimizer):
    beta1: float
    beta2: float
    eps: float = 1e-8
    moments: ClassVar[tuple[str, ...]] = ("m", "v")
    bias_correction: ClassVar[bool] = True


@dataclass(frozen=True)
class Swapped(Plain):
    moments: ClassVar[tuple[str, ...]] = ("v", "m")


@dataclass(frozen=True)
class SumThatForgets(Plain):
    bias_correction: ClassVar[bool] = False
    summing: ClassVar[bool] = True

    @property
    def decay2(self):
        return self.beta2


@dataclass(frozen=True)
class ForgottenDecay(Plain):
    weight_decay: float = 0.1


@dataclass(frozen=True)
class Absolute(Plain):
    def squares(self, gradient):
        return np.abs(gradient)


@dataclass(frozen=True)
class Rounded(Plain):
    @property
    def decay2(self):
        return np.float32(self.beta2)


@dataclass(frozen=True)
class Unchecked(Plain):
    def __post_init__(self):
        pass


class Stranger:
    moments = ("v",)
    decay1 = decay2 = 0.5


@dataclass(frozen=True, eq=False)
class Unequal(Plain):
    __hash__ = object.__hash__
"""
MODELS = """
import numpy as np
from dataclasses import dataclass, replace

from idescent.models import Paper


@dataclass(frozen=True)
class Fine(Paper):
    name: str = "fine"

    def equation(self, optimizer, alpha):
        if optimizer.momentum:
            raise ValueError(f"Fine does not model {optimizer!r}: it has momentum")
        return super().equation(optimizer, alpha)


@dataclass(frozen=True)
class TooProud(Paper):
    order: int = 2


@dataclass(frozen=True)
class TooModest(Paper):
    name: str = "a/b"


@dataclass(frozen=True)
class Falls(Paper):
    def equation(self, optimizer, alpha):
        if optimizer.summing:
            raise KeyError("decay")
        return super().equation(optimizer, alpha)


@dataclass(frozen=True)
class Refuses(Paper):
    def equation(self, optimizer, alpha):
        raise ValueError("no")


@dataclass(frozen=True)
class Half(Paper):
    def equation(self, optimizer, alpha):
        whole = super().equation(optimizer, alpha)
        return replace(whole, velocity=lambda *given: whole.velocity(*given)[..., :1])


@dataclass(frozen=True)
class Uphill(Paper):
    def equation(self, optimizer, alpha):
        whole = super().equation(optimizer, alpha)
        return replace(whole, velocity=lambda *given: 2.0 * whole.velocity(*given))
"""
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
    *([name] for name in ("Paper", "HalfStep", "BarakatBianchi")),
    ["mine_check_models:Fine"],
]
BROKEN = {
    "WrongSign": ("gradient", "sign"),
    "SlightlyOff": ("gradient", "differentiate value again"),
    "OneComponentOff": ("gradient", "differentiate value again"),
    "KeptAxis": ("one point", "axis=-1"),
    "InPlace": ("input kept", "gradient changes the theta"),
    "Noisy": ("repeatable", "draw random numbers once"),
    "Counting": ("repeatable", "value of the same theta"),
    "Cached": ("order of calls", "from theta alone"),
    "Buffered": ("order of calls", "return a new one"),
    "Single": ("float64", "float32"),
    "SingleInside": ("precision", "float64 throughout"),
    "Jump": ("precision", "without jumps"),
    "Undeclared": ("batches", "vectorized = False"),
    "MixedRows": ("batch = rows", "keep rows apart"),
    "NotANumber": ("finite", "--theta0"),
    "Asymmetric": ("hessian symmetric", "write both"),
    "WrongHessian": ("hessian", "differentiate gradient again"),
    "WrongProduct": ("hessian_vector", "Hessian at theta times direction"),
    "NotDiagonal": ("hessian_diagonal", "only where the whole Hessian is diagonal"),
    "NotSeparable": ("separable_quadratic", "leave it out"),
    "OtherRidge": ("finite sum", "same regularisation"),
    "HalfASum": ("finite sum", "there is no value_of"),
    "NoGradient": ("methods", "there is no method gradient"),
    "Raises": ("one point", "AttributeError"),
    "Unmade": ("methods", "KeyError"),
    "OtherStart": ("theta0", "RandomState(seed)"),
    "optimizers:Swapped": ("structure", "the second moment is last"),
    "optimizers:SumThatForgets": ("structure", "decay2"),
    "optimizers:ForgottenDecay": ("hyper-parameters", "weight_decay has no effect"),
    "optimizers:Absolute": ("squares", "remove it"),
    "optimizers:Rounded": ("loops agree", "float"),
    "optimizers:Unchecked": ("refuses", "super().__post_init__()"),
    "optimizers:Stranger": ("family", "derive from it"),
    "optimizers:Unequal": ("frozen", "__eq__"),
    "models:TooProud": ("order", "declared 2, observed"),
    "models:TooModest": ("attributes", "files are named after it"),
    "models:Falls": ("equations", "refuse with a ValueError"),
    "models:Refuses": ("equations", "at least one"),
    "models:Half": ("velocity", "shape"),
    "models:Uphill": ("order", "mend the equation"),
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


def test_an_optimizer_that_no_model_covers_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr("idescent.check.optimizer.known", lambda _: ["SignFlow", "LogRate"])
    failed = [entry for entry in checked(capsys, "AdaGrad")["checks"] if entry["status"] == "fail"]
    assert [entry["check"] for entry in failed] == ["models"]
    assert "no model can be built (LogRate: " in failed[0]["text"]


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
    assert "it would pay to take theta (m, n) at once" in capsys.readouterr().out


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
