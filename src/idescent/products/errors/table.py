"""Error tables for people and programs.

What lives here: the merged table of all errors of a study, complete in Parquet and CSV, compact in Markdown
and LaTeX.  What does not: computing errors (:mod:`idescent.analysis.errors`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idescent.analysis.errors import BELOW
from idescent.analysis.floor import ABOVE_FLOOR
from idescent.drawing.hyperparameters import short
from idescent.drawing.markup import escaped, long_table, pipes, scientific, status_text
from idescent.products.formats import in_order, write_formats
from idescent.products.product import Task
from idescent.store.tables import data_frame, hyperparameters, read_errors
from idescent.trajectory import ENDED_WELL, REFUSED

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_SOLUTION = ["objective", "optimizer", "label", "solution"]
# Columns of the compact table.  AdaGrad's sum G and the other optimizers' average v share one column, because
# no optimizer has both.
_QUANTITIES = ["theta", "m", "v", "loss"]
_KINDS = ["model", "solver", "total"]
_TEX_QUANTITIES = {"theta": r"$\theta$", "loss": "Loss"}
# Statuses that are no failure of the solution.
_FINE = (*ENDED_WELL, BELOW)
_BELOW = f"Below the reference: the error is less than {ABOVE_FLOOR:g} times the reference's own."
_NOTE = (
    "The solution did not reach its tolerance or a run diverged; "
    "the errors then cover the iterations up to the last finite one."
)


def write_errors(files: Iterable[str | Path], outputs: Iterable[str | Path]) -> None:
    """Merge error files and write the table in each format.

    Parameters
    ----------
    files : iterable of path
        Tables of :func:`idescent.products.errors.rows.table`.
    outputs : iterable of path
        Where to write: .parquet and .csv are complete and tidy, .md and .tex have one row for a solution.

    Raises
    ------
    ValueError
        If the suffix of an output is not known, or a file is damaged.
    """
    merged = in_order(read_errors(files))
    errors = data_frame(merged)
    lines, splits = compact(errors), split(errors)
    write_formats(outputs, merged, lambda: markdown(lines, splits), lambda: latex(lines, splits))


def compact(errors: DataFrame) -> DataFrame:
    """Reduce tidy rows to one for each cell and solution, in the order of their first rows.

    Parameters
    ----------
    errors : DataFrame
        Columns of :func:`idescent.products.errors.rows.table`.

    Returns
    -------
    DataFrame
        The columns of cell and solution, ``betas``, and the sup errors over k of ``theta``, ``m``, ``v`` (of
        AdaGrad: ``G``) and ``loss``.
    """
    total = _hidden(errors[errors["kind"] == "total"])
    sup = total[total["norm"] == "sup"].pivot(index=_SOLUTION, columns="quantity", values="error")
    sup = sup.reindex(columns=[*_QUANTITIES, "G"])
    sup["v"] = sup["v"].fillna(sup["G"])
    lines = total.drop_duplicates(_SOLUTION).merge(sup[_QUANTITIES], on=_SOLUTION)
    return _named(lines.assign(status=_status(lines)))


def split(errors: DataFrame, norm: str = "sup") -> DataFrame:
    """Choose the cells and quantities that have three errors, and put these side by side.

    Parameters
    ----------
    errors : DataFrame
        Columns of :func:`idescent.products.errors.rows.table`.
    norm : {"sup", "rms", "final"}

    Returns
    -------
    DataFrame
        One row for each cell, solution and quantity: ``model`` (discrete run against exact solution),
        ``solver`` (exact solution against this one), ``total`` (discrete run against this one).  The status
        of a solution that ended well is the exact one's: that may be implausible or refused.
    """
    key = [*_SOLUTION, "quantity"]
    rows = _hidden(errors[errors["norm"] == norm])
    rows = rows.assign(status=_status(rows))
    error, status = (
        rows.pivot(index=key, columns="kind", values=values).reindex(columns=_KINDS)
        for values in ("error", "status")
    )
    status = status.dropna(subset="solver")
    shown = status["model"].where(status["total"].isin(ENDED_WELL), status["total"]).rename("status")
    total = rows[rows["kind"] == "total"].drop(columns="status")
    return _named(total.merge(error, on=key).merge(shown, on=key))


def markdown(lines: DataFrame, splits: DataFrame) -> str:
    """Format both tables as Markdown; the compact table has a section for each objective."""
    several = lines["solution"].nunique() > 1
    head = ["optimizer", "β", "α", "steps", *(["solution"] if several else [])]
    head += ["θ", "m", "v or G", "loss", "estimate", "status"]
    ruler = ["---", "---", *["---:"] * 2, *(["---"] if several else []), *["---:"] * 5, "---"]
    text = ["# Errors: largest |discrete − continuous| over all iterations", ""]
    if not several:
        text += [line for name in lines["solution"].unique() for line in (f"Solution: {name}.", "")]
    for objective, members in lines.groupby("objective", sort=False):
        text += [f"## {objective}", "", pipes(head), pipes(ruler)]
        for line in _lines(members):
            cells = [line.optimizer, line.betas or "–", f"{line.alpha:g}", str(line.steps)]
            cells += [line.solution] if several else []
            cells += [scientific(number, "{}e{}", "–") for number in _numbers(line)]
            cells.append(_marked(line.status))
            text.append(pipes(cells))
        text.append("")
    text.append("Estimate: the solver's estimate of its error in θ. The moments are not corrected for bias.")
    if not lines["status"].isin(_FINE).all():
        text.append(f"† {_NOTE}")
    text += [_BELOW] if (lines["status"] == BELOW).any() else []
    text += [f"\n{reason}" for reason in _reasons(lines)]
    if len(splits):
        text += ["", "# Three errors: model, solver and total", ""]
        text += [
            "Largest values over all iterations: `model` = |discrete − exact|, `solver` = |exact − solution|,"
        ]
        text += ["`total` = |discrete − solution|.", ""]
        head = ["objective", "optimizer", "β", "α", "solution", "quantity", *_KINDS, "status"]
        text += [pipes(head), pipes(["---"] * 3 + ["---:"] + ["---"] * 2 + ["---:"] * 3 + ["---"])]
        for line in _lines(splits):
            cells = [line.objective, line.optimizer, line.betas or "–", f"{line.alpha:g}"]
            cells += [line.solution, line.quantity]
            cells += [scientific(error, "{}e{}", "–") for error in (line.model, line.solver, line.total)]
            cells.append(_marked(line.status))
            text.append(pipes(cells))
    return "\n".join(text) + "\n"


def latex(lines: DataFrame, splits: DataFrame) -> str:
    """Format both tables as LaTeX ``longtable`` environments for a text width of 16 cm.

    They need the packages ``booktabs`` and ``longtable``.
    """
    several = lines["solution"].nunique() > 1
    power = r"${}{{\times}}10^{{{}}}$"  # without spaces, because a line has five of them
    columns = "ll" + "rr" + ("l" if several else "") + "rrrrr" + "l"
    head = ["Optimizer", r"$\beta$", r"$\alpha$", "Steps", *(["Solution"] if several else [])]
    head += [r"$\theta$", "$m$", "$v$ or $G$", "Loss", "Estimate", "Status"]
    rows: list[str] = []
    for objective, members in lines.groupby("objective", sort=False):
        rows += [r"\midrule"] if rows else []
        rows.append(rf"\multicolumn{{{len(head)}}}{{l}}{{\emph{{{escaped(str(objective))}}}}} \\")
        for line in _lines(members):
            cells = [escaped(line.optimizer), escaped(line.betas) or "--", f"{line.alpha:g}", str(line.steps)]
            cells += [escaped(line.solution)] if several else []
            cells += [scientific(number, power, "--") for number in _numbers(line)]
            short_status = escaped(status_text(line.status, narrow=True))
            fine = line.status in _FINE
            cells.append(short_status if fine else rf"\textbf{{{short_status}}}$^\dagger$")
            rows.append(" & ".join(cells) + r" \\")
    caption = "Largest distance between discrete run and solution over all iterations."
    caption += "" if lines["status"].isin(_FINE).all() else rf" $^\dagger$ {_NOTE}"
    caption += f" {_BELOW}" if (lines["status"] == BELOW).any() else ""
    caption += "".join(f" {escaped(reason)}" for reason in _reasons(lines))
    text = [r"% Needs \usepackage{booktabs,longtable}, 16 cm of text width."]
    text += [r"\begingroup\scriptsize\setlength{\tabcolsep}{2pt}\setlength{\LTcapwidth}{\textwidth}"]
    text += long_table(caption, columns, head, rows)
    if len(splits):
        head = ["Objective", "Optimizer", r"$\beta$", r"$\alpha$", "Solution", "Quantity"]
        head += ["Model", "Solver", "Total", "Status"]
        rows = []
        for line in _lines(splits):
            cells = [
                escaped(line.objective),
                escaped(line.optimizer),
                escaped(line.betas) or "--",
                f"{line.alpha:g}",
            ]
            cells += [escaped(line.solution), _TEX_QUANTITIES.get(line.quantity, f"${line.quantity}$")]
            cells += [scientific(error, power, "--") for error in (line.model, line.solver, line.total)]
            status = escaped(status_text(line.status, narrow=True))
            cells.append(status + ("" if line.status in _FINE else r"$^\dagger$"))
            rows.append(" & ".join(cells) + r" \\")
        caption = (
            "Three errors, largest values over all iterations. Model: discrete run against exact solution. "
            "Solver: exact solution against the listed solution. Total: discrete run against the listed "
            "solution."
        )
        text += ["", *long_table(caption, "lllrllrrrl", head, rows)]
    return "\n".join([*text, r"\endgroup"]) + "\n"


def _hidden(errors: DataFrame) -> DataFrame:
    """Remove the numbers of the errors below the reference."""
    return errors.assign(error=errors["error"].where(errors["status"] != BELOW))


def _marked(status: str) -> str:
    return status if status in _FINE else f"**{status_text(status)}** †"


def _lines(rows: DataFrame) -> Iterable[Any]:
    """Iterate over rows, whose values are attributes named as the columns."""
    return rows.itertuples(index=False)


def _numbers(line: Any) -> tuple[float, ...]:
    return (*(getattr(line, quantity) for quantity in _QUANTITIES), line.error_estimate)


def _reasons(lines: DataFrame) -> list[str]:
    """Explain the implausible and the refused solutions, in one sentence for each solution and reason."""
    if "reason" not in lines:
        return []
    betas = lines["betas"].map(lambda betas: f" ({betas})" if betas else "")
    rates = lines["alpha"].map(", alpha = {:g}".format)
    cells = lines.assign(cell=lines["objective"] + ", " + lines["optimizer"] + betas + rates)
    groups = cells.groupby(["solution", "status", "reason"], sort=False)["cell"].agg("; ".join).reset_index()
    return [f"{line.solution} is {line.status} at {line.cell}: {line.reason}." for line in _lines(groups)]


def _status(rows: DataFrame) -> Series[str]:
    """Return the status of each solution; beside a run that diverged it is the run's."""
    run = rows["discrete_status"]
    return rows["status"].where(run.isin(ENDED_WELL) | (rows["status"] == REFUSED), "run " + run)


def _named(rows: DataFrame) -> DataFrame:
    """Name the optimizer without its module, and its hyper-parameters in ``betas``."""
    entries = rows.astype(object).where(rows.notna(), None).to_dict("records")
    betas = [short(hyperparameters(entry)) for entry in entries]
    return rows.assign(optimizer=rows["optimizer"].str.split(":").str[-1], betas=betas)


def job(task: Task) -> str:
    """Merge the errors of all packs into one table in several formats; return a line for the screen."""
    write_errors(task.files, task.outputs)
    return f"{len(task.outputs)} formats"
