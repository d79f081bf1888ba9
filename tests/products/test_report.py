"""The page needs no other file, says what the results say, and names neither machine nor person."""

import getpass
import hashlib
import math
import platform
import re
import shutil
import socket
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import reported

from idescent.drawing import style
from idescent.products.product import Task
from idescent.products.report import assets, claims, facts, figures, tables, templates, vendor
from idescent.products.report import page as report_page
from idescent.products.report.content import Column, Table, compressed
from idescent.store.files import DamagedError
from idescent.store.tables import read_errors


class Elements(HTMLParser):
    """Every element of a page with its attributes, in order, and its text without scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.found, self.text, self.silent = [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.silent = tag in ("script", "style")

    def handle_endtag(self, tag):
        self.silent = False

    def handle_data(self, data):
        self.text += "" if self.silent else data

    def named(self, *tags):
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return reported.page(tmp_path_factory.mktemp("report") / "small")


@pytest.fixture
def copy(made, tmp_path):
    """A study of one's own, to change."""
    return Path(shutil.copytree(made.parent, tmp_path / "copy"))


@pytest.fixture(scope="module")
def text(made):
    return made.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def elements(text):
    return Elements(text)


TABLES = ("odd-table", "errors-table", "files-table")


def links(text, name):
    columns = reported.table_of(text, name).values()
    return [value for column in columns if column["kind"] == "links" for value in column["values"]]


def test_the_page_refers_to_nothing_that_is_not_in_it_or_beside_it(made, text, elements):
    for attributes in elements.named("script", "link", "img", "iframe", "object", "source"):
        for name in ("src", "href", "data", "srcset"):
            assert attributes.get(name, "data:").startswith("data:")
    targets = [attributes["href"] for attributes in elements.named("a")]
    names = {attributes["id"] for _, attributes in elements.found if "id" in attributes}
    targets += [address for name in TABLES for pairs in links(text, name) for _, address in pairs]
    for target in targets:
        if target.startswith("#"):
            assert target.startswith("#explore?") or target[1:] in names
        else:
            assert (made.parent / unquote(target)).is_file()
    assert sum(target.endswith(".parquet") for target in targets) > 10


def test_every_name_in_the_page_is_given_once(elements):
    names = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(names) == len(set(names))


def test_tables_and_pictures_say_what_they_are(elements):
    assert all(attributes.get("scope") in ("col", "row") for attributes in elements.named("th"))
    assert all(attributes["alt"] for attributes in elements.named("img"))
    assert len(elements.named("caption")) == len(elements.named("table"))
    captions = [a for a in elements.named("p") if a.get("class") == "caption"]
    tables = [a for a in elements.named("div") if a.get("class") == "data-table"]
    assert [a["id"] for a in captions] == [f"{a['id']}-caption" for a in tables]
    assert [len(elements.named(tag)) for tag in ("main", "h1", "nav", "header", "footer")] == [1] * 5


def test_what_did_not_converge_stands_before_everything_else(text, elements):
    order = [attributes["id"] for attributes in elements.named("section")]
    expected = ["summary", "odd", "explorer", "errors", "claims", "product-paths", "provenance"]
    assert order == expected
    part = Elements(re.search(r'<section id="odd".*?</section>', text, re.DOTALL)[0])
    assert "1 of 11 solutions" in part.text
    table = reported.table_of(text, "odd-table")
    assert table["status"]["values"] == ["not converged (no smoothing left)"]
    assert table["status"]["looks"] == {"not converged (no smoothing left)": "mark"}
    assert table["message"]["values"] == [reported.MESSAGE]


def test_a_diverged_run_is_listed_with_its_solutions():
    fixed = {"objective": "bowl", "optimizer": "Adam", "label": "alpha~0.1", "norm": "sup", "solution": "x"}
    ends = [("completed", "converged"), ("diverged", "converged"), ("completed", "diverged")]
    lines = [fixed | {"quantity": "theta", "discrete_status": run, "status": s} for run, s in ends]
    assert tables.odd(lines) == lines[1:]


def test_the_table_of_errors_has_every_error_of_the_study(made, text):
    rows = read_errors([made.parent / "tables/errors.parquet"]).to_pylist()
    lines = tables.pivoted(rows)
    assert len(lines) == len(
        {(r["label"], r["optimizer"], r["solution"], r["quantity"], r["norm"]) for r in rows}
    )
    for row in rows:
        names = ("optimizer", "label", "solution", "quantity", "norm")
        (line,) = [line for line in lines if all(line[name] == row[name] for name in names)]
        assert line[f"{row['kind']} error"] == row["error"]
    table = reported.table_of(text, "errors-table")
    assert {len(column["values"]) for column in table.values()} == {len(lines)}
    kinds = {"total": "|discrete − solution|", "model": "model", "solver": "solver"}
    for kind, title in kinds.items():
        assert table[title]["values"] == [line.get(f"{kind} error") for line in lines]
    assert {row["kind"] for row in rows} == set(kinds)


