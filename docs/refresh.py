"""Bring the numbers and pictures of the README up to date with the results; nothing in them is typed.

    python docs/refresh.py            rewrite the marked blocks, copy the pictures
    python docs/refresh.py --check    change nothing; exit 1 if a block is out of date

Needs the results of the paper study (`make`); the page of the zoo needs those of `config/zoo.yaml`, and is
left as it is without them.  What was measured comes from `benchmarks/measured.json`, which
`python benchmarks/run.py --store` writes after `make bench`.
"""

import argparse
import csv
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from idescent.analysis.errors import MEANINGLESS
from idescent.drawing.markup import status_text
from idescent.trajectory import ended_well

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results" / "paper"
ZOO = ROOT / "results" / "zoo"
README = ROOT / "README.md"
PICTURES = ("figure_10", "figure_12", "figure_12_errors", "errors_overview", "errors_split")


Cells = dict[tuple[str, str, str], dict[tuple[str, str], dict[str, str]]]


def largest() -> Cells:
    """Return the rows of the largest errors of theta by cell, and in a cell by solution and kind."""
    with (RESULTS / "tables" / "errors.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["quantity"] == "theta" and r["norm"] == "sup"]
    cells: Cells = {}
    for row in rows:
        key = (row["objective"], row["optimizer"], row["label"])
        cells.setdefault(key, {})[row["solution"], row["kind"]] = row
    return cells


def answer() -> str:
    """Return the errors of the paper's equation and of the half-step model over all cells, in a sentence."""
    cells = largest().values()
    paper = [float(rows["paper.exact", "model"]["error"]) for rows in cells]
    pairs = [
        (float(rows["paper.exact", "model"]["error"]), float(rows["half-step", "total"]["error"]))
        for rows in cells
        if ("half-step", "total") in rows
    ]
    half = [better for _, better in pairs]
    ratios = sorted(float(f"{error / better:.2g}") for error, better in pairs)
    return (
        f"The largest error of θ is {min(paper):.1e} to {max(paper):.1e} for the paper's equation, "
        f"over {len(paper)} cells, and {min(half):.1e} to {max(half):.1e} for the half-step model, over the "
        f"{len(half)} cells in which it is solved. There the half-step model is "
        f"{ratios[0]:g} to {ratios[-1]:,.0f} times as accurate."
    )


def errors() -> str:
    """Largest errors of theta by cell: the model's, Algorithm 4's share, and the half-step model's."""
    cells = largest()
    head = ["objective", "optimizer", "β", "α", "iterations", "model", "solver", "total", "Algorithm 4"]
    lines = [[*head, "half-step"], [*["---"] * 3, *["---:"] * 5, "---", "---:"]]
    for (objective, optimizer, _), kinds in cells.items():
        exact, scheme = kinds["paper.exact", "model"], kinds["paper.picard", "total"]
        betas = ", ".join(f"{float(exact[n]):g}" for n in ("beta", "beta1", "beta2") if exact[n])
        shown = [kinds["paper.picard", kind] for kind in ("model", "solver", "total")]
        numbers = [number(row) for row in shown]
        if not ended_well(scheme["status"]):
            # Where the scheme stopped is decided by rounding: no digit of it means anything.
            numbers[1:] = ["–", "–"]
        status = scheme["status"] if ended_well(scheme["status"]) else f"**{status_text(scheme['status'])}**"
        alpha, steps = f"{float(exact['alpha']):g}", exact["steps"]
        better = kinds.get(("half-step", "total"))
        half = number(better) if better else "–"
        lines.append([objective, optimizer, betas or "–", alpha, steps, *numbers, status, half])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(row: dict[str, str]) -> str:
    """Return an error, or the word for one that means nothing."""
    return f"**{row['status']}**" if row["status"] in MEANINGLESS else f"{float(row['error']):.1e}"


def claims() -> str:
    """How many of the paper's statements hold."""
    with (RESULTS / "tables" / "claims.csv").open(encoding="utf-8", newline="") as file:
        verdicts = {row["id"]: row["verdict"] for row in csv.DictReader(file)}
    counts = Counter(verdicts.values())
    order = ("holds", "holds only for the scheme", "fails", "not computed")
    found = ", ".join(f"{counts[name]} × *{name}*" for name in order if counts[name])
    return f"Of {len(verdicts)} checkable statements of the paper: {found}."


def excerpt() -> str:
    """Return one statement of the paper for each verdict."""
    lines = (RESULTS / "tables" / "claims.md").read_text(encoding="utf-8").splitlines()
    head, rule, *rows = (line for line in lines if line.startswith("|"))
    column = [cell.strip() for cell in head.split("|")].index("verdict")
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row.split("|")[column].strip("* "), row)
    return "\n".join([head, rule, *first.values()])


