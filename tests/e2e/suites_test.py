"""Suites whose answers are judged: user suites, bad ones, an interruption, and running a card again."""

import html
import json
import signal
import time

from program import MODEL, ProgramTest, main

DECODING = [{"max_tokens": 6}, {"max_tokens": 6, "samples": 3, "temperature": 1, "top_p": 0.9}]


class Suites(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write_lines("prompts.jsonl", [{"prompt": f"Once upon a time a {who}"}
                                           for who in ["fox", "king", "baker"]])
        self.write_suite()
        self.patch = self.make_patch()

    def write_suite(self, **changes):
        suite = {"name": "mine", "prompts": "prompts.jsonl", "format": "raw",
                 "judges": ["degenerate", "refusal"], "decoding": DECODING, **changes}
        self.write("mine.json", json.dumps({k: v for k, v in suite.items() if v is not None}))

    def arguments(self, *more, patch=None, out="out"):
        return ["eval", "--model", MODEL, "--patch", patch or self.patch, "--suite", "mine.json",
                "-o", out, "--allow-unsigned", *more]

    def card(self, out="out"):
        return json.loads((self.dir / out / "eval.json").read_text())

    def test_a_user_suite(self):
        outcome = self.run_ok(*self.arguments("--judge", "refusal-jbb"))
        self.assertIn("mine: 3 prompts", outcome.stdout)
        self.assertIn("degenerate.flagged_gen@3", outcome.stdout)
        suite = self.card()["suites"][0]
        self.assertEqual(suite["kind"], "generation")
        for system in ("base", "patch"):
            figures = suite["systems"][system]
            for judge in ("degenerate", "refusal", "refusal-jbb"):
                for metric in ("flagged@greedy", "flagged_gen@3", "flagged_prompt@3"):
                    figure = figures[f"{judge}.{metric}"]
                    self.assertEqual(figure["n"], 3)
                    self.assertLessEqual(figure["low"], figure["value"])
                    self.assertGreaterEqual(figure["high"], figure["value"])
            self.assertGreater(figures["perplexity_base@3"]["value"], 1)
        lines = self.read_lines("out/responses.jsonl")
        self.assertEqual(len(lines), 2 * 3 * (1 + 3))
        self.assertEqual({line["system"] for line in lines}, {"base", "patch"})
        # The figure is the share of the lines.
        flagged = [line["scores"]["refusal"] for line in lines
                   if line["system"] == "patch" and line["decoding"] == "3"]
        self.assertAlmostEqual(suite["systems"]["patch"]["refusal.flagged_gen@3"]["value"],
                               sum(flagged) / len(flagged), places=5)
        self.assertIn("mine", (self.dir / "out/report.html").read_text())

    def test_bad_suites_are_refused(self):
        for changes, pattern in [({"judges": ["kindness"]}, "kindness"),
                                 ({"judges": None}, "expect"),
                                 ({"decoding": None}, "decoding"),
                                 ({"decoding": {"max_tokens": 4, "samples": 0}}, "samples: found 0"),
                                 ({"prompts": None}, "prompts"),
                                 ({"samples": 4}, "samples")]:
            with self.subTest(pattern):
                self.write_suite(**changes)
                self.fails(4, rf"mine\.json.*{pattern}", *self.arguments())
        self.write_suite(prompts="empty.jsonl")
        self.write("empty.jsonl", "")
        self.fails(2, r"empty\.jsonl: found no prompt", *self.arguments())
        self.write_suite()
        self.fails(3, "kindness", *self.arguments("--judge", "kindness"))
        self.fails(3, r"suite: found 'toxicty'", "eval", "--model", MODEL, "--suite", "toxicty",
                   "-o", "out")
        self.fails(2, "--suite: found none", "eval", "--model", MODEL, "-o", "out")

    def test_goes_on_after_an_interruption(self):
        # A chunk of 128 answers and a little more.
        self.write_lines("prompts.jsonl", [{"prompt": f"Number {i} is"} for i in range(136)])
        self.write_suite(decoding=[{"max_tokens": 2}])
        arguments = ["eval", "--model", MODEL, "--suite", "mine.json"]
        process = self.start_program(*arguments, "--cache", "cache", "-o", "out")
        cache = self.dir / "cache"
        while not (cache.is_dir() and any(cache.glob("answers-*.jsonl"))):
            self.assertIsNone(process.poll(), "it ended before it was interrupted")
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertFalse((self.dir / "out").exists())

        self.run_ok(*arguments, "--cache", "cache", "-o", "out")
        self.run_ok(*arguments, "-o", "whole")
        resumed, whole = self.card(), self.card("whole")
        self.assertEqual(resumed["suites"], whole["suites"])
        self.assertLess(resumed["generated_tokens"], whole["generated_tokens"])

    def test_reproduce(self):
        self.run_ok(*self.arguments("--card", self.patch))
        again = ["eval", "--model", MODEL, "--reproduce", self.patch, "--suite", "mine.json",
                 "--allow-unsigned"]
        outcome = self.run_ok(*again)
        self.assertIn("reproduced", outcome.stderr)

        # A card that says something else.
        card = self.card()
        figure = card["suites"][0]["systems"]["patch"]["tokens@3"]
        figure.update(value=99, low=98, high=100)
        self.put_card(card)
        outcome = self.run_program(*again)
        self.assertEqual(outcome.code, 13, str(outcome))
        self.assertRegex(outcome.stderr, r"error: .*mine: patch: tokens@3: found [\d.]+, expected 98")

        # Another prompt set; a suite that is only named; a card with a card option.
        self.fails(2, "mine", *[each for each in again if each not in ("--suite", "mine.json")])
        self.fails(2, "--card", *again, "--card", self.patch)
        self.write_lines("prompts.jsonl", [{"prompt": "Something else"}])
        self.fails(7, "prompts of suite .*mine", *again)

    def put_card(self, card):
        """Writes a card into the patch, and its digest into the manifest."""
        import hashlib
        text = json.dumps(card)
        (self.patch / "eval.json").write_text(text)
        manifest = json.loads((self.patch / "manifest.json").read_text())
        manifest["files"]["eval.json"] = hashlib.sha256(text.encode()).hexdigest()
        (self.patch / "manifest.json").write_text(json.dumps(manifest))


class Diff(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write_lines("prompts.jsonl", [{"prompt": "Name a colour."}, {"prompt": "Who are you?"}])
        self.patch = self.make_patch()

    def arguments(self, *more):
        return ["diff", "--model", MODEL, "--patch", self.patch, "--prompts", "prompts.jsonl",
                "--max-tokens", "8", "--allow-unsigned", *more]

    def test_against_the_model_alone(self):
        outcome = self.run_ok(*self.arguments("--judge", "refusal", "--json"))
        diff = json.loads(outcome.stdout)
        self.assertEqual(diff["prompts"], 2)
        self.assertEqual(diff["changed"], len(diff["changes"]))
        self.assertGreater(diff["changed"], 0)
        counts = diff["judges"]["refusal"]
        self.assertEqual(counts["fixed"] + counts["broken"] + counts["unchanged"], 2)
        for change in diff["changes"]:
            self.assertNotEqual(change["before"], change["after"])
            self.assertGreater(change["kl"], 0)
        text = self.run_ok(*self.arguments("--judge", "refusal")).stdout
        self.assertRegex(text, r"(?m)^@@ prompt \d+, token \d+, KL")
        self.assertIn(f"{diff['changed']} of 2 answers changed", text)

    def test_a_page_of_the_changes(self):
        self.write_lines("prompts.jsonl", [{"prompt": "Name a <i>colour</i>."}, {"prompt": "Who are you?"}])
        arguments = self.arguments("--judge", "refusal", "--html", "diff.html")
        text = self.run_ok(*arguments).stdout
        self.assertEqual(self.run_ok(*self.arguments("--judge", "refusal")).stdout, text)
        page = (self.dir / "diff.html").read_text()
        changed = int(text.split("answers changed")[0].split("\n")[-1].split(" of ")[0])
        self.assertGreater(changed, 0)
        self.assertEqual(page.count("<article"), changed)
        self.assertIn("the model alone</bdi> \u2192 <bdi>tester", page)
        self.assertNotIn("<i>colour", page)
        self.assertNotIn("<script", page)
        data = json.loads(self.run_ok(*self.arguments("--judge", "refusal", "--json")).stdout)
        self.assertEqual(data["from"], [])
        self.assertEqual([patch["name"] for patch in data["to"]], ["tester"])
        for change in data["changes"]:
            self.assertIn(change["verdicts"]["refusal"]["change"], ("fixed", "broken", "unchanged"))
            # The first token that differs is marked in each answer.
            for token in (change["token_before"], change["token_after"]):
                shown = html.escape(token).replace("&#x27;", "&#39;")
                marked = f"<mark>{shown}</mark>" if token else '<mark class="ended">'
                self.assertIn(marked, page)
        self.fails(11, r"diff\.html: it exists already", *arguments)
        self.fails(2, "input itself", *self.arguments("--html", "prompts.jsonl", "--force"))

    def test_against_itself(self):
        outcome = self.run_ok(*self.arguments("--from", self.patch))
        self.assertEqual(outcome.stdout, "0 of 2 answers changed\n")

    def test_bad_input(self):
        self.fails(3, "kindness", *self.arguments("--judge", "kindness"))
        self.fails(3, "none.jsonl", "diff", "--model", MODEL, "--patch", self.patch, "--prompts",
                   "none.jsonl", "--allow-unsigned")


if __name__ == "__main__":
    main()
