"""A headless Chromium, and what the tests of the page ask of it.

Selenium is Debian's, so Debian's Python runs these tests. A machine without Chromium skips them.
"""

import os
import shutil
import sys
from pathlib import Path

from peers import SKIPPED

DEBIANS_PYTHON = "/usr/bin/python3"

try:
    from selenium import webdriver
except ImportError:
    if sys.executable != DEBIANS_PYTHON and os.path.exists(DEBIANS_PYTHON):
        os.execv(DEBIANS_PYTHON, [DEBIANS_PYTHON, "-B", *sys.argv])
    print("skipped: no python3-selenium")
    sys.exit(SKIPPED)
if not shutil.which("chromedriver"):
    print("skipped: no chromedriver (chromium-driver)")
    sys.exit(SKIPPED)

from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

PATIENCE = 180  # seconds for anything on a machine that does much else; nothing is measured by it
# Where pictures are put for people to look at, if anywhere.
PICTURES = os.environ.get("LLMPATCH_PICTURES")

# Every element with text of its own that is seen: its colour and what is behind it.
TEXT_COLOURS = """
return [...document.querySelectorAll('body *')].filter((node) =>
  [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim() !== '') &&
  node.checkVisibility({opacityProperty: true, visibilityProperty: true}) &&
  node.getBoundingClientRect().width > 2 && !node.closest(':disabled')).map((node) => {
    let behind = node;
    while (behind && getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') {
      behind = behind.parentElement;
    }
    return [node.textContent.trim().slice(0, 40), getComputedStyle(node).color,
            getComputedStyle(behind ?? document.documentElement).backgroundColor];
  });
"""


class Browser:
    def __init__(self, width=1280, height=900):
        options = webdriver.ChromeOptions()
        for argument in ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]:
            options.add_argument(argument)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options)
        self.driver.set_script_timeout(PATIENCE)
        self.resize(width, height)

    def close(self):
        self.driver.quit()

    def open(self, url):
        self.driver.get(url)

    def resize(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def prefer(self, **features):
        """Media features, such as prefers_color_scheme="dark"."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()]})

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        return [node.text for node in self.all(selector)]

    def type(self, *keys):
        """Keys to whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def wait(self, condition, what):
        """Until condition() is true; its value. Nodes that the page replaces while they are read do
        not count."""
        return WebDriverWait(self.driver, PATIENCE,
                             ignored_exceptions=[StaleElementReferenceException]).until(
                                 lambda _: condition(), f"waited for {what}")

    def note(self, text):
        """Notices from now on whether the page shows a text, however briefly: noted()."""
        self.script("""
            window.noted = false;
            new MutationObserver(() => {
              window.noted = window.noted || document.body.innerText.includes(arguments[0]);
            }).observe(document.body, {childList: true, subtree: true, characterData: true});
            """, text)

    def noted(self):
        return self.script("return window.noted")

    def focused(self):
        """The id, data-control or text of the element that has the focus."""
        return self.script("const it = document.activeElement;"
                           "return it.id || it.dataset.control || it.textContent.trim();")

    def console(self):
        """What the page has written to the console since the last call, or the browser about it."""
        return self.driver.get_log("browser")

    def fits(self):
        """Whether nothing reaches beyond the window's width."""
        return self.script("return document.documentElement.scrollWidth <= window.innerWidth")

    def nameless(self):
        """The controls that have no name for a screen reader: their roles."""
        roles = {"button", "checkbox", "switch", "radio", "combobox", "textbox", "spinbutton", "link"}
        tree = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [node["role"]["value"] for node in tree
                if not node.get("ignored") and node["role"]["value"] in roles
                and not node.get("name", {}).get("value")]

    def least_contrast(self):
        """The least contrast of a text that is seen with what is behind it, and that text."""
        ratios = [(contrast(colours(front), colours(behind)), text)
                  for text, front, behind in self.script(TEXT_COLOURS)]
        assert ratios
        return min(ratios)

    def picture(self, name):
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(str(Path(PICTURES) / f"{name}.png"))


def colours(css):
    """Red, green and blue of "rgb(1, 2, 3)"."""
    parts = css[css.index("(") + 1:-1].split(",")
    assert len(parts) == 3, f"{css}: expected a colour that hides what is behind"
    return [int(part) for part in parts]


def contrast(one, other):
    """Contrast ratio as WCAG 2.2 defines it."""
    def luminance(colour):
        linear = [part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4
                  for part in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)
