"""The page around the explorer and the tables: any width, dark, on paper, without script."""

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [375, 768, 1600])
def test_no_width_of_the_screen_makes_the_page_overflow(page, width):
    page.resize(width, 800)
    page.open()
    assert page.run("return document.documentElement.scrollWidth") <= width
    outside = page.run(
        "return [...document.querySelectorAll('main *')]"
        ".filter(e => !e.closest('.scroll, .tabulator, pre, .visually-hidden'))"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert outside == []
    # A plot fills its frame, also after the screen was turned.
    page.resize(width + 40, 800)
    for plot in page.all(".plot"):
        canvas = plot.find_element("css selector", "canvas")
        assert 0.85 * plot.size["width"] < canvas.size["width"] <= plot.size["width"]


def test_a_dark_scheme_is_dark(page):
    ground = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
    assert page.run(ground, "body") == "rgb(255, 255, 255)"
    try:
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        assert page.run(ground, "body") == "rgb(22, 22, 22)"
        assert page.run(ground, ".plot") == "rgb(22, 22, 22)"
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_on_paper_there_are_no_fields(page):
    try:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert not any(form.is_displayed() for form in page.all(".tool"))
        assert not page.find("nav").is_displayed()
        assert page.run("return getComputedStyle(document.querySelector('.scroll')).overflowY") == "visible"
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_script_the_figures_are_there_and_the_tables_are_named(page):
    try:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        page.driver.get(f"file://{page.path}")
        assert "The explorer needs JavaScript" in page.find("#explorer noscript").text
        (needs,) = page.all("#errors-table .needs")
        assert "This table needs JavaScript" in needs.text
        files = [link.get_attribute("href") for link in needs.find_elements("css selector", "a")]
        assert [name.rpartition("/")[2] for name in files] == [
            f"errors.{suffix}" for suffix in ("parquet", "csv", "md", "tex")
        ]
        assert len(page.all("#glance tbody tr")) >= 4
        assert page.find("figure img").is_displayed()
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_pictures_are_drawn_and_the_sections_are_reached_from_the_top(page):
    widths = page.run(
        "return Promise.all([...document.querySelectorAll('figure img')]"
        ".map(i => { i.loading = 'eager'; return i.decode().then(() => i.naturalWidth); }))"
    )
    assert len(widths) == 2
    assert min(widths) > 300
    # A page that was only opened keeps its address.
    assert page.hash == ""
    for link in page.all("nav a"):
        link.click()
        top = page.run("return document.querySelector(location.hash).getBoundingClientRect().top")
        end = page.run("return innerHeight + scrollY >= document.documentElement.scrollHeight - 2")
        assert abs(top) < 40 or end
