"""inspect, pack and unpack on a real patch."""

import array
import hashlib
import json
import shutil

from program import MODEL, OTHER_MODEL, ProgramTest, main


class PatchFiles(ProgramTest):
    def test_pack_is_deterministic_and_unpack_undoes_it(self):
        patch = self.make_patch()
        self.run_ok("pack", patch, "-o", "a.llmpatch")
        shutil.copytree(patch, self.dir / "copy")
        (self.dir / "copy" / "README.md").touch()  # another time
        self.run_ok("pack", "copy", "-o", "b.llmpatch")
        self.assertEqual((self.dir / "a.llmpatch").read_bytes(),
                         (self.dir / "b.llmpatch").read_bytes())
        self.run_ok("unpack", "a.llmpatch", "-o", "back")
        self.assertEqual(contents(patch), contents(self.dir / "back"))

    def test_inspect(self):
        patch = self.make_patch()
        self.run_ok("pack", patch, "-o", "tester.llmpatch")
        text = self.run_ok("inspect", patch).stdout
        self.assertIn("tester 1.0.0", text)
        report = json.loads(self.run_ok("inspect", patch, "--json").stdout)
        self.assertEqual(report, json.loads(self.run_ok("inspect", "tester.llmpatch",
                                                        "--json").stdout))
        config = json.loads((patch / "adapter_config.json").read_text())
        self.assertIn(f"{config['num_virtual_tokens']} x 576", text)

    def test_inspect_tells_whether_it_belongs_to_a_model(self):
        patch = self.make_patch()
        for model, verdict in [(MODEL, "exact"), (OTHER_MODEL, "different")]:
            report = json.loads(self.run_ok("inspect", patch, "--json", "--model", model).stdout)
            self.assertEqual(report["match"]["verdict"], verdict)
            self.assertTrue(report["match"]["reason"])
            text = self.run_ok("inspect", patch, "--model", model).stdout
            self.assertIn(f"on {model}: {verdict}", text)
            self.assertEqual("rows" in report["match"], verdict == "exact")
            self.assertEqual("row 0:" in text, verdict == "exact")

    def test_inspect_shows_what_rows_are_near_to_and_warns_of_those_far_off(self):
        patch = self.make_patch(text=" river")
        for scale, far in [(1, False), (1e3, True)]:
            scale_rows(patch, scale)
            outcome = self.run_ok("inspect", patch, "--json", "--model", MODEL)
            found = json.loads(outcome.stdout)["match"]["rows"]
            self.assertEqual([len(tokens) for tokens in found["nearest"]], [4])
            self.assertEqual(found["nearest"][0][0]["text"], '" river"')
            self.assertEqual((found["far"], "far off" in outcome.stderr), (far, far))


def scale_rows(patch, factor):
    """Multiplies the rows of a patch directory, and renews their digest."""
    file = patch / "adapter_model.safetensors"
    data = file.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    rows = array.array("f", data[start:])
    file.write_bytes(data[:start] + array.array("f", [row * factor for row in rows]).tobytes())
    manifest = json.loads((patch / "manifest.json").read_text())
    manifest["files"][file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    (patch / "manifest.json").write_text(json.dumps(manifest))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


if __name__ == "__main__":
    main()
