"""Every vector of testdata/vectors/files/ through every way in that such a file has: the files of a
patch, its archive, models and adapters. Those of signatures are in vectors_test.py."""

import hashlib
import json
import tarfile

from program import OPERATOR, PROGRAM, SOURCE, VERIFY_ONLY, ProgramTest, main
from registries import FakeRegistry

FOLDER = SOURCE / "testdata/vectors/files"
MODEL = FOLDER / "models/good.gguf"  # of 8 columns: it runs in no time
CODES = {"valid": 0, "invalid": 2, "corrupt": 4, "mismatch": 7, "unsupported": 8, "limit": 9}


class Vector:
    def __init__(self, folder, entry):
        self.name, self.row, self.place = entry["name"], entry["row"], entry["as"]
        self.path = FOLDER / folder / entry["file"]
        self.code, self.says = CODES[entry["expect"]], entry.get("says", "")
        self.by = entry.get("by", "")  # "model": only who would run it sees that it is no model


def vectors(folder, *places):
    entries = json.loads((FOLDER / folder / "vectors.json").read_text())
    return [each for each in (Vector(folder, entry) for entry in entries)
            if not places or each.place in places]


def of_each_rule(tried):
    """One vector of each rule, place and kind of failure, for ways in that lead to the same reader."""
    kinds = {}
    for vector in tried:
        kinds.setdefault((vector.row, vector.place, vector.code), vector)
    return list(kinds.values())


class FileVectorTest(ProgramTest):
    program = OPERATOR

    def setUp(self):
        super().setUp()
        self.write_lines("p.jsonl", [{"prompt": "abc"}])
        with tarfile.open(FOLDER / "archives/good.llmpatch") as archive:
            self.good = {each.name: archive.extractfile(each).read() for each in archive}

    def ends(self, vector, *args, code=None, program=None):
        """Runs llmpatch, which must judge the vector so; a refusal says why and leaves nothing."""
        code = vector.code if code is None else code
        self.program = program or OPERATOR
        if code == 0:
            return self.run_ok(*args)
        outcome = self.fails(code, r".", *args)
        if vector.code:
            self.assertIn(vector.says, outcome.stderr)
        return outcome

    def generate(self, *args):
        return ["generate", "--model", MODEL, "--prompts", "p.jsonl", "-o", "out.jsonl",
                "--max-tokens", 2, "--allow-unsigned", *args]

    def placed(self, vector):
        """The good patch as a directory, with the vector in place of one of its files."""
        files = {**self.good, vector.place: vector.path.read_bytes()}
        if vector.place != "manifest.json":
            manifest = json.loads(files["manifest.json"])
            manifest["files"][vector.place] = hashlib.sha256(files[vector.place]).hexdigest()
            files["manifest.json"] = json.dumps(manifest).encode()
        (self.dir / "patch/eval.json").unlink(missing_ok=True)
        for name, content in files.items():
            self.write(f"patch/{name}", content)
        return "patch"

    def installs(self, vector, patch):
        """Into a store that has nothing else: an honest one is there whole, another not at all."""
        store = f"store-{vector.name}" if vector.code == 0 else "store"
        self.ends(vector, "install", patch, "--allow-unsigned", "--store", store)
        blobs = self.dir / store / "blobs"
        kept = len(list(blobs.iterdir())) if blobs.exists() else 0
        self.assertEqual(kept > 0, vector.code == 0)

    def listing(self):
        """The files beside the stores: what is in those is looked at by `installs`."""
        return {path: kind for path, kind in super().listing().items()
                if not path.startswith("store")}

    def spoiled(self, folder):
        """Every way in for a directory with one file that is not what it should be."""
        tried = vectors(folder)
        self.assertGreaterEqual(len(tried), 100)
        run = of_each_rule(tried)  # which takes the longest
        for vector in tried:
            with self.subTest(vector.name):
                patch = self.placed(vector)
                self.ends(vector, "inspect", patch, program=VERIFY_ONLY)
                self.ends(vector, "pack", patch, "-o", "packed.llmpatch", program=VERIFY_ONLY)
                (self.dir / "packed.llmpatch").unlink(missing_ok=True)
                self.installs(vector, patch)
                if vector in run:
                    # One that is right was made for another model.
                    self.ends(vector, *self.generate("--patch", patch), code=vector.code or 7)

    def test_rows(self):
        self.spoiled("rows")

    def test_json(self):
        self.spoiled("json")

    def test_nothing_of_them_reaches_a_registry(self):
        registry = FakeRegistry().stop_after(self)
        every = [*vectors("rows"), *vectors("json"), *vectors("archives")]
        tried = of_each_rule(vector for vector in every if vector.code)
        self.assertGreater(len(tried), 30)
        for vector in tried:
            with self.subTest(vector.name):
                patch = vector.path if vector.place == "patch" else self.placed(vector)
                self.ends(vector, "push", patch, f"{registry.host}/refuse:1", "--plain-http")
        self.assertEqual([path for method, path, _ in registry.asked if method != "GET"], [])

    def test_archives(self):
        tried = vectors("archives")
        self.assertGreaterEqual(len(tried), 100)
        for vector in tried:
            with self.subTest(vector.name):
                self.ends(vector, "inspect", vector.path, program=VERIFY_ONLY)
                self.ends(vector, "unpack", vector.path, "-o", f"out-{vector.name}", program=VERIFY_ONLY)
                if vector.code == 0:
                    found = {path.name: path.read_bytes()
                             for path in (self.dir / f"out-{vector.name}").iterdir()}
                    self.assertEqual(found, self.good)
                self.ends(vector, *self.generate("--patch", vector.path), code=vector.code or 7)
                self.installs(vector, vector.path)
        self.assertFalse((self.dir.parent / "escaped").exists())

    def test_models(self):
        tried = vectors("models", "model")
        self.assertGreaterEqual(len(tried), 150)
        patch = FOLDER / "archives/good.llmpatch"
        for vector in tried:
            with self.subTest(vector.name):
                self.ends(vector, "generate", "--model", vector.path, "--prompts", "p.jsonl", "-o",
                          "out.jsonl", "--max-tokens", 2)
                (self.dir / "out.jsonl").unlink(missing_ok=True)
                self.ends(vector, "inspect", patch, "--model", vector.path,
                          code=0 if vector.by == "model" else vector.code)

    def test_models_to_learn_on(self):
        """Loading LibTorch takes the time of twenty other runs: one of each kind of failure."""
        self.program = PROGRAM
        if "LibTorch not built in" in self.run_ok("--version").stdout:
            self.skipTest("this program was built without learning")
        tried = {}
        for vector in vectors("models", "model"):
            if vector.code:
                tried.setdefault((vector.code, vector.by), vector)
        self.assertGreaterEqual(len(tried), 5)
        for vector in tried.values():
            with self.subTest(vector.name):
                self.ends(vector, "learn", "--model", vector.path, "--teacher-system", "Be kind.",
                          "--prompts", "p.jsonl", "--risk", "harmful", "--name", "learned",
                          "--version", "1.0.0", "--run", "run", "-o", "learned", program=PROGRAM)

    def test_adapters(self):
        tried = vectors("models", "adapter")
        self.assertGreaterEqual(len(tried), 20)
        for vector in tried:
            with self.subTest(vector.name):
                self.ends(vector, *self.generate("--lora", vector.path))
                (self.dir / "out.jsonl").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
