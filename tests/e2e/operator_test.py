"""The operator's program: without learning it links no LibTorch and still runs patches."""

import subprocess

from program import MODEL, OPERATOR, ProgramTest, main


class Operator(ProgramTest):
    program = OPERATOR

    def test_links_no_torch(self):
        linked = subprocess.run(["ldd", OPERATOR], check=True, capture_output=True,
                                encoding="utf-8").stdout
        self.assertIn("libllama", linked)
        self.assertNotRegex(linked, r"libtorch|libc10")
        self.assertIn("LibTorch not built in", self.run_ok("--version").stdout)

    def test_runs_a_patch(self):
        patch = self.make_patch()
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])
        self.run_ok("generate", "--model", MODEL, "--patch", patch, "--prompts", "p.jsonl", "-o",
                    "out.jsonl", "--max-tokens", "3", "--allow-unsigned")
        self.assertTrue(self.read_lines("out.jsonl")[0]["response"])

    def test_says_that_it_cannot_learn(self):
        self.fails(8, r"\[learn\] this program was built without learning", "learn", "--model",
                   MODEL, "--anything", "else")


if __name__ == "__main__":
    main()
