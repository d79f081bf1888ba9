"""The tables in a browser: order, search, filters, columns, CSV, addresses, paper, number of elements."""

import base64
import csv
import random
import time
from urllib.parse import parse_qs

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from idescent.products.report.content import Column, Table
from idescent.store.tables import read_errors

pytestmark = pytest.mark.browser

ROWS = 20_000


def rows(page, table):
    """Texts of the rows that are in the document."""
    script = (
        "return [...document.querySelectorAll(`#${arguments[0]} .tabulator-row`)].map(row => "
        "[...row.querySelectorAll('.tabulator-cell')].filter(c => c.offsetParent)"
        ".map(c => c.innerText.trim()))"
    )
    return page.run(script, table)


def column(page, table, index):
    return [row[index] for row in rows(page, table)]


def count(page, table):
    return page.find(f"#{table} .rows").text


def head(page, table, index):
    """The head of a column and its button, in sight as after a press of the tabulator key."""
    cell = page.all(f"#{table} .tabulator-col")[index]
    button = cell.find_element("css selector", "button")
    page.run("arguments[0].scrollIntoView({block: 'center'})", page.find(f"#{table} .tabulator-header"))
    page.run("arguments[0].focus()", button)
    page.settle()
    return cell, button


def choose(page, table, title, value):
    (label,) = [
        label
        for label in page.all(f"#{table} .tool > label")
        if label.get_attribute("textContent").startswith(title)
    ]
    Select(label.find_element("css selector", "select")).select_by_value(value)
    page.settle()


def search(page, table, text):
    field = page.find(f"#{table} input[type=search]")
    field.clear()
    field.send_keys(text)
    page.settle()


def untick(page, table, title):
    columns = page.find(f"#{table} .columns")
    if columns.get_attribute("open") is None:
        columns.find_element("css selector", "summary").click()
    (label,) = [label for label in columns.find_elements("css selector", "label") if label.text == title]
    label.click()
    page.settle()


def downloaded(page, table, folder):
    """The content of the CSV that the button saves."""
    page.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)}
    )
    page.find(f"#{table} .tool > button").click()
    file = folder / f"{table}.csv"
    for _ in range(100):
        if file.is_file():
            break
        time.sleep(0.05)
    with file.open(encoding="utf-8", newline="") as content:
        return list(csv.reader(content))


def test_the_table_of_errors_first_shows_the_largest_errors_of_theta(page):
    assert set(column(page, "errors-table", 5)) == {"θ"}
    assert set(column(page, "errors-table", 6)) == {"sup"}
    assert len(rows(page, "errors-table")) == 11
    assert count(page, "errors-table").startswith("11 of ")


@pytest.mark.parametrize(
    "press", [lambda button: button.click(), lambda button: button.send_keys(Keys.ENTER)]
)
def test_a_head_sorts_up_then_down_then_not_at_all(page, press):
    before = column(page, "errors-table", 7)
    cell, button = head(page, "errors-table", 7)
    press(button)
    page.settle()
    up = [float(x) for x in column(page, "errors-table", 7)]
    assert up == sorted(up)
    assert up != [float(x) for x in before]
    assert cell.get_attribute("aria-sort") == "ascending"
    press(button)
    page.settle()
    assert [float(x) for x in column(page, "errors-table", 7)] == up[::-1]
    assert cell.get_attribute("aria-sort") == "descending"
    press(button)
    page.settle()
    assert column(page, "errors-table", 7) == before
    assert cell.get_attribute("aria-sort") == "none"


def test_cells_without_a_number_come_last_however_the_table_is_sorted(page):
    _, button = head(page, "errors-table", 11)
    for _ in range(2):
        button.click()
        page.settle()
        shown = column(page, "errors-table", 11)
        assert "–" in shown
        assert shown[shown.index("–") :] == ["–"] * shown.count("–")
        assert shown.index("–") > 0


def test_filters_and_search_leave_the_rows_that_fit(page):
    choose(page, "errors-table", "optimizer", "Adam")
    assert len(rows(page, "errors-table")) == 2
    choose(page, "errors-table", "quantity", "")
    assert sorted(set(column(page, "errors-table", 5))) == ["loss", "m", "v", "θ"]
    choose(page, "errors-table", "solution", "paper.exact")
    assert set(column(page, "errors-table", 4)) == {"paper.exact"}
    search(page, "errors-table", "no such thing")
    assert rows(page, "errors-table") == []
    assert count(page, "errors-table").startswith("0 of ")
    assert "No row matches." in page.find("#errors-table .tabulator").text


def test_a_row_matches_a_search_if_it_has_every_word_in_any_order(page):
    search(page, "errors-table", "EXACT rmsprop 0.99")
    (row,) = rows(page, "errors-table")
    assert row[1:5] == ["RMSProp", "β = 0.99", "0.1", "paper.exact"]
    search(page, "errors-table", "exact rmsprop")
    assert len(rows(page, "errors-table")) == 2


