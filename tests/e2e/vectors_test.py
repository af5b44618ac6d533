"""Every vector of signatures through every command that reads a patch: each judges it as vectors.json
says, or by its form alone where it does not look at signatures. Commands that load patches by the same
lines as another one, or take long to start, see one vector of each kind of failure. The vectors of
channels, registries and files have tests of their own; that no row of the tables of attacks and rules
lacks one is looked at here."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

from program import MODEL, OPERATOR, PROGRAM, SOURCE, VERIFY_ONLY, main
from registries import RegistryTest

FOLDER = SOURCE / "testdata/vectors"
TINY = FOLDER / "files/models/good.gguf"
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

    def check(self, kind, section, page, *headings, least=10, files="*.json", cut=":"):
        """A row is called by its first cell, up to `cut`."""
        documented = [cells[0].split(cut)[0] for cells in self.cells(page, *headings)]
        self.assertGreaterEqual(len(documented), least)
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
        found = {path.stem for path in (FOLDER / kind).glob(files)} - {"vectors"}
        self.assertEqual(found, listed | honest)
        self.assertEqual({entry["name"] for entry in entries if entry["expect"] == "valid"} & honest,
                         honest)

    def test_attacks_on_channels(self):
        self.check("tuf", "## Update channels", "docs/channel.md", "| attack | what stops it |")

    def test_registries_that_lie(self):
        self.check("oci", "## Registries", "docs/registry.md",
                   "| the registry | what happens | exit code |")

    def test_rules_of_files(self):
        rules = "| rule | in short | against |"
        for folder, section, heading, files, least in [
                ("rows", "The rows", "adapter_model.safetensors, line by line", "*.safetensors", 10),
                ("archives", "The archive", "The archive, entry by entry", "*.llmpatch", 7),
                ("json", "The JSON files", "The JSON files, member by member", "*.json", 6),
                ("signatures", "Words and base64 of signatures", "The words and the base64 of a signature",
                 "*.llmpatch", 2),
                ("models", "Models and adapters", "Model and adapter files (GGUF)", "*.gguf", 10)]:
            with self.subTest(folder):
                self.check(f"files/{folder}", f"### {section}: `files/{folder}/`", "docs/format.md",
                           f"### {heading}", rules, least=least, files=files, cut="|")

    def test_files_can_be_made_again_byte_for_byte(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-B", FOLDER / "make_files.py", folder], check=True,
                           capture_output=True, timeout=60)
            made, kept = [{path.relative_to(top): path.read_bytes() for path in Path(top).rglob("*")
                           if path.is_file()} for top in (folder, FOLDER / "files")]
        self.assertEqual(made.keys(), kept.keys())
        self.assertEqual([name for name in made if made[name] != kept[name]], [])



class Vector:
    def __init__(self, folder, entry):
        self.path = folder / entry["file"]
        # There are two that are called good.
        self.name = self.path.stem if folder == FOLDER else f"file-{self.path.stem}"
        self.code, self.says = CODES[entry["expect"]], entry.get("says", "")
        self.trust = [part for key in entry["keys"] for part in ("--key", folder / key)]
        self.trust += [part for root in entry["roots"]
                       for part in ("--certificate-chain", folder / root)]
        with tarfile.open(self.path) as archive:
            self.files = {each.name: archive.extractfile(each).read() for each in archive}
        self.form = 0 if has_the_form_of_a_patch(self.files) else 4


class Vectors(RegistryTest):
    program = OPERATOR

    def setUp(self):
        super().setUp()
        self.vectors = [Vector(folder, entry) for folder in (FOLDER, FOLDER / "files/signatures")
                        for entry in json.loads((folder / "vectors.json").read_text())]
        self.assertGreaterEqual(len(self.vectors), 60)
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
                outcome = self.ends(vector.code, "verify", vector.path, *vector.trust)
                self.assertIn(vector.says, outcome.stderr)
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

    def of_each_kind(self):
        """A vector of each class of failure, and one that is right."""
        kinds = {}
        for vector in self.vectors:
            kinds.setdefault(vector.code, vector)
        return kinds.values()

    def test_commands_that_talk_or_serve(self):
        for vector in self.vectors:
            with self.subTest(vector.name):
                for command in (["chat"], ["serve", "--port", 0]):
                    self.ends(vector.code or 7, *command, "--model", TINY, "--patch", vector.path,
                              *vector.trust)

    def test_commands_that_measure(self):
        """They load patches as `generate` and `chat` do."""
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])
        self.write("suite.json", json.dumps({"name": "suite", "prompts": "p.jsonl",
                                             "expect": "answer"}))
        for vector in self.of_each_kind():
            with self.subTest(vector.name):
                patch = ["--model", TINY, "--patch", vector.path, *vector.trust]
                self.ends(vector.code or 7, "eval", "--suite", "suite.json", "-o", "out", *patch)
                self.ends(vector.code or 7, "diff", "--prompts", "p.jsonl", *patch)
                # Two of the same name are the second thing that is wrong with one that is right.
                self.ends(vector.code or 2, "compose", vector.path, vector.path, "--model", TINY,
                          "--suite", "suite.json", "--metric", "refuse=suite:refused", "-o", "out",
                          *vector.trust)

    def test_commands_that_learn(self):
        """Loading LibTorch takes the time of twenty other runs."""
        self.program = PROGRAM
        if "LibTorch not built in" in self.run_ok("--version").stdout:
            self.skipTest("this program was built without learning")
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])
        for vector in self.of_each_kind():
            with self.subTest(vector.name):
                code = vector.code or 7
                if code in (5, 7):
                    self.ends(code, "attack", "--model", TINY, "--patch", vector.path, "--prompts",
                              "p.jsonl", "-o", "attack.jsonl", *vector.trust)
                self.ends(code, "learn", "--model", TINY, "--companions", vector.path,
                          "--teacher-system", "Be kind.", "--prompts", "p.jsonl", "--risk",
                          "harmful", "--name", "learned", "--version", "1.0.0", "--run", "run", "-o",
                          "learned", *vector.trust)

    def test_channels_offer_only_what_is_valid(self):
        self.run_ok("channel", "init", "channel", "--root", "vendor.pub", "--targets", "vendor.pub",
                    "--timestamp", "vendor.pub", "--key", "vendor.key")
        for vector in self.vectors:
            with self.subTest(vector.name):
                if vector.code:
                    self.fails(vector.code, r".", "channel", "add", "channel", vector.path, *vector.trust)
                    continue
                # Each is another release 1.2.3, which one channel does not take.
                shutil.copytree(self.dir / "channel", self.dir / vector.name)
                self.run_ok("channel", "add", vector.name, vector.path, *vector.trust)

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
