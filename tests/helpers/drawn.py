"""Files to draw from, and colours as the colour-blind see them: what the tests of figures share."""

import numpy as np

import idescent as ide
from idescent import trajectory
from idescent.drawing import saving
from idescent.products.paths import curves as data
from idescent.products.paths import figure as draw
from idescent.store import trajectories
from idescent.study import registry


def cell(optimizer="RMSProp", alpha=0.1, steps=40, **arguments):
    return {
        "objective": {"name": "bowl", "class": "Quadratic", "arguments": {"center": 3.0}},
        "optimizer": {"class": optimizer, "arguments": arguments},
        "alpha": alpha,
        "theta0": [1.0],
        "steps": steps,
    }


def stand_in(run, **report):
    """A path near the run: what is drawn need not be a solution."""
    k = np.arange(len(run.theta))
    moved = run.theta + 0.01 * np.sin(k)[:, None]
    moments = {name: 1.01 * values for name, values in run.moments.items()}
    report = {"status": "converged", "error_estimate": 1e-5} | report
    return trajectory.assemble(moved, 1.02 * run.loss, moments, float(run.t[1]), ide.Report(**report))


def put(folder, of, run, **solutions):
    """Write a run and its solutions; Algorithm 4, if there, is measured against the exact one."""
    folder.mkdir(parents=True, exist_ok=True)
    trajectories.write(folder / "discrete.parquet", run, of, {})
    for name, path in solutions.items():
        full = name.replace("_", ".")
        solution = {"name": full} | ({"reference": "paper.exact"} if full == "paper.picard" else {})
        trajectories.write(folder / f"{full}.parquet", path, of | {"solution": solution}, {})


def simulate(of):
    keys = ("alpha", "theta0", "steps")
    optimizer, objective = registry.optimizer(of["optimizer"]), registry.objective(of["objective"])
    return ide.simulate(optimizer, objective, **{key: of[key] for key in keys})


# Machado, Oliveira and Fernandes (2009): linear RGB as seen with full red or green blindness.
VISION = {
    "full colour": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def lab(colour, vision):
    encoded = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    xyz = np.array(to_xyz) @ seen / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def panels(spec, files, curves=data.panel_curves):
    sources = data.read_sources(files)
    return [curves(spec, panel, sources) for panel in spec.panels]


def build(spec, files, *, of_errors=False):
    with saving.styled():
        if of_errors:
            return draw.error_figure(spec, panels(spec, files, data.error_curves))
        return draw.figure(spec, panels(spec, files))


def lines(ax):
    return {line.get_gid(): line.get_xydata() for line in ax.lines}
