"""The page: the sections of a report in one file that needs no other.

What lives here: :func:`page`, the order of the sections, and what is made of figures and configuration.  What
does not: what comes from tables and trajectories (:mod:`.numbers`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from idescent.products.product import Task
from idescent.products.report import assets, facts, figures, vendor
from idescent.products.report.assets import filled, look
from idescent.products.report.markup import escape
from idescent.store.files import refused, write_text

_TITLES = {
    "summary": "At a glance",
    "odd": "Not converged, diverged",
    "explorer": "Explorer",
    "errors": "Errors",
    "claims": "Claims",
    "figures": "Figures",
    "provenance": "Provenance",
}


@dataclass(frozen=True)
class PageInputs:
    """What a page is made from, beside its numbers.

    Attributes
    ----------
    study : str
    config : mapping
        The configuration as it was given.
    root : path
        Folder of the study, and of the page.
    figures : sequence of (stem, rule, entry)
        ``entry`` is the name of the figure in the configuration, empty for one without.
    """

    study: str
    config: Mapping[str, Any]
    root: Path
    figures: Sequence[tuple[str, str, str]] = field(default_factory=tuple)

    @property
    def drawings(self) -> list[Path]:
        """The figures' SVGs."""
        return [self.root / f"figures/{stem}.svg" for stem, _, _ in self.figures]


def page(given: PageInputs, numbers: Mapping[str, Any], codes: Mapping[str, str]) -> str:
    """Return the whole page.

    Parameters
    ----------
    given : Inputs
    numbers : mapping
        As returned by :func:`idescent.products.report.numbers.numbers`.
    codes : mapping of str to str
        Digests of the sources behind the page itself, by what they made.

    Raises
    ------
    ValueError
        If a drawing is damaged.
    """
    content = {
        **numbers["sections"],
        "figures": _figures(given),
        "provenance": _provenance(given, numbers, codes),
    }
    content = {name: content[name] for name in _TITLES if content.get(name)}
    return filled(
        "page",
        study=escape(given.study),
        navigation="".join(f'<li><a href="#{name}">{_TITLES[name]}</a></li>' for name in content),
        sections="\n".join(_section(name, text) for name, text in content.items()),
        style=vendor.STYLE.read_text(encoding="utf-8") + assets.read(look.STYLE),
        licence=vendor.licence().replace("--", "- -"),
        script=_script(),
        data=numbers["data"].replace("<", "\\u003c"),  # no text in it can end the script
    )


def _script() -> str:
    ours = "\n".join(assets.read(name) for name in look.SCRIPTS)
    return f'{vendor.SCRIPT.read_text(encoding="utf-8")}\n(() => {{\n"use strict";\n{ours}}})();'


def _section(name: str, text: str) -> str:
    title = _TITLES[name]
    anchor = f'<a class="anchor" href="#{name}" aria-label="Link to: {title}">#</a>'
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">\n'
        f'<h2 id="{name}-title">{title} {anchor}</h2>\n{text}\n</section>'
    )


def _figures(given: PageInputs) -> str:
    entries = given.config.get("figures", {})
    return "\n".join(
        figures.figure(given.root / f"figures/{stem}.svg", given.root, rule, entries[name] if name else None)
        for stem, rule, name in given.figures
    )


def _provenance(given: PageInputs, numbers: Mapping[str, Any], codes: Mapping[str, str]) -> str:
    inputs = facts.digest_of([*numbers["inputs"], *facts.digests_of(given.drawings)])
    config = yaml.safe_dump(dict(given.config), allow_unicode=True, sort_keys=False, width=100)
    drawn = escape("{package} {version} ({license} licence, {home})".format(**vendor.manifest()))
    return "\n".join(
        [
            facts.section(codes, inputs, numbers["codes"]),
            f"<details><summary>Configuration of the study</summary><pre>{escape(config)}</pre></details>",
            f"<details><summary>Parquet files</summary>{numbers['files']}</details>",
            f"<p>The explorer's plots are drawn by {drawn}, which is part of this file.</p>",
        ]
    )


def job(task: Task) -> str:
    """Put the page of a study together, from its numbers and its figures; return a line about it."""
    numbers, output = task.files[0], task.outputs[0]
    try:
        found = json.loads(numbers.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise refused(numbers, "file of a page's numbers", error) from error
    codes = {"this page": task.code, "its numbers": found["code"]}
    text = page(PageInputs(**task.given, root=output.parent), found, codes)
    write_text(output, text)
    return f"{len(text.encode()) / 1e6:.1f} MB"
