"""The stage ``report``: everything that a study has to show, into one page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from idescent.files import write_text
from idescent.report.page import Inputs, page


def run(given: Mapping[str, Any], output: Path, code: str) -> str:
    """Write the report of a study; return a line about it.

    Parameters
    ----------
    given : mapping
        ``study``, ``config``, ``trajectories`` (paths of files), ``cells``, ``solutions``, ``figures``,
        ``further`` and ``claims``, as for :class:`idescent.report.page.Inputs`.
    output : path
        In the folder of the study.
    code : str
        Digest of the code, recorded in the page.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    files = [Path(file) for file in given["trajectories"]]
    inputs = Inputs(**{**given, "root": output.parent, "trajectories": files})
    text = page(inputs, code)
    write_text(output, text)
    return f"{len(text.encode()) / 1e6:.1f} MB, {len(inputs.trajectories)} trajectories to explore"
