"""Drives the real program: runs it in a folder of its own and checks what it did.

CTest names the program and what it needs through the environment (tests/CMakeLists.txt).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = os.environ["LLMPATCH_PROGRAM"]
# The same objects without LibTorch, whose loading takes most of the time of a short run.
OPERATOR = os.environ["LLMPATCH_OPERATOR"]
# The same again without llama.cpp: what checks and signs patches.
VERIFY_ONLY = os.environ["LLMPATCH_VERIFY"]
MAKE_PATCH = os.environ["LLMPATCH_MAKE_PATCH"]
SOURCE = Path(os.environ["LLMPATCH_SOURCE"])
MODEL = SOURCE / "models/smollm2-135m-instruct-q4_1.gguf"
OTHER_MODEL = SOURCE / "models/gemma3-270m-q4_k_m.gguf"  # another architecture, no chat template

SKIPPED = 77  # CTest's SKIP_RETURN_CODE
ERROR_LINE = re.compile(r"^llmpatch: error: \[[^\]]+\] \S.*$", re.MULTILINE)

# Waiting threads must not spin: tests share the processor.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class Outcome:
    def __init__(self, code, stdout, stderr):
        self.code, self.stdout, self.stderr = code, stdout, stderr

    def __str__(self):
        return f"exit code {self.code}\nstdout: {self.stdout}\nstderr: {self.stderr}"


class ProgramTest(unittest.TestCase):
    """A test in an empty folder, self.dir, which is also the program's working folder."""

    maxDiff = None
    program = PROGRAM

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="llmpatch-e2e-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def run_program(self, *args, stdin=""):
        """Runs llmpatch to its end."""
        done = subprocess.run([self.program, *map(str, args)], cwd=self.dir, input=stdin, timeout=120,
                              capture_output=True, encoding="utf-8", errors="replace")
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start_program(self, *args, **options):
        return subprocess.Popen([self.program, *map(str, args)], cwd=self.dir, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                                **options)

    def run_ok(self, *args, stdin=""):
        outcome = self.run_program(*args, stdin=stdin)
        self.assertEqual(outcome.code, 0, str(outcome))
        return outcome

    def assert_error(self, outcome, code, pattern):
        """The outcome is an error of the program's form: its code, and a line that matches."""
        self.assertEqual(outcome.code, code, str(outcome))
        lines = ERROR_LINE.findall(outcome.stderr)
        self.assertEqual(len(lines), 1, f"expected one error line\n{outcome}")
        self.assertRegex(lines[0], pattern)
        rest = outcome.stderr[outcome.stderr.index(lines[0]) + len(lines[0]) + 1:]
        self.assertRegex(rest, r"\A(hint: .+\n)?\Z", "only a hint may follow the error")

    def fails(self, code, pattern, *args, stdin=""):
        """Runs llmpatch, which must fail like that, print no data and leave no file behind."""
        before = self.listing()
        outcome = self.run_program(*args, stdin=stdin)
        self.assert_error(outcome, code, pattern)
        self.assertEqual(outcome.stdout, "")
        self.assertEqual(self.listing(), before, "files changed")
        return outcome

    def listing(self):
        """Every path under the folder with its kind and size."""
        found = {}
        for path in sorted(self.dir.rglob("*")):
            info = path.lstat()
            found[str(path.relative_to(self.dir))] = (info.st_mode, info.st_size)
        return found

    def write(self, name, content):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def write_lines(self, name, objects):
        return self.write(name, "".join(json.dumps(each) + "\n" for each in objects))

    def read_lines(self, name):
        return [json.loads(line) for line in (self.dir / name).read_text().splitlines()]

    def make_patch(self, name="tester", text="You always answer in French.", model=MODEL):
        """A patch directory of the embeddings of `text`, made once for all tests of the file."""
        key = (name, text, str(model))
        if key not in _patches:
            made = Path(_patch_folder()) / f"{len(_patches)}"
            subprocess.run([MAKE_PATCH, model, name, text, made], check=True, timeout=120)
            _patches[key] = made
        copy = self.dir / name
        shutil.copytree(_patches[key], copy)
        return copy


_patches = {}
_folder = None


def _patch_folder():
    global _folder
    if _folder is None:
        _folder = tempfile.TemporaryDirectory(prefix="llmpatch-e2e-patches-")
    return _folder.name


def main():
    """Runs the test classes of the calling file; a file whose every test was skipped says so."""
    result = unittest.main(exit=False, verbosity=2).result
    if not result.wasSuccessful() or result.testsRun == 0:
        sys.exit(1)
    sys.exit(SKIPPED if len(result.skipped) == result.testsRun else 0)
