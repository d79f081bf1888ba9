"""Look and use of the page on a screen: dark scheme, pointer, legend and keys; the saved files."""

import csv
import io
import shutil
import time

import numpy as np
import pytest
import reported
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from idescent.drawing.looks import LOOKS, SCHEMES

pytestmark = pytest.mark.browser

ADAGRAD = "#explore?objective=bowl&optimizer=AdaGrad&alpha=0.1"


@pytest.fixture
def media(page):
    """Set features of the medium; they are reset after the test."""

    def emulate(**features):
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})
        page.settle()

    yield emulate
    emulate()


@pytest.fixture
def saved(page, tmp_path):
    """Click a button and return the file that the browser saves."""
    command = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", command)

    def click(plot, text):
        before = set(tmp_path.iterdir())
        (button,) = [b for b in page.all(f"{plot} .downloads button") if b.text == text]
        page.run("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        for _ in range(100):
            new = set(tmp_path.iterdir()) - before
            if new and not any(file.suffix in (".crdownload", ".tmp") for file in new):
                file = new.pop()
                # A second file of the same name is told apart.
                (tmp_path / str(len(before))).mkdir()
                return file.rename(tmp_path / str(len(before)) / file.name)
            time.sleep(0.05)
        raise AssertionError(f"no file from {text}")

    return click


def pixels(element):
    return Image.open(io.BytesIO(element.screenshot_as_png)).convert("RGB")


def ground(picture):
    """The most frequent colour."""
    return max(picture.getcolors(picture.width * picture.height))[1]


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in colour)]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def pointed(page, plot, x, y):
    """Move the pointer to a place of a plot, in fractions of it; return the place on the screen."""
    over = page.find(f"{plot} .u-over")
    page.run("arguments[0].scrollIntoView({block: 'center'})", over)
    box = over.rect
    place = (round((x - 0.5) * box["width"]), round((y - 0.5) * box["height"]))
    ActionChains(page.driver).move_to_element_with_offset(over, *place).perform()
    page.settle()
    left, top = page.run("const r = arguments[0].getBoundingClientRect(); return [r.x, r.y]", over)
    return left + x * box["width"], top + y * box["height"]


def legend(page, name):
    (button,) = [b for b in page.all("#readings .curve") if b.text.strip().endswith(name)]
    return button


@pytest.mark.parametrize("selector", ["#plot-error", "#ladder-tool .ladder", ".strip", "#rmsprop .paper"])
def test_plots_and_figures_follow_the_scheme_at_once(page, media, selector):
    page.open(ADAGRAD)
    element = page.find(selector)
    page.run("arguments[0].scrollIntoView({block: 'center'})", element)
    time.sleep(0.2)
    light = pixels(element)
    assert ground(light) == (255, 255, 255)
    media(prefers_color_scheme="dark")
    dark = pixels(element)
    page_ground = (22, 22, 22)
    assert max(abs(a - b) for a, b in zip(ground(dark), page_ground, strict=True)) <= 1
    # No white is left but that of lines and letters, and these are as many as the dark pixels before.
    bright = [np.sum(np.asarray(dark).min(-1) > 200), np.sum(np.asarray(light).max(-1) < 80)]
    assert 0.4 < bright[0] / bright[1] < 2.5
    media(prefers_color_scheme="light")
    assert ground(pixels(element)) == (255, 255, 255)


def test_a_figure_whose_caption_names_white_or_black_stays_on_white(page, tmp_path, media):
    study = shutil.copytree(page.path.parent, tmp_path / "study")
    svg = study / "figures/rmsprop.svg"
    svg.write_text(
        svg.read_text(encoding="utf-8").replace("the exact solution.", "the exact solution. White: none.")
    )
    media(prefers_color_scheme="dark")
    page.driver.get(f"file://{reported.remade(study)}")
    page.settle()
    for name, expected in (("rmsprop", (255, 255, 255)), ("errors_overview", (22, 22, 22))):
        element = page.find(f"#{name} .paper img")
        page.run("arguments[0].scrollIntoView({block: 'center'})", element)
        time.sleep(0.2)
        assert max(abs(a - b) for a, b in zip(ground(pixels(element)), expected, strict=True)) <= 1
    page.find("#rmsprop a.full").click()
    assert ground(pixels(page.find(".viewer[open] .scroll"))) == (255, 255, 255)
    page.driver.get("about:blank")
    page.requests()


def test_every_colour_of_a_model_is_visible_and_different_on_a_dark_screen(page, media):
    media(prefers_color_scheme="dark")
    colours = [look[0] for look in (LOOKS | SCHEMES).values()]
    shown = []
    for colour in colours:
        page.run(
            "let box = document.getElementById('probe');"
            "if (!box) { box = document.createElement('div'); box.id = 'probe'; box.className = 'canvas';"
            "box.style.cssText = 'width: 20px; height: 20px; position: fixed; left: 0; top: 0; z-index: 9';"
            "document.body.append(box); } box.style.background = arguments[0]",
            colour,
        )
        shown.append(ground(pixels(page.find("#probe"))))
    assert min(contrast(colour, (22, 22, 22)) for colour in shown) > 2
    pairs = [(a, b) for i, a in enumerate(shown) for b in shown[:i]]
    assert min(sum(abs(x - y) for x, y in zip(a, b, strict=True)) for a, b in pairs) > 30


