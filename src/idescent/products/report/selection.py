"""Which cells the explorer shows.

What lives here: the choice, for a study too large for one page.  What does not: reading anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from idescent.study.cells import Cell

MOST_SOLUTIONS = 300
_Item = TypeVar("_Item")


def selected(cells: Sequence[Cell], most: int = MOST_SOLUTIONS) -> list[Cell]:
    """Choose cells that have at most ``most`` solutions together, in their order.

    All of them if that is few enough.  Otherwise configurations evenly over the grid, each with all its
    learning rates; if not even one configuration fits, evenly spaced cells of the whole grid, at least one.
    """
    if _solutions(cells) <= most:
        return list(cells)
    configurations: dict[str, list[Cell]] = {}
    for cell in cells:
        configurations.setdefault(repr((cell.objective, cell.optimizer)), []).append(cell)
    blocks = list(configurations.values())
    smallest = max(min(map(_solutions, blocks)), 1)
    for count in range(min(len(blocks), most // smallest), 0, -1):
        chosen = {id(cell) for block in evenly(blocks, count) for cell in block}
        found = [cell for cell in cells if id(cell) in chosen]
        if _solutions(found) <= most:
            return found
    count = min(len(cells), most)
    while count > 1 and _solutions(evenly(cells, count)) > most:
        count -= 1
    return evenly(cells, count)


def evenly(items: Sequence[_Item], count: int) -> list[_Item]:
    """Choose ``count`` items, evenly spaced, the first included."""
    return [items[i * len(items) // count] for i in range(count)]


def _solutions(cells: Sequence[Cell]) -> int:
    return sum(len(cell.solutions) for cell in cells)
