"""The workflow and the studies of the package, and the configuration that a command names.

What lives here: finding them, in the tree and in an installed wheel.  What does not: running a study
(:mod:`idescent.cli.run`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idescent.cli.words import one_of

_PACKAGE = Path(__file__).parents[1]
# A study of the package needs its own modules (config/odd.py) and its claims file below the current folder.
_COPY = Path(".snakemake/idescent/study")
_PAPER = "paper"


@dataclass(frozen=True)
class Configuration:
    """The configuration of a study.

    Attributes
    ----------
    file : Path
        The file to run.
    search : Path or None
        Folder of further modules for Python's search path; None if the study needs none.
    """

    file: Path
    search: Path | None = None

    @property
    def results(self) -> Path:
        """Folder of the study's results, below the current folder.

        Raises
        ------
        ValueError
            If the file cannot be read, or names no study.
        """
        from idescent.study.documents import read

        try:
            content: Any = read(self.file)
        except ValueError as error:
            raise ValueError(f"{self.file}: {error}") from error
        name = content.get("study") if isinstance(content, dict) else None
        if not isinstance(name, str):
            raise ValueError(f"{self.file}: study is missing: the name of the study, and of its folder")
        return Path("results", name)


def folder() -> Path:
    """Return the folder with ``workflow``, ``config`` and ``profiles``.

    A wheel holds it as ``idescent/_study``; otherwise it is the tree of the project.

    Raises
    ------
    ValueError
        If the installation holds no workflow.
    """
    for candidate in (_PACKAGE / "_study", _PACKAGE.parents[1]):
        if (candidate / "workflow/Snakefile").is_file():
            return candidate
    raise ValueError("this installation has no workflow: install the package again, from a wheel")


def names() -> dict[str, Path]:
    """Return the configuration files of the package's studies by name; ``paper`` is ``config.yaml``."""
    files = {file.stem: file for file in sorted((folder() / "config").glob("*.yaml"))}
    paper = files.pop("config")
    files.pop("claims")  # statements, no study
    return {_PAPER: paper, **files}


def summary(file: Path) -> str:
    """Return the first sentence of the comment at the beginning of a configuration file."""
    text = ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# yaml-language-server"):
            text += f" {line.removeprefix('#').strip()}"
    return text.strip().partition(". ")[0].rstrip(".")


def find(name: str) -> Configuration:
    """Find the configuration that a word of the command line names.

    Parameters
    ----------
    name : str
        A file, the name of a file in the folder ``config`` below the current one, or a study of the package;
        empty for ``config.yaml`` or ``config/config.yaml`` in the current folder.

    Raises
    ------
    ValueError
        If there is no such configuration.
    """
    if not name:
        for file in (Path("config.yaml"), Path("config/config.yaml")):
            if file.is_file():
                return Configuration(file)
        studies = ", ".join(names())
        raise ValueError(f"this folder has no config.yaml: name a file, or a study of the package: {studies}")
    if Path(name).is_file():
        return Configuration(Path(name))
    own = Path("config", f"{name}.yaml")
    if "/" not in name and own.is_file():
        return Configuration(own)
    files = names()
    if name not in files:
        raise ValueError(f"CONFIG: {name!r} is not allowed: {one_of(files, name, ', or a file')}")
    if Path.cwd() == folder():
        return Configuration(files[name].relative_to(folder()))
    return _copied(files[name])


def profile(name: str) -> str:
    """Return the folder of a profile: of the current folder or of the package; another name unchanged."""
    candidates = (Path(name), Path("profiles", name), folder() / "profiles" / name)
    return next((str(path) for path in candidates if path.exists()), name)


def _copied(file: Path) -> Configuration:
    """Copy the package's configurations below the current folder; return that of a study.

    A study may name modules and claims in its folder.  The workflow looks for both below the current folder
    and not among installed packages.
    """
    target = _COPY / "config"
    target.mkdir(parents=True, exist_ok=True)
    for source in file.parent.iterdir():
        if source.is_file():
            text = source.read_text(encoding="utf-8").replace("\nclaims: config/", f"\nclaims: {target}/")
            copy = target / source.name
            # Unchanged files keep their times.
            if not copy.is_file() or copy.read_text(encoding="utf-8") != text:
                copy.write_text(text, encoding="utf-8")
    return Configuration(target / file.name, _COPY.absolute())
