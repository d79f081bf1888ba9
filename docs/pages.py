"""Write the pages that no one types: gallery, findings, command line and API, into docs/_generated.

What lives here: pages from the results of the paper study (`make`), from `idescent ... --help`, and from the
list of public modules.  What does not: Sphinx, and the pages that people write.  Without results the gallery
and the findings say how to make them.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import conformance
import refresh

from idescent.products.report.figures import numbered

ROOT = Path(__file__).resolve().parent.parent
ABSENT = "The results of the paper study are not there: run `make`, then build this site again.\n"

# Pages of the reference, and the modules that each shows; what a module exports is where it is defined.
API = {
    "running": (
        "Simulate, solve, leap, predict",
        (
            "discrete.loop",
            "solvers.solve",
            "solvers.leap",
            "prediction.predict",
            "analysis.errors",
            "trajectory",
            "discrete.lockstep",
            "solvers.fast_forward",
            "analysis.projections",
            "store.trajectories",
            "store.recorder",
            "analysis.edge",
            "analysis.verification",
            "analysis.ladder",
            "analysis.orders",
            "analysis.floor",
            "analysis.settling",
            "analysis.reference",
        ),
    ),
    "optimizers": (
        "Optimizers and schedules",
        (
            "optimizers.optimizer",
            "optimizers.declared",
            "optimizers.structure",
            "optimizers.ratio",
            "optimizers.adagrad",
            "optimizers.rmsprop",
            "optimizers.adam",
            "optimizers.adamw",
            "optimizers.adaml2",
            "optimizers.gradient_descent",
            "optimizers.heavy_ball",
            "optimizers.nesterov",
            "optimizers.nadam",
            "optimizers.amsgrad",
            "optimizers.adamax",
            "optimizers.adadelta",
            "optimizers.adabelief",
            "optimizers.rmsprop_centered",
            "optimizers.rmsprop_momentum",
            "optimizers.lion",
            "optimizers.signum",
            "optimizers.adopt",
            "optimizers.qhm",
            "optimizers.schedule_free_sgd",
            "optimizers.schedule_free_adamw",
            "schedules",
        ),
    ),
    "objectives": (
        "Objectives",
        (
            "objectives.protocol",
            "objectives.quadratic",
            "objectives.mean_squared_error",
            "objectives.rotated_quadratic",
            "objectives.rosenbrock",
            "objectives.double_well",
            "objectives.classification",
            "objectives.regression",
            "objectives.perceptron",
            "objectives.autodiff",
            "objectives.trees",
        ),
    ),
    "models": (
        "Models",
        (
            "models.equation",
            "models.card",
            "models.paper",
            "models.half_step",
            "models.third_order",
            "models.recipe",
            "models.naive",
            "models.local",
            "models.log_rate",
            "models.sign_flow",
            "models.barakat_bianchi",
            "models.da_silva_gazeau",
            "models.cattaneo",
            "models.heredia_second_order",
        ),
    ),
    "solvers": (
        "Solvers",
        ("solvers", "solvers.collocation", "solvers.picard", "solvers.ide", "solvers.relaxation"),
    ),
    "stochastic": (
        "Stochastic gradients",
        (
            "stochastic.mean",
            "stochastic.noise",
            "stochastic.streams",
            "stochastic.runs",
            "stochastic.sde",
            "stochastic.weak",
        ),
    ),
    "products": ("Products", ("products.product", "store.cells", "store.tables")),
    "figures": (
        "Figures",
        ("drawing.style", "products.paths.spec", "products.paths.figure", "drawing.saving"),
    ),
}

_DC = "{http://purl.org/dc/elements/1.1/}"
_VERDICTS = ("fails", "holds only for the scheme", "holds", "not computed")
_HEADINGS = {
    "fails": "Statements that fail",
    "holds only for the scheme": "Statements about the equation that hold only for the scheme",
    "holds": "Statements that hold",
    "not computed": "Statements that were not computed",
}
_SOURCES = {"discrete": "the discrete run", "exact": "the exact solution"}
_QUANTITIES = {
    "theta": "θ",
    "offset": "the distance θ − minimum",
    "loss": "the loss",
    "excess": "the loss above its minimum",
}
# What each measure of src/idescent/products/claims/measures.py computes.
_PHRASES = {
    "settling": "iteration from which {q} remains within {within} of its greatest distance from {target}",
    "reach": "first iteration at which {q} is at most {within} of its start, or has changed its sign",
    "sign_changes": "number of sign changes of {q}, without values below {floor} of the greatest",
    "oscillation_delay": "number of iterations from the arrival of {q} (within {within}) to its swing back",
    "overshoot": "greatest overshoot of {q} beyond 0, relative to the greatest value on the starting side",
    "peak": "greatest absolute value of {q}",
    "last": "last absolute value of {q}, as a fraction of the greatest",
    "jump": "greatest change of {q} in one iteration",
    "rise": "greatest increase of {q} over an earlier value, as a fraction of its range",
    "decay": "number of iterations in which {q} decreases from its peak to {to} of it",
    "bump_at": "iteration of the most prominent inner maximum of {q}",
    "bump_height": "prominence of the most prominent inner maximum of {q}, as a fraction of the range",
    "gap": "greatest distance of {q} from the {other} run, as a fraction of that run's range",
    "gap_at": "iteration of the greatest distance of {q} from the {other} run",
}


def write(folder: Path) -> None:
    """Write all generated pages into a folder, made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "api").mkdir(parents=True)
    parts = folder / "parts"
    parts.mkdir()
    texts = {
        parts / "gallery.md": gallery(folder),
        parts / "findings.md": findings(),
        parts / "commands.md": commands(),
        parts / "conformance.md": kept(),
        parts / "inside.md": inside(),
    }
    for name, (title, modules) in API.items():
        texts[folder / "api" / f"{name}.md"] = reference(title, modules)
    for target, text in texts.items():
        target.write_text(text, encoding="utf-8")


