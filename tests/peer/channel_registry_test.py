"""Update channels in Debian's docker-registry, and the whole story of examples/ship-a-patch through it.

Run by CTest (label `peer`); skipped where docker-registry or skopeo is not installed.
"""

import json

from channels import ChannelTest
from docker_registry import DockerRegistry
from program import main
from shipping import Shipping


class ChannelInRegistry(DockerRegistry, ChannelTest):
    def push(self, place, *more):
        self.run_ok("channel", "push", "site", place, *more)

    def test_releases_and_revocations_reach_the_operator(self):
        place = f"oci://{self.start()}/team/channel"
        self.publish_release("1.0.0", 1)
        self.push(place, "--plain-http")
        self.subscribe(place)
        self.update("--plain-http")
        self.assertEqual(self.active(), ["tester@1.0.0"])
        self.publish_release("1.1.0", 2)
        self.push(place, "--plain-http")
        self.update("--plain-http")
        self.assertEqual(self.active(), ["tester@1.1.0"])
        self.revoke("1.1.0")
        self.push(place, "--plain-http")
        self.update("--plain-http")
        self.assertEqual(self.active(), ["tester@1.0.0"])
        self.run_ok("channel", "refresh", "site", "--key", "online.key")
        self.push(place, "--plain-http")
        self.assertIn("up to date", self.update("--plain-http").stderr)

    def test_what_skopeo_copied_is_a_channel_too(self):
        host = self.start()
        self.publish_release("1.0.0", 1)
        self.push(f"{host}/channel", "--plain-http")
        listed = json.loads(self.skopeo("list-tags", "--tls-verify=false",
                                        f"docker://{host}/channel"))["Tags"]
        [archive] = (self.site / "targets").iterdir()
        self.assertEqual(set(listed), {"1.root.json", "1.snapshot.json", "1.targets.json",
                                       "timestamp.json", archive.name[:64]})
        for tag in listed:
            self.skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false",
                        f"docker://{host}/channel:{tag}", f"docker://{host}/mirror/copy:{tag}")
        self.subscribe(f"oci://{host}/mirror/copy")
        self.update("--plain-http")
        self.assertEqual(self.active(), ["tester@1.0.0"])

    def test_over_tls_and_with_a_password(self):
        host = self.start(self.passwords(), self.certificates())
        login = ["--docker-config", self.docker_config("right.json", host, "secret")]
        place = f"oci://{host}/channel"
        self.publish_release("1.0.0", 1)
        push = ["channel", "push", "site", place]
        self.fails(12, "certificate", *push, *login, "--registry-ca", "other.pem")
        self.write("none.json", "{}")
        self.fails(12, "no credentials", *push, "--registry-ca", "ca.pem", "--docker-config",
                   "none.json")
        self.push(place, *login, "--registry-ca", "ca.pem")
        self.subscribe(place)
        self.fails(12, "certificate", *self.update_arguments(*login))
        self.fails(12, "no credentials", *self.update_arguments(
            "--channel-ca", "ca.pem", "--docker-config", "none.json"))
        self.update("--channel-ca", "ca.pem", *login)
        self.assertEqual(self.active(), ["tester@1.0.0"])


class ShipAPatch(DockerRegistry, Shipping):
    def test_the_example(self):
        host = self.start()
        self.assertIn(f"subscribed to oci://{host}/safety", self.ship(f"{host}/safety"))
        # The releases by themselves are there, too.
        tags = self.run_ok("tags", f"{host}/safety/tester", "--plain-http").stdout.split()
        self.assertEqual(sorted(tags), ["1.0.0", "1.1.0"])
        self.run_ok("pull", f"{host}/safety/tester:1.1.0", "-o", "back", "--key",
                    "work/operator/vendor.pub", "--plain-http")


main()
