"""What the tests of running a server share: one in the test's folder, files of keys, waiting."""

import hashlib
import json
import time

from program import ProgramTest
from servers import Server

ADMIN = "an-admin-key-of-32-characters-00"


def until(condition, seconds=60):
    """Waits for what must come; gives it."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.05)


class Operation(ProgramTest):
    def serve(self, *args):
        server = Server(self.dir, *args)
        self.addCleanup(server.stop)
        return server

    def key_file(self, **keys):
        """A file of keys: name=dict of what the key may, its text is key-NAME."""
        entries = [{"name": name, "sha256": hashlib.sha256(f"key-{name}".encode()).hexdigest(), **may}
                   for name, may in keys.items()]
        return self.write("keys.json", json.dumps({"keys": entries}))

    def admin_file(self):
        path = self.write("admin.key", ADMIN + "\n")
        path.chmod(0o600)
        return path
