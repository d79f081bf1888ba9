"""Write the table of mutants.md and the list of those that no test notices, from what `make mutants` left.

    python docs/mutants.py

Reasons are in mutants.toml: a pattern of module and change, and why no test can or need notice it.  What has
none is listed under "Without a reason", and the exit code says so.
"""

import re
import sys
import tomllib
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from refresh import filled

FOLDER = Path(__file__).parent
TARGET = FOLDER / "mutants.md"
COLUMNS = ("killed", "timeout", "survived", "no tests", "not checked")
UNNOTICED = ("survived", "no tests")


def change(name, path):
    """What a mutant changes, as `old -> new`, each on one line."""
    lines = get_diff_for_mutant(name, path=path).split("\n")[2:]
    sides = [" ".join(x[1:].strip() for x in lines if x.startswith(sign)) for sign in "-+"]
    return " -> ".join(sides)


def function(name):
    """Class and function of a mutant's name."""
    plain = name.rpartition("__mutmut_")[0].rpartition(".")[2]
    return plain.removeprefix("x_").replace("xǁ", "").replace("ǁ", ".")


def main():
    """Count, explain, write."""
    reasons = tomllib.loads((FOLDER / "mutants.toml").read_text(encoding="utf-8"))["reason"]
    rows, explained, unexplained = [], [[] for _ in reasons], []
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        module = str(path).removeprefix("src/idescent/").removesuffix(".py")
        counts = dict.fromkeys(COLUMNS, 0)
        for name, code in data.exit_code_by_key.items():
            status = status_by_exit_code[code]
            # A crash is noticed as well as a failure; what was interrupted is not checked.
            status = {"segfault": "killed", "suspicious": "timeout"}.get(status, status)
            counts[status if status in counts else "not checked"] += 1
            if status in UNNOTICED:
                text = change(name, path)
                home = f"{module}: {function(name)}: {text}"
                for i, reason in enumerate(reasons):
                    if re.search(reason["pattern"], home):
                        explained[i].append(home)
                        break
                else:
                    unexplained.append(home)
        if total := sum(counts.values()):
            rows.append([f"`{module}`", str(total), *map(str, counts.values())])
    header = ["module", "mutants", *COLUMNS]
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    text = ["| " + " | ".join(line) + " |" for line in lines]
    text += ["", "| reason | mutants |", "| --- | ---: |"]
    text += [f"| {r['why']} | {len(e)} |" for r, e in zip(reasons, explained, strict=True) if e]
    if unexplained:
        text += ["", "Without a reason:", "", *(f"- ``{home}``" for home in unexplained)]
    TARGET.write_text(filled(TARGET, {TARGET.stem: "\n".join(text)}), encoding="utf-8")
    sys.exit(f"{len(unexplained)} mutants without a reason, see docs/mutants.md" if unexplained else 0)


if __name__ == "__main__":
    main()
