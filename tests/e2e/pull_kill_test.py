"""pull after a kill at every step: the directory is there as it was before, or whole and new."""

import itertools
import shutil

from kills import Kills
from program import main
from registries import RegistryTest


class Killed(Kills, RegistryTest):

    def found(self):
        """What is at the place of the output; nothing without one."""
        if not (self.dir / "back").exists():
            return None
        return {path.name: path.read_bytes() for path in (self.dir / "back").iterdir()}

    def start_over(self, before):
        for left in self.dir.glob("back*"):
            shutil.rmtree(left)
        if before:
            (self.dir / "back").mkdir()
            for name, content in before.items():
                (self.dir / "back" / name).write_bytes(content)

    def kill_everywhere(self, title, before):
        arguments = ["pull", f"{self.registry.host}/tester:1", "-o", "back", "--key", "vendor.pub",
                     "--plain-http", "--force"]
        counts = []
        for torn in (False, True):
            seen = set()
            for step in itertools.count(1):
                self.start_over(before)
                if not self.run_killed(arguments, step, torn):
                    break
                with self.subTest(title, step=step, torn=torn):
                    found = self.found()
                    self.assertIn(found, (before, self.contents))
                    seen.add(found == self.contents)
                    # What a killed one leaves is in nobody's way.
                    self.run_ok(*arguments)
                    self.assertEqual(self.found(), self.contents)
            self.assertEqual(self.found(), self.contents)
            counts.append(step - 1)
            # Both sides of the last rename were killed at; a write comes before it.
            self.assertEqual(seen, {False} if torn else {False, True})
        print(f"{title}: killed at {counts[0]} steps and within {counts[1]} writes", flush=True)
        self.assertGreater(counts[0], 4 * len(self.contents))  # made, written, synced, renamed
        self.assertGreaterEqual(counts[1], len(self.contents))

    def test_every_step_of_a_pull(self):
        self.kill_everywhere("pull", None)
        old = self.release("0.9.0", 1)
        self.kill_everywhere("pull over another patch",
                             {path.name: path.read_bytes() for path in old.iterdir()})


if __name__ == "__main__":
    main()
