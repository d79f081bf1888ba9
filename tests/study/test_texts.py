"""Text is text: whatever stands in a field of a configuration, it is refused in one line or kept unharmed."""

from __future__ import annotations

import copy
import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
import yaml
from configured import complete, figure, minimal
from hostile import BESIDE_ONLY, FORBIDDEN, SHORT
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from idescent import config
from idescent.drawing.markup import escaped, marked, restructured
from idescent.drawing.saving import save, styled
from idescent.jobs import job_files
from idescent.products.claims import audit
from idescent.products.claims import statements as claims_spec
from idescent.products.claims import table as claims_table
from idescent.products.paths import formulas
from idescent.products.report import figures
from idescent.products.report.templates import render
from idescent.study import texts
from idescent.study.messages import ConfigError

ROOT = Path(__file__).parents[2]
# Fields whose text is shown as it is; of all others the allowed values are known.
BESIDE = {"figures.*.title", "figures.*.caption"}
DRAWN = {
    "figures.*.x_label",
    "figures.*.y_label",
    "figures.*.panels.*.title",
    "figures.*.lines.*.label",
}


def free(schema: dict[str, Any], node: dict[str, Any], place: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the places of a JSON schema that take any text."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    for option in node.get("anyOf", ()):
        yield from free(schema, option, place)
    if node.get("type") == "string" and not {"pattern", "enum", "const"} & set(node):
        yield ".".join(place)
    for key, child in node.get("properties", {}).items():
        yield from free(schema, child, (*place, key))
    inner = [node.get("items"), *node.get("prefixItems", ()), node.get("additionalProperties")]
    for child in (*inner, *node.get("patternProperties", {}).values()):
        if isinstance(child, dict):
            yield from free(schema, child, (*place, "*"))


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the places of all texts in a configuration, those of keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*place, key, None)
            yield from leaves(inner, (*place, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from leaves(inner, (*place, i))
    elif isinstance(value, str):
        yield place


def replaced(raw: Any, place: tuple[Any, ...], text: str) -> Any:
    """Put a text at a place, or instead of the key before it if the place ends with None."""
    raw = copy.deepcopy(raw)
    *parents, last = place[:-1] if place[-1] is None else place
    target = raw
    for part in parents:
        target = target[part]
    if place[-1] is None:
        target[text] = target.pop(last)
    else:
        target[last] = text
    return raw


def outcome(raw: dict[str, Any]) -> str | None:
    """Load a configuration; return the complaint, if there is one."""
    try:
        config.load(raw)
    except ConfigError as error:
        return str(error)
    return None


def test_every_field_that_takes_any_text_is_known() -> None:
    schema = config.schema()
    names = {  # checked against names in the same file
        *("runs.*.solutions.*", "forecast.*.solutions.*", "ensembles.*.solutions.*", "solutions.*.reference"),
        "ensembles.*.noise.*",
        *("scaling.quantities.*", "figures.*.objective", "figures.*.select.*.optimizer", "figures.*.show.*"),
    }
    shorthand = {
        f"{section}.*" for section in ("objectives", "schedules", "products")
    }  # a class by its name alone
    shorthand |= {"solutions.*.model", "solutions.*.solver"}
    assert set(free(schema, schema)) - names - shorthand == BESIDE | DRAWN | {"claims"}


# Loading a configuration a thousand times takes long: most texts are tried together.
TOGETHER = " ".join(SHORT)


@pytest.mark.parametrize("text", [TOGETHER, "_label", "null", "x" * 140_000], ids=lambda text: text[:10])
def test_any_text_in_any_place_is_refused_in_a_line_or_kept(text: str) -> None:
    raw, kept = complete(), set()
    for place in leaves(raw):
        changed = replaced(raw, place, text)
        said = outcome(changed)
        if said is None:
            kept.add(".".join("*" if i in (1, 3) else str(part) for i, part in enumerate(place)))
            continue
        lines = said.splitlines()
        assert all(line.startswith("config: ") and line.isprintable() for line in lines), said
        assert max(map(len, lines)) < 2000
    allowed = BESIDE | DRAWN | {"claims"}
    assert kept >= BESIDE | DRAWN
    if text not in ("_label", "null"):  # names like others
        assert kept == allowed - ({"claims"} if "{" in text else set())


@pytest.mark.parametrize("text", FORBIDDEN[:3], ids=ascii)
def test_what_no_file_can_hold_is_refused_wherever_it_stands(text: str) -> None:
    for place in leaves(complete()):
        said = outcome(replaced(complete(), place, f"a{text}b"))
        assert said is not None
        assert texts.RULE in said
        assert said.count("\n") == 0


def test_all_other_characters_pass_and_shared_parts_are_looked_at_once() -> None:
    assert not list(texts.forbidden("".join(SHORT) + "".join(BESIDE_ONLY)))
    nested: Any = ["x"]
    for _ in range(60):
        nested = [nested] * 2
    assert not list(texts.forbidden(nested))
    deep: Any = "\x07"
    for _ in range(5000):
        deep = {"a": deep}
    assert len(list(texts.forbidden(deep))) == 1


@pytest.mark.parametrize("text", [*SHORT, *BESIDE_ONLY[:-1], *FORBIDDEN], ids=ascii)
def test_claims_keep_every_text_or_are_refused_in_a_line(text: str) -> None:
    raw = yaml.safe_load((ROOT / "config/claims.yaml").read_text(encoding="utf-8"))
    raw["claims"] = raw["claims"][:1]
    raw["claims"][0] |= {"where": text, "statement": text, "reason": text}
    raw["sources"][text] = {"path": text, "role": "scheme"}
    if text in FORBIDDEN:
        with pytest.raises(claims_spec.ClaimsError) as caught:
            claims_spec.parse(raw)
        assert str(caught.value).isprintable()
        return
    claims = claims_spec.parse(raw)
    findings = audit.audit(claims, [])
    (row,) = list(csv.DictReader(io.StringIO(claims_table.csv(claims, findings), newline="")))[:1]
    assert (row["where"], row["statement"], row["reason"]) == (text, text, text)
    assert f"{text} state" in row
    lines = claims_table.markdown(claims, findings).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 3
    assert len({line.replace(r"\\", "").replace(r"\|", "").count("|") for line in table}) == 1


@pytest.mark.parametrize("title", ["where", "reason", "my state", "a note"])
def test_a_source_is_not_called_as_another_column(title: str) -> None:
    raw = yaml.safe_load((ROOT / "config/claims.yaml").read_text(encoding="utf-8"))
    raw["sources"][title] = {"path": "x", "role": "scheme"}
    with pytest.raises(claims_spec.ClaimsError, match="claims\\.csv already has such a column"):
        claims_spec.parse(raw)


def drawing(text: str, **more: Any) -> dict[str, Any]:
    """A configuration with one figure that has a text in every field that is drawn."""
    panels = [{"alpha": 0.1, "title": text}]
    lines = {"paper.exact": {"label": text}}
    shown = {"show": ["discrete", "paper.exact"], "x_label": text, "y_label": text}
    return minimal() | {"figures": {"one": figure(panels=panels, lines=lines, **shown, **more)}}


@pytest.mark.parametrize("text", SHORT, ids=ascii)
def test_what_can_be_drawn_is_accepted(text: str, tmp_path: Path) -> None:
    formulas.check(config.load(drawing(text)), tmp_path)


@pytest.mark.parametrize("text", [*BESIDE_ONLY, r"$\frac{1$", "$ $", "$漢$", "\ue000"], ids=ascii)
def test_what_cannot_be_drawn_is_said_in_one_line_for_each_place(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        formulas.check(config.load(drawing(text)), tmp_path)
    lines = str(caught.value).splitlines()
    places = ["x_label", "y_label", "panels.0.title", "lines.paper.exact.label"]
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == [
        f"figures.one.{place}" for place in places
    ]
    assert all("is not allowed: " in line and len(line) < 400 for line in lines)
    assert not list(tmp_path.iterdir())
    # Beside the drawing it is a text like any other.
    formulas.check(config.load(minimal() | {"figures": {"one": figure(title=text, caption=text)}}), tmp_path)


def test_characters_that_are_not_tried_are_in_the_font() -> None:
    font = FT2Font(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf"))
    known = {chr(code) for code in font.get_charmap()}
    untried = {chr(code) for code in range(0x3000) if formulas._PLAIN.fullmatch(chr(code))}
    assert untried - known == {"\n"}
    assert "$" not in untried


CHECK = """
import sys
from pathlib import Path
from idescent import config
from idescent.products.paths import formulas
import json
formulas.check(config.load(json.loads(sys.argv[1])), Path(sys.argv[2]))
print("matplotlib" in sys.modules)
"""


def loads_matplotlib(raw: dict[str, Any], folder: Path) -> bool:
    words = [sys.executable, "-c", CHECK, json.dumps(raw), str(folder)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout == "True\n"


def test_matplotlib_is_loaded_only_for_texts_in_doubt_that_have_changed(tmp_path: Path) -> None:
    assert not loads_matplotlib(drawing("plain {k} äöü αβγ"), tmp_path)
    assert loads_matplotlib(drawing(r"$\theta_{k}$"), tmp_path)
    assert not loads_matplotlib(drawing(r"$\theta_{k}$"), tmp_path)
    assert loads_matplotlib(drawing(r"$\theta_{j}$"), tmp_path)


class Texts(HTMLParser):
    """The text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)


@pytest.mark.parametrize("text", [*SHORT, "漢字 🜲\t.", "x" * 140_000], ids=lambda text: ascii(text[:20]))
def test_a_text_is_the_same_in_a_job_a_drawing_and_a_page(text: str, tmp_path: Path) -> None:
    job_files.write(tmp_path / "job.json", dict.fromkeys(job_files.KEYS, text))
    assert job_files.read(tmp_path / "job.json")["given"] == text
    with styled():
        outputs = [tmp_path / f"one{suffix}" for suffix in (".svg", ".pdf", ".png")]
        canvas = Figure(figsize=(1.0, 1.0))
        canvas.subplots()
        save(canvas, outputs, text, text)
    assert figures.described(outputs[0]) == (text, text)
    figure = figures.figure(outputs[0], tmp_path, "figure", {"caption": text})
    page = render("figures.html.j2", product={"figures": [figure]})
    parsed = Texts(page)
    assert "script" not in parsed.tags
    caption = page.partition("<figcaption>")[2].partition("</figcaption>")[0]
    assert "".join(Texts(caption).found) == text
    entry = page.partition("<pre>")[2].partition("</pre>")[0]
    assert yaml.safe_load("".join(Texts(entry).found)) == {"caption": text}
    assert ElementTree.parse(outputs[0]).getroot().tag.endswith("svg")


@pytest.mark.parametrize("text", SHORT, ids=ascii)
def test_a_text_is_the_same_in_restructured_text(text: str) -> None:
    core = pytest.importorskip("docutils.core")
    html = core.publish_parts(restructured(text) + "\n", writer="html5")["body"]
    assert " ".join("".join(Texts(html).found).split()) == " ".join(text.split())
    assert set(Texts(html).tags) <= {"p"}


def test_latex_and_markdown_escape_what_they_would_take_for_their_own() -> None:
    assert escaped(r"\{}$%&#_") == r"\textbackslash{}\{\}\$\%\&\#\_"
    assert escaped("~^<>|") == r"\~{}\^{}\textless{}\textgreater{}\textbar{}"
    assert escaped("a--b---c ``d'' e") == "a-{}-b-{}-{}-c `{}`d'{}' e"
    assert escaped("a\nb") == "a b"
    assert marked("*a* _b_ `c` <d> [e] $f$ \\") == r"\*a\* \_b\_ \`c\` \<d\> \[e\] \$f\$ \\"
    assert marked("a\n  b") == "a b"
