"""Every vector of testdata/vectors/tuf/ through every way in that an update channel has: a folder, a
server of static files, a registry, and a mirror behind another one."""

import json
import shutil

from channels import Site
from program import OPERATOR, SOURCE, ProgramTest, main
from registries import MANIFEST, FakeRegistry, digest

FOLDER = SOURCE / "testdata/vectors/tuf"
CODES = {"valid": 0, "not found": 3, "untrusted": 5, "limit": 9}


def as_bytes(content):
    """A file of a vector: its text, or an archive of the folder, cut or filled up."""
    if isinstance(content, str):
        return content.encode()
    archive, length = (FOLDER / content["archive"]).read_bytes(), content["length"]
    return archive[:length].ljust(length, b"\0")


class Vector:
    def __init__(self, entry):
        self.name, self.row, self.active = entry["name"], entry["row"], entry["active"]
        self.code, self.says = CODES[entry["expect"]], entry.get("says", "")
        content = json.loads((FOLDER / f"{self.name}.json").read_text())
        self.root = content["root"]
        self.before, self.now = [
            {name: as_bytes(each) for name, each in content[state].items() if each is not None}
            for state in ("before", "now")]


class Folder:
    """The channel as a folder. `take` makes it what a vector has."""

    said_where_it_is_read = True  # how a file that is too long is refused

    def __init__(self, test, name):
        self.place = self.folder = test.dir / name

    def take(self, files):
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "targets").mkdir(parents=True)
        for name, content in files.items():
            (self.folder / name).write_bytes(content)


class Server(Folder):
    said_where_it_is_read = False

    def __init__(self, test, name):
        super().__init__(test, name)
        self.place = Site(self.folder).stop_after(test).url


class Registry:
    """Each file is an artifact of one layer, as `channel push` has it."""

    said_where_it_is_read = True

    def __init__(self, test, name):
        self.registry = FakeRegistry().stop_after(test)
        self.place = f"oci://{self.registry.host}/channel"

    def take(self, files):
        pages = {}
        for name, content in files.items():
            tag = name.removeprefix("targets/")
            tag = tag[:64] if tag != name else name
            layer = {"mediaType": "application/json", "digest": digest(content), "size": len(content)}
            pages[f"/v2/channel/blobs/{digest(content)}"] = content
            pages[f"/v2/channel/manifests/{tag}"] = json.dumps(
                {"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer],
                 "artifactType": "application/vnd.llmpatch.channel.v1"}).encode()
        self.registry.pages = pages


class Vectors(ProgramTest):
    program = OPERATOR

    def setUp(self):
        super().setUp()
        self.vectors = [Vector(entry)
                        for entry in json.loads((FOLDER / "vectors.json").read_text())]
        self.assertEqual({vector.code for vector in self.vectors}, set(CODES.values()))

    def listing(self):
        """The files beside stores and channels: those have looks of their own."""
        return {path: kind for path, kind in super().listing().items() if "/" not in path}

    def update(self, store, *more):
        return ["update", "--store", store, "--key", FOLDER / "vendor.pub", "--plain-http", *more]

    def judged(self, vector, channel, says=None, code=None, mirrors=()):
        """Follows the channel from its pinned root over what it gave out before to what it does now."""
        code = vector.code if code is None else code
        store = self.dir / f"{vector.name}-store"
        shutil.rmtree(store, ignore_errors=True)
        self.write("pinned.json", vector.root)
        self.run_ok("channel", "subscribe", channel.place, "--root", "pinned.json", "--store", store,
                    *[part for mirror in mirrors for part in ("--mirror", mirror.place)])
        if vector.before:
            channel.take(vector.before)
            self.run_ok(*self.update(store))
        channel.take(vector.now)
        if code == 0:
            self.run_ok(*self.update(store))
        else:
            outcome = self.fails(code, r".", *self.update(store))
            self.assertIn(vector.says if says is None else says, outcome.stderr)
        patches = json.loads(self.run_ok("list", "--store", store, "--json").stdout)["patches"]
        return [each["version"] for each in patches if each["active"]]

    def through(self, kind):
        for vector in self.vectors:
            with self.subTest(vector.name):
                channel = kind(self, vector.name)
                # Each way in has its own words for a file that is too long.
                says = "" if vector.code == 9 and not kind.said_where_it_is_read else None
                active = self.judged(vector, channel, says)
                self.assertEqual(active, [vector.active] if vector.active else [])

    def test_from_a_folder(self):
        self.through(Folder)

    def test_from_a_server(self):
        self.through(Server)

    def test_from_a_registry(self):
        self.through(Registry)

    def test_a_mirror_that_fails_costs_nothing(self):
        good = next(vector for vector in self.vectors if vector.name == "good")
        mirror = Folder(self, "mirror")
        mirror.take(good.now)
        tried = [vector for vector in self.vectors if vector.row == "malicious mirrors"]
        self.assertGreaterEqual(len(tried), 5)
        for vector in tried:
            with self.subTest(vector.name):
                active = self.judged(vector, Folder(self, vector.name), code=0, mirrors=[mirror])
                self.assertEqual(active, [good.active])


if __name__ == "__main__":
    main()
