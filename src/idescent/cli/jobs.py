"""``idescent job``: what each rule's ``shell:`` calls, and the generator of the configuration's schema.

What lives here: the workflow's own commands, which are no part of what is offered to people.  What does not:
the work itself (:mod:`idescent.stages`), and the commands for people (:mod:`idescent.cli`).

What a job is given stands in a file (:mod:`idescent.jobs.job_files`), not on the command line.  A job's own
line goes to standard error, what happens on the way to its log.  Bad input is one line and exit status 1.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idescent.jobs import job_files
from idescent.jobs.locks import signed_in
from idescent.stages.progress import announce
from idescent.store.files import DamagedError

HELP = "Run one of the workflow's jobs: for its rules, not for people."
EPILOG = ""

Log = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """What a job is given, as in its file (:mod:`idescent.jobs.job_files`).

    Attributes
    ----------
    name : str
        That of the stage.
    given : any
        What the stage asks for.
    input, output : list of path
    code : str
        Digest of the code, for the record.
    plan : path
        Planned outputs of the run, to count those that are done.
    """

    name: str
    given: Any
    input: list[Path]
    output: list[Path]
    code: str
    plan: Path

    @classmethod
    def read(cls, name: str, file: Path) -> Job:
        """Read a job's file; raise ValueError if there is none, or it is damaged."""
        content = job_files.read(file)
        paths = {key: [Path(path) for path in content[key]] for key in ("input", "output")}
        return cls(name, content["given"], code=content["code"], plan=Path(content["plan"]), **paths)

    @property
    def subject(self) -> str:
        """What is made: a cell or a pack of them, and one of their solutions, or a file."""
        if self.name not in ("simulate", "solve"):
            return str(self.output[0].with_suffix(""))
        cells = self.given["cells"]
        objective, optimizer, label = cells[0]["folder"].split("/")
        words = [objective, optimizer, label if len(cells) == 1 else self.output[0].parent.name]
        return " ".join(words + ([self.given["solution"]["name"]] if "solution" in self.given else []))

    @property
    def below_study(self) -> list[Path]:
        """The trajectories given, found from the output, which another workflow may have put elsewhere."""
        return [self.output[0].parents[1] / file for file in self.given["files"]]


def run(given: Any) -> int:
    """Run one job; return its exit status."""
    if given.name == "schema":
        return _schema()
    # A job makes few cycles of objects and ends soon: looking for them as often as usual takes a tenth of
    # the time of a figure.
    gc.set_threshold(100_000, 20, 20)
    warnings.filterwarnings("ignore", "no compiled kernels")  # the workflow says it, once a run
    subject = ""
    log: Log = _nowhere
    with ExitStack() as stack:
        try:
            job = Job.read(given.name, given.file)
            subject = f"{job.subject}: "
            log = _log(given.log, stack)
            stack.enter_context(signed_in())
            text = given.work(job, log)
            log(f"{text}\ncode {job.code}")
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
        announce(job.name, job.plan, subject + text)
    return 0


