"""serve, when the maker of a patch revokes it while requests run on it."""

from channels import ChannelTest
from program import main
from serve_operation_test import until
from servers import Server


class Revoked(ChannelTest):
    def follow(self, *options):
        self.publish_release()
        self.run_ok("channel", "subscribe", "site", "--root", "pinned.json", "--store", "store",
                    *options)
        self.update()
        server = Server(self.dir, "--store", "store", "--key", "vendor.pub", "--watch")
        self.addCleanup(server.stop)
        self.assertEqual(server.started["default_stack"], "tester@1.0.0")
        return server

    def update(self):
        self.run_ok("update", "--store", "store", "--key", "vendor.pub")

    def test_requests_are_refused_and_the_server_is_not_ready(self):
        server = self.follow()
        self.revoke("1.0.0")
        self.update()
        self.assertTrue(until(lambda: server.get("/ready").status == 503))
        for fields in [{}, {"patches": ["tester"]}, {"patches": ["tester@1.0.0"]}]:
            self.assertEqual(server.chat(**fields).error[:2], (503, "patch_revoked"), fields)
        self.assertEqual(server.get("/v1/patches").json["data"][0]["state"], "revoked")
        # A version that is not revoked takes its place.
        self.publish_release("1.1.0", 2)
        self.update()
        self.assertTrue(until(lambda: server.get("/ready").status == 200))
        self.assertEqual(server.chat().headers["llmpatch-stack"], "tester@1.1.0")

    def test_runs_without_it_where_the_operator_says_so(self):
        server = self.follow("--on-revoke", "unpatched")
        self.revoke("1.0.0")
        self.update()
        self.assertTrue(until(lambda: server.chat(max_tokens=1).headers["llmpatch-stack"] == "none"))
        applied = server.chat().json["llmpatch"]
        self.assertIn("runs WITHOUT it", applied["warnings"][0])
        self.assertEqual(server.get("/ready").status, 200)
        self.assertEqual(server.chat(patches=["tester@1.0.0"]).error[:2], (503, "patch_revoked"))


if __name__ == "__main__":
    main()
