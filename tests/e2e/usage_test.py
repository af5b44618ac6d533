"""The command line itself: help, versions, options that do not exist."""

import json

from program import MODEL, ProgramTest, main

SUBCOMMANDS = ["learn", "eval", "generate", "chat", "inspect", "keygen", "sign", "verify", "pack",
               "unpack", "report", "ablate", "attack", "compose", "diff", "merge", "doctor"]


class Usage(ProgramTest):
    def test_help_is_data(self):
        for arguments in [[]] + [[name] for name in SUBCOMMANDS]:
            with self.subTest(arguments):
                outcome = self.run_ok(*arguments, "--help")
                self.assertEqual(outcome.stderr, "")
                self.assertIn("--help", outcome.stdout)
                if not arguments:
                    for name in SUBCOMMANDS:
                        self.assertRegex(outcome.stdout, rf"(?m)^  {name} ")

    def test_version_names_what_is_built_in(self):
        outcome = self.run_ok("--version")
        self.assertEqual(outcome.stderr, "")
        lines = outcome.stdout.splitlines()
        for line, name in zip(lines, ["llmpatch", "llama.cpp", "ggml", "LibTorch", "OpenSSL"]):
            self.assertRegex(line, rf"^{name} (\d+\.\d+|not built in)")
        self.assertEqual(len(lines), 5)

    def test_mistakes(self):
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])
        generate = ["generate", "--model", MODEL, "--prompts", "p.jsonl", "-o", "out.jsonl"]
        cases = [
            ([], r"subcommand: found none, expected learn, eval"),
            (["frobnicate"], r"subcommand: found 'frobnicate', expected"),
            (["--frobnicate"], r"--frobnicate"),
            (["generate"], r"is required"),
            (generate + ["--frobnicate"], r"--frobnicate"),
            (generate + ["extra"], r"extra"),
            (generate + ["--max-tokens"], r"--max-tokens"),
            (generate + ["--max-tokens", "many"], r"--max-tokens"),
            (generate + ["--max-tokens", "0"], r"--max-tokens: found 0, expected at least 1"),
            (generate + ["--temperature", "nan"], r"--temperature: found nan"),
            (generate + ["--temperature", "-1"], r"--temperature: found -1, expected 0 or more"),
            (generate + ["--temperature", "1", "--top-p", "1.5"], r"--top-p: found 1.5"),
            (generate + ["--temperature", "1", "--top-k", "-3"], r"--top-k: found -3"),
            (generate + ["--top-p", "0.9"], r"without --temperature"),
            (generate + ["--samples", "3"], r"--samples: .*temperature 0"),
            (generate + ["--seed", "-1"], r"--seed"),
            (generate + ["--kv", "f64"], r"--kv"),
            (generate + ["--threads", "-2"], r"--threads"),
            (generate + ["--chunk", "0"], r"--chunk"),
            (generate + ["--format", "poem"], r"poem"),
            (generate + ["--compose", "diagonal"], r"diagonal"),
            (generate + ["--model", "second.gguf"], r"--model"),
            (["inspect"], r"PATCH is required"),
            (["pack", "dir"], r"--output is required"),
        ]
        for arguments, pattern in cases:
            with self.subTest(arguments):
                self.fails(2, pattern, *arguments)

    def test_error_hints_at_the_help_of_the_subcommand(self):
        outcome = self.run_program("pack")
        self.assertIn("hint: llmpatch pack --help", outcome.stderr)


class Doctor(ProgramTest):
    def test_tells_about_the_machine(self):
        outcome = self.run_program("doctor", "--json", "--model", MODEL)
        # 13 where something is bad here, such as a slow BLAS; the report is complete in any case.
        self.assertIn(outcome.code, (0, 13), str(outcome))
        findings = {each["subject"]: each for each in json.loads(outcome.stdout)}
        self.assertEqual(set(findings), {"BLAS", "processor", "memory", f"model {MODEL}"})
        model = findings[f"model {MODEL}"]
        self.assertEqual(model["health"], "ok")
        self.assertRegex(model["text"], r"^llama, 272 tensors")
        self.assertEqual(outcome.code == 13, any(f["health"] == "bad" for f in findings.values()))

    def test_a_damaged_model_is_bad(self):
        self.write("bad.gguf", b"GGUF but not really, sorry")
        outcome = self.run_program("doctor", "--model", "bad.gguf")
        self.assert_error(outcome, 13, r"found \d bad")
        self.assertRegex(outcome.stdout, r"(?m)^bad +model bad.gguf: ")


if __name__ == "__main__":
    main()
