"""Checks, their verdicts, and what depends on what.

What lives here: how a check is made.  What does not: any particular check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "fail", "not offered", "not checked"]


class FaultError(Exception):
    """What is wrong, and how to mend it, in one sentence."""


class NotOfferedError(Exception):
    """The class leaves out what is optional."""


@dataclass(frozen=True)
class Verdict:
    """What came of one check.

    Attributes
    ----------
    check : str
    status : {"ok", "fail", "not offered", "not checked"}
        The last one where an earlier check failed on which this one depends.
    text : str
        What was found; for ``fail``, how to mend it.
    """

    check: str
    status: Status
    text: str = ""


class Checks:
    """A list of verdicts that grows."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []

    def add(self, name: str, check: Callable[[], str], *needs: str) -> None:
        """Make a check, unless one that it needs did not pass.

        Parameters
        ----------
        name : str
        check : callable
            Returns what it found, or raises :class:`FaultError` or :class:`NotOfferedError`; any other
            exception is the class's own and a fault, too.
        *needs : str
            Checks without which this one would blame the wrong thing.
        """
        stops = ("fail", "not checked")
        bad = next((v.check for v in self.verdicts if v.check in needs and v.status in stops), None)
        if bad is not None:
            self.verdicts.append(Verdict(name, "not checked", f"after {bad}"))
            return
        try:
            self.verdicts.append(Verdict(name, "ok", check()))
        except NotOfferedError as absent:
            self.verdicts.append(Verdict(name, "not offered", str(absent)))
        except FaultError as fault:
            self.verdicts.append(Verdict(name, "fail", str(fault)))
        except Exception as error:  # the class is somebody's own, and may raise anything
            self.verdicts.append(Verdict(name, "fail", f"raises {told(error)}: it must not"))


def told(error: Exception) -> str:
    """Return an exception in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
