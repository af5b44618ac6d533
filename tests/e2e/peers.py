"""Where the tools that llmpatch is compared with have their Python."""

import os
import sys
from pathlib import Path

SKIPPED = 77  # CTest's SKIP_RETURN_CODE


def peer_python(name):
    """The Python of scripts/peer-venv NAME; ends the test as skipped when there is none that is
    finished."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    venv = cache / f"llmpatch/venv-{name}"
    if not (venv / ".list").exists():
        print(f"skipped: no {name} in {venv} (scripts/peer-venv {name} makes it)")
        sys.exit(SKIPPED)
    return str(venv / "bin/python")


def run_under(name):
    """Starts the running script again under peer_python(name), unless that is what runs it."""
    python = peer_python(name)
    if not sys.prefix.endswith(f"venv-{name}"):
        os.execv(python, [python, "-B", *sys.argv])
