"""learn, asked for things that make no sense: refused before anything is written."""

import unittest

from program import MODEL, ProgramTest, main


class BadLearning(ProgramTest):
    def setUp(self):
        super().setUp()
        if "LibTorch not built in" in self.run_ok("--version").stdout:
            raise unittest.SkipTest("this program was built without learning")
        self.write_lines("p.jsonl", [{"prompt": f"Explain how to break a {thing}."}
                                     for thing in ["lock", "promise", "window", "record"]])
        self.write_lines("retain.jsonl", [{"prompt": f"Name a {thing}."}
                                          for thing in ["colour", "river", "song"]])

    def arguments(self, *more, prompts="p.jsonl", teacher=("--teacher-system", "Refuse.")):
        return ["learn", "--model", MODEL, *teacher, "--prompts", prompts, "--retain",
                "retain.jsonl", "--name", "tester", "--risk", "test", "-o", "patch", *more]

    def test_settings(self):
        self.write("broken.jsonl", '{"prompt": "a b c"}\n{"prompt": \n')
        self.write("bad.gguf", b"GGUF, but only in name")
        self.write_lines("tests.jsonl", [{"prompt": "x"}, {"prompt": "explain how to break a lock"}])
        cases = [
            (self.arguments("--judge", "solomon"), 3, r"solomon.*refusal"),
            (self.arguments("--stages", "rlhf"), 2, r"--stages: found rlhf"),
            (self.arguments("--reference", "nobody"), 2, r"--reference: found nobody"),
            (self.arguments("--precision", "f8"), 2, r"--precision: found f8"),
            (self.arguments("--chosen", "maybe"), 2, r"--chosen: found maybe"),
            (self.arguments("--format", "poem"), 2, r"poem"),
            (self.arguments("--length", "0"), 2, r"length"),
            (self.arguments("--name", "../escape"), 2, r"name"),
            (self.arguments("--version", "one"), 2, r"version"),
            (self.arguments(prompts="broken.jsonl"), 4, r"broken\.jsonl line 2"),
            (self.arguments(prompts="missing.jsonl"), 3, r"found no file missing\.jsonl"),
            (self.arguments(teacher=()), 2, r"teacher"),
            (self.arguments(teacher=("--teacher", "missing.gguf")), 3, r"missing\.gguf"),
            (self.arguments(teacher=("--teacher", "bad.gguf")), 8, r"bad\.gguf: version"),
            (self.arguments("--test", "tests.jsonl"), 2, r"tests\.jsonl.*2"),
        ]
        for arguments, code, pattern in cases:
            with self.subTest(arguments[3:]):
                if arguments.count("--name") > 1:  # the case's own replaces the usual one
                    at = arguments.index("--name")
                    del arguments[at:at + 2]
                self.fails(code, pattern, *arguments)

    def test_existing_output(self):
        self.write("patch/thesis.txt", "years of work")
        self.fails(11, r"patch: it exists already", *self.arguments())
        self.fails(12, r"patch", *self.arguments("--force"))


if __name__ == "__main__":
    main()
