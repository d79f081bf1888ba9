"""Write the lock files of this folder (`make lock`; needs uv).

One resolution of all extras fixes the versions.  Each lock holds a set of distributions with their hashes.
Entries of `run.lock` are left out of the others.
"""

import re
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
# Extras of pyproject.toml in each lock.
SETS = {
    "run": ("build",),
    "test": ("test", "data", "jax", "arrays", "slurm"),
    "docs": ("docs",),
    "development": ("lint", "mutants"),
    "installer": ("installer",),
    "wheel": ("wheel",),
}
OPTIONS = [
    "--universal",
    "--python-version=3.11",
    "--no-emit-index-url",
    "--no-header",
    "--no-annotate",
    "--quiet",
]


def compiled(*arguments: str | Path) -> None:
    """Run `uv pip compile` on pyproject.toml."""
    subprocess.run(
        ["uv", "pip", "compile", *OPTIONS, *map(str, arguments), HERE.parent / "pyproject.toml"], check=True
    )


def entries(text: str) -> dict[str, str]:
    """Return the entries of a lock by their first line: distribution, version, marker."""
    blocks = re.findall(r"^\S.*\n(?:[ ]+.*\n)*", text, flags=re.MULTILINE)
    return {block.partition("\n")[0].rstrip("\\ "): block for block in blocks}


def main() -> None:
    """Resolve everything once, then each set within these versions."""
    with tempfile.TemporaryDirectory() as folder:
        versions = Path(folder) / "all.txt"
        # uv keeps the versions of an output file that exists, where pyproject.toml allows them.
        versions.write_text(
            "".join((HERE / f"{name}.lock").read_text() for name in SETS if (HERE / f"{name}.lock").exists())
        )
        compiled("--all-extras", "--output-file", versions)
        run: dict[str, str] = {}
        for name, extras in SETS.items():
            lock = Path(folder) / f"{name}.lock"
            chosen = [word for extra in extras for word in ("--extra", extra)]
            compiled("--generate-hashes", "--constraint", versions, *chosen, "--output-file", lock)
            blocks = entries(lock.read_text())
            (HERE / lock.name).write_text("".join(block for key, block in blocks.items() if key not in run))
            run = run or blocks


if __name__ == "__main__":
    main()
