"""What a measurement is: a row with named quantities, each a median with its spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of so many runs; a number that is counted, not timed, is one run."""

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of measured values."""
        if len(values) == 1:
            return cls.exact(values[0])
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(middle, low, high, len(values))

    @classmethod
    def exact(cls, value: float) -> Spread:
        """Return a number without spread."""
        return cls(float(value), float(value), float(value), 1)


@dataclass(frozen=True)
class Row:
    """One measured thing.

    Attributes
    ----------
    case : str
        What was done.
    method : str
        Who did it.
    setting : str
        How, where there is a choice.
    x : float or None
        What is varied: steps, parameters, cells, tolerance.
    status : str
        ``ok``, ``not installed``, ``cut`` (ended at the limit), or what a solution says of itself.
    note : str
        One line, if there is something to say.
    values : dict of str to Spread
        By the name of the quantity, which has its unit.
    """

    case: str
    method: str
    setting: str = ""
    x: float | None = None
    status: str = "ok"
    note: str = ""
    values: dict[str, Spread] = field(default_factory=dict)

    def value(self, quantity: str) -> float:
        """Return a quantity's median; NaN if there is none."""
        return self.values[quantity].median if quantity in self.values else math.nan

    def plain(self) -> dict[str, Any]:
        """Return the row as plain data; numbers that are not finite become None."""
        row = asdict(self)
        for spread in row["values"].values():
            for key, value in spread.items():
                spread[key] = value if math.isfinite(value) else None
        return row

    @classmethod
    def from_plain(cls, given: Mapping[str, Any]) -> Row:
        """Return the row that :meth:`plain` gave."""
        values = {
            name: Spread(**{k: math.nan if v is None else v for k, v in spread.items()})
            for name, spread in given["values"].items()
        }
        return cls(**{**given, "values": values})


def select(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    """Return the rows whose attributes have these values."""
    return [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]
