"""The page of the server in a real browser: columns, swaps, rolling back, errors, keys, small screens."""

import hashlib
import json
import re

from browsers import Browser
from channels import ChannelTest
from program import main
from selenium.webdriver.common.keys import Keys
from servers import Server
from stores import StoreTest

ADMIN_KEY = "correct-horse-battery"
API_KEY = "a-key-of-alice"
VIEWS = ["compare", "patches", "measurements", "settings"]
MARKUP = "<b id=injected>bold</b>"

# Notes each growth of an answer: [letter, length], in the order in which they come.
WATCH_ANSWERS = """
window.grown = [];
new MutationObserver(() => {
  for (const node of document.querySelectorAll('.turn:last-child .answer')) {
    const last = window.grown.findLast(([letter]) => letter === node.dataset.letter);
    const length = node.querySelector('.text').textContent.length;
    if (length > 0 && last?.[1] !== length) window.grown.push([node.dataset.letter, length]);
  }
}).observe(document.getElementById('turns'), {childList: true, subtree: true, characterData: true});
"""

# Keeps what the server sends to each column, by the header llmpatch-stack.
KEEP_STREAMS = """
window.streams = {};
const request = window.fetch;
window.fetch = async (...all) => {
  const response = await request(...all);
  const stack = response.headers.get('llmpatch-stack');
  if (stack) response.clone().text().then((text) => { window.streams[stack] = text; });
  return response;
};
"""

# The events of a stream that arrives in pieces of `size` bytes.
READ_EVENTS = """
const [text, size, done] = arguments;
import('/sse.js').then(async ({ serverSentEvents }) => {
  const bytes = new TextEncoder().encode(text);
  const stream = new ReadableStream({start(controller) {
    for (let i = 0; i < bytes.length; i += size) controller.enqueue(bytes.slice(i, i + size));
    controller.close();
  }});
  const found = [];
  for await (const data of serverSentEvents(stream)) found.push(data);
  done(found);
});
"""


def text_of_stream(events):
    """The text that the events of a streamed answer make."""
    chunks = [json.loads(line.removeprefix("data: ")) for line in events.split("\n")
              if line.startswith("data: {")]
    return "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])


