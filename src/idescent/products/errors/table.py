"""Write the table of all errors of a study in four formats.

What lives here: the complete table (Parquet, CSV) and the compact table (Markdown, LaTeX).  What does not:
computing errors (:mod:`idescent.analysis.errors`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idescent.drawing.markup import escaped, long_table, pipes, scientific, status_text
from idescent.products.formats import in_order, write_formats
from idescent.products.product import Task
from idescent.store.tables import hyperparameters, read_errors
from idescent.trajectory import REFUSED, ended_well

# Columns of the compact table.  AdaGrad's sum G and the other optimizers' average v share one column, because
# no optimizer has both.
_QUANTITIES = (("theta",), ("m",), ("v", "G"), ("loss",))
_TEX_QUANTITIES = {"theta": r"$\theta$", "loss": "Loss"}
_NOTE = (
    "The solution did not reach its tolerance or a run diverged; "
    "the errors then cover the iterations up to the last finite one."
)


@dataclass(frozen=True)
class ErrorSplit:
    """Model, solver and total error of one quantity in one cell, for a solution with a reference.

    Attributes
    ----------
    objective, optimizer, betas, solution, quantity : str
    alpha : float
    model, solver, total : float or None
        Sup errors: discrete run against exact solution, exact solution against this solution, and discrete
        run against this solution.
    status : str
        The solution's status; for a converged solution, the exact solution's if that is implausible or
        refused.
    """

    objective: str
    optimizer: str
    betas: str
    alpha: float
    solution: str
    quantity: str
    model: float | None
    solver: float | None
    total: float | None
    status: str


@dataclass(frozen=True)
class ErrorLine:
    """One row of the compact table, for one solution of one cell.

    Attributes
    ----------
    objective, optimizer, betas, solution, status : str
    alpha : float
    steps : int
    errors : tuple of float or None
        Sup errors over k of theta, m, v or G, and loss; None for a quantity that does not exist.
    estimate : float or None
        The solver's estimate of its error in theta.
    reason : str or None
        The reason for the status implausible or refused.
    """

    objective: str
    optimizer: str
    betas: str
    alpha: float
    steps: int
    solution: str
    errors: tuple[float | None, ...]
    estimate: float | None
    status: str
    reason: str | None = None

    @property
    def marked(self) -> bool:
        """Whether the row has the mark † for a solution or a run that failed."""
        return not ended_well(self.status)


def write_errors(files: Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Merge error files and write the table in each requested format.

    Parameters
    ----------
    files : iterable of path
        Tables of :func:`idescent.products.errors.rows.table`.
    outputs : iterable of path
        Files to write: .parquet and .csv contain all rows, .md and .tex one row for each solution.

    Raises
    ------
    ValueError
        If an output has another suffix, or a file is damaged.
    """
    merged = in_order(read_errors(files))
    rows = merged.to_pylist()
    write_formats(
        outputs,
        merged,
        lambda: markdown(compact(rows), split(rows)),
        lambda: latex(compact(rows), split(rows)),
    )


