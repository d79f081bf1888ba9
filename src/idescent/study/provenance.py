"""Which code made a result, and whether a result is whole.

What lives here: :func:`digest`, by which the workflow knows that a result is older than the code that makes
it, and :func:`is_whole`, by which it knows that a file was cut short.  What does not: the metadata inside the
files (:mod:`idescent.trajectory`).

The digest covers every module that an entry point can reach through ``import`` statements, those inside
functions included, with the data files that these declare.  It is taken over syntax trees without docstrings:
an edited comment changes nothing.  Modules of the layers that decide what is run are left out, and so are
packages that only find modules by name (they define ``__getattr__``): the classes that a cell names are added
instead.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from idescent.study import registry

PACKAGE = "idescent"
_ROOT = Path(__file__).parents[1]

# Layers that decide what is run.  That is in the parameters of a job; it does not change what comes out.
_DECIDING = ("study", "config", "jobs", "cli", "check", "registry", "products.product")
_C_COMMENTS = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|/\*.*?\*/|//[^\n]*""", re.DOTALL)


def digest(entry: str, *specs: tuple[str, Mapping[str, Any]]) -> str:
    """Return the digest of the code behind a result.

    Parameters
    ----------
    entry : str
        The module that makes it.
    *specs : (kind, spec)
        Classes that it builds by name, as for :func:`idescent.study.registry.build`.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return _digest(entry, tuple((kind, spec["class"]) for kind, spec in specs))


def cell_digest(cell: Mapping[str, Any]) -> str:
    """Return the digest of the code behind a run or, if the cell has a ``solution``, behind that solution."""
    specs = [(kind, cell[kind]) for kind in ("objective", "optimizer", "schedule") if kind in cell]
    solution = cell.get("solution")
    if solution is None:
        return digest("idescent.jobs.simulate", *specs)
    return digest("idescent.jobs.solve", *specs, ("model", solution["model"]), ("solver", solution["solver"]))


def pack_digest(pack: Mapping[str, Any]) -> str:
    """Return the digest of the code behind a pack (:meth:`idescent.study.cells.Study.job`): that of its
    cells.
    """
    shared = {key: pack[key] for key in ("objective", "solution") if key in pack}
    kinds = ("optimizer", "schedule")
    # Thousands of cells are of one or two kinds of code.
    unlike = {tuple(cell[kind]["class"] for kind in kinds if kind in cell): cell for cell in pack["cells"]}
    found = sorted({cell_digest({**shared, **cell}) for cell in unlike.values()})
    return found[0] if len(found) == 1 else hashlib.sha256(" ".join(found).encode()).hexdigest()


def is_whole(path: str | Path) -> bool:
    """Whether a Parquet file has its magic at both ends and a footer that fits between them."""
    with Path(path).open("rb") as file:
        size = file.seek(0, 2)
        if size < 12:
            return False
        file.seek(0)
        head = file.read(4)
        file.seek(size - 8)
        footer, tail = int.from_bytes(file.read(4), "little"), file.read(4)
    return head == tail == b"PAR1" and 0 < footer <= size - 12


def modules(entry: str) -> list[str]:
    """Return the names of all modules that ``entry`` can import, itself included, sorted.

    Only the package's own modules count and, for a user's module, those beside it.
    """
    seen: set[str] = set()
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name in seen or (name != entry and _decides(name)):
            continue
        seen.add(name)
        waiting.extend(_imported(name))
    return sorted(seen)


@cache
def _decides(name: str) -> bool:
    """Whether a module belongs to a layer that decides what is run, or only finds others by name."""
    below = name.removeprefix(f"{PACKAGE}.")
    if name != below and any(below == layer or below.startswith(f"{layer}.") for layer in _DECIDING):
        return True
    path = find_module(name)
    if path is None or path.name != "__init__.py" or name == below != PACKAGE:
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in _tree(path).body)


@cache
def _digest(entry: str, classes: tuple[tuple[str, str], ...]) -> str:
    entries = [entry, *(_home(kind, name) for kind, name in classes)]
    reached = sorted({name for start in entries for name in modules(start)})
    total = hashlib.sha256()
    for name in reached:
        total.update(f"{name} {_module_digest(name)}\n".encode())
    return total.hexdigest()


def _home(kind: str, name: str) -> str:
    module, _, _ = name.rpartition(":")
    if module:
        return module
    return str(registry.resolve(kind, name).__module__)


@cache
def find_module(name: str) -> Path | None:
    """Return the file of a module of this package or of the user's own, without importing it.

    The user's own are looked for in the current folder and on the search path, but for installed packages
    and the standard library.
    """
    if name.split(".")[0] == PACKAGE:
        folders = [_ROOT.parent]
    else:
        folders = [Path.cwd(), *(Path(folder) for folder in sys.path if _own(Path(folder)))]
    for folder in folders:
        stem = folder.joinpath(*name.split("."))
        for path in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
            if path.is_file():
                return path
    return None


def _own(folder: Path) -> bool:
    return "site-packages" not in folder.parts and not folder.is_relative_to(sys.base_prefix)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def _nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(_tree(path)))


@cache
def _imported(name: str) -> tuple[str, ...]:
    path = find_module(name)
    if path is None:
        return ()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return tuple(
        sorted({found for found in _imports(_nodes(path), package) if find_module(found) is not None})
    )


def _imports(nodes: Sequence[ast.AST], package: str) -> Iterator[str]:
    for node in _executed(nodes):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from _with_parents(source)
            for alias in node.names:
                yield f"{source}.{alias.name}"  # a submodule, or a name that is no file and drops out


def _with_parents(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:i]) for i in range(1, len(parts) + 1))


def _executed(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Leave out statements under ``if TYPE_CHECKING``."""
    left_out = {
        inner
        for node in nodes
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    return (node for node in nodes if node not in left_out)


@cache
def _module_digest(name: str) -> str:
    """Digest of one module and of the data files beside it that it names."""
    path = find_module(name)
    if path is None:
        return "not found"
    total = hashlib.sha256(_without_docstrings(path).encode())
    for file in _data_files(path):
        total.update(f"{file}\0".encode() + _without_comments(path.with_name(file)))
    return total.hexdigest()


def _data_files(path: Path) -> list[str]:
    """Return the data files that a module declares in ``DATA_FILES``, a tuple of names beside it."""
    for node in _tree(path).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [
            "DATA_FILES"
        ]:
            return list(ast.literal_eval(node.value))
    return []


def _without_docstrings(path: Path) -> str:
    kept = []
    for node in _nodes(path):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.body[0] if node.body else None
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            kept.append((node, first))
            node.body.pop(0)
    text = ast.dump(_tree(path))
    for node, first in kept:
        node.body.insert(0, first)
    return text


def _without_comments(path: Path) -> bytes:
    """Return a data file; C without comments and spacing, a style sheet of matplotlib without comments."""
    if path.suffix == ".c":
        source = _C_COMMENTS.sub(lambda found: found.group(1) or " ", path.read_text(encoding="utf-8"))
        return " ".join(source.split()).encode()
    if path.suffix == ".mplstyle":
        lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
        return "\n".join(line for line in lines if line).encode()
    return path.read_bytes()
