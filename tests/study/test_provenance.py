"""The digest of the code behind a stage: what changes it and what does not; and files that were cut short."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import _lru_cache_wrapper
from pathlib import Path
from typing import Any

import pytest

from idescent.discrete.loop import simulate
from idescent.objectives import Quadratic
from idescent.optimizers import AdaGrad
from idescent.store import trajectories
from idescent.study import provenance

CELL = {
    "objective": {"name": "quadratic", "class": "Quadratic", "arguments": {}},
    "optimizer": {"class": "Adam", "arguments": {}},
}
SOLUTION = {
    "model": {"class": "Paper", "arguments": {}},
    "solver": {"class": "Collocation", "arguments": {}},
}
Edit = Callable[[str, Callable[[str], str]], dict[str, str]]


def forget() -> None:
    for value in vars(provenance).values():
        if isinstance(value, _lru_cache_wrapper):
            value.cache_clear()


def digests(cell: dict[str, Any] = CELL) -> dict[str, str]:
    """Return the digests of all stages, by stage."""
    forget()
    return {
        "simulate": provenance.cell_digest(cell),
        "solve": provenance.cell_digest({**cell, "solution": SOLUTION}),
        "compare": provenance.digest("idescent.products.errors.rows"),
        "tabulate": provenance.digest("idescent.products.errors.table"),
        "render": provenance.digest("idescent.products.paths.figure"),
    }


@pytest.fixture(scope="module")
def unedited() -> dict[str, str]:
    """Return the digests of the package."""
    return digests()


@pytest.fixture
def edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unedited: dict[str, str]
) -> Iterator[Callable[..., set[str]]]:
    """Edit one file of a copy of the package; return the stages whose digest changes."""
    copy = tmp_path / "idescent"
    shutil.copytree(provenance._ROOT, copy, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    monkeypatch.setattr(provenance, "_ROOT", copy)
    # The copy has the package's digests: otherwise a comment in it would change some.
    before = unedited

    def change(name: str, how: Callable[[str], str]) -> set[str]:
        nonlocal before
        file = copy / name
        text = file.read_text(encoding="utf-8")
        edited = how(text)
        assert edited != text
        file.write_text(edited, encoding="utf-8")
        after = digests()
        changed = {stage for stage in before if before[stage] != after[stage]}
        before = after
        return changed

    yield change
    forget()


def add_code(text: str) -> str:
    return text + "\nEDITED = True\n"


def add_comment(text: str) -> str:
    return text + "\n# a remark\n\n\n"


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("optimizers/adam.py", {"simulate", "solve"}),
        ("optimizers/optimizer.py", {"simulate", "solve"}),
        ("optimizers/adagrad.py", set()),
        ("objectives/protocol.py", {"simulate", "solve"}),
        ("objectives/quadratic.py", {"simulate", "solve"}),
        ("objectives/mean_squared_error.py", set()),
        ("objectives/__init__.py", set()),
        ("solvers/collocation.py", {"solve"}),
        ("models/paper.py", {"solve"}),
        ("models/equation.py", {"solve"}),
        ("products/paths/figure.py", {"render"}),
        ("products/paths/spec.py", {"render"}),
        ("jobs/simulate.py", {"simulate"}),
        ("products/errors/rows.py", {"compare"}),
        ("cli/__init__.py", set()),
        ("jobs/command.py", set()),
        ("config.py", set()),
        ("study/registry.py", set()),
        ("__init__.py", set()),
    ],
)
def test_editing_a_module_changes_the_stages_that_run_it(edit: Any, file: str, stages: set[str]) -> None:
    assert edit(file, add_code) == stages


def test_editing_what_everything_reads_and_writes_changes_everything_computed(edit: Any) -> None:
    assert edit("trajectory.py", add_code) >= {"simulate", "solve", "compare", "render"}


def test_editing_the_errors_changes_the_comparison_and_no_run_or_solution(edit: Any) -> None:
    changed = edit("analysis/errors.py", add_code)
    assert "compare" in changed
    assert not changed & {"simulate", "solve"}


@pytest.mark.parametrize(
    "file", ["discrete/loop.py", "solvers/collocation.py", "analysis/errors.py", "products/paths/figure.py"]
)
def test_a_comment_or_an_empty_line_changes_nothing(edit: Any, file: str) -> None:
    assert edit(file, add_comment) == set()


def test_a_docstring_changes_nothing(edit: Any) -> None:
    def reword(text: str) -> str:
        return text.replace('"""Run an optimizer', '"""Let an optimizer run', 1).replace(
            'r"""Run', 'r"""Let', 1
        )

    assert edit("discrete/loop.py", reword) == set()


def test_the_c_source_counts_and_its_comments_do_not(edit: Any) -> None:
    assert edit("discrete/_kernels.c", lambda text: text + "/* a remark */\n// another\n\n") == set()
    assert "simulate" in edit("discrete/_kernels.c", lambda text: text + "static int edited;\n")


def test_a_slash_inside_a_c_string_is_not_a_comment(edit: Any) -> None:
    assert "simulate" in edit("discrete/_kernels.c", lambda text: text + 'static char *s = "a//b";\n')
    assert "simulate" in edit("discrete/_kernels.c", lambda text: text.replace('"a//b"', '"a//c"'))


def test_the_figures_style_sheet_counts_for_figures_only(edit: Any) -> None:
    assert edit("drawing/idescent.mplstyle", lambda text: text + "lines.linewidth: 7\n") == {"render"}


def test_a_template_of_the_report_counts_for_its_page_only(edit: Any) -> None:
    def report_digests() -> dict[str, str]:
        forget()
        return {
            name: provenance.digest(f"idescent.products.report.{name}")
            for name in ("numbers", "page", "summary")
        }

    before = report_digests()
    assert edit("products/report/templates/odd.html.j2", lambda text: text + "<hr>\n") == set()
    after = report_digests()
    assert [name for name in before if before[name] != after[name]] == ["page"]


def test_a_users_module_and_those_beside_it_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    helper = tmp_path / "my_helper.py"
    helper.write_text("SLOPE = 1.0\n", encoding="utf-8")
    (tmp_path / "my_objective.py").write_text(
        "import numpy\nimport my_helper\nclass Mine: ...\n", encoding="utf-8"
    )
    cell = {**CELL, "objective": {"class": "my_objective:Mine"}}
    before = digests(cell)
    assert before["simulate"] != digests()["simulate"]
    helper.write_text("SLOPE = 2.0\n", encoding="utf-8")
    after = digests(cell)
    assert {stage for stage in before if before[stage] != after[stage]} == {"simulate", "solve"}


def test_type_checking_imports_are_not_followed() -> None:
    assert "idescent.solvers.collocation" not in provenance.modules("idescent.discrete.loop")


def test_lazy_imports_inside_functions_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    lazy = "def slope():\n    from idescent.solvers.collocation import Collocation\n    return Collocation\n"
    (tmp_path / "lazy_for_provenance.py").write_text(lazy, encoding="utf-8")
    assert "idescent.solvers.collocation" in provenance.modules("lazy_for_provenance")


def test_the_default_solver_is_no_part_of_what_another_solver_depends_on() -> None:
    found = provenance.modules("idescent.jobs.solve") + provenance.modules("idescent.solvers.picard")
    assert "idescent.solvers.collocation" not in found


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "run.parquet"
    run = simulate(AdaGrad(), Quadratic(), alpha=0.1, theta0=1.0, steps=50)
    trajectories.write(path, run, CELL, {})
    return path


def test_a_stored_trajectory_is_whole(stored: Path) -> None:
    assert provenance.is_whole(stored)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_a_file_cut_short_is_not_whole(stored: Path, kept: float) -> None:
    content = stored.read_bytes()
    stored.write_bytes(content[: int(kept * len(content))])
    assert not provenance.is_whole(stored)


def test_a_file_with_its_head_missing_is_not_whole(stored: Path) -> None:
    stored.write_bytes(stored.read_bytes()[100:])
    assert not provenance.is_whole(stored)


def test_a_footer_longer_than_the_file_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "short.parquet"
    path.write_bytes(b"PAR1" + b"\0" * 8 + (1000).to_bytes(4, "little") + b"PAR1")
    assert not provenance.is_whole(path)
