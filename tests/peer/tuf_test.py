"""python-tuf's client takes what llmpatch publishes, and llmpatch updates from what python-tuf makes.

Run by CTest (label `peer`); python-tuf's Python is scripts/peer-venv's.
"""

import json
import shutil
import subprocess
from pathlib import Path

from channels import ChannelTest
from peers import peer_python
from program import SOURCE, main

PYTHON = peer_python("tuf")
PEER = Path(__file__).with_name("tuf_peer.py")


class Tuf(ChannelTest):
    def peer(self, *args):
        return subprocess.run([PYTHON, "-B", PEER, *map(str, args)], cwd=self.dir, timeout=120,
                              capture_output=True, encoding="utf-8")

    def peer_ok(self, *args):
        done = self.peer(*args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def client(self, version):
        return ["client", self.site, self.pinned, self.dir / "state", f"tester-{version}.llmpatch"]

    def client_takes(self, version):
        custom = json.loads(self.peer_ok(*self.client(version)))
        self.assertEqual((custom["name"], custom["version"]), ("tester", version))
        name = f"tester-{version}.llmpatch"
        [target] = (self.site / "targets").glob(f"*.{name}")
        self.assertEqual((self.dir / "state/targets" / name).read_bytes(), target.read_bytes())
        return custom

    def client_refuses(self, version, error):
        done = self.peer(*self.client(version))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(error, done.stderr)

    def test_its_client_takes_our_channel(self):
        self.publish_release("1.0.0", 1)
        old = shutil.copytree(self.site, self.dir / "old")
        self.assertFalse(self.client_takes("1.0.0")["revoked"])
        self.publish_release("1.1.0", 2, expires="2040-01-01T00:00:00Z")
        self.assertEqual(self.client_takes("1.1.0")["expires"], "2040-01-01T00:00:00Z")
        self.revoke("1.1.0")
        self.assertTrue(self.client_takes("1.1.0")["revoked"])
        self.run_ok("channel", "refresh", "site", "--key", "online.key")
        self.client_takes("1.0.0")
        self.client_refuses("1.2.0", "no target tester-1.2.0.llmpatch")
        # What it had before is refused, as by ours.
        self.site.rename(self.dir / "new")
        old.rename(self.site)
        self.client_refuses("1.0.0", "BadVersionNumberError")

    def test_its_client_goes_on_by_our_roots(self):
        self.publish_release("1.0.0", 1)
        self.client_takes("1.0.0")
        for name in ("root-2", "targets-2", "online-2"):
            self.run_ok("keygen", "-o", name)
        self.run_ok("channel", "rotate", "site", "--root", "root-2.pub", "--root", "root.pub",
                    "--root-threshold", "2", "--targets", "targets-2.pub", "--snapshot",
                    "targets-2.pub", "--timestamp", "online-2.pub", "--key", "root.key", "--key",
                    "root-2.key")
        self.client_refuses("1.0.0", "UnsignedMetadataError")
        self.run_ok("channel", "publish", "site", "--key", "targets-2.key", "--key",
                    "online-2.key")
        self.client_takes("1.0.0")
        self.run_ok("channel", "rotate", "site", "--key", "root.key", "--key", "root-2.key")
        self.client_takes("1.0.0")

    def test_its_client_takes_signatures_of_several_machines(self):
        self.run_ok("keygen", "-o", "second")
        shutil.rmtree(self.site)
        self.run_ok("channel", "init", "site", "--root", "root.pub", "--root", "second.pub",
                    "--root-threshold", "2", "--targets", "targets.pub", "--targets", "second.pub",
                    "--targets-threshold", "2", "--timestamp", "online.pub", "--key", "root.key",
                    "--collect")
        self.run_ok("channel", "sign", "site", "--key", "second.key")
        self.pinned.write_bytes((self.site / "1.root.json").read_bytes())
        self.run_ok("channel", "add", "site", self.release("1.0.0", 1), "--key", "vendor.pub")
        self.run_ok("channel", "publish", "site", "--key", "targets.key", "--collect")
        self.run_ok("channel", "sign", "site", "--key", "second.key")
        self.publish()
        self.client_takes("1.0.0")

    def offers(self, *patches, **more):
        """Writes offers.json: these patch directories, as llmpatch would say them."""
        files = {}
        for path in patches:
            archive = self.dir / f"{path.name}.llmpatch"
            self.run_ok("pack", path, "-o", archive, "--force")
            manifest = json.loads((path / "manifest.json").read_text())
            report = json.loads(self.run_ok("verify", path, "--key", "vendor.pub", "--json").stdout)
            custom = {"name": manifest["name"], "version": manifest["version"],
                      "sequence": manifest["sequence"], "digest": report["root_digest"],
                      "base": manifest["base"]["file"],
                      "revoked": manifest["version"] in more.get("revoked", [])}
            if "expires" in manifest:
                custom["expires"] = manifest["expires"]
            files[archive.name] = [str(archive), custom]
        self.write("offers.json", json.dumps({"files": files, "keys": str(self.dir / "peer-keys"),
                                              **more}))
        self.peer_ok("make", self.dir / "theirs", "offers.json")

    def test_we_update_from_its_repository(self):
        one, two = self.release("1.0.0", 1), self.release("1.1.0", 2)
        self.offers(one, version=1)
        shutil.copytree(self.dir / "theirs", self.dir / "first")
        self.pinned.write_bytes((self.dir / "theirs/1.root.json").read_bytes())
        self.subscribe("theirs")
        self.update()
        self.assertEqual(self.active(), ["tester@1.0.0"])
        self.offers(one, two, version=2)
        self.update()
        self.assertEqual(self.active(), ["tester@1.1.0"])
        # The next root, of two keys of two kinds, takes another key for the timestamp.
        self.offers(one, two, version=3, roll=True, revoked=["1.1.0"])
        self.update()
        self.assertEqual(self.active(), ["tester@1.0.0"])
        for name in ("timestamp.json", "1.snapshot.json"):
            (self.dir / "theirs" / name).write_bytes((self.dir / "first" / name).read_bytes())
        self.fails(5, r"timestamp\.json: found valid signatures by 0 keys",
                   *self.update_arguments())


    def test_it_judges_the_vectors_as_we_do(self):
        folder = SOURCE / "testdata/vectors/tuf"
        refused = set(json.loads(self.peer_ok("vectors", folder, self.dir / "state")))
        entries = json.loads((folder / "vectors.json").read_text())
        ours = {entry["name"] for entry in entries if entry["expect"] != "valid"}
        # TUF knows neither who signed a patch nor what is in it, and counts ids of keys, not keys.
        self.assertEqual(ours - refused, {"stranger-signs-patch", "another-release-under-the-name",
                                          "one-targets-key-under-two-ids"})
        self.assertEqual(refused - ours, set())


if __name__ == "__main__":
    main()
