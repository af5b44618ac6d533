"""Outputs that cannot be written: nothing is destroyed, nothing half-written stays."""

import os
import subprocess
import unittest

from program import MODEL, PROGRAM, ProgramTest, main


class BadOutput(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write_lines("p.jsonl", [{"prompt": "Hello"}] * 40)

    def generate(self, output, *more, prompts="p.jsonl"):
        return ["generate", "--model", MODEL, "--prompts", prompts, "-o", output, "--max-tokens",
                "2", *more]

    def test_places_where_no_file_can_be(self):
        (self.dir / "folder").mkdir()
        os.mkfifo(self.dir / "pipe")
        patch = self.make_patch()
        for output, code, pattern in [
                ("folder", 2, r"folder: found a folder or device"),
                ("pipe", 2, r"pipe: found a folder or device"),
                ("/dev/full", 2, r"/dev/full: found a folder or device"),
                ("missing/out.jsonl", 3, r"found no folder missing"),
                ("p.jsonl/out.jsonl", 3, r"found no folder p\.jsonl"),
        ]:
            with self.subTest(output):
                self.fails(code, pattern, *self.generate(output))
                self.fails(code, pattern, *self.generate(output, "--force"))
                self.fails(code, pattern, "pack", patch, "-o", output)
                self.fails(code, pattern, "pack", patch, "-o", output, "--force")

    def test_the_input_is_not_replaced(self):
        for output in ["p.jsonl", "./p.jsonl"]:
            self.fails(2, r"found the input itself", *self.generate(output, "--force"))
        os.link(self.dir / "p.jsonl", self.dir / "alias.jsonl")
        self.fails(2, r"found the input itself", *self.generate("alias.jsonl", "--force"))

    def test_existing_outputs(self):
        patch = self.make_patch()
        self.run_ok("pack", patch, "-o", "made.llmpatch")
        self.fails(11, r"made\.llmpatch: it exists already", "pack", patch, "-o", "made.llmpatch")
        self.fails(11, r"exists already", "unpack", "made.llmpatch", "-o", patch)
        self.run_ok("pack", patch, "-o", "made.llmpatch", "--force")
        self.run_ok("unpack", "made.llmpatch", "-o", patch, "--force")

    def test_unpack_never_replaces_a_folder_that_is_no_patch(self):
        self.run_ok("pack", self.make_patch(), "-o", "made.llmpatch")
        self.write("home/thesis.txt", "years of work")
        self.fails(12, r"home", "unpack", "made.llmpatch", "-o", "home", "--force")

    def test_standard_output_on_a_full_disk(self):
        patch = self.make_patch()
        for arguments in (["inspect", patch], ["inspect", patch, "--json"], ["--help"],
                          ["generate", "--help"]):
            with self.subTest(arguments), open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, *map(str, arguments)], stdout=full,
                                      stderr=subprocess.PIPE, encoding="utf-8", timeout=60)
                self.assertEqual(done.returncode, 10, done.stderr)
                self.assertRegex(done.stderr, r"\[output\] write to standard output")


class FullDisk(ProgramTest):
    """On a file system of 64 KiB."""

    def setUp(self):
        super().setUp()
        self.disk = self.dir / "disk"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", self.disk],
                                 capture_output=True)
        if mounted.returncode != 0:
            raise unittest.SkipTest("a small file system cannot be mounted here (needs root)")
        self.addCleanup(subprocess.run, ["umount", str(self.disk)], check=True)

    def free(self):
        info = os.statvfs(self.disk)
        return info.f_bavail * info.f_frsize

    def fill_up_to(self, left):
        with open(self.disk / "ballast", "wb") as ballast:
            ballast.write(b"\0" * (self.free() - left))

    def test_generate(self):
        # Each line carries 4 KiB through: the disk is full after a few chunks.
        self.write_lines("p.jsonl", [{"prompt": "Hello", "note": "x" * 4096}] * 40)
        arguments = ["generate", "--model", MODEL, "--prompts", "p.jsonl", "-o", "disk/out.jsonl",
                     "--max-tokens", "1", "--chunk", "4"]
        outcome = self.run_program(*arguments)
        self.assert_error(outcome, 10, r"out\.jsonl.*: No space left on device")
        self.assertEqual(os.listdir(self.disk), ["out.jsonl.partial"])
        lines = (self.disk / "out.jsonl.partial").read_text().splitlines()
        self.assertEqual((len(lines) - 1) % 4, 0)  # whole chunks behind the header
        self.assertGreater(len(lines), 1)

    def test_pack_and_unpack(self):
        patch = self.make_patch()
        self.run_ok("pack", patch, "-o", "made.llmpatch")
        self.fill_up_to(8192)
        for arguments in (["pack", patch, "-o", "disk/made.llmpatch"],
                          ["unpack", "made.llmpatch", "-o", "disk/made"]):
            with self.subTest(arguments):
                self.assert_error(self.run_program(*arguments), 10, r"No space left on device")
                self.assertEqual(os.listdir(self.disk), ["ballast"])


if __name__ == "__main__":
    main()
