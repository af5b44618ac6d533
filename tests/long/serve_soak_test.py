"""serve: mixed traffic for long, with each layout of the cache.

LLMPATCH_SOAK_SECONDS says for how long each (600), LLMPATCH_SOAK_KV the cache's type.
"""

import os

from program import main
from soaks import SoakTest

SECONDS = float(os.environ.get("LLMPATCH_SOAK_SECONDS", "600"))


class Soak(SoakTest):
    seconds = SECONDS

    def test_split(self):
        self.options = ("--cache-layout", "split")
        self.soak()

    def test_unified(self):
        self.options = ("--cache-layout", "unified")
        self.soak()


if __name__ == "__main__":
    main()
