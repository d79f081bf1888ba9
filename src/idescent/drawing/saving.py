"""Apply the style of all figures, and write figures to files.

What lives here: :func:`styled` and :func:`save`.  What does not: the content of a figure.  Equal figures have
equal bytes, and no file is ever incomplete.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure

from idescent.drawing import formulas, style
from idescent.store.files import whole

_LEAST_PANELS = 1.0 / 3.0  # least share of the panels in the height of a figure
FORMATS = (".pdf", ".svg", ".png")


def styled() -> AbstractContextManager[None]:
    """Return the context for building and saving figures: matplotlib's defaults, then the style file."""
    formulas.share()
    return matplotlib.style.context(["default", style.STYLE_FILE])


def _make_room(canvas: Figure) -> None:
    """Increase the height of a figure whose legends leave less than a third of it to the panels."""
    height = canvas.get_figheight()
    legends = sum(legend.get_window_extent().height for legend in canvas.legends) / canvas.dpi
    if height - legends < _LEAST_PANELS * height:
        canvas.set_figheight(legends + max(0.6 * height, 2.0))


def save(canvas: Figure, outputs: Iterable[str | Path], title: str, caption: str) -> None:
    """Write a figure to each output file, with title and caption in the file's metadata.

    Parameters
    ----------
    canvas : matplotlib.figure.Figure
        Built inside :func:`styled`; its layout engine is removed.
    outputs : iterable of path
        Files with the suffix .pdf, .svg or .png.
    title, caption : str

    Raises
    ------
    ValueError
        If an output has another suffix; no file is written then.
    """
    # The metadata omit dates and versions, which would change the bytes of equal figures.
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
    # Compute the layout once instead of once for each format, and at the resolution of the PNG, for which
    # matplotlib then reuses the sizes of the texts.
    canvas.set_dpi(matplotlib.rcParams["savefig.dpi"])
    _make_room(canvas)
    if (engine := canvas.get_layout_engine()) is not None:
        engine.execute(canvas)
    with matplotlib.rc_context({"figure.constrained_layout.use": False}):
        canvas.set_layout_engine(None)
        for output in targets:
            with whole(output) as partial:
                canvas.savefig(partial, format=output.suffix[1:], metadata=metadata[output.suffix])
