"""Measure, and write what was measured: `make bench`.

    .venv/bin/python benchmarks/run.py                    every topic that this code has not been measured on
    .venv/bin/python benchmarks/run.py kernels steps      these topics, anew
    .venv/bin/python benchmarks/run.py --quick            small sizes, a minute, no other packages
    .venv/bin/python benchmarks/run.py --store            keep what README and docs quote in measured.json

A topic is written when it is complete, so a run that was ended goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from suite import peers, records, report
from suite.settings import ROOT, Settings
from suite.topics import NAMES, module


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; return the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    for topic in given.topics:
        if topic not in NAMES:
            parser.error(f"topic: {topic!r} is not allowed: must be one of {', '.join(NAMES)}")
    folder = given.output or ROOT / "results/benchmarks" / ("quick" if given.quick else "")
    wanted = (() if given.quick else peers.NAMES) if given.peers is None else given.peers
    there = {record.topic: record for record in records.read(folder / "topics", NAMES)}
    with tempfile.TemporaryDirectory() as scratch:
        environments = peers.Peers(given.environments or Path(scratch, "environments"), wanted)
        for topic in given.topics or NAMES:
            old, code = there.get(topic), records.code(topic)
            if not given.topics and old is not None and old.code == code:
                _say(f"{topic}: measured {old.began} with this code")
                continue
            place = Path(scratch, topic)
            place.mkdir()
            settings = Settings(given.quick, environments, place, given.cores, given.limit, _say)
            machine, began, start = records.machine(), records.now(), time.perf_counter()
            _say(f"{topic}: {began}")
            rows = module(topic).measure(settings)
            elapsed = time.perf_counter() - start
            left_out = [name for name in peers.NAMES if name not in wanted]
            record = records.Record(topic, given.quick, code, began, elapsed, machine, left_out, rows)
            records.write(folder / "topics", record)
            _say(f"{topic}: {len(rows)} rows in {elapsed:.0f} s")
    found = records.read(folder / "topics", NAMES)
    report.write(folder, found)
    if given.store:
        report.store(ROOT / "benchmarks/measured.json", ROOT / "docs/images", folder, found)
    _say(f"{folder / 'benchmarks.md'}")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="small sizes and few repeats")
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=peers.NAMES,
        help="other packages to measure; all by default, none with --quick",
    )
    parser.add_argument("--environments", type=Path, metavar="FOLDER", help="where the peers' are kept")
    parser.add_argument("--cores", type=int, default=2, help="for the workflow (default 2)")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one solve (default 20)")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default results/benchmarks")
    parser.add_argument("--store", action="store_true", help="keep what README and docs quote")
    return parser


if __name__ == "__main__":
    sys.exit(main())
