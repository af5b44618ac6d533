"""The build that is being tested, for tests that configure another one like it."""

import os
from pathlib import Path

BUILD = Path(os.environ["LLMPATCH_BUILD"])


def cached(name):
    """A variable of this build's CMake cache; empty when there is none."""
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.partition("=")[2]
    return ""
