"""Following a channel after a kill at every step: subscribe, and updates that install, obey a revocation
and renew a signature, stopped as in store_kill_test.py. What was obeyed stays so, and the next update
brings the rest."""

from channels import ChannelTest
from program import main
from store_kills import StoreKills


class Killed(StoreKills, ChannelTest):
    def believed(self):
        """The state after an update that believes all that the channel says, and installs nothing."""
        self.copy_store("copy")
        outcome = self.run_program("update", "--store", "copy")  # without the vendor's key
        self.assert_error(outcome, 6, "no key to check it with")
        return self.look()

    def kill_update(self, title):
        update = ["update", "--key", "vendor.pub"]
        self.kill_everywhere(title, *update, between=[self.believed()])

    def test_every_step_of_following_a_channel(self):
        self.publish_release("1.0.0", 1)
        subscribe = ["channel", "subscribe", "site", "--root", "pinned.json"]
        self.kill_everywhere("subscribe with a new store", *subscribe)
        self.kill_everywhere("unsubscribe", "channel", "unsubscribe", "site")
        self.kill_everywhere("subscribe", *subscribe)
        self.kill_update("the first update")
        self.publish_release("1.1.0", 2)
        self.run_ok("update", "--store", "store", "--key", "vendor.pub")
        # The fallback is one change with the revocation; what is newer comes after it.
        self.run_ok("channel", "revoke", "site", "tester@1.1.0")
        self.publish_release("1.2.0", 3)
        between = self.believed()
        self.assertEqual([version for (_, version), (_, active) in between[0].items() if active],
                         ["1.0.0"])
        self.kill_update("an update that revokes and installs")
        self.assertEqual(self.active(), ["tester@1.2.0"])

    def test_every_step_of_a_revocation_that_leaves_none(self):
        self.publish_release("1.0.0", 1)
        self.subscribe()
        self.update()
        self.revoke("1.0.0")
        self.kill_everywhere("an update that revokes", "update", "--key", "vendor.pub")
        self.assertEqual(self.active(), [])


if __name__ == "__main__":
    main()
