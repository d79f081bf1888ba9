"""A browser that a test can drive, and the page of a small study in it.

Chromium and its driver are Debian's (``apt-get install chromium chromium-driver``); nothing is downloaded.
Where they are missing the tests are skipped with that advice, unless IDESCENT_BROWSER is ``required``, as in
CI: then they fail.
"""

import json
import os
import shutil

import pytest
import reported
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
ADVICE = "needs a browser: apt-get install chromium chromium-driver"


class Page:
    """The page in a browser, by what a reader sees and does."""

    def __init__(self, driver, path):
        self.driver, self.path = driver, path

    def open(self, fragment=""):
        self.driver.get("about:blank")
        self.driver.get(f"file://{self.path}{fragment}")
        self.settle()

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def settle(self):
        """Wait for the data that are decompressed, and for three frames.

        The explorer moves its cursors in the next frame, and resizes plots after it.
        """
        self.driver.execute_async_script(
            "const done = arguments[0];"
            "const three = () => requestAnimationFrame(() => requestAnimationFrame("
            "  () => requestAnimationFrame(() => done())));"
            "const busy = () => document.querySelector('[aria-busy]');"
            "const wait = () => busy() ? requestAnimationFrame(wait) : three();"
            "wait()"
        )

    @property
    def elements(self):
        """The number of elements in the document."""
        return self.run("return document.getElementsByTagName('*').length")

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def texts(self, selector):
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText.trim())"
        return self.run(script, selector)

    def resize(self, width, height=900):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        self.settle()

    @property
    def hash(self):
        """The address, 200 ms later: the explorer writes it 150 ms after the last change."""
        return self.driver.execute_async_script(
            "const done = arguments[0]; setTimeout(() => done(location.hash), 200)"
        )

    @property
    def readings(self):
        """Values and errors at the cursor: the iteration, and by curve what is shown."""
        rows = self.run(
            "return [...document.querySelectorAll('#readings tbody tr')]"
            ".map(r => [...r.cells].map(c => c.innerText.trim()))"
        )
        at = self.find("#readings caption").get_attribute("textContent").split(",")[0].split("= ")[1]
        return int(at), {row[0]: row[1:3] for row in rows}

    @property
    def pictures(self):
        """The plots, as pixels."""
        return self.run("return [...document.querySelectorAll('.plot canvas')].map(c => c.toDataURL())")

    def tip(self, plot):
        """The values beside the pointer: the title, and pairs of value and label; None if they are hidden."""
        return self.run(
            "const tip = document.querySelector(arguments[0] + ' .tip'); if (!tip || tip.hidden) return null;"
            "return [tip.querySelector('b').textContent, [...tip.querySelectorAll('div')]"
            ".map(row => [row.querySelector('span').textContent, row.lastChild.textContent.trim()])]",
            plot,
        )

    def complaints(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """Addresses that the browser asked for since the last call."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        # A file to save is a blob of the page itself.
        return [url for url in sent if not url.startswith(("data:", "blob:"))]


@pytest.fixture(scope="session")
def driver():
    browser, service = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or service is None:
        if os.environ.get("IDESCENT_BROWSER") == "required":
            pytest.fail(ADVICE)
        pytest.skip(ADVICE)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service(service)) as driver:
        yield driver


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    return reported.page(tmp_path_factory.mktemp("browser") / "small")


@pytest.fixture
def page(driver, made):
    page = Page(driver, made)
    page.resize(1280)
    page.complaints()
    page.requests()
    page.open()
    yield page
    # Whatever was done: nothing went wrong on the way, and nothing was asked of the network.
    assert page.complaints() == []
    assert {url.partition("#")[0] for url in page.requests()} <= {f"file://{made}", "about:blank"}
