"""``idescent init``: a project of one's own.

What lives here: creating the folder.  What does not: its files (the folder ``template``), running its study
(:mod:`idescent.cli.run`).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from idescent.cli import studies

HELP = """\
Create a project of your own: a configuration, an objective, an optimizer and the profiles.

DIR must be empty, or not exist.  The study of the new project runs at once, in less than a minute; change the
files and run it again.  The command prints the files and the next step.
"""
EPILOG = """\
examples
  idescent init my-study
"""
_TEMPLATE = Path(__file__).parent / "template"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the project")


def run(options: Any) -> None:
    """Create the project."""
    folder: Path = options.folder
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is not allowed: it is a file; must be an empty or a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not allowed: it is not empty; must be an empty or a new folder")
    profiles = studies.folder() / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(_TEMPLATE.iterdir()):
        if source.is_file():
            shutil.copyfile(source, folder / source.name)
    shutil.copytree(profiles, folder / "profiles")
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        sys.stdout.write(f"{file}\n")
    sys.stdout.write(f"next: cd {folder} && idescent run\n")