def gallery(folder: Path) -> str:
    """Return the figures of the paper study, with the titles and captions of the files."""
    pictures = sorted((refresh.RESULTS / "figures").glob("*.svg"))
    if not pictures:
        return ABSENT
    copies = folder / "figures"
    copies.mkdir()
    text = []
    for picture in pictures:
        title, caption = described(picture)
        shutil.copyfile(picture, copies / picture.name)
        shutil.copyfile(picture.with_suffix(".pdf"), copies / picture.with_suffix(".pdf").name)
        name = picture.stem
        title = numbered(name, title)
        text.append(
            f"### {title}\n\n![{title}](_generated/figures/{name}.svg)\n\n{caption}\n"
            f"[PDF](_generated/figures/{name}.pdf), `{name}`\n"
        )
    return "\n".join(text)


def described(picture: Path) -> tuple[str, str]:
    """Return title and caption of an SVG file; the first of each is the figure's own.

    Raises
    ------
    ValueError
        If the file carries none.
    """
    tree = ElementTree.parse(picture)
    title, caption = (next(tree.iter(f"{_DC}{tag}"), None) for tag in ("title", "description"))
    if title is None or caption is None or not title.text or not caption.text:
        raise ValueError(f"{picture}: it has no title or no description: make it again")
    return " ".join(title.text.split()), " ".join(caption.text.split())


def findings() -> str:
    """Return what the audit of the paper's statements and the table of errors say."""
    source = refresh.RESULTS / "tables" / "claims.md"
    if not source.is_file():
        return ABSENT
    head, rows = table(source.read_text(encoding="utf-8"))
    sources = [
        name for name in head if name not in ("id", "claim", "where", "verdict", "measure", "threshold")
    ]
    text = [refresh.claims(), ""]
    for verdict in _VERDICTS:
        found = [row for row in rows if row["verdict"].strip("* ") == verdict]
        if found:
            text += [f"## {_HEADINGS[verdict]}", "", *(finding(row, sources) for row in found)]
    text += ["## The errors behind them", "", refresh.errors(), ""]
    return "\n".join(text)


def kept() -> str:
    """Return the promises of the README with what the tests found."""
    return conformance.page(conformance.cases()) if conformance.FOUND.is_file() else conformance.ABSENT


