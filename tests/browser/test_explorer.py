"""The explorer in a browser: it shows what is chosen, in the numbers of the Parquet files."""

from urllib.parse import parse_qs

import pytest
import reported
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from idescent.analysis.errors import distance
from idescent.drawing import style
from idescent.drawing.looks import model_look
from idescent.store.trajectories import read

pytestmark = pytest.mark.browser

LONG = "#explore?objective=bowl&optimizer=AdaGrad&alpha=0.02"
LABELS = {
    "discrete": "discrete run",
    "paper.picard": "IDE, Algorithm 4 (paper.picard)",
    "paper.exact": "IDE, exact (paper.exact)",
}


def choose(page, name, value):
    Select(page.find(f'[name="{name}"]')).select_by_value(value)
    page.settle()


def tick(page, name, value):
    page.find(f'#explorer [name="{name}"][value="{value}"]').click()
    page.settle()


def hover(page, plot, fraction):
    over = page.find(f"#plot-{plot} .u-over")
    page.run("arguments[0].scrollIntoView({block: 'center'})", over)
    x = round((fraction - 0.5) * over.size["width"])
    ActionChains(page.driver).move_to_element_with_offset(over, x, 3).perform()
    page.settle()


def drag(page, plot, start, end):
    over = page.find(f"#plot-{plot} .u-over")
    page.run("arguments[0].scrollIntoView({block: 'center'})", over)
    width = over.size["width"]
    chain = ActionChains(page.driver).move_to_element_with_offset(over, round((start - 0.5) * width), 0)
    chain.click_and_hold().move_by_offset(round((end - start) * width), 0).release().perform()
    page.settle()


def view(page):
    """First and last iteration in sight, as the address has them."""
    fields = parse_qs(page.hash)
    return float(fields["from"][0]), float(fields["to"][0])


def stored(page, cell, quantity, k, name):
    """Value and error at an iteration, from the files, to the digits that the page has."""
    home = reported.folder(page.path.parent, cell)
    run, path = read(home / "discrete.parquet"), read(home / f"{name}.parquet")
    value = float(f"{path.quantity(quantity)[k, 0]:.7g}")
    return value, float(f"{distance(run, path, quantity)[k]:.7g}")


def assert_shown(page, cell, quantity, first):
    k, shown = page.readings
    for name, label in LABELS.items():
        value, error = shown[f"{first}, {label}"]
        expected = stored(page, cell, quantity, k, name)
        assert float(value) == expected[0]
        assert error == "" if name == "discrete" else float(error) == expected[1]


def test_choosing_an_optimizer_shows_its_curves(page):
    choose(page, "optimizer", "Adam")
    assert "Adam" in page.find("#plot-value h3").text
    assert list(page.readings[1]) == [f"β₁ = 0.9, β₂ = 0.99, {label}" for label in LABELS.values()]
    choose(page, "optimizer", "RMSProp")
    assert len(page.readings[1]) == 6
    tick(page, "configuration", "beta~0.9")
    tick(page, "path", "paper.picard")
    left = [f"β = 0.99, {LABELS[name]}" for name in ("discrete", "paper.exact")]
    assert list(page.readings[1]) == left


def test_data_are_decompressed_when_they_are_needed_and_once(page):
    count = (
        "window.blocks = 0;"
        "window.DecompressionStream = class extends DecompressionStream {"
        "  constructor(...given) { super(...given); window.blocks++; }"
        "}"
    )
    script = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": count})
    try:
        page.open()
        # The tables of failures, errors and claims, the first plot, and the errors against the learning rate.
        assert page.run("return window.blocks") == 5
        assert len(page.all("script[id^=plot-]")) == 4
        for optimizer, blocks in (("Adam", 6), ("AdaGrad", 7), ("RMSProp", 7), ("Adam", 7)):
            choose(page, "optimizer", optimizer)
            assert page.run("return window.blocks") == blocks
            assert optimizer in page.find("#plot-value h3").text
    finally:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