class PageTest(StoreTest):
    """A page on a server of its own; the console must stay clean but for `refusals`, the statuses that
    the test provokes."""

    def setUp(self):
        super().setUp()
        self.refusals = set()
        self.browser = Browser()
        self.addCleanup(self.browser.close)
        self.write("admin.key", ADMIN_KEY + "\n").chmod(0o600)

    def tearDown(self):
        for entry in self.browser.console():
            is_refusal = entry["source"] == "network" and any(
                f"status of {status}" in entry["message"] for status in self.refusals)
            self.assertTrue(is_refusal, entry)
        super().tearDown()

    def serve(self, *args):
        self.server = Server(self.dir, "--store", "store", "--key", "vendor.pub",
                             "--admin-key-file", "admin.key", *args)
        self.addCleanup(self.server.stop)

    def serve_with_key(self, **limits):
        """With one API key, alice's, of whom the file of keys says `limits`."""
        sha256 = hashlib.sha256(API_KEY.encode()).hexdigest()
        self.write("keys.json", json.dumps({"keys": [{"name": "alice", "sha256": sha256, **limits}]}))
        self.serve("--api-keys", "keys.json")

    def serve_two_versions(self, *args):
        """tester 1.0.0 and 1.1.0 in the store, the first one active."""
        self.run_ok(*self.install(self.release("1.0.0", 1), "--activate"))
        self.run_ok(*self.install(self.release("1.1.0", 2)))
        self.serve(*args)

    def visit(self):
        self.browser.open(f"http://127.0.0.1:{self.server.port}/")

    def open(self):
        self.visit()
        self.browser.wait(lambda: self.browser.all(".column"), "the columns")

    def open_with_key(self):
        """The settings, where the page asks for the key, once they have it."""
        self.refusals.add(401)
        self.visit()
        self.browser.wait(lambda: self.browser.one("#settings").is_displayed(), "the settings")
        self.assertEqual(self.browser.one("#server-state").text, "API key needed")
        self.browser.one("#api-key").send_keys(API_KEY + Keys.TAB)

    def wait_for_state(self, pattern):
        """Until what the bar says of the server matches."""
        self.browser.wait(lambda: re.search(pattern, self.browser.one("#server-state").text), pattern)

    def wait_for_notice(self, pattern):
        self.browser.wait(lambda: re.search(pattern, self.browser.one("#notice").text), pattern)

    def confirm_with_admin_key(self):
        """In the dialog that a change asks in."""
        self.browser.one("#admin-key").send_keys(ADMIN_KEY + Keys.ENTER)

    def check_nothing_to_run(self):
        """Without any column the page can be read, and nothing can be sent."""
        self.assertEqual(self.titles(), [])
        self.assertFalse(self.browser.one("#send").is_enabled())
        self.assertFalse(self.browser.one("#add-column").is_enabled())
        self.assertFalse(self.browser.one("#empty").is_displayed())
        self.assertTrue(self.browser.fits())
        self.assertEqual(self.browser.nameless(), [])
        self.assertGreaterEqual(self.browser.least_contrast()[0], 4.5, self.browser.least_contrast())

    def activate(self, version):
        answer = self.server.post("/v1/patches/tester/activate", {"version": version}, key=ADMIN_KEY)
        self.assertEqual(answer.status, 200, answer.body)

    def limit_answers(self, tokens):
        self.browser.script("document.getElementById('max-tokens').value = arguments[0]", tokens)

    def send(self, text):
        self.browser.one("#message").send_keys(text + Keys.ENTER)

    def turns_done(self, count):
        """Waits until that many messages have been answered in every column."""
        self.browser.wait(
            lambda: len(self.browser.all(".turn")) == count and not self.browser.one("#stop").is_displayed(),
            f"message {count} to be answered")

    def titles(self):
        """What the columns' headings say after "Column A:"."""
        return [heading.split("\n")[1] for heading in self.browser.texts(".column h2")]

    def answers(self, what):
        """Of the last message, by column: what is selected in the answer."""
        return {node.get_attribute("data-letter"): node.find_element("css selector", what).text
                for node in self.browser.all(".turn:last-child .answer")}

    def go(self, view):
        self.browser.one(f"nav a[href='#{view}']").click()
        self.browser.wait(lambda: self.browser.one(f"#{view}").is_displayed(), view)


