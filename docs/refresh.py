"""Bring the numbers and pictures of the README up to date with the results; nothing in them is typed.

    python docs/refresh.py            rewrite the marked blocks of README.md, copy the pictures
    python docs/refresh.py --check    change nothing; exit 1 if a block of README.md is out of date

Needs the results of the paper study (`make`); the timings come from `benchmarks/pipeline.json`, which
`python benchmarks/pipeline.py` writes.
"""

import argparse
import csv
import json
import re
import shutil
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results" / "paper"
README = ROOT / "README.md"
PICTURES = ("figure_10", "figure_12", "figure_12_errors", "errors_overview", "errors_split")


def errors() -> str:
    """Largest errors of theta by cell: the model's, Algorithm 4's share, and the half-step model's."""
    with (RESULTS / "tables" / "errors.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["quantity"] == "theta" and r["norm"] == "sup"]
    cells: dict[tuple[str, str, str], dict[tuple[str, str], dict[str, str]]] = {}
    for row in rows:
        key = (row["objective"], row["optimizer"], row["label"])
        cells.setdefault(key, {})[row["solution"], row["kind"]] = row
    head = ["objective", "optimizer", "β", "α", "iterations", "model", "solver", "total", "Algorithm 4"]
    lines = [[*head, "half-step"], [*["---"] * 3, *["---:"] * 5, "---", "---:"]]
    for (objective, optimizer, _), kinds in cells.items():
        exact, scheme = kinds["paper.exact", "model"], kinds["paper.picard", "total"]
        betas = ", ".join(f"{float(exact[n]):g}" for n in ("beta", "beta1", "beta2") if exact[n])
        shown = [kinds["paper.picard", kind] for kind in ("model", "solver", "total")]
        numbers = [f"{float(row['error']):.1e}" for row in shown]
        if scheme["status"] != "converged":
            # Where the scheme stopped is decided by rounding: no digit of it means anything.
            numbers[1:] = ["–", "–"]
        status = scheme["status"] if scheme["status"] == "converged" else f"**{scheme['status']}**"
        alpha, steps = f"{float(exact['alpha']):g}", exact["steps"]
        better = kinds.get(("half-step", "total"))
        half = f"{float(better['error']):.1e}" if better else "–"
        lines.append([objective, optimizer, betas or "–", alpha, steps, *numbers, status, half])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def claims() -> str:
    """How many of the paper's statements hold."""
    with (RESULTS / "tables" / "claims.csv").open(encoding="utf-8", newline="") as file:
        verdicts = {row["id"]: row["verdict"] for row in csv.DictReader(file)}
    counts = Counter(verdicts.values())
    order = ("holds", "holds only for the scheme", "fails", "not computed")
    found = ", ".join(f"{counts[name]} × *{name}*" for name in order if counts[name])
    return f"Of {len(verdicts)} checkable statements of the paper: {found}."


def timings() -> str:
    """What `benchmarks/pipeline.py` measured last."""
    measured = json.loads((ROOT / "benchmarks" / "pipeline.json").read_text(encoding="utf-8"))
    lines = [["what", "measured", "target"], ["---", "---:", "---:"]]
    lines += [[row["what"], row["measured"], row["target"]] for row in measured["rows"]]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    machine = f"Machine: {measured['machine']}; medians (and ranges) of {measured['repeats']} runs."
    return f"{table}\n\n{machine} Regenerate with `.venv/bin/python benchmarks/pipeline.py`."


BLOCKS = {"errors": errors, "claims": claims, "timings": timings}


def refreshed(text: str) -> str:
    """Return the README with each marked block replaced by its current content."""
    for name, make in BLOCKS.items():
        pattern = rf"(<!-- {name}: generated -->\n).*?(<!-- {name}: end -->)"
        text, found = re.subn(pattern, lambda m, make=make: f"{m[1]}{make()}\n{m[2]}", text, flags=re.S)
        if found != 1:
            sys.exit(f"README.md: block {name!r} occurs {found} times: must be once")
    return text


def main() -> None:
    """Rewrite or check the README."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether README.md is up to date")
    check = parser.parse_args().check
    old = README.read_text(encoding="utf-8")
    new = refreshed(old)
    if check:
        if new != old:
            sys.exit("README.md is out of date: run `.venv/bin/python docs/refresh.py`")
        print("README.md is up to date with the results")
        return
    README.write_text(new, encoding="utf-8")
    for name in PICTURES:
        shutil.copyfile(RESULTS / "figures" / f"{name}.png", ROOT / "docs" / "images" / f"{name}.png")


if __name__ == "__main__":
    main()
