"""generate: what it writes, and that death at any moment costs at most a chunk."""

import json
import signal
import time

from program import MODEL, OTHER_MODEL, ProgramTest, main

WORDS = ["tree", "river", "stone", "cloud", "lamp", "spoon", "train", "glove"]


class Generate(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write_lines("p.jsonl", [{"prompt": f"Say something about a {word}.", "id": number}
                                     for number, word in enumerate(WORDS)])

    def arguments(self, *more, prompts="p.jsonl", output="out.jsonl"):
        return ["generate", "--model", MODEL, "--prompts", prompts, "-o", output, "--max-tokens",
                "12", *more]

    def test_keeps_fields_and_adds_the_response(self):
        turns = [{"role": "user", "content": "Hello"}]
        self.write_lines("p.jsonl", [{"prompt": "Hello", "id": 7, "tag": {"a": [1]}},
                                     {"messages": turns, "note": "é"}])
        outcome = self.run_ok(*self.arguments("--json"))
        plain, chat = self.read_lines("out.jsonl")
        self.assertEqual({k: plain[k] for k in ("prompt", "id", "tag")},
                         {"prompt": "Hello", "id": 7, "tag": {"a": [1]}})
        self.assertEqual((chat["messages"], chat["note"]), (turns, "é"))
        # The same conversation in both forms: the same answer, without special tokens.
        self.assertEqual(plain["response"], chat["response"])
        self.assertTrue(plain["response"].strip())
        self.assertNotIn("<|im_", plain["response"])
        summary = json.loads(outcome.stdout)
        self.assertEqual(summary["prompts"], 2)
        self.assertLessEqual(summary["generated_tokens"], 24)
        self.assertIn("plan: 2 answers, at most 24 tokens", outcome.stderr)
        self.assertFalse((self.dir / "out.jsonl.partial").exists())

    def test_greedy_is_the_default_and_repeats(self):
        self.run_ok(*self.arguments(output="a.jsonl"))
        self.run_ok(*self.arguments("--seed", "5", output="b.jsonl"))
        self.assertEqual((self.dir / "a.jsonl").read_bytes(), (self.dir / "b.jsonl").read_bytes())

    def test_samples_follow_the_seed(self):
        sampled = ["--samples", "3", "--temperature", "1", "--top-p", "0.9", "--seed"]
        self.run_ok(*self.arguments(*sampled, "1", output="a.jsonl"))
        self.run_ok(*self.arguments(*sampled, "1", output="b.jsonl"))
        self.run_ok(*self.arguments(*sampled, "2", output="c.jsonl"))
        a, c = self.read_lines("a.jsonl"), self.read_lines("c.jsonl")
        self.assertEqual(a, self.read_lines("b.jsonl"))
        self.assertNotEqual(a, c)
        for line in a:
            self.assertNotIn("response", line)
            self.assertEqual(len(line["responses"]), 3)
            self.assertGreater(len(set(line["responses"])), 1)

    def test_system_message_and_patch_change_the_answers(self):
        patch = self.make_patch()
        self.run_ok(*self.arguments(output="plain.jsonl"))
        self.run_ok(*self.arguments("--system", "Answer in French.", output="system.jsonl"))
        self.run_ok(*self.arguments("--patch", patch, "--allow-unsigned", output="patched.jsonl"))
        self.run_ok("pack", patch, "-o", "tester.llmpatch")
        self.run_ok(*self.arguments("--patch", "tester.llmpatch", "--allow-unsigned",
                                    output="packed.jsonl"))
        plain = self.read_lines("plain.jsonl")
        self.assertNotEqual(plain, self.read_lines("system.jsonl"))
        self.assertNotEqual(plain, self.read_lines("patched.jsonl"))
        self.assertEqual(self.read_lines("patched.jsonl"), self.read_lines("packed.jsonl"))

    def test_parallel_stack_does_not_know_an_order(self):
        one = self.make_patch("one", "You always answer in French.")
        two = self.make_patch("two", "You are a pirate and say arr.")
        for output, patches in [("ab.jsonl", (one, two)), ("ba.jsonl", (two, one))]:
            self.run_ok(*self.arguments("--patch", patches[0], "--patch", patches[1], "--compose",
                                        "parallel", "--allow-unsigned", output=output))
        self.assertEqual(self.read_lines("ab.jsonl"), self.read_lines("ba.jsonl"))

    def test_raw_text_on_a_model_without_a_template(self):
        self.write_lines("p.jsonl", [{"prompt": "One, two, three, four, five, six,"}])
        self.run_ok("generate", "--model", OTHER_MODEL, "--prompts", "p.jsonl", "-o", "out.jsonl",
                    "--max-tokens", "4")
        self.assertRegex(self.read_lines("out.jsonl")[0]["response"], r"^ seven")

    def test_force_replaces_an_output(self):
        self.write("out.jsonl", "precious\n")
        self.fails(11, r"out\.jsonl: it exists already", *self.arguments())
        self.run_ok(*self.arguments("--force"))
        self.assertEqual(len(self.read_lines("out.jsonl")), len(WORDS))


class Interrupted(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write_lines("p.jsonl", [{"prompt": f"Tell me a story about a {word}."}
                                     for word in WORDS * 2])
        self.arguments = ["generate", "--model", MODEL, "--prompts", "p.jsonl", "--max-tokens",
                          "16", "--chunk", "2", "--temperature", "0.8", "-o"]

    def start_and_wait_for_chunks(self, output, lines):
        """The running program, once its partial file has so many finished lines."""
        process = self.start_program(*self.arguments, output)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        partial = self.dir / f"{output}.partial"
        deadline = time.monotonic() + 100
        while not partial.exists() or partial.read_bytes().count(b"\n") <= lines:
            self.assertIsNone(process.poll(), "it ended too early")
            self.assertLess(time.monotonic(), deadline, "no chunk was finished")
            time.sleep(0.01)
        return process

    def test_sigkill_and_again_gives_the_same_bytes(self):
        self.run_ok(*self.arguments, "whole.jsonl")
        process = self.start_and_wait_for_chunks("killed.jsonl", 4)
        process.kill()
        process.wait()
        self.assertFalse((self.dir / "killed.jsonl").exists())
        # Also a line that was being written when the power went.
        with open(self.dir / "killed.jsonl.partial", "ab") as partial:
            partial.write(b'{"prompt": "Tell me a st')
        outcome = self.run_ok(*self.arguments, "killed.jsonl", "--json")
        self.assertGreaterEqual(json.loads(outcome.stdout)["resumed"], 4)
        self.assertIn("already done: ", outcome.stderr)
        self.assertEqual((self.dir / "killed.jsonl").read_bytes(),
                         (self.dir / "whole.jsonl").read_bytes())
        self.assertFalse((self.dir / "killed.jsonl.partial").exists())

    def test_ctrl_c_keeps_finished_chunks_and_nothing_else(self):
        process = self.start_and_wait_for_chunks("out.jsonl", 2)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertEqual(stdout, "")
        self.assertRegex(stderr, r"(?m)^llmpatch: error: \[[^\]]+\] .*interrupted")
        self.assertRegex(stderr, r"(?m)^hint: \d+ of 16 prompts are kept; the same command")
        self.assertEqual(set(self.listing()), {"p.jsonl", "out.jsonl.partial"})
        lines = (self.dir / "out.jsonl.partial").read_text().splitlines(keepends=True)[1:]
        self.assertEqual(len(lines) % 2, 0)
        for line in lines:
            self.assertTrue(line.endswith("\n"))
            self.assertIn("response", json.loads(line))

    def test_ctrl_c_before_the_first_chunk_leaves_nothing(self):
        self.arguments[self.arguments.index("16")] = "4000"
        process = self.start_program(*self.arguments, "out.jsonl")
        while "memory:" not in process.stderr.readline():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(set(self.listing()), {"p.jsonl"})

    def test_a_partial_output_of_other_settings_is_not_continued(self):
        process = self.start_and_wait_for_chunks("out.jsonl", 2)
        process.kill()
        process.wait()
        self.fails(11, r"out\.jsonl\.partial: begun with other settings: found another seed",
                   *self.arguments, "out.jsonl", "--seed", "9")
        outcome = self.run_ok(*self.arguments, "out.jsonl", "--seed", "9", "--force", "--json")
        self.assertEqual(json.loads(outcome.stdout)["resumed"], 0)

    def test_two_processes_do_not_write_one_output(self):
        self.start_and_wait_for_chunks("out.jsonl", 2)
        outcome = self.run_program(*self.arguments, "out.jsonl")
        self.assert_error(outcome, 9, r"another process is writing it")


if __name__ == "__main__":
    main()