class Page(PageTest):
    def test_columns_stream_side_by_side(self):
        self.serve_two_versions("--allow-unpatched")
        self.open()
        self.assertEqual(self.titles(), ["Base model", "tester"])
        self.limit_answers(24)
        self.browser.script(WATCH_ANSWERS)
        self.browser.script(KEEP_STREAMS)
        self.send("Tell me about the sea.")
        self.turns_done(1)
        self.browser.picture("columns")
        grown = self.browser.script("return window.grown")
        letters = "".join(letter for letter, _ in grown)
        self.assertGreater(letters.count("A"), 3, grown)
        self.assertGreater(letters.count("B"), 3, grown)
        self.assertTrue(letters.index("A") < letters.rindex("B") and letters.index("B") < letters.rindex("A"),
                        f"one after the other: {letters}")
        self.assertEqual(self.answers(".ran"), {"A": "base model", "B": "tester@1.0.0"})
        for letter, stack in [("A", "none"), ("B", "tester@1.0.0")]:
            sent = self.browser.wait(lambda: self.browser.script("return window.streams[arguments[0]]", stack),
                                     "the end of the stream")
            shown = self.browser.script("return document.querySelector(arguments[0]).textContent",
                                        f".answer[data-letter={letter}] .text")
            self.assertEqual(shown, text_of_stream(sent))
        figures = self.answers(".figures")
        self.assertRegex(figures["A"], r"^\d+ tokens · \d+ ms to the first · [\d.]+ per second")
        self.assertRegex(figures["B"], r"\d+ patch rows")
        self.send("And the mountains?")
        self.turns_done(2)
        self.go("measurements")
        rows = self.browser.texts("#figures tbody tr")
        self.assertEqual([row.split()[0] for row in rows], ["A,", "B,"])
        self.browser.wait(lambda: "Running now: 0" in self.browser.one("#server-figures").text,
                          "the server's figures")
        self.browser.picture("measurements")

    def test_a_swap_takes_effect_in_the_next_message(self):
        self.serve_two_versions()
        self.open()
        self.assertIn("does not run the model without", self.browser.one("#columns-note").text)
        self.assertEqual(self.browser.texts(".column .block"), ["tester\n1.0.0"])
        self.limit_answers(24)
        self.send("Tell me a long story.")
        self.browser.wait(lambda: self.answers(".text").get("A"), "a first piece")
        self.activate("1.1.0")
        self.turns_done(1)
        self.assertEqual(self.answers(".ran"), {"A": "tester@1.0.0"})
        self.browser.wait(lambda: self.browser.texts(".column .block") == ["tester\n1.1.0"],
                          "the new version in the column's head")
        self.limit_answers(4)
        self.send("And now?")
        self.turns_done(2)
        self.assertEqual(self.answers(".ran"), {"A": "tester@1.1.0"})

    def test_switches_change_the_next_message(self):
        self.make_patch("tone")
        self.serve_two_versions("--patch", "./tone", "--patch", "tester", "--allow-unsigned",
                                "--allow-unpatched")
        self.open()
        self.assertEqual(self.titles(), ["Base model", "tone, then tester"])
        for expected in ["tester, then tone", "tone beside tester"]:
            self.browser.one("#add-column").click()
            self.assertEqual(self.titles()[-1], expected)
        self.assertFalse(self.browser.one("#add-column").is_enabled(), "four columns are the most")
        self.limit_answers(4)
        self.send("Hello")
        self.turns_done(1)
        self.assertEqual(self.answers(".ran"), {
            "A": "base model", "B": "tone@1.0.0, then tester@1.0.0",
            "C": "tester@1.0.0, then tone@1.0.0", "D": "tester@1.0.0 beside tone@1.0.0"})
        self.browser.picture("four-columns")

        column = ".column[data-letter='%s'] "
        self.browser.one(column % "A" + "summary").click()
        self.browser.one(column % "A" + "[data-control='switch tester']").click()
        version = self.browser.one(column % "A" + "[data-control='version tester']")
        version.find_element("css selector", "option[value='1.1.0']").click()
        self.browser.one(column % "B" + "summary").click()
        self.browser.one(column % "B" + "[data-control='later tone']").click()
        self.browser.one(column % "B" + "[data-control='parallel']").click()
        self.browser.one(column % "C" + "[data-control='remove']").click()
        self.assertEqual(self.titles(),
                         ["tester", "tester beside tone", "tone beside tester"])
        self.assertEqual(len(self.browser.all(".answer")), 3, "the removed column's answers go with it")
        self.send("Hello again")
        self.turns_done(2)
        self.assertEqual(self.answers(".ran"), {"A": "tester@1.1.0", "B": "tester@1.0.0 beside tone@1.0.0",
                                                "D": "tester@1.0.0 beside tone@1.0.0"})

    def test_rolls_back(self):
        self.refusals = {403}
        self.serve_two_versions()
        self.activate("1.1.0")
        self.open()
        self.go("patches")
        active = ".version:has([data-state=active]) h3"
        self.assertEqual(self.browser.texts(active), ["1.1.0 active"])
        self.browser.one(".history summary").click()
        self.browser.wait(lambda: self.browser.all(".history tbody tr"), "the history")
        self.assertRegex(self.browser.texts(".history tbody tr")[0], r"activate 1\.1\.0")
        self.browser.picture("patches")
        self.browser.one(".history button").click()
        self.assertEqual(self.browser.focused(), "admin-key")
        self.browser.type("a-wrong-admin-key" + Keys.ENTER)
        self.browser.wait(lambda: self.browser.one("#change-error").text, "the refusal")
        self.browser.picture("wrong-admin-key")
        self.assertEqual(self.browser.texts(active), ["1.1.0 active"])
        self.browser.one("#admin-key").clear()
        self.confirm_with_admin_key()
        self.browser.wait(lambda: self.browser.texts(active) == ["1.0.0 active"], "1.0.0 to be active")
        self.assertEqual(self.browser.focused(), "patch-tester")
        self.assertRegex(self.browser.wait(lambda: self.browser.texts(".history tbody tr"), "history")[0],
                         r"rollback 1\.0\.0")
        self.go("compare")
        self.limit_answers(4)
        self.send("Hello")
        self.turns_done(1)
        self.assertEqual(self.answers(".ran"), {"A": "tester@1.0.0"})

        kept = "return [localStorage.length, sessionStorage.length, document.cookie]"
        self.assertEqual(self.browser.script(kept), [0, 0, ""])
        self.open()
        self.go("patches")
        self.browser.one(".version button").click()
        self.assertEqual(self.browser.one("#admin-key").get_attribute("value"), "", "forgotten")

    def test_errors_stand_in_their_column(self):
        self.refusals = {403}
        self.serve_two_versions()
        self.open()
        self.browser.one("#add-column").click()
        self.browser.one(".column[data-letter=B] summary").click()
        self.browser.one(".column[data-letter=B] [data-control='switch tester']").click()
        self.limit_answers(4)
        self.send("Hello")
        self.turns_done(1)
        error = self.browser.one(".answer[data-letter=B] .error")
        self.assertRegex(error.text, r"^403 .*\n.*--allow-unpatched")
        self.assertEqual(self.browser.all(".answer[data-letter=A] .error"), [])
        self.browser.picture("not-allowed")
        self.browser.one(".column[data-letter=B] [data-control='switch tester']").click()
        error.find_element("css selector", "button").click()
        self.browser.wait(lambda: not self.browser.all(".answer .error"), "the error to go")
        self.turns_done(1)
        self.assertEqual(self.answers(".ran"), {"A": "tester@1.0.0", "B": "tester@1.0.0"})

    def test_waits_for_room(self):
        self.refusals = {429}
        self.serve_two_versions("--allow-unpatched", "--max-concurrent", 1, "--max-queue", 1)
        self.open()
        for _ in range(2):
            self.browser.one("#add-column").click()
        self.limit_answers(4)
        self.browser.note("Trying again in")
        self.send("Tell me about the sea.")
        self.turns_done(1)
        self.assertTrue(self.browser.noted(), "no column was told to wait")
        self.assertEqual(len(self.browser.all(".figures")), 4)

    def test_asks_for_an_api_key(self):
        self.run_ok(*self.install(self.release(), "--activate"))
        self.serve_with_key()
        self.open_with_key()
        self.wait_for_state("^Ready$")
        self.go("compare")
        self.limit_answers(4)
        self.send("Hello")
        self.turns_done(1)
        self.assertEqual(self.answers(".ran"), {"A": "tester@1.0.0"})

    def test_a_key_that_may_not_run_the_default_stack(self):
        self.run_ok(*self.install(self.release(), "--activate"))
        self.run_ok(*self.install(self.release(name="tone"), "--activate"))
        self.serve_with_key(patches=["tone"])
        self.open_with_key()
        self.wait_for_state("^Default stack: .*may not run it")
        self.go("compare")
        self.assertEqual(self.titles(), ["tone"])
        self.assertRegex(self.browser.one("#notice").text,
                         r"^The default stack does not run: .*may not run it\n"
                         r"Requests that leave the patches to the server are refused\. .*$")
        self.browser.picture("restricted-key")
        self.limit_answers(4)
        self.send("Hello")
        self.turns_done(1)
        self.assertEqual(self.answers(".ran"), {"A": "tone@1.0.0"})
        self.browser.one("#add-column").click()
        self.assertEqual(self.titles(), ["tone", "tone"], "the model alone is not for this key")
        self.go("patches")
        self.assertEqual(self.browser.texts(".patch h2"), ["tone"])

    def test_a_key_that_may_run_the_model_alone(self):
        self.run_ok(*self.install(self.release(), "--activate"))
        self.serve_with_key(patches=["nothing"], unpatched=True)
        self.open_with_key()
        self.wait_for_state("^Default stack: ")
        self.go("compare")
        self.assertEqual(self.titles(), ["Base model"])
        self.assertEqual(self.browser.one("#columns-note").text, "")
        self.limit_answers(4)
        self.send("Hello")
        self.turns_done(1)
        self.assertEqual(self.answers(".ran"), {"A": "base model"})

    def test_no_patch_is_active(self):
        self.run_ok(*self.install(self.release()))
        self.serve()
        self.open()
        self.wait_for_state("^Default stack: ")
        self.assertRegex(self.browser.one("#notice").text,
                         r"^The default stack does not run: .*\n.*\nActivate a patch in Patches\.$")
        self.assertEqual(self.browser.texts(".column .block"), ["tester\n1.0.0"])
        self.browser.picture("nothing-active")
        self.browser.one("#notice a").click()
        self.browser.wait(lambda: self.browser.one("#patches").is_displayed(), "the patches")
        self.browser.one(".version button").click()
        self.confirm_with_admin_key()
        self.wait_for_state("^Ready$")
        self.go("compare")
        self.assertEqual(self.browser.one("#notice").text, "")
        self.browser.one(".column summary").click()
        self.assertEqual(self.browser.texts(".column option:checked"), ["active (1.0.0)"])
        self.limit_answers(4)
        self.send("Hello")
        self.turns_done(1)
        self.assertEqual(self.answers(".ran"), {"A": "tester@1.0.0"})

    def test_columns_that_somebody_chose_stay(self):
        self.run_ok(*self.install(self.release()))
        self.serve("--allow-unpatched")
        self.open()
        self.assertEqual(self.titles(), ["Base model", "tester"])
        self.browser.one(".column[data-letter=A] [data-control=remove]").click()
        self.activate("1.0.0")
        self.browser.one(".column summary").click()
        self.browser.wait(lambda: "active (1.0.0)" in self.browser.texts(".column option"), "the change")
        self.assertEqual(self.titles(), ["tester"])
        self.assertEqual(self.browser.texts(".column option:checked"), ["1.0.0"])

    def test_there_are_no_patches(self):
        release = self.release()
        self.serve()
        self.visit()
        self.wait_for_notice("nothing to run in a column: this server has no patches")
        self.assertIn("llmpatch install --activate", self.browser.one("#notice").text)
        self.check_nothing_to_run()
        self.browser.picture("no-patches")
        self.go("patches")
        self.assertEqual(self.browser.one("#all-patches").text, "This server has no patches.")
        self.go("compare")
        change = {"source": str(release), "activate": True}
        installed = self.server.post("/v1/patches", change, key=ADMIN_KEY)
        self.assertEqual(installed.status, 200, installed.body)
        self.browser.wait(lambda: self.titles() == ["tester"], "a column of the new patch")
        self.assertEqual(self.browser.one("#notice").text, "")
        self.assertTrue(self.browser.one("#send").is_enabled())

    def test_what_others_wrote_is_text(self):
        self.run_ok(*self.install(self.release(summary=MARKUP), "--activate"))
        self.serve()
        self.open()
        self.limit_answers(4)
        self.send(MARKUP)
        self.turns_done(1)
        self.assertIn(MARKUP, self.browser.one(".prompt").text)
        self.go("patches")
        self.assertIn(MARKUP, self.browser.one(".patch .lead").text)
        self.assertEqual(self.browser.all("#injected"), [])
        policy = self.server.get("/").headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)

    def test_the_keyboard_is_enough(self):
        self.serve_two_versions("--allow-unpatched")
        self.open()
        self.browser.wait(lambda: self.browser.focused() == "message", "the message to have the focus")
        self.limit_answers(64)
        self.browser.type("One line", Keys.SHIFT + Keys.ENTER, Keys.NULL, "and another", Keys.ENTER)
        self.browser.wait(lambda: self.answers(".text").get("A"), "a first piece")
        self.assertEqual(self.browser.one(".prompt").text, "Message 1:\nOne line\nand another")
        self.browser.type(Keys.ESCAPE)
        self.turns_done(1)
        self.assertRegex(self.answers(".figures")["A"], r"stopped$")
        self.assertEqual(self.browser.focused(), "message")

        # From the top, tab by tab: everything is reached, and each shows that it has the focus.
        self.browser.script("document.activeElement.blur(); window.getSelection().removeAllRanges()")
        self.open()
        self.browser.wait(lambda: self.browser.focused() == "message", "the message to have the focus")
        self.browser.script("document.querySelector('.skip').focus()")
        reached = []
        for _ in range(12):
            reached.append(self.browser.focused())
            outline = self.browser.script("return getComputedStyle(document.activeElement).outlineStyle")
            self.assertNotEqual(outline, "none", reached[-1])
            if reached[-1] == "message":
                break
            self.browser.type(Keys.TAB)
        self.assertEqual(reached, ["Skip to the content", "Compare", "Patches", "Measurements", "Settings",
                                   "remove", "summary", "remove", "summary", "add-column", "message"])
        self.browser.script("document.querySelectorAll('.column summary')[0].focus()")
        self.browser.type(Keys.ENTER, Keys.TAB)
        self.assertEqual(self.browser.focused(), "switch tester")
        self.browser.type(Keys.SPACE)
        self.assertEqual(self.browser.focused(), "switch tester", "drawn anew, it keeps the focus")
        self.assertEqual(self.titles(), ["tester", "tester"])

        self.browser.script("document.querySelector('nav a[href=\"#settings\"]').focus()")
        self.browser.type(Keys.ENTER)
        self.browser.wait(lambda: self.browser.focused() == "settings-heading", "the view's heading")

    def test_reads_well_on_every_screen(self):
        self.make_patch("tone")
        self.serve_two_versions("--patch", "./tone", "--patch", "tester", "--allow-unsigned",
                                "--allow-unpatched")
        for name, width, height, scheme in [("wide", 1280, 900, "light"), ("wide-dark", 1280, 900, "dark"),
                                            ("phone", 360, 740, "light"), ("phone-dark", 360, 740, "dark")]:
            with self.subTest(name):
                self.browser.resize(width, height)
                self.browser.prefer(prefers_color_scheme=scheme)
                self.open()
                self.browser.script("for (const each of document.querySelectorAll('details')) each.open = true")
                self.limit_answers(8)
                self.send("An unbroken word: " + "m" * 200)
                self.turns_done(1)
                for view in VIEWS:
                    self.go(view)
                    self.browser.script("for (const each of document.querySelectorAll('.history')) each.open = true")
                    self.assertTrue(self.browser.fits(), view)
                    self.assertEqual(self.browser.nameless(), [], view)
                    self.assertGreaterEqual(self.browser.least_contrast()[0], 4.5,
                                            (view, self.browser.least_contrast()))
                    headings = [node for node in self.browser.all("h1") if node.is_displayed()]
                    self.assertEqual(len(headings), 1, view)
                    self.browser.picture(f"{name}-{view}")
                background = self.browser.script("return getComputedStyle(document.body).backgroundColor")
                self.assertEqual(sum(map(int, background[4:-1].split(","))) < 384, scheme == "dark")

    def test_no_motion_for_those_who_want_none(self):
        self.serve_two_versions()
        self.browser.prefer(prefers_reduced_motion="reduce")
        self.open()
        self.limit_answers(64)
        self.send("Hello")
        moving = "return document.getAnimations().length"
        self.browser.wait(lambda: self.browser.all(".answer[aria-busy=true]"), "an answer")
        self.assertEqual(self.browser.script(moving), 0)
        self.browser.type(Keys.ESCAPE)
        self.turns_done(1)

    def test_events_may_arrive_in_any_pieces(self):
        self.serve_two_versions()
        self.open()
        text = "data: naïve 🙂\n\n: a comment\ndata:two\r\ndata: lines\r\n\r\nevent: x\ndata: last\r\rdata: cut"
        for size in [1, 2, 3, 5, 7, len(text.encode())]:
            found = self.browser.driver.execute_async_script(READ_EVENTS, text, size)
            self.assertEqual(found, ["naïve 🙂", "two\nlines", "last"], size)