def test_a_long_table_has_every_row_and_every_digit():
    names = ("objective", "optimizer", "label", "solution", "discrete_status", "status", "quantity", "norm")
    line = dict.fromkeys(names, "x") | {"at": 3, "alpha": 0.1, "steps": 9, "gradient_evaluations": 7}
    rng = np.random.default_rng(1)
    errors = rng.random(20_000)
    lines = [line | {"error": error, "relative": math.nan, "error_estimate": None} for error in errors]
    content = tables.errors_table(lines, ()).content()
    columns = {column["title"]: column["values"] for column in reported.unpacked(content["block"])}
    np.testing.assert_array_equal(columns["|discrete − solution|"], errors)
    assert set(columns["relative"]) == {None}
    assert tables.errors_table(lines, ()).content() == content


def test_infinity_and_nan_become_what_json_can_store():
    columns = [Column("a", [math.inf, -math.inf, math.nan, 1], "error"), Column("b", ["<b>", None, "", "é"])]
    first, second = reported.unpacked(Table("t", "caption", columns).content()["block"])
    assert first["values"] == ["Infinity", "-Infinity", None, 1]
    assert second["values"] == ["<b>", None, "", "é"]
    with pytest.raises(ValueError, match="JSON"):
        compressed([math.nan])


def test_a_column_of_a_csv_is_numeric_if_every_value_is_a_number(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("n,t,empty\n1,1\u00d7,\n,2,\n0.1234567,,\n", encoding="utf-8")
    columns = tables.csv_table("a-table", "a.csv", file).columns
    assert [(c.title, c.kind, c.values) for c in columns] == [
        ("n", "number", [1.0, None, 0.1234567]),
        ("t", "text", ["1\u00d7", "2", ""]),
        ("empty", "text", ["", "", ""]),
    ]


def test_a_claim_is_one_row_with_its_verdict_and_what_was_measured(text):
    table = {title: column["values"] for title, column in reported.table_of(text, "claims-table").items()}
    assert [claim["statement"] for claim in table["claim"]] == ["It <moves>.", "It stops.", "It returns."]
    assert table["verdict"] == ["holds", "fails", "holds only for the scheme"]
    assert [shown for shown, _ in table["discrete"]] == ["✓ 3.5", "✗ 20000; ✗ none", "✓ 1 … 2"]
    assert table["claim"][2]["checks"] == ["last(theta): must be > 1.5 for one"]
    assert claims.verdicts([{"id": "a", "verdict": "holds"}] * 2) == {"holds": 1}


def test_a_figure_has_its_picture_caption_rule_and_configuration(made, text):
    part = re.search(r'<figure id="rmsprop".*?</figure>', text, re.DOTALL)[0]
    said = Elements(part).text
    assert reported.CAPTION in said
    assert "quantity: theta" in said
    assert "Drawn by the rule figure" in said
    assert figures.embedded(made.parent / "figures/rmsprop.svg") in part
    assert "<b>" not in part


def test_a_large_drawing_gives_way_to_the_picture_in_pixels(made, monkeypatch):
    svg = made.parent / "figures/rmsprop.svg"
    assert figures.embedded(svg).startswith("data:image/svg+xml;base64,")
    monkeypatch.setattr(figures, "MOST_BYTES", svg.stat().st_size - 1)
    assert figures.embedded(svg).startswith("data:image/png;base64,")


def test_the_same_results_make_the_same_bytes_in_another_folder(made, copy):
    before = made.read_bytes()
    assert reported.remade(copy).read_bytes() == before


def test_a_date_is_in_the_page_only_where_the_caller_gives_one(made, copy, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    dated = reported.remade(copy).read_text(encoding="utf-8").splitlines()
    plain = made.read_text(encoding="utf-8").splitlines()
    (changed,) = [(a, b) for a, b in zip(plain, dated, strict=True) if a != b]
    assert "1970-01-02" in changed[1]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    with pytest.raises(ValueError, match="SOURCE_DATE_EPOCH: 'today' is not allowed"):
        facts.made()


def test_the_page_names_versions_and_sources_but_neither_host_nor_user_nor_folder(made, text, elements):
    assert f"Python{platform.python_version()}" in re.sub(r"\s", "", elements.text)
    assert "c0de" * 16 in elements.text
    visible = re.sub(r"base64,[^\"]*", "", text)
    for secret in (str(made.parent), str(Path.home()) + "/", str(Path.cwd()), f"/{getpass.getuser()}/"):
        assert secret not in visible
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", elements.text)


def test_text_from_a_study_cannot_become_part_of_the_page(copy):
    config = {"note": "<img src=x>", "figures": {"rmsprop": reported.FIGURE}}
    page = reported.remade(copy, study="</script><script>alert(1)</script>", config=config)
    text = page.read_text(encoding="utf-8")
    assert "alert(1)" in text
    assert "alert(1)</script>" not in text
    assert "<img src=x>" not in text


def test_a_damaged_file_is_named_and_no_page_is_left(copy):
    (copy / "report.html").unlink()
    file = next(copy.rglob("paper.exact.parquet"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=re.escape(str(file))):
        reported.remade(copy)
    assert not (copy / "report.html").exists()


def test_the_vendored_files_are_those_of_the_manifest():
    names = []
    for library in vendor.manifest():
        names += library["files"]
        for name, expected in library["files"].items():
            assert hashlib.sha256((vendor.HERE / name).read_bytes()).hexdigest() == expected
        (script,) = [name for name in library["files"] if name.endswith(".js")]
        assert f"v{library['version']}" in (vendor.HERE / script).read_text(encoding="utf-8")[:200]
        assert library["license"] in vendor.licences()[library["package"]].splitlines()[0]
    assert {"manifest.json", *names} == set(vendor.DATA_FILES)
    assert set(vendor.DATA_FILES) == {
        file.name for file in vendor.HERE.iterdir() if file.suffix not in (".py", "")
    }


def test_the_page_has_the_libraries_with_their_licences_and_refers_to_no_source_map(text):
    assert text.count("The MIT License (MIT)") == 2
    assert "Tabulator v6.5.3" in text
    assert "sourceMappingURL" not in text
    # Code from text is not allowed by the page's policy.
    assert not re.search(r"\beval\(|new Function\(", vendor.script())


def test_every_template_style_sheet_and_script_is_declared_to_the_digest():
    for module in (assets, templates):
        files = {file.name for file in module.HERE.iterdir() if file.is_file() and file.suffix != ".py"}
        assert set(module.DATA_FILES) == files


def test_the_style_sheet_has_only_greys_and_colours_of_the_figures():
    figure_colours = {colour.upper() for colour, _ in style._LOOKS.values()}
    for colour in re.findall(r"#[0-9A-Fa-f]{6}", "".join(map(assets.read, assets.STYLES))):
        grey = len({colour[i : i + 2] for i in (1, 3, 5)}) == 1
        assert grey or colour.upper() in figure_colours


def luminance(colour):
    encoded = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_stands_out_from_its_ground_in_light_and_dark(scheme):
    roots = re.findall(r":root \{(.*?)\}", assets.read("page.css"), re.DOTALL)
    colours = {}
    for block in roots[: scheme + 1]:
        colours |= dict(re.findall(r"--(\w+): (#\w{6})", block))
    for front in ("ink", "soft", "link"):
        for back in ("ground", "shade"):
            light, dark = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (front, back)


def test_a_selection_is_announced_in_the_page(copy):
    said = Elements(reported.remade(copy, cells=900, solutions=1800).read_text(encoding="utf-8")).text
    assert "900 cells with 1800 solutions, too many for one page. The explorer shows 5 cells" in " ".join(
        said.split()
    )


def test_a_figure_that_has_a_number_shows_it():
    assert figures.numbered("figure_08_errors", "Paths: errors") == "Figure 8. Paths: errors"
    assert figures.numbered("figure_16", "Loss") == "Figure 16. Loss"
    assert figures.numbered("errors_split", "Errors") == "Errors"


@pytest.mark.parametrize(
    ("stage", "absent"),
    [
        ("numbers", "matplotlib pandas seaborn scipy jinja2"),
        ("summary", "matplotlib pandas seaborn scipy jinja2"),
        ("page", "matplotlib pandas seaborn scipy numpy pyarrow"),
    ],
)
def test_the_report_loads_no_more_than_it_uses(stage, absent):
    code = (
        f"import sys, idescent.products.report.{stage}\n"
        f"print(*set('{absent}'.split()) & {{m.split('.')[0] for m in sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "\n"


def test_numbers_that_are_cut_short_are_named_and_removed_by_their_job(copy):
    numbers = copy / "report.json"
    numbers.write_text(numbers.read_text(encoding="utf-8")[:-100], encoding="utf-8")
    with pytest.raises(DamagedError, match=r"report\.json: not a whole file of a report's numbers \("):
        report_page.job(Task([numbers], [copy / "report.html"], {"study": "small", "config": {}}))


def test_a_page_names_the_code_behind_it_and_its_numbers(copy):
    said = Elements(reported.remade(copy).read_text(encoding="utf-8")).text
    assert "this page" + "c0de" * 16 in said
    assert "its numbers" + "d161" * 16 in said
