"""Share the layout of formulas among the files of a figure.

What lives here: :func:`share`.  What does not: the check of a configuration's formulas
(:mod:`idescent.products.paths.formulas`).

matplotlib parses a formula with pyparsing, which takes a third of the time of a figure.  Its cache has the
renderer in the key, and the layout, the PDF, the SVG and the PNG of a figure have a renderer each.  The
result depends on the sort of output (vector or raster), not on the renderer.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from matplotlib.mathtext import MathTextParser

_MOST = 4096


@cache
def share() -> None:
    """Let all renderers of this process share one cache of formulas.

    A version of matplotlib without this cache keeps its own: the figures are the same.
    """
    owner: Any = MathTextParser  # its cache is not in the type stubs
    original = getattr(getattr(owner, "_parse_cached", None), "__wrapped__", None)
    if original is None:
        return
    parsers: dict[str, Any] = {}

    @lru_cache(_MOST)
    def parse(output: str, *arguments: Any) -> Any:
        return original(parsers[output], *arguments)

    def cached(self: Any, *arguments: Any) -> Any:
        output = str(self._output_type)
        parsers.setdefault(output, self)
        return parse(output, *arguments)

    owner._parse_cached = cached