@pytest.mark.parametrize("plot", ["value", "error"])
def test_the_values_at_the_pointer_are_beside_it_and_the_nearest_is_first(page, plot):
    page.open(ADAGRAD)
    x, y = pointed(page, f"#plot-{plot}", 0.4, 0.3)
    title, values = page.tip(f"#plot-{plot}")
    k, readings = page.readings
    assert title == f"k = {k}"
    column = ["value", "error"].index(plot)
    expected = {label: row[column] for label, row in readings.items() if row[column]}
    # The labels have lost the optimizer, which is common to all.
    assert {f"AdaGrad, {label}": float(value) for value, label in values} == pytest.approx(
        {label: float(value) for label, value in expected.items()}, rel=5e-3
    )
    assert len(values) == 4 - column
    box = page.run(
        "const r = document.querySelector(arguments[0]).getBoundingClientRect();"
        "return [r.left, r.right, r.top, r.bottom]",
        f"#plot-{plot} .tip",
    )
    assert max(box[0] - x, x - box[1], box[2] - y, y - box[3]) < 20
    # The other plot has the cursor at the same iteration, and no second list.
    assert page.tip("#plot-" + {"value": "error", "error": "value"}[plot]) is None
    ActionChains(page.driver).move_to_element(page.find("#explorer-title")).perform()
    page.settle()
    assert page.tip(f"#plot-{plot}") is None


def test_the_nearest_curve_changes_with_the_height_of_the_pointer(page):
    page.open(ADAGRAD)
    pointed(page, "#plot-error", 0.5, 0.02)
    top = float(page.tip("#plot-error")[1][0][0])
    pointed(page, "#plot-error", 0.5, 0.98)
    bottom = float(page.tip("#plot-error")[1][0][0])
    assert bottom < top


@pytest.mark.parametrize("key", [None, Keys.ENTER, Keys.SPACE])
def test_a_click_in_the_legend_hides_a_curve_in_both_plots_and_shows_it_again(page, key):
    page.open(ADAGRAD)
    before = page.pictures
    button = legend(page, "half-step")
    assert button.get_attribute("aria-pressed") == "true"

    def press():
        button.send_keys(key) if key else button.click()
        page.settle()

    press()
    assert button.get_attribute("aria-pressed") == "false"
    assert all(a != b for a, b in zip(before, page.pictures, strict=True))
    pointed(page, "#plot-error", 0.5, 0.5)
    assert not any("half-step" in label for _, label in page.tip("#plot-error")[1])
    press()
    ActionChains(page.driver).move_to_element(page.find("#explorer-title")).perform()
    page.settle()
    assert button.get_attribute("aria-pressed") == "true"
    assert page.pictures == before


def test_a_hidden_curve_stays_hidden_when_the_plot_is_drawn_again(page):
    page.open(ADAGRAD)
    legend(page, "half-step").click()
    page.find('#explorer [name="log"][value="v"]').click()
    page.settle()
    assert legend(page, "half-step").get_attribute("aria-pressed") == "false"
    pointed(page, "#plot-value", 0.5, 0.5)
    assert len(page.tip("#plot-value")[1]) == 3


def test_the_saved_numbers_are_those_of_the_visible_curves(page, saved):
    page.open(ADAGRAD)
    legend(page, "(paper.picard)").click()
    file = saved("#plot-error", "CSV")
    assert file.name == "small_Errors_discrete_solution_of_theta_bowl_AdaGrad_alpha_0.1.csv"
    head, *rows = csv.reader(file.read_text(encoding="utf-8").splitlines())
    assert head == ["iteration k", "AdaGrad, IDE, exact (paper.exact)", "AdaGrad, half-step"]
    data = reported.data_of(page.path.read_text(encoding="utf-8"))
    (cell,) = [c for c in data["cells"] if c["optimizer"] == "AdaGrad" and c["alpha"] == 0.1]
    errors = cell["views"]["theta"]["error"]
    assert [int(row[0]) for row in rows] == data["grids"][cell["grid"]]["theta"]
    for column, name in ((1, "paper.exact"), (2, "half-step")):
        assert [float(row[column]) if row[column] else None for row in rows] == errors[name]


@pytest.mark.parametrize("plot", ["#plot-value", "#ladder-tool .ladder"])
def test_the_saved_picture_is_large_and_on_white_whatever_the_scheme(page, media, saved, plot):
    page.open(ADAGRAD)
    pictures = []
    for scheme in ("light", "dark"):
        media(prefers_color_scheme=scheme)
        pictures.append(Image.open(saved(plot, "PNG")).convert("RGB"))
    first, second = pictures
    assert first.width == 1600
    assert ground(first) == (255, 255, 255)
    assert first.tobytes() == second.tobytes()
    # The title, the curves with their axes, and the legend.
    inked = np.asarray(first).min(-1) < 200
    assert all(part.sum() > 200 for part in (inked[:64], inked[64:-64], inked[-64:]))


def test_keys_move_along_the_learning_rates(page):
    page.open(ADAGRAD)
    box = page.find("#ladder-tool .ladder")
    page.run("arguments[0].focus()", box)
    caption = "#ladder-tool caption"

    def press(key):
        ActionChains(page.driver).send_keys(key).perform()
        page.settle()
        return page.find(caption).get_attribute("textContent")

    assert press(Keys.HOME) == "Errors at α = 0.02"
    assert page.tip("#ladder-tool")[0] == "α = 0.02"
    assert press(Keys.ARROW_RIGHT) == "Errors at α = 0.1"
    assert press(Keys.ARROW_RIGHT) == "Errors at α = 0.1"
    assert press(Keys.ARROW_LEFT) == "Errors at α = 0.02"
    press(Keys.ESCAPE)
    assert page.tip("#ladder-tool") is None


def test_keys_show_the_values_at_the_cursor_of_the_explorer(page):
    page.open(ADAGRAD)
    page.run("document.querySelector('#plot-error').focus()")
    ActionChains(page.driver).send_keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT).perform()
    page.settle()
    page.settle()
    assert page.tip("#plot-error")[0] == "k = 2"
    assert page.tip("#plot-value") is None
