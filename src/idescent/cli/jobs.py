"""``idescent job``: what each rule's ``shell:`` calls, and the generator of the configuration's schema.

What lives here: the workflow's own commands, which are no part of what is offered to people.  What does not:
the work itself (:mod:`idescent.stages`), and the commands for people (:mod:`idescent.cli`).

A job's own line goes to standard error, what happens on the way to its log.  Bad input is one line and exit
status 1.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from idescent.files import DamagedError
from idescent.locks import signed_in
from idescent.packs import decode
from idescent.stages.progress import announce

HELP = "Run one of the workflow's jobs: for its rules, not for people."
EPILOG = ""

Log = Callable[[str], None]


def run(given: Any) -> int:
    """Run one job; return its exit status."""
    # A job makes few cycles of objects and ends soon: looking for them as often as usual takes a tenth of
    # the time of a figure.
    gc.set_threshold(100_000, 20, 20)
    warnings.filterwarnings("ignore", "no compiled kernels")  # the workflow says it, once a run
    subject = f"{_subject(given)}: " if hasattr(given, "output") else ""
    log: Log = _nowhere
    with ExitStack() as stack:
        try:
            log = _log(given.log, stack)
            stack.enter_context(signed_in())
            text = given.job(given, log)
            if text:
                log(f"{text}\ncode {given.code}")
        except (ValueError, OSError) as error:
            message = " ".join(str(error).split())
            if isinstance(error, DamagedError):
                message += _discard(error.path)
            sys.stderr.write(f"{given.name}: {subject}{message}\n")
            with suppress(OSError):  # the disk may be full, which is what has just been said
                log(f"error: {message}")
            return 1
        except BaseException:
            with suppress(OSError):  # what is raised says more than a log that cannot be written
                log(traceback.format_exc())
            raise
        if text:
            announce(given.name, getattr(given, "plan", None), subject + text)
    return 0


def _discard(path: Path) -> str:
    """Remove a damaged file, so that the next run makes it again; return what to tell."""
    try:
        path.unlink()
    except OSError as error:
        return f": delete it and run again ({error.strerror})"
    return ": it is removed, run again to have it made again"


def _subject(given: Any) -> str:
    """Name what a job makes: a cell or a pack of them, and one of their solutions, or a file."""
    if not hasattr(given, "pack"):
        return str(given.output[0].with_suffix(""))
    pack, cells = given.pack, given.pack["cells"]
    objective, optimizer, label = cells[0]["folder"].split("/")
    words = [objective, optimizer, label if len(cells) == 1 else given.output[0].parent.name]
    return " ".join(words + ([pack["solution"]["name"]] if "solution" in pack else []))


def add(parser: argparse.ArgumentParser) -> None:
    """Add the jobs and their arguments."""
    parser.set_defaults(log=None, code="")
    commands = parser.add_subparsers(dest="name", required=True, metavar="JOB")
    for name, command, summary in (
        ("simulate", _pack, "run the optimizer of a pack of cells"),
        ("solve", _pack, "solve a continuous-time model for a pack of cells"),
    ):
        job = _job(commands, name, command, summary)
        job.add_argument("--pack", required=True, type=decode, metavar="JSON", help="the cells")
        job.add_argument("--plan", type=Path, metavar="FILE", help="planned outputs, to count the done ones")
    job = _job(commands, "compare", _compare, "measure the errors of some cells")
    job.add_argument("--input", required=True, nargs="+", type=Path, metavar="FILE")
    job = _job(commands, "tabulate", _tabulate, "gather errors into tables")
    job.add_argument("--input", required=True, nargs="+", type=Path, metavar="FILE")
    job = _job(commands, "claims", _claims, "decide the paper's statements")
    job.add_argument("--claims", required=True, type=Path, metavar="FILE", help="config/claims.yaml")
    job.add_argument("--cells", required=True, nargs="+", metavar="FILE", help="below the study's folder")
    job = _job(commands, "render", _render, "draw one figure")
    job.add_argument("--figure", required=True, type=json.loads, metavar="JSON", help="its configuration")
    job.add_argument("--cells", required=True, nargs="+", metavar="FILE", help="below the study's folder")
    job = _job(commands, "overview", _overview, "draw the errors of all cells at a glance")
    job.add_argument("--input", required=True, nargs="+", type=Path, metavar="FILE")
    job = _job(commands, "scaling", _scaling, "make the scaling tables of a study")
    job.add_argument("--input", required=True, nargs=1, type=Path, metavar="FILE", help="errors.parquet")
    job.add_argument("--scaling", required=True, type=json.loads, metavar="JSON", help="its configuration")
    for name, draw, summary in (
        ("scaling-figure", _scaling_figure, "draw errors against the learning rate"),
        ("scaling-map", _scaling_map, "draw errors over learning rate and memory"),
    ):
        job = _job(commands, name, draw, summary)
        job.add_argument("--input", required=True, nargs=1, type=Path, metavar="FILE", help="scaling table")
        job.add_argument("--objective", required=True, metavar="NAME")
        job.add_argument("--optimizer", required=True, metavar="CLASS")
    job = _job(commands, "forecast", _forecast, "predict long runs, and make those that can be made")
    job.add_argument("--cells", required=True, type=json.loads, metavar="JSON", help="the runs")
    job = _job(commands, "summary", _summary, "say what came out of a study")
    job.add_argument("--study", required=True)
    job.add_argument("--figures", nargs="*", default=[], metavar="NAME")
    job.add_argument("--table", required=True, type=Path, metavar="FILE", help="errors.csv")
    job = _job(commands, "report-numbers", _report_numbers, "make all of a study's page but its pictures")
    job.add_argument("--content", required=True, type=json.loads, metavar="JSON", help="what the study has")
    job.add_argument("--cells", required=True, nargs="+", metavar="FILE", help="below the study's folder")
    job = _job(commands, "report", _report, "put all that a study has to show on one page")
    job.add_argument("--content", required=True, type=json.loads, metavar="JSON", help="what the study has")
    job.add_argument("--numbers", required=True, type=Path, metavar="FILE", help="from report-numbers")
    job = _job(commands, "fidelity", _fidelity, "tell how long the models of a pack of cells hold")
    job.add_argument("--input", required=True, nargs="+", type=Path, metavar="FILE")
    job.add_argument("--objective", required=True, type=json.loads, metavar="JSON")
    job.add_argument("--within", required=True, nargs="+", type=float, metavar="X")
    job = _job(commands, "fidelity-table", _fidelity_table, "tabulate how long models hold")
    job.add_argument("--input", required=True, nargs="+", type=Path, metavar="FILE")
    job = _job(commands, "fidelity-figure", _fidelity_figure, "draw loss curves of runs and models")
    job.add_argument("--fidelity", required=True, type=json.loads, metavar="JSON", help="models and bounds")
    job.add_argument("--cells", required=True, nargs="+", metavar="FILE", help="below the study's folder")
    job = _job(commands, "ensemble", _ensemble, "make many mini-batch runs and what models expect of them")
    job.add_argument("--ensemble", required=True, type=decode, metavar="JSON", help="its description")
    job = _job(commands, "ensembles-table", _ensembles_table, "tabulate how models tell the mean of runs")
    job.add_argument("--input", required=True, nargs="+", type=Path, metavar="FILE")
    job = _job(commands, "ensembles-figure", _ensembles_figure, "draw mini-batch runs and their models")
    job.add_argument("--input", required=True, nargs="+", type=Path, metavar="FILE")
    show = commands.add_parser("schema", help="print the JSON schema of config/*.yaml")
    show.set_defaults(job=_schema)


def _job(
    commands: Any, name: str, command: Callable[[Any, Log], str], summary: str
) -> argparse.ArgumentParser:
    job: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    job.add_argument("--output", required=True, nargs="+", type=Path, metavar="FILE")
    job.add_argument("--log", type=Path, metavar="FILE", help="where to write what happens on the way")
    job.add_argument("--code", default="", metavar="DIGEST", help="digest of the code, for the record")
    job.set_defaults(job=command)
    return job


def _nowhere(_: str) -> None:
    """Keep no log."""


def _log(path: Path | None, stack: ExitStack) -> Log:
    if path is None:
        return _nowhere
    path.parent.mkdir(parents=True, exist_ok=True)
    # Unbuffered: a person follows a long solve with tail -f, and closing must not fail on a full disk.
    file = stack.enter_context(path.open("wb", buffering=0))

    def write(line: str) -> None:
        file.write(f"{line}\n".encode())

    return write


def _pack(given: Any, log: Log) -> str:
    from idescent.stages import pack

    return pack.run(given.name, given.pack, given.output[0], given.code, log)


def _compare(given: Any, _: Log) -> str:
    from idescent.stages import compare

    return compare.run(given.input, given.output[0], given.code)


def _tabulate(given: Any, _: Log) -> str:
    from idescent.stages import tabulate

    return tabulate.run(given.input, given.output)


def _claims(given: Any, _: Log) -> str:
    from idescent.stages import claims

    return claims.run(given.claims, _below_study(given), given.output)


def _render(given: Any, _: Log) -> str:
    from idescent.stages import render

    return render.run(given.figure, _below_study(given), given.output)


def _below_study(given: Any) -> list[Path]:
    # Found from the output, which another workflow that uses this one may have put elsewhere.
    return [given.output[0].parents[1] / file for file in given.cells]


def _overview(given: Any, _: Log) -> str:
    from idescent.stages import overview

    return overview.run(given.input, given.output)


def _scaling(given: Any, _: Log) -> str:
    from idescent.stages import scaling

    return scaling.run(given.input[0], given.scaling, given.output)


def _scaling_figure(given: Any, _: Log) -> str:
    from idescent.stages import scaling_figure

    return scaling_figure.run(given.input[0], given.objective, given.optimizer, given.output)


def _scaling_map(given: Any, _: Log) -> str:
    from idescent.stages import scaling_map

    return scaling_map.run(given.input[0], given.objective, given.optimizer, given.output)


def _ensemble(given: Any, log: Log) -> str:
    from idescent.stages import ensemble

    return ensemble.run(given.ensemble, given.output, given.code, log)


def _ensembles_table(given: Any, _: Log) -> str:
    from idescent.stages import ensembles_table

    return ensembles_table.run(given.input, given.output)


def _ensembles_figure(given: Any, _: Log) -> str:
    from idescent.stages import ensembles_figure

    return ensembles_figure.run(given.input, given.output)


def _fidelity(given: Any, _: Log) -> str:
    from idescent.stages import fidelity

    return fidelity.run(given.input, given.objective, given.within, given.output[0])


def _fidelity_table(given: Any, _: Log) -> str:
    from idescent.stages import fidelity_table

    return fidelity_table.run(given.input, given.output)


def _fidelity_figure(given: Any, _: Log) -> str:
    from idescent.stages import fidelity_figure

    return fidelity_figure.run(_below_study(given), given.fidelity, given.output)


def _forecast(given: Any, log: Log) -> str:
    from idescent.stages import forecast

    return forecast.run(given.cells, given.output, log)


def _summary(given: Any, _: Log) -> str:
    from idescent.stages import summary

    return summary.run(given.study, given.table, given.figures, given.output[0])


def _report_numbers(given: Any, _: Log) -> str:
    from idescent.stages import report_numbers

    output = given.output[0]
    files = [output.parent / file for file in given.cells]
    return report_numbers.run(given.content, files, output, given.code)


def _report(given: Any, _: Log) -> str:
    from idescent.stages import report

    return report.run(given.content, given.numbers, given.output[0], given.code)


def _schema(_: Any, __: Log) -> str:
    from idescent import config

    sys.stdout.write(json.dumps(config.schema(), indent=2) + "\n")
    return ""
