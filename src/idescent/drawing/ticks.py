"""Ticks of logarithmic axes, by one rule for all figures."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

# An axis with fewer decades than this within its limits has labels at 2 and 5 times the powers of ten, too.
_DECADES = 2


def log_ticks(axis: Any, most: int = 9) -> None:
    """Set the ticks of a logarithmic axis, whose limits must be final.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
    most : int
        Largest number of labels.
    """
    low, high = sorted(axis.get_view_interval())
    if not 0.0 < low < high < np.inf:
        return
    decades = np.floor(np.log10(high)) - np.ceil(np.log10(low)) + 1
    if decades >= _DECADES:
        axis.set_major_locator(LogLocator(numticks=most))
    else:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=most))
        axis.set_minor_locator(LogLocator(subs=tuple(range(1, 10)), numticks=most))
        axis.set_major_formatter(FuncFormatter(lambda value, _: _label(value)))
    axis.set_minor_formatter(NullFormatter())


def _label(value: float) -> str:
    """Format 1, 2 or 5 times a power of ten, from 0.001 to 1000 as a decimal number."""
    if 1e-3 <= value <= 1e3:
        return f"{value:g}"
    power = int(np.floor(np.log10(value) + 1e-9))
    factor = round(value / 10.0**power)
    tail = rf"10^{{{power}}}"
    return f"${tail}$" if factor == 1 else rf"${factor}\times {tail}$"
