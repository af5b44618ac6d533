"""learn, from prompts to a patch: the same bytes however often it is killed, and what it catches."""

import json
import os
import subprocess
import sys
from pathlib import Path

from program import MODEL, ProgramTest, main
from stage_kills import kill_at_stages

MAKE_MODEL = Path(os.environ["LLMPATCH_TOOLS"]) / "make_model"
STAGES = ["samples.jsonl", "pairs.jsonl", "retain.jsonl", "sft.state", "threshold.state", "reference.jsonl", "dpo.state"]


class Learning(ProgramTest):

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

    def arguments(self, run, *more):
        return ["learn", "--model", "tiny.gguf", "--teacher-system", "Refuse what is harmful.",
                "--prompts", "prompts.jsonl", "--retain", "retain.jsonl",
                "--chosen", "text:I'm sorry, no.", "--length", "8", "--threads", "1",
                "--sft-steps", "6", "--dpo-steps", "6", "--sft-batch", "4", "--dpo-batch", "4",
                "--sft-retain-batch", "4", "--dpo-retain-batch", "4", "--evaluate-every", "2",
                "--sft-first-token-weight", "0.5", "--sft-unlikelihood-weight", "1",
                "--sft-correction-batch", "1", "--unwanted", "No,",
                "--sft-easy-rate", "0.25", "--over-refusal", "0.3",
                "--sft-whole-batch", "1", "--sft-whole-weight", "2", "--whole-texts", "5",
                "--whole-tokens", "8", "--sft-greedy",
                "--name", "tester", "--risk", "test", "--run", f"{run}.run", "-o", run, *more]

    def patch_bytes(self, name):
        return {path.name: path.read_bytes() for path in sorted((self.dir / name).iterdir())}

    def test_the_same_bytes_however_often_it_is_killed(self):
        self.run_ok(*self.arguments("whole"))
        metrics = self.read_lines("whole.run/metrics.jsonl")
        self.assertEqual([line["step"] for line in metrics if line["stage"] == "dpo" and "loss" in line],
                         [1, 2, 3, 4, 5, 6])
        for key in ["loss", "rewards/chosen", "rewards/rejected", "rewards/margins",
                    "rewards/accuracies", "logps/chosen", "logps/rejected", "kl/retain"]:
            self.assertIn(key, metrics[-2])
        self.assertIn("unlikelihood", metrics[1])
        self.assertIn("kl/whole", metrics[1])
        self.assertEqual(len(self.read_lines("whole.run/retain-whole.jsonl")), 5)
        kills = kill_at_stages(self, STAGES, "killed", self.arguments("killed"))
        self.assertGreaterEqual(kills, 4)
        self.run_ok(*self.arguments("killed"))
        self.assertEqual(self.patch_bytes("killed"), self.patch_bytes("whole"))
        self.assertEqual([line for line in self.read_lines("killed.run/metrics.jsonl")], metrics)

    def test_a_release_says_what_its_maker_said(self):
        quick = ("--stages", "sft")
        release = ("--version", "1.2.0", "--sequence", "7", "--expires", "2030-01-31T00:00:00Z",
                   "--requires", "base-rules@^1.0.0", "--requires", "tone", "--conflicts", "other")
        self.run_ok(*self.arguments("patch", *quick, *release))
        manifest = json.loads((self.dir / "patch/manifest.json").read_text())
        self.assertEqual((manifest["version"], manifest["sequence"], manifest["expires"]),
                         ("1.2.0", 7, "2030-01-31T00:00:00Z"))
        self.assertEqual(manifest["requires"], ["base-rules@^1.0.0", "tone"])
        self.assertEqual(manifest["compose"]["conflicts"], ["other"])
        # Another release of the same run is not the patch that is there.
        rows = (self.dir / "patch/adapter_model.safetensors").read_bytes()
        later = self.arguments("patch", *quick, *release[:2], "--sequence", "8")
        self.fails(11, r"patch", *later)
        self.run_ok(*later, "--force")
        self.assertEqual(json.loads((self.dir / "patch/manifest.json").read_text())["sequence"], 8)
        self.assertEqual((self.dir / "patch/adapter_model.safetensors").read_bytes(), rows)

    def test_a_finished_run_says_so_and_a_changed_setting_what_it_redoes(self):
        arguments = self.arguments("patch", "--dpo-lr", "0.002")
        self.run_ok(*arguments)
        before = self.patch_bytes("patch")
        again = self.run_ok(*arguments)
        self.assertIn("is there already", again.stderr)
        self.assertEqual(self.patch_bytes("patch"), before)
        changed = self.run_ok(*self.arguments("patch", "--dpo-lr", "0.001", "--force"))
        self.assertIn("dpo.peak: 0.002 -> 0.001 (redoing dpo)", changed.stderr)
        self.assertNotEqual(self.patch_bytes("patch"), before)

    def test_companions_stand_beside_the_patch(self):
        other = self.make_patch("other", "Blue and green.", self.dir / "tiny.gguf")
        companions = ("--companions", other, "random", "--companion-rate", "0.7", "--allow-unsigned")
        self.run_ok(*self.arguments("alone"))
        self.run_ok(*self.arguments("whole", *companions))
        metrics = self.read_lines("whole.run/metrics.jsonl")
        beside = [line["companion"] for line in metrics if "loss" in line]
        self.assertEqual(set(beside), {True, False}, "the seed draws both in 12 steps")
        losses = [line["loss"] for line in metrics if "loss" in line]
        self.assertNotEqual(losses, [line["loss"] for line in self.read_lines("alone.run/metrics.jsonl")
                                     if "loss" in line])
        self.assertNotIn("companion", next(line for line in self.read_lines("alone.run/metrics.jsonl")
                                           if "loss" in line))
        learned = json.loads((self.dir / "whole/manifest.json").read_text())["learned"]
        self.assertEqual(learned["companions"]["patches"][0]["patch"], "other@1.0.0")
        self.assertEqual((learned["companions"]["random"], learned["companions"]["rate"]), (True, 0.7))
        # Killed in the middle of a stage it draws the same companions again.
        kill_at_stages(self, ["sft.state", "dpo.state"], "killed",
                       self.arguments("killed", *companions))
        self.run_ok(*self.arguments("killed", *companions))
        self.assertEqual(self.patch_bytes("killed"), self.patch_bytes("whole"))
        self.assertEqual(self.read_lines("killed.run/metrics.jsonl"), metrics)
        # Others are another run.
        changed = self.run_ok(*self.arguments("whole", *companions[:2], *companions[3:], "--force"))
        self.assertRegex(changed.stderr, r"sft\.companions\S*: .*redoing sft")

    def test_bad_companions(self):
        other = self.make_patch("other", "Blue and green.", self.dir / "tiny.gguf")
        self.fails(3, r"none", *self.arguments("patch", "--companions", "none"))
        self.fails(5, r"other", *self.arguments("patch", "--companions", other))
        self.fails(2, r"companion rate", *self.arguments("patch", "--companions", "random",
                                                         "--companion-rate", "0"))
        stranger = self.make_patch("stranger", "Blue and green.", MODEL)
        self.fails(7, r"stranger", *self.arguments("patch", "--companions", stranger,
                                                   "--allow-unsigned"))

    def test_a_file_given_twice_counts_twice(self):
        self.run_ok(*self.arguments("patch", "--stages", "sft", "--prompts", "prompts.jsonl"))
        samples = self.read_lines("patch.run/samples.jsonl")
        # One of twelve was held out, with both of its copies.
        self.assertEqual(len(samples), 22)
        answers = {line["prompt"]: line["responses"] for line in samples}
        self.assertEqual(len(answers), 11)
        self.assertTrue(all(line["responses"] == answers[line["prompt"]] for line in samples))
        manifest = json.loads((self.dir / "patch/manifest.json").read_text())
        self.assertEqual(manifest["learned"]["pairs"], 22)

    def test_learns_from_ready_pairs(self):
        self.write_lines("pairs.jsonl", [{"prompt": f"Say {n}", "chosen": "I'm sorry, no.", "rejected": "yes"}
                                         for n in range(12)])
        arguments = self.arguments("patch")
        for option in ["--prompts", "--teacher-system", "--chosen"]:
            at = arguments.index(option)
            del arguments[at:at + 2]
        self.run_ok(*arguments, "--pairs", "pairs.jsonl")
        manifest = json.loads((self.dir / "patch/manifest.json").read_text())
        self.assertEqual(manifest["learned"]["reference"], "base")
        self.assertEqual(manifest["learned"]["pairs"], 12 - 1)  # one was held out for validation
        self.run_ok("inspect", "patch", "--model", "tiny.gguf")

    def test_the_judge_picks_the_best_and_the_worst_of_several_samples(self):
        # A judge of its own: the share of an answer's characters that are among the first letters.
        (self.dir / "score.py").write_text(
            "import json, sys\n"
            "for line in sys.stdin:\n"
            "    text = json.loads(line)['response'].lower()\n"
            "    print(json.dumps({'score': sum(c < 'n' for c in text) / max(len(text), 1)}))\n")
        (self.dir / "judge.json").write_text(json.dumps(
            {"judge": "command", "command": [sys.executable, "score.py"]}))
        arguments = self.arguments("patch", "--judge", "judge.json", "--best-of", "6", "--margin", "0.1",
                                   "--max-chosen-score", "0.9", "--validate-samples", "2", "--force")
        for option in ["--teacher-system", "--chosen", "--over-refusal"]:
            at = arguments.index(option)
            del arguments[at:at + 2]
        self.run_ok(*arguments)
        samples = {line["prompt"]: line["responses"] for line in self.read_lines("patch.run/samples.jsonl")}
        pairs = self.read_lines("patch.run/pairs.jsonl")
        self.assertGreater(len(pairs), 0)
        used = []
        for pair in pairs:
            self.assertIn(pair["chosen"], samples[pair["prompt"]])
            self.assertIn(pair["rejected"], samples[pair["prompt"]])
            self.assertGreater(pair["score_rejected"] - pair["score_chosen"], 0.1)
            used += [(pair["prompt"], pair["chosen"]), (pair["prompt"], pair["rejected"])]
        for prompt, responses in samples.items():
            self.assertEqual(len(responses), 6)
            for response in responses:
                self.assertLessEqual(used.count((prompt, response)), responses.count(response))
        self.assertFalse((self.dir / "patch.run/teacher.jsonl").exists())
        learned = json.loads((self.dir / "patch/manifest.json").read_text())["learned"]
        self.assertEqual(learned["chosen"], "best of 6 of the base model's")
        self.assertEqual(learned["reference"], "base")
        self.fails(2, "best of: found 1, expected 2 or more", *self.arguments("other", "--best-of", "1"))
        self.fails(2, "best of: found ready pairs or a fixed chosen text",
                   *self.arguments("other", "--best-of", "4"))

    def test_some_of_the_prompts(self):
        self.run_ok(*self.arguments("few", "--stages", "sft", "--learn-prompts", "3", "--retain-prompts", "4"))
        self.run_ok(*self.arguments("all", "--stages", "sft"))
        chosen = self.read_lines("few.run/retain.jsonl")
        self.assertEqual(len(chosen), 4)
        every = self.read_lines("all.run/retain.jsonl")
        self.assertGreater(len(every), 4)
        for answer in chosen:
            self.assertIn(answer, every)
        asked = {sample["prompt"] for sample in self.read_lines("few.run/samples.jsonl")}
        self.assertEqual(len(asked), 3)
        self.assertLess(asked, {sample["prompt"] for sample in self.read_lines("all.run/samples.jsonl")})
        self.fails(2, "learning prompts: found a negative number", *self.arguments("other", "--learn-prompts", "-1"))
        self.fails(2, "retain prompts: found a negative number", *self.arguments("other", "--retain-prompts", "-1"))

    def test_benign_prompts_that_the_model_refuses_get_another_answer(self):
        # SmolLM2 says "I'm sorry for any confusion" to these, at least on most machines to most.
        self.write_lines("retain.jsonl", [{"prompt": prompt} for prompt in
                                          ["hmm", "tiramisu", "make me laugh", "u there?",
                                           "bye, talk tomorrow", "dead plant, can I save it",
                                           "How do I get my own medical records?",
                                           "What is the capital of France?"]])
        arguments = self.arguments("patch", "--stages", "sft", "--validate", "prompts.jsonl",
                                   "--validate-retain", "prompts.jsonl", "--validate-prompts", "1",
                                   "--validate-benign", "1", "--force")
        arguments[arguments.index("--model") + 1] = MODEL
        arguments[arguments.index("--sft-steps") + 1] = "2"
        self.run_ok(*arguments)  # unlikelihood says how not to begin, and needs no other answer
        self.assertFalse((self.dir / "patch.run/corrections.jsonl").exists())
        arguments[arguments.index("--sft-unlikelihood-weight") + 1] = "0"
        at = arguments.index("--unwanted")
        del arguments[at:at + 2]
        self.run_ok(*arguments)
        refused = {line["prompt_digest"] for line in self.read_lines("patch.run/retain.jsonl")
                   if line["responses"][0].startswith(("I'm sorry", "I am sorry", "Sorry"))}
        corrections = self.read_lines("patch.run/corrections.jsonl")
        self.assertGreaterEqual(len(refused), 1)
        self.assertEqual({line["prompt_digest"] for line in corrections}, refused)
        for line in corrections:
            self.assertEqual(len(line["responses"]), 8)
            self.assertGreater(len(set(line["responses"])), 1)

    def test_a_loss_that_is_not_finite_is_caught(self):
        self.fails_leaving_run(13, r"found (nan|inf|-nan|-inf).*expected a finite number",
                               *self.arguments("patch", "--sft-lr", "1e30"))

    def fails_leaving_run(self, code, pattern, *args):
        outcome = self.run_program(*args)
        self.assert_error_at_end(outcome, code, pattern)
        self.assertFalse((self.dir / "patch").exists())

    def assert_error_at_end(self, outcome, code, pattern):
        self.assertEqual(outcome.code, code, str(outcome))
        self.assertRegex(outcome.stderr, r"(?m)^llmpatch: error: \[learn\] .*" + pattern)


if __name__ == "__main__":
    main()
