"""``idescent run``: a whole study, from any folder.

What lives here: the process of Snakemake, and the line of progress.  What does not: the workflow itself
(``workflow/Snakefile``), finding configurations (:mod:`idescent.cli.studies`).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from idescent.cli import interrupt, studies, terminal
from idescent.cli.follow import Follower

HELP = """\
Run a study: every discrete run and solution of a configuration, its tables, figures and the report.

CONFIG is a file, or the name of a study of the package (idescent list studies); by default config.yaml or
config/config.yaml in the current folder.  Results go to results/STUDY in the current folder; those that are
up to date are kept.  Every option that is not listed here goes to Snakemake, for example --dry-run.

The command prints one line of progress: finished jobs of all jobs, and the time left.  Snakemake's own log is
kept in .snakemake/idescent; its end is printed if a job fails.
"""
EPILOG = """\
examples
  idescent run smoke --cores 2

on a cluster: idescent run scaling --profile slurm
what would run: idescent run smoke --dry-run
"""
# With these options Snakemake runs no job, and its output is the result.
_DRY = {"-n", "--dry-run", "--dryrun", "--lint", "--version", "--unlock", "--dag", "--rulegraph", "--summary"}
_JOBS = {"-j", "--jobs"}
_POLL = 0.2  # seconds between two looks at the log
_EVERY = 30.0  # seconds between two plain lines without a terminal


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("config", nargs="?", default="", metavar="CONFIG", help="file or study")
    add_resources(parser)
    parser.set_defaults(more=[])


def add_resources(parser: argparse.ArgumentParser) -> None:
    """Add the options that set how jobs run."""
    parser.add_argument("-c", "--cores", metavar="N", help="processes at once (default: all cores)")
    parser.add_argument(
        "--profile", metavar="P", help="folder of a profile, such as slurm: sets how jobs run, not which"
    )


def run(options: Any) -> int:
    """Run the study; return the exit status."""
    configuration = studies.find(options.config)
    return execute(configuration, options.cores, options.profile, options.more)


def execute(
    configuration: studies.Configuration, cores: str | None, profile: str | None, more: Sequence[str] = ()
) -> int:
    """Run Snakemake on a study, with a line of progress; return the exit status, 0 or 1."""
    results = configuration.results
    command = _command(configuration, cores, profile, more)
    search = [str(configuration.search)] if configuration.search else []
    paths = [*search, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})}
    if _DRY & set(more):
        return min(1, subprocess.run(command, env=environment, check=False).returncode)
    log = Path(".snakemake/idescent", f"{results.name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    follower = Follower()
    # A file, not a pipe: Snakemake ends in order even if this process is killed.
    with log.open("wb") as sink, log.open(encoding="utf-8", errors="replace") as source:
        interrupt.unwatch()  # Snakemake may need more than a moment to end its jobs
        # A group of its own: each signal reaches Snakemake and its jobs exactly once, from here.
        process = subprocess.Popen(
            [*command, "--printshellcmds"],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment,
            process_group=0,
        )
        try:
            with _Ended():
                status = _follow(process, source, follower, results.name)
        except BaseException:
            _end(process)
            raise
    if status:
        sys.stderr.write(f"{follower.failure()}idescent run: study {results.name} failed: see {log}\n")
        return 1
    if not follower.total:
        sys.stderr.write(f"{results}: every result is up to date\n")
    if (summary := results / "summary.txt").is_file():
        sys.stdout.write(summary.read_text(encoding="utf-8"))
    return 0


def _command(
    configuration: studies.Configuration, cores: str | None, profile: str | None, more: Sequence[str]
) -> list[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(studies.folder() / "Snakefile")]
    command += ["--configfile", str(configuration.file)]
    if profile is not None:
        command += ["--profile", studies.profile(profile)]
    # A profile, or --jobs, may set the number of jobs itself.
    if cores is not None or (profile is None and not _JOBS & set(more)):
        command += ["--cores", cores or "all"]
    return [*command, *more]


def _follow(process: subprocess.Popen[bytes], source: Any, follower: Follower, name: str) -> int:
    """Show the progress until Snakemake ends; return its exit status."""
    printed, rest, status = time.monotonic(), "", None
    with terminal.progress(name) as show:
        while status is None:
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(_POLL)
            *lines, rest = (rest + source.read()).split("\n")
            now = time.monotonic()
            for line in lines:
                if (urgent := follower.feed(line, now)) is not None:
                    sys.stderr.write(("\r\033[K" if show else "") + f"{urgent}\n")
            if show is not None:
                show(follower.text(now))
            elif now >= printed + _EVERY:
                printed = now
                sys.stderr.write(f"{name}: {follower.text(now)}\n")
    if follower.total:
        sys.stderr.write(f"{name}: {follower.done} of {follower.total} jobs\n")
    return status


class _Ended:
    """While it is active, SIGTERM and SIGHUP raise ``SystemExit``, so that Snakemake is ended as well."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._received)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _received(self, number: int, _: Any) -> NoReturn:
        raise SystemExit(128 + number)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt Snakemake and its jobs, and wait for their end."""
    try:
        os.killpg(process.pid, signal.SIGINT)
    except ProcessLookupError:
        return
    process.wait()
