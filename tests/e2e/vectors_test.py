"""Every vector of testdata/vectors/ through every command that reads a patch: each judges it as
vectors.json says, or by its form alone where it does not look at signatures. Those of channels and
registries have tests of their own; that no row of the tables of attacks lacks one is looked at here."""

import hashlib
import json
import re
import tarfile
import unittest

from program import MODEL, OPERATOR, SOURCE, VERIFY_ONLY, main
from registries import RegistryTest

FOLDER = SOURCE / "testdata/vectors"
CODES = {"valid": 0, "untrusted": 5, "unverifiable": 6, "corrupt": 4}
NAMES = {"README.md", "adapter_config.json", "adapter_model.safetensors", "eval.json", "manifest.json",
         "model.sig"}


def has_the_form_of_a_patch(files):
    """What docs/format.md asks of the files, as far as vectors offend against it."""
    if not set(files) <= NAMES:
        return False
    try:
        listed = json.loads(files["manifest.json"])["files"]
    except ValueError:
        return False
    found = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()
             if name not in ("manifest.json", "model.sig")}
    return found == listed


class Rows(unittest.TestCase):
    """The tables of attacks in docs/, README.md of the vectors, their indexes, files and tests agree."""

    def cells(self, path, *headings):
        """The rows of the table under the last of these lines, each a list of cells."""
        lines = (SOURCE / path).read_text().splitlines()
        for heading in headings:
            self.assertIn(heading, lines, path)
            lines = lines[lines.index(heading) + 1:]
        end = next((i for i, line in enumerate(lines) if not line.startswith("|")), len(lines))
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:end]]

    def check(self, kind, section, page, heading):
        documented = [cells[0].split(":")[0] for cells in self.cells(page, heading)]
        self.assertGreaterEqual(len(documented), 10)
        table = self.cells("testdata/vectors/README.md", section, "| row | vectors | tests |")
        self.assertEqual([row for row, _, _ in table], documented)
        entries = json.loads((FOLDER / kind / "vectors.json").read_text())
        honest = {entry["name"] for entry in entries if entry["row"] == ""}
        listed = set()
        for row, vectors, tests in table:
            vectors, tests = [re.findall(r"`([^`]+)`", each) for each in (vectors, tests)]
            self.assertTrue(vectors or tests, f"{row}: neither a vector nor a test")
            self.assertEqual(vectors, [each["name"] for each in entries if each["row"] == row], row)
            listed.update(vectors)
            for each in tests:
                path, name = each.split(": ")
                self.assertRegex((SOURCE / path).read_text(),
                                 rf"(def |TEST(_F)?\(\w+, ){name}\(?\b", row)
        self.assertEqual(listed | honest, {entry["name"] for entry in entries})
        files = {path.stem for path in (FOLDER / kind).glob("*.json")} - {"vectors"}
        self.assertEqual(files, listed | honest)
        self.assertEqual({entry["name"] for entry in entries if entry["expect"] == "valid"} & honest,
                         honest)

    def test_attacks_on_channels(self):
        self.check("tuf", "## Update channels", "docs/channel.md", "| attack | what stops it |")

    def test_registries_that_lie(self):
        self.check("oci", "## Registries", "docs/registry.md",
                   "| the registry | what happens | exit code |")


class Vector:
    def __init__(self, entry):
        self.path = FOLDER / entry["file"]
        self.name = self.path.stem
        self.code = CODES[entry["expect"]]
        self.trust = [part for key in entry["keys"] for part in ("--key", FOLDER / key)]
        self.trust += [part for root in entry["roots"]
                       for part in ("--certificate-chain", FOLDER / root)]
        with tarfile.open(self.path) as archive:
            self.files = {each.name: archive.extractfile(each).read() for each in archive}
        self.form = 0 if has_the_form_of_a_patch(self.files) else 4


