"""Verdicts, and the list that runs checks in order of their dependencies.

What lives here: :class:`Checks`, which runs a check and records its verdict.  What does not: any particular
check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "fail", "not offered", "not checked"]


class FaultError(Exception):
    """A check failed; the text says in one sentence what is wrong and how to correct it."""


class NotOfferedError(Exception):
    """The class lacks an optional attribute or method, or a model has no solution for it."""


@dataclass(frozen=True)
class Verdict:
    """Result of one check.

    Attributes
    ----------
    check : str
    status : {"ok", "fail", "not offered", "not checked"}
        ``not checked`` if an earlier check failed on which this one depends.
    text : str
        Details; for ``fail``, what is wrong and how to correct it.
    """

    check: str
    status: Status
    text: str = ""


class Checks:
    """Verdicts of the checks so far, in order."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []

    def add(self, name: str, check: Callable[[], str], *needs: str) -> None:
        """Run a check and add its verdict; skip it if a check that it needs did not pass.

        Parameters
        ----------
        name : str
        check : callable
            Returns the details of a passed check, or raises :class:`FaultError` or
            :class:`NotOfferedError`.  Any other exception comes from the class, and is a fault, too.
        *needs : str
            Checks that must pass first: otherwise this one would report a consequence, not the cause.
        """
        stops = ("fail", "not checked")
        failed = next((v.check for v in self.verdicts if v.check in needs and v.status in stops), None)
        if failed is not None:
            self.verdicts.append(Verdict(name, "not checked", f"because {failed} did not pass"))
            return
        try:
            self.verdicts.append(Verdict(name, "ok", check()))
        except NotOfferedError as absent:
            self.verdicts.append(Verdict(name, "not offered", str(absent)))
        except FaultError as fault:
            self.verdicts.append(Verdict(name, "fail", str(fault)))
        except Exception as error:  # a user's class may raise anything
            self.verdicts.append(Verdict(name, "fail", f"raises {in_one_line(error)}: it must not raise"))


def in_one_line(error: Exception) -> str:
    """Return the class and the text of an exception, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
