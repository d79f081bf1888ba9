"""The stage ``report``: everything that a study has to show, into one page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from idescent.products.report.page import Inputs, page
from idescent.store.files import refused, write_text


def run(given: Mapping[str, Any], numbers: Path, output: Path, code: str) -> str:
    """Put the page of a study together; return a line about it.

    Parameters
    ----------
    given : mapping
        ``study``, ``config`` and ``figures``, as for :class:`idescent.products.report.page.Inputs`.
    numbers : path
        What :func:`idescent.stages.report_numbers.run` wrote.
    output : path
        In the folder of the study.
    code : str
        Digest of the code, recorded in the page.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    try:
        found = json.loads(numbers.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise refused(numbers, "file of a page's numbers", error) from error
    codes = {"this page": code, "its numbers": found["code"]}
    text = page(Inputs(**given, root=output.parent), found, codes)
    write_text(output, text)
    return f"{len(text.encode()) / 1e6:.1f} MB"