@pytest.mark.parametrize("quantity", ["theta", "loss", "m", "v"])
@pytest.mark.parametrize("plot", ["value", "error"])
def test_the_values_under_the_pointer_are_those_of_the_files(page, quantity, plot):
    choose(page, "optimizer", "Adam")
    choose(page, "quantity", quantity)
    seen = set()
    for fraction in (0.02, 0.3, 0.9):
        hover(page, plot, fraction)
        assert_shown(page, reported.cells()[2], quantity, "β₁ = 0.9, β₂ = 0.99")
        seen.add(page.readings[0])
    assert len(seen) == 3


def test_a_thinned_curve_has_the_numbers_of_the_files_where_it_has_any(page):
    page.open(LONG)
    for fraction in (0.001, 0.25, 0.77, 1.0):
        hover(page, "error", fraction)
        assert_shown(page, reported.cells()[4], "theta", "AdaGrad")
        assert page.readings[0] == pytest.approx(fraction * reported.LONG, abs=0.01 * reported.LONG)


def test_dragging_zooms_both_plots_and_a_double_click_shows_all(page):
    page.open(LONG)
    before = page.pictures
    drag(page, "value", 0.2, 0.4)
    inside = page.pictures
    assert all(a != b for a, b in zip(before, inside, strict=True))
    low, high = view(page)
    assert low == pytest.approx(0.2 * reported.LONG, rel=0.05)
    assert high == pytest.approx(0.4 * reported.LONG, rel=0.05)
    hover(page, "error", 0.5)
    assert page.readings[0] == pytest.approx(0.3 * reported.LONG, rel=0.05)
    ActionChains(page.driver).double_click(page.find("#plot-error .u-over")).perform()
    page.settle()
    assert "from=" not in page.hash
    hover(page, "value", 1.0)
    assert page.readings[0] == reported.LONG


@pytest.mark.parametrize("axis", ["x", "v", "e"])
def test_a_logarithmic_axis_changes_its_plot_and_back(page, axis):
    page.open(LONG)
    before, was = page.pictures, page.find(f'[name="log"][value="{axis}"]').is_selected()
    assert was == (axis == "e")
    tick(page, "log", axis)
    changed = [a != b for a, b in zip(before, page.pictures, strict=True)]
    assert changed == {"x": [True, True], "v": [True, False], "e": [False, True]}[axis]
    assert_shown(page, reported.cells()[4], "theta", "AdaGrad")
    tick(page, "log", axis)
    assert page.pictures == before


def test_time_is_a_choice(page):
    choose(page, "optimizer", "RMSProp")
    before = page.pictures
    choose(page, "x", "t")
    assert page.pictures != before
    assert page.find("#readings caption").get_attribute("textContent") == "Values at k = 40, t = 4"


def test_models_have_colours_of_their_own_if_the_reader_wants(page):
    page.open("#explore?objective=bowl&optimizer=AdaGrad&alpha=0.1")
    colours = (
        "return [...document.querySelectorAll('#readings .swatch > *')].map(e => e.getAttribute('stroke'))"
    )
    paper, half = model_look("paper")[0], model_look("half-step")[0]
    # There is one configuration only: its models are what can be told apart.
    assert page.run(colours) == [style.GREY, paper, paper, half]
    before = page.pictures
    choose(page, "colour", "configuration")
    assert page.pictures != before
    assert set(page.run(colours)) == {style.look({"class": "AdaGrad"})[0]}
    assert "colour=configuration" in page.hash
    # What was chosen stays, and what was not follows the configurations.
    choose(page, "optimizer", "RMSProp")
    assert "colour=configuration" in page.hash
    choose(page, "colour", "model")
    choose(page, "optimizer", "AdaGrad")
    assert "colour=model" in page.hash


def test_the_address_restores_the_view(page):
    choose(page, "optimizer", "RMSProp")
    choose(page, "quantity", "v")
    tick(page, "configuration", "beta~0.9")
    tick(page, "path", "paper.picard")
    tick(page, "log", "v")
    drag(page, "value", 0.25, 0.75)
    hover(page, "value", 0.5)
    address, pictures, readings = page.hash, page.pictures, page.readings
    for part in ("optimizer=RMSProp", "quantity=v", "configuration=beta%7E0.99", "log=ve", "from=", "at=20"):
        assert part in address
    ActionChains(page.driver).move_to_element(page.find("h1")).perform()
    page.open(address)
    assert page.readings == readings
    page.settle()
    # The cursor is no part of the canvas: the pictures are the curves, and the same.
    assert page.pictures == pictures
    assert page.hash == address


