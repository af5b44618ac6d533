"""The store after a kill at every step: each change of a store is stopped with SIGKILL before each of
its calls that change the file system, and in the middle of each of its writes (kill_at.cc). Then the
store opens, is as it was before or as it is after, and has lost nothing."""

from kills import Kills
from program import main
from stores import StoreTest


class Killed(Kills, StoreTest):
    def state_of_copy(self):
        if not (self.dir / "copy/store.db").exists():
            return {}
        return self.state("copy")

    def kill_everywhere(self, title, command, *args):
        """Kills that command on copies of the store. Then it is done on the store itself."""
        arguments = [command, *args, "--store", "copy"]
        self.copy_store("copy")
        before, history = self.state_of_copy(), []
        if before:
            history = self.check_store("copy")
        self.run_ok(*arguments)
        after, new_history = self.state("copy"), len(self.check_store("copy"))
        self.assertNotEqual(before, after)
        counts = []
        for torn in (False, True):
            step = 0
            while True:
                step += 1
                self.copy_store("copy")
                with self.subTest(title, step=step, torn=torn):
                    if not self.run_killed(arguments, step, torn):
                        break
                    state = self.state_of_copy()
                    self.assertIn(state, (before, after))
                    if (self.dir / "copy/store.db").exists():
                        now = self.check_store("copy")
                        self.assertEqual(now[:len(history)], history)
                        # Done and told, or neither.
                        self.assertEqual(len(now), new_history if state == after else len(history))
                    if state == before:
                        self.run_ok(*arguments)
                    else:
                        # Any other change takes away what the killed one left behind.
                        self.run_ok("install", self.other, "--key", "vendor.pub", "--store", "copy")
                        self.run_ok("remove", "other@1.0.0", "--store", "copy")
                    self.assertEqual(self.state("copy"), after)
                    self.check_no_rubbish("copy")
            counts.append(step - 1)
        print(f"{title}: killed at {counts[0]} steps and within {counts[1]} writes", flush=True)
        self.assertGreater(counts[0], 10)
        self.assertGreater(counts[1], 2)
        self.run_ok(command, *args, "--store", "store")

    def test_every_step_of_every_change(self):
        first, second = self.release("1.0.0", 1), self.release("2.0.0", 2)
        self.other = self.release("1.0.0", 1, name="other")
        key = ["--key", "vendor.pub"]
        self.kill_everywhere("install into a new store", "install", first, *key, "--activate")
        self.kill_everywhere("install", "install", second, *key)
        self.kill_everywhere("activate", "activate", "tester")
        self.kill_everywhere("rollback", "rollback", "tester")
        self.kill_everywhere("remove", "remove", "tester@2.0.0")
        self.kill_everywhere("deactivate", "deactivate", "tester")


if __name__ == "__main__":
    main()
