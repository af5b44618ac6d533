"""learn --method steering: from prompts to a control vector that generate and eval load."""

import os
import subprocess
from pathlib import Path

from program import ProgramTest, main

MAKE_MODEL = Path(os.environ["LLMPATCH_TOOLS"]) / "make_model"


class Steering(ProgramTest):
    def setUp(self):
        super().setUp()
        if "LibTorch not built in" in self.run_ok("--version").stdout:
            self.skipTest("this program was built without learning")
        subprocess.run([MAKE_MODEL, "tiny", "tiny.gguf", "--seed", "4"], cwd=self.dir, check=True)
        self.write_lines("prompts.jsonl", [{"prompt": f"How do I break a {thing}?"} for thing in
                                           ["lock", "window", "record", "promise", "code", "vase",
                                            "habit", "law", "leg", "curse", "siege", "bank"]])
        self.write_lines("retain.jsonl", [{"prompt": f"Name a {thing}."} for thing in
                                          ["colour", "river", "song", "planet", "poet", "fruit",
                                           "bird", "metal", "month", "city", "game", "tree"]])

    def arguments(self, *more, out="steering.gguf"):
        return ["learn", "--method", "steering", "--model", "tiny.gguf", "--prompts",
                "prompts.jsonl", "--retain", "retain.jsonl", "--chosen", "text:I'm sorry, no.",
                "--threads", "1", "--name", "steering", "-o", out, *more]

    def generate(self, *more):
        self.run_ok("generate", "--model", "tiny.gguf", "--prompts", "prompts.jsonl",
                    "--max-tokens", "8", "--force", "-o", "out.jsonl", *more)
        return [line["response"] for line in self.read_lines("out.jsonl")]

    def test_a_vector_that_steers(self):
        self.run_ok(*self.arguments())
        self.assertTrue((self.dir / "steering.gguf").read_bytes().startswith(b"GGUF"))
        candidates = [line for line in self.read_lines("steering.gguf.run/metrics.jsonl")
                      if line["stage"] == "steering"]
        self.assertGreaterEqual(len(candidates), 6)
        for line in candidates:
            self.assertAlmostEqual(line["score"], line["refused"] - 2 * line["over_refused"] -
                                   2 * max(0, line["kl"] - 0.1), places=5)
        # The larger the scale, the larger the change.
        changes = [line["kl"] for line in candidates if line["block"] == candidates[0]["block"]]
        self.assertGreater(changes[-1], changes[0])
        base = self.generate()
        self.assertEqual(self.generate("--control-vector", "steering.gguf:0"), base)
        self.assertNotEqual(self.generate("--control-vector", "steering.gguf:30"), base)

        # Again: there already, and the same bytes from nothing.
        self.assertIn("there already", self.run_ok(*self.arguments()).stderr)
        self.run_ok(*self.arguments(out="twin.gguf"))
        self.assertEqual((self.dir / "twin.gguf").read_bytes(),
                         (self.dir / "steering.gguf").read_bytes())
        # Other settings do not replace it unasked.
        self.fails_and_keeps("steering.gguf", *self.arguments("--validate-tokens", "3"))
        self.run_ok(*self.arguments("--validate-tokens", "3", "--force"))

    def fails_and_keeps(self, name, *arguments):
        before = (self.dir / name).read_bytes()
        self.assert_error(self.run_program(*arguments), 11, "it exists already")
        self.assertEqual((self.dir / name).read_bytes(), before)

    def test_bad_input(self):
        self.fails(2, "--method: found guesses", *self.arguments()[:1], "--method", "guesses",
                   *self.arguments()[3:])
        self.write_lines("pairs.jsonl", [{"prompt": "x", "chosen": 3, "rejected": "y"}])
        outcome = self.run_program("learn", "--method", "steering", "--model", "tiny.gguf",
                                   "--pairs", "pairs.jsonl", "--name", "x", "-o", "bad.gguf",
                                   "--threads", "1")
        self.assertNotEqual(outcome.code, 0)
        self.assertFalse((self.dir / "bad.gguf").exists())


if __name__ == "__main__":
    main()
