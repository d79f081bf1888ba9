"""Options that describe a run on the command line, and the objects that are built from them.

What lives here: the options that ``simulate``, ``solve``, ``fast-forward`` and ``show`` share.  What does
not: the runs themselves (:mod:`idescent.cli.paths`), looking up classes (:mod:`idescent.study.registry`).
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idescent.cli.words import one_of, whole
from idescent.study import registry

_COUNT = re.compile(r"[0-9]+[eE]\+?[0-9]+")
# An importable name: no file such as my.py, no path, no relative import.
_MODULE = re.compile(r"(?!.*\.py$)[^\s./:]+(\.[^\s./:]+)*")

HYPERPARAMETERS = {
    "beta": (0.99, "decay rate of RMSProp's average"),
    "beta1": (0.9, "decay rate of Adam's first moment"),
    "beta2": (0.999, "decay rate of Adam's second moment"),
    "weight_decay": (0.01, "weight decay of AdamW and AdamL2, as in PyTorch"),
    "eps": (1e-8, "epsilon, added outside the square root"),
}
"""Hyper-parameters of the optimizers, with their defaults and descriptions."""

COMMON = """\
classes
  optimizers: AdaGrad, RMSProp, Adam, AdamW, AdamL2, GradientDescent,
              HeavyBall, Nesterov, NAdam, AMSGrad, Adamax, AdaDelta, AdaBelief, CenteredRMSProp,
              MomentumRMSProp, Lion, Signum, ADOPT, QHM, ScheduleFreeSGD, ScheduleFreeAdamW,
              Muon, Shampoo, Adafactor (matrices: --optimizer-set shape=[2,3])
  objectives: Quadratic, RotatedQuadratic, Rosenbrock, DoubleWell, MeanSquaredError.synthetic,
              LogisticRegression.breast_cancer, SoftmaxRegression.digits, Perceptron.digits
  schedules: Constant, Cosine, LinearWarmup, Step
  or your own: module:Class, from a file module.py in the current folder
  HalfStep may also be written half-step
"""


@dataclass(frozen=True)
class DescribedRun:
    """A run that the options describe.

    Attributes
    ----------
    cell : dict
        The run as plain data, as in the metadata of trajectory files.
    optimizer, objective : object
    arguments : dict
        Further arguments of :func:`idescent.simulate` and :func:`idescent.solve`.
    """

    cell: dict[str, Any]
    optimizer: Any
    objective: Any
    arguments: dict[str, Any]

    @property
    def text(self) -> str:
        """Description of the run in one line."""
        return described(self.cell)


def add_optimizer(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the optimizer."""
    parser.add_argument("optimizer", metavar="OPTIMIZER", help="class of the optimizer, for example Adam")


def add(parser: argparse.ArgumentParser, *, schedule: bool = True) -> None:
    """Add the options that describe a run, except the optimizer's name."""
    group = parser.add_argument_group("the run")
    add_hyperparameters(group)
    group.add_argument(
        "--objective", default="Quadratic", metavar="CLASS", help="objective function (default Quadratic)"
    )
    _add_set(group, "--set", "argument of the objective, for example center=4")
    group.add_argument(
        "--alpha", type=float, default=0.01, metavar="X", help="learning rate in (0, 1] (default 0.01)"
    )
    group.add_argument(
        "--theta0",
        type=start,
        default=[1.0],
        metavar="X,...",
        help="initial parameters; one number is used for every coordinate (default 1); "
        "seed:1 for a start drawn by the objective",
    )
    group.add_argument(
        "--steps", type=whole, default=100, metavar="N", help="horizon in iterations (default 100)"
    )
    if schedule:
        group.add_argument(
            "--schedule", metavar="CLASS", help="learning-rate schedule (default: constant learning rate)"
        )
        _add_set(group, "--schedule-set", "argument of the schedule")


def add_hyperparameters(group: Any) -> None:
    """Add the options of the optimizer's hyper-parameters."""
    for name, (default, text) in HYPERPARAMETERS.items():
        option = f"--{name.replace('_', '-')}"
        group.add_argument(option, type=float, metavar="X", help=f"{text} (default {default:g})")
    group.add_argument(
        "--accumulator",
        choices=("coordinate", "norm"),
        help="second moment of each coordinate (default) or of the norm",
    )
    _add_set(group, "--optimizer-set", "any other hyper-parameter of the optimizer, for example psi=0.004")


