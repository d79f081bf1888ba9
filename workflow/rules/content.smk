# What the report shows of a study.
from idescent.products.report.selection import selected
from idescent.study.keys import FREE

REPORT = f"{ROOT}/report.html"
NUMBERS = f"{ROOT}/report.json"
EXPLORED = [(cell, name) for cell in selected(STUDY.cells) for name in cell.paths]


def drawn():
    """Every figure with the rule that draws it and its name in the configuration, if it has one."""
    names = {1: "figure", 2: "figure_with_errors"}
    found = [
        (stem, names[len(figure.stems)], name)
        for name, figure in STUDY.figures.items()
        for stem in figure.stems
    ]
    found += [(stem, "overview", "") for stem in OVERVIEWS]
    for stem, group in LADDERS.items():
        kind = "scaling_map" if group[0] in SCALING["maps"] else "scaling_figure"
        found.append((stem, kind, ""))
    found += [(stem, "fidelity_figure", "") for stem in CURVES]
    found += [(stem, "ensembles_figure", "") for stem in CROWDS]
    return found + ([("forecast", "forecast", "")] if FORECAST else [])


def page_given():
    # How the cells are packed into jobs is no part of what was found, nor are keys of no meaning.
    shown = {
        key: value
        for key, value in config.items()
        if key not in ("cells_per_job", "seconds_per_job") and not key.startswith(FREE)
    }
    return {"study": STUDY.name, "config": shown, "figures": drawn()}


def numbers_given():
    content = {
        "study": STUDY.name,
        "cells": len(STUDY.cells),
        "solutions": sum(len(cell.solutions) for cell in STUDY.cells),
        "shown": [
            name
            for entry in config.get("figures", {}).values()
            for name in entry.get("show", [])
        ],
        "further": ([SCALING["name"]] if SCALING else [])
        + (["fidelity"] if FIDELITY else [])
        + (["ensembles"] if ENSEMBLES else [])
        + (["forecast"] if FORECAST else []),
        "claims": bool(CLAIMS),
    }
    files = [STUDY.place(cell, name) for cell, name in EXPLORED]
    return {"content": content, "files": files}


def numbers_code():
    # The models are asked for their names, by which they have their colours.
    models = (("model", solution["model"]) for solution in STUDY.solutions.values())
    return digest("report_numbers", *models)
