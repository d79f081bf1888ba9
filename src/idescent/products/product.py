"""What a product is: something that a study shows, and the workflow's rules that make it.

What lives here: the data types in which products declare their rules, and what a job's function is given.
What does not: any one product (the folders beside this file), running a job (:mod:`idescent.jobs`).

A product of one's own is a class whose objects have a method ``rules(study)``; a configuration names it under
``products`` as ``module:Class``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # jobs import this module, but not how a study is planned
    from idescent.study.cells import Cell, Study

Sort = Literal["simulate", "solve", "measure", "table", "figure", "report"]

# A job that takes long and of unknown length starts before all others.
FIRST = 1_000_000


@dataclass(frozen=True)
class Output:
    """A file that a rule makes.

    Attributes
    ----------
    path : str
        Below the folder of the study; wildcards stand in braces.
    caption : str
        File in ``workflow/report`` with the caption in Snakemake's own report; empty: not shown there.
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
        Files below the folder of the study that must be there first.
    files : tuple of str
        Files below the folder of the study that the function reads; by default the inputs.
    given : dict
        Further arguments of the function: what JSON can hold.
    code : str
        Digest of the code that makes the outputs (``idescent.study.provenance.digest``).
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
        Its name in Snakemake, which profiles may mention.
    sort : {"simulate", "solve", "measure", "table", "figure", "report"}
        Which body in ``workflow/rules`` it gets: the first three may run on other machines.
    function : str
        ``module:function`` that makes the outputs; it is called with a :class:`Task` and returns a line for
        the screen.
    outputs : tuple of Output
    jobs : tuple of Job
    message : str
        What the jobs do, with wildcards as ``{wildcards.name}``.
    external : tuple of str
        Input files outside the folder of the study.
    local : bool
        Whether a measurement is made sooner than submitted to another machine.
    configured : bool
        Whether each job is an entry of the section ``figures``, which the report then shows beside it.
    order : tuple of str
        Figures that the rule shares with others, in the order of the report.
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
        """Return the files that one of the rule's jobs makes, below the folder of the study."""
        return [output.path.format(**job.wildcards) for output in self.outputs]

    def made(self) -> list[str]:
        """Return the files that all of the rule's jobs make."""
        return [file for job in self.jobs for file in self.made_by(job)]


@dataclass(frozen=True)
class Task:
    """What the function of a job is called with.

    Attributes
    ----------
    files : list of Path
        What it reads.
    outputs : list of Path
        What it makes, in the order of the rule's outputs.
    given : dict
        Further arguments, as the product declared them.
    code : str
        Digest of the code, for the record.
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
    """A product of the package: its section of the configuration and its rules.

    Attributes
    ----------
    name : str
        Key of its section.
    keys : (type, pydantic.fields.FieldInfo)
        The section's type, default and description; None if it has no section.
    settings : callable
        ``settings(spec, study)``: check the section against the others; return what the rules need.
    rules : callable
        ``rules(study, settings, before)``: its rules, given those of the products before it.
    """

    name: str
    keys: tuple[Any, Any] | None
    settings: Callable[[Any, Study], Any]
    rules: Callable[[Study, Any, Sequence[Rule]], list[Rule]]


def tables(
    name: str, caption: str, suffixes: Iterable[str] = (".parquet", ".csv", ".md", ".tex")
) -> tuple[Output, ...]:
    """Return the files of a table in all formats; the CSV is shown in Snakemake's own report."""
    return tuple(Output(f"tables/{name}{suffix}", caption if suffix == ".csv" else "") for suffix in suffixes)


def figures(caption: str, category: str = "Errors", stem: str = "{figure}") -> tuple[Output, ...]:
    """Return the files of a figure in all formats; the SVG is shown in Snakemake's own report."""
    return tuple(
        Output(f"figures/{stem}{suffix}", caption if suffix == ".svg" else "", category)
        for suffix in (".pdf", ".svg", ".png")
    )


def manifests(study: Study, wanted: Iterable[tuple[Cell, str]]) -> tuple[str, ...]:
    """Return the manifests of the packs that hold some runs and solutions, below the study's folder."""
    return tuple(file.removeprefix(f"{study.root}/") for file in study.manifests(wanted))
