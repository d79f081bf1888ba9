"""Tables of horizons for people: Markdown and LaTeX, one row for each solution of each cell.

What lives here: the text, and writing all formats.  What does not: the numbers
(:mod:`idescent.products.fidelity.rows`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from idescent.drawing.hyperparameters import short
from idescent.drawing.markup import escaped, long_table, pipes, scientific
from idescent.products.fidelity.rows import NO_LIMIT, SMALLEST_LOSS
from idescent.products.formats import in_order, write_formats
from idescent.products.product import Task
from idescent.store.tables import hyperparameters, read_errors
from idescent.trajectory import ended_well

Row = Mapping[str, Any]

_EXPLAINED = (
    "Iterations up to which the relative error of the predicted loss stays within the bound named (relative "
    f"to the loss of the run, or to {SMALLEST_LOSS:g} of its first loss if that is larger; to the range of "
    "the run's losses if some are negative). Then, over all iterations, the largest relative error of the "
    "loss, and the largest error of the parameters relative to the largest distance of the run from its "
    "start. Gradients: gradient evaluations of the solution relative to those of the run."
)
_ACCURACY = (
    "Accuracy: that of the run at the last iteration. Gap: the largest difference between the accuracies of "
    "run and model along the way."
)
_EDGE = (
    "Edge: the first iteration at which the sharpness along the model's own path, in units of the "
    "optimizer's limit, reaches 1; – if the optimizer has no such limit."
)
_NOTE = "The solution did not reach its tolerance, or a run diverged."


def write(table: Any, outputs: Iterable[Path]) -> None:
    """Write a table of :func:`idescent.products.fidelity.rows.as_table` in each format.

    Raises
    ------
    ValueError
        If the suffix of an output is not known.
    """
    rows = table.to_pylist()
    write_formats(outputs, table, lambda: markdown(rows), lambda: latex(rows))


def markdown(rows: Sequence[Row]) -> str:
    """Return the compact table as Markdown, a section for each objective."""
    solutions, bounds = _solutions(rows), _bounds(rows)
    accurate = any(row["accuracy"] is not None for row in rows)
    head = ["optimizer", "β", "α", "steps", "solution", *(f"within {b:.0%}" for b in bounds)]
    head += ["edge"] if _has_edge(rows) else []
    head += ["loss", "θ", *(["accuracy", "gap"] if accurate else []), "gradients", "status"]
    align = ["---", "---", "---:", "---:", "---", *["---:"] * (len(head) - 6), "---"]
    explained = _explained(rows)
    text = ["# Iterations for which each model holds", "", explained, ""]
    for objective in dict.fromkeys(key[0] for key in solutions):
        text += [f"## {objective}", "", pipes(head), pipes(align)]
        for members in (m for key, m in solutions.items() if key[0] == objective):
            first, theta = members["loss"][0], members["theta"][0]
            cells = [first["optimizer"], _betas(first) or "–", f"{first['alpha']:g}", str(first["steps"])]
            cells += [first["solution"], *map(_held, members["loss"]), *_edge(first)]
            cells += [scientific(row["largest"], "{}e{}", "–") for row in (first, theta)]
            if accurate:
                cells += [_percent(first["accuracy_run"]), _percent(first["accuracy_gap"])]
            cells += [_cost(first), f"**{_status(first)}** †" if _odd(first) else _status(first)]
            text.append(pipes(cells))
        text.append("")
    if any(map(_odd, rows)):
        text += [f"† {_NOTE}", ""]
    return "\n".join(text)


def latex(rows: Sequence[Row]) -> str:
    """Return the compact table as a LaTeX ``longtable``, for 16 cm of text width."""
    solutions, bounds = _solutions(rows), _bounds(rows)
    accurate = any(row["accuracy"] is not None for row in rows)
    power = r"${}{{\times}}10^{{{}}}$"
    head = [
        "Optimizer",
        r"$\beta$",
        r"$\alpha$",
        "Steps",
        "Solution",
        *(rf"{b:.0%}".replace("%", r"\,\%") for b in bounds),
    ]
    head += ["Edge"] if _has_edge(rows) else []
    head += ["Loss", r"$\theta$", *(["Acc.", "Gap"] if accurate else []), "Grad.", "Status"]
    lines: list[str] = []
    for objective in dict.fromkeys(key[0] for key in solutions):
        lines += [r"\midrule"] if lines else []
        lines.append(rf"\multicolumn{{{len(head)}}}{{l}}{{\emph{{{escaped(objective)}}}}} \\")
        for members in (m for key, m in solutions.items() if key[0] == objective):
            first, theta = members["loss"][0], members["theta"][0]
            cells = [escaped(first["optimizer"]), escaped(_betas(first)) or "--", f"{first['alpha']:g}"]
            cells += [str(first["steps"]), escaped(first["solution"])]
            cells += [_held(row, r"$\geq$\,").replace("–", "--") for row in members["loss"]]
            cells += [text.replace("–", "--") for text in _edge(first)]
            cells += [scientific(row["largest"], power, "--") for row in (first, theta)]
            if accurate:
                accuracies = (_percent(first["accuracy_run"]), _percent(first["accuracy_gap"]))
                cells += [text.replace("%", r"\,\%").replace("–", "--") for text in accuracies]
            status = escaped(_status(first))
            cells += [_cost(first).replace("–", "--"), status + (r"$^\dagger$" if _odd(first) else "")]
            lines.append(" & ".join(cells) + r" \\")
    caption = escaped(_explained(rows)).replace("≥", r"$\geq$").replace("–", "--")
    caption += rf" $^\dagger$ {_NOTE}" if any(map(_odd, rows)) else ""
    columns = "llrrl" + "r" * (len(head) - 6) + "l"
    text = [r"% Needs \usepackage{booktabs,longtable}, 16 cm of text width."]
    text += [r"\begingroup\scriptsize\setlength{\tabcolsep}{2pt}\setlength{\LTcapwidth}{\textwidth}"]
    return "\n".join([*text, *long_table(caption, columns, head, lines), r"\endgroup"]) + "\n"


def _solutions(rows: Sequence[Row]) -> dict[tuple[str, str, str, str], dict[str, list[Row]]]:
    """Group rows by solution and quantity; those of one quantity are sorted by bound."""
    solutions: dict[tuple[str, str, str, str], dict[str, list[Row]]] = {}
    for row in sorted(rows, key=lambda row: row["within"]):
        key = (row["objective"], row["optimizer"], row["label"], row["solution"])
        solutions.setdefault(key, {}).setdefault(row["quantity"], []).append(row)
    order = dict.fromkeys((r["objective"], r["optimizer"], r["label"], r["solution"]) for r in rows)
    return {key: solutions[key] for key in order}


def _bounds(rows: Sequence[Row]) -> list[float]:
    return sorted({row["within"] for row in rows})


def _held(row: Row, least: str = "≥ ") -> str:
    if row["horizon"] is None:
        return "–"
    if row["horizon"] == row["steps"]:
        return "all"
    return (least if row["unsolved"] else "") + str(max(row["horizon"], 0))


def _explained(rows: Sequence[Row]) -> str:
    accurate = any(row["accuracy"] is not None for row in rows)
    return " ".join([_EXPLAINED, *([_EDGE] if _has_edge(rows) else []), *([_ACCURACY] if accurate else [])])


def _has_edge(rows: Sequence[Row]) -> bool:
    return any("edge" in row for row in rows)


def _edge(row: Row) -> list[str]:
    """Return the cell of the first crossing; no cell if the rows do not have it."""
    if "edge" not in row:
        return []
    if row["edge"] in (None, NO_LIMIT):
        return ["–"]
    return ["never" if row["edge_since"] is None else str(row["edge_since"])]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"


def _cost(row: Row) -> str:
    own, runs = row["gradient_evaluations"], row["run_gradient_evaluations"]
    return f"{own / runs:.3g}" if runs and own is not None else "–"


def _odd(row: Row) -> bool:
    return not ended_well(row["status"], row["discrete_status"])


def _status(row: Row) -> str:
    run = row["discrete_status"]
    return row["status"] if ended_well(run) else f"{row['status']}, run {run}"


def _betas(row: Row) -> str:
    return short(hyperparameters(row))


def job(task: Task) -> str:
    """Write the rows of all packs as one table in several formats; return a line about it."""
    write(in_order(read_errors(task.files)), task.outputs)
    return f"{len(task.outputs)} formats"