def compact(rows: Iterable[Mapping[str, Any]]) -> list[ErrorLine]:
    """Collect the total errors into one line for each cell and solution, in the order of their first rows."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["kind"] == "total":
            key = (row["objective"], row["optimizer"], row["label"], row["solution"])
            groups.setdefault(key, []).append(row)
    lines = []
    for group in groups.values():
        first = group[0]
        sup = {row["quantity"]: row["error"] for row in group if row["norm"] == "sup"}
        lines.append(
            ErrorLine(
                objective=first["objective"],
                optimizer=first["optimizer"].rpartition(":")[2],
                betas=_betas(first),
                alpha=first["alpha"],
                steps=first["steps"],
                solution=first["solution"],
                errors=tuple(
                    next((sup[name] for name in names if name in sup), None) for names in _QUANTITIES
                ),
                estimate=first["error_estimate"],
                status=_status(first),
                reason=first.get("reason"),
            )
        )
    return lines


def split(rows: Iterable[Mapping[str, Any]], norm: str = "sup") -> list[ErrorSplit]:
    """Collect the model, solver and total error of each cell and quantity, for solutions with a reference."""
    groups: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        if row["norm"] == norm:
            key = (row["objective"], row["optimizer"], row["label"], row["solution"], row["quantity"])
            groups.setdefault(key, {})[row["kind"]] = row
    splits = []
    for kinds in groups.values():
        if "solver" in kinds:
            row = kinds["total"]
            status = _status(row)
            splits.append(
                ErrorSplit(
                    objective=row["objective"],
                    optimizer=row["optimizer"].rpartition(":")[2],
                    betas=_betas(row),
                    alpha=row["alpha"],
                    solution=row["solution"],
                    quantity=row["quantity"],
                    model=kinds["model"]["error"],
                    solver=kinds["solver"]["error"],
                    total=row["error"],
                    status=_status(kinds["model"]) if ended_well(status) else status,
                )
            )
    return splits


def markdown(lines: Sequence[ErrorLine], splits: Sequence[ErrorSplit] = ()) -> str:
    """Format both tables as Markdown; the compact table has a section for each objective."""
    several = len({line.solution for line in lines}) > 1
    head = ["optimizer", "β", "α", "steps", *(["solution"] if several else [])]
    head += ["θ", "m", "v or G", "loss", "estimate", "status"]
    ruler = ["---", "---", *["---:"] * 2, *(["---"] if several else []), *["---:"] * 5, "---"]
    text = ["# Errors: largest |discrete − continuous| over all iterations", ""]
    if not several:
        text += [f"Solution: {lines[0].solution}.", ""] if lines else []
    for objective, group in _by_objective(lines):
        text += [f"## {objective}", "", pipes(head), pipes(ruler)]
        for line in group:
            cells = [line.optimizer, line.betas or "–", f"{line.alpha:g}", str(line.steps)]
            cells += [line.solution] if several else []
            cells += [scientific(error, "{}e{}", "–") for error in (*line.errors, line.estimate)]
            cells.append(f"**{status_text(line.status)}** †" if line.marked else line.status)
            text.append(pipes(cells))
        text.append("")
    text.append("Estimate: the solver's estimate of its error in θ. The moments are not corrected for bias.")
    if any(line.marked for line in lines):
        text.append(f"† {_NOTE}")
    text += [f"\n{reason}" for reason in _reasons(lines)]
    if splits:
        text += ["", "# Three errors: model, solver and total", ""]
        text += [
            "Largest values over all iterations: `model` = |discrete − exact|, `solver` = |exact − solution|,"
        ]
        text += ["`total` = |discrete − solution|.", ""]
        head = [
            "objective",
            "optimizer",
            "β",
            "α",
            "solution",
            "quantity",
            "model",
            "solver",
            "total",
            "status",
        ]
        text += [pipes(head), pipes(["---"] * 3 + ["---:"] + ["---"] * 2 + ["---:"] * 3 + ["---"])]
        for s in splits:
            cells = [s.objective, s.optimizer, s.betas or "–", f"{s.alpha:g}", s.solution, s.quantity]
            cells += [scientific(error, "{}e{}", "–") for error in (s.model, s.solver, s.total)]
            cells.append(s.status if ended_well(s.status) else f"**{status_text(s.status)}** †")
            text.append(pipes(cells))
    return "\n".join(text) + "\n"


def latex(lines: Sequence[ErrorLine], splits: Sequence[ErrorSplit] = ()) -> str:
    """Format both tables as LaTeX ``longtable`` environments for a text width of 16 cm.

    They need the packages ``booktabs`` and ``longtable``.
    """
    several = len({line.solution for line in lines}) > 1
    power = r"${}{{\times}}10^{{{}}}$"  # without spaces, because a line has five of them
    columns = "ll" + "rr" + ("l" if several else "") + "rrrrr" + "l"
    head = ["Optimizer", r"$\beta$", r"$\alpha$", "Steps", *(["Solution"] if several else [])]
    head += [r"$\theta$", "$m$", "$v$ or $G$", "Loss", "Estimate", "Status"]
    rows: list[str] = []
    for objective, group in _by_objective(lines):
        rows += [r"\midrule"] if rows else []
        rows.append(rf"\multicolumn{{{len(head)}}}{{l}}{{\emph{{{escaped(objective)}}}}} \\")
        for line in group:
            cells = [escaped(line.optimizer), line.betas or "--", f"{line.alpha:g}", str(line.steps)]
            cells += [escaped(line.solution)] if several else []
            cells += [scientific(error, power, "--") for error in (*line.errors, line.estimate)]
            cells.append(
                rf"\textbf{{{escaped(status_text(line.status, narrow=True))}}}$^\dagger$"
                if line.marked
                else line.status
            )
            rows.append(" & ".join(cells) + r" \\")
    caption = "Largest distance between discrete run and solution over all iterations."
    caption += rf" $^\dagger$ {_NOTE}" if any(line.marked for line in lines) else ""
    caption += "".join(f" {escaped(reason)}" for reason in _reasons(lines))
    text = [r"% Needs \usepackage{booktabs,longtable}, 16 cm of text width."]
    text += [r"\begingroup\scriptsize\setlength{\tabcolsep}{2pt}\setlength{\LTcapwidth}{\textwidth}"]
    text += long_table(caption, columns, head, rows)
    if splits:
        head = ["Objective", "Optimizer", r"$\beta$", r"$\alpha$", "Solution", "Quantity"]
        head += ["Model", "Solver", "Total", "Status"]
        rows = []
        for s in splits:
            cells = [escaped(s.objective), escaped(s.optimizer), s.betas or "--", f"{s.alpha:g}"]
            cells += [escaped(s.solution), _TEX_QUANTITIES.get(s.quantity, f"${s.quantity}$")]
            cells += [scientific(error, power, "--") for error in (s.model, s.solver, s.total)]
            cells.append(
                escaped(status_text(s.status, narrow=True)) + ("" if ended_well(s.status) else r"$^\dagger$")
            )
            rows.append(" & ".join(cells) + r" \\")
        caption = (
            "Three errors, largest values over all iterations. Model: discrete run against exact solution. "
            "Solver: exact solution against the listed solution. Total: discrete run against the listed "
            "solution."
        )
        text += ["", *long_table(caption, "lllrllrrrl", head, rows)]
    return "\n".join([*text, r"\endgroup"]) + "\n"


def _reasons(lines: Sequence[ErrorLine]) -> list[str]:
    """Explain the implausible and the refused solutions, in one sentence for each solution and reason."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for line in lines:
        if line.reason:
            betas = f" ({line.betas})" if line.betas else ""
            where = f"{line.objective}, {line.optimizer}{betas}, alpha = {line.alpha:g}"
            places.setdefault((line.solution, line.status, line.reason), []).append(where)
    return [
        f"{solution} is {status} at {'; '.join(where)}: {reason}."
        for (solution, status, reason), where in places.items()
    ]


def _status(row: Mapping[str, Any]) -> str:
    run = row["discrete_status"]
    return str(row["status"] if ended_well(run) or row["status"] == REFUSED else f"run {run}")


def _betas(row: Mapping[str, Any]) -> str:
    values = hyperparameters(row).items()
    return ", ".join(f"{v:g}" if name.startswith("beta") else f"decay {v:g}" for name, v in values)


def _by_objective(lines: Sequence[ErrorLine]) -> list[tuple[str, list[ErrorLine]]]:
    groups: dict[str, list[ErrorLine]] = {}
    for line in lines:
        groups.setdefault(line.objective, []).append(line)
    return list(groups.items())


def job(task: Task) -> str:
    """Merge the errors of all packs into one table in several formats; return a line for the screen."""
    write_errors(task.files, task.outputs)
    return f"{len(task.outputs)} formats"
