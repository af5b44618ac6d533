"""The store after a kill at every step: each change of a store is stopped with SIGKILL before each of
its calls that change the file system, and in the middle of each of its writes (kill_at.cc). Then the
store opens, is as it was before or as it is after, and has lost nothing."""

from program import main
from store_kills import StoreKills


class Killed(StoreKills):
    def test_every_step_of_every_change(self):
        first, second = self.release("1.0.0", 1), self.release("2.0.0", 2)
        key = ["--key", "vendor.pub"]
        self.kill_everywhere("install into a new store", "install", first, *key, "--activate")
        self.kill_everywhere("install", "install", second, *key)
        self.kill_everywhere("activate", "activate", "tester")
        self.kill_everywhere("rollback", "rollback", "tester")
        self.kill_everywhere("remove", "remove", "tester@2.0.0")
        self.kill_everywhere("deactivate", "deactivate", "tester")


if __name__ == "__main__":
    main()
