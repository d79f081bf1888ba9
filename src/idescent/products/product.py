"""Data types in which a product declares the rules of the workflow that write its files.

What lives here: these types, and the argument of a job's function.  What does not: the products (the folders
in :mod:`idescent.products`), and running a job (:mod:`idescent.jobs`).

A user's own product is a class whose objects have a method ``rules(study)``; the section ``products`` of a
configuration names it as ``module:Class``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # jobs import this module, but not how a study is planned
    from idescent.study.cells import Cell, Study

Sort = Literal["simulate", "solve", "measure", "table", "figure", "report"]

# Priority of a long job of unknown duration: it starts before all others.
FIRST = 1_000_000_000


@dataclass(frozen=True)
class Output:
    """An output file of a rule.

    Attributes
    ----------
    path : str
        Relative to the folder of the study, with wildcards in braces.
    caption : str
        File in ``workflow/report`` with the caption for Snakemake's own report; the report omits the output
        if this is empty.
    category : str
        Heading in Snakemake's own report.
    """

    path: str
    caption: str = ""
    category: str = "Tables"


@dataclass(frozen=True)
class Job:
    """One job of a rule.

    Attributes
    ----------
    wildcards : dict of str to str
        Values of the wildcards in the rule's outputs.
    inputs : tuple of str
        Files that must exist before the job starts, relative to the folder of the study.
    files : tuple of str
        Files that the function reads, relative to the folder of the study; by default the inputs.
    given : dict
        Further arguments of the function, as JSON values.
    code : str
        Digest of the code behind the outputs (``idescent.study.provenance.digest``).
    caption : str
        Caption of the figure, for Snakemake's own report.
    priority : int
        Ready jobs with a larger number start first.
    """

    code: str
    wildcards: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    files: tuple[str, ...] | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    caption: str = ""
    priority: int = 0


@dataclass(frozen=True)
class Rule:
    """A rule of the workflow, with all of its jobs.

    Attributes
    ----------
    name : str
        Name of the rule in Snakemake; profiles refer to it.
    sort : {"simulate", "solve", "measure", "table", "figure", "report"}
        Name of the rule's body in ``workflow/rules``; jobs of the first three may run on other machines.
    function : str
        ``module:function`` that writes the outputs: it takes a :class:`Task` and returns a line for the
        screen.
    outputs : tuple of Output
    jobs : tuple of Job
    message : str
        Message of the jobs on the screen, with wildcards as ``{wildcards.name}``.
    external : tuple of str
        Input files outside the folder of the study.
    local : bool
        Whether a job of the sort ``measure`` runs on this machine, because it is shorter than its submission.
    configured : bool
        Whether each job is an entry of the section ``figures``; the report then shows the entry with the
        figure.
    order : tuple of str
        Names of the figures of this rule and of related rules, in the order of the report.
    """

    name: str
    sort: Sort
    function: str
    outputs: tuple[Output, ...]
    jobs: tuple[Job, ...]
    message: str
    external: tuple[str, ...] = ()
    configured: bool = False
    local: bool = False
    order: tuple[str, ...] = ()

    def made_by(self, job: Job) -> list[str]:
        """Return the output files of one of the rule's jobs, relative to the folder of the study."""
        return [output.path.format(**job.wildcards) for output in self.outputs]

    def made(self) -> list[str]:
        """Return the output files of all jobs of the rule."""
        return [file for job in self.jobs for file in self.made_by(job)]


@dataclass(frozen=True)
class Task:
    """Argument of a job's function.

    Attributes
    ----------
    files : list of Path
        Files to read.
    outputs : list of Path
        Files to write, in the order of the rule's outputs.
    given : dict
        Further arguments, as in :class:`Job`.
    code : str
        Digest of the code, for the provenance in the outputs.
    log : callable
        Receives lines for the job's log.
    """

    files: Sequence[Path]
    outputs: Sequence[Path]
    given: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    log: Callable[[str], None] = lambda line: None


@dataclass(frozen=True)
class Product:
    """A product of the package, with its section of the configuration and its rules.

    Attributes
    ----------
    name : str
        Key of the section.
    keys : (type, pydantic.fields.FieldInfo)
        The section's type, default and description; None without a section.
    settings : callable
        ``settings(spec, study)`` checks the section against other sections and returns the settings of the
        rules.
    rules : callable
        ``rules(study, settings, before)`` returns the rules; ``before`` contains the rules of the preceding
        products.
    """

    name: str
    keys: tuple[Any, Any] | None
    settings: Callable[[Any, Study], Any]
    rules: Callable[[Study, Any, Sequence[Rule]], list[Rule]]


def tables(
    name: str, caption: str, suffixes: Iterable[str] = (".parquet", ".csv", ".md", ".tex")
) -> tuple[Output, ...]:
    """Return the outputs of a table in all formats; Snakemake's own report shows the CSV."""
    return tuple(Output(f"tables/{name}{suffix}", caption if suffix == ".csv" else "") for suffix in suffixes)


def figures(caption: str, category: str = "Errors", stem: str = "{figure}") -> tuple[Output, ...]:
    """Return the outputs of a figure in all formats; Snakemake's own report shows the SVG."""
    return tuple(
        Output(f"figures/{stem}{suffix}", caption if suffix == ".svg" else "", category)
        for suffix in (".pdf", ".svg", ".png")
    )


def manifests(study: Study, wanted: Iterable[tuple[Cell, str]]) -> tuple[str, ...]:
    """Return the manifests of the packs that contain some paths (cell, name), below the study's folder."""
    return tuple(file.removeprefix(f"{study.root}/") for file in study.manifests(wanted))
