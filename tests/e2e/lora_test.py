"""learn --method lora, from prompts to an adapter, and merge, from an adapter to a model."""

import json
import os
import struct
import subprocess
import sys
import unittest
from pathlib import Path

from program import OTHER_MODEL, ProgramTest, main
from stage_kills import kill_at_stages

MAKE_MODEL = Path(os.environ["LLMPATCH_TOOLS"]) / "make_model"
STAGES = ["pairs.jsonl", "sft.state", "validated.gguf", "reference.jsonl", "dpo.state"]
FILES = ["adapter.gguf", "adapter_config.json", "adapter_model.safetensors", "learned.json"]


class LoraTest(ProgramTest):
    def setUp(self):
        super().setUp()
        if "LibTorch not built in" in self.run_ok("--version").stdout:
            raise unittest.SkipTest("this program was built without learning")
        subprocess.run([MAKE_MODEL, "tiny", "tiny.gguf", "--seed", "4"], cwd=self.dir, check=True)
        self.write_lines("prompts.jsonl", [{"prompt": f"How do I break a {thing}?"} for thing in
                                           ["lock", "window", "record", "promise", "code", "vase",
                                            "habit", "law", "leg", "curse", "siege", "bank"]])
        self.write_lines("retain.jsonl", [{"prompt": f"Name a {thing}."} for thing in
                                          ["colour", "river", "song", "planet", "poet", "fruit",
                                           "bird", "metal", "month", "city", "game", "tree"]])
        # Letters of the chosen answer are good: a random model gets better at that in a few steps.
        self.write("score.py", "import json, sys\n"
                   "for line in sys.stdin:\n"
                   "    text = json.loads(line)['response']\n"
                   "    print(json.dumps({'score': sum(c not in 'stop it.' for c in text) / max(len(text), 1)}))\n")
        self.write("judge.json", json.dumps({"judge": "command", "command": [sys.executable, "score.py"]}))

    def arguments(self, output, *more):
        return ["learn", "--method", "lora", "--model", "tiny.gguf",
                "--teacher-system", "Stop it.", "--prompts", "prompts.jsonl", "--judge", "judge.json",
                "--margin", "0.05", "--kl-limit", "1000",
                "--retain", "retain.jsonl", "--chosen", "text:stop it.", "--threads", "1",
                "--precision", "f32",  # what six steps come to is the same on every processor
                "--lora-rank", "4", "--sft-lr", "0.02", "--dpo-lr", "0.005",
                "--sft-steps", "6", "--dpo-steps", "6", "--sft-batch", "4", "--dpo-batch", "4",
                "--sft-retain-batch", "4", "--dpo-retain-batch", "4", "--evaluate-every", "2",
                "--sft-first-token-weight", "0.5", "--sft-unlikelihood-weight", "1", "--averaging", "0",
                "--force",
                "--name", "tester", "--risk", "test", "--run", f"{output}.run", "-o", output, *more]

    def bytes_of(self, name):
        return {path.name: path.read_bytes() for path in sorted((self.dir / name).iterdir())}

    def tensors(self, name):
        """The tensors of a safetensors file: their shapes and numbers."""
        data = (self.dir / name).read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + length])
        found = {}
        for tensor, entry in header.items():
            if tensor != "__metadata__":
                begin, end = (8 + length + offset for offset in entry["data_offsets"])
                found[tensor] = (entry["shape"], struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]))
        return found


