"""Write what no test reaches into unreached.md, from the data that `make coverage` left.

python docs/unreached.py
"""

import json
import re
import tempfile
from itertools import pairwise
from pathlib import Path

import coverage
from refresh import filled

ROOT = Path(__file__).parent.parent
SOURCE = "src/idescent/"
TARGET = Path(__file__).with_suffix(".md")
# What leads to a message about an input or a machine that the tests do not have.
REFUSAL = re.compile(r"\braise |\bexcept |\berror\b|\brefused\(|\.error\(")
KINDS = {
    "errors": "Refusals that no test provokes",
    "torch": "PyTorch objectives: PyTorch is large, and not installed where the tests run",
    "lines": "Other lines",
    "branches": "Branches that are never left this way",
}


def report():
    """Return coverage's own report of the package as plain data."""
    data = coverage.Coverage(data_file=str(ROOT / ".coverage"), config_file=str(ROOT / "pyproject.toml"))
    data.load()
    with tempfile.NamedTemporaryFile() as file:
        data.json_report(outfile=file.name, include=[f"{SOURCE}*"])
        return json.loads(Path(file.name).read_text(encoding="utf-8"))


def runs(numbers):
    """Group line numbers that follow each other."""
    groups = [[number] for number in numbers[:1]]
    for before, number in pairwise(numbers):
        if number == before + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def code(text):
    """Return a line as code in a list; long ones shortened."""
    short = text if len(text) <= 90 else f"{text[:88]} …"
    return f"`` {short} ``"


def statement(lines, number):
    """Return a line, with the next one if it only opens a bracket."""
    text = lines[number - 1].strip()
    return text + lines[number].strip() if text.endswith("(") else text


def unreached(name, file):
    """Yield the kind and the text of everything in a file that no test reaches."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    missing = set(file["missing_lines"])
    for group in runs(sorted(missing)):
        texts = [statement(lines, number) for number in group]
        shown = next((text for text in texts if REFUSAL.search(text)), "")
        if name.endswith("/autodiff.py"):
            yield "torch", texts[0], len(group)
        elif shown:
            yield "errors", shown, len(group)
        else:
            yield "lines", texts[0], len(group)
    for start, end in file["missing_branches"]:
        if start not in missing and end not in missing:
            yield "branches", statement(lines, start), 1


def main():
    """Count, sort, write."""
    found = report()
    totals = found["totals"]
    kinds = {kind: {} for kind in KINDS}
    for name, file in sorted(found["files"].items()):
        module = name.removeprefix(SOURCE).removesuffix(".py")
        for kind, text, count in unreached(name, file):
            kinds[kind].setdefault(module, []).append((text, count))
    reached = [totals["covered_lines"], totals["covered_branches"]]
    there = [totals["num_statements"], totals["num_branches"]]
    shares = [
        f"{100 * x / n:.1f} % of {n:,} {what}"
        for x, n, what in zip(reached, there, ("lines", "branches"), strict=True)
    ]
    text = [f"Reached: {shares[0]}, {shares[1]}; {100 * sum(reached) / sum(there):.1f} % together."]
    for kind, title in KINDS.items():
        count = sum(number for items in kinds[kind].values() for _, number in items)
        text += ["", f"**{title}** ({count})", ""]
        for module, items in kinds[kind].items():
            if kind == "torch":
                text.append(f"- `{module}`: {sum(number for _, number in items)} lines")
            else:
                text.append(f"- `{module}`: " + ", ".join(code(item) for item, _ in items))
    TARGET.write_text(filled(TARGET, {TARGET.stem: "\n".join(text)}), encoding="utf-8")


if __name__ == "__main__":
    main()
