"""Every vector of testdata/vectors/oci/ through every command that fetches a patch from a registry."""

import json
import tarfile

from program import OPERATOR, SOURCE, ProgramTest, main
from registries import FakeRegistry, digest

FOLDER = SOURCE / "testdata/vectors"
CODES = {"valid": 0, "corrupt": 4, "untrusted": 5, "mismatch": 7, "limit": 9}


class Vectors(ProgramTest):
    program = OPERATOR

    def setUp(self):
        super().setUp()
        self.registry = FakeRegistry().stop_after(self)
        with tarfile.open(FOLDER / "good.llmpatch") as archive:
            self.files = {each.name: archive.extractfile(each).read() for each in archive}
        self.entries = json.loads((FOLDER / "oci/vectors.json").read_text())
        self.assertEqual({entry["expect"] for entry in self.entries}, set(CODES))

    def serve(self, name):
        """Answers as the vector says; returns the reference."""
        vector = json.loads((FOLDER / f"oci/{name}.json").read_text())
        wanted = vector.get("pinned", "1")
        pages = {digest(content): content for content in self.files.values()}
        pages.update((key, text.encode()) for key, text in vector.get("blobs", {}).items())
        self.registry.pages = {f"/v2/refuse/blobs/{key}": content for key, content in pages.items()}
        self.registry.pages[f"/v2/refuse/manifests/{wanted}"] = vector["manifest"].encode()
        self.registry.asked.clear()
        between = "@" if wanted.startswith("sha256:") else ":"
        return f"{self.registry.host}/refuse{between}{wanted}"

    def judged(self, entry, *args):
        code = CODES[entry["expect"]]
        if code == 0:
            self.run_ok(*args)
            return
        outcome = self.fails(code, r".", *args)
        self.assertIn(entry["says"], outcome.stderr)
        blobs = [path for _, path, _ in self.registry.asked if "/blobs/" in path]
        # What a manifest shows is refused before any of its layers is asked for.
        self.assertEqual(bool(blobs), entry["refused"] in ("layer", "patch"))

    def trust(self):
        return ["--key", FOLDER / "maker.pub", "--plain-http"]

    def test_pull(self):
        for entry in self.entries:
            with self.subTest(entry["name"]):
                output = self.dir / entry["name"]
                self.judged(entry, "pull", self.serve(entry["name"]), "-o", output, *self.trust())
                self.assertEqual(output.exists(), entry["expect"] == "valid")
                if output.exists():
                    found = {path.name: path.read_bytes() for path in output.iterdir()}
                    self.assertEqual(found, self.files)

    def test_install(self):
        (self.dir / "store").mkdir(mode=0o700)
        self.run_ok("install", FOLDER / "good.llmpatch", "--store", "store", "--key",
                    FOLDER / "maker.pub")
        self.run_ok("remove", "refuse@1.2.3", "--store", "store")
        for entry in self.entries:
            with self.subTest(entry["name"]):
                reference = self.serve(entry["name"])
                self.judged(entry, "install", f"oci://{reference}", "--store", "store",
                            *self.trust())
                patches = json.loads(self.run_ok("list", "--store", "store", "--json").stdout)
                self.assertEqual(len(patches["patches"]), entry["expect"] == "valid")
                self.assertEqual(len(list((self.dir / "store/blobs").iterdir())),
                                 len(self.files) if patches["patches"] else 0)
                if patches["patches"]:
                    self.run_ok("remove", "refuse@1.2.3", "--store", "store")

    def listing(self):
        """The files beside the store: that has a look of its own."""
        return {path: kind for path, kind in super().listing().items()
                if path.split("/")[0] != "store"}


if __name__ == "__main__":
    main()
