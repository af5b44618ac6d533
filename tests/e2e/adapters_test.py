"""LoRA adapters and control vectors: what they do to generate, and what is refused."""

from adapters import control_vector, lora
from program import MODEL, OPERATOR, ProgramTest, main


class Adapters(ProgramTest):
    program = OPERATOR

    def setUp(self):
        super().setUp()
        self.write_lines("prompts.jsonl", [{"prompt": "Name a colour."}, {"prompt": "Who are you?"}])
        self.write("lora.gguf", lora())
        self.write("vector.gguf", control_vector())

    def arguments(self, *more, out="out.jsonl"):
        return ["generate", "--model", MODEL, "--prompts", "prompts.jsonl", "--max-tokens", "8",
                "-o", out, *more]

    def answers(self, *more):
        self.run_ok(*self.arguments(*more, "--force"))
        return [line["response"] for line in self.read_lines("out.jsonl")]

    def test_change_the_answers(self):
        base = self.answers()
        for option, name in (("--lora", "lora.gguf"), ("--control-vector", "vector.gguf")):
            with self.subTest(option):
                self.assertNotEqual(self.answers(option, f"{name}:6"), base)
                self.assertEqual(self.answers(option, f"{name}:0"), base)
        # A range of layers without a direction.
        self.assertEqual(self.answers("--control-vector", "vector.gguf:6",
                                      "--control-vector-layers", "20-25"), base)
        self.assertNotEqual(self.answers("--control-vector", "vector.gguf:6",
                                         "--control-vector-layers", "10-10"), base)

    def test_in_a_conversation(self):
        plain = self.run_ok("chat", "--model", MODEL, "--max-tokens", "8", stdin="Who are you?\n")
        changed = self.run_ok("chat", "--model", MODEL, "--max-tokens", "8", "--lora",
                              "lora.gguf:6", stdin="Who are you?\n")
        self.assertNotEqual(plain.stdout, changed.stdout)

    def test_what_does_not_fit_is_refused(self):
        self.write("qwen.gguf", lora(architecture="qwen2"))
        self.write("narrow.gguf", lora(width=512))
        self.write("half.gguf", lora(halves=("lora_a",)))
        self.write("thin.gguf", control_vector(width=512))
        self.write("deep.gguf", control_vector(layers=(30,)))
        self.write("cut.gguf", lora()[:-100])
        for code, pattern, arguments in [
                (3, r"LoRA adapter.*none\.gguf", ["--lora", "none.gguf"]),
                (2, r"LoRA adapter.*general\.type", ["--lora", MODEL]),
                (2, r"LoRA adapter vector\.gguf.*general\.type", ["--lora", "vector.gguf"]),
                (7, r"qwen\.gguf.*\"qwen2\", expected \"llama\"", ["--lora", "qwen.gguf"]),
                (7, r"narrow\.gguf.*\[512, 576\], expected \[576, 576\]", ["--lora", "narrow.gguf"]),
                (4, r"half\.gguf.*lora_a without lora_b", ["--lora", "half.gguf"]),
                (4, r"cut\.gguf", ["--lora", "cut.gguf"]),
                (2, r"control vector.*controlvector", ["--control-vector", "lora.gguf"]),
                (7, r"thin\.gguf.*width 512, expected 576", ["--control-vector", "thin.gguf"]),
                (7, r"deep\.gguf.*at most direction\.29", ["--control-vector", "deep.gguf"]),
                (2, r"layers: found 5 to 30", ["--control-vector", "vector.gguf",
                                               "--control-vector-layers", "5-30"]),
                (2, r"--control-vector-layers: found \"x\"",
                 ["--control-vector", "vector.gguf", "--control-vector-layers", "x"]),
                (2, r"no --control-vector", ["--control-vector-layers", "1-2"])]:
            with self.subTest(pattern):
                self.fails(code, pattern, *self.arguments(*arguments))


if __name__ == "__main__":
    main()
