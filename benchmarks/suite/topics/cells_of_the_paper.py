"""The cells of the paper: the exact solver against Algorithm 4 as the paper ran it."""

from __future__ import annotations

import statistics

import numpy as np
import yaml

from idescent.config import load
from suite.peers import CutError, Worker
from suite.rows import Row
from suite.settings import ROOT, Settings
from suite.topics.precision import TIGHT, values

TITLE = "The cells of the paper"
TEXT = """Each cell of `config/config.yaml`, with the paper's equation: the exact solver at the study's
tolerance against Algorithm 4 with its own quadrature (1 000 Gauss nodes for each point in each sweep),
corrected alignment. Errors are against the exact solver at rtol 1e-13, so that those of the exact solver are
no better known than its own estimate."""


def measure(settings: Settings) -> list[Row]:
    """Solve every cell both ways."""
    study = load(yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8")))
    tolerances = {key: study.solutions["paper.exact"][key] for key in ("rtol", "atol")}
    found: list[Row] = []
    cells = [study.cells[-1]] if settings.quick else study.cells
    with Worker() as worker:
        for cell in cells:
            given = {"cell": cell.spec(), "most": 1 if settings.quick else 5}
            tight = worker.ask(given | {"solver": "Collocation", "tolerances": TIGHT, "most": 1})
            reference = np.array(tight["theta"])
            exact = worker.ask(given | {"solver": "Collocation", "tolerances": tolerances})
            rows = [Row(cell.folder, "exact", f"rtol {tolerances['rtol']:g}", status=exact["status"])]
            rows[0].values.update(values(exact, reference))
            picard = given | {"solver": "Picard", "arguments": {"quadrature": "gauss"}, "most": 1}
            try:
                literal = worker.ask(picard, settings.limit)
                rows.append(Row(cell.folder, "Algorithm 4", "literal", status=literal["status"]))
                rows[1].values.update(values(literal, reference))
            except CutError as error:
                rows.append(Row(cell.folder, "Algorithm 4", "literal", status="cut", note=str(error)))
            found += rows
            settings.say(f"{cell.folder}: " + ", ".join(f"{r.method} {r.value('s'):.3g} s" for r in rows))
    pairs = [(found[i], found[i + 1]) for i in range(0, len(found), 2) if found[i + 1].values]
    for quantity, what in (("s", "time"), ("gradients", "gradients")):
        ratios = [literal.value(quantity) / exact.value(quantity) for exact, literal in pairs]
        if ratios:
            middle, most = statistics.median(ratios), max(ratios)
            settings.say(f"Algorithm 4 over exact, {what}: median {middle:.3g}, most {most:.3g}")
    return found
