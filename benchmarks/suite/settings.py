"""What a topic is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from suite.peers import Peers

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes
    ----------
    quick : bool
        Small sizes and few repeats: to see that everything runs, not to know how fast.
    peers : Peers
        Environments of other packages.
    scratch : path
        Folder for what a topic needs on the way.
    cores : int
        For the workflow.
    limit : float
        Seconds after which one solve is ended.
    say : callable
        Receives lines for a person.
    """

    quick: bool
    peers: Peers
    scratch: Path
    cores: int
    limit: float
    say: Callable[[str], None]
