"""The workflow of the paper, as a user meets it."""

from __future__ import annotations

import re

import yaml

from idescent.config import load
from suite.projects import Project, in_one_process
from suite.rows import Row, Spread
from suite.settings import Settings

TITLE = "The paper, from nothing"
TEXT = """The study of `config/config.yaml` in a copy of the project, as `make` runs it in an installed
environment: all figures, tables, the audit and the report. *again*: with nothing to do. *one more*: with one
more learning rate for Adam, which is four cells and what is drawn and tabulated from them. *compute*: all
runs and solutions in one Python process, nothing written. Overhead is wall time times cores less that, so it
has figures, tables, audit and report in it."""

ADAM = (
    r"(optimizer: Adam\n.*?alpha: \[0\.1, )0\.01\]\n    steps: \[100, 1000\]",
    r"\g<1>0.01, 0.02]\n    steps: [100, 1000, 500]",
)


def measure(settings: Settings) -> list[Row]:
    """Run the paper's study three times; the smoke study once for a quick look."""
    times: dict[str, list[float]] = {}
    memory = 0.0
    for attempt in range(1 if settings.quick else 3):
        project = Project(settings.scratch / str(attempt))
        config = project.folder / "config/config.yaml"
        if settings.quick:
            config.write_text((project.folder / "config/smoke.yaml").read_text("utf-8"), "utf-8")
        text = config.read_text(encoding="utf-8")
        study = load(yaml.safe_load(text))
        took = {"whole, s": project.snakemake(settings.cores)}
        took["again, s"] = project.snakemake(settings.cores)
        if not settings.quick:
            grown, found = re.subn(*ADAM, text, count=1, flags=re.S)
            if not found:
                raise RuntimeError(
                    "config/config.yaml: Adam's block is not where this benchmark looks for it"
                )
            config.write_text(grown, encoding="utf-8")
            took["one more, s"] = project.snakemake(settings.cores)
        for name, (seconds, peak, _) in took.items():
            times.setdefault(name, []).append(seconds)
            memory = max(memory, peak)
        times.setdefault("compute, s", []).append(in_one_process(study, study.cells))
        settings.say(", ".join(f"{name} {values[-1]:.3g}" for name, values in times.items()))
    values = {name: Spread.of(seconds) for name, seconds in times.items()}
    pairs = list(zip(times["whole, s"], times["compute, s"], strict=True))
    values["overhead, %"] = Spread.of([100.0 * (w * settings.cores - c) / c for w, c in pairs])
    values["memory, MB"] = Spread.exact(memory)
    name = study.name
    return [Row(name, "workflow", f"{len(study.cells)} cells, {settings.cores} cores", values=values)]
