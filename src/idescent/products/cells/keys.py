"""Declare the rules that compute discrete runs and solutions, one job for each pack and path.

What does not live here: the grouping of cells into packs (:mod:`idescent.study.packs`), and the work of the
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
    """Return no settings: the product has no section of its own."""


def rules(study: Study, nothing: None, before: Sequence[Rule]) -> list[Rule]:
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
    arguments = study.job(pack, name)
    wildcards = pack.wildcards if name == DISCRETE else {**pack.wildcards, "solution": name}
    # The longest jobs start first; the short ones at the end then keep all cores busy.
    priority = round(1e6 * study.seconds(pack, name))
    return Job(pack_digest(arguments), wildcards, given=arguments, priority=priority)


PRODUCT = Product("cells", None, settings, rules)
