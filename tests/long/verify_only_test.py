"""LLMPATCH_VERIFY_ONLY from nothing: it configures and builds where there is no llama.cpp to find."""

import subprocess

from program import SOURCE, ProgramTest, main


class VerifyOnlyBuild(ProgramTest):
    def run_tool(self, *command):
        done = subprocess.run(list(map(str, command)), cwd=SOURCE, capture_output=True,
                              encoding="utf-8")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_builds_links_little_and_verifies(self):
        build = self.dir / "build"
        self.run_tool("cmake", "-S", SOURCE, "-B", build, "-G", "Ninja",
                      "-DLLMPATCH_VERIFY_ONLY=ON", "-DLLMPATCH_TESTS=OFF")
        self.assertNotRegex((build / "CMakeCache.txt").read_text(), r"LLMPATCH_(TORCH|LLAMA)")
        self.run_tool("cmake", "--build", build)
        self.program = build / "bin" / "llmpatch"
        self.assertNotRegex(self.run_tool("ldd", self.program), r"libtorch|libc10|libllama|libggml")
        self.run_tool("strip", self.program)
        self.assertLess(self.program.stat().st_size, 2_000_000)
        vectors = SOURCE / "testdata/vectors"
        self.run_ok("verify", vectors / "good.llmpatch", "--key", vectors / "maker.pub")
        self.fails(5, r"expected one by", "verify", vectors / "other-key.llmpatch", "--key",
                   vectors / "maker.pub")


if __name__ == "__main__":
    main()
