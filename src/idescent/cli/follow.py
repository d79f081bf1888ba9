"""The progress of a study, read from Snakemake's log.

What lives here: parsing the log's lines, and the estimate of the time left.  What does not: the process of
Snakemake (:mod:`idescent.cli.run`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_ROW = re.compile(r"(\w+) +(\d+)$")
_STARTED = re.compile(r"Job (\d+): ")
_FINISHED = re.compile(r"Finished jobid: (\d+) \(Rule: (\w+)\)")
_TARGET = "all"  # a rule without work
_FAILED = ("Error in rule ", "Error in group ")
# Lines of Snakemake about itself.
_ROUTINE = (
    "Assuming unrestricted",
    "host: ",
    "Building DAG",
    "Using ",
    "Complete log",
    "shared-storage",
    "Shutting down",
    "Exiting because a job",
    "Elapsed time",
    "WorkflowError:",
    "At least one job did not complete",
)


class Follower:
    """The state of a run, updated line by line.

    Attributes
    ----------
    total, done : int
        Number of jobs of this run, and of finished ones.
    """

    def __init__(self) -> None:
        self._left: Counter[str] = Counter()
        self._lines: list[str] = []
        self._table = False
        self._failed: int | None = None
        self._started: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._finished: Counter[str] = Counter()
        self._begin: float | None = None
        self.total = 0

    @property
    def done(self) -> int:
        """Number of finished jobs."""
        return self._finished.total()

    def feed(self, line: str, now: float) -> str | None:
        """Read one line of the log, written at the time ``now`` in seconds.

        Returns
        -------
        str or None
            The line if the user must see it at once: a warning, or a damaged file.
        """
        line = line.rstrip("\n")
        self._lines.append(line)
        if self._failed is None and line.lstrip().startswith(_FAILED):
            self._failed = len(self._lines) - 1
        if line.startswith("Job stats:"):
            # Snakemake may print the table again; the first one counts.
            self._table = self.total == 0
        elif self._table and (row := _ROW.match(line)):
            rule, count = row[1], int(row[2])
            if rule == "total":
                self._table, self.total = False, self._left.total()
            elif rule != _TARGET:
                self._left[rule] = count
        elif started := _STARTED.match(line):
            self._begin = now if self._begin is None else self._begin
            self._started[started[1]] = now
        elif (finished := _FINISHED.search(line)) and finished[2] in self._left:
            rule = finished[2]
            self._finished[rule] += 1
            spent = now - self._started.get(finished[1], now)
            self._seconds[rule] = self._seconds.get(rule, 0.0) + spent
        return line if line.startswith("warning: ") or line.endswith("it is created again") else None

    def text(self, now: float) -> str:
        """Return the progress, such as ``12 of 26 jobs, about 3 min left``."""
        if not self.total:
            return "preparing"
        left = self.left(now)
        return f"{self.done} of {self.total} jobs" + (
            "" if left is None else f", about {duration(left)} left"
        )

    def left(self, now: float) -> float | None:
        """Estimate the time left in seconds; None if no job has finished.

        A job takes the mean time of the finished jobs of its rule, or of all finished jobs.  Jobs run in
        parallel as they did so far.
        """
        total = sum(self._seconds.values())
        if self._begin is None or total <= 0.0:
            return None
        mean = total / self.done
        work = 0.0
        for rule, count in self._left.items():
            finished = self._finished[rule]
            work += (count - finished) * (self._seconds[rule] / finished if finished else mean)
        return work * (now - self._begin) / total

    def failure(self, most: int = 40) -> str:
        """Return the lines of the log that explain a failure.

        These are the failed jobs with their own logs or, if no job failed, all messages.  Only the exception
        of a traceback is returned; the log has the rest.
        """
        lines = _without_tracebacks(self._lines if self._failed is None else self._lines[self._failed :])
        lines = [line for line in lines if line and not line.startswith(_ROUTINE)]
        return "".join(f"{line}\n" for line in (lines[-most:] if self._failed is None else lines[:most]))


def _without_tracebacks(lines: Iterable[str]) -> list[str]:
    kept, inside = [], False
    for line in lines:
        inside = line.startswith("Traceback (most recent") or (inside and (not line or line[0] == " "))
        if not inside:
            kept.append(line)
    return kept


def duration(seconds: float) -> str:
    """Return a time as ``40 s``, ``3 min`` or ``2.5 h``."""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60.0)} min" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h"
