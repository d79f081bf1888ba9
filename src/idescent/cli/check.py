"""``idescent check``: check a class of the user, a class of the package, or a configuration.

What lives here: the options, and the printing of verdicts.  What does not: the checks themselves
(:mod:`idescent.check`, :mod:`idescent.config`).
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from idescent.cli import cell, terminal
from idescent.cli.words import one_of, question, whole

if TYPE_CHECKING:
    from idescent.check.verdicts import Verdict

HELP = """\
Check an objective, an optimizer or a model, of your own or of the package, or a configuration file.

Objectives: shapes, types, batches, purity, the gradient against differences of the value, Hessians against
differences of the gradient, speed.  Optimizers: structure, hyper-parameters, loops, models, and the orders
that models claim against measured ones.  Models: equations, and the declared order against the observed one.
Configurations, by the name of the file: every mistake for which the workflow would refuse it, without
Snakemake and without a run.

The command prints one line for each check: ok, FAIL with the correction to make, or – if there was nothing to
check.  The exit status is 0 if no check failed, 1 if a check failed, 2 after bad input.
"""
EPILOG = """\
examples
  idescent check Rosenbrock --arguments '{"dimension": 3}' --theta0 0.5
  idescent check Adam
  idescent check Quadratic --dimension 4 --seed 2 --json

