"""Discrete runs and solutions: the rules that make them, pack by pack.

What lives here: the declaration.  What does not: which cells share a job (:mod:`idescent.study.packs`), the
jobs (:mod:`idescent.jobs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from idescent.products.product import Job, Output, Product, Rule
from idescent.store import DISCRETE
from idescent.study.cells import Pack, Study
from idescent.study.provenance import pack_digest

PACK = "{objective}/{optimizer}/{pack}"


def settings(spec: Any, study: Study) -> None:
    """There is nothing to set."""


def rules(study: Study, given: None, before: Sequence[Rule]) -> list[Rule]:
    """Return the rules ``simulate`` and ``solve``."""
    simulate = Rule(
        "simulate",
        "simulate",
        "idescent.jobs.pack:simulate",
        (Output(f"packs/{PACK}/{DISCRETE}.json"),),
        tuple(_job(study, pack, DISCRETE) for pack in study.packs),
        "simulate {wildcards.objective} {wildcards.optimizer} {wildcards.pack}",
    )
    solve = Rule(
        "solve",
        "solve",
        "idescent.jobs.pack:solve",
        (Output(f"packs/{PACK}/{{solution}}.json"),),
        tuple(_job(study, pack, name) for pack in study.packs for name in study.names(pack)),
        "solve {wildcards.objective} {wildcards.optimizer} {wildcards.pack} {wildcards.solution}",
    )
    return [simulate, solve] if solve.jobs else [simulate]


def _job(study: Study, pack: Pack, name: str) -> Job:
    given = study.job(pack, name)
    wildcards = pack.wildcards if name == DISCRETE else {**pack.wildcards, "solution": name}
    # The longest jobs start first: what is left at the end is then short, and keeps all cores busy.
    priority = round(1000.0 * study.seconds(pack, name))
    return Job(pack_digest(given), wildcards, given=given, priority=priority)


PRODUCT = Product("cells", None, settings, rules)
