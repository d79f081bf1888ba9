"""Run the code of a page as a reader would, and fill in what it prints.

    python docs/blocks.py            rewrite the outputs in the pages that have some
    python docs/blocks.py --check    change nothing; exit 1 if a page shows another output than its code gives

A page's blocks are run in order, in a copy of the project: `python` blocks in one namespace, `sh` blocks in a
shell; `yaml` blocks must be valid studies.  A block that begins with a comment that is a path, such as
`# my_objective.py`, is saved there as well.  Between `<!-- output: generated -->` and `<!-- output: end -->`
stands what the block above prints, a Markdown table as a table.  A comment above a block tells that it is not
run here: `<!-- run by: FILE -->` if FILE runs that command, `<!-- not run: REASON -->` if nothing does.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("Snakefile", "workflow", "config", "src", "profiles")
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>run by|not run): (?P<why>.+?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>[\w{}-]*)\n(?P<code>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_OUTPUT = re.compile(
    r"\n\n<!-- output: generated -->\n(?P<text>.*?)<!-- output: end -->", re.DOTALL | re.MULTILINE
)
_SAVED = re.compile(r"# ([\w/-]+\.(?:py|yaml))\n")
_DIRECTIVES = ("{toctree}", "{include}")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; ``end`` is where it ends in the text."""

    language: str
    code: str
    mark: str | None
    why: str | None
    end: int

    @property
    def saved_as(self) -> str | None:
        """The file that the block is, if its first line says so."""
        found = _SAVED.match(self.code)
        return found[1] if found else None


def blocks(text: str) -> list[Block]:
    """Return all fenced blocks of a page that are not directives of the site."""
    found = [Block(m["language"], m["code"], m["mark"], m["why"], m.end()) for m in _BLOCK.finditer(text)]
    # What a block prints is filled in as text.
    return [block for block in found if block.language not in (*_DIRECTIVES, "text")]


def project(folder: Path) -> Path:
    """Copy what a reader has of the project into a folder."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copyfile(source, folder / name)
    return folder


def run(text: str, folder: Path) -> str:
    """Run a page in a copy of the project; return the page with the outputs that its blocks give.

    Raises
    ------
    ValueError
        If a block fails, is of a language that cannot be run, or is no valid study.
    """
    namespace = folder / "page.py"
    program: list[str] = []
    result, at = [], 0
    for block in blocks(text):
        printed = ""
        if block.saved_as:
            (folder / block.saved_as).write_text(block.code, encoding="utf-8")
        if block.mark is None and block.language == "python":
            # The whole page so far, quiet until this block: one namespace, and every block in a real program.
            before = "".join(program)
            namespace.write_text(
                f"import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n"
                f"    exec({before!r})\nexec({block.code!r})\n",
                encoding="utf-8",
            )
            printed = _called([sys.executable, "-W", "error", namespace.name], folder, block)
            program.append(block.code)
        elif block.mark is None and block.language == "sh":
            printed = _called(["bash", "-euo", "pipefail", "-c", block.code], folder, block)
        elif block.mark is None and block.language == "yaml":
            check = "import sys, yaml\nfrom idescent import config\n"
            check += "assert config.load(yaml.safe_load(sys.argv[1])).cells"
            yaml.safe_load(block.code)
            _called([sys.executable, "-c", check, block.code], folder, block)
        elif block.mark is None:
            raise ValueError(
                f"block of {block.language or 'no language'!r} is not run: mark it: {block.code}"
            )
        result.append(text[at : block.end])
        at = block.end
        if output := _OUTPUT.match(text, at):
            fence = f"```text\n{printed.rstrip()}\n```\n" if not printed.startswith("|") else f"\n{printed}\n"
            result.append(f"\n\n<!-- output: generated -->\n{fence}<!-- output: end -->")
            at = output.end()
    result.append(text[at:])
    return "".join(result)


def _called(command: list[str], folder: Path, block: Block) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PATH": path,
            "PYTHONPATH": f"{folder / 'src'}:{folder}",
            "OPENBLAS_NUM_THREADS": "1",
        },
    )
    if done.returncode:
        raise ValueError(f"this block fails:\n{block.code}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    """Rewrite or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say which pages are out of date")
    parser.add_argument("pages", nargs="*", type=Path, help="pages; all that have outputs by default")
    given = parser.parse_args()
    every = [
        page for page in sorted((ROOT / "docs").glob("*.md")) if "<!-- output:" in page.read_text("utf-8")
    ]
    old = []
    for page in given.pages or every:
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            new = run(text, project(Path(folder)))
        if given.check:
            old += [page.name] if new != text else []
        else:
            page.write_text(new, encoding="utf-8")
        print(page.name, flush=True)
    if old:
        sys.exit(f"out of date: {', '.join(old)}: run `.venv/bin/python docs/blocks.py`")


if __name__ == "__main__":
    main()
