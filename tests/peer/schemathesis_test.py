"""Schemathesis tests the server against its OpenAPI document: requests that fit it and requests that do
not, with no failure of the server and no answer that the document does not describe.

Run by CTest (label `peer`); Schemathesis is scripts/peer-venv's.
"""

import subprocess
from pathlib import Path

from peers import peer_python
from program import SOURCE, main
from servers import Server
from stores import StoreTest

TOOL = Path(peer_python("schemathesis")).parent / "schemathesis"
ADMIN_KEY = "0123456789abcdef"
EXAMPLES = 25  # of each kind for an operation
# A body that breaks the document by its size alone is too large before it is read.
CONFIG = """[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 429]
"""
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_headers_conformance", "response_schema_conformance", "negative_data_rejection",
          "unsupported_method", "allow_header_conformance"]


class Schemathesis(StoreTest):
    def test_the_server_is_what_its_document_says(self):
        self.run_ok(*self.install(self.release(), "--activate"))
        self.write("admin.key", ADMIN_KEY + "\n").chmod(0o600)
        server = Server(self.dir, "--store", "store", "--key", "vendor.pub", "--admin-key-file",
                        "admin.key", "--allow-unpatched", "--context", 512, "--max-tokens", 4)
        self.addCleanup(server.stop)
        config = self.write("schemathesis.toml", CONFIG)
        done = subprocess.run(
            [TOOL, "--config-file", config, "run", SOURCE / "docs/openapi.json", "--url", f"http://127.0.0.1:{server.port}",
             "--header", f"Authorization: Bearer {ADMIN_KEY}", "--checks", ",".join(CHECKS),
             "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "1",
             "--request-timeout", "60", "--continue-on-failure", "--suppress-health-check", "all"],
            cwd=self.dir, capture_output=True, encoding="utf-8", timeout=500)
        # A request that it made up can have megabytes.
        said = "\n".join(line[:500] for line in done.stdout.splitlines()) + done.stderr
        self.assertEqual(done.returncode, 0, said)
        self.assertRegex(done.stdout, r"[1-9]\d{2,} generated", "few requests were made")
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    main()
