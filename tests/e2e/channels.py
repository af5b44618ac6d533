"""What the tests of update channels share: a vendor who publishes, and a server that can be told to
misbehave."""

import hashlib
import json
import subprocess

from table_server import TableServer
from stores import StoreTest


class Site(TableServer):
    """Serves the files of a folder below /site; self.pages has names of those that are to be answered
    otherwise."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.url = folder, f"http://{self.host}/site"

    def page(self, command, path):
        name = path.removeprefix("/site/")
        if name in self.pages:
            return self.pages[name]
        return (self.folder / name).read_bytes() if (self.folder / name).is_file() else None


class ChannelTest(StoreTest):
    """A test with a channel in the folder site: keys root, targets and online (.key, .pub)."""

    def setUp(self):
        super().setUp()
        for name in ("root", "targets", "online"):
            self.run_ok("keygen", "-o", name)
        self.site = self.dir / "site"
        self.init()
        self.pinned = self.dir / "pinned.json"
        self.pinned.write_bytes((self.site / "1.root.json").read_bytes())

    def init(self):
        self.run_ok("channel", "init", "site", "--root", "root.pub", "--targets", "targets.pub",
                    "--timestamp", "online.pub", "--key", "root.key")

    def publish(self, *more):
        return self.run_ok("channel", "publish", "site", "--key", "targets.key", "--key",
                           "online.key", *more)

    def publish_release(self, version="1.0.0", sequence=1, **manifest):
        path = self.release(version, sequence, **manifest)
        self.run_ok("channel", "add", "site", path, "--key", "vendor.pub")
        self.publish()
        return path

    def revoke(self, version, name="tester"):
        self.run_ok("channel", "revoke", "site", f"{name}@{version}")
        self.publish()

    def subscribe(self, place="site", *more):
        self.run_ok("channel", "subscribe", place, "--root", "pinned.json", "--store", "store",
                    *more)

    def update_arguments(self, *more):
        return ["update", "--store", "store", "--key", "vendor.pub", *more]

    def update(self, *more):
        return self.run_ok(*self.update_arguments(*more))

    def start_site(self):
        return Site(self.site).stop_after(self)

    def served(self, name):
        return json.loads((self.site / name).read_text())

    def sign(self, body, *keys):
        """The file of `body`, signed by openssl alone. No string of it has a control character, so
        that JSON without space is its canonical form."""
        message = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        signatures = []
        for key in keys:
            made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", f"{key}.key"],
                                  cwd=self.dir, input=message.encode(), check=True,
                                  capture_output=True)
            signatures.append({"keyid": self.key_id(key), "sig": made.stdout.hex()})
        return json.dumps({"signed": body, "signatures": signatures}).encode()

    def key_id(self, key):
        pem = (self.dir / f"{key}.pub").read_text()
        canonical = ('{"keytype":"ecdsa","keyval":{"public":"%s"},"scheme":"ecdsa-sha2-nistp256"}'
                     % pem)
        return hashlib.sha256(canonical.encode()).hexdigest()