def _discard(path: Path) -> str:
    """Remove a damaged file, so that the next run makes it again; return what to tell."""
    try:
        path.unlink()
    except OSError as error:
        return f": delete it and run again ({error.strerror})"
    return ": it is removed, run again to have it made again"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the jobs and their arguments."""
    commands = parser.add_subparsers(dest="name", required=True, metavar="JOB")
    for name, (work, summary) in JOBS.items():
        job = commands.add_parser(name, help=summary, description=summary)
        job.add_argument("file", type=Path, metavar="FILE", help="what the job is given, as JSON")
        job.add_argument("--log", type=Path, metavar="FILE", help="where to write what happens on the way")
        job.set_defaults(work=work)
    commands.add_parser("schema", help="print the JSON schema of config/*.yaml")


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


def _pack(job: Job, log: Log) -> str:
    from idescent.stages import pack

    return pack.run(job.name, job.given, job.output[0], job.code, log)


def _compare(job: Job, _: Log) -> str:
    from idescent.stages import compare

    return compare.run(job.input, job.output[0], job.code)


def _tabulate(job: Job, _: Log) -> str:
    from idescent.stages import tabulate

    return tabulate.run(job.input, job.output)


def _claims(job: Job, _: Log) -> str:
    from idescent.stages import claims

    return claims.run(job.input[0], job.below_study, job.output)


def _render(job: Job, _: Log) -> str:
    from idescent.stages import render

    return render.run(job.given["figure"], job.below_study, job.output)


def _overview(job: Job, _: Log) -> str:
    from idescent.stages import overview

    return overview.run(job.input, job.output)


def _scaling(job: Job, _: Log) -> str:
    from idescent.stages import scaling

    return scaling.run(job.input[0], job.given, job.output)


def _scaling_figure(job: Job, _: Log) -> str:
    from idescent.stages import scaling_figure

    return scaling_figure.run(job.input[0], job.given["objective"], job.given["optimizer"], job.output)


def _scaling_map(job: Job, _: Log) -> str:
    from idescent.stages import scaling_map

    return scaling_map.run(job.input[0], job.given["objective"], job.given["optimizer"], job.output)


def _ensemble(job: Job, log: Log) -> str:
    from idescent.stages import ensemble

    return ensemble.run(job.given, job.output, job.code, log)


def _ensembles_table(job: Job, _: Log) -> str:
    from idescent.stages import ensembles_table

    return ensembles_table.run(job.input, job.output)


def _ensembles_figure(job: Job, _: Log) -> str:
    from idescent.stages import ensembles_figure

    return ensembles_figure.run(job.input, job.output)


def _fidelity(job: Job, _: Log) -> str:
    from idescent.stages import fidelity

    return fidelity.run(job.input, job.given["objective"], job.given["within"], job.output[0])


def _fidelity_table(job: Job, _: Log) -> str:
    from idescent.stages import fidelity_table

    return fidelity_table.run(job.input, job.output)


def _fidelity_figure(job: Job, _: Log) -> str:
    from idescent.stages import fidelity_figure

    return fidelity_figure.run(job.below_study, job.given, job.output)


def _forecast(job: Job, log: Log) -> str:
    from idescent.stages import forecast

    return forecast.run(job.given, job.output, log)


def _summary(job: Job, _: Log) -> str:
    from idescent.stages import summary

    return summary.run(job.given["study"], job.input[0], job.given["figures"], job.output[0])


def _report_numbers(job: Job, _: Log) -> str:
    from idescent.stages import report_numbers

    output = job.output[0]
    files = [output.parent / file for file in job.given["files"]]
    return report_numbers.run(job.given["content"], files, output, job.code)


def _report(job: Job, _: Log) -> str:
    from idescent.stages import report

    return report.run(job.given, job.input[0], job.output[0], job.code)


def _schema() -> int:
    from idescent import config

    sys.stdout.write(json.dumps(config.schema(), indent=2) + "\n")
    return 0


JOBS: dict[str, tuple[Callable[[Job, Log], str], str]] = {
    "simulate": (_pack, "run the optimizer of a pack of cells"),
    "solve": (_pack, "solve a continuous-time model for a pack of cells"),
    "compare": (_compare, "measure the errors of some cells"),
    "tabulate": (_tabulate, "gather errors into tables"),
    "claims": (_claims, "decide the paper's statements"),
    "render": (_render, "draw one figure"),
    "overview": (_overview, "draw the errors of all cells at a glance"),
    "scaling": (_scaling, "make the scaling tables of a study"),
    "scaling-figure": (_scaling_figure, "draw errors against the learning rate"),
    "scaling-map": (_scaling_map, "draw errors over learning rate and memory"),
    "forecast": (_forecast, "predict long runs, and make those that can be made"),
    "summary": (_summary, "say what came out of a study"),
    "report-numbers": (_report_numbers, "make all of a study's page but its pictures"),
    "report": (_report, "put all that a study has to show on one page"),
    "fidelity": (_fidelity, "tell how long the models of a pack of cells hold"),
    "fidelity-table": (_fidelity_table, "tabulate how long models hold"),
    "fidelity-figure": (_fidelity_figure, "draw loss curves of runs and models"),
    "ensemble": (_ensemble, "make many mini-batch runs and what models expect of them"),
    "ensembles-table": (_ensembles_table, "tabulate how models tell the mean of runs"),
    "ensembles-figure": (_ensembles_figure, "draw mini-batch runs and their models"),
}
