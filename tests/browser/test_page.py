"""The page around the explorer: tables that sort and filter, any width, dark, on paper, without script."""

import pytest

pytestmark = pytest.mark.browser


def visible(page, table, column):
    script = (
        "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].filter(r => !r.hidden)"
        ".map(r => r.cells[arguments[1]].textContent)"
    )
    return page.run(script, table, column)


def tool(page, table):
    return page.run(
        "return document.getElementById(arguments[0]).parentElement.previousElementSibling", table
    )


def test_the_table_of_errors_first_shows_the_largest_errors_of_theta(page):
    assert set(visible(page, "errors-table", 5)) == {"θ"}
    assert set(visible(page, "errors-table", 6)) == {"sup"}
    assert len(visible(page, "errors-table", 0)) == 11
    assert tool(page, "errors-table").find_element("css selector", "output").text.startswith("11 of ")


def test_a_click_on_a_head_sorts_up_then_down_then_not_at_all(page):
    before = visible(page, "errors-table", 7)
    button = page.all("#errors-table thead button")[7]
    head = page.all("#errors-table thead th")[7]
    page.run("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    up = [float(x) for x in visible(page, "errors-table", 7)]
    assert up == sorted(up)
    assert up != [float(x) for x in before]
    assert head.get_attribute("aria-sort") == "ascending"
    button.click()
    assert [float(x) for x in visible(page, "errors-table", 7)] == up[::-1]
    assert head.get_attribute("aria-sort") == "descending"
    button.click()
    assert visible(page, "errors-table", 7) == before
    assert head.get_attribute("aria-sort") is None


def test_cells_without_a_number_come_last_however_the_table_is_sorted(page):
    button = page.all("#errors-table thead button")[11]
    page.run("arguments[0].scrollIntoView({block: 'center'})", button)
    for _ in range(2):
        button.click()
        shown = visible(page, "errors-table", 11)
        assert "–" in shown
        assert shown[shown.index("–") :] == ["–"] * shown.count("–")


def test_filters_and_search_leave_the_rows_that_fit(page):
    fields = {
        f.get_attribute("textContent"): f
        for f in tool(page, "errors-table").find_elements("css selector", "label")
    }

    def choose(title, value):
        (label,) = [f for name, f in fields.items() if name.startswith(title)]
        select = label.find_element("css selector", "select")
        page.run(
            "arguments[0].value = arguments[1];"
            "arguments[0].dispatchEvent(new Event('input', {bubbles: true}))",
            select,
            value,
        )

    choose("optimizer", "Adam")
    assert len(visible(page, "errors-table", 0)) == 2
    choose("quantity", "")
    assert sorted(set(visible(page, "errors-table", 5))) == ["loss", "m", "v", "θ"]
    choose("solution", "paper.exact")
    assert set(visible(page, "errors-table", 4)) == {"paper.exact"}
    search = tool(page, "errors-table").find_element("css selector", "input[type=search]")
    search.send_keys("no such thing")
    assert visible(page, "errors-table", 0) == []
    assert "0 of " in tool(page, "errors-table").text


def test_claims_are_found_by_their_verdict_and_unfold(page):
    assert len(visible(page, "claims-table", 0)) == 3
    details = page.find("#claims-table details")
    assert not details.find_element("css selector", "ul").is_displayed()
    page.run("arguments[0].scrollIntoView({block: 'center'})", details)
    details.find_element("css selector", "summary").click()
    assert details.find_element("css selector", "ul").is_displayed()


@pytest.mark.parametrize("width", [375, 768, 1600])
def test_no_width_of_the_screen_makes_the_page_overflow(page, width):
    page.resize(width, 800)
    page.open()
    assert page.run("return document.documentElement.scrollWidth") <= width
    outside = page.run(
        "return [...document.querySelectorAll('main *')]"
        ".filter(e => !e.closest('.scroll, pre, .visually-hidden'))"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert outside == []
    # A plot fills its frame, also after the screen was turned.
    page.resize(width + 40, 800)
    for plot in page.all(".plot"):
        canvas = plot.find_element("css selector", "canvas")
        assert 0.85 * plot.size["width"] < canvas.size["width"] <= plot.size["width"]


def test_a_dark_scheme_is_dark_and_keeps_the_plots_on_white(page):
    ground = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
    assert page.run(ground, "body") == "rgb(255, 255, 255)"
    try:
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        assert page.run(ground, "body") == "rgb(22, 22, 22)"
        assert page.run(ground, ".plot") == "rgb(255, 255, 255)"
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_on_paper_there_are_no_fields_and_every_row(page):
    try:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert not any(form.is_displayed() for form in page.all(".tool"))
        assert not page.find("nav").is_displayed()
        assert page.run("return getComputedStyle(document.querySelector('.scroll')).overflowY") == "visible"
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_script_the_tables_and_figures_are_still_there(page):
    try:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        page.driver.get(f"file://{page.path}")
        assert "The explorer needs JavaScript" in page.find("#explorer noscript").text
        assert len(page.all("#errors-table tbody tr")) > 50
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
    # The explorer writes its address once after the page opens, and not between the clicks.
    assert page.hash.startswith("#explore?")
    for link in page.all("nav a"):
        link.click()
        top = page.run("return document.querySelector(location.hash).getBoundingClientRect().top")
        end = page.run("return innerHeight + scrollY >= document.documentElement.scrollHeight - 2")
        assert abs(top) < 40 or end
