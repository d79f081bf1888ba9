"""The stage ``report``: everything that a study has to show, into one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.files import write_text
from idescent.report.page import Inputs, page


def run(given: Mapping[str, Any], files: Sequence[Path], output: Path, code: str) -> str:
    """Write the report of a study; return a line about it.

    Parameters
    ----------
    given : mapping
        ``study``, ``config``, ``cells``, ``solutions``, ``figures``, ``further`` and ``claims``, as for
        :class:`idescent.report.page.Inputs`.
    files : sequence of path
        Trajectories that the explorer shows.
    output : path
        In the folder of the study.
    code : str
        Digest of the code, recorded in the page.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    inputs = Inputs(**given, root=output.parent, trajectories=files)
    text = page(inputs, code)
    write_text(output, text)
    return f"{len(text.encode()) / 1e6:.1f} MB, {len(inputs.trajectories)} trajectories to explore"
