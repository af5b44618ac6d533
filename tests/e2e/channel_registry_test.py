"""An update channel in a registry: what was published is pushed there and updated from, and a registry
that lies about it is found out."""

import json

from channels import ChannelTest
from program import main
from registries import MANIFEST, RegistryTest, digest


class ChannelInRegistry(ChannelTest, RegistryTest):
    def setUp(self):
        super().setUp()
        self.pages = self.keep_uploads()
        self.place = f"oci://{self.registry.host}/team/channel"
        self.path = "/v2/team/channel"

    def push(self, *more):
        return json.loads(self.run_ok(*self.push_arguments(*more), "--json").stdout)["uploaded"]

    def push_arguments(self, *more):
        return ["channel", "push", "site", self.place, "--plain-http", *more]

    def follow(self):
        """A release that is published, pushed and followed from the registry."""
        self.publish_release("1.1.0", 2)
        self.push()
        self.subscribe(self.place)

    def update(self, *more):
        return super().update("--plain-http", *more)

    def update_fails(self, code, pattern):
        before = self.state()
        self.fails(code, pattern, *self.update_arguments("--plain-http"))
        self.assertEqual(self.state(), before)

    def targets(self):
        return sorted(path.name for path in (self.site / "targets").iterdir())

    def test_releases_and_revocations_reach_the_operator(self):
        self.publish_release("1.1.0", 2)
        [archive] = self.targets()
        # What leads to others comes after them.
        self.assertEqual(self.push(), [f"targets/{archive}", "1.targets.json", "1.snapshot.json",
                                       "1.root.json", "timestamp.json"])
        self.assertEqual(self.push(), [])
        self.subscribe(self.place)
        report = json.loads(self.update("--json").stdout)["channels"][0]
        self.assertEqual((report["channel"], report["place"]), (self.place, self.place))
        self.assertEqual(self.active(), ["tester@1.1.0"])
        self.publish_release("1.2.0", 3)
        self.assertEqual([name for name in self.push() if not name.startswith("targets/")],
                         ["2.targets.json", "2.snapshot.json", "timestamp.json"])
        self.update()
        self.assertEqual(self.active(), ["tester@1.2.0"])
        self.revoke("1.2.0")
        self.push()
        self.update()
        self.assertEqual(self.active(), ["tester@1.1.0"])
        self.run_ok("keygen", "-o", "online-2")
        self.run_ok("channel", "rotate", "site", "--timestamp", "online-2.pub", "--key", "root.key")
        self.run_ok("channel", "refresh", "site", "--key", "online-2.key")
        self.assertEqual(self.push(), ["2.root.json", "timestamp.json"])
        self.update()
        [report] = json.loads(self.run_ok("channel", "list", "--store", "store", "--json").stdout)
        self.assertEqual((report["channel"], report["root"], report["targets"]), (self.place, 2, 3))

    def test_a_tag_a_file(self):
        self.follow()
        tags = {path.removeprefix(f"{self.path}/manifests/") for path in self.pages
                if path.startswith(f"{self.path}/manifests/")}
        [archive] = self.targets()
        self.assertEqual({tag for tag in tags if not tag.startswith("sha256:")},
                         {"timestamp.json", "1.root.json", "1.snapshot.json", "1.targets.json",
                          archive[:64]})
        manifest = json.loads(self.pages[f"{self.path}/manifests/{archive[:64]}"])
        [layer] = manifest["layers"]
        self.assertEqual(layer["digest"], "sha256:" + archive[:64])
        self.assertEqual(layer["annotations"]["org.opencontainers.image.title"],
                         "tester-1.1.0.llmpatch")

    def test_mirrors_may_be_of_different_kinds(self):
        self.follow()
        nothing = f"http://{self.registry.host}/nothing"
        self.subscribe(nothing, "--mirror", self.place)
        report = json.loads(self.update(nothing, "--json").stdout)
        self.assertEqual(report["channels"][0]["place"], self.place)
        self.assertEqual(self.active(), ["tester@1.1.0"])

    def serve_file(self, tag, content, **changes):
        """Puts `content` under a tag as an honest registry would; `changes` lie about the layer."""
        layer = {"mediaType": "application/json", "digest": digest(content), "size": len(content),
                 **changes}
        self.pages[f"{self.path}/blobs/{digest(content)}"] = content
        self.pages[f"{self.path}/manifests/{tag}"] = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer],
             "artifactType": "application/vnd.llmpatch.channel.v1"}).encode()

    def test_a_registry_that_gives_something_else(self):
        self.follow()
        [archive] = self.targets()
        tag, content = archive[:64], (self.site / "targets" / archive).read_bytes()
        other = content[:-1] + b"x"
        self.serve_file(tag, other)
        self.update_fails(5, rf"found sha256 {digest(other)[7:]}, expected {tag}")
        self.serve_file(tag, content, size=len(content) + 1)
        self.update_fails(9, rf"found {len(content) + 1} bytes, expected at most {len(content)}")
        self.serve_file(tag, content, size=len(content) - 1)
        self.update_fails(9, "found an answer of more than")
        self.serve_file(tag, content, size=-1)
        self.update_fails(4, "layer size: found a negative one")
        self.serve_file(tag, content, digest="sha256:../../etc/passwd")
        self.update_fails(4, "layer digest")
        self.serve_file(tag, content)
        self.pages[f"{self.path}/blobs/sha256:{tag}"] = other
        self.update_fails(5, rf"found the digest {digest(other)}, expected sha256:{tag}")
        self.pages[f"{self.path}/blobs/sha256:{tag}"] = content
        for manifest, code, pattern in [
                (b"{}", 7, "expected a file of a channel"),
                (self.pages["/v2/tester/manifests/1"], 7, "vnd.llmpatch.patch.v1"),
                (json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
                             "artifactType": "application/vnd.llmpatch.channel.v1"}).encode(), 4,
                 "layers: found 0, expected one")]:
            self.pages[f"{self.path}/manifests/{tag}"] = manifest
            self.update_fails(code, pattern)
        del self.pages[f"{self.path}/manifests/{tag}"]
        self.update_fails(3, r"found no targets/")
        self.serve_file(tag, content)
        self.update()

    def test_a_registry_without_an_end(self):
        self.follow()
        honest = (self.site / "timestamp.json").read_bytes()
        self.serve_file("timestamp.json", honest, size=10**13)
        self.update_fails(9, "found 10000000000000 bytes, expected at most 16384")
        sent = []

        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            while True:
                handler.wfile.write(b"x" * 65536)
                sent.append(65536)

        self.serve_file("timestamp.json", honest)
        self.pages[f"{self.path}/blobs/{digest(honest)}"] = endless
        self.update_fails(9, f"found an answer of more than {len(honest)} bytes")
        self.pages[f"{self.path}/manifests/timestamp.json"] = endless
        self.update_fails(9, "found an answer of more than 4194304 bytes")
        self.assertLess(sum(sent), 64 << 20)

    def test_what_is_there_is_not_taken_back(self):
        self.follow()
        self.publish()
        self.push()
        newer = (self.site / "timestamp.json").read_bytes()
        self.serve_file("timestamp.json", self.sign(
            {**json.loads(newer)["signed"], "version": 9}, "online"))
        self.fails(12, r"found version 9 in the registry, expected at most version 2",
                   *self.push_arguments())
        self.serve_file("timestamp.json", b"garbage")
        self.assertEqual(self.push(), ["timestamp.json"])
        self.update()
        self.assertIn("up to date", self.update().stderr)

    def test_another_channel_has_a_repository_of_its_own(self):
        self.follow()
        self.site.rename(self.dir / "first")
        self.init()
        self.publish()
        self.fails(11, r"tag 1\.targets\.json: found something else there", *self.push_arguments())

    def test_mistakes(self):
        self.fails(3, r"found no timestamp\.json", *self.push_arguments())
        self.publish_release("1.1.0", 2)
        self.fails(2, r"found a tag or digest, expected the repository alone", "channel", "push",
                   "site", self.place + ":latest", "--plain-http")
        self.fails(2, r"found a tag or digest", "channel", "subscribe", self.place + ":latest",
                   "--root", "pinned.json", "--store", "store")
        [archive] = self.targets()
        (self.site / "targets" / archive).write_bytes(b"other")
        self.fails(4, r"found sha256 \w+, expected that in its name", *self.push_arguments())
        self.assertFalse([path for path in self.pages if "manifests/timestamp" in path])


if __name__ == "__main__":
    main()
