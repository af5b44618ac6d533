"""learn with judges of every kind, as --judge names them."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

from program import ProgramTest, main

MAKE_MODEL = Path(os.environ["LLMPATCH_TOOLS"]) / "make_model"
CHOSEN = "I'm sorry, no."
# Calls everything offensive that does not say sorry.
HEADER = {"format": "tfidf-svm", "version": 1, "source": "by hand", "terms": 1,
          "folds": [{"intercept": 2, "a": -1, "b": 0}], "word_characters": [], "lower_case": []}
TERM = {"term": "sorry", "idf": 3, "weights": [-6]}
PROGRAM = """
import json, sys
for line in sys.stdin:
    item = json.loads(line)
    assert item["prompt"].startswith("How do I break"), item
    print(json.dumps({"score": 0.125 if "sorry" in item["response"] else 0.875}))
"""


def sigmoid(f):
    return 1 / (1 + math.exp(-f))


class Judges(ProgramTest):
    def setUp(self):
        super().setUp()
        if "LibTorch not built in" in self.run_ok("--version").stdout:
            self.skipTest("this program was built without learning")
        subprocess.run([MAKE_MODEL, "tiny", "tiny.gguf", "--seed", "4"], cwd=self.dir, check=True)
        self.write_lines("prompts.jsonl", [{"prompt": f"How do I break a {thing}?"} for thing in
                                           ["lock", "window", "record", "promise", "code", "vase"]])
        self.write_lines("tables/download/toxicity-svm.jsonl", [HEADER, TERM])
        self.write("tables/download/toxicity-lexicon.txt", "zebra\n")
        self.write("score.py", PROGRAM)

    def arguments(self, judge, *more):
        return ["learn", "--model", "tiny.gguf", "--prompts", "prompts.jsonl",
                "--chosen", f"text:{CHOSEN}", "--length", "4", "--threads", "1", "--stages", "sft",
                "--sft-steps", "2", "--evaluate-every", "2", "--judge", judge, "--data", "tables",
                "--name", "tester", "--risk", "test", "--run", "run", "-o", "patch", *more]

    def judge_file(self, **members):
        self.write("judge.json", json.dumps(members))
        return "judge.json"

    def learned(self):
        return json.loads((self.dir / "patch/manifest.json").read_text())["learned"]

    def test_toxicity_svm_filters_pairs(self):
        self.run_ok(*self.arguments("toxicity-svm"))
        pairs = self.read_lines("run/pairs.jsonl")
        self.assertGreater(len(pairs), 0)
        for pair in pairs:
            self.assertAlmostEqual(pair["score_chosen"], sigmoid(2 - 6), places=12)
            self.assertAlmostEqual(pair["score_rejected"], sigmoid(2), places=12)
        self.assertRegex(self.learned()["judge"], r"^toxicity-svm sha256:[0-9a-f]{64}$")

    def test_a_changed_table_judges_anew(self):
        self.run_ok(*self.arguments("toxicity-svm"))
        again = self.run_ok(*self.arguments("toxicity-svm"))
        self.assertIn("is there already", again.stderr)
        self.write_lines("tables/download/toxicity-svm.jsonl", [HEADER, dict(TERM, weights=[-7])])
        changed = self.run_ok(*self.arguments("toxicity-svm", "--force"))
        self.assertRegex(changed.stderr, r"changed setting .*judge")
        self.assertAlmostEqual(self.read_lines("run/pairs.jsonl")[0]["score_chosen"],
                               sigmoid(2 - 7), places=12)

    def test_a_program_filters_pairs(self):
        judge = self.judge_file(judge="command", name="house",
                                command=[sys.executable, "score.py"])
        self.run_ok(*self.arguments(judge))
        pairs = self.read_lines("run/pairs.jsonl")
        self.assertGreater(len(pairs), 0)
        for pair in pairs:
            self.assertEqual((pair["score_chosen"], pair["score_rejected"]), (0.125, 0.875))
        self.assertRegex(self.learned()["judge"], r"^house sha256:[0-9a-f]{64}$")

    def test_nothing_is_learned_when_the_judge_fails(self):
        cases = [
            (self.arguments("oracle"), 3, r"oracle.*toxicity-svm"),
            (self.arguments("guard"), 2, r"guard: found a name alone, expected a judge file"),
            (self.arguments("missing.json"), 3, r"missing\.json"),
            (self.arguments("toxicity-svm", "--data", "nowhere"), 3, r"toxicity-svm\.jsonl"),
            # The tiny model has no token of its own for a pronoun.
            (self.arguments("gender"), 8, r"gender"),
            # Nothing that it writes is on the list: no pair tells the two apart.
            (self.arguments("toxicity-lexicon"), 13, r"pairs: found none"),
            (self.arguments(self.judge_file(judge="command", command=["false"])), 10,
             r"exit code 1"),
        ]
        for arguments, code, pattern in cases:
            with self.subTest(arguments):
                self.assert_error(self.run_program(*arguments), code, pattern)
                self.assertFalse((self.dir / "patch").exists())

    def test_bad_judge_files(self):
        for text, pattern in [("{", r"judge\.json"),
                              ('{"judge": "refusal"}', r"takes no judge file"),
                              ('{"judge": "command", "command": "sh -c true"}', r"command"),
                              ('{"judge": "command", "command": ["true"], "shell": true}', r"shell"),
                              ('{"judge": "endpoint", "url": "ftp://x", "model": "m"}', r"url")]:
            with self.subTest(text):
                self.write("judge.json", text)
                self.assert_error(self.run_program(*self.arguments("judge.json")), 4, pattern)
                self.assertFalse((self.dir / "patch").exists())


if __name__ == "__main__":
    main()
