"""Patches that are damaged, hostile or meant for another model: refused by everything that reads."""

import gzip
import hashlib
import io
import json
import os
import struct
import tarfile

from program import MODEL, OPERATOR, OTHER_MODEL, ProgramTest, main

ROWS = "adapter_model.safetensors"


def relist(patch):
    """Brings the manifest's digests up to date, so that only the deeper checks can object."""
    manifest = json.loads((patch / "manifest.json").read_text())
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256((patch / name).read_bytes()).hexdigest()
    (patch / "manifest.json").write_text(json.dumps(manifest))


def edit_manifest(**members):
    def edit(patch):
        manifest = json.loads((patch / "manifest.json").read_text())
        manifest.update(members)
        (patch / "manifest.json").write_text(json.dumps(manifest))
    return edit


def safetensors(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def rows_entry(shape, end, kind="F32", begin=0, name="prompt_embeddings"):
    return {"__metadata__": {"format": "pt"},
            name: {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}}


def rows_file(content):
    """Replaces the rows by these bytes; the manifest lists them."""
    def edit(patch):
        (patch / ROWS).write_bytes(content)
        relist(patch)
    return edit


def truncated(length):
    def edit(patch):
        (patch / ROWS).write_bytes((patch / ROWS).read_bytes()[:length])
        relist(patch)
    return edit


def append(name, data):
    def edit(patch):
        with open(patch / name, "ab") as file:
            file.write(data)
    return edit


def last_value(value):
    """Replaces the last number of the rows."""
    def edit(patch):
        content = bytearray((patch / ROWS).read_bytes())
        content[-4:] = struct.pack("<f", value)
        (patch / ROWS).write_bytes(content)
        relist(patch)
    return edit


def other_width(patch):
    """Rows of width 640 that adapter_config.json agrees with: right in itself, wrong for the model."""
    n = json.loads((patch / "adapter_config.json").read_text())["num_virtual_tokens"]
    config = json.loads((patch / "adapter_config.json").read_text())
    config["token_dim"] = 640
    (patch / "adapter_config.json").write_text(json.dumps(config))
    size = n * 640 * 4
    (patch / ROWS).write_bytes(safetensors(rows_entry([n, 640], size), b"\0" * size))
    relist(patch)


def symlink(patch):
    (patch / ROWS).rename(patch.parent / "elsewhere")
    (patch / ROWS).symlink_to(patch.parent / "elsewhere")


def replace(name, content):
    return lambda patch: (patch / name).write_text(content)


# What is done to a patch directory -> exit code and what the error says.
DAMAGE = {
    "no manifest": (lambda p: (p / "manifest.json").unlink(), 4, r"manifest\.json"),
    "manifest is no JSON": (replace("manifest.json", "{"), 4, r"manifest\.json"),
    "manifest with a key twice": (replace("manifest.json", '{"schema": 1, "schema": 1}'), 4,
                                  r"duplicate key"),
    "manifest nested 1000 deep": (replace("manifest.json", "[" * 1000), 4, r"."),
    "manifest of another schema": (edit_manifest(schema=2), 8, r"schema"),
    "manifest with an unknown member": (edit_manifest(surprise=1), 4, r"surprise"),
    "a name that is a path": (edit_manifest(name="../../etc"), 4, r"name"),
    "a requirement of no known form": (edit_manifest(requires=["gender@>=1.0.0"]), 4, r"gender@>=1"),
    "another digest": (append("README.md", b"!"), 4, r"README\.md"),
    "rows with a byte more": (append(ROWS, b"\0"), 4, r"adapter_model"),
    "no rows": (lambda p: (p / ROWS).unlink(), 4, r"adapter_model"),
    "an unlisted file": (lambda p: (p / "eval.json").write_text("{}"), 4, r"eval\.json"),
    "a foreign file": (lambda p: (p / "run.sh").write_text("rm"), 4, r"run\.sh"),
    "a symbolic link": (symlink, 4, r"adapter_model"),
    "a sub-folder": (lambda p: (p / "sub").mkdir(), 4, r"sub"),
    "a pipe": (lambda p: os.mkfifo(p / "eval.json"), 4, r"eval\.json"),
    "rows cut to nothing": (truncated(0), 4, r"adapter_model"),
    "rows cut in the header": (truncated(40), 4, r"adapter_model"),
    "rows cut in the data": (truncated(1000), 4, r"adapter_model"),
    "a header of 2^62 bytes": (rows_file(struct.pack("<Q", 2**62) + b"{}"), 9, r"adapter_model"),
    "a header that is no JSON": (rows_file(safetensors(b"hello", b"")), 4, r"adapter_model"),
    "another tensor": (rows_file(safetensors(rows_entry([1, 576], 2304, name="weight"),
                                             b"\0" * 2304)), 4, r"prompt_embeddings|weight"),
    "offsets behind the end": (rows_file(safetensors(rows_entry([1, 576], 2**40), b"\0" * 2304)),
                               4, r"adapter_model"),
    "offsets backwards": (rows_file(safetensors(rows_entry([1, 576], 0, begin=2304),
                                                b"\0" * 2304)), 4, r"adapter_model"),
    "a shape that overflows": (rows_file(safetensors(rows_entry([2**33, 2**33], 2304),
                                                     b"\0" * 2304)), (4, 9), r"adapter_model"),
    "a shape of other size": (rows_file(safetensors(rows_entry([2, 576], 2304), b"\0" * 2304)), 4,
                              r"adapter_model"),
    "integers": (rows_file(safetensors(rows_entry([1, 576], 2304, kind="I32"), b"\0" * 2304)), 8,
                 r"I32"),
    "NaN": (last_value(float("nan")), 4, r"adapter_model"),
    "a number beyond all embeddings": (last_value(1e4 + 1), 4, r"norm of 10001, expected"),
    "a number beyond half precision": (last_value(-1e30), 4, r"norm of 1e\+30, expected"),
}


class BadPatch(ProgramTest):
    program = OPERATOR  # a hundred short runs

    def setUp(self):
        super().setUp()
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])

    def generate_arguments(self, *patches, model=MODEL):
        arguments = ["generate", "--model", model, "--prompts", "p.jsonl", "-o", "out.jsonl"]
        for patch in patches:
            arguments += ["--patch", patch]
        return arguments + ["--max-tokens", "2", "--allow-unsigned"]

    def fails_with_one_of(self, codes, pattern, *arguments):
        before = self.listing()
        outcome = self.run_program(*arguments)
        self.assertIn(outcome.code, codes, str(outcome))
        self.assert_error(outcome, outcome.code, pattern)
        self.assertEqual(self.listing(), before, "files changed")
        return outcome.code

    def test_damaged_directories(self):
        for number, (name, (damage, code, pattern)) in enumerate(DAMAGE.items()):
            with self.subTest(name):
                patch = self.make_patch().rename(self.dir / f"case{number}")
                damage(patch)
                codes = (code,) if isinstance(code, int) else code
                seen = {
                    self.fails_with_one_of(codes, pattern, *arguments) for arguments in
                    [["inspect", patch], ["pack", patch, "-o", "x.llmpatch"],
                     self.generate_arguments(patch)]
                }
                self.assertEqual(len(seen), 1, "every reader must agree")

    def test_not_a_patch(self):
        self.write("junk.llmpatch", b"junk" * 1000)
        self.write("nothing.llmpatch", b"")
        (self.dir / "empty").mkdir()
        for path, code, pattern in [("missing", 3, r"patch.*missing"), ("empty", (3, 4), r"empty"),
                                    ("junk.llmpatch", 4, r"junk"),
                                    ("nothing.llmpatch", 4, r"nothing"), ("/dev/null", 2, r".")]:
            with self.subTest(path):
                codes = (code,) if isinstance(code, int) else code
                self.fails_with_one_of(codes, pattern, "inspect", path)
                self.fails_with_one_of(codes, pattern, *self.generate_arguments(path))

    def tar(self, entries):
        """A ustar file of (TarInfo changes, content)."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for changes, content in entries:
                info = tarfile.TarInfo()
                info.size = len(content)
                for key, value in changes.items():
                    setattr(info, key, value)
                archive.addfile(info, io.BytesIO(content))
        return out.getvalue()

    def test_hostile_archives(self):
        patch = self.make_patch()
        right = [({"name": path.name}, path.read_bytes()) for path in sorted(patch.iterdir())]
        self.write("right.llmpatch", self.tar(right))
        self.run_ok("unpack", "right.llmpatch", "-o", "right")
        link = {"name": "eval.json", "type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
        cases = {
            "escape": self.tar(right + [({"name": "../escaped"}, b"x")]),
            "absolute": self.tar(right + [({"name": str(self.dir / "absolute")}, b"x")]),
            "inside a folder": self.tar([({"name": "p/" + i["name"]}, c) for i, c in right]),
            "link": self.tar(right + [(link, b"")]),
            "folder": self.tar(right + [({"name": "eval.json", "type": tarfile.DIRTYPE}, b"")]),
            "device": self.tar(right + [({"name": "eval.json", "type": tarfile.CHRTYPE}, b"")]),
            "twice": self.tar(right + right[:1]),
            "truncated": self.tar(right)[:20000],
            "data behind the end": self.tar(right) + b"x" * 512,
            "compressed": gzip.compress(self.tar(right)),
        }
        for name, content in cases.items():
            with self.subTest(name):
                self.write("bad.llmpatch", content)
                for arguments in (["unpack", "bad.llmpatch", "-o", "out"],
                                  ["inspect", "bad.llmpatch"],
                                  self.generate_arguments("bad.llmpatch")):
                    outcome = self.fails(4, r"bad\.llmpatch", *arguments)
                    if name == "truncated":
                        self.assertRegex(outcome.stderr, r"found [1-9]\d* bytes, expected \d+: it is")

    def test_oversized_files(self):
        patch = self.make_patch()
        with open(patch / "README.md", "ab") as file:
            file.truncate(1 << 32)  # sparse
        self.fails(9, r"README\.md", "inspect", patch)

    def test_patch_for_another_model(self):
        patch = self.make_patch()
        arguments = self.generate_arguments(patch, model=OTHER_MODEL)
        self.fails(7, r"expected its base model", *arguments)
        # By force it would be tried, but rows of another width cannot run at all.
        before = self.listing()
        outcome = self.run_program(*arguments, "--force")
        self.assert_error(outcome, 7, r"576.*640|640.*576")
        self.assertIn("made for another model", outcome.stderr)
        self.assertEqual(self.listing(), before)

    def test_rows_of_another_width(self):
        patch = self.make_patch()
        other_width(patch)
        before = self.listing()
        outcome = self.run_program(*self.generate_arguments(patch))
        self.assert_error(outcome, 7, r"640.*576|576.*640")
        self.assertEqual(self.listing(), before)

    def test_force_is_told_in_every_output(self):
        patch = self.make_patch()
        manifest = json.loads((patch / "manifest.json").read_text())
        manifest["base"]["file"] = "0" * 64
        manifest["base"]["vectors"] = "1" * 64  # other norms: another model
        (patch / "manifest.json").write_text(json.dumps(manifest))
        self.fails(7, r"expected its base model", *self.generate_arguments(patch))
        outcome = self.run_ok(*self.generate_arguments(patch), "--force")
        self.assertIn("warning: patch tester 1.0.0 was made for another model", outcome.stderr)
        self.assertIn("made for another model", self.read_lines("out.jsonl")[0]["warning"])

    def test_stacks_that_must_not_be(self):
        one, two = self.make_patch("one"), self.make_patch("two")
        self.fails(2, r"patch one: found twice", *self.generate_arguments(one, one))
        edit_manifest(compose={"conflicts": ["two"], "tested": []})(one)
        self.fails(7, r"one 1\.0\.0: excludes patch two", *self.generate_arguments(one, two))


if __name__ == "__main__":
    main()
