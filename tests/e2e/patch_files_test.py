"""inspect, pack and unpack on a real patch."""

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
            self.assertIn(f"on {model}: {verdict}",
                          self.run_ok("inspect", patch, "--model", model).stdout)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


if __name__ == "__main__":
    main()
