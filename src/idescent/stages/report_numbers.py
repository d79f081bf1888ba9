"""The stage ``report_numbers``: all of a study's page but its pictures, while those are still drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.products.report.numbers import Inputs, numbers
from idescent.store.files import write_text


def run(given: Mapping[str, Any], files: Sequence[Path], output: Path, code: str) -> str:
    """Write the numbers of a study's page; return a line about them.

    Parameters
    ----------
    given : mapping
        ``study``, ``cells``, ``solutions``, ``shown``, ``further`` and ``claims``, as for
        :class:`idescent.products.report.numbers.Inputs`.
    files : sequence of path
        Trajectories that the explorer shows.
    output : path
        JSON, in the folder of the study.
    code : str
        Digest of the code, recorded in the page.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    inputs = Inputs(**given, root=output.parent, trajectories=files)
    found = numbers(inputs) | {"code": code}
    write_text(output, json.dumps(found, ensure_ascii=False) + "\n")
    return f"{len(inputs.trajectories)} trajectories to explore"
