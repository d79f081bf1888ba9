"""The plot of errors against the learning rate in a browser: its numbers, its keys, and its addresses."""

import math
from urllib.parse import parse_qs

import pytest
import reported
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from idescent.analysis.errors import compare
from idescent.store.trajectories import read

pytestmark = pytest.mark.browser


def readings(page):
    """The learning rate of the caption, and by curve the texts beside it."""
    rows = page.run(
        "return [...document.querySelectorAll('#ladder-tool tbody tr')]"
        ".map(r => [...r.cells].map(c => c.innerText.trim()))"
    )
    caption = page.find("#ladder-tool caption").get_attribute("textContent")
    return caption, {row[0]: row[1:] for row in rows}


def sup(page, alpha, name, quantity="theta"):
    (cell,) = [c for c in reported.cells() if c["optimizer"]["class"] == "AdaGrad" and c["alpha"] == alpha]
    home = reported.folder(page.path.parent, cell)
    return compare(read(home / "discrete.parquet"), read(home / f"{name}.parquet")).sup[quantity]


def select(page, name):
    return Select(page.find(f'#ladder-tool [name="ladder-{name}"]'))


def test_errors_and_local_orders_are_those_of_the_files(page):
    caption, shown = readings(page)
    assert caption == "Errors at α = 0.1"
    (label,) = [label for label in shown if "paper.exact" in label]
    large, small = sup(page, 0.1, "paper.exact"), sup(page, 0.02, "paper.exact")
    assert float(shown[label][0]) == pytest.approx(large, rel=5e-3)
    assert float(shown[label][1]) == pytest.approx(math.log(large / small) / math.log(5), abs=5e-3)
    # One learning rate of the half-step model is no ladder.
    assert len(shown) == 2


@pytest.mark.parametrize("quantity", ["theta", "loss", "G"])
def test_a_solution_and_a_quantity_are_chosen_and_stored_in_the_address(page, quantity):
    select(page, "path").select_by_value("paper.exact")
    select(page, "quantity").select_by_value(quantity)
    _, shown = readings(page)
    ((error, *_),) = shown.values()
    assert float(error) == pytest.approx(sup(page, 0.1, "paper.exact", quantity), rel=5e-3)
    address = page.hash
    fields = parse_qs(address.partition("?")[2])
    assert fields["path"] == ["paper.exact"]
    assert fields["quantity"] == [quantity]
    page.open(address)
    assert readings(page)[1] == shown
    assert page.hash == address


def test_arrow_keys_move_along_the_learning_rates(page):
    plot = page.find("#ladder-tool .ladder")
    plot.send_keys(Keys.ARROW_LEFT)
    caption, shown = readings(page)
    assert caption == "Errors at α = 0.02"
    # There is no smaller learning rate.
    assert {texts[1] for texts in shown.values()} == {"–"}
    assert page.find("#ladder-tool output").text == caption
    plot.send_keys(Keys.END)
    assert readings(page)[0] == "Errors at α = 0.1"


def test_an_error_leads_to_its_curves(page):
    page.find("#ladder-tool .ladder").send_keys(Keys.HOME)
    link = page.all("#ladder-tool tbody a")[0]
    page.run("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    page.settle()
    assert page.find("#plot-value h3").text == "θ: bowl, AdaGrad, α = 0.02"
    assert len(page.readings[1]) == 2


def test_an_address_without_sense_shows_the_first_ladder(page):
    before = readings(page)
    page.open("#ladder?objective=x&optimizer=None&path=7&quantity=%00")
    assert readings(page) == before
