"""A small study with everything that a report shows: what the tests of the page share."""

import base64
import csv
import json
import re
import zlib

import drawn

import idescent as ide
from idescent.figures import render
from idescent.products.errors import rows as error_rows
from idescent.products.errors.overview import render_overview
from idescent.products.errors.table import write_errors
from idescent.products.paths.spec import parse
from idescent.products.product import Task
from idescent.products.report.numbers import job as write_numbers
from idescent.products.report.page import job as write_page
from idescent.store import trajectories
from idescent.study import registry

LONG = 3000
CAPTION = "Discrete <b>iterations</b> & the exact solution."
EXACT = {"name": "paper.exact", "model": {"class": "Paper", "arguments": {}}}
HALF = {"name": "half-step", "model": {"class": "HalfStep", "arguments": {}}}
PICARD = {"name": "paper.picard", "model": EXACT["model"], "reference": "paper.exact"}
MODELS = {
    "paper.picard": {"model": EXACT["model"], "solver": "Picard"},
    "paper.exact": {"model": EXACT["model"], "solver": "Collocation"},
    "half-step": {"model": HALF["model"], "solver": "Collocation"},
}
FIGURE = {
    "title": "RMSProp",
    "caption": CAPTION,
    "quantity": "theta",
    "objective": "bowl",
    "select": [{"optimizer": "RMSProp"}],
    "panels": [{"alpha": 0.1}],
    "show": ["discrete", "paper.picard", "paper.exact"],
}
PLOT = ("objective", "optimizer", "alpha")
MESSAGE = "17 sweeps, <then> nothing"


def cells():
    """Two memories, two optimizers, two learning rates, and a run longer than a screen is wide."""
    return [
        drawn.cell("RMSProp", steps=40, beta=0.9),
        drawn.cell("RMSProp", steps=40, beta=0.99),
        drawn.cell("Adam", steps=60, beta1=0.9, beta2=0.99),
        drawn.cell("AdaGrad", alpha=0.1, steps=80),
        drawn.cell("AdaGrad", alpha=0.02, steps=LONG),
    ]


def folder(root, cell):
    given = {"alpha": cell["alpha"], **cell["optimizer"]["arguments"]}
    label = ",".join(f"{name}~{value}" for name, value in given.items())
    return root / cell["objective"]["name"] / cell["optimizer"]["class"] / label


def put(root, cell):
    """Write a cell's run, exact solution, and a stand-in for Algorithm 4; one has a second model."""
    home = folder(root, cell)
    home.mkdir(parents=True)
    run = drawn.simulate(cell)
    optimizer, objective = registry.optimizer(cell["optimizer"]), registry.objective(cell["objective"])
    given = {key: cell[key] for key in ("alpha", "theta0", "steps")}
    exact = ide.solve(ide.models.Paper(), optimizer, objective, rtol=1e-6, **given)
    gave_up = cell["optimizer"]["class"] == "Adam"
    status = {"status": "smoothing exhausted", "message": MESSAGE} if gave_up else {}
    picard = drawn.stand_in(run, **status)
    written = {"discrete": (run, cell), "paper.exact": (exact, cell | {"solution": EXACT})}
    written["paper.picard"] = (picard, cell | {"solution": PICARD})
    if cell["optimizer"]["class"] == "AdaGrad" and cell["alpha"] == 0.1:
        half = ide.solve(ide.models.HalfStep(), optimizer, objective, rtol=1e-6, **given)
        written["half-step"] = (half, cell | {"solution": HALF})
    for name, (path, of) in written.items():
        trajectories.write(home / f"{name}.parquet", path, of, {"version": "1", "code": "c0de"})
    return [home / f"{name}.parquet" for name in written]