def test_numbers_are_those_of_the_file_rounded(page):
    stored = read_errors([page.path.parent / "tables/errors.parquet"]).to_pylist()
    errors = [
        row["error"]
        for row in stored
        if (row["quantity"], row["norm"], row["kind"]) == ("theta", "sup", "total")
    ]
    assert sorted(column(page, "errors-table", 7)) == sorted(f"{error:.2e}" for error in errors)


def test_the_csv_has_the_rows_and_columns_that_are_shown_with_all_digits(page, tmp_path):
    choose(page, "errors-table", "norm", "")
    search(page, "errors-table", "adam exact")
    untick(page, "errors-table", "objective")
    untick(page, "errors-table", "links")
    head(page, "errors-table", 7)[1].click()
    page.settle()
    titles, *lines = downloaded(page, "errors-table", tmp_path)
    assert titles[:4] == ["optimizer", "configuration", "α", "solution"]
    assert "links" not in titles
    shown = rows(page, "errors-table")
    assert [line[:6] for line in lines] == [row[:6] for row in shown]
    at = titles.index("|discrete − solution|")
    stored = {
        row["norm"]: row["error"]
        for row in read_errors([page.path.parent / "tables/errors.parquet"]).to_pylist()
        if (row["optimizer"], row["solution"], row["quantity"], row["kind"])
        == ("Adam", "paper.exact", "theta", "total")
    }
    assert {line[titles.index("norm")]: float(line[at]) for line in lines} == stored
    assert [float(line[at]) for line in lines] == sorted(stored.values())


def test_the_address_restores_search_filters_columns_and_order(page):
    choose(page, "errors-table", "optimizer", "RMSProp")
    choose(page, "errors-table", "quantity", "")
    search(page, "errors-table", "exact sup")
    untick(page, "errors-table", "objective")
    _, button = head(page, "errors-table", 7)
    button.click()
    button.click()
    page.settle()
    address, shown = page.hash, rows(page, "errors-table")
    fields = parse_qs(address.partition("?")[2])
    assert fields["name"] == ["errors-table"]
    assert fields["search"] == ["exact sup"]
    assert fields["hide"] == ["objective"]
    assert fields["sort"] == ["|discrete − solution|:desc"]
    assert len(shown) == 6
    page.open(address)
    # The view of an address is restored after the table was shown without it.
    page.settle()
    assert rows(page, "errors-table") == shown
    assert count(page, "errors-table").startswith("6 of ")
    assert page.hash == address


def test_an_address_that_names_nothing_of_the_table_shows_the_table(page):
    page.open("#table?name=errors-table&filter=x:y&filter=optimizer:None&hide=z&sort=q:asc&sort=norm:up")
    page.settle()
    assert len(rows(page, "errors-table")) == 11
    page.open("#table?name=content")
    assert len(rows(page, "errors-table")) == 11


def test_claims_are_found_by_their_verdict_and_unfold(page):
    assert len(rows(page, "claims-table")) == 3
    assert page.texts("#claims-table .verdict.bad") == ["fails"]
    details = page.find("#claims-table .tabulator-row details")
    assert not details.find_element("css selector", "ul").is_displayed()
    page.run("arguments[0].scrollIntoView({block: 'center'})", details)
    details.find_element("css selector", "summary").click()
    assert details.find_element("css selector", "ul").is_displayed()
    choose(page, "claims-table", "verdict", "holds")
    assert [row[0].partition("\n")[0] for row in rows(page, "claims-table")] == ["It <moves>."]


def test_a_table_in_a_closed_part_of_the_page_is_built_when_it_opens(page):
    assert page.all("#files-table .tabulator") == []
    page.run("document.getElementById('files-table').closest('details').open = true")
    page.settle()
    page.settle()
    assert len(rows(page, "files-table")) == 16
    assert all(file.endswith(".parquet") for file in column(page, "files-table", 0))


