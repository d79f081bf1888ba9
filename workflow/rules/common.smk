# What the rules share: the checked study, the code behind each stage, and the names of files.
import gc
import json
import logging
import os
import re
import sys
import threading
import warnings
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake_interface_logger_plugins.common import LogEvent

from idescent.jobs import job_files
from idescent.products.claims.audit import required as required_by
from idescent.products.claims.keys import ClaimsError
from idescent.products.claims.keys import read as read_claims
from idescent.config import ConfigError, load
from idescent.drawing import formulas
from idescent.store.files import DamagedError, remove_partials, write_text
from idescent.discrete.kernels import MISSING, compiled
from idescent.jobs.locks import BusyError, hold
from idescent.study.packs import damaged
from idescent.study.provenance import digest, is_whole, pack_digest
from idescent.products.report.markup import restructured
from idescent.study.cells import spread

# Trees of code and graphs of jobs have few cycles: looking for them as often as usual is a sixth of the start.
gc.set_threshold(100_000, 20, 20)

# The jobs' Python is the one that runs Snakemake, wherever it lies: as a parameter, it would rerun a moved checkout, and
# as a shell prefix or a name of this file it would reach into, or not be seen in, a workflow that uses this one.
os.environ.update(IDESCENT_PYTHON=sys.executable)

try:
    STUDY = load(config)
    CLAIMS = read_claims(STUDY.claims) if STUDY.claims else None
    if workflow.is_main_process:
        formulas.check(STUDY, Path(".snakemake/idescent"))
except (ConfigError, ClaimsError) as error:
    print(error, file=sys.stderr)
    sys.exit(1)

ROOT = STUDY.root
LOGS = f"{ROOT}/logs"
PLAN = f"{LOGS}/plan.json"
SUMMARY = f"{ROOT}/summary.txt"
TABLES = multiext(f"{ROOT}/tables/errors", ".parquet", ".csv", ".md", ".tex")
FORMATS = (".pdf", ".svg", ".png")
STEMS = [stem for figure in STUDY.figures.values() for stem in figure.stems]
# The three errors are drawn where a scheme is measured against an exact solution.
SPLIT = any("reference" in solution for solution in STUDY.solutions.values())
OVERVIEWS = ["errors_overview", *(["errors_split"] if SPLIT else [])]
# A ladder of learning rates has figures of its own; all its cells at a glance would be a blot.
OVERVIEWS = [] if STUDY.scaling else OVERVIEWS
STEMS += OVERVIEWS
# Errors over a ladder of learning rates, for a study that asks for them: a figure for each group that has one.
SCALING = STUDY.scaling
SCALING_TABLE = f"{ROOT}/tables/{SCALING['name']}" if SCALING else ""
LADDERS = (
    {
        "_".join((SCALING["name"], *group)): group
        for group, cells in STUDY.groups.items()
        if len({cell.alpha for cell in cells}) > 1
    }
    if SCALING
    else {}
)
STEMS += LADDERS
SCALING_TABLES = (
    list(multiext(SCALING_TABLE, ".parquet", ".csv", ".md", ".tex")) if SCALING else []
)
# Loss curves of runs and models, for a study that asks how long models hold: at most four cells in a figure.
FIDELITY = STUDY.fidelity
CURVES = (
    {
        "_".join(("fidelity", *group)): spread(cells, 4)
        for group, cells in STUDY.groups.items()
        if group[0] in FIDELITY["curves"]
    }
    if FIDELITY
    else {}
)
STEMS += CURVES
FIDELITY_TABLES = (
    list(multiext(f"{ROOT}/tables/fidelity", ".parquet", ".csv", ".md", ".tex"))
    if FIDELITY
    else []
)
# Ensembles of mini-batch runs: a figure for each objective and optimizer, with at most four of them.
ENSEMBLES = STUDY.ensembles
ENSEMBLE_TABLES = (
    list(multiext(f"{ROOT}/tables/ensembles", ".parquet", ".csv", ".md", ".tex"))
    if ENSEMBLES
    else []
)
CROWDS = STUDY.crowds
STEMS += CROWDS
FIGURES = [f"{ROOT}/figures/{stem}{suffix}" for stem in STEMS for suffix in FORMATS]
FORECAST = (
    [f"{ROOT}/tables/forecast.csv"]
    + [f"{ROOT}/figures/forecast{suffix}" for suffix in FORMATS]
    if STUDY.forecast
    else []
)
CLAIM_TABLES = list(multiext(f"{ROOT}/tables/claims", ".csv", ".md")) if CLAIMS else []
PACKS = {pack.folder: pack for pack in STUDY.packs}
MANIFESTS = [file for files in STUDY.planned.values() for file in files]
ERRORS = list(map(STUDY.errors, STUDY.packs))


