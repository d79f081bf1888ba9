"""The second stage of the report: one HTML file, which needs no other file.

What lives here: :func:`page`, with the content of the sections on figures and provenance.  What does not:
HTML (:mod:`.templates`), the content of the other sections (:mod:`.numbers`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from idescent import __version__
from idescent.products.product import Task
from idescent.products.report import assets, facts, figures, vendor
from idescent.products.report.templates import render
from idescent.store.files import refused, write_text

# Titles of the sections of products; a user's own product has its own name.
TITLES = {
    "errors": "Errors",
    "scaling": "Scaling",
    "fidelity": "Fidelity",
    "ensembles": "Ensembles",
    "forecast": "Forecast",
    "claims": "Claims",
    "paths": "Figures of paths",
}


@dataclass(frozen=True)
class PageInputs:
    """Inputs of a page besides its numbers.

    Attributes
    ----------
    study : str
    config : mapping
        The configuration as the user wrote it.
    root : path
        Folder of the study and of the page.
    figures : sequence of (stem, rule, entry, product)
        ``entry`` is the name of the figure in the configuration, empty without one.
    """

    study: str
    config: Mapping[str, Any]
    root: Path
    figures: Sequence[tuple[str, str, str, str]] = field(default_factory=tuple)

    @property
    def drawings(self) -> list[Path]:
        """The figures' SVGs."""
        return [self.root / f"figures/{stem}.svg" for stem, *_ in self.figures]


def page(given: PageInputs, numbers: Mapping[str, Any], codes: Mapping[str, str]) -> str:
    """Return the HTML of the whole page.

    Parameters
    ----------
    given : PageInputs
    numbers : mapping
        As returned by :func:`idescent.products.report.numbers.numbers`.
    codes : mapping of str to str
        Digests of the report's own code, by the result of that code.

    Raises
    ------
    ValueError
        If a drawing is damaged.
    """
    provenance = _provenance(given, numbers, codes)
    return render(
        "page.html.j2",
        study=given.study,
        sections={
            **numbers["sections"],
            "provenance": provenance,
        },
        products=_products(given, numbers),
        stamp={"version": __version__, "inputs": provenance["inputs"][:12], **facts.commit()},
        # A closing tag in a text would end the script; JSON may escape any character.
        data=Markup(numbers["data"].replace("<", "\\u003c")),
        blocks=numbers["blocks"],
        style=Markup(vendor.style() + "".join(map(assets.read, assets.STYLES))),
        libraries=Markup(vendor.script()),
        # Two hyphens end an HTML comment.
        licences={name: Markup(text.replace("--", "- -")) for name, text in vendor.licences().items()},
        scripts=[Markup(assets.read(name)) for name in assets.SCRIPTS],
    )


def _products(given: PageInputs, numbers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the sections of products in page order, each with its tables and figures."""
    entries = given.config.get("figures", {})
    own = [name for name in ("errors", "claims") if numbers["sections"][name]]
    names = [*own[:1], *numbers["tables"], *own[1:], *(product for *_, product in given.figures)]
    return [
        {
            "name": product if product in own else f"product-{product}",
            "title": TITLES.get(product, product),
            "tables": numbers["tables"].get(product, []),
            "figures": [
                figures.figure(
                    given.root / f"figures/{stem}.svg", given.root, rule, entries[name] if name else None
                )
                for stem, rule, name, owner in given.figures
                if owner == product
            ],
        }
        for product in dict.fromkeys(names)
    ]


def _provenance(given: PageInputs, numbers: Mapping[str, Any], codes: Mapping[str, str]) -> dict[str, Any]:
    inputs = facts.digest_of([*numbers["inputs"], *facts.digests_of(given.drawings)])
    return {
        **facts.section(codes, inputs, numbers["codes"]),
        "inputs": inputs,
        "configuration": figures.as_yaml(given.config),
        "files": numbers["files"],
        "libraries": vendor.manifest(),
    }


def job(task: Task) -> str:
    """Write the page of a study from its numbers and figures; return a line for the screen."""
    numbers, output = task.files[0], task.outputs[0]
    try:
        content = json.loads(numbers.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise refused(numbers, "file of a report's numbers", error) from error
    codes = {"this page": task.code, "its numbers": content["code"]}
    text = page(PageInputs(**task.given, root=output.parent), content, codes)
    write_text(output, text)
    return f"{len(text.encode()) / 1e6:.1f} MB"
