"""The style that all figures share, and their files.

What lives here: :func:`styled` and :func:`save`.  What does not: what a figure shows.  Files are written
whole or not at all and have the same bytes for the same content.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure

from idescent.drawing import style
from idescent.store.files import whole

_LEAST_PANELS = 1.0 / 3.0  # of the height
FORMATS = (".pdf", ".svg", ".png")


def styled() -> AbstractContextManager[None]:
    """Return the context in which figures are built and written: matplotlib's defaults, then the style."""
    return matplotlib.style.context(["default", style.STYLE_FILE])


def _make_room(canvas: Figure) -> None:
    """Make a figure higher if its legends, of very many entries, would leave nothing to the panels."""
    height = canvas.get_figheight()
    legends = sum(legend.get_window_extent().height for legend in canvas.legends) / canvas.dpi
    if height - legends < _LEAST_PANELS * height:
        canvas.set_figheight(legends + max(0.6 * height, 2.0))


def save(canvas: Figure, outputs: Iterable[str | Path], title: str, caption: str) -> None:
    """Write a figure to each output, whole or not at all, with title and caption in the file's metadata.

    Raises
    ------
    ValueError
        If the suffix of an output is not known; then nothing is written.
    """
    # Dates and versions are left out: they would change the bytes.
    described = {"Title": title, "Description": caption}
    metadata: dict[str, dict[str, Any]] = {
        ".pdf": {"Title": title, "Subject": caption, "Creator": "idescent", "CreationDate": None},
        ".svg": described | {"Creator": "idescent", "Date": None},
        ".png": described | {"Software": None},
    }
    targets = [Path(output) for output in outputs]
    for target in targets:
        if target.suffix not in FORMATS:
            known = ", ".join(FORMATS)
            raise ValueError(f"{target}: {target.suffix!r} is not allowed: must be one of {known}")
    # The layout is found once: each format would be drawn once more for it.  At the resolution of the PNG,
    # whose texts are then measured already.
    canvas.set_dpi(matplotlib.rcParams["savefig.dpi"])
    _make_room(canvas)
    if (engine := canvas.get_layout_engine()) is not None:
        engine.execute(canvas)
    with matplotlib.rc_context({"figure.constrained_layout.use": False}):
        canvas.set_layout_engine(None)
        for output in targets:
            with whole(output) as partial:
                canvas.savefig(partial, format=output.suffix[1:], metadata=metadata[output.suffix])
