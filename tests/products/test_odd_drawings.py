"""Every drawing function, taken through data of which little or nothing can be drawn.

No warning is raised (warnings are errors here), and a panel shows a curve or says in words why it has none.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import odd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from idescent.drawing import drawable
from idescent.drawing.saving import save, styled
from idescent.products.ensembles import figure as ensembles
from idescent.products.errors import overview, split
from idescent.products.errors import rows as error_rows
from idescent.products.fidelity import figure as fidelity
from idescent.products.forecast import figure as forecast
from idescent.products.paths import curves as data
from idescent.products.paths import figure as draw
from idescent.products.paths.spec import parse
from idescent.products.scaling import figure as ladder
from idescent.products.scaling import map as heatmap
from idescent.products.scaling import rows as scaling
from idescent.products.scaling.rows import sup_errors
from idescent.trajectory import read_with_metadata

SPEC = {
    "title": "Odd",
    "caption": "Odd cells.",
    "quantity": "theta",
    "objective": "odd",
    "select": [{"optimizer": "RMSProp"}],
    "show": ["discrete", "paper.exact"],
}


def paths(files: list[Path], *, of_errors: bool = False, **given: Any) -> Figure:
    sources = data.read_sources(files)
    panels = [{"alpha": alpha} for alpha in sorted({source.cell["alpha"] for source in sources})]
    shown = ["discrete", *dict.fromkeys(s.name for s in sources if s.name not in ("discrete", odd.PICARD))]
    spec = parse("odd", SPEC | {"panels": panels, "show": shown} | given)
    curves = data.error_curves if of_errors else data.panel_curves
    drawn = [curves(spec, panel, sources) for panel in spec.panels]
    return (draw.error_figure if of_errors else draw.figure)(spec, drawn)


def rows(files: list[Path]) -> list[dict[str, Any]]:
    return error_rows.table(files).to_pylist()


def laddered(files: list[Path]) -> list[dict[str, Any]]:
    found = rows(files)
    return scaling.rows(found, {row["solution"]: ("paper", 1) for row in found})


def cells(files: list[Path]) -> Figure:
    folders: dict[Path, dict[str, Any]] = {}
    for file in files:
        folders.setdefault(file.parent, {})[file.stem] = read_with_metadata(file)
    models = {file.stem: "paper" for file in files}
    return fidelity.fidelity_figure(list(folders.values()), models, [0.01, 0.1])


def batches(files: list[Path]) -> Figure:
    """Ensembles whose mean is the loss of a run, and whose model is the first solution."""
    panels = []
    for folder in dict.fromkeys(file.parent for file in files):
        run, model = (read_with_metadata(folder / f"{name}.parquet")[0] for name in ("discrete", odd.EXACT))
        common = {"optimizer": "RMSProp", "beta": 0.9, "beta1": None, "beta2": None, "alpha": 0.1, "batch": 2}
        common |= {"status": "converged"}
        of_runs = [
            common | {"model": ensembles.RUNS, "k": k, "mean": loss, "q05": 0.9 * loss, "q95": 1.1 * loss}
            for k, loss in zip(run.k.tolist(), run.loss.tolist(), strict=True)
        ]
        with np.errstate(invalid="ignore"):
            apart = (model.theta[:, 0] - run.theta[:, 0]).tolist()
        of_model = [
            common | {"model": "paper", "k": k, "mean": loss, "error": gap, "band_low": gap, "band_high": gap}
            for k, loss, gap in zip(run.k.tolist(), model.loss.tolist(), apart, strict=True)
        ]
        panels.append(of_runs + of_model)
    return ensembles.ensembles_figure(panels)


def predicted(files: list[Path]) -> Figure:
    made = [
        row for row in rows(files) if (row["quantity"], row["norm"], row["kind"]) == ("theta", "sup", "total")
    ]
    look = {"class": "RMSProp", "arguments": {"beta": 0.9}}
    return forecast.forecast_figure(
        [
            {
                "look": look, "alpha": row["alpha"], "gradients": 50, "steps": row["steps"],
                "estimate": np.nan if row["error"] is None else row["error"],
                "error": "" if row["error"] is None else row["error"], "status": row["status"],
                "rounding": np.nan if row["error"] is None else 0.1 * row["error"],
            }
            for row in made
        ]
    )  # fmt: skip


FAMILIES: dict[str, Callable[[list[Path]], Figure]] = {
    "paths": paths,
    "paths, log": lambda files: paths(files, y_scale="log", x_scale="log"),
    "loss, log": lambda files: paths(files, quantity="loss", y_scale="log"),
    "errors": lambda files: paths(files, of_errors=True),
    "errors of the loss": lambda files: paths(files, of_errors=True, quantity="loss", x_scale="log"),
    "overview": lambda files: overview.overview_figure(overview.overview_rows(rows(files))),
    "split": lambda files: split.split_figure(split.split_rows(rows(files))),
    "ladder": lambda files: ladder.scaling_figure(sup_errors(laddered(files), "odd", "RMSProp")),
    "map": lambda files: heatmap.heatmap_figure(heatmap.heatmap_rows(laddered(files), "odd", "RMSProp")),
    "fidelity": cells,
    "ensembles": batches,
    "forecast": predicted,
}


def words(figure: Figure) -> set[str]:
    """What panels say in place of curves."""
    ids = [str(text.get_gid()) for ax in figure.axes for text in ax.texts]
    return {gid.removeprefix(f"{drawable.NOTHING}: ") for gid in ids if gid.startswith(drawable.NOTHING)}


def shows(ax: Axes) -> bool:
    """Whether anything of the data can be seen within the frame."""
    low, high = sorted(ax.get_ylim())
    left, right = sorted(ax.get_xlim())
    points = [
        line.get_xydata() for line in ax.lines if line.get_zorder() >= 1 and line.get_gid() != "minimum"
    ]
    points += [np.asarray(marks.get_offsets()) for marks in ax.collections]
    seen = [
        bool(((left <= p[:, 0]) & (p[:, 0] <= right) & (low <= p[:, 1]) & (p[:, 1] <= high)).any())
        for p in (np.asarray(p, dtype=float) for p in points)
        if len(p)
    ]
    return any(seen) or bool(ax.patches)


def drawn(family: str, files: list[Path], output: Path) -> Figure:
    """Draw, save, and check that every panel shows something or says why it does not."""
    with styled():
        figure = FAMILIES[family](files)
        save(figure, [output], "Odd", "Odd cells.")
    for ax in figure.axes:
        if ax.get_visible() and ax.get_label() != "<colorbar>":
            silent = not any(str(text.get_gid()).startswith(drawable.NOTHING) for text in ax.texts)
            assert shows(ax) or not silent, f"{family}: {ax.get_title()!r} shows nothing and does not say why"
            assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()
    text = output.read_text(encoding="utf-8")
    assert all(said in text for said in words(figure))
    return figure


ALL_DIVERGED, ALL_ZERO = "all runs diverged", "all errors are zero"
NONE_POSITIVE = "no positive value to draw on a logarithmic axis"
# What panels say where there is nothing to draw, by cell and drawing; an empty set: they say nothing.
REASONS: dict[tuple[str, str], set[str]] = {
    ("never finite", "paths"): {ALL_DIVERGED},
    ("diverged", "errors"): {ALL_DIVERGED},
    ("never finite", "overview"): {ALL_DIVERGED},
    ("diverged", "split"): {ALL_DIVERGED},
    ("diverged", "ladder"): {ALL_DIVERGED},
    ("diverged", "map"): {ALL_DIVERGED},
    ("never finite", "fidelity"): {ALL_DIVERGED},
    ("never finite", "ensembles"): {"no finite value", "no finite difference"},
    ("never finite", "forecast"): {"no error to draw", "no finite error"},
    ("negative", "paths, log"): {NONE_POSITIVE},
    ("negative", "loss, log"): {NONE_POSITIVE},
    ("negative", "fidelity"): set(),
    ("at rest", "loss, log"): {"all values are zero"},
    ("at rest", "fidelity"): {"all loss values are zero", ALL_ZERO},
    ("no error", "errors"): {ALL_ZERO},
    ("no error", "overview"): {ALL_ZERO},
    ("no error", "split"): {ALL_ZERO},
    ("no error", "ladder"): {ALL_ZERO},
    ("no error", "map"): {ALL_ZERO},
    ("no error", "ensembles"): {"all differences are zero"},
    ("no error", "forecast"): {ALL_ZERO},
    ("huge", "paths"): {"no value between 1e-250 and 1e+250 to draw"},
    ("denormal", "errors"): {"no error between 1e-250 and 1e+250 to draw"},
    ("usual", "paths"): set(),
    ("usual", "errors"): set(),
    ("usual", "fidelity"): set(),
    ("usual", "ladder"): set(),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", odd.NAMES)
def test_every_panel_shows_a_curve_or_says_why_not(name: str, family: str, tmp_path: Path) -> None:
    reasons = words(drawn(family, odd.files(tmp_path, name), tmp_path / "odd.svg"))
    assert reasons == REASONS.get((name, family), reasons)


def test_reasons_are_those_of_cells_and_drawings_that_are_drawn() -> None:
    assert {name for name, _ in REASONS} <= set(odd.NAMES)
    assert {family for _, family in REASONS} <= set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "given",
    [
        {"alphas": (0.1,)},
        {"steps": 1},
        {"alphas": (0.1,), "steps": 1},
        {"alphas": (0.1,), "solutions": 50},
    ],
    ids=["one cell", "one iteration", "one cell of one iteration", "50 solutions"],
)
def test_the_smallest_studies_and_many_solutions_are_drawn(
    given: dict[str, Any], family: str, tmp_path: Path
) -> None:
    drawn(family, odd.files(tmp_path, "usual", **given), tmp_path / "odd.svg")


def test_a_moment_that_is_never_finite_is_told(tmp_path: Path) -> None:
    files = odd.files(tmp_path, "usual", alphas=(0.1,))
    sources = data.read_sources(files)
    for source in sources:
        source.trajectory.moments["v"].setflags(write=True)
        source.trajectory.moments["v"][:] = np.nan
    spec = parse("odd", SPEC | {"panels": [{"alpha": 0.1}], "quantity": "v"})
    with styled():
        figure = draw.figure(spec, [data.panel_curves(spec, panel, sources) for panel in spec.panels])
    assert words(figure) == {"no finite value"}


def test_a_curve_that_is_drawn_in_part_has_a_note_and_no_line_across_the_gap(tmp_path: Path) -> None:
    # 1 - 0.1 k is positive up to k = 9, 0 at 10, and negative from 11 to 20.
    figure = drawn("loss, log", odd.files(tmp_path, "crossing", alphas=(0.1,)), tmp_path / "odd.svg")
    (ax,) = figure.axes
    (note,) = (str(text.get_gid()) for text in ax.texts)
    # Run and solution have the same loss.
    assert note == "left out: Not drawn: 2 zero, 20 negative"
    assert all((line.get_ydata() > 0.0).all() for line in ax.lines)


def test_a_loss_that_becomes_negative_is_drawn_on_a_linear_axis_and_said_so(tmp_path: Path) -> None:
    figure = drawn("fidelity", odd.files(tmp_path, "crossing"), tmp_path / "odd.svg")
    assert figure.axes[0].get_yscale() == "linear"
    assert figure.axes[-1].get_yscale() == "log"
    files = odd.files(tmp_path, "crossing", alphas=(0.1,))
    models = {file.stem: "paper" for file in files}
    fidelity.render_fidelity(files, models, [0.1], "odd", "RMSProp", [tmp_path / "f.svg"])
    assert "relative to the range of its losses" in (tmp_path / "f.svg").read_text(encoding="utf-8")
