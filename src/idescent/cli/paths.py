"""Trajectories of the command line: computed with a line of progress, written to files, or printed.

What lives here: the steps that ``simulate``, ``solve``, ``compare`` and ``show`` share.  What does not: the
options (:mod:`idescent.cli.cell`), the format of files (:mod:`idescent.store.trajectories`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idescent.cli import terminal
from idescent.cli.cell import DescribedRun, solution

if TYPE_CHECKING:
    from idescent.trajectory import Trajectory

_ROWS = 11  # of the printed table
_COORDINATES = 3  # of theta that have columns of their own, at most


def simulated(run: DescribedRun, keep: int | None = None) -> Trajectory:
    """Run the optimizer, with a line of progress on a terminal."""
    from idescent.discrete.loop import simulate

    with terminal.progress("simulate") as show:
        objective = run.objective
        if show is not None:
            steps = run.cell["steps"]
            objective = terminal.Watched(
                objective, lambda k: show(f"k = {min(k, steps)} of {steps} {terminal.bar(k, steps)}")
            )
        return simulate(run.optimizer, objective, **run.arguments, keep=keep)


def solved(
    run: DescribedRun, options: Any, model: str, keep: int | None = None
) -> tuple[dict[str, Any], Trajectory]:
    """Solve a model; return the run's cell with the solution added, and the path."""
    from idescent.solvers.solve import solve

    plain, built, more = solution(options, model)
    with terminal.progress(f"solve {built.name}") as show:
        lines = terminal.solver_lines(show)
        path = solve(built, run.optimizer, run.objective, **run.arguments, **more, progress=lines, keep=keep)
    return {**run.cell, "solution": plain}, path


def read(file: Path | str) -> tuple[Trajectory, dict[str, Any]]:
    """Read a trajectory file and its metadata.

    Raises
    ------
    ValueError
        If the file does not exist, or is damaged.
    """
    from idescent.store.trajectories import read_with_metadata

    if not Path(file).is_file():
        raise ValueError(f"{file}: there is no such file")
    return read_with_metadata(file)


def check_output(output: Path | None, *suffixes: str) -> None:
    """Refuse an output file that could not be written, before any computation.

    Raises
    ------
    ValueError
        If its suffix is not in ``suffixes``, its folder does not exist, or one of them is write-protected.
    """
    if output is None:
        return
    if output.suffix not in suffixes:
        raise ValueError(f"--output: {str(output)!r} is not allowed: must end in {' or '.join(suffixes)}")
    if not output.parent.is_dir():
        raise ValueError(f"--output: {str(output)!r} is not allowed: there is no folder {output.parent}")
    if output.is_dir():
        raise ValueError(f"--output: {str(output)!r} is not allowed: it is a folder")
    # A file is replaced by a rename, which needs permission for the folder only: respect the file's, too.
    writable = output.stat().st_mode & 0o222 and os.access(output, os.W_OK) if output.exists() else True
    if not writable or not os.access(output.parent, os.W_OK):
        protected = output.parent if writable else "it"
        raise ValueError(f"--output: {str(output)!r} is not allowed: {protected} is write-protected")


def deliver(options: Any, cell: Mapping[str, Any], trajectory: Trajectory) -> None:
    """Write a trajectory to a file, or print it: as JSON, or as a short table."""
    report = asdict(trajectory.report)
    if options.output is not None:
        from idescent import __version__
        from idescent.store.trajectories import write
        from idescent.study import provenance

        origin = {"version": __version__, "code": provenance.cell_digest(cell)}
        write(options.output, trajectory, cell, origin)
    if options.json:
        rows = {"k": trajectory.k, "t": trajectory.t, "theta": trajectory.theta, "loss": trajectory.loss}
        result = (
            {"output": str(options.output)} if options.output else {"rows": {**rows, **trajectory.moments}}
        )
        terminal.write_json({"cell": cell, "report": report, **result})
    elif options.output is not None:
        summary = f"{trajectory.report.status}, {trajectory.report.message}"
        sys.stdout.write(f"{options.output}: {len(trajectory.k)} rows, {summary}\n")
    else:
        sys.stdout.write(table(trajectory))
        sys.stdout.write(f"{ending(trajectory)}\n")
    if not trajectory.report.ok:
        terminal.note(f"{trajectory.report.status}: {trajectory.report.message}")


def table(trajectory: Trajectory) -> str:
    """Return a few evenly spaced rows as a table; vectors of many coordinates are shown by their norm."""
    import numpy as np

    names = ["theta", "loss", *trajectory.moments]
    values, header = [], ["k", "t"]
    for name in names:
        wide = trajectory.quantity(name)
        if name == "theta" and 1 < wide.shape[1] <= _COORDINATES:
            values += list(wide.T)
            header += [f"theta_{i}" for i in range(1, wide.shape[1] + 1)]
            continue
        one = wide.shape[1] == 1
        values.append(wide[:, 0] if one else np.linalg.norm(wide, axis=1))
        header.append(name if one else f"|{name}|")
    at = np.unique(np.linspace(0, len(trajectory.k) - 1, _ROWS).round().astype(int))
    rows = [
        [f"{trajectory.k[i]}", f"{trajectory.t[i]:.6g}", *(f"{column[i] + 0.0:.8g}" for column in values)]
        for i in at
    ]
    text = terminal.columns(header, rows)
    legend = "k: iteration; t = alpha k: time; moments are not bias-corrected"
    if any(name.startswith("|") for name in header):
        legend += f"; |x|: Euclidean norm over {trajectory.theta.shape[1]} coordinates"
    return f"{text}{legend}\n"


def ending(trajectory: Trajectory) -> str:
    """Return status, message and cost of a run or solution in one line."""
    report = trajectory.report
    text = f"{report.status}: {report.message}; {report.gradient_evaluations} gradient evaluations"
    if report.rtol == report.rtol:
        text += f", {report.sweeps} sweeps"
    return text
