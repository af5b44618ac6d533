"""serve: half a minute of mixed traffic; tests/long has more of it."""

from program import main
from soaks import SoakTest


class Soak(SoakTest):
    options = ("--context", 512, "--cache-layout", "split")

    def test_every_answer_is_its_stacks_own(self):
        self.soak()


if __name__ == "__main__":
    main()