def one_of(names):
    """A regular expression for exactly these names; for none, one that nothing matches."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    objective=r"[A-Za-z0-9_-]+",
    optimizer=r"[A-Za-z0-9_.]+",
    pack=r"[^/]+",
    solution=one_of(STUDY.solutions),


def job_file(given, code):
    """The parameters of a rule: what its jobs are given, and the file in which they find it."""
    return job_files.parameters(given, code, ROOT, PLAN, may_change)


def pack_of(wildcards):
    return PACKS[f"{wildcards.objective}/{wildcards.optimizer}/{wildcards.pack}"]


def simulate_job(wildcards):
    return STUDY.job(pack_of(wildcards), "discrete")


def solve_job(wildcards):
    return STUDY.job(pack_of(wildcards), wildcards.solution)


# Of jobs of whose length nothing is known, but that they take longer than a pack: as a thousand seconds.
LONG = 1_000_000


def urgency(wildcards):
    """The longest jobs start first: what is left at the end is then short, and keeps all cores busy."""
    name = getattr(wildcards, "solution", "discrete")
    return round(1000.0 * STUDY.seconds(pack_of(wildcards), name))


def simulate_code(wildcards):
    return pack_digest(simulate_job(wildcards))


def solve_code(wildcards):
    return pack_digest(solve_job(wildcards))


def compare_input(wildcards):
    pack = pack_of(wildcards)
    return [STUDY.manifest(pack, name) for name in ("discrete", *STUDY.names(pack))]


def figure_input(wildcards):
    return STUDY.manifests(STUDY.figures[wildcards.figure].shown)


def figure_given(wildcards):
    figure = STUDY.figures[wildcards.figure]
    return {"figure": figure.spec, "files": figure.inputs}


def figure_caption(wildcards):
    return restructured(STUDY.figures[wildcards.figure].spec["caption"])


def figure_code(wildcards):
    # A figure draws the objective's minimum, so the objective's code is behind it too.
    objectives = {
        cell.group[0]: cell.objective for cell in STUDY.figures[wildcards.figure].cells
    }
    return digest("render", *(("objective", spec) for spec in objectives.values()))


def fidelity_given(wildcards):
    objective = pack_of(wildcards).cells[0].objective
    return {"objective": objective, "within": FIDELITY["within"]}


def fidelity_code(wildcards):
    return digest("fidelity", ("objective", pack_of(wildcards).cells[0].objective))


def curves_shown(wildcards):
    cells = CURVES[wildcards.curves]
    return [(cell, name) for cell in cells for name in cell.paths]


def curves_input(wildcards):
    return STUDY.manifests(curves_shown(wildcards))


def curves_given(wildcards):
    objective, optimizer = CURVES[wildcards.curves][0].group
    return {
        **{key: FIDELITY[key] for key in ("within", "models")},
        "objective": objective,
        "optimizer": optimizer,
        "files": [STUDY.place(cell, name) for cell, name in curves_shown(wildcards)],
    }


def curves_code(wildcards):
    # The models are asked for their names, by which they have their colours.
    return digest(
        "fidelity_figure", *(("model", spec) for spec in FIDELITY["models"].values())
    )


def ensemble_given(wildcards):
    return ENSEMBLES[
        f"{wildcards.objective}/{wildcards.optimizer}/{wildcards.ensemble}"
    ]


def ensemble_code(wildcards):
    given = ensemble_given(wildcards)
    solved = [
        (kind, s[kind]) for s in given["solutions"] for kind in ("model", "solver")
    ]
    return digest(
        "ensemble",
        *((kind, given[kind]) for kind in ("objective", "optimizer")),
        *solved,
    )


def crowd_input(wildcards):
    return [f"{ROOT}/ensembles/{place}.parquet" for place in CROWDS[wildcards.crowd]]


def ladder_given(wildcards):
    objective, optimizer = LADDERS[wildcards.ladder]
    return {"objective": objective, "optimizer": optimizer}


def scaling_code():
    # The models are asked what order they declare.
    return digest("scaling", *(("model", spec) for spec in SCALING["models"].values()))


def claimed():
    """The cells, with names of runs and solutions, that the claims are about and that the study has."""
    cells = [cell.spec() for cell in STUDY.cells]
    try:
        needed = required_by(CLAIMS, cells, STUDY.solutions)
    except ClaimsError as error:
        print(f"{STUDY.claims}: {error}", file=sys.stderr)
        sys.exit(1)
    wanted = [(STUDY.cells[i], name) for i, name in needed]
    return [(cell, name) for cell, name in wanted if name in cell.paths]


def claims_input(wildcards):
    # By a function: in a string, braces would be wildcards.
    return [STUDY.claims, *STUDY.manifests(claimed())]


def claims_given():
    return {"files": [STUDY.place(cell, name) for cell, name in claimed()]}


def claims_code():
    # The distance from the minimum is the objective's to say.
    objectives = {cell.group[0]: cell.objective for cell in STUDY.cells}
    return digest("claims", *(("objective", spec) for spec in objectives.values()))


def write_plan():
    """Tell the jobs how many of a kind this run has; the file's age tells new results from old ones."""
    pending = {str(file) for job in workflow.dag.needrun_jobs() for file in job.output}
    plan = {
        stage: [file for file in files if file in pending]
        for stage, files in STUDY.planned.items()
    }
    try:
        Path(PLAN).parent.mkdir(parents=True, exist_ok=True)
        write_text(PLAN, json.dumps(plan))
    except OSError as error:
        raise WorkflowError(f"{ROOT} cannot be written to: {error.strerror}")


