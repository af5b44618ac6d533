"""examples/ship-a-patch, and what it has to say on its way."""

import os
import subprocess

from program import MODEL, OPERATOR, SOURCE, ProgramTest


class Shipping(ProgramTest):
    program = OPERATOR

    def ship(self, *more, patch=None, name="tester"):
        """Runs the example in the folder work, from the keys to the patch that runs no more; what it
        said before the first revocation."""
        done = subprocess.run([SOURCE / "examples/ship-a-patch", MODEL, patch or self.make_patch(),
                               self.dir / "work", *more], env={**os.environ,
                                                               "LLMPATCH": self.program},
                              capture_output=True, encoding="utf-8", timeout=1200,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        first, second, third = done.stdout.split("\n== The vendor revokes")
        self.assertIn(f"installed and active: {name} 1.1.0", first)
        self.assertIn('"response"', first)
        self.assertRegex(first, r"/ready\n200\n")
        self.assertIn(f'"{name}@1.1.0"', self.answered(first, 200))
        self.assertIn(f"patch {name} 1.1.0 was revoked by its maker", second)
        self.assertIn(f"installed and active: {name} 1.0.0", second)
        self.assertIn('"response"', second)
        self.assertIn(f'"{name}@1.0.0"', self.answered(second, 200))
        self.assertIn("so none is active", third)
        self.assertIn(f"patch {name} 1.0.0: it was revoked by its maker", third)
        self.assertNotIn('"response"', third)
        self.assertIn("exit code 12", third)
        self.assertRegex(third, r"/ready\n503\n")
        self.assertIn("patch_revoked", self.answered(third, 503))
        # The operator has nothing of the vendor's but what is public.
        self.assertEqual({path.name for path in (self.dir / "work/operator").iterdir()},
                         {"vendor.pub", "1.root.json", "store", "prompts.jsonl", "answers.jsonl",
                          "serve.json", "serve.log", "answer.json"})
        return first

    def answered(self, said, status):
        """What the server answered to a chat request."""
        _, found, rest = said.rpartition(f"$ curl /v1/chat/completions\n{status}\n")
        self.assertTrue(found, said)
        return rest