def test_a_reader_of_the_screen_learns_names_and_positions(page):
    grid = page.find("#errors-table .tabulator")
    assert grid.get_attribute("role") == "grid"
    named = page.find("#" + grid.get_attribute("aria-labelledby"))
    assert named.text == "Errors of every solution against the discrete run of its cell"
    assert grid.get_attribute("aria-rowcount") == "12"
    positions = page.run(
        "return [...document.querySelectorAll('#errors-table .tabulator-row')].map(r => r.ariaRowIndex)"
    )
    assert positions == [str(i) for i in range(2, 13)]
    roles = page.run(
        "return [...document.querySelectorAll('#errors-table .tabulator-row > [role]')].map(c => c.role)"
    )
    assert roles == (["rowheader"] + ["gridcell"] * (len(roles) // 11 - 1)) * 11


def test_on_paper_the_rows_that_are_shown_are_plain_tables(page):
    choose(page, "errors-table", "optimizer", "Adam")
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    script = (
        "return [...document.querySelectorAll('#errors-table .tabulator-print-table tr')]"
        ".map(r => [...r.cells].map(c => c.textContent))"
    )
    titles, *lines = page.run(script)
    assert titles[:3] == ["objective", "optimizer", "configuration"]
    assert [line[1] for line in lines] == ["Adam", "Adam"]
    assert not page.find("#errors-table .tabulator").is_displayed()
    page.run("window.dispatchEvent(new Event('afterprint'))")
    assert page.run(script) == []
    assert page.find("#errors-table .tabulator").is_displayed()
    assert base64.b64decode(page.driver.execute_cdp_cmd("Page.printToPDF", {})["data"]).startswith(b"%PDF")


@pytest.fixture(scope="module")
def long(made, tmp_path_factory):
    """The page with a table of 20 000 rows in the place of the table of errors; and the rows' numbers."""
    generator = random.Random(1)
    numbers = [generator.random() for _ in range(ROWS)]
    names = [f"<i>row</i> {i}" for i in range(ROWS)]
    parity = ["even" if i % 2 == 0 else "odd" for i in range(ROWS)]
    columns = [Column("name", names), Column("parity", parity, filter=""), Column("value", numbers, "error")]
    columns += [Column(f"column {i}", numbers, "number") for i in range(9)]
    text = made.read_text(encoding="utf-8")
    start = text.index('<script type="text/plain">', text.index('<div class="data-table" id="errors-table">'))
    start, end = start + len('<script type="text/plain">'), text.index("</script>", start)
    path = made.with_name("long.html")
    path.write_text(text[:start] + Table("t", "", columns).content()["block"] + text[end:], encoding="utf-8")
    return path, numbers


@pytest.fixture
def long_page(page, long):
    page.path, _ = long
    page.open()
    yield page
    page.requests()


def test_a_table_of_20000_rows_has_no_more_elements_than_fit_its_frame(page, made, long):
    before = page.elements
    page.path = long[0]
    page.open()
    assert count(page, "errors-table") == f"{ROWS} of {ROWS} rows"
    assert page.elements < before + 2000
    assert page.elements < 30_000
    holder = page.find("#errors-table .tabulator-tableholder")
    for part in (0.5, 1.0):
        page.run("arguments[0].scrollTop = arguments[1] * arguments[0].scrollHeight", holder, part)
        page.settle()
        names = column(page, "errors-table", 0)
        assert abs(int(names[-1].split()[1]) - part * ROWS) < 100
        assert page.elements < before + 2000
    # Texts of a study are texts.
    assert names[-1] == f"<i>row</i> {ROWS - 1}"
    page.requests()
    page.path = made


def test_a_long_table_is_sorted_searched_and_filtered_as_a_whole(long_page, long):
    page, numbers = long_page, long[1]
    head(page, "errors-table", 2)[1].click()
    page.settle()
    first = min(range(ROWS), key=numbers.__getitem__)
    assert rows(page, "errors-table")[0][:3] == [
        f"<i>row</i> {first}",
        ["even", "odd"][first % 2],
        f"{numbers[first]:.2e}",
    ]
    search(page, "errors-table", "199 row 7")
    texts = [f"row {i} {x:.2e} {float(f'{x:.5g}')}" for i, x in enumerate(numbers)]
    matching = [i for i, text in enumerate(texts) if "199" in text and "7" in text]
    assert count(page, "errors-table") == f"{len(matching)} of {ROWS} rows"
    choose(page, "errors-table", "parity", "even")
    assert count(page, "errors-table") == f"{sum(i % 2 == 0 for i in matching)} of {ROWS} rows"


def test_a_long_table_prints_its_first_rows_and_says_so(long_page):
    page = long_page
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    printed = page.run(
        "return document.querySelectorAll('#errors-table .tabulator-print-table tbody tr').length"
    )
    page.run("window.dispatchEvent(new Event('afterprint'))")
    assert printed == 500
    assert (
        page.find("#errors-table .print-note").get_attribute("textContent")
        == f"The first 500 of {ROWS} rows."
    )


def test_the_fields_of_a_table_are_reached_with_the_keyboard(page):
    field = page.find("#errors-table input[type=search]")
    page.run("arguments[0].focus()", field)
    kinds = []
    for _ in range(12):
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        kinds.append(page.run("return document.activeElement.tagName"))
    # A column with one value, here the objective, has no filter.
    selects = len(page.all("#errors-table select"))
    assert selects == 7
    assert kinds[:selects] == ["SELECT"] * selects
    assert kinds[selects : selects + 3] == ["SUMMARY", "BUTTON", "BUTTON"]
    assert page.run("return document.activeElement.closest('.tabulator-col').ariaSort") == "none"


def test_the_body_follows_a_head_that_gets_the_focus(page):
    page.resize(390)
    cell, _ = head(page, "errors-table", 14)
    body = page.find("#errors-table .tabulator-row").find_elements("css selector", ".tabulator-cell")[14]
    assert 0 < cell.rect["x"] < 390
    assert cell.rect["x"] == pytest.approx(body.rect["x"], abs=1)