class RevokedPage(PageTest, ChannelTest):
    def test_the_default_stack_was_revoked(self):
        self.publish_release()
        self.subscribe()
        self.update()
        self.serve("--watch")
        self.revoke("1.0.0")
        self.update()
        self.browser.wait(lambda: self.server.get("/ready").status == 503, "the revocation")
        self.visit()
        self.wait_for_state("^Default stack: .*revoked")
        self.assertRegex(self.browser.one("#notice").text,
                         r"^The default stack does not run: .*revoked.*\n.*none of its patches can run\.\n"
                         r"Patches shows why, and can roll back ")
        self.check_nothing_to_run()
        self.browser.picture("revoked")
        self.go("patches")
        self.assertEqual(self.browser.texts(".version h3"), ["1.0.0 revoked"])
        self.browser.one(".history summary").click()
        self.browser.wait(lambda: self.browser.all(".history tbody tr"), "the history")
        self.assertTrue(self.browser.one(".history button").is_enabled())
        self.browser.picture("revoked-patches")
        self.publish_release("1.1.0", 2)
        self.update()
        self.wait_for_state("^Ready$")
        self.go("compare")
        self.assertEqual(self.browser.texts(".column .block"), ["tester\n1.1.0"])
        self.assertEqual(self.browser.one("#notice").text, "")


if __name__ == "__main__":
    main()
