"""examples/ship-a-patch from its first step: the vendor learns the patch."""

from program import PROGRAM, main
from shipping import Shipping


class ShipALearnedPatch(Shipping):
    program = PROGRAM

    def test_the_example(self):
        said = self.ship(patch="learn", name="decline")
        self.assertIn("The vendor learns a patch", said)


if __name__ == "__main__":
    main()
