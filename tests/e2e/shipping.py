"""examples/ship-a-patch, and what it has to say on its way."""

import os
import subprocess

from program import MODEL, OPERATOR, SOURCE, ProgramTest


class Shipping(ProgramTest):
    program = OPERATOR

    def ship(self, *more):
        """Runs the example in the folder work, from the keys to the patch that runs no more; what it
        said before the first revocation."""
        done = subprocess.run([SOURCE / "examples/ship-a-patch", MODEL, self.make_patch(),
                               self.dir / "work", *more], env={**os.environ, "LLMPATCH": OPERATOR},
                              capture_output=True, encoding="utf-8", timeout=280,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        first, second, third = done.stdout.split("\n== The vendor revokes")
        self.assertIn("installed and active: tester 1.1.0", first)
        self.assertIn('"response"', first)
        self.assertIn("patch tester 1.1.0 was revoked by its maker", second)
        self.assertIn("installed and active: tester 1.0.0", second)
        self.assertIn('"response"', second)
        self.assertIn("so none is active", third)
        self.assertIn("patch tester 1.0.0: it was revoked by its maker", third)
        self.assertNotIn('"response"', third)
        self.assertIn("exit code 12", third)
        # The operator has nothing of the vendor's but what is public.
        self.assertEqual({path.name for path in (self.dir / "work/operator").iterdir()},
                         {"vendor.pub", "1.root.json", "store", "prompts.jsonl", "answers.jsonl"})
        return first