def finding(row: dict[str, str], sources: list[str]) -> str:
    """Return a claim, who fulfils it, and a sentence with the numbers of each of its measures."""
    computed = [name for name in sources if row[name] not in ("not computed", "–")]
    text = [f"**{row['claim']}** ({row['where']})"]
    for mark, word in (("✓", "Fulfilled by"), ("✗", "Not fulfilled by")):
        if names := [_SOURCES.get(name, name) for name in computed if row[name].startswith(mark)]:
            text.append(f"{word} {', '.join(names)}.")
    lines = [" ".join(text), ""]
    parts = zip(row["measure"].split("; "), row["threshold"].split("; "), strict=True)
    for i, (measure, limit) in enumerate(parts):
        numbers = []
        for name in computed:
            value, dagger, _ = row[name].lstrip("✓✗ ").partition(" †")
            numbers.append(f"{_SOURCES.get(name, name)} {value.split('; ')[i]}{dagger}")
        lines.append(f"- {sentence(measure)}: {'; '.join(numbers)}. Required: {limit}.")
    return "\n".join([*lines, ""])


def sentence(measure: str) -> str:
    """Return a measure of the table of claims, such as ``peak(v) of quadratic Adam``, in plain English.

    Raises
    ------
    ValueError
        If the measure is not one that this page describes.
    """
    parts = re.fullmatch(r"(\w+)\((\w+)(?:, (.*?))?\)(?: to (.+?))? of (.+)", measure.replace("\\_", "_"))
    if not parts or parts[1] not in _PHRASES:
        raise ValueError(f"{measure!r} is not described: add it to _PHRASES")
    name, quantity, settings, other, cells = parts.groups()
    options = dict(option.rsplit(" ", 1) for option in (settings or "").split(", ") if option)
    share = {key: f"{100 * float(options[key]):g} %" for key in ("within", "to", "floor") if key in options}
    target = "its last value" if options.get("target") == "last" else "zero"
    phrase = _PHRASES[name].format(q=_QUANTITIES.get(quantity, quantity), other=other, target=target, **share)
    cells, divided, base = cells.partition(" / ")
    if not divided:
        cells, _, base = cells.partition(" minus ")
    relation = "divided by that of" if divided else "minus that of"
    base = _SOURCES.get(base, base)
    return f"The {phrase}, for {cells}" + (f", {relation} {base}" if base else "")


def inside() -> str:
    """Return what lives in each module of the package, by layer, as its first lines say."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    text = []
    for layer in contract["contracts"][0]["layers"]:
        for name in layer.split(" : "):
            folder = ROOT / "src/idescent" / name
            modules = sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py")
            text += [f"### {name}", "", _summary(name), ""]
            if modules:
                text += ["| module | what lives there |", "| --- | --- |"]
                for path in modules:
                    module = path.relative_to(ROOT / "src/idescent").with_suffix("").as_posix()
                    text.append(f"| `{module}` | {_summary(module)} |")
                text.append("")
    return "\n".join(text)


def _summary(name: str) -> str:
    path = ROOT / "src/idescent" / name
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    said = re.sub(r":math:`(.+?)`", r"$\1$", said)
    return re.sub(r":\w+:`(.+?)`", r"`\1`", " ".join(said.partition("\n\n")[0].split()).replace("``", "`"))


def table(text: str) -> tuple[list[str], list[dict[str, str]]]:
    """Return header and rows of the first table of a Markdown text."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    head, _, *rows = cells
    return head, [dict(zip(head, row, strict=True)) for row in rows if len(row) == len(head)]


def commands() -> str:
    """Return the help of the command line, as it prints it."""
    text = [f"```\n{helped()}\n```\n"]
    from idescent.cli import COMMANDS

    text += [f"## idescent {name}\n\n```\n{helped(name)}\n```\n" for name in COMMANDS]
    return "\n".join(text)


def helped(*command: str) -> str:
    """Return what ``idescent ... --help`` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "idescent", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "88", "NO_COLOR": "1"},
    )
    return done.stdout.rstrip()


def reference(title: str, modules: tuple[str, ...]) -> str:
    """Return a page of the reference."""
    text = [f"# {title}\n"]
    text += [f"## idescent.{m}\n\n```{{eval-rst}}\n.. automodule:: idescent.{m}\n```\n" for m in modules]
    return "\n".join(text)
