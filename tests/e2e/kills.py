"""Kills the program with SIGKILL at any of the calls by which it changes the file system (kill_at.cc)."""

import os
import signal
import subprocess
import tempfile

KILL_LIBRARY = os.environ["LLMPATCH_KILL_LIBRARY"]
# A program with a sanitizer takes the library for an attempt on its own.
ASAN_OPTIONS = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
# What a kill leaves behind does not depend on the disk, and hundreds of runs sync to it.
MEMORY = "/dev/shm"


class Kills:
    """For a ProgramTest, which then has its folder in memory."""

    def setUp(self):
        if os.access(MEMORY, os.W_OK):
            self.addCleanup(setattr, tempfile, "tempdir", tempfile.tempdir)
            tempfile.tempdir = MEMORY
        super().setUp()

    def run_killed(self, arguments, step, torn):
        """Runs the program, killed at that step, or with `torn` within the write of that number; False
        when it had no such step."""
        environment = {**os.environ, "LD_PRELOAD": KILL_LIBRARY, "ASAN_OPTIONS": ASAN_OPTIONS,
                       "LLMPATCH_KILL_AT": str(step), "LLMPATCH_KILL_TORN": "1" if torn else "0"}
        done = subprocess.run([self.program, *map(str, arguments)], cwd=self.dir, timeout=120,
                              env=environment, capture_output=True, encoding="utf-8")
        if done.returncode == 0:
            return False
        self.assertEqual(done.returncode, -signal.SIGKILL, f"step {step}: {done.stderr}")
        return True