for a class of your own, from a file my_objective.py in the current folder: idescent check my_objective:Class
for a configuration that you do not trust: IDESCENT_USER_CODE=no idescent check theirs.yaml
"""
_MARKS = {"ok": "ok", "fail": "FAIL", "not offered": "–", "not checked": "–"}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "name", metavar="CLASS", help="module:Class, a class of the package, or the file of a configuration"
    )
    parser.add_argument(
        "--arguments", default="{}", metavar="JSON", help="arguments of the class, as a JSON object"
    )
    parser.add_argument(
        "--kind",
        choices=("objective", "optimizer", "model"),
        help="kind of the class (default: by its attributes)",
    )
    parser.add_argument(
        "--dimension",
        type=_positive,
        metavar="N",
        help="number of parameters, for an objective that allows any (default 2)",
    )
    parser.add_argument(
        "--theta0",
        type=cell.start,
        metavar="X,...",
        help="point at which an objective is checked (default: initial(seed), or 1 in every coordinate)",
    )
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="seed of the points around theta0 (default 0)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: Any) -> int:
    """Run the checks and print their verdicts; return 1 if a check failed."""
    if options.name.endswith((".yaml", ".yml", ".json")):
        return _print(options, "configuration", _configuration(options.name))
    from idescent.check import check

    options.name = _spelled(options)
    try:
        kind, constructor, arguments = _resolved(options)
    except ValueError as error:
        _refused(str(error))
    more = {}
    if kind == "objective":
        more = {"theta0": options.theta0, "dimension": options.dimension, "seed": options.seed}
    elif options.theta0 is not None or options.dimension is not None:
        _refused(f"--theta0 and --dimension are for objectives: {options.name} is an optimizer or a model")
    try:
        verdicts = check(kind, constructor, arguments, **more)
    except ValueError as error:
        _refused(f"--{error}")
    return _print(options, kind, verdicts)


def _configuration(file: str) -> list[Verdict]:
    """Check a configuration and its claims file; return one verdict, or one for each problem."""
    from idescent.check.verdicts import Verdict
    from idescent.config import ConfigError, load, rules
    from idescent.products.claims.statements import ClaimsError
    from idescent.study.documents import DocumentError, read

    try:
        study = load(read(file))
        rules(study)
    except (DocumentError, ConfigError, ClaimsError) as error:
        return [Verdict("configuration", "fail", line) for line in str(error).splitlines()]
    solutions = sum(len(cell.solutions) for cell in study.cells)
    text = f"study {study.name}: {len(study.cells)} runs, {solutions} solutions"
    return [Verdict("configuration", "ok", text)]


def _print(options: Any, kind: str, verdicts: list[Verdict]) -> int:
    """Print a line for each verdict; return 1 if a check failed."""
    passed = all(verdict.status != "fail" for verdict in verdicts)
    if options.json:
        plain = [{"check": v.check, "status": v.status, "text": v.text} for v in verdicts]
        terminal.write_json({"class": options.name, "kind": kind, "passed": passed, "checks": plain})
        return 0 if passed else 1
    width = max(len(verdict.check) for verdict in verdicts)
    for verdict in verdicts:
        text = verdict.text or ("" if verdict.status == "ok" else verdict.status)
        sys.stdout.write(f"{_MARKS[verdict.status]:<4}  {verdict.check:<{width}}  {text}".rstrip() + "\n")
    return 0 if passed else 1


def _resolved(options: Any) -> tuple[str, Any, dict[str, Any]]:
    """Return the kind, the class and the arguments.

    Raises
    ------
    ValueError
        If the arguments do not fit the class, or its kind is unknown.
    """
    from idescent.check import KINDS, kind_of

    try:
        arguments = json.loads(options.arguments)
    except ValueError as error:
        raise ValueError(
            f"--arguments: {options.arguments!r} is not allowed: must be a JSON object"
        ) from error
    if not isinstance(arguments, dict):
        raise ValueError(f"--arguments: {options.arguments!r} is not allowed: must be a JSON object")
    constructor, kind = _class(options), options.kind
    if ":" not in options.name:
        kind = next(k for k in KINDS if _has(k, options.name))
    taken = _parameters(constructor)
    if taken is not None:
        for name in arguments:
            if name not in taken:
                allowed = one_of(taken, name) if taken else "the class takes no arguments"
                raise ValueError(f"--arguments: {name!r} is no argument of {options.name}: {allowed}")
    if kind is None:
        # The kind of a function that returns an object shows only in that object.
        kind = kind_of(constructor)
        if kind is None and not inspect.isclass(constructor):
            kind = kind_of(
                cell.build("objective", {"class": options.name, "arguments": arguments}, "--arguments")
            )
        if kind is None:
            raise ValueError(
                f"{options.name}: it has neither value, memories nor equation: set its kind with --kind"
            )
    if kind == "optimizer":
        unset = [name for name, required in (taken or {}).items() if required and name not in arguments]
        arguments |= {name: cell.HYPERPARAMETERS[name][0] for name in unset if name in cell.HYPERPARAMETERS}
    missing = [name for name, required in (taken or {}).items() if required and name not in arguments]
    if missing:
        raise ValueError(f"--arguments: {missing[0]} is missing: {options.name} has no default for it")
    return kind, constructor, arguments


def _class(options: Any) -> Any:
    """Return the class that the command names."""
    from idescent.check import KINDS

    if ":" in options.name:
        return cell.resolved(options.kind or "class", options.name)
    kinds = [options.kind] if options.kind else [kind for kind in KINDS if _has(kind, options.name)]
    if not kinds:
        from idescent.study.arguments import known

        suggestion = question([name for kind in KINDS for name in known(kind)], options.name)
        allowed = f"must be module:Class, or a class of the package{suggestion}"
        raise ValueError(f"{options.name!r} is not allowed: {allowed}")
    return cell.resolved(kinds[0], options.name)


def _spelled(options: Any) -> str:
    """Return the name of the class as the package spells it."""
    from idescent.check import KINDS
    from idescent.study.registry import spelled

    names = [spelled(kind, options.name) for kind in ([options.kind] if options.kind else KINDS)]
    return next((name for name in names if name != options.name), options.name)


def _has(kind: str, name: str) -> bool:
    """Whether the package has a class of this kind and name."""
    from idescent.study import registry

    try:
        registry.resolve(kind, name)
    except ValueError:
        return False
    return True


def _parameters(constructor: Any) -> dict[str, bool] | None:
    """Return, for each argument of a class, whether it is required.

    None if the class takes any arguments, or has no signature.
    """
    try:
        parameters = inspect.signature(constructor).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters):
        return None
    return {p.name: p.default is p.empty for p in parameters}


def _refused(text: str) -> NoReturn:
    sys.stderr.write(f"idescent check: {' '.join(text.split())}\n")
    raise SystemExit(2)


def _positive(text: str) -> int:
    rule = "must be a whole number >= 1"
    if (number := whole(text, rule)) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: {rule}")
    return number


def _seed(text: str) -> int:
    rule = "must be a whole number in [0, 2**32)"
    if not 0 <= (number := whole(text, rule)) < 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: {rule}")
    return number