def add_solution(parser: argparse.ArgumentParser) -> None:
    """Add the options of the model, the solver and its tolerances."""
    group = parser.add_argument_group("the solution")
    _add_set(group, "--model-set", "argument of the model")
    group.add_argument(
        "--solver",
        default="Collocation",
        metavar="CLASS",
        help="Collocation (default: exact) or Picard (Algorithm 4 of the paper)",
    )
    _add_set(group, "--solver-set", "argument of the solver")
    group.add_argument(
        "--rtol",
        type=float,
        default=1e-9,
        metavar="X",
        help="relative tolerance of theta, sup norm (default 1e-9)",
    )
    group.add_argument(
        "--atol", type=float, default=1e-12, metavar="X", help="absolute tolerance of theta (default 1e-12)"
    )


def add_keep(parser: argparse.ArgumentParser) -> None:
    """Add the options of the output."""
    group = parser.add_argument_group("the result")
    group.add_argument(
        "--keep", type=whole, metavar="N", help="store every N-th iteration and the last (default: all)"
    )
    group.add_argument("--output", type=Path, metavar="FILE", help="write a Parquet file instead of a table")
    group.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: Any) -> DescribedRun:
    """Return the run that the options describe.

    Raises
    ------
    ValueError
        If an option cannot be used; one line that names it.
    """
    name = registry.spelled("objective", options.objective)
    objective = {
        "name": name.rpartition(":")[2],
        "class": name,
        "arguments": dict(options.set),
    }
    optimizer = optimizer_spec(options)
    cell = {
        "objective": objective,
        "optimizer": optimizer,
        "alpha": options.alpha,
        "theta0": options.theta0,
        "steps": options.steps,
    }
    schedule = None
    if getattr(options, "schedule", None):
        name = registry.spelled("schedule", options.schedule)
        cell["schedule"] = {
            "name": name.rpartition(":")[2],
            "class": name,
            "arguments": dict(options.schedule_set),
        }
        _check_arguments("schedule", cell["schedule"], "--schedule-set")
        schedule = {"schedule": registry.schedule(cell)}
        _check_kind("schedule", name, schedule["schedule"])
    built = build("objective", objective, "--set")
    arguments = {
        "alpha": options.alpha,
        "theta0": registry.start(options.theta0, built),
        "steps": options.steps,
        **(schedule or {}),
    }
    return DescribedRun(cell, build("optimizer", optimizer, ""), built, arguments)


