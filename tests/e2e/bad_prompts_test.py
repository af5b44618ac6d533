"""Prompt files, suites and settings that make no sense: named by line, nothing left behind."""

import os

from program import MODEL, OTHER_MODEL, ProgramTest, main

GOOD = '{"prompt": "Hello"}\n'

# Content of the prompt file -> exit code, and what the error says.
FILES = {
    "a broken line": (GOOD * 2 + '{"prompt": "He\n' + GOOD, 4, r"p\.jsonl line 3"),
    "a line that is no object": (GOOD + "[1, 2]\n", 4, r"line 2.*object"),
    "a line that is bare text": ("Hello\n", 4, r"line 1"),
    "neither prompt nor messages": (GOOD + "\n" + '{"text": "Hello"}\n', 4, r"line 3"),
    "prompt and messages": (
        '{"prompt": "Hello", "messages": [{"role": "user", "content": "Hello"}]}\n', 4, r"line 1"),
    "a prompt that is a number": ('{"prompt": 7}\n', 4, r"line 1"),
    "messages that are text": ('{"messages": "Hello"}\n', 4, r"line 1"),
    "no messages": ('{"messages": []}\n', 4, r"line 1"),
    "an unknown role": ('{"messages": [{"role": "god", "content": "x"}]}\n', 4, r"line 1.*god"),
    "a message without content": ('{"messages": [{"role": "user"}]}\n', 4, r"line 1"),
    "a key twice": ('{"prompt": "a", "prompt": "b"}\n', 4, r"line 1.*duplicate"),
    "bad UTF-8": (b'{"prompt": "\xff\xfe"}\n', 4, r"line 1"),
    "nothing": ("", 2, r"found none"),
    "blank lines only": ("\n \n", 2, r"found none"),
}


class BadPrompts(ProgramTest):
    def arguments(self, prompts="p.jsonl", model=MODEL):
        return ["generate", "--model", model, "--prompts", prompts, "-o", "out.jsonl",
                "--max-tokens", "2"]

    def test_files(self):
        for name, (content, code, pattern) in FILES.items():
            with self.subTest(name):
                self.write("p.jsonl", content)
                self.fails(code, pattern, *self.arguments())

    def test_not_a_file(self):
        (self.dir / "folder").mkdir()
        os.mkfifo(self.dir / "pipe")
        self.fails(3, r"prompts: found no file missing\.jsonl", *self.arguments("missing.jsonl"))
        self.fails(2, r"prompts folder: found a directory", *self.arguments("folder"))
        self.fails(2, r"prompts pipe: found a directory or device", *self.arguments("pipe"))

    def test_prompt_longer_than_the_context(self):
        self.write_lines("p.jsonl", [{"prompt": "Hello"}, {"prompt": "many words " * 6000}])
        self.fails_after_plan(9, r"p\.jsonl line 2: found \d+ tokens", *self.arguments())

    def test_several_messages_as_raw_text(self):
        turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"},
                 {"role": "user", "content": "Bye"}]
        self.write_lines("p.jsonl", [{"prompt": "Hi"}, {"messages": turns}])
        self.fails_after_plan(2, r"p\.jsonl line 2", *self.arguments(model=OTHER_MODEL))

    def fails_after_plan(self, code, pattern, *arguments):
        before = self.listing()
        self.assert_error(self.run_program(*arguments), code, pattern)
        self.assertEqual(self.listing(), before)


class BadEvaluation(ProgramTest):
    def arguments(self, suite, *more):
        return ["eval", "--model", MODEL, "--suite", suite, "-o", "out", *more]

    def test_settings(self):
        self.write("p.jsonl", GOOD)
        self.write("s.json", '{"name": "s", "prompts": "p.jsonl", "expect": "answer", "x": 1}')
        self.write("bad.json", '{"name": ')
        self.write("gone.json", '{"name": "s", "prompts": "gone.jsonl", "expect": "answer"}')
        file = ["p.jsonl", "--expect", "refuse"]
        (self.dir / "done").mkdir()
        self.write("done/eval.json", "{}")
        cases = [
            (["no-such-suite"], 3, r"no-such-suite"),
            (["missing.json"], 3, r"missing\.json"),
            (["p.jsonl"], 2, r"expect"),
            (["p.jsonl", "--expect", "shrug"], 2, r"shrug"),
            (["s.json"], 4, r"s\.json.*x"),
            (["bad.json"], 4, r"bad\.json"),
            (["gone.json"], 3, r"gone\.jsonl"),
            (file + ["--format", "poem"], 2, r"poem"),
            (file + ["--compose", "diagonal"], 2, r"diagonal"),
            (file + ["--patch", "missing"], 3, r"missing"),
            (file + ["--card", "missing"], 2, r"--card missing: found none of the patches"),
        ]
        for arguments, code, pattern in cases:
            with self.subTest(arguments):
                self.fails(code, pattern, *self.arguments(*arguments))
        self.fails(11, r"done/eval\.json", "eval", "--model", MODEL, "--suite", *file, "-o", "done")
        self.fails(2, r"p\.jsonl: found a file, expected a folder", "eval", "--model", MODEL,
                   "--suite", *file, "-o", "p.jsonl")

    def test_a_broken_prompt_of_a_suite_is_named(self):
        self.write("p.jsonl", GOOD + '{"prompt": 7}\n')
        self.fails(4, r"p\.jsonl line 2", *self.arguments("p.jsonl", "--expect", "refuse"))

    def test_a_signed_patch_takes_no_card(self):
        self.write("p.jsonl", GOOD)
        patch = self.make_patch()
        (patch / "model.sig").write_text("{}")
        self.fails(12, r"signed", *self.arguments("p.jsonl", "--expect", "refuse", "--patch", patch,
                                                  "--card", patch))


if __name__ == "__main__":
    main()
