"""Digest of the code behind a result, and the check that a result file is complete.

What lives here: :func:`digest`, from which the workflow knows that a result is older than its code, and
:func:`is_whole`, from which it knows that a file was cut short.  What does not: the metadata inside the files
(:mod:`idescent.store.trajectories`).

How a digest is computed:

1. Start from the module of the job, for example ``idescent.jobs.solve``, and from the modules of the classes
   that the cell names, for example ``idescent.optimizers.adam`` and ``idescent.models.paper``.
2. Follow the ``import`` statements of each module, also those inside functions, but not those under
   ``if TYPE_CHECKING`` (:func:`modules`).  Modules are read, never imported.  Only modules of the package and
   of the user's own folders count, not installed packages.
3. Hash each module that was reached: its syntax tree without docstrings, and the data files that it lists in
   ``DATA_FILES`` (the C source of the compiled loops, the style sheet of the figures).  Comments, blank lines
   and docstrings are therefore free to change.
4. Hash the sorted list of ``name digest`` lines.

Step 2 leaves out two sorts of modules:

- The layers in ``_DECIDING``.  They decide which jobs run and with which parameters.  Snakemake compares the
  parameters of a job itself, so that a change in these layers reruns exactly the jobs whose parameters
  changed.
- Packages whose ``__init__`` defines ``__getattr__`` (``idescent``, ``idescent.optimizers``, ...).  They
  import a class when its name is asked for; following them would tie every result to every class.  Step 1
  adds the classes that a cell names instead.

For example, the run of a cell with Adam on a quadratic depends on ``idescent.jobs.simulate``,
``idescent.discrete.loop`` with ``_kernels.c``, ``idescent.optimizers.adam``,
``idescent.objectives.quadratic`` and the modules that these import; it does not depend on
``idescent.optimizers.adagrad`` or on any solver.
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

# Layers and modules that decide which jobs run.  Their decision is in the parameters of each job.
_DECIDING = ("study", "config", "jobs", "cli", "check", "registry", "products.product")

# Group 1 matches a string or character literal first: a "//" inside it starts no comment.
_C_COMMENTS = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|/\*.*?\*/|//[^\n]*""", re.DOTALL)


def digest(entry: str, *specs: tuple[str, Mapping[str, Any]]) -> str:
    """Return the digest of the code behind a result.

    Parameters
    ----------
    entry : str
        The module that computes the result.
    *specs : (kind, spec)
        Classes that the job builds by name, as for :func:`idescent.study.registry.build`.

    Returns
    -------
    str
        64 hexadecimal digits (SHA-256).
    """
    return _digest(entry, tuple((kind, spec["class"]) for kind, spec in specs))


def cell_digest(cell: Mapping[str, Any]) -> str:
    """Return the digest of the code behind a discrete run, or behind a solution if the cell has one."""
    specs = [(kind, cell[kind]) for kind in ("objective", "optimizer", "schedule") if kind in cell]
    solution = cell.get("solution")
    if solution is None:
        return digest("idescent.analysis.reference" if cell.get("leap") else "idescent.jobs.simulate", *specs)
    return digest("idescent.jobs.solve", *specs, ("model", solution["model"]), ("solver", solution["solver"]))


def pack_digest(pack: Mapping[str, Any]) -> str:
    """Return the digest of the code behind the cells of a pack (:meth:`idescent.study.cells.Study.job`).

    It is the cells' own digest if they have the same, and else the hash of their sorted digests.
    """
    shared = {key: pack[key] for key in ("objective", "solution") if key in pack}
    kinds = ("optimizer", "schedule")
    # A pack may have thousands of cells but only one or two triples of optimizer, schedule and leap: one
    # cell of each is enough.
    by_classes = {
        (cell.get("leap"), *(cell[kind]["class"] for kind in kinds if kind in cell)): cell
        for cell in pack["cells"]
    }
    digests = sorted({cell_digest({**shared, **cell}) for cell in by_classes.values()})
    return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


@cache
def _digest(entry: str, classes: tuple[tuple[str, str], ...]) -> str:
    entries = [entry, *(_home(kind, name) for kind, name in classes)]
    reached = sorted({name for start in entries for name in modules(start)})
    total = hashlib.sha256()
    for name in reached:
        total.update(f"{name} {_module_digest(name)}\n".encode())
    return total.hexdigest()


def _home(kind: str, name: str) -> str:
    """Return the module of a class: that of ``module:Class``, or the package's module that defines it."""
    module, _, _ = name.rpartition(":")
    if module:
        return module
    return str(registry.resolve(kind, name).__module__)


def modules(entry: str) -> list[str]:
    """Return the names of the modules that ``entry`` can import, directly or not, and its own; sorted.

    Only modules of the package count and, for a user's module, those in the user's own folders
    (:func:`find_module`).
    """
    reached: set[str] = set()
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        # The entry itself always counts: the jobs' own modules are in a layer that is left out.
        if name in reached or (name != entry and _left_out(name)):
            continue
        reached.add(name)
        waiting.extend(_imported(name))
    return sorted(reached)