def solution(options: Any, model: str) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Return a solution as plain data, the model, and the further arguments of :func:`idescent.solve`."""
    spec = {"class": registry.spelled("model", model), "arguments": dict(options.model_set)}
    method = registry.spelled("solver", options.solver)
    solver = {"class": method, "arguments": dict(options.solver_set)}
    built = build("model", spec, "--model-set")
    method = method.rpartition(":")[2]
    name = f"{built.name}.{'exact' if method == 'Collocation' else method.lower()}"
    tolerance = {"rtol": options.rtol, "atol": options.atol}
    plain = {"name": name, "model": spec, "solver": solver, **tolerance}
    return plain, built, {"solver": build("solver", solver, "--solver-set"), **tolerance}


def build(kind: str, spec: Mapping[str, Any], option: str) -> Any:
    """Build an object by name.

    Parameters
    ----------
    kind : {"objective", "optimizer", "model", "solver", "schedule"}
    spec : mapping
        Keys ``class`` and ``arguments``.
    option : str
        Option that sets the arguments, for messages; empty if each argument has an option of its own.

    Raises
    ------
    ValueError
        If there is no such class, or it does not take the arguments; the message lists the allowed ones.
    """
    constructor = _check_arguments(kind, spec, option)
    try:
        built = constructor(**spec["arguments"])
    except ValueError:
        raise
    except Exception as error:  # a user's class may raise anything
        raise ValueError(f"{kind} {spec['class']}: {type(error).__name__}: {error}") from error
    _check_kind(kind, spec["class"], built)
    return built


def _check_kind(kind: str, name: str, built: Any) -> None:
    lacking = [needed for needed in registry.NEEDED[kind] if not hasattr(built, needed)]
    if lacking:
        raise ValueError(f"{kind}: {name!r} is not allowed: must have {', '.join(lacking)}")


def _check_arguments(kind: str, spec: Mapping[str, Any], option: str) -> Any:
    """Check the arguments of a class by its signature; return the class."""
    constructor, arguments = resolved(kind, spec["class"]), spec["arguments"]
    parameters = inspect.signature(constructor).parameters.values()
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    known = [p.name for p in named]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in arguments:
            if name not in known:
                allowed = one_of(known, name) if known else "the class takes no arguments"
                where = option or f"--{name.replace('_', '-')}"
                raise ValueError(f"{where}: {name!r} is no argument of {spec['class']}: {allowed}")
    missing = [p.name for p in named if p.default is p.empty and p.name not in arguments]
    if missing:
        example = f"--{missing[0].replace('_', '-')} X"
        if option or missing[0] not in HYPERPARAMETERS:
            example = f"{option or f'--{kind}-set'} {missing[0]}=VALUE"
        raise ValueError(f"{kind} {spec['class']}: {', '.join(missing)} must be set: {example}")
    return constructor


def resolved(kind: str, name: str) -> Any:
    """Return the class with a name.

    Raises
    ------
    ValueError
        If there is no such class; the message lists the classes of the kind.
    """
    module, colon, attribute = name.rpartition(":")
    if colon and not _MODULE.fullmatch(module):
        file = Path(module)
        example = f", such as {file.stem}:{attribute}" if file.is_file() and file.suffix == ".py" else ""
        rule = f"must be module:Class, from a file module.py in the current folder{example}"
        raise ValueError(f"{kind}: {name!r} is not allowed: {rule}")
    try:
        return registry.resolve(kind, name)
    except ValueError as error:
        if colon:
            raise
        from idescent.study.arguments import known

        allowed = one_of(sorted(known(kind)), name, ", or your own as module:Class")
        raise ValueError(f"{kind}: {name!r} is not allowed: {allowed}") from error
    except Exception as error:  # a user's module may raise anything when it is imported
        raise ValueError(f"{kind} {name}: {type(error).__name__}: {error}") from error


def described(cell: Mapping[str, Any]) -> str:
    """Return the description of a cell in one line."""
    objective, optimizer = (called(cell[kind]) for kind in ("objective", "optimizer"))
    theta0 = begin(cell["theta0"])
    text = f"{optimizer} on {objective}, alpha {cell['alpha']:g}, theta0 {theta0}, {cell['steps']} iterations"
    return text + (f", schedule {called(cell['schedule'])}" if "schedule" in cell else "")


def begin(theta0: Any) -> str:
    """Return a start as short text: the seed, or the first four coordinates."""
    if isinstance(theta0, Mapping):
        return f"seed {theta0['seed']}"
    return ", ".join(f"{x:g}" for x in theta0[:4]) + (", ..." if len(theta0) > 4 else "")


def start(text: str) -> list[float] | dict[str, int]:
    """Read ``1``, ``1,2.5`` or ``seed:1``."""
    kind, _, seed = text.partition(":")
    try:
        return {"seed": whole(seed)} if kind == "seed" else [float(word) for word in text.split(",")]
    except (ValueError, argparse.ArgumentTypeError):
        rule = "must be a number, numbers separated by commas, or seed:N"
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: {rule}") from None


def pair(text: str) -> tuple[str, Any]:
    """Read ``name=value``; a value that is not JSON is text, and ``1e6`` is a whole number."""
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: must be NAME=VALUE")
    try:
        parsed = json.loads(value)
    except ValueError:
        return name, value
    # JSON has 1e6 as a float, which no argument that counts something accepts.
    if isinstance(parsed, float) and _COUNT.fullmatch(value) and parsed <= 2.0**53:
        parsed = int(parsed)
    return name, parsed


def _add_set(group: Any, option: str, text: str) -> None:
    group.add_argument(option, action="append", default=[], type=pair, metavar="NAME=VALUE", help=text)


def optimizer_spec(options: Any) -> dict[str, Any]:
    """Return the optimizer that the options describe, as plain data.

    Its arguments are the hyper-parameters that are set, and the defaults of those that it requires.
    """
    optimizer = registry.spelled("optimizer", options.optimizer)
    parameters = inspect.signature(resolved("optimizer", optimizer)).parameters
    hyperparameters = {}
    for name in (*HYPERPARAMETERS, "accumulator"):
        value = getattr(options, name)
        required = name in parameters and parameters[name].default is inspect.Parameter.empty
        if value is not None:
            hyperparameters[name] = value
        elif required and name in HYPERPARAMETERS:
            hyperparameters[name] = HYPERPARAMETERS[name][0]
    return {"class": optimizer, "arguments": hyperparameters | dict(options.optimizer_set)}


def called(spec: Mapping[str, Any]) -> str:
    """Return a class and its arguments in one line."""
    arguments = ", ".join(f"{name}={value}" for name, value in spec.get("arguments", {}).items())
    return f"{spec['class']}({arguments})" if arguments else str(spec["class"])