class Vectors(RegistryTest):
    program = OPERATOR

    def setUp(self):
        super().setUp()
        entries = json.loads((FOLDER / "vectors.json").read_text())
        self.vectors = [Vector(entry) for entry in entries]
        self.assertGreaterEqual(len(self.vectors), 40)
        # There are some of each kind.
        self.assertEqual({vector.code for vector in self.vectors}, set(CODES.values()))
        self.assertGreater(sum(vector.form == 0 for vector in self.vectors), 30)
        self.assertGreater(sum(vector.form == 4 for vector in self.vectors), 5)

    def ends(self, code, *args):
        """Runs llmpatch, which must end so; on a failure as `fails` has it."""
        if code == 0:
            return self.run_ok(*args)
        return self.fails(code, r".", *args)

    def test_verify_and_inspect(self):
        for vector in self.vectors:
            with self.subTest(vector.name):
                self.ends(vector.code, "verify", vector.path, *vector.trust)
                self.ends(vector.code if vector.trust else vector.form, "inspect", vector.path,
                          *vector.trust)
                self.ends(vector.form, "inspect", vector.path)

    def test_commands_that_run_patches(self):
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])
        for vector in self.vectors:
            with self.subTest(vector.name):
                # One that is valid was made for another model.
                self.ends(vector.code or 7, "generate", "--model", MODEL, "--prompts", "p.jsonl", "-o",
                          "out.jsonl", "--patch", vector.path, *vector.trust)

    def test_install_and_what_it_stored(self):
        for vector in self.vectors:
            with self.subTest(vector.name):
                store = ["--store", f"store/{vector.name}"]
                (self.dir / "store").mkdir(mode=0o700, exist_ok=True)
                self.ends(vector.code, "install", vector.path, *vector.trust, *store)
                if not (self.dir / f"store/{vector.name}").exists():
                    self.assertEqual(vector.code, 6)  # a key of no known kind: nothing was begun
                    continue
                installed = self.state(f"store/{vector.name}")
                self.assertEqual(len(installed), 0 if vector.code else 1)
                self.check_no_rubbish(f"store/{vector.name}")
                kept = {hashlib.sha256(content).hexdigest() for content in vector.files.values()}
                self.assertEqual(self.referred, set() if vector.code else kept)
                for name, version in installed:
                    self.run_ok("verify", f"{name}@{version}", *vector.trust, *store)

    def test_unpack_and_pack(self):
        self.program = VERIFY_ONLY
        for vector in self.vectors:
            with self.subTest(vector.name):
                self.ends(vector.form, "unpack", vector.path, "-o", vector.name)
                if vector.form:
                    continue
                found = {path.name: path.read_bytes() for path in (self.dir / vector.name).iterdir()}
                self.assertEqual(found, vector.files)
                again = f"{vector.name}.llmpatch"
                self.run_ok("pack", vector.name, "-o", again)
                for path in (vector.name, again):
                    self.ends(vector.code, "verify", path, *vector.trust)

    def test_push_and_pull(self):
        pages = self.keep_uploads()
        for number, vector in enumerate(self.vectors):
            with self.subTest(vector.name):
                reference = f"{self.registry.host}/pushed/v{number}:1"
                self.ends(vector.form, "push", vector.path, reference, "--plain-http")
                there = f"/v2/pushed/v{number}/manifests/1"
                self.assertEqual(there in dict(pages), vector.form == 0)
                if vector.form == 0:
                    layers = json.loads(pages[there])["layers"]
                    self.assertEqual(
                        {layer["annotations"]["org.opencontainers.image.title"]:
                         pages[f"/v2/pushed/v{number}/blobs/{layer['digest']}"] for layer in layers},
                        vector.files)
                    self.pulls(vector.code, vector, reference)

    def test_pull_of_whatever_is_there(self):
        for vector in self.vectors:
            with self.subTest(vector.name):
                self.contents = vector.files
                self.serve()
                # Names that no patch has are refused before anything is downloaded.
                code = vector.code if set(vector.files) <= NAMES else 4
                self.pulls(code, vector, f"{self.registry.host}/tester:1")

    def pulls(self, code, vector, reference):
        """Pulls and installs it from there."""
        output = f"{vector.name}-back"
        self.ends(code, "pull", reference, "-o", output, "--plain-http", *vector.trust)
        if code == 0:
            found = {path.name: path.read_bytes() for path in (self.dir / output).iterdir()}
            self.assertEqual(found, vector.files)
        self.ends(code, "install", f"oci://{reference}", "--plain-http", "--store",
                  "store", *vector.trust)


if __name__ == "__main__":
    main()
