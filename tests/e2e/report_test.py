"""report: one page of one evaluation or several, and evaluations that are not what they should be."""

import json

from evaluations import HARMFUL, LABELS, MARKUP, card, make_evaluation
from program import OPERATOR, ProgramTest, main


class Report(ProgramTest):
    program = OPERATOR

    def page(self, *args):
        outcome = self.run_ok("report", *args, "-o", "report.html", "--force")
        self.assertEqual(outcome.stdout, "")
        self.assertIn("wrote report.html", outcome.stderr)
        return (self.dir / "report.html").read_text()

    def test_a_folder_or_its_card(self):
        make_evaluation(self.dir / "out")
        page = self.page("out")
        self.assertEqual(self.page("out/eval.json"), page)
        for label in LABELS[:-1]:
            self.assertIn(f"<bdi>{label}</bdi>", page)
        self.assertNotIn(MARKUP, page)
        self.assertNotIn("<script", page)
        for part in ("Safety against utility", "Learning curves", "By template", "By length", "By category",
                     "does not count", "none seen: below", "180 of 200 prompts", HARMFUL):
            self.assertIn(part, page)
        self.assertNotRegex(page, r"(src|href)=[\"']?(https?:)?//")

    def test_two_versions_side_by_side(self):
        make_evaluation(self.dir / "old")
        make_evaluation(self.dir / "new", digest="d2", version="1.1.0")
        page = self.page("old", "new")
        self.assertIn("2 evaluations side by side", page)
        for label in ("old/patch", "new/patch"):
            self.assertIn(f"<bdi>{label}</bdi>", page)
        self.assertNotIn("<bdi>patch</bdi>", page)
        self.assertIn("<bdi>base</bdi>", page)  # the same in both
        self.assertEqual(page.count("<h3>old</h3>"), 1)  # its learning curves
        # --metrics takes the place of what lies beside the evaluations, in their order.
        self.write("mine.jsonl", '{"step": 1, "mine": 2}\n')
        page = self.page("old", "new", "--metrics", "mine.jsonl")
        self.assertIn("<figcaption>mine</figcaption>", page)

    def test_does_not_overwrite(self):
        make_evaluation(self.dir / "out")
        self.write("report.html", "mine")
        self.fails(11, r"report\.html: it exists already", "report", "out", "-o", "report.html")
        self.fails(2, "input itself", "report", "out", "-o", "out/eval.json", "--force")
        self.fails(2, "input itself", "report", "out", "-o", "out/responses.jsonl", "--force")
        self.fails(2, "input itself", "report", "out/eval.json", "-o", "out/responses.jsonl", "--force")
        self.fails(3, "found no folder", "report", "out", "-o", "none/report.html")

    def test_bad_evaluations(self):
        def write(name, change):
            bad = card()
            change(bad)
            self.write(f"{name}/eval.json", json.dumps(bad))
        write("schema", lambda bad: bad.update(schema="other"))
        write("suites", lambda bad: bad.update(suites={}))
        write("figure", lambda bad: bad["suites"][0]["systems"]["base"]["refusal"].update(value="high"))
        write("label", lambda bad: bad["suites"][0]["systems"].update({"x" * 65: {}}))
        write("many", lambda bad: bad["suites"][0]["systems"].update({f"s{i}": {} for i in range(300)}))
        self.write("deep/eval.json", "[" * 1000)
        self.write("empty/eval.json", "")
        for name, code, pattern in [("schema", 8, 'schema: found "other"'), ("suites", 4, "suites: found object"),
                                    ("figure", 4, r"suites\[0\]\.systems\.base\.refusal\.value: found string"),
                                    ("label", 4, "expected 1 to 64 printable"), ("many", 9, "systems: found 305"),
                                    ("deep", 4, r"deep/eval\.json"), ("empty", 4, r"empty/eval\.json"),
                                    ("none", 3, "none")]:
            with self.subTest(name):
                self.fails(code, pattern, "report", name, "-o", "report.html")
        make_evaluation(self.dir / "out")
        self.fails(2, "the same evaluation twice", "report", "out", "out/eval.json", "-o", "report.html")
        self.fails(2, "at most one for each", "report", "out", "--metrics", "a", "--metrics", "b",
                   "-o", "report.html")
        (self.dir / "out/responses.jsonl").write_text('{"suite": 1}\n')
        self.fails(4, r"responses\.jsonl.* line 1", "report", "out", "-o", "report.html")


if __name__ == "__main__":
    main()
