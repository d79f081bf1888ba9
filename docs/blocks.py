"""Run the code of a page as a reader would, and fill in what it prints.

    python docs/blocks.py            rewrite the outputs in the pages that have some, and in the README
    python docs/blocks.py --check    change nothing; exit 1 if a page shows another output than its code gives

A page's blocks are run in order, in a copy of the project: `python` blocks in one namespace, `sh` blocks in a
shell; `yaml` blocks must be valid studies.  A block that begins with a comment that is a path, such as
`# my_objective.py`, is saved there as well.  Between `<!-- output: generated -->` and `<!-- output: end -->`
stands what the block above prints, a Markdown table as a table.  A comment above a block tells that it is not
run here: `<!-- run by: FILE -->` if FILE runs that command, `<!-- not run: REASON -->` if nothing does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
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
    ignored = shutil.ignore_patterns("*.egg-info")
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
    program = _Program(folder)
    try:
        return _filled(text, folder, program)
    finally:
        program.stop()


def _filled(text: str, folder: Path, program: _Program) -> str:
    result, at = [], 0
    for block in blocks(text):
        printed = ""
        if block.saved_as:
            file = folder / block.saved_as
            if file.exists():
                # The program may have imported the earlier version.
                program.stop()
            file.write_text(block.code, encoding="utf-8")
        if block.mark is None and block.language == "python":
            printed = program.run(block)
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


# Runs each line of its input, a block as JSON, in its own namespace; answers with the block's output as JSON.
_PAGE = """\
def _serve():
    import contextlib, io, json, sys

    for line in sys.stdin:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(json.loads(line), globals())
        print(json.dumps(output.getvalue()), flush=True)


_serve()
"""


@dataclass
class _Program:
    """A Python program that runs the blocks of a page one after the other, in one namespace."""

    folder: Path
    codes: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    def run(self, block: Block) -> str:
        """Return the output of a block; a program that was stopped first runs the earlier blocks again."""
        if self.process is None:
            (self.folder / "page.py").write_text(_PAGE, encoding="utf-8")
            command = [sys.executable, "-W", "error", "page.py"]
            pipe = subprocess.PIPE
            with (self.folder / "page.stderr").open("w") as errors:
                self.process = subprocess.Popen(
                    command,
                    cwd=self.folder,
                    stdin=pipe,
                    stdout=pipe,
                    stderr=errors,
                    text=True,
                    env=_environment(self.folder),
                )
            for code in self.codes:
                self._answer(self.process, code)
        self.codes.append(block.code)
        return self._answer(self.process, block.code)

    def _answer(self, process: subprocess.Popen[str], code: str) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(code) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            process.wait()
            errors = (self.folder / "page.stderr").read_text(encoding="utf-8")
            raise ValueError(f"this block fails:\n{code}\n{errors}")
        return str(json.loads(answer))

    def stop(self) -> None:
        """End the program."""
        if self.process is not None:
            self.process.communicate()
            self.process = None


def _called(command: list[str], folder: Path, block: Block) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=_environment(folder)
    )
    if done.returncode:
        raise ValueError(f"this block fails:\n{block.code}\n{done.stdout}{done.stderr}")
    return done.stdout


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{folder / 'src'}:{folder}",
        "OPENBLAS_NUM_THREADS": "1",
    }


def main() -> None:
    """Rewrite or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say which pages are out of date")
    parser.add_argument("pages", nargs="*", type=Path, help="pages; all that have outputs by default")
    given = parser.parse_args()
    every = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    every = [page for page in every if "<!-- output:" in page.read_text("utf-8")]
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