@pytest.mark.parametrize("fragment", ["", "#errors"])
def test_a_page_that_was_only_opened_keeps_its_address(page, fragment):
    page.open(fragment)
    assert page.hash == fragment


@pytest.mark.parametrize("alpha", ["0.02", "2e-02", "0.0200"])
def test_a_learning_rate_in_an_address_is_a_number(page, alpha):
    page.open(f"#explore?objective=bowl&optimizer=AdaGrad&alpha={alpha}")
    assert page.find("#plot-value h3").text == "θ: bowl, AdaGrad, α = 0.02"


@pytest.mark.parametrize(
    "wrong", ["optimizer=None&alpha=7&path=x&at=1e9&from=5&to=1", "quantity=%00&x=%F0%9F&log=zzz"]
)
def test_an_address_that_makes_no_sense_shows_something_that_does(page, wrong):
    page.open(f"#explore?{wrong}")
    assert len(page.readings[1]) == 6
    assert page.readings[0] == 40


def focused(page):
    return page.run("const e = document.activeElement; return e.id || e.name || e.tagName")


def tab_to(page, wanted, most=400):
    for _ in range(most):
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        if focused(page) == wanted:
            return
    raise AssertionError(f"{wanted} cannot be reached with the tabulator")


def press(page, *keys):
    for key in keys:
        ActionChains(page.driver).send_keys(key).perform()
    page.settle()


def test_everything_can_be_done_with_the_keyboard(page):
    tab_to(page, "optimizer")
    press(page, Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert "AdaGrad" in page.find("#plot-value h3").text
    assert focused(page) == "optimizer"
    tab_to(page, "alpha")
    press(page, Keys.ARROW_DOWN)
    tab_to(page, "log")
    press(page, Keys.SPACE)
    assert "log=xe" in page.hash
    press(page, Keys.SPACE)
    tab_to(page, "plot-value")
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    press(page, Keys.HOME)
    assert page.readings[0] == 0
    press(page, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert page.readings[0] == 2
    assert_shown(page, reported.cells()[4], "theta", "AdaGrad")
    assert page.find("#said").get_attribute("textContent").startswith("k = 2: AdaGrad, discrete run 1.0")
    press(page, "+", "+")
    assert view(page)[1] == pytest.approx(reported.LONG / 4, rel=0.01)
    assert page.readings[0] == 2
    press(page, Keys.END)
    assert page.readings[0] == reported.LONG
    assert view(page)[1] == reported.LONG
    press(page, "0")
    assert "to=" not in page.hash
    tab_to(page, "at")
    ActionChains(page.driver).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).perform()
    press(page, "7", Keys.ENTER)
    assert page.readings[0] == 7


def test_the_marked_cell_leads_to_its_curves_and_its_file(page):
    curves, file = page.all("#odd-table .tabulator-row a")
    assert (page.path.parent / "bowl/Adam").is_dir()
    assert file.get_attribute("href").endswith("/paper.picard.parquet")
    curves.click()
    page.settle()
    k, shown = page.readings
    assert list(shown) == [f"β₁ = 0.9, β₂ = 0.99, {LABELS[name]}" for name in ("discrete", "paper.picard")]
    table = page.run(
        "return [...document.querySelectorAll('#errors-table .tabulator-row')]"
        ".map(r => [...r.children].map(c => c.textContent))"
    )
    (row,) = [r for r in table if r[1] == "Adam" and r[4:7] == ["paper.picard", "θ", "sup"]]
    assert str(k) == row[9]
    assert f"{float(shown[list(shown)[1]][1]):.2e}" == row[7]


def test_a_path_that_did_not_converge_is_marked_beside_its_values(page):
    choose(page, "optimizer", "Adam")
    states = page.texts("#readings tbody td:nth-child(4)")
    assert states == ["completed", "not converged (no smoothing left)", "converged"]
    assert page.texts("#readings .mark") == ["not converged (no smoothing left)"]
