"""The session: one run of Snakemake on a study.

What lives here: the connection between Snakemake and the study.  For each rule that the products declare, the
session returns what the bodies in ``workflow/rules`` need: outputs, inputs, log, wildcard constraints,
parameters.  Before the first job it checks the configuration, locks the results and removes damaged files.
What does not: the list of rules (:mod:`idescent.config`), running a job (:mod:`idescent.jobs.command`).

Four places change Snakemake's own behaviour; each says why:

- ``gc.set_threshold`` in ``__init__`` (start-up time),
- ``quiet`` (lines on the screen),
- ``IDESCENT_FRESH`` in ``start`` (``--forceall`` also ignores files of single cells),
- cancelled timers in ``end`` (Snakemake would wait for a second).
"""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from idescent.config import load, rules
from idescent.discrete.kernels import MISSING, compiled
from idescent.jobs import shared_process
from idescent.jobs.job_files import parameters, remove_stale
from idescent.jobs.locks import BusyError, hold
from idescent.products.paths import formulas
from idescent.products.product import Job, Rule
from idescent.store.files import DamagedError, remove_partials, write_text
from idescent.study.packs import damaged
from idescent.study.provenance import is_whole

# By shared process: the sorts of its rules, and modules that most of its jobs import inside functions.
SHARED = {
    "computing": (
        ("simulate", "solve", "measure"),
        ("pyarrow.parquet", "idescent.jobs.simulate", "idescent.jobs.solve"),
    ),
    "drawing": (
        ("table", "figure", "report"),
        ("pandas", "matplotlib.backends.backend_pdf", "matplotlib.backends.backend_svg"),
    ),
}
# Locks, and files that are kept between runs.
FOLDER = Path(".snakemake/idescent")


