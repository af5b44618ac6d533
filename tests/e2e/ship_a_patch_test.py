"""examples/ship-a-patch does what it says, with a folder between vendor and operator."""

from program import main
from shipping import Shipping


class ShipAPatch(Shipping):
    def test_the_example(self):
        said = self.ship()
        self.assertIn(f"subscribed to {self.dir}/work/vendor/site", said)


if __name__ == "__main__":
    main()