def show_summary():
    if Path(SUMMARY).is_file():
        print(Path(SUMMARY).read_text(encoding="utf-8"), end="", file=sys.stderr)


def forget_timers():
    """Let Snakemake end at once: the scheduler leaves a timer of a second that would start further jobs."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


def remove_damaged():
    """Remove planned files that are not what was written, so that just they are made again."""
    if may_change():
        remove_partials(ROOT)
        job_files.remove_stale(ROOT)
    for manifest in map(Path, MANIFESTS):
        if manifest.is_file():
            try:
                bad = damaged(manifest)
            except DamagedError:
                bad = [manifest]
            for file in bad:
                remove(file)
            if bad:
                remove(manifest, say=False)
    for file in [*ERRORS, f"{ROOT}/tables/errors.parquet"]:
        if Path(file).is_file() and not is_whole(file):
            remove(Path(file))


def remove(file, say=True):
    if say:
        state = "damaged" if file.is_file() else "missing"
        print(f"{file} is {state}: it is made again", file=sys.stderr)
    if may_change():
        file.unlink(missing_ok=True)


def may_change():
    """Whether this run may change results; those of a folder that is write-protected can be looked at."""
    root = Path(ROOT)
    return not workflow.output_settings.dryrun and (
        not root.exists() or os.access(root, os.W_OK)
    )


def heed_force():
    """What is asked for by force is not taken from an earlier run."""
    asked = workflow.dag_settings
    if asked.forceall or asked.forcerun or asked.forcetargets:
        os.environ.update(IDESCENT_FRESH="1")


def tell_of_missing_kernels():
    """Once a run, not once a job."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        if compiled() is None:
            print(f"warning: {MISSING}", file=sys.stderr)


class Quiet(logging.Filter):
    """Leave the screen to the jobs' own lines and to what went wrong; the log file keeps everything."""

    HIDDEN = (
        LogEvent.JOB_INFO,
        LogEvent.JOB_FINISHED,
        LogEvent.JOB_STARTED,
        LogEvent.PROGRESS,
    )

    def filter(self, record):
        event = getattr(record, "event", None)
        return event not in self.HIDDEN and not record.getMessage().startswith(
            "Select jobs"
        )


if workflow.is_main_process:
    if not workflow.output_settings.dryrun:
        try:
            hold(Path(".snakemake/idescent"), ROOT)
        except BusyError as error:
            print(error, file=sys.stderr)
            sys.exit(1)
        if not may_change():
            print(f"{ROOT} cannot be written to: nothing can be made", file=sys.stderr)
    remove_damaged()
    if (
        workflow.modifier.is_main_snakefile()
        and not workflow.output_settings.dryrun
        and not workflow.output_settings.verbose
        and not workflow.output_settings.printshellcmds
    ):
        for handler in logging.getLogger("snakemake.logging").handlers:
            if handler.name == "DefaultStreamHandler":
                handler.addFilter(Quiet())