class Session:
    """One run of Snakemake on a study.

    Parameters
    ----------
    config : mapping
        The configuration, as Snakemake read it.
    workflow : snakemake.workflow.Workflow

    Attributes
    ----------
    study : Study
    rules : list of Rule
    root : str
        Folder of all results.
    """

    def __init__(self, config: Mapping[str, Any], workflow: Any) -> None:
        # Parsing creates few reference cycles: the default collection threshold costs a sixth of start-up.
        gc.set_threshold(100_000, 20, 20)
        # Jobs use the Python that runs Snakemake.  As a parameter of the rules, its path would rerun all jobs
        # of a moved checkout; a shell prefix would also apply to a workflow that uses this one.
        os.environ.update(IDESCENT_PYTHON=sys.executable)
        try:
            self.study = load(config)
            self.rules = rules(self.study)
            if workflow.is_main_process:
                formulas.check(self.study, FOLDER)
        except ValueError as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(1)
        self.root, self.workflow = self.study.root, workflow
        self._shared: list[Any] = []
        self.plan = f"{self.root}/logs/plan.json"
        self._jobs = {
            rule.name: {tuple(job.wildcards.values()): job for job in rule.jobs} for rule in self.rules
        }
        if workflow.is_main_process:
            self._begin()

    def of_sort(self, *sorts: str) -> list[Rule]:
        """Return the rules of these sorts, which share a body in ``workflow/rules``."""
        return [rule for rule in self.rules if rule.sort in sorts]

    def outputs(self, rule: Rule, flag: Callable[..., Any]) -> list[Any]:
        """Return a rule's outputs; ``flag`` is Snakemake's ``report``."""
        outputs: list[Any] = []
        for output in rule.outputs:
            path = f"{self.root}/{output.path}"
            if output.caption:
                kind = "table" if output.category == "Tables" else "figure"
                name = Path(output.path).stem
                outputs.append(
                    flag(
                        path,
                        caption=f"../report/{output.caption}",
                        category=output.category,
                        labels={kind: name},
                    )
                )
            else:
                outputs.append(path)
        return outputs

    def inputs(self, rule: Rule) -> Callable[[Any], list[str]]:
        """Return the input function of a rule."""
        return lambda wildcards: [
            *rule.external,
            *(f"{self.root}/{file}" for file in self.job(rule, wildcards).inputs),
        ]

    def log(self, rule: Rule) -> str:
        """Return the pattern of a rule's log."""
        names = "/".join(f"{{{name}}}" for name in rule.jobs[0].wildcards)
        folder = "figures" if rule.sort == "figure" else rule.name
        return f"{self.root}/logs/{folder}{'/' if names else ''}{names}.log"

    def constraints(self, rule: Rule) -> dict[str, str]:
        """Return regular expressions for a rule's own wildcards: exactly the values of its jobs."""
        shared = ("objective", "optimizer", "pack")
        values: dict[str, set[str]] = {}
        for job in rule.jobs:
            for name, value in job.wildcards.items():
                if name not in shared:
                    values.setdefault(name, set()).add(value)
        return {name: one_of(sorted(allowed)) for name, allowed in values.items()}

    def job(self, rule: Rule, wildcards: Any) -> Job:
        """Return one job of a rule."""
        return self._jobs[rule.name][tuple(getattr(wildcards, name) for name in rule.jobs[0].wildcards)]

    def parameters(self, rule: Rule) -> dict[str, Callable[..., str]]:
        """Return the parameters of a rule; see :func:`idescent.jobs.job_files.parameters`."""
        functions = parameters(
            rule, lambda wildcards: self.job(rule, wildcards), self.root, self.plan, self._may_change
        )
        if any(job.caption for job in rule.jobs):
            functions["caption"] = lambda wildcards: self.job(rule, wildcards).caption
        return functions

    def priority(self, rule: Rule) -> Callable[[Any], int]:
        """Return a function from wildcards to the priority of a job."""
        return lambda wildcards: self.job(rule, wildcards).priority

    def targets(self) -> list[str]:
        """Return all files of the study."""
        return [f"{self.root}/{file}" for rule in self.rules for file in rule.made()]

    def start(self) -> None:
        """Before the first job: write the plan, warn of missing kernels, pass on ``--forceall``."""
        pending = {str(file) for job in self.workflow.dag.needrun_jobs() for file in job.output}
        plan = {
            rule.name: [file for file in (f"{self.root}/{made}" for made in rule.made()) if file in pending]
            for rule in self.of_sort("simulate", "solve")
        }
        try:
            Path(self.plan).parent.mkdir(parents=True, exist_ok=True)
            write_text(self.plan, json.dumps(plan))
        except OSError as error:
            from snakemake.exceptions import WorkflowError

            raise WorkflowError(f"{self.root} cannot be written to: {error.strerror}") from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            if compiled() is None:  # once a run, not once a job
                sys.stderr.write(f"warning: {MISSING}\n")
        settings = self.workflow.dag_settings
        if settings.forceall or settings.forcerun or settings.forcetargets:
            os.environ.update(IDESCENT_FRESH="1")
        for kind in SHARED:
            self._share_process(kind, pending)

    def _share_process(self, kind: str, pending: Collection[str]) -> None:
        """Start a shared process if at least two of its jobs will run in this environment."""
        sorts, libraries = SHARED[kind]
        functions = [
            rule.function
            for rule in self.of_sort(*sorts)
            for job in rule.jobs
            if f"{self.root}/{rule.made_by(job)[0]}" in pending
        ]
        if len(functions) > 1 and not self.workflow.deployment_settings.deployment_method:
            modules = sorted({function.partition(":")[0] for function in functions})
            own = [name for name in modules if name.startswith("idescent.")]
            # Kept until this run ends: the process ends when its pipe closes.
            self._shared.append(shared_process.start([*libraries, *own], kind))

    def end(self) -> None:
        """After the last job: print the summary and let Snakemake end at once."""
        summary = Path(self.root, "summary.txt")
        if summary.is_file():
            sys.stderr.write(summary.read_text(encoding="utf-8"))
        # Snakemake's scheduler leaves a timer of one second, which would look for further jobs.
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.cancel()

    def _begin(self) -> None:
        settings = self.workflow.output_settings
        if not settings.dryrun:
            try:
                hold(FOLDER, self.root)
            except BusyError as error:
                sys.stderr.write(f"{error}\n")
                sys.exit(1)
            if not self._may_change():
                sys.stderr.write(f"{self.root} cannot be written to: no job can run\n")
        self._remove_damaged()
        plain = not (settings.dryrun or settings.verbose or settings.printshellcmds)
        if plain and self.workflow.modifier.is_main_snakefile():
            for handler in logging.getLogger("snakemake.logging").handlers:
                if handler.name == "DefaultStreamHandler":
                    handler.addFilter(quiet)

    def _remove_damaged(self) -> None:
        """Remove damaged files, so that Snakemake creates exactly these again."""
        if self._may_change():
            remove_partials(self.root)
            remove_stale(self.root)
        for rule in self.of_sort("simulate", "solve"):
            for manifest in (Path(self.root, file) for file in rule.made()):
                if manifest.is_file():
                    self._remove_damaged_of(manifest)
        for rule in self.of_sort("measure", "table"):
            for file in (Path(self.root, file) for file in rule.made() if file.endswith(".parquet")):
                if file.is_file() and not is_whole(file):
                    self._remove(file)

    def _remove_damaged_of(self, manifest: Path) -> None:
        try:
            bad = damaged(manifest)
        except DamagedError:
            bad = [manifest]
        for file in bad:
            self._remove(file)
        if bad and self._may_change():
            manifest.unlink(missing_ok=True)

    def _remove(self, file: Path) -> None:
        state = "damaged" if file.is_file() else "missing"
        sys.stderr.write(f"{file} is {state}: it is created again\n")
        if self._may_change():
            file.unlink(missing_ok=True)

    def _may_change(self) -> bool:
        """Whether this run may change results: not in a dry run, nor in a write-protected folder."""
        root = Path(self.root)
        return not self.workflow.output_settings.dryrun and (not root.exists() or os.access(root, os.W_OK))


def one_of(names: Iterable[str]) -> str:
    """Return a regular expression for exactly these names."""
    return "|".join(map(re.escape, names))


def quiet(record: logging.LogRecord) -> bool:
    """Whether the screen shows a record: not if it reports a job's progress, which jobs print themselves."""
    from snakemake_interface_logger_plugins.common import LogEvent

    hidden = (LogEvent.JOB_INFO, LogEvent.JOB_FINISHED, LogEvent.JOB_STARTED, LogEvent.PROGRESS)
    event = getattr(record, "event", None)
    return event not in hidden and not record.getMessage().startswith("Select jobs")