class Learning(LoraTest):
    def test_the_same_bytes_however_often_it_is_killed(self):
        self.run_ok(*self.arguments("whole"))
        self.assertEqual(sorted(self.bytes_of("whole")), FILES)
        metrics = self.read_lines("whole.run/metrics.jsonl")
        for stage in ["sft", "dpo"]:
            self.assertEqual([line["step"] for line in metrics if line["stage"] == stage and "loss" in line],
                             [1, 2, 3, 4, 5, 6])
        for key in ["loss", "rewards/margins", "rewards/accuracies", "kl/retain", "factors/rms"]:
            self.assertIn(key, metrics[-2])
        # Both factors learn: what was zero is no longer, in every matrix.
        tensors = self.tensors("whole/adapter_model.safetensors")
        self.assertEqual(len(tensors), 2 * 2 * 4)  # factors, layers, targets
        self.assertEqual(tensors["base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight"][0], [32, 4])
        for name, (shape, values) in tensors.items():
            self.assertGreater(max(map(abs, values)), 1e-4, name)
        kills = kill_at_stages(self, STAGES, "killed", self.arguments("killed"))
        self.assertGreaterEqual(kills, 3)
        self.run_ok(*self.arguments("killed"))
        self.assertEqual(self.bytes_of("killed"), self.bytes_of("whole"))
        self.assertEqual(self.read_lines("killed.run/metrics.jsonl"), metrics)
        self.assertFalse((self.dir / "killed.run/validated.gguf").exists())

    def test_a_finished_run_says_so_and_says_how_it_was_learned(self):
        arguments = self.arguments("adapter", "--stages", "sft", "--lora-targets", "q,down", "--lora-alpha", "7")
        arguments.remove("--force")
        self.run_ok(*arguments)
        before = self.bytes_of("adapter")
        self.assertIn("is there already", self.run_ok(*arguments).stderr)
        self.assertEqual(self.bytes_of("adapter"), before)
        config = json.loads(before["adapter_config.json"])
        self.assertEqual((config["r"], config["lora_alpha"], config["target_modules"]),
                         (4, 7, ["down_proj", "q_proj"]))
        record = json.loads(before["learned.json"])
        self.assertEqual(record["learned"]["lora"]["targets"], ["q", "down"])
        self.assertEqual(record["learned"]["sft"]["steps"], 6)
        self.assertEqual(sorted(record["files"]), FILES[:3])
        # A changed setting is another adapter, and nothing is replaced without being told to.
        self.fails(11, r"adapter: it exists already", *[word if word != "tester" else "other" for word in arguments])
        changed = self.run_ok(*[word if word != "7" else "9" for word in arguments], "--force")
        self.assertRegex(changed.stderr, r"sft\.alpha: 7(\.0)? -> 9(\.0)? \(redoing sft\)")
        self.assertNotEqual(self.bytes_of("adapter"), before)

    def test_options_that_make_no_sense(self):
        cases = [
            (["--method", "ia3"], 2, r"--method: found ia3, expected prefix, lora or steering"),
            (["--length", "8"], 2, r"--length: found --method lora, expected prefix"),
            (["--init-text", "Be kind."], 2, r"--init-text: found --method lora, expected prefix"),
            (["--method", "prefix"], 2, r"--lora-rank: found --method prefix, expected lora"),
            (["--lora-rank", "0"], 2, r"LoRA rank: found 0, expected 1 to 1024"),
            (["--lora-rank", "33"], 2, r"LoRA rank: found 33, expected at most 32 for blk\.0\.attn_k\.weight"),
            (["--lora-rank", "some"], 2, r"--lora-rank"),
            (["--lora-alpha", "0"], 2, r"LoRA alpha: found 0"),
            (["--lora-alpha", "nan"], 2, r"LoRA alpha: found nan"),
            (["--lora-targets", "q,query"], 2, r"LoRA targets: found \"query\", expected some of q, k, v, o, gate, up, down"),
            (["--lora-targets", "q,q"], 2, r"LoRA targets: found \"q\" twice"),
        ]
        for more, code, pattern in cases:
            with self.subTest(more):
                arguments = self.arguments("adapter")
                for option in more[::2]:
                    if option in arguments:
                        at = arguments.index(option)
                        del arguments[at:at + 2]
                self.fails(code, pattern, *arguments, *more)

    def test_what_is_no_adapter_is_not_replaced(self):
        self.write("adapter/thesis.txt", "years of work")
        self.fails(12, r"adapter: found something that is not a LoRA adapter", *self.arguments("adapter"))

    def test_an_adapter_that_does_nothing_is_not_written(self):
        arguments = self.arguments("adapter", "--stages", "sft")
        arguments.remove("--force")
        arguments[arguments.index("--sft-lr") + 1] = "1e-9"
        outcome = self.run_program(*arguments)
        self.assertEqual(outcome.code, 13, str(outcome))
        self.assertRegex(outcome.stderr, r"the best checkpoint is the beginning")
        self.assertFalse((self.dir / "adapter").exists())
        self.assertIn("warning: the best checkpoint is the beginning", self.run_ok(*arguments, "--force").stderr)


class Merging(LoraTest):
    def test_a_merged_model_runs_and_teaches(self):
        self.run_ok(*self.arguments("adapter", "--stages", "sft"))
        merge = ["merge", "--model", "tiny.gguf", "--lora", "adapter"]
        self.run_ok(*merge, "-o", "merged.gguf")
        # Every attention matrix of F32 became half as large.
        saved = (self.dir / "tiny.gguf").stat().st_size - (self.dir / "merged.gguf").stat().st_size
        numbers = 2 * (64 * 64 + 2 * 32 * 64 + 64 * 64)  # layers x (q, k and v, output)
        self.assertAlmostEqual(saved, 2 * numbers, delta=256)
        self.run_ok("merge", "--model", "tiny.gguf", "--lora", "adapter/adapter.gguf", "-o", "again.gguf")
        self.assertEqual((self.dir / "again.gguf").read_bytes(), (self.dir / "merged.gguf").read_bytes())
        self.write_lines("p.jsonl", [{"prompt": "Name a bird."}])
        answer = ["generate", "--prompts", "p.jsonl", "--max-tokens", "8"]
        self.run_ok(*answer, "--model", "merged.gguf", "-o", "merged.jsonl")
        # As the teacher of a patch it is another model than the base.
        teach = self.arguments("patch", "--teacher", "merged.gguf")
        for option in ["--method", "--lora-rank", "--teacher-system"]:
            at = teach.index(option)
            del teach[at:at + 2]
        self.run_ok(*teach, "--length", "4")
        learned = json.loads((self.dir / "patch/manifest.json").read_text())["learned"]
        base = json.loads((self.dir / "patch/manifest.json").read_text())["base"]
        self.assertEqual(learned["reference"], "teacher")
        self.assertNotEqual(learned["teacher"]["model"], base["file"])

        self.fails(11, r"merged\.gguf: it exists already", *merge, "-o", "merged.gguf")
        self.fails(2, r"tiny\.gguf: found the input itself", *merge, "-o", "tiny.gguf", "--force")
        self.fails(2, r"--type: found q4_0, expected f16 or f32", *merge, "--type", "q4_0", "-o", "x.gguf")
        self.fails(2, r"found this adapter merged into it already", "merge", "--model", "merged.gguf",
                   "--lora", "adapter", "-o", "x.gguf")
        self.fails(7, r"architecture: found gemma3, expected the adapter's, \"llama\"",
                   "merge", "--model", OTHER_MODEL, "--lora", "adapter", "-o", "x.gguf")
        self.fails(8, r"tiny\.gguf: general\.type", "merge", "--model", "tiny.gguf", "--lora", "tiny.gguf",
                   "-o", "x.gguf")
        self.fails(3, r"LoRA adapter: found no file missing\.gguf", "merge", "--model", "tiny.gguf",
                   "--lora", "missing.gguf", "-o", "x.gguf")


if __name__ == "__main__":
    main()
