"""OpenSSF Model Signing's own tool verifies what llmpatch signs, and the other way round.

Key and certificate method, every curve. Run by CTest (label `peer`); the tool is scripts/peer-venv's.
"""

import json
import subprocess
from pathlib import Path

from peers import peer_python
from program import VERIFY_ONLY, ProgramTest, main

TOOL = Path(peer_python("model-signing")).parent / "model_signing"
CURVES = ["P-256", "P-384", "P-521"]
GIT_FILES = [".git", ".gitattributes", ".github", ".gitignore"]


class ModelSigning(ProgramTest):
    program = VERIFY_ONLY

    def setUp(self):
        super().setUp()
        self.patch = self.make_patch()

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.dir, check=True, capture_output=True)

    def peer(self, *args):
        """The tool's exit code and what it said."""
        done = subprocess.run([TOOL, *map(str, args)], cwd=self.dir, capture_output=True,
                              encoding="utf-8", timeout=120)
        return done.returncode, done.stdout + done.stderr

    def peer_accepts(self, *args):
        code, said = self.peer(*args)
        self.assertEqual(code, 0, said)

    def peer_refuses(self, *args):
        code, said = self.peer(*args)
        self.assertNotEqual(code, 0, said)

    def make_key(self, name, curve):
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}",
                     "-out", f"{name}.key")
        self.openssl("pkey", "-in", f"{name}.key", "-pubout", "-out", f"{name}.pub")

    def make_certificates(self, curve):
        """ca.pem, leaf.pem and leaf.key."""
        new = ["req", "-new", "-newkey", "ec", "-nodes", "-pkeyopt"]
        self.openssl(*new, "ec_paramgen_curve:P-256", "-x509", "-days", "2", "-subj", "/CN=ca",
                     "-keyout", "ca.key", "-out", "ca.pem")
        self.openssl(*new, f"ec_paramgen_curve:{curve}", "-subj", "/CN=leaf", "-keyout", "leaf.key",
                     "-out", "leaf.csr")
        self.write("extensions", "basicConstraints=critical,CA:FALSE\n"
                                 "keyUsage=digitalSignature\nextendedKeyUsage=codeSigning\n")
        self.openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-days", "1", "-extfile", "extensions", "-out", "leaf.pem")

    def signature(self):
        return self.patch / "model.sig"

    def verify_by_key(self, key):
        return ["verify", "key", self.patch, "--public_key", key, "--signature", self.signature()]

    def verify_by_certificate(self):
        return ["verify", "certificate", self.patch, "--certificate_chain", "ca.pem",
                "--signature", self.signature()]

    def test_it_verifies_our_keys_and_signatures(self):
        self.run_ok("keygen", "-o", "ours")
        for curve in CURVES:
            self.make_key(curve, curve)
        for name in ["ours", *CURVES]:
            with self.subTest(name):
                self.run_ok("sign", self.patch, "--key", f"{name}.key", "--force")
                self.peer_accepts(*self.verify_by_key(f"{name}.pub"))
        self.peer_refuses(*self.verify_by_key("ours.pub"))
        with open(self.patch / "README.md", "a") as file:
            file.write("!")
        self.peer_refuses(*self.verify_by_key("P-521.pub"))

    def test_we_verify_its_signatures(self):
        self.run_ok("keygen", "-o", "ours")
        for curve in CURVES:
            self.make_key(curve, curve)
        for name in ["ours", *CURVES]:
            with self.subTest(name):
                self.signature().unlink(missing_ok=True)
                self.peer_accepts("sign", "key", self.patch, "--private_key", f"{name}.key",
                                  "--signature", self.signature())
                self.run_ok("verify", self.patch, "--key", f"{name}.pub")
        self.fails(5, r"found a signature by key", "verify", self.patch, "--key", "ours.pub")
        with open(self.patch / "README.md", "a") as file:
            file.write("!")
        self.fails(5, r"README\.md", "verify", self.patch, "--key", "P-521.pub")

    def test_its_library_reads_our_encrypted_key(self):
        # The tool itself fails on every passphrase: it passes text where the library takes bytes.
        self.write("pass", "correct horse")
        self.run_ok("keygen", "-o", "ours", "--passphrase-file", "pass")
        script = """import sys
from cryptography.hazmat.primitives import serialization as s
key = s.load_pem_private_key(open("ours.key", "rb").read(), b"correct horse")
form = s.PublicFormat.SubjectPublicKeyInfo
sys.stdout.buffer.write(key.public_key().public_bytes(s.Encoding.PEM, form))"""
        read = subprocess.run([TOOL.parent / "python", "-c", script], cwd=self.dir, check=True,
                              stdout=subprocess.PIPE).stdout
        self.assertEqual(read, (self.dir / "ours.pub").read_bytes())

    def test_certificates_both_ways(self):
        for curve in CURVES:
            with self.subTest(curve):
                self.make_certificates(curve)
                self.run_ok("sign", self.patch, "--key", "leaf.key", "--certificate", "leaf.pem",
                            "--chain", "ca.pem", "--force")
                self.peer_accepts(*self.verify_by_certificate())
                self.signature().unlink()
                self.peer_accepts("sign", "certificate", self.patch, "--private_key", "leaf.key",
                                  "--signing_certificate", "leaf.pem", "--certificate_chain",
                                  "ca.pem", "--signature", self.signature())
                outcome = self.run_ok("verify", self.patch, "--certificate-chain", "ca.pem")
                self.assertIn("CN=leaf", outcome.stdout)
        self.make_certificates("P-256")  # another authority of the same name
        self.peer_refuses(*self.verify_by_certificate())
        self.fails(5, r"certificate", "verify", self.patch, "--certificate-chain", "ca.pem")

    def test_both_call_the_contents_by_the_same_digest(self):
        self.run_ok("keygen", "-o", "ours")
        self.peer_accepts("sign", "key", self.patch, "--private_key", "ours.key", "--signature",
                          self.signature())
        theirs = json.loads(self.run_ok("verify", self.patch, "--key", "ours.pub",
                                        "--json").stdout)
        self.run_ok("sign", self.patch, "--key", "ours.key", "--force")
        ours = json.loads(self.run_ok("verify", self.patch, "--key", "ours.pub", "--json").stdout)
        self.assertEqual(ours["root_digest"], theirs["root_digest"])

    def test_we_refuse_what_it_overlooks(self):
        self.run_ok("keygen", "-o", "ours")
        self.peer_accepts("sign", "key", self.patch, "--private_key", "ours.key", "--signature",
                          self.signature())
        for name in GIT_FILES:
            with self.subTest(name):
                (self.patch / name).write_text("unsigned")
                self.peer_accepts(*self.verify_by_key("ours.pub"))
                self.fails(5, name, "verify", self.patch, "--key", "ours.pub")
                (self.patch / name).unlink()


if __name__ == "__main__":
    main()
