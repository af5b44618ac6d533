"""The operator preset from nothing: it configures and builds where there is no LibTorch to find."""

import subprocess

from build_tree import cached
from program import SOURCE, ProgramTest, main


class OperatorPreset(ProgramTest):
    def run_tool(self, *command):
        done = subprocess.run(list(map(str, command)), cwd=SOURCE, capture_output=True,
                              encoding="utf-8")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_builds_and_links_no_torch(self):
        self.run_tool("cmake", "--preset", "operator", "-B", self.dir,
                      f"-DCMAKE_PREFIX_PATH={cached('CMAKE_PREFIX_PATH')}",
                      "-DLLMPATCH_TESTS=OFF")
        self.assertNotIn("LLMPATCH_TORCH", (self.dir / "CMakeCache.txt").read_text())
        self.run_tool("cmake", "--build", self.dir)
        program = self.dir / "bin" / "llmpatch"
        linked = self.run_tool("ldd", program)
        self.assertIn("libllama", linked)
        self.assertNotRegex(linked, r"libtorch|libc10")
        self.assertIn("LibTorch not built in", self.run_tool(program, "--version"))
        self.run_tool("cmake", "--install", self.dir, "--prefix", self.dir / "first")
        (self.dir / "first").rename(self.dir / "second")
        installed = self.dir / "second/bin/llmpatch"
        self.assertIn("LibTorch not built in", self.run_tool(installed, "--version"))
        self.assertIn(str(self.dir / "second/lib/libllama"), self.run_tool("ldd", installed))


if __name__ == "__main__":
    main()
