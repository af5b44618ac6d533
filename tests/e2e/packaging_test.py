"""What an image is built from."""

import unittest

from program import SOURCE, main


class Image(unittest.TestCase):
    def test_podman_and_docker_leave_out_the_same(self):
        podman, docker = ((SOURCE / name).read_text().split() for name in (".containerignore", ".dockerignore"))
        self.assertEqual(podman, docker)
        self.assertLessEqual({".git", ".deps", "build*", "models"}, set(docker))


if __name__ == "__main__":
    main()