def one_cell() -> str:
    """Return the errors of theta of two solutions of a cell, in all norms."""
    names = ("solution", "kind", "quantity", "norm", "error", "status")
    cell = {"objective": "quadratic", "optimizer": "Adam", "label": "alpha~0.1,beta1~0.9,beta2~0.99"}
    with (RESULTS / "tables" / "errors.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if cell.items() <= row.items()]
    rows = [row for row in rows if row["quantity"] == "theta"]
    scheme = [row for row in rows if row["solution"] == "paper.picard"]
    rows = scheme + [row for row in rows if (row["solution"], row["kind"]) == ("half-step", "total")]
    lines = [names, ["---"] * 4 + ["---:", "---"]]
    lines += [[number(row) if name == "error" else row[name] for name in names] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def zoo() -> str:
    """Orders and error constants of all optimizers of the study zoo.yaml."""
    text = (ZOO / "tables" / "scaling_optimizers.md").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if line.startswith("|"))


def measured() -> dict[str, Any]:
    """What the benchmarks measured last, on a quiet machine."""
    found: dict[str, Any] = json.loads((ROOT / "benchmarks" / "measured.json").read_text(encoding="utf-8"))
    return found


def timings() -> str:
    """Return the targets and what was measured of them, with verdicts, on each machine."""
    runs = measured()["runs"]
    letters = [chr(ord("A") + i) for i in range(len(runs))]
    lines = [["what", "target", *letters], ["---", "---:", *["---:"] * len(runs)]]
    for targets in zip(*(run["targets"] for run in runs), strict=True):
        shown = [f"**{t['shown']}, missed**" if t["verdict"] == "missed" else t["shown"] for t in targets]
        lines.append([targets[0]["what"], targets[0]["target"], *shown])
    lines += [
        [rows[0]["what"], "", *(row["measured"] for row in rows)]
        for rows in zip(*(run["timings"] for run in runs), strict=True)
    ]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    machines = [
        f"{letter}: {run['machine']}; {run['measured']} UTC, commit {run['commit']}."
        for letter, run in zip(letters, runs, strict=True)
    ]
    return "\n\n".join(
        [
            table,
            "Met, unless it says otherwise; –: not measured. Figures and tables without a machine are of A:",
            *machines,
        ]
    )


def benchmarks() -> str:
    """Return the figures and tables of the last measurement."""
    found = measured()
    text = []
    for name, (title, caption) in found["figures"].items():
        text += [f"## {title}", "", f"![{title}](images/benchmarks_{name}.png)", "", caption, ""]
    for table in found["tables"].values():
        text += [f"## {table['title']}: table", "", table["text"], "", table["table"], ""]
        text += [table["measured"], ""] if "measured" in table else []
    if found["peers"]:
        text.append(f"Other packages: {', '.join(found['peers'])}.")
    return "\n".join(text).strip() or "Figures and tables were not stored with these numbers."


# What each page has generated blocks of.
PAGES = {
    README: {"answer": answer, "errors": errors, "claims": claims, "timings": timings},
    ROOT / "docs" / "benchmarks.md": {"timings": timings, "benchmarks": benchmarks},
    ROOT / "docs" / "conformance.md": {"timings": timings},
    ROOT / "docs" / "gallery.md": {"errors": one_cell, "claims": excerpt},
}
# The study zoo.yaml is not part of `make`: its page stays as it is without results.
if ZOO.is_dir():
    PAGES[ROOT / "docs" / "zoo.md"] = {"zoo": zoo}


def fill_measured(page: Path, blocks: Mapping[str, str]) -> None:
    """Write measured tables, in paragraphs of their own, into a page."""
    apart = {name: f"\n{content}\n" for name, content in blocks.items()}
    page.write_text(filled(page, apart, "measured"), encoding="utf-8")


def refreshed(page: Path) -> str:
    """Return a page with each marked block replaced by its current content."""
    return filled(page, {name: make() for name, make in PAGES[page].items()})


def filled(page: Path, blocks: Mapping[str, str], mark: str = "generated") -> str:
    """Return a page with its marked blocks replaced; each must be there once."""
    text = page.read_text(encoding="utf-8")
    for name, content in blocks.items():
        pattern = rf"(<!-- {name}: {mark} -->\n).*?(<!-- {name}: end -->)"
        text, found = re.subn(pattern, lambda m, new=content: f"{m[1]}{new}\n{m[2]}", text, flags=re.S)
        if found != 1:
            sys.exit(f"{page.name}: block {name!r} occurs {found} times: must be once")
    return text


def main() -> None:
    """Rewrite or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the pages are up to date")
    check = parser.parse_args().check
    for page in PAGES:
        new = refreshed(page)
        if not check:
            page.write_text(new, encoding="utf-8")
        elif new != page.read_text(encoding="utf-8"):
            sys.exit(f"{page.name} is out of date: run `.venv/bin/python docs/refresh.py`")
    if check:
        print(f"{', '.join(page.name for page in PAGES)}: up to date with the results")
        return
    for name in PICTURES:
        shutil.copyfile(RESULTS / "figures" / f"{name}.png", ROOT / "docs" / "images" / f"{name}.png")
    if ZOO.is_dir():
        shutil.copyfile(ZOO / "figures" / "scaling_optimizers.png", ROOT / "docs" / "images" / "zoo.png")


if __name__ == "__main__":
    main()
