"""compose: patches alone, in both orders and in parallel; the recommendation; what it records."""

import itertools
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from program import OPERATOR, ProgramTest, main

MAKE_MODEL = Path(os.environ["LLMPATCH_TOOLS"]) / "make_model"
MODES = ["red", "blue", "red, then blue", "blue, then red", "red beside blue"]


class Composed(ProgramTest):
    program = OPERATOR

    def setUp(self):
        super().setUp()
        self.model = self.dir / "tiny.gguf"
        subprocess.run([MAKE_MODEL, "tiny", self.model], check=True, timeout=60)
        self.red = self.make_patch("red", "You always speak of red things.", self.model)
        self.blue = self.make_patch("blue", "Blue.", self.model)
        self.write_lines("harmful.jsonl", [{"prompt": f"Tell me how to {what}"}
                                           for what in ["sing", "dance", "paint"]])
        self.write_lines("benign.jsonl", [{"prompt": f"Name a {what}"} for what in ["fruit", "king"]])
        # Every answer of a random model degenerates or not; that a patch changes the score is enough.
        self.write("words.json", json.dumps(
            {"name": "words", "prompts": "harmful.jsonl", "format": "raw",
             "judges": ["degenerate", "refusal"],
             "decoding": [{"max_tokens": 6, "samples": 3, "temperature": 1, "top_p": 0.9}]}))
        self.write("benign.json", json.dumps(
            {"name": "benign", "prompts": "benign.jsonl", "expect": "answer", "max_tokens": 6}))

    def arguments(self, *more, patches=None, out="out"):
        return ["compose", *(patches or [self.red, self.blue]), "--model", self.model,
                "--eval", "words.json", "--suite", "benign.json", "--allow-unsigned",
                "--metric", "red=words:tokens@3", "--metric", "blue=words:trigram_repetition@3",
                "-o", out, *more]

    def study(self, out="out"):
        return json.loads((self.dir / out / "compose.json").read_text())

    def test_a_study(self):
        outcome = self.run_ok(*self.arguments())
        self.assertRegex(outcome.stderr, r"plan: 5 prompts, the model alone and 5 modes, at most "
                                         r"\d+ tokens to generate")
        self.assertIn("red is measured by words:tokens@3", outcome.stderr)
        self.assertRegex(outcome.stderr, r"(?m)^time: about ")
        self.assertRegex(outcome.stdout, r"(?m)^recommended: ")
        for mode in ["base", *MODES]:
            self.assertRegex(outcome.stdout, rf"(?m)^  {mode}  ")

        study = self.study()
        self.assertEqual([mode["mode"] for mode in study["modes"]], MODES)
        self.assertEqual([mode["compose"] for mode in study["modes"]],
                         ["alone", "alone", "sequential", "sequential", "parallel"])
        metrics = {(m["suite"], m["metric"]): m for m in study["metrics"]}
        for metric in metrics.values():
            self.assertEqual(len(metric["modes"]), 5)
        self.assertIn(("benign", "refused"), metrics)
        self.assertIn(("benign", "kl_from_base"), metrics)
        # Each mode's figure is the one of its own evaluation.
        tokens = metrics["words", "tokens@3"]
        folders = ["red", "blue", "red-then-blue", "blue-then-red", "red-beside-blue"]
        for folder, figure in zip(folders, tokens["modes"]):
            card = json.loads((self.dir / "out/modes" / folder / "eval.json").read_text())
            words = next(suite for suite in card["suites"] if suite["name"] == "words")
            self.assertEqual(words["systems"]["patch"]["tokens@3"]["value"], figure["value"])
            self.assertEqual(words["systems"]["base"]["tokens@3"]["value"], tokens["base"]["value"])
        # The share kept is the ratio of the figures.
        alone = study["modes"][4]["kept"][0]
        base, red, both = (tokens["base"]["value"], tokens["modes"][0]["value"],
                           tokens["modes"][4]["value"])
        self.assertEqual(alone["patch"], "red")
        self.assertAlmostEqual(alone["improvement_alone"]["value"], base - red, places=4)
        if red < base:
            self.assertAlmostEqual(alone["kept"]["value"], (base - both) / (base - red), places=4)
        else:
            self.assertIsNone(alone["kept"])
        page = (self.dir / "out/compose.md").read_text()
        self.assertTrue(page.startswith("# Composition of red and blue\n"))
        self.assertNotIn(str(self.dir), json.dumps({**study, "command": ""}))

        self.fails(11, "compose.json: it exists", *self.arguments())
        again = self.run_ok(*self.arguments("--force", "--json"))
        repeated = json.loads(again.stdout)
        self.assertEqual(repeated["generated_tokens"], 0)
        for part in ("metrics", "modes", "recommended"):
            self.assertEqual(repeated[part], study[part])

    def test_three_patches(self):
        green = self.make_patch("green", "Grass and trees.", self.model)
        patches = [self.red, self.blue, green]
        metric = ["--metric", "green=words:tokens@3"]
        self.fails(9, r"modes of 3 patches: found 15, expected at most 14",
                   *self.arguments(*metric, "--orders", "two", "--max-modes", "14", patches=patches))
        self.run_ok(*self.arguments(*metric, patches=patches))
        modes = [mode["mode"] for mode in self.study()["modes"]]
        self.assertEqual(len(modes), 19)
        orders = {", then ".join(order) for order in itertools.permutations(["red", "blue", "green"])}
        self.assertEqual(set(modes[-7:-1]), orders)
        self.assertEqual(modes[-1], "red beside blue beside green")

    def test_goes_on_after_an_interruption(self):
        self.write_lines("harmful.jsonl", [{"prompt": f"Number {i} is"} for i in range(150)])
        process = self.start_program(*self.arguments())
        done = self.dir / "out/modes/red/eval.json"
        while not done.exists():
            self.assertIsNone(process.poll(), "it ended before it was interrupted")
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertFalse((self.dir / "out/compose.json").exists())

        self.run_ok(*self.arguments())
        self.run_ok(*self.arguments(out="whole"))
        resumed, whole = self.study(), self.study("whole")
        self.assertEqual(resumed["metrics"], whole["metrics"])
        self.assertEqual(resumed["modes"], whole["modes"])
        self.assertLess(resumed["generated_tokens"], whole["generated_tokens"])

    def test_record(self):
        # Behind either patch this model expects numbers more than alone: there is something to keep.
        self.write("numbers.txt", "1 2 3 4 5 6 7 8 9 0 " * 6)
        self.write("numbers.json", json.dumps({"name": "numbers", "kind": "perplexity",
                                               "prompts": "numbers.txt", "window": 16}))
        arguments = self.arguments("--suite", "numbers.json", "--metric", "red=numbers:perplexity",
                                   "--metric", "blue=numbers:perplexity", "--record")
        self.run_ok(*arguments)
        study = self.study()
        recorded = 0
        for place, name in enumerate(["red", "blue"]):
            manifest = json.loads((self.dir / name / "manifest.json").read_text())
            tested = manifest["compose"]["tested"]
            kept = [each for mode in study["modes"] for each in mode.get("kept", [])
                    if each["patch"] == name and each["kept"] is not None]
            self.assertEqual(len(tested), len(kept))
            recorded += len(tested)
            for entry, figure in zip(tested, kept):
                self.assertAlmostEqual(entry["kept"]["value"], figure["kept"]["value"], places=4)
                self.assertEqual(set(entry["patches"]), {"red@1.0.0", "blue@1.0.0"})
            shown = self.run_ok("inspect", name)
            self.assertEqual(shown.stdout.count(": keeps "), len(tested))
        self.assertGreater(recorded, 0, "the patches improve nothing: choose other texts")
        # The same again replaces, and adds nothing.
        before = {name: (self.dir / name / "manifest.json").read_text() for name in ["red", "blue"]}
        self.run_ok(*arguments, "--force")
        for name, text in before.items():
            self.assertEqual((self.dir / name / "manifest.json").read_text(), text)

    def test_a_signed_patch_records_nothing(self):
        self.run_ok("keygen", "-o", "maker")
        self.run_ok("sign", "blue", "--key", "maker.key")
        outcome = self.fails(12, r"--record, compose\.tested of .*blue: found a signed patch",
                             *self.arguments("--record"))
        self.assertIn("hint: ", outcome.stderr)
        self.assertIn("new version", outcome.stderr)

    def test_bad_arguments(self):
        def without(option):
            arguments = self.arguments()
            place = arguments.index(option)
            return arguments[:place] + arguments[place + 2:]

        self.fails(2, "at least 2|PATCH", *self.arguments(patches=[self.red]))
        self.fails(2, r"risk 'test'", *without("--metric"))
        self.fails(2, r"metric: found 'red', expected PATCH=SUITE:METRIC",
                   *self.arguments("--metric", "red"))
        self.fails(2, r"found patch 'green'", *self.arguments("--metric", "green=words:tokens@3"))
        self.fails(2, r"found suite 'verse'", *self.arguments("--metric", "red=verse:tokens@3"))
        self.fails(2, r"orders: found 'some'", *self.arguments("--orders", "some"))
        self.fails(2, r"orders: found ''", *self.arguments("--orders", ""))
        self.fails(3, r"suite: found 'toxicty'", *self.arguments("--suite", "toxicty"))
        self.fails(3, r"suite: found 'toxicty'", *self.arguments("--eval", "benign.json,toxicty"))
        self.fails(3, "none", *self.arguments(patches=[self.red, "none"]))
        self.fails(2, "red", *self.arguments(patches=[self.red, self.red]))
        # Nothing tells how much is refused that should not be: measured, and not recommended.
        arguments = self.arguments()
        at = arguments.index("benign.json")
        del arguments[at - 1:at + 1]
        outcome = self.run_ok(*arguments)
        self.assertIn("nothing will be recommended", outcome.stderr)
        self.assertIn("recommended: none", outcome.stdout)
        self.assertIn("over-refusal was not measured", outcome.stdout)


if __name__ == "__main__":
    main()
