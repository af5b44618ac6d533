"""The operator's program: built without learning, it links no LibTorch and still runs."""

import os
import subprocess
from pathlib import Path

from program import MODEL, SOURCE, ProgramTest, main

BUILD = Path(os.environ["LLMPATCH_BUILD"])


def cached(name):
    """A variable of this build's CMake cache, or nothing."""
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.partition("=")[2]
    return ""


class Operator(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        build = BUILD / "tests" / "operator"
        configure = ["cmake", "-S", SOURCE, "-B", build, "-G", "Ninja", "-DLLMPATCH_LEARN=OFF",
                     "-DLLMPATCH_TESTS=OFF"]
        for name in ("CMAKE_PREFIX_PATH", "CMAKE_BUILD_TYPE", "CMAKE_CXX_COMPILER",
                     "LLMPATCH_SANITIZE"):
            if cached(name):
                configure.append(f"-D{name}={cached(name)}")
        for command in (configure, ["cmake", "--build", build, "--target", "llmpatch"]):
            done = subprocess.run(list(map(str, command)), capture_output=True, encoding="utf-8")
            if done.returncode != 0:
                raise AssertionError(done.stdout + done.stderr)
        cls.program = build / "bin" / "llmpatch"

    def run_operator(self, *arguments):
        return subprocess.run([str(self.program), *map(str, arguments)], cwd=self.dir,
                              capture_output=True, encoding="utf-8", timeout=60)

    def test_links_no_torch(self):
        linked = subprocess.run(["ldd", self.program], check=True, capture_output=True,
                                encoding="utf-8").stdout
        self.assertIn("libllama", linked)
        self.assertNotRegex(linked, r"libtorch|libc10")

    def test_runs(self):
        version = self.run_operator("--version")
        self.assertIn("LibTorch not built in", version.stdout)
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])
        done = self.run_operator("generate", "--model", MODEL, "--prompts", "p.jsonl", "-o",
                                 "out.jsonl", "--max-tokens", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.read_lines("out.jsonl")[0]["response"])

    def test_says_that_it_cannot_learn(self):
        done = self.run_operator("learn", "--model", MODEL, "--anything")
        self.assertEqual(done.returncode, 8)
        self.assertIn("built without learning", done.stderr)


if __name__ == "__main__":
    main()
