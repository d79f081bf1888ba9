"""Draw the pictures of gallery.md and write its tables between its markers.

    python docs/gallery_numbers.py        half a minute on two cores

Runs the study `docs/gallery.yaml` in a folder of its own.  The picture of the report needs chromium; without
it the old picture stays.  `docs/refresh.py` writes what the page shows of the paper study.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from refresh import fill_measured

HERE = Path(__file__).parent
TARGET = HERE / "gallery.md"
FIGURES = (
    "scaling_bowl_Adam",
    "scaling_memories_Adam",
    "fidelity_valley_RMSProp",
    "ensembles_regression_Adam",
    "forecast",
)
FORECAST = ("optimizer", "alpha", "steps", "gradients", "estimate", "error", "status")


def rows(table: Path, choose: Callable[[str], bool], section: str = "") -> str:
    """Return the first table of a section of a Markdown file, with the rows that are chosen."""
    text = table.read_text(encoding="utf-8").partition(section)[2] if section else table.read_text("utf-8")
    lines = text[text.index("\n|") + 1 :].split("\n\n")[0].splitlines()
    return "\n".join([*lines[:2], *filter(choose, lines[2:])])


def forecast(table: Path) -> str:
    """Return some columns of the table of leaps."""
    head, *lines = (line.split(",") for line in table.read_text(encoding="utf-8").splitlines())
    cells = [dict(zip(head, line, strict=True)) for line in lines]
    for cell in cells:
        for name in ("estimate", "error"):
            cell[name] = f"{float(cell[name]):.1e}"
    text = [FORECAST, ["---", *["---:"] * 5, "---"], *([cell[name] for name in FORECAST] for cell in cells)]
    return "\n".join("| " + " | ".join(line) + " |" for line in text)


def screenshot(page: Path, target: Path) -> None:
    """Draw the top of a report."""
    if browser := shutil.which("chromium"):
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1280,900"]
        command = [browser, *options, f"--screenshot={target}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True)
    else:
        print("chromium is not installed: the picture of the report stays as it is", file=sys.stderr)


def main() -> None:
    """Run the study; write its pictures and tables."""
    with tempfile.TemporaryDirectory() as folder:
        config = shutil.copy(HERE / "gallery.yaml", folder)
        command = [sys.executable, "-m", "idescent", "run", config, "--cores", "2"]
        subprocess.run(command, cwd=folder, check=True)
        results = Path(folder) / "results/gallery"
        for name in FIGURES:
            picture = HERE / "images" / f"gallery_{name.partition('_')[0]}.png"
            if name == "scaling_memories_Adam":
                picture = picture.with_stem("gallery_map")
            shutil.copyfile(results / "figures" / f"{name}.png", picture)
        screenshot(results / "report.html", HERE / "images/gallery_report.png")
        tables = results / "tables"
        blocks = {
            "scaling": rows(tables / "scaling.md", lambda row: True),
            "fidelity": rows(tables / "fidelity.md", lambda row: True, "## valley"),
            "ensembles": rows(tables / "ensembles.md", lambda row: "| 2 |" in row),
            "forecast": forecast(tables / "forecast.csv"),
        }
    fill_measured(TARGET, blocks)


if __name__ == "__main__":
    main()
