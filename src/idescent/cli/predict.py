"""``idescent predict``: a training run at less cost than the run, with an error estimate.

What lives here: the options, the start in a file, the printed table and the CSV file.  What does not: the
prediction itself (:mod:`idescent.prediction`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idescent.cli import cell, paths, terminal
from idescent.cli.fast_forward import iterations
from idescent.cli.words import whole

if TYPE_CHECKING:
    from idescent.trajectory import Trajectory

HELP = """\
Predict the loss of a training run with fewer gradients than the run, with an error estimate.

The command integrates the half-step model of the optimizer, with one gradient for a step of several
iterations.  It prints the loss and the size of theta at a few iterations, or writes them to the CSV file of
--output.  The error is the estimated one of the loss, relative to the loss, or to 1/1000 of the first loss if
that is larger.  The status of a prediction is "estimated", never "converged".
"""
EPILOG = f"""\
examples
  idescent predict Adam --objective Rosenbrock --theta0 -1.2,1 --alpha 0.001 --steps 2000
  idescent predict AdaGrad --objective DoubleWell --theta0 0.1 --steps 5000 --output prediction.csv
  idescent predict RMSProp --beta 0.99 --alpha 0.001 --steps 800 --at 100,800 --budget 200 --json
  idescent simulate Adam --alpha 0.001 --output run.parquet
  idescent predict Adam --alpha 0.001 --from run.parquet:50 --steps 1000