@cache
def _left_out(name: str) -> bool:
    """Whether a module is in a layer that decides which jobs run, or is a package with ``__getattr__``."""
    below = name.removeprefix(f"{PACKAGE}.")
    if name != below and any(below == layer or below.startswith(f"{layer}.") for layer in _DECIDING):
        return True
    path = find_module(name)
    # A user's package always counts, with or without __getattr__.
    if path is None or path.name != "__init__.py" or name == below != PACKAGE:
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in _tree(path).body)


@cache
def find_module(name: str) -> Path | None:
    """Return the file of a module of the package or of the user, without importing it; None if there is none.

    A user's module is looked for in the current folder and on Python's search path, except in folders of
    installed packages and of the standard library.
    """
    if name.split(".")[0] == PACKAGE:
        folders = [_ROOT.parent]
    else:
        folders = [Path.cwd(), *(Path(folder) for folder in sys.path if _is_users(Path(folder)))]
    for folder in folders:
        stem = folder.joinpath(*name.split("."))
        for path in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
            if path.is_file():
                return path
    return None


def _is_users(folder: Path) -> bool:
    return "site-packages" not in folder.parts and not folder.is_relative_to(sys.base_prefix)


@cache
def _imported(name: str) -> tuple[str, ...]:
    """Return the modules that the import statements of a module name, those with a file here; sorted."""
    path = find_module(name)
    if path is None:
        return ()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    candidates = set(_candidates(_statements(path), package))
    return tuple(sorted(candidate for candidate in candidates if find_module(candidate) is not None))


def _candidates(statements: Sequence[ast.AST], package: str) -> Iterator[str]:
    """Yield every dotted name in import statements that may be a module.

    ``from idescent.solvers import picard`` gives ``idescent``, ``idescent.solvers`` and
    ``idescent.solvers.picard``; ``package`` resolves relative imports.
    """
    for node in _executed(statements):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            # One dot is the package itself, each further dot one package above.
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from _with_parents(source)
            for alias in node.names:
                # A submodule or a name inside the module: the caller drops names without a file.
                yield f"{source}.{alias.name}"


def _with_parents(name: str) -> Iterable[str]:
    """Return ``a``, ``a.b`` and ``a.b.c`` for ``a.b.c``: importing a module runs its packages, too."""
    parts = name.split(".")
    return (".".join(parts[:i]) for i in range(1, len(parts) + 1))


def _executed(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Return the nodes that are not under ``if TYPE_CHECKING``: Python never executes those."""
    type_checking = {
        inner
        for node in nodes
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    return (node for node in nodes if node not in type_checking)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def _statements(path: Path) -> list[ast.AST]:
    return list(_below(_tree(path)))


def _below(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all statements below it; unlike ``ast.walk`` it does not enter expressions."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.stmt, ast.excepthandler, ast.match_case)):
            yield from _below(child)


@cache
def _module_digest(name: str) -> str:
    """Return the digest of a module's code and of its data files."""
    path = find_module(name)
    if path is None:
        return "not found"
    total = hashlib.sha256(_without_docstrings(path).encode())
    for file in _data_files(path):
        total.update(f"{file}\0".encode() + _without_comments(path.with_name(file)))
    return total.hexdigest()


def _without_docstrings(path: Path) -> str:
    """Return the syntax tree of a module as text, without docstrings; comments are in no syntax tree."""
    removed = []
    for node in _statements(path):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.body[0] if node.body else None
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            removed.append((node, first))
            node.body.pop(0)
    text = ast.dump(_tree(path))
    # The tree is cached and shared: restore it.
    for node, first in removed:
        node.body.insert(0, first)
    return text


def _data_files(path: Path) -> list[str]:
    """Return the names in a module's ``DATA_FILES``, a tuple of files in the module's folder."""
    for node in _tree(path).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [
            "DATA_FILES"
        ]:
            return list(ast.literal_eval(node.value))
    return []


def _without_comments(path: Path) -> bytes:
    """Return the content of a data file; C sources and matplotlib's style sheets without comments.

    Spacing does not count in these either.  Other files count byte by byte.
    """
    if path.suffix == ".c":
        source = _C_COMMENTS.sub(lambda match: match.group(1) or " ", path.read_text(encoding="utf-8"))
        return " ".join(source.split()).encode()
    if path.suffix == ".mplstyle":
        lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
        return "\n".join(line for line in lines if line).encode()
    return path.read_bytes()


def is_whole(path: str | Path) -> bool:
    """Whether a Parquet file has its magic bytes at both ends and a footer that fits between them.

    A file that was cut short lacks the second.  The layout is ``PAR1``, data, footer, length of the footer
    (4 bytes, little-endian), ``PAR1``.
    """
    with Path(path).open("rb") as file:
        size = file.seek(0, 2)
        if size < 12:  # both magics and the length
            return False
        file.seek(0)
        head = file.read(4)
        file.seek(size - 8)
        footer, tail = int.from_bytes(file.read(4), "little"), file.read(4)
    return head == tail == b"PAR1" and 0 < footer <= size - 12
