"""What the tests of the store share: signed releases of a patch, and a look into a store that does
not ask llmpatch."""

import hashlib
import json
import shutil
import sqlite3

from program import OPERATOR, ProgramTest


class StoreTest(ProgramTest):
    """A test with a key pair, vendor.key and vendor.pub, and a store, store, not made yet."""

    program = OPERATOR

    def setUp(self):
        super().setUp()
        self.run_ok("keygen", "-o", "vendor")

    def release(self, version="1.0.0", sequence=1, name="tester", sign=True, **manifest):
        """The directory of a patch of its own, signed unless `sign` says otherwise."""
        made = self.make_patch("made")
        path = self.dir / f"{name}-{version}"
        made.rename(path)
        content = json.loads((path / "manifest.json").read_text())
        content.update(name=name, version=version, sequence=sequence, **manifest)
        (path / "manifest.json").write_text(json.dumps(content))
        if sign:
            self.run_ok("sign", path, "--key", "vendor.key")
        return path

    def store(self, command, *args):
        """The arguments of a command on the store."""
        return [command, *args, "--store", "store"]

    def install(self, patch, *args):
        return self.store("install", patch, "--key", "vendor.pub", *args)

    def listing(self):
        """The files around the store: what is in it has a look of its own."""
        return {path: kind for path, kind in super().listing().items()
                if path.split("/")[0] != "store"}

    def state(self, store="store"):
        """What list says: {(name, version): (digest, active)}."""
        report = json.loads(self.run_ok("list", "--store", store, "--json").stdout)
        return {(each["name"], each["version"]): (each["digest"], each["active"])
                for each in report["patches"]}

    def active(self):
        return sorted(f"{name}@{version}" for (name, version), (_, active) in self.state().items()
                      if active)

    def check_store(self, store="store"):
        """Everything the database refers to is there, byte for byte. Returns the history."""
        with sqlite3.connect(self.dir / store / "store.db") as database:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertEqual(database.execute("PRAGMA foreign_key_check").fetchall(), [])
            files = database.execute("SELECT sha256, size FROM files").fetchall()
            incomplete = database.execute("SELECT count(*) FROM patches WHERE id NOT IN"
                                          " (SELECT patch FROM files WHERE file = 'manifest.json')")
            self.assertEqual(incomplete.fetchone(), (0,))
            history = database.execute("SELECT * FROM history ORDER BY id").fetchall()
        database.close()
        for digest, size in files:
            content = (self.dir / store / "blobs" / digest).read_bytes()
            self.assertEqual((len(content), hashlib.sha256(content).hexdigest()), (size, digest))
        self.referred = {digest for digest, _ in files}
        return history

    def check_no_rubbish(self, store="store"):
        """The store has the files it refers to and no others."""
        self.check_store(store)
        found = {path.name for path in (self.dir / store / "blobs").iterdir()}
        self.assertEqual(found, self.referred)
        self.assertEqual({path.name for path in (self.dir / store).iterdir()},
                         {"blobs", "lock", "store.db"})

    def copy_store(self, target):
        shutil.rmtree(self.dir / target, ignore_errors=True)
        if (self.dir / "store").exists():
            shutil.copytree(self.dir / "store", self.dir / target)
