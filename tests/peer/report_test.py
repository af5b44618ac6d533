"""The pages of report and diff in a real browser: light, dark, on a phone, printed, without any script."""

import base64
import re
from pathlib import Path

from browsers import PICTURES, Browser
from evaluations import HARMFUL, make_evaluation
from program import MODEL, OPERATOR, ProgramTest, main

PHONE = (390, 844)
LIGHT, DARK = "rgb(251, 250, 247)", "rgb(21, 23, 27)"


class Pages(ProgramTest):
    """Pages opened from their files; the console must stay clean."""

    program = OPERATOR

    def setUp(self):
        super().setUp()
        self.browser = Browser()
        self.addCleanup(self.browser.close)

    def tearDown(self):
        self.assertEqual(self.browser.console(), [])
        super().tearDown()

    def open(self, name):
        self.browser.open((self.dir / name).as_uri())

    def show(self, selector):
        """Opens every fold."""
        self.browser.script("for (const it of document.querySelectorAll(arguments[0])) it.open = true", selector)

    def whole_picture(self, name):
        """A picture of the whole page."""
        if not PICTURES:
            return
        shot = self.browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        (Path(PICTURES) / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    def print_pages(self, name):
        """The page as a PDF of A4 sheets."""
        made = self.browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False,
                                                                       "paperWidth": 8.27, "paperHeight": 11.69})
        pdf = base64.b64decode(made["data"])
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            (Path(PICTURES) / f"{name}.pdf").write_bytes(pdf)
        return pdf

    def visible_text(self):
        return self.browser.script("return document.body.innerText")

    def check_every_width(self, name):
        for scheme, ground in (("light", LIGHT), ("dark", DARK)):
            self.browser.prefer(prefers_color_scheme=scheme)
            for width, height in ((1280, 900), PHONE):
                self.browser.resize(width, height)
                self.assertTrue(self.browser.fits(), f"{scheme}, {width} pixels: it scrolls sideways")
                self.assertEqual(self.browser.script("return getComputedStyle(document.body).backgroundColor"), ground)
                ratio, text = self.browser.least_contrast()
                self.assertGreaterEqual(ratio, 4.5, f"{scheme}: {text}")
                self.whole_picture(f"{name}-{scheme}-{width}")
        self.browser.prefer(prefers_color_scheme="light")
        self.browser.resize(1280, 900)


class Report(Pages):
    def setUp(self):
        super().setUp()
        make_evaluation(self.dir / "old")
        make_evaluation(self.dir / "new", digest="d2", version="1.1.0")
        self.run_ok("report", "old", "-o", "report.html")
        self.open("report.html")

    def test_reads_at_every_width_and_in_the_dark(self):
        self.check_every_width("report")
        self.show("details.data")
        self.check_every_width("report-open")
        self.show("details")
        self.check_every_width("report-all")

    def test_harmful_text_waits_for_a_click(self):
        self.assertNotIn(HARMFUL, self.visible_text())
        self.browser.one("details.harmful > summary").click()
        self.show("details.harmful details")
        self.assertIn(HARMFUL, self.visible_text())

    def test_hostile_text_does_nothing(self):
        self.show("details")
        self.assertEqual(self.browser.all("img"), [])
        self.assertIn("<img src=x", self.visible_text())
        self.assertEqual(self.browser.script("return document.title"), "Evaluation: refuse 1.0.0")
        self.assertEqual(self.browser.all("script"), [])

    def test_charts_are_drawn_where_their_numbers_are(self):
        self.assertGreater(len(self.browser.all("svg.chart polyline")), 4)
        # The mark of 10 % lies a tenth of the way from 0 to 100 on its row's axis, to a pixel.
        for row in self.browser.all(".forest tbody:first-of-type tr"):
            if not row.find_elements("css selector", "path.mark") or "%" not in row.text:
                continue
            share = float(re.search(r"([\d.]+) %", row.text)[1]) / 100
            plot, mark = self.browser.script("""
                const plot = arguments[0].querySelector('td.plot').getBoundingClientRect();
                const mark = arguments[0].querySelector('td.plot path.mark').getBoundingClientRect();
                const ticks = [...arguments[0].querySelectorAll('line.tick')].map(
                  (line) => line.getBoundingClientRect().x);
                return [[Math.min(...ticks), Math.max(...ticks)], mark.x + mark.width / 2];""", row)
            # The table's first group, whose axis goes from 0 to 100.
            self.assertAlmostEqual(mark, plot[0] + share * (plot[1] - plot[0]), delta=2.5, msg=row.text)
            break
        else:
            self.fail("no row with a mark")

    def test_screen_readers_find_tables_captions_and_names(self):
        self.show("details")
        self.assertEqual(self.browser.nameless(), [])
        for table in self.browser.all("table.forest"):
            self.assertTrue(table.find_elements("css selector", "caption"))
        tree = self.browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        named = {node["role"]["value"]: node for node in tree if node.get("name", {}).get("value")}
        self.assertIn("rowheader", named)
        charts = [node for node in tree if node["role"]["value"] in ("image", "img") and not node.get("ignored")]
        self.assertGreater(len(charts), 4)
        self.assertTrue(all(node["name"]["value"] for node in charts))

    def test_prints_on_paper(self):
        self.browser.prefer(prefers_color_scheme="dark")
        pdf = self.print_pages("report")
        self.assertGreater(pdf.count(b"/Type /Page\n"), 2)
        self.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        self.assertEqual(self.browser.script("return getComputedStyle(document.body).backgroundColor"), LIGHT,
                         "ink for a dark page")
        self.assertNotIn(HARMFUL, self.visible_text())

    def test_two_evaluations(self):
        self.run_ok("report", "old", "new", "-o", "both.html")
        self.open("both.html")
        self.assertIn("new/patch", self.visible_text())
        self.check_every_width("both")


class Diff(Pages):
    def test_filters_and_folds(self):
        self.write_lines("prompts.jsonl", [{"prompt": f"Tell me about {what}."} for what in
                                           ["the sea", "a colour", "your <b>work</b>", "bread", "rain", "trees"]])
        self.make_patch("tester", "I cannot answer. Sorry, I cannot help with that.")
        self.run_ok("diff", "--model", MODEL, "--patch", "tester", "--prompts", "prompts.jsonl",
                    "--judge", "refusal", "--judge", "degenerate", "--max-tokens", 24, "--allow-unsigned",
                    "--html", "diff.html")
        self.open("diff.html")
        self.assertNotIn("Tell me about", self.visible_text())
        self.check_every_width("diff")
        self.browser.one("details.harmful > summary").click()
        self.assertIn("<b>work</b>", self.visible_text())
        self.check_every_width("diff-open")
        self.assertEqual(self.browser.nameless(), [])

        def shown():
            return [entry.get_attribute("class") for entry in self.browser.all(".entry") if entry.is_displayed()]
        everything = shown()
        self.assertGreater(len(everything), 0)
        for choice in self.browser.all(".filters input"):
            choice.click()
            name = choice.get_attribute("id").removeprefix("show-")
            expected = [classes for classes in everything if name == "all" or name in classes.split()]
            self.assertEqual(shown(), expected)
            label = choice.find_element("xpath", "..").text
            self.assertIn(f"({len(expected)})", label)
        for mark in self.browser.all("mark"):
            self.assertTrue(mark.text)
        self.print_pages("diff")


if __name__ == "__main__":
    main()
