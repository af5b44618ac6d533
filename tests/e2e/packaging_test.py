"""What an image is built from, and whether the systemd unit and the guide to it go together."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from program import OPERATOR, SOURCE, main

GUIDE = (SOURCE / "docs/operating.md").read_text()


class Image(unittest.TestCase):
    def test_is_built_in_the_format_that_has_health_checks(self):
        containerfile = (SOURCE / "packaging/Containerfile").read_text()
        self.assertIn("HEALTHCHECK", containerfile)
        for text in (containerfile, GUIDE):
            builds = re.findall(r"podman build .*", text)
            self.assertTrue(builds)
            for build in builds:
                self.assertIn("--format docker", build)

    def test_podman_and_docker_leave_out_the_same(self):
        podman, docker = ((SOURCE / name).read_text().split() for name in (".containerignore", ".dockerignore"))
        self.assertEqual(podman, docker)
        self.assertLessEqual({".git", ".deps", "build*", "models"}, set(docker))


class Unit(unittest.TestCase):
    unit = (SOURCE / "packaging/llmpatch.service").read_text()

    def test_the_store_is_changed_by_the_user_that_serves_it(self):
        self.assertNotRegex(self.unit, r"(?m)^DynamicUser=")
        user = re.search(r"(?m)^User=(\S+)$", self.unit)[1]
        self.assertRegex(GUIDE, rf"(?m)^useradd --system .* {user}$")
        section = GUIDE.split("## As a systemd service")[1].split("## ")[0]
        changes = re.findall(r".*bin/llmpatch install .*", section)
        self.assertTrue(changes)
        for change in changes:
            self.assertTrue(change.startswith(f"sudo -u {user} "), change)

    def test_systemd_takes_it(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze")
        with tempfile.TemporaryDirectory() as folder:
            unit = Path(folder) / "llmpatch.service"
            unit.write_text(self.unit.replace("/opt/llmpatch/bin/llmpatch", str(OPERATOR)))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                                  encoding="utf-8", timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    main()
