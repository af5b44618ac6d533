"""Changes of a store that are killed at every step, and what must be so afterwards."""

import json

from kills import Kills
from stores import StoreTest


class StoreKills(Kills, StoreTest):
    """A test with the release self.other of a name that nothing else is about."""

    def setUp(self):
        super().setUp()
        self.other = self.release("1.0.0", 1, name="other")

    def look(self):
        """What the copy of the store says of its patches and channels; where there is none, as of an
        empty one."""
        if not (self.dir / "copy/store.db").exists():
            return {}, []
        channels = json.loads(self.run_ok("channel", "list", "--store", "copy", "--json").stdout)
        return self.state("copy"), [(each["channel"], each["root"], each["targets"])
                                    for each in channels]

    def done(self):
        """The history of the copy, without ids and times."""
        if not (self.dir / "copy/store.db").exists():
            return []
        return [row[3:] for row in self.check_store("copy")]

    def kill_everywhere(self, title, *command, between=()):
        """Kills that command on copies of the store. Then it is done on the store itself. `between`
        are the states that it goes through, as look() has them: of one change there is none."""
        arguments = [*command, "--store", "copy"]
        self.copy_store("copy")
        before, history = self.look(), self.done()
        self.run_ok(*arguments)
        after, new_history = self.look(), self.done()
        self.assertNotEqual(before, after)
        counts, seen = [], []
        for torn in (False, True):
            step = 0
            while True:
                step += 1
                self.copy_store("copy")
                with self.subTest(title, step=step, torn=torn):
                    if not self.run_killed(arguments, step, torn):
                        break
                    state, done = self.look(), self.done()
                    self.assertIn(state, (before, *between, after))
                    seen.append(state)
                    # Done and told, or neither.
                    self.assertEqual(done, new_history[:len(done)])
                    if state == before:
                        self.assertEqual(done, history)
                    else:
                        self.assertEqual(state == after, done == new_history)
                    if state != after:
                        self.run_ok(*arguments)
                    else:
                        # Any other change takes away what the killed one left behind.
                        self.run_ok("install", self.other, "--key", "vendor.pub", "--store", "copy")
                        self.run_ok("remove", "other@1.0.0", "--store", "copy")
                    self.assertEqual(self.look(), after)
                    self.check_no_rubbish("copy")
            counts.append(step - 1)
        print(f"{title}: killed at {counts[0]} steps and within {counts[1]} writes", flush=True)
        self.assertGreater(counts[0], 10)
        self.assertGreater(counts[1], 2)
        # Each state was seen: the kills were where the changes are.
        for state in (before, *between, after):
            self.assertIn(state, seen)
        self.run_ok(*command, "--store", "store")