def study(root, given=None):
    """Write a study's results but for the page; return what the stage is given, and its files."""
    given = cells() if given is None else given
    files = [file for cell in given for file in put(root, cell)]
    (root / "tables").mkdir()
    (root / "figures").mkdir()
    trajectories.write_table(root / "tables/errors.parquet", error_rows.table(files))
    kinds = [root / f"tables/errors{suffix}" for suffix in (".csv", ".md", ".tex")]
    write_errors([root / "tables/errors.parquet"], kinds)
    pictures = [root / f"figures/rmsprop{suffix}" for suffix in (".pdf", ".svg", ".png")]
    render(parse("rmsprop", FIGURE), files, pictures)
    pictures = [root / f"figures/errors_overview{suffix}" for suffix in (".pdf", ".svg", ".png")]
    render_overview(root / "tables/errors.parquet", pictures)
    put_claims(root)
    content = {
        "study": "small",
        "config": {"study": "small", "figures": {"rmsprop": FIGURE}},
        "cells": len(given),
        "solutions": len(files) - len(given),
        "figures": [["rmsprop", "figure", "rmsprop", "paths"], ["errors_overview", "overview", "", "errors"]],
        "shown": FIGURE["show"],
        "claims": True,
        "models": MODELS,
    }
    return json.loads(json.dumps(content)), files


def put_claims(root):
    rows = [
        ("first", "It <moves>.", "holds", "1", "3.5", "holds"),
        ("second", "It stops.", "fails", "1", "20000.0", "fails"),
        ("second", "It stops.", "fails", "2", "", "fails"),
        ("third", "It returns.", "holds only for the scheme", "1", "2.0", "holds"),
        ("third", "It returns.", "holds only for the scheme", "1", "1.0", "fails"),
    ]
    head = ["id", "where", "statement", "about", "verdict", "check", "measure", "cell", "threshold"]
    head += ["discrete", "discrete state", "discrete note", "reason"]
    with (root / "tables/claims.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for name, text, verdict, check, value, state in rows:
            limit = "> 1.5 for one" if name == "third" else "> 3"
            known = [name, "Figure 1", text, "discrete", verdict, check, "last(theta)", "", limit]
            writer.writerow([*known, value, state, "", "because"])
    (root / "tables/claims.md").write_text("claims\n", encoding="utf-8")


def page(root, given=None):
    """Write a study and its page; return the page's path."""
    content, files = study(root, given)
    (root / "content.json").write_text(json.dumps([content, [str(f.relative_to(root)) for f in files]]))
    return remade(root)


def remade(root, **changes):
    """Write the page of a study once more, of other content; return its path."""
    content, files = json.loads((root / "content.json").read_text(encoding="utf-8"))
    content |= changes
    page = {key: content[key] for key in ("study", "config", "figures")}
    said = {key: value for key, value in content.items() if key not in ("config", "figures")}
    numbers, target = root / "report.json", root / "report.html"
    write_numbers(Task([root / file for file in files], [numbers], said, "d161" * 16))
    write_page(Task([numbers], [target], page, "c0de" * 16))
    return root / "report.html"


def unpacked(block):
    """The JSON value of a compressed block."""
    return json.loads(zlib.decompress(base64.b64decode(block, validate=True)))


def merged(index, blocks):
    """The explorer's data with the cells and grids of all plots, as if one plot had all of them."""
    data = index | {"cells": [], "grids": []}
    for plot in index["plots"]:
        content = unpacked(blocks[plot["block"]])
        for cell in content["cells"]:
            assert [cell[name] for name in PLOT] == [plot[name] for name in PLOT]
            data["cells"].append(cell | {"grid": cell["grid"] + len(data["grids"])})
        data["grids"] += content["grids"]
    return data


def data_of(text):
    index = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    return merged(index, dict(re.findall(r'id="(plot-\d+)">([^<]*)</script>', text)))


def table_of(text, name):
    """The columns of a table in the page, by title, with the values of each."""
    block = re.search(
        rf'<div class="data-table" id="{name}">.*?<script type="text/plain">(.*?)</script>', text, re.DOTALL
    )
    return {column["title"]: column for column in unpacked(block[1])}
