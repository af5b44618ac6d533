"""The operator's program: without learning it links no LibTorch and still runs patches."""

import os
import subprocess

from program import MODEL, ProgramTest, main

OPERATOR = os.environ["LLMPATCH_OPERATOR"]


class Operator(ProgramTest):
    def run_operator(self, *arguments):
        return subprocess.run([OPERATOR, *map(str, arguments)], cwd=self.dir, timeout=60,
                              capture_output=True, encoding="utf-8")

    def test_links_no_torch(self):
        linked = subprocess.run(["ldd", OPERATOR], check=True, capture_output=True,
                                encoding="utf-8").stdout
        self.assertIn("libllama", linked)
        self.assertNotRegex(linked, r"libtorch|libc10")
        self.assertIn("LibTorch not built in", self.run_operator("--version").stdout)

    def test_runs_a_patch(self):
        patch = self.make_patch()
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])
        done = self.run_operator("generate", "--model", MODEL, "--patch", patch, "--prompts",
                                 "p.jsonl", "-o", "out.jsonl", "--max-tokens", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.read_lines("out.jsonl")[0]["response"])

    def test_says_that_it_cannot_learn(self):
        done = self.run_operator("learn", "--model", MODEL, "--anything", "else")
        self.assertEqual(done.returncode, 8)
        self.assertRegex(done.stderr, r"\[learn\] this program was built without learning")


if __name__ == "__main__":
    main()