{cell.COMMON}"""
_ROWS = 11  # in the table, by default


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    cell.add_optimizer(parser)
    cell.add(parser, schedule=False)
    group = parser.add_argument_group("the prediction")
    group.add_argument(
        "--from",
        dest="file",
        metavar="FILE",
        help="start from a stored run with the same options, instead of --theta0: FILE:K for iteration K, "
        "FILE for the last one; --steps then counts from there",
    )
    group.add_argument(
        "--start-iterations",
        type=whole,
        metavar="N",
        help="iterations of the optimizer itself that are made first (default: 8 from iteration 0, else 0)",
    )
    group.add_argument(
        "--tolerance",
        type=float,
        default=0.01,
        metavar="X",
        help="tolerance of the loss in (0, 1), relative (default 0.01)",
    )
    group.add_argument(
        "--budget", type=whole, metavar="N", help="gradients for everything; ends the prediction earlier"
    )
    group.add_argument(
        "--step",
        type=float,
        metavar="X",
        help="constant step in iterations: a whole number, or a power of 1/2 (default: adaptive)",
    )
    group = parser.add_argument_group("the result")
    group.add_argument(
        "--at", type=iterations, metavar="K,...", help="iterations (default: a few between first and last)"
    )
    group.add_argument("--output", type=Path, metavar="FILE", help="write a CSV file instead of a table")
    group.add_argument("--json", action="store_true", help="print JSON instead of a table")
    # None: was not typed, so that --from can refuse it.
    parser.set_defaults(theta0=None)


def run(options: Any) -> None:
    """Predict the run, and print or write it up to the last iteration that was reached."""
    from idescent.common.numeric import integer
    from idescent.prediction import predict

    paths.check_output(options.output, ".csv")
    if options.start_iterations is not None:
        integer("--start-iterations", options.start_iterations, least=0)
    described, start, text = _start(options)
    first = start.get("k", 0)
    for k in options.at or ():
        integer("--at", k, least=first, most=first + options.steps)
    with terminal.progress("predict") as show:
        result = predict(
            described.optimizer,
            described.objective,
            alpha=options.alpha,
            start=start,
            steps=options.steps,
            tolerance=options.tolerance,
            budget=options.budget,
            step=options.step,
            progress=None if show is None else lambda line: show(line.removeprefix("predict: ")),
        )
    columns, dimension = _columns(options, described.objective, result)
    rows, report = list(zip(*columns.values(), strict=True)), result.report
    if options.output is not None:
        from idescent.store.files import write_text

        lines = [",".join(columns), *(",".join(map(repr, row)) for row in rows)]
        write_text(options.output, "\n".join(lines) + "\n")
    if options.json:
        content = {"output": str(options.output)} if options.output else columns
        terminal.write_json({"cell": described.cell, "first": first, "report": asdict(report), **content})
    elif options.output is not None:
        sys.stdout.write(f"{options.output}: {len(rows)} rows, {report.status}: {report.message}\n")
    else:
        table = [
            [f"{k}", f"{t:.6g}", f"{loss:.6g}", "-" if error != error else f"{error:.1e}", f"{x:.6g}"]
            for k, t, loss, error, x in rows
        ]
        size, norm = "theta", ""
        if dimension > 1:
            size, norm = "|theta|", f"; |theta|: Euclidean norm over {dimension} coordinates"
        done = result.reached - first
        sys.stdout.write(f"{text}\n\n")
        sys.stdout.write(terminal.columns(("k", "t", "loss", "error", size), table))
        sys.stdout.write(
            f"k: iteration; t = alpha k: time; error: estimated relative error of the loss{norm}\n"
            f"{report.status}: {report.message}\n"
            f"{report.gradient_evaluations / done:.2g} gradients an iteration, "
            f"{report.details['path'] / done:.2g} without those for the estimate; the run needs 1\n"
        )
    if report.status != "estimated" or result.reached < first + options.steps:
        terminal.note(f"{report.status}: {report.message}")


def _columns(options: Any, objective: Any, result: Any) -> tuple[dict[str, list[Any]], int]:
    """Return the columns of the result by name, and the number of parameters."""
    import numpy as np

    at = options.at
    if not at and options.output is not None:
        at = sorted({*result.k.tolist(), result.reached})
    elif not at:
        even = np.linspace(result.k[0], result.k[-1], _ROWS)
        at = sorted({*(int(result.k[np.abs(result.k - x).argmin()]) for x in even), result.reached})
    if max(at) > result.reached:
        at = [k for k in at if k < result.reached] + [result.reached]
    theta = result(at)
    # Between two iterations with an estimate: the larger one.  After the last one: none.
    right = np.append(result.errors, np.nan)[np.searchsorted(result.k, at)]
    left = result.errors[np.searchsorted(result.k, at, side="right") - 1]
    dimension = theta.shape[1]
    sizes = theta[:, 0] if dimension == 1 else np.linalg.norm(theta, axis=1)
    columns = {
        "k": at,
        "t": [options.alpha * k for k in at],
        "loss": [float(objective.value(row)) for row in theta],
        "error": np.maximum(left, right).tolist(),
        "theta" if dimension == 1 else "theta_norm": sizes.tolist(),
    }
    return columns, dimension


def _start(options: Any) -> tuple[cell.DescribedRun, dict[str, Any], str]:
    """Return the run that the options describe, the start of the prediction, and both in one line."""
    stored = None
    if options.file is not None:
        if options.theta0 is not None:
            raise ValueError("--theta0: not allowed with --from, which has a start of its own")
        trajectory, stored, name, k = _stored(options.file)
    options.theta0 = [1.0] if options.theta0 is None else options.theta0
    described = cell.run(options)
    start, text = {"theta": described.arguments["theta0"]}, described.text
    if stored is not None:
        _check_same(name, stored, described)
        described.cell["theta0"] = stored["theta0"]
        start = _begun(trajectory, name, k, described)
        text = f"{described.text} after iteration {k} of {name}"
    if options.start_iterations is not None:
        start["iterations"] = options.start_iterations
    return described, start, text


def _stored(text: str) -> tuple[Trajectory, dict[str, Any], str, int]:
    """Read ``FILE:K`` or ``FILE``; return the run, its cell, the file's name and the iteration.

    Raises
    ------
    ValueError
        If the file is no discrete run, has no such iteration, or does not contain theta.
    """
    import numpy as np

    from idescent.analysis.projections import projection_of

    name, k = text, None
    if not Path(text).is_file() and ":" in text:
        name, _, word = text.rpartition(":")
        try:
            k = whole(word)
        except argparse.ArgumentTypeError as error:
            raise ValueError(f"--from: {text!r} is not allowed: must be FILE or FILE:K") from error
    trajectory, metadata = paths.read(name)
    if "solution" in metadata["cell"]:
        solution = metadata["cell"]["solution"]["name"]
        raise ValueError(f"--from: {name} is not allowed: it is the solution {solution}, not a discrete run")
    if projection_of(trajectory) is not None:
        raise ValueError(f"--from: {name} is not allowed: it has projections of theta, not theta")
    finite = trajectory.k[np.isfinite(trajectory.theta).all(axis=1)]
    k = int(finite[-1]) if k is None else k
    if k not in finite:
        near = int(finite[np.argmin(np.abs(finite - k))])
        rule = f"must be an iteration that {name} has, such as {near}"
        raise ValueError(f"--from: iteration {k} is not allowed: {rule}")
    return trajectory, metadata["cell"], name, k


def _begun(run: Trajectory, name: str, k: int, described: cell.DescribedRun) -> dict[str, Any]:
    """Return the state of the optimizer after an iteration of a stored run, a start of ``predict``.

    Raises
    ------
    ValueError
        If the run has another number of parameters, or does not have the moments.
    """
    row = int((run.k == k).argmax())
    theta = run.theta[row]
    dimension = getattr(described.objective, "dimension", None)
    if dimension not in (None, len(theta)):
        owner = type(described.objective).__name__
        raise ValueError(f"--from: {name} has {len(theta)} coordinates of theta: {owner} has {dimension}")
    if k == 0:
        return {"theta": theta}
    names = list(described.optimizer.memories())
    missing = [x for x in names if x not in run.moments]
    if missing:
        raise ValueError(f"--from: {name} has no moment {missing[0]!r}: only iteration 0 is allowed")
    return {"theta": theta, "moments": {x: run.moments[x][row] for x in names}, "k": k}


def _check_same(name: str, stored: Mapping[str, Any], described: cell.DescribedRun) -> None:
    """Refuse a stored run with another optimizer, objective or learning rate than the options.

    No class is imported because a file names it.

    Raises
    ------
    ValueError
        With the first difference.
    """
    typed = described.cell
    pairs = {
        "alpha": (f"{stored['alpha']:g}", f"{typed['alpha']:g}"),
        "schedule": (cell.called(stored["schedule"]) if "schedule" in stored else "constant", "constant"),
    }
    ours, theirs = typed["optimizer"], stored["optimizer"]
    # A recorder stores only the arguments that are no defaults.
    if (
        ours["class"] != theirs["class"]
        or cell.build("optimizer", theirs, "--optimizer-set") != described.optimizer
    ):
        pairs["optimizer"] = (cell.called(theirs), cell.called(ours))
    # A recorder without an objective stores a name only.
    if stored["objective"]["class"] != "RecordedLoss":
        pairs["objective"] = (cell.called(stored["objective"]), cell.called(typed["objective"]))
    for field, (stored_value, value) in pairs.items():
        if stored_value != value:
            raise ValueError(
                f"--from: {name} belongs to another run: its {field} is {stored_value}, not {value}"
            )
