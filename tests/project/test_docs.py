"""The site: every page's code is run, and what a page shows is what its code prints."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from docutils import nodes
from docutils.utils import new_document

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import blocks  # noqa: E402 (in the folder above)
import conf  # noqa: E402
import pages  # noqa: E402

from idescent import config  # noqa: E402
from idescent.config import PRODUCTS  # noqa: E402
from idescent.products.claims.measures import MEASURES  # noqa: E402

PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
# Pages whose blocks are run by tests of their own; `docs/cluster.md` needs a cluster, which CI has.
ELSEWHERE = {
    "cluster.md": ".ci/slurm-smoke",
    "objectives.md": "tests/objectives/test_objectives_docs.py",
    "own-objective.md": "tests/check/test_check.py",
    "scaling.md": "tests/workflow/test_scaling_workflow.py",
    "training.md": "tests/objectives/test_training_docs.py",
}
# Blocks that nothing runs, by page: each says why.
NOT_RUN = {"real-data.md": 1}


def code(page: str) -> list[blocks.Block]:
    return blocks.blocks((ROOT / "docs" / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE and code(page)])
def test_the_code_of_a_page_runs_and_prints_what_the_page_shows(page: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert blocks.run(text, blocks.project(tmp_path)) == text


@pytest.mark.parametrize("page", sorted(ELSEWHERE))
def test_a_page_that_is_tested_elsewhere_is_named_there(page: str) -> None:
    assert page in PAGES
    test = (ROOT / ELSEWHERE[page]).read_text(encoding="utf-8")
    assert page.removesuffix(".md") in test or page == "cluster.md"


def test_blocks_that_are_not_run_are_few_and_say_why() -> None:
    marked = {page: [block for block in code(page) if block.mark == "not run"] for page in PAGES}
    assert {page: len(found) for page, found in marked.items() if found} == NOT_RUN
    assert all(block.why for found in marked.values() for block in found)


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert page == "index.md" or f"({page})" in index


def test_the_gallery_shows_every_product_of_a_study() -> None:
    text = (ROOT / "docs/gallery.md").read_text(encoding="utf-8")
    table = text.partition("| --- |")[2].partition("\n\n")[0]
    # Every study has cells, errors and a report; `products` is a user's own.
    named = {product.name for product in PRODUCTS} - {"cells", "errors", "report", "products"}
    assert named
    studies = [ROOT / "docs/gallery.yaml", ROOT / "config/config.yaml"]
    loaded = [yaml.safe_load(study.read_text(encoding="utf-8")) for study in studies]
    assert config.load(loaded[0]).cells
    for name in named:
        assert f"| `{name}`" in table, name
        assert any(name in study for study in loaded), name
    pictures = re.findall(r"\]\((images/\w+\.png)\)", text)
    assert all((ROOT / "docs" / picture).is_file() for picture in pictures)
    for name, kind in re.findall(r"<!-- (\w+): (measured|generated) -->", text):
        assert len(text.partition(f"<!-- {name}: {kind} -->")[2].partition("<!--")[0]) > 100, name
    for _, target in re.findall(r"\[([^]]+)\]\(#([\w-]+)\)", text):
        assert f"## {target}\n" in text.lower().replace(" ", "-").replace("##-", "## "), target


# --- how the site is built --------------------------------------------------------------------------------


def formula(latex: str, display: str = "inline") -> ElementTree.Element:
    return ElementTree.fromstring(conf._formula(None, nodes.math(text=latex), display))


def children(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    return list(root.iter(f"{{http://www.w3.org/1998/Math/MathML}}{tag}"))


@pytest.mark.parametrize(("latex", "prime"), [(r"\theta'(s)", "′"), (r"\theta'''", "‴"), (r"M''_k", "″")])
def test_a_prime_in_a_formula_is_not_raised_a_second_time(latex: str, prime: str) -> None:
    root = formula(latex)
    assert [mark.text for mark in children(root, "mo") if mark.text == prime] == [prime]
    for kind in ("msup", "msubsup"):
        assert not any(script[-1].text == prime for script in children(root, kind))
    assert len(children(root, "msub")) == latex.count("_")


def test_a_formula_has_the_spaces_and_signs_of_tex() -> None:
    root = formula(r"t/\alpha - \ln\beta + \ln(x)")
    (slash,) = (mark for mark in children(root, "mo") if mark.text == "/")
    assert slash.get("lspace") == slash.get("rspace") == "0"
    assert len(children(root, "mspace")) == 1
    assert all(bar.get("lspace") == "0" for bar in children(formula("|x|/|y|"), "mo"))
    assert [sign.text for sign in children(formula(r"T\sim 1"), "mo")] == ["∼"]


def test_a_formula_of_several_lines_is_lined_up_and_shows_no_sign_of_tex() -> None:
    root = formula(r"m &= a, & b &= 1 \\ v &= c", "block")
    assert [len(children(row, "mtd")) for row in children(root, "mtr")] == [4, 2]
    assert "&" not in "".join(root.itertext())
    sides = [cell.get("style") or "" for cell in children(children(root, "mtr")[0], "mtd")]
    assert ["right" in side for side in sides] == [True, False, True, False]


def test_a_formula_with_an_unknown_command_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\\nonsense is not allowed"):
        formula(r"\nonsense x")


def test_a_full_stop_stays_with_its_formula() -> None:
    text = nodes.paragraph()
    text += [nodes.math(text="x"), nodes.Text("), and "), nodes.math(text="y"), nodes.Text(" too")]
    tree = new_document("page")
    tree += text
    conf._punctuated(None, tree, "page")
    assert text[0].astext() == "x),"
    assert text[0]["classes"] == ["together"]
    assert text.astext() == "x), and y too"


def test_attributes_that_share_a_description_are_told_apart_in_the_reference() -> None:
    lines = [
        "A thing.",
        "",
        "Attributes",
        "----------",
        "low, high : float",
        "    Ends.",
        "name : str",
        "    Its name.",
    ]
    conf._described(None, "class", "", None, None, lines)
    expected = ["low : float", "    Ends.", "high : float", "    Ends.", "name : str", "    Its name."]
    assert lines[4:] == expected


def test_a_measure_of_a_claim_reads_as_a_sentence() -> None:
    text = pages.sentence(r"sign\_changes(offset, floor 0.001) of quadratic RMSProp α = 0.1 minus β = 0.9")
    assert text == (
        "The number of sign changes of the distance θ − minimum, without values below 0.1 % of the greatest, "
        "for quadratic RMSProp α = 0.1, minus that of β = 0.9"
    )
    with pytest.raises(ValueError, match="not described"):
        pages.sentence("nonsense(v) of quadratic Adam")


def test_every_measure_of_claims_has_its_words_on_the_page_of_findings() -> None:
    assert set(pages._PHRASES) == set(MEASURES)


def test_a_finding_names_who_fulfils_the_claim_and_each_number() -> None:
    row = {
        "claim": "It stops.",
        "where": "Figure 1",
        "measure": "peak(v) of quadratic Adam; last(v) of quadratic Adam",
        "threshold": "< 3; < 1",
        "discrete": "✓ 2; 0.5",
        "exact": "✗ 4; 0.6 †",
    }
    text = pages.finding(row, ["discrete", "exact"])
    assert "Fulfilled by the discrete run. Not fulfilled by the exact solution." in text
    assert "the discrete run 2; the exact solution 4 †. Required: < 3." in text
    assert "the discrete run 0.5; the exact solution 0.6 †. Required: < 1." in text


def test_every_module_of_the_package_has_its_place_on_the_page_that_tells_where_things_live() -> None:
    package = ROOT / "src/idescent"
    modules = {path.relative_to(package).with_suffix("").as_posix() for path in package.glob("*/**/*.py")}
    modules = {name for name in modules if not name.endswith("__init__")}
    placed = re.findall(r"^\| `([\w/]+)` \|", pages.inside(), flags=re.M)
    assert sorted(placed) == sorted(modules)
