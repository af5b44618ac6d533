"""What the tests of update channels share: a vendor who publishes, and a server that can be told to
misbehave."""

import hashlib
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from stores import StoreTest


class Site(ThreadingHTTPServer):
    """Serves the files of a folder; self.pages has functions(handler) for paths that are to be
    answered otherwise."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), SiteHandler)
        self.folder, self.pages, self.asked = folder, {}, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/site"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01},
                         daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that leaves


class SiteHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        name = self.path.removeprefix("/site/")
        self.server.asked.append(name)
        if name in self.server.pages:
            self.server.pages[name](self)
        elif (self.server.folder / name).is_file():
            self.answer(200, (self.server.folder / name).read_bytes())
        else:
            self.answer(404)


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
        site = Site(self.site)
        self.addCleanup(site.server_close)
        self.addCleanup(site.shutdown)
        return site

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
