"""The page on a phone, with fingers, and on paper."""

import base64
import re
import shutil

import pytest
import reported
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from idescent.products.report import figures

pytestmark = pytest.mark.browser

ADAGRAD = "#explore?objective=bowl&optimizer=AdaGrad&alpha=0.1"


def touch(page, kind, *points):
    given = {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
    page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", given)


@pytest.fixture
def phone(page):
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})
    page.open(ADAGRAD)
    yield page
    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def centre(page, selector, x=0.5, y=0.5):
    return page.run(
        "const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center'});"
        "const r = e.getBoundingClientRect();"
        "return [r.left + arguments[1] * r.width, r.top + arguments[2] * r.height]",
        selector,
        x,
        y,
    )


def test_a_tap_shows_the_values_until_a_tap_elsewhere(phone):
    point = centre(phone, "#plot-value .u-over", 0.3)
    touch(phone, "touchStart", point)
    touch(phone, "touchEnd")
    phone.settle()
    k = phone.readings[0]
    assert k == pytest.approx(0.3 * 80, abs=2)
    assert phone.tip("#plot-value")[0] == f"k = {k}"
    touch(phone, "touchStart", (5, point[1]))
    touch(phone, "touchEnd")
    phone.settle()
    assert phone.tip("#plot-value") is None
    assert phone.readings[0] == k


def test_a_horizontal_drag_moves_the_cursor_and_a_vertical_one_scrolls_the_page(phone):
    start, end = centre(phone, "#plot-value .u-over", 0.2), centre(phone, "#plot-value .u-over", 0.8)
    before = phone.run("return scrollY")
    touch(phone, "touchStart", start)
    for i in range(1, 7):
        touch(phone, "touchMove", (start[0] + i * (end[0] - start[0]) / 6, start[1]))
    phone.settle()
    assert phone.readings[0] == pytest.approx(0.8 * 80, abs=2)
    touch(phone, "touchEnd")
    assert phone.run("return scrollY") == before
    assert "from=" not in phone.hash
    touch(phone, "touchStart", start)
    for i in range(1, 11):
        touch(phone, "touchMove", (start[0], start[1] - 30 * i))
    touch(phone, "touchEnd")
    phone.settle()
    assert phone.run("return scrollY") > before + 200


def test_on_a_phone_a_figure_opens_at_full_size_even_without_the_folder(phone, tmp_path):
    alone = shutil.copy(phone.path, tmp_path / "alone.html")
    phone.driver.get(f"file://{alone}")
    phone.settle()
    link = phone.find("#rmsprop a.full")
    phone.run("arguments[0].scrollIntoView({block: 'center'})", link)
    assert link.size["width"] < 390
    link.click()
    phone.settle()
    image, frame = phone.find(".viewer[open] img"), phone.find(".viewer .scroll")
    assert image.size["width"] >= 900
    assert phone.run("return arguments[0].naturalWidth", image) > 300
    # It scrolls in its frame, and the page below stays as wide as the screen.
    assert phone.run("return arguments[0].scrollWidth", frame) > 900
    assert phone.run("return document.documentElement.scrollWidth") <= 390
    assert phone.texts(".viewer h2") == ["RMSProp"]
    ActionChains(phone.driver).send_keys(Keys.ESCAPE).perform()
    assert not phone.all(".viewer[open]")
    assert phone.run("return document.activeElement === arguments[0]", link)
    phone.driver.get("about:blank")
    # The file itself was opened, and nothing else.
    assert {url.partition("#")[0] for url in phone.requests()} <= {
        f"file://{alone}",
        f"file://{phone.path}",
        "about:blank",
    }


def on_paper(page):
    """Print the page; return the sizes of the pictures in the file."""
    given = {"printBackground": False, "paperWidth": 8.27, "paperHeight": 11.69}
    text = base64.b64decode(page.driver.execute_cdp_cmd("Page.printToPDF", given)["data"])
    pictures = re.findall(rb"/Subtype /Image\s/Width (\d+)\s/Height (\d+)", text)
    return sorted((int(width), int(height)) for width, height in pictures)


def test_every_figure_is_printed_also_one_that_was_not_loaded_or_is_folded(page, tmp_path, monkeypatch):
    # Pictures of pixels can be counted in a file of paper.
    monkeypatch.setattr(figures, "MOST_BYTES", 0)
    study = shutil.copytree(page.path.parent, tmp_path / "study")
    for i, name in enumerate(["rmsprop", "errors_overview"]):
        file = study / f"figures/{name}.png"
        picture = Image.open(file).convert("RGB")
        picture.resize((701 + i, 401 + i)).save(file)
    made = reported.remade(study)
    command = {"source": "window.requestIdleCallback = () => 0;"}
    script = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", command)
    try:
        page.driver.get(f"file://{made}")
        page.settle()
        assert len(page.all("img[loading=lazy]")) == 2
        page.run(
            "const fold = document.createElement('details');"
            "const figure = document.querySelector('#errors_overview');"
            "figure.before(fold); fold.append(figure)"
        )
        printed = on_paper(page)
        assert printed.count((701, 401)) == 1
        assert printed.count((702, 402)) == 1
        # Chromium prints such a picture anyway; other browsers need the script.
        assert not page.all("img[loading=lazy]")
        # The two plots of the explorer and that of the learning rates.
        canvases = page.run("return [...document.querySelectorAll('canvas')].map(c => [c.width, c.height])")
        assert len(canvases) == 3
        assert all(printed.count(tuple(size)) >= canvases.count(size) for size in canvases)
        assert not page.find("details:has(#errors_overview)").get_property("open")
    finally:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
        page.driver.get("about:blank")
        page.requests()


@pytest.mark.parametrize("width", [390, 1280, 1900])
def test_plots_are_no_wider_than_the_paper_whatever_the_window_is(page, width):
    page.resize(width)
    page.open(ADAGRAD)
    try:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        page.resize(680)
        for plot in page.all(".plot, .ladder"):
            canvas = plot.find_element("css selector", "canvas")
            assert 0.85 * plot.size["width"] < canvas.size["width"] <= plot.size["width"]
        assert page.run("return document.documentElement.scrollWidth") <= 680
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
