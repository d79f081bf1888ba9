"""Choice of the cells that the explorer shows, for a study too large for one page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from idescent.study.cells import Cell

# Compressed, they are about 10 MB of the page.
MOST_SOLUTIONS = 3000
_Item = TypeVar("_Item")


def selected(cells: Sequence[Cell], most: int = MOST_SOLUTIONS) -> list[Cell]:
    """Choose cells with at most ``most`` solutions in total, in their order.

    Choose all cells if they fit.  Otherwise choose configurations evenly over the grid, each with all its
    learning rates.  If not even one configuration fits, choose evenly spaced cells, at least one.
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
        selection = [cell for cell in cells if id(cell) in chosen]
        if _solutions(selection) <= most:
            return selection
    count = min(len(cells), most)
    while count > 1 and _solutions(evenly(cells, count)) > most:
        count -= 1
    return evenly(cells, count)


def evenly(items: Sequence[_Item], count: int) -> list[_Item]:
    """Choose ``count`` evenly spaced items, including the first."""
    return [items[i * len(items) // count] for i in range(count)]


def _solutions(cells: Sequence[Cell]) -> int:
    return sum(len(cell.solutions) for cell in cells)
