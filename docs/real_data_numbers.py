"""Write the numbers in real-data.md between its markers, from the results of config/digits.yaml.

snakemake --cores all --configfile config/digits.yaml
python docs/real_data_numbers.py
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from idescent.objectives import Perceptron
from idescent.trajectory import read

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(__file__).with_name("real-data.md")
RESULTS = ROOT / "results/digits"


def table(header, rows):
    """Markdown; text on the left, numbers on the right."""
    lines = [header, ["---"] * 3 + ["---:"] * (len(header) - 3), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def held():
    """How long the loss is within 1 % and within 10 %, one row for each cell and model."""
    rows = pq.read_table(RESULTS / "tables/fidelity.parquet").to_pylist()
    found = {}
    for row in rows:
        if row["quantity"] == "loss" and row["objective"] != "memories":
            found.setdefault((row["objective"], row["label"], row["solution"]), {})[row["within"]] = row
    lines = []
    for (objective, label, solution), bounds in found.items():
        row = bounds[0.01]
        name = (
            label.replace("alpha~", "α ")
            .replace("beta1~", "β₁ ")
            .replace("beta2~", "β₂ ")
            .replace("beta~", "β ")
        )
        cost = row["gradient_evaluations"] / row["run_gradient_evaluations"]
        until = [
            "all" if bounds[b]["horizon"] == row["steps"] else str(max(bounds[b]["horizon"], 0))
            for b in (0.01, 0.1)
        ]
        largest = "–" if row["largest"] is None else f"{row['largest']:.1e}"
        status = "" if row["status"] == "converged" else f" ({row['status']})"
        gap = "–" if row["accuracy_gap"] is None else f"{100 * row['accuracy_gap']:.1f} %"
        optimizer = row["optimizer"]
        lines.append(
            [
                objective,
                f"{optimizer}, {name.replace(',', ', ')}",
                solution + status,
                str(row["steps"]),
                *until,
                largest,
                gap,
                f"{cost:.3g}",
            ]
        )
    head = [
        "objective",
        "optimizer",
        "model",
        "steps",
        "within 1 %",
        "within 10 %",
        "largest",
        "accuracy",
        "gradients",
    ]
    return table(head, lines)


def parting():
    """The parameters in which run and half-step model part, for the perceptron with the longer memory."""
    folder = RESULTS / "perceptron/Adam/alpha~0.001,beta1~0.9,beta2~0.999"
    run, path = (read(folder / f"{name}.parquet") for name in ("discrete", "half-step"))
    apart = run.theta - path.theta
    worst = int(np.argmax(np.abs(apart[-1])))
    order = np.argsort(-np.abs(apart[-1]))
    share = np.linalg.norm(apart[-1, order[:5]]) / np.linalg.norm(apart[-1])
    perceptron = Perceptron.digits()
    lines = []
    for k in (1, 10, 50, 100, 200, 400, 1000):
        gradient = perceptron.gradient(run.theta[k])[worst]
        values = (run.theta[k, worst], path.theta[k, worst], gradient)
        lines.append([str(k), *(f"{value:+.1e}" for value in values), f"{np.linalg.norm(apart[k]):.1e}"])
    head = ["k", "run", "half-step", "gradient of the run", "distance of all parameters"]
    text = table(head, lines)
    n = run.theta.shape[1]
    return f"{text}\n\nFive of {n} parameters make {100 * share:.0f} % of the distance at the end."


def main():
    """Replace the text between the markers."""
    if not (RESULTS / "tables/fidelity.parquet").is_file():
        sys.exit("results/digits is not there: snakemake --cores all --configfile config/digits.yaml")
    text = TARGET.read_text(encoding="utf-8")
    for name, content in (("held", held()), ("parting", parting())):
        begin, end = f"<!-- {name}: measured -->", f"<!-- {name}: end -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n\n{content}\n\n{end}{after}"
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
