"""learn --joint: one patch from the finished runs of several, whose risks count alike."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from program import PROGRAM, ProgramTest, main
from stage_kills import kill_at_stages

MAKE_MODEL = Path(os.environ["LLMPATCH_TOOLS"]) / "make_model"
RISKS = ["harmful-requests", "tone"]
STAGES = ["harmful-requests.pairs.jsonl", "tone.retain-whole.jsonl", "baseline.json", "sft.state", "threshold.state",
          "reference.jsonl", "dpo.state"]
# The answers that the second run's own judge likes: those of letters from the alphabet's first half.
SCORE = """import json, sys
for line in sys.stdin:
    text = json.loads(line)['response'].lower()
    print(json.dumps({'score': sum(c > 'm' for c in text) / max(len(text), 1)}))
"""
COMMON = ["--threads", "1", "--evaluate-every", "2", "--sft-steps", "4", "--sft-batch", "2", "--sft-retain-batch", "2",
          "--force"]
REFUSE = ["learn", "--model", "tiny.gguf", "--prompts", "prompts.jsonl", "--retain", "retain.jsonl", "--teacher-system",
          "Refuse.", "--chosen", "text:I'm sorry, no.", "--stages", "sft", "--length", "4", "--retain-tokens", "4",
          "--name", "refuse", "--risk", RISKS[0], "--run", "refuse.run", "-o", "refuse", *COMMON]
TONE = ["learn", "--model", "tiny.gguf", "--pairs", "pairs.jsonl", "--retain", "stories.jsonl", "--format", "raw",
        "--judge", "judge.json", "--stages", "sft", "--length", "4", "--retain-tokens", "7", "--validate-tokens", "9",
        "--validate-samples", "2", "--name", "tone", "--version", "1.2.0", "--risk", RISKS[1], "--run", "tone.run",
        "-o", "tone", *COMMON]
JOINT = ["learn", "--model", "tiny.gguf", "--joint", "refuse.run", "--joint", "tone.run", "--length", "10",
         "--threads", "1", "--evaluate-every", "2", "--sft-steps", "6", "--sft-batch", "3", "--sft-retain-batch", "4",
         "--dpo-steps", "4", "--dpo-batch", "4", "--dpo-retain-batch", "2", "--sft-unlikelihood-weight", "1",
         "--sft-first-token-weight", "1", "--sft-correction-batch", "1", "--sft-easy-rate", "0.5",
         "--sft-whole-batch", "1", "--sft-whole-weight", "1", "--whole-texts", "4", "--whole-tokens", "8",
         "--over-refusal", "0.3", "--max-over-refusal", "1", "--name", "multi"]


def lines(objects):
    return "".join(json.dumps(each) + "\n" for each in objects)


def make_runs(folder):
    """A tiny model and two finished runs of single patches, of 22 prompts and of 7 pairs."""
    subprocess.run([MAKE_MODEL, "tiny", "tiny.gguf", "--seed", "4"], cwd=folder, check=True)
    things = ["lock", "window", "record", "promise", "code", "vase", "habit", "law", "leg", "curse", "siege", "bank"]
    files = {
        "prompts.jsonl": lines([{"prompt": f"How do I {verb} a {thing}?"} for thing in things
                                for verb in ["break", "steal"]]),
        "retain.jsonl": lines([{"prompt": f"Name a {thing}."} for thing in
                               ["colour", "river", "song", "planet", "poet", "fruit", "bird", "metal", "month", "city"]]),
        "pairs.jsonl": lines([{"prompt": f"The {who} said:", "chosen": f" calm {who}", "rejected": " zounds"} for who in
                              ["king", "miller", "fox", "judge", "sailor", "nurse", "owl", "baker"]]),
        "stories.jsonl": lines([{"prompt": f"Once upon a time in {where}"} for where in
                                ["Rome", "Oslo", "Lima", "Cairo", "Delhi", "Quito"]] + [{"prompt": "Name a river."}]),
        "score.py": SCORE,
        "judge.json": json.dumps({"judge": "command", "command": [sys.executable, "score.py"]}),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    for arguments in [REFUSE, TONE]:
        done = subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True, encoding="utf-8", timeout=120)
        if done.returncode != 0:
            raise AssertionError(done.stderr)


class Joint(ProgramTest):
    folder = None

    @classmethod
    def setUpClass(cls):
        version = subprocess.run([PROGRAM, "--version"], capture_output=True, encoding="utf-8", check=True)
        if "LibTorch not built in" not in version.stdout:
            cls.folder = tempfile.TemporaryDirectory(prefix="llmpatch-e2e-joint-")
            cls.addClassCleanup(cls.folder.cleanup)
            make_runs(Path(cls.folder.name))

    def setUp(self):
        super().setUp()
        if self.folder is None:
            self.skipTest("this program was built without learning")
        shutil.copytree(self.folder.name, self.dir, dirs_exist_ok=True)

    def joint(self, name, *more):
        return [*JOINT, "--run", f"{name}.run", "-o", name, *more]

    def patch_bytes(self, name):
        return {path.name: path.read_bytes() for path in sorted((self.dir / name).iterdir())}

    def manifest(self, name):
        return json.loads((self.dir / name / "manifest.json").read_text())

    def prompts(self, name, *sets):
        return [line["prompt"] for line in self.read_lines(name) if not sets or line["set"] in sets]

    def test_both_risks_are_drawn_and_judged_alike(self):
        done = self.run_ok(*self.joint("multi"))
        steps = [line for line in self.read_lines("multi.run/metrics.jsonl") if "loss" in line]
        drawn = {stage: [tuple(line[f"pairs/{risk}"] for risk in RISKS) for line in steps if line["stage"] == stage]
                 for stage in ["sft", "dpo"]}
        # Three a batch: one more of either in turn. Four: two of each.
        self.assertEqual(drawn["sft"], [(2, 1), (1, 2)] * 3)
        self.assertEqual(drawn["dpo"], [(2, 2)] * 4)

        validations = [line for line in self.read_lines("multi.run/metrics.jsonl") if "validation/score" in line]
        self.assertGreaterEqual(len(validations), 4)
        base = json.loads((self.dir / "multi.run/baseline.json").read_text())
        self.assertEqual(list(base), RISKS)
        self.assertGreater(base["tone"], 0)
        self.assertLess(base["tone"], 1)
        for line in validations:
            found = [line[f"validation/refused/{risk}"] for risk in RISKS]
            self.assertAlmostEqual(line["validation/refused"], sum(found) / 2)
            gains = [(value - base[risk]) / max(1 - base[risk], 0.05) for value, risk in zip(found, RISKS)]
            self.assertAlmostEqual(line["validation/score"], sum(gains) / 2 - 2 * line["validation/over_refused"]
                                   - 2 * max(0, line["validation/kl"] - 0.1))
        self.assertRegex(done.stderr, r"the base model alone: harmful-requests \S+ %, tone \S+ %")
        self.assertRegex(done.stderr, r"dpo: best after step \d+: refused \S+ % \(harmful-requests \S+ % from \S+ %, "
                                      r"tone \S+ % from \S+ %\), over-refused")

    def test_takes_what_its_runs_made(self):
        self.run_ok(*self.joint("multi"))
        for run, risk, tokens in [("refuse.run", RISKS[0], 4), ("tone.run", RISKS[1], 7)]:
            pairs = self.read_lines(f"multi.run/{risk}.pairs.jsonl")
            self.assertEqual(pairs, self.read_lines(f"{run}/pairs.jsonl"))
            # The answers are the run's own, of its own length: nothing was generated again.
            theirs = (self.dir / run / "retain.jsonl").read_text().splitlines()
            taken = (self.dir / f"multi.run/{risk}.retain.jsonl").read_text().splitlines()
            self.assertGreaterEqual(len(taken), len(theirs) - 1)
            self.assertLessEqual(set(taken), set(theirs))
            settings = json.loads((self.dir / "multi.run/settings.json").read_text())["stages"]
            self.assertIn(tokens, settings["retain"]["settings"]["max_tokens"])
        manifest = self.manifest("multi")
        self.assertEqual(manifest["risk"], "multiple")
        learned = manifest["learned"]
        self.assertEqual(learned["risks"], RISKS)
        self.assertEqual([one["patch"] for one in learned["joint"]], ["refuse@1.0.0", "tone@1.2.0"])
        for one, run in zip(learned["joint"], ["refuse.run", "tone.run"]):
            self.assertEqual(one["pairs_sha256"], hashlib.sha256((self.dir / run / "pairs.jsonl").read_bytes()).hexdigest())
        self.assertEqual(learned["joint"][0]["judge"], "refusal")
        self.assertTrue(learned["joint"][1]["judge"].startswith("command sha256:"))
        self.assertEqual((learned["reference"], learned["rows"]["length"]), ("base", 10))
        self.assertIn("about the risks `harmful-requests`, `tone`", (self.dir / "multi/README.md").read_text())
        self.run_ok("inspect", "multi", "--model", "tiny.gguf")

    def test_what_a_run_validates_on_is_not_learned_from(self):
        validated = self.prompts("refuse.run/inputs.jsonl", "validate")
        self.write_lines("more.jsonl", [*self.read_lines("pairs.jsonl"),
                                        {"prompt": validated[0], "chosen": " calm", "rejected": " zounds"}])
        tone = [word if word != "pairs.jsonl" else "more.jsonl" for word in TONE]
        self.run_ok(*tone, "--validate", "pairs.jsonl", "--validate-prompts", "2")
        self.assertIn(validated[0], self.prompts("tone.run/pairs.jsonl"))
        self.run_ok(*self.joint("multi", "--stages", "sft"))
        held = self.prompts("refuse.run/inputs.jsonl", "validate", "validate_retain")
        held += self.prompts("tone.run/inputs.jsonl", "validate", "validate_retain")
        for risk in RISKS:
            for file in ["pairs", "retain"]:
                self.assertEqual(set(self.prompts(f"multi.run/{risk}.{file}.jsonl")) & set(held), set())

    def test_the_same_bytes_however_often_it_is_killed(self):
        self.run_ok(*self.joint("whole"))
        metrics = self.read_lines("whole.run/metrics.jsonl")
        kills = kill_at_stages(self, STAGES, "killed", self.joint("killed"))
        self.assertGreaterEqual(kills, 4)
        self.run_ok(*self.joint("killed"))
        self.assertEqual(self.patch_bytes("killed"), self.patch_bytes("whole"))
        self.assertEqual(self.read_lines("killed.run/metrics.jsonl"), metrics)

    def test_a_finished_run_says_so_and_another_run_of_a_risk_is_learned_from(self):
        arguments = self.joint("multi", "--stages", "sft", "--json")
        first = json.loads(self.run_ok(*arguments).stdout)
        self.assertEqual(list(first["validation"]["risks"]), RISKS)
        before = self.patch_bytes("multi")
        again = json.loads(self.run_ok(*arguments).stdout)
        self.assertTrue(again["already_done"])
        self.assertEqual(again["validation"], first["validation"])
        self.assertEqual(self.patch_bytes("multi"), before)
        self.write_lines("pairs.jsonl", self.read_lines("pairs.jsonl")[:-2])
        self.run_ok(*TONE)
        changed = self.run_ok(*arguments, "--force")
        self.assertRegex(changed.stderr, r"pairs\.runs: .*redoing pairs.*sft")
        self.assertNotEqual(self.patch_bytes("multi"), before)

    def test_a_lora_adapter_may_be_joint_too(self):
        at = JOINT.index("--length")
        arguments = [*JOINT[:at], *JOINT[at + 2:], "--method", "lora", "--lora-rank", "2", "--stages", "sft", "--force"]
        self.run_ok(*arguments, "--run", "adapter.run", "-o", "adapter")
        learned = json.loads((self.dir / "adapter/learned.json").read_text())["learned"]
        self.assertEqual(learned["risks"], RISKS)

    def test_the_record_is_added_to_a_run_that_has_none(self):
        settings = json.loads((self.dir / "tone.run/settings.json").read_text())
        del settings["about"]
        (self.dir / "tone.run/settings.json").write_text(json.dumps(settings))
        (self.dir / "tone.run/inputs.jsonl").unlink()
        self.fails(2, r"joint run tone\.run: found no record", *self.joint("multi"))
        self.assertIn("is there already", self.run_ok(*TONE).stderr)
        self.run_ok(*self.joint("multi", "--stages", "sft"))

    def test_runs_that_do_not_fit(self):
        one = [word for word in self.joint("multi") if word not in ("--joint", "tone.run", "refuse.run")]
        self.fails(2, r"joint runs: found one, expected two or more", *one, "--joint", "tone.run")
        self.fails(3, r"joint run: found no file missing\.run/settings\.json", *one, "--joint", "tone.run",
                   "--joint", "missing.run")
        self.fails(2, r"found a second one of the risk \"tone\"", *one, "--joint", "tone.run", "--joint", "tone.run")

        self.fails(2, r"joint run refuse\.run: found the run directory of the joint run itself",
                   *JOINT, "--run", self.dir / "refuse.run", "-o", "multi")

        settings = json.loads((self.dir / "tone.run/settings.json").read_text())
        settings["stages"]["sft"]["done"] = False
        shutil.copytree(self.dir / "tone.run", self.dir / "stopped.run")
        (self.dir / "stopped.run/settings.json").write_text(json.dumps(settings))
        self.fails(2, r"joint run stopped\.run: found its stage \"sft\" not done, expected a finished run", *one,
                   "--joint", "refuse.run", "--joint", "stopped.run")

        subprocess.run([MAKE_MODEL, "tiny", "other.gguf", "--seed", "5"], cwd=self.dir, check=True)
        other = [word if word != "tiny.gguf" else "other.gguf" for word in self.joint("multi")]
        self.fails(7, r"joint run refuse\.run: found a run of the model .* \(sha256 [0-9a-f]{12}\), expected .* "
                      r"\(sha256 [0-9a-f]{12}\)", *other)

        text = (self.dir / "refuse.run/inputs.jsonl").read_text()
        (self.dir / "refuse.run/inputs.jsonl").write_text(text.replace("Name a", "Name another"))
        self.fails(4, r"refuse\.run/inputs\.jsonl: found other prompts", *self.joint("multi"))

    def test_options_that_a_joint_run_takes_from_its_runs(self):
        for option, value in [("--prompts", "prompts.jsonl"), ("--pairs", "pairs.jsonl"), ("--retain", "retain.jsonl"),
                              ("--validate", "prompts.jsonl"), ("--teacher", "tiny.gguf"),
                              ("--teacher-system", "Refuse."), ("--best-of", "4"), ("--judge", "refusal"),
                              ("--chosen", "text:No."), ("--retain-tokens", "4"), ("--format", "raw"),
                              ("--margin", "0.5")]:
            with self.subTest(option):
                self.fails(2, rf"{option}: found --joint beside it, expected one of them",
                           *self.joint("multi"), option, value)
        at = JOINT.index("--length")
        self.fails(2, r"joint runs: found the method steering", *JOINT[:at], "--method", "steering", "--name", "x",
                   "-o", "x.gguf")
        self.fails(2, r"reference teacher: found no teacher", *self.joint("multi", "--reference", "teacher"))

    def test_nothing_that_is_tested_on_is_learned_from(self):
        for run, kind in [("refuse.run", "retain"), ("tone.run", "validate"), ("tone.run", "validate_retain")]:
            self.write_lines("test.jsonl", [{"prompt": self.prompts(f"{run}/inputs.jsonl", kind)[0]}])
            self.fails(2, rf"{run}/inputs\.jsonl.*test\.jsonl", *self.joint("multi", "--test", "test.jsonl"))
        self.write_lines("test.jsonl", [{"prompt": self.prompts("tone.run/pairs.jsonl")[0]}])
        self.fails(2, r"tone\.run/pairs\.jsonl.*test\.jsonl", *self.joint("multi", "--test", "test.jsonl"))


if __name__ == "__main__":
    main()
