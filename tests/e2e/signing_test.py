"""keygen, sign and verify, and what every command that loads a patch does about signatures."""

import hashlib
import json
import os
import pty
import select
import shutil
import signal
import stat
import subprocess

from program import MODEL, OPERATOR, VERIFY_ONLY, ProgramTest, main


def openssl(*args):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True).stdout


class Keys(ProgramTest):
    program = VERIFY_ONLY

    def test_keygen_makes_a_pair_and_replaces_nothing(self):
        outcome = self.run_ok("keygen", "-o", "vendor")
        key, pub = self.dir / "vendor.key", self.dir / "vendor.pub"
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
        self.assertEqual(outcome.stderr.count("warning"), 1)
        self.assertIn("vendor.key is not encrypted", outcome.stderr)
        self.assertIn("llmpatch verify PATCH --key vendor.pub", outcome.stderr)
        # Another program reads them and agrees.
        self.assertEqual(openssl("pkey", "-in", key, "-pubout"), pub.read_bytes())
        self.assertIn(b"prime256v1", openssl("pkey", "-pubin", "-in", pub, "-noout", "-text"))
        self.assertEqual(outcome.stdout.strip(), hashlib.sha256(pub.read_bytes()).hexdigest())
        before = key.read_bytes()
        self.fails(11, r"vendor\.key: it exists already", "keygen", "-o", "vendor")
        key.unlink()
        self.fails(11, r"vendor\.pub: it exists already", "keygen", "-o", "vendor")
        self.assertNotEqual(before, b"")
        self.fails(3, r"found no folder nowhere", "keygen", "-o", "nowhere/vendor")
        for name in "", ".", "keys/":
            self.fails(2, r"expected a name for the pair", "keygen", "-o", name)

    def test_a_passphrase_from_a_file(self):
        self.write("pass", "correct horse\n")
        report = json.loads(self.run_ok("keygen", "-o", "k", "--passphrase-file", "pass",
                                        "--json").stdout)
        self.assertTrue(report["encrypted"])
        self.assertIn(b"ENCRYPTED PRIVATE KEY", (self.dir / "k.key").read_bytes())
        self.assertEqual(openssl("pkey", "-in", self.dir / "k.key", "-passin",
                                 f"file:{self.dir / 'pass'}", "-pubout"),
                         (self.dir / "k.pub").read_bytes())
        patch = self.make_patch()
        self.write("wrong", "battery staple\n")
        self.fails(12, r"passphrase", "sign", patch, "--key", "k.key", "--passphrase-file", "wrong")
        self.fails(2, r"encrypted key and no passphrase", "sign", patch, "--key", "k.key")
        self.run_ok("sign", patch, "--key", "k.key", "--passphrase-file", "pass")
        self.run_ok("verify", patch, "--key", "k.pub")
        self.write("empty", "\n")
        self.fails(2, r"empty first line", "keygen", "-o", "x", "--passphrase-file", "empty")
        (self.dir / "zero").write_bytes(b"a\0b\n")
        self.fails(2, r"a zero byte", "keygen", "-o", "x", "--passphrase-file", "zero")

    def test_what_was_signed_as_json(self):
        self.run_ok("keygen", "-o", "k")
        patch = self.make_patch()
        report = json.loads(self.run_ok("sign", patch, "--key", "k.key", "--json").stdout)
        verified = json.loads(self.run_ok("verify", patch, "--key", "k.pub", "--json").stdout)
        self.assertEqual(report.pop("signature"), str(patch / "model.sig"))
        self.assertEqual(report, {key: verified[key] for key in ("signer", "root_digest", "files")})

    def test_an_error_shows_no_control_characters(self):
        self.run_ok("keygen", "-o", "k")
        outcome = self.run_program("verify", "ev\nil\x1b[31m", "--key", "k.pub")
        self.assertNotEqual(outcome.code, 0)
        self.assertNotIn("\x1b", outcome.stderr)
        self.assertIn(r"ev il\x1b[31m", outcome.stderr)

    def on_terminal(self, typed, *args):
        """Runs the program on a terminal where each prompt is answered by the next of `typed`."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.dir)
            os.execv(self.program, [self.program, *map(str, args)])
        typed, shown = list(typed), b""
        while select.select([terminal], [], [], 60)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:  # how Linux says that the other side is gone
                break
            if not data:
                break
            shown += data
            if shown.endswith(b": ") and typed:
                os.write(terminal, typed.pop(0).encode() + b"\n")
        else:
            os.kill(child, signal.SIGKILL)  # it waits for something that nobody will type
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()

    def test_a_passphrase_from_the_terminal_is_not_shown(self):
        code, shown = self.on_terminal(["open sesame", "open sesame"], "keygen", "-o", "k")
        self.assertEqual(code, 0, shown)
        self.assertNotIn("sesame", shown)
        self.assertIn(b"ENCRYPTED", (self.dir / "k.key").read_bytes())
        patch = self.make_patch()
        self.assertEqual(self.on_terminal(["open"], "sign", patch, "--key", "k.key")[0], 12)
        code, shown = self.on_terminal(["open sesame"], "sign", patch, "--key", "k.key")
        self.assertEqual(code, 0, shown)
        self.assertNotIn("sesame", shown)
        code, shown = self.on_terminal(["one", "other"], "keygen", "-o", "x")
        self.assertEqual(code, 2, shown)
        self.assertFalse((self.dir / "x.key").exists())


class Signing(ProgramTest):
    program = VERIFY_ONLY

    def setUp(self):
        super().setUp()
        self.patch = self.make_patch()
        self.run_ok("keygen", "-o", "vendor")
        self.run_ok("keygen", "-o", "other")
        self.run_ok("sign", self.patch, "--key", "vendor.key")

    def test_verify_says_what_was_checked(self):
        hint = hashlib.sha256((self.dir / "vendor.pub").read_bytes()).hexdigest()
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                   for path in self.patch.iterdir() if path.name != "model.sig"}
        root = hashlib.sha256(b"".join(bytes.fromhex(digests[name])
                                       for name in sorted(digests))).hexdigest()
        text = self.run_ok("verify", self.patch, "--key", "vendor.pub").stdout
        self.assertIn("valid: tester 1.0.0\n", text)
        for part in [hint, root, *digests.values()]:
            self.assertIn(part, text)
        self.run_ok("pack", self.patch, "-o", "tester.llmpatch")
        for place in (self.patch, "tester.llmpatch"):
            report = json.loads(self.run_ok("verify", place, "--key", "other.pub", "--key",
                                            "vendor.pub", "--json").stdout)
            self.assertEqual((report["name"], report["version"], report["root_digest"]),
                             ("tester", "1.0.0", root))
            self.assertEqual(report["signer"], {"key": hint, "subject": None, "root": None})
            self.assertEqual(report["files"], digests)

    def test_not_valid_and_could_not_check_have_codes_of_their_own(self):
        self.fails(5, r"found a signature by key", "verify", self.patch, "--key", "other.pub")
        self.fails(6, r"keys: found none", "verify", self.patch)
        self.fails(6, r"missing\.pub", "verify", self.patch, "--key", "missing.pub")
        self.fails(6, r"no public key", "verify", self.patch, "--key", "vendor.key")
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.dir / "ed.key")
        openssl("pkey", "-in", self.dir / "ed.key", "-pubout", "-out", self.dir / "ed.pub")
        self.fails(6, r"ED25519", "verify", self.patch, "--key", "ed.pub")
        self.fails(3, r"nowhere", "verify", "nowhere", "--key", "vendor.pub")
        (self.patch / "model.sig").unlink()
        self.fails(5, r"no model\.sig", "verify", self.patch, "--key", "vendor.pub")

    def test_every_tampering_is_found(self):
        def flip(name):
            def change(patch):
                content = bytearray((patch / name).read_bytes())
                content[len(content) // 2] ^= 1
                (patch / name).write_bytes(content)
            return change

        def link(patch):
            (patch / "README.md").rename(patch.parent / "README.md")
            (patch / "README.md").symlink_to(patch.parent / "README.md")

        def twice(patch):
            bundle = json.loads((patch / "model.sig").read_text())
            bundle["dsseEnvelope"]["signatures"] *= 2
            (patch / "model.sig").write_text(json.dumps(bundle))

        names = [path.name for path in self.patch.iterdir()]
        self.assertEqual(len(names), 5)
        cases = {f"a byte of {name}": flip(name) for name in names}
        cases.update({f"no {name}": lambda p, name=name: (p / name).unlink() for name in names})
        cases["a file more"] = lambda p: (p / "eval.json").write_text("{}")
        cases["a foreign file"] = lambda p: (p / "run.sh").write_text("")
        cases["what git leaves"] = lambda p: (p / ".gitattributes").write_text("")
        cases["a repository"] = lambda p: (p / ".git").mkdir()
        cases["a sub-folder"] = lambda p: (p / "sub").mkdir()
        cases["a link"] = link
        cases["two signatures"] = twice
        cases["an empty signature"] = lambda p: (p / "model.sig").write_text("")
        for number, (name, change) in enumerate(cases.items()):
            with self.subTest(name):
                copy = self.dir / f"case{number}"
                shutil.copytree(self.patch, copy)
                change(copy)
                self.fails(5, r".", "verify", copy, "--key", "vendor.pub")

    def test_sign_writes_whole_signatures_of_whole_patches(self):
        before = (self.patch / "model.sig").read_bytes()
        self.fails(11, r"signed already", "sign", self.patch, "--key", "other.key")
        self.assertEqual((self.patch / "model.sig").read_bytes(), before)
        self.run_ok("sign", self.patch, "--key", "other.key", "--force")
        self.run_ok("verify", self.patch, "--key", "other.pub")
        (self.patch / "model.sig").unlink()
        self.fails(4, r"no private key", "sign", self.patch, "--key", "vendor.pub")
        self.fails(3, r"gone\.key", "sign", self.patch, "--key", "gone.key")
        self.fails(2, r"without --certificate", "sign", self.patch, "--key", "vendor.key",
                   "--chain", "ca.pem")
        with open(self.patch / "README.md", "a") as file:
            file.write("!")
        self.fails(4, r"README\.md", "sign", self.patch, "--key", "vendor.key")

    def test_certificates(self):
        def certificate(name, *extensions, issuer=None, days="2"):
            signer = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key"] if issuer else []
            subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out",
                            f"{name}.csr", "-subj", f"/CN={name}"], cwd=self.dir, check=True,
                           capture_output=True)
            self.write("extensions", "".join(each + "\n" for each in extensions))
            subprocess.run(["openssl", "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem",
                            "-days", days, "-extfile", "extensions",
                            *(signer or ["-signkey", f"{name}.key"])], cwd=self.dir, check=True,
                           capture_output=True)

        leaf = ["basicConstraints=CA:FALSE", "keyUsage=digitalSignature"]
        certificate("ca", "basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign")
        certificate("leaf", *leaf, issuer="ca")
        certificate("old", *leaf, issuer="ca", days="-1")
        certificate("bare", "basicConstraints=CA:FALSE", issuer="ca")
        sign = ["sign", self.patch, "--force", "--chain", "ca.pem", "--key"]
        self.run_ok(*sign, "leaf.key", "--certificate", "leaf.pem")
        self.assertIn("CN=leaf", self.run_ok("verify", self.patch, "--certificate-chain",
                                             "ca.pem").stdout)
        self.fails(5, r"certificate", "verify", self.patch, "--certificate-chain", "old.pem")
        self.fails(6, r"no root certificate", "verify", self.patch, "--key", "vendor.pub")
        self.fails(5, r"expired", *sign, "old.key", "--certificate", "old.pem")
        self.fails(5, r"neither KeyUsage", *sign, "bare.key", "--certificate", "bare.pem")
        self.fails(2, r"found key", *sign, "vendor.key", "--certificate", "leaf.pem")

    def test_a_policy_says_who_may_sign_what(self):
        def policy(patterns, keys):
            self.write("trust.json", json.dumps({"schema": 1, "rules": [
                {"patches": patterns, "keys": keys}]}))
            return ["verify", self.patch, "--trust", "trust.json"]
        hint = hashlib.sha256((self.dir / "vendor.pub").read_bytes()).hexdigest()
        self.run_ok(*policy(["test*"], ["other.pub", "vendor.pub"]))
        self.fails(5, r"no rule lets sign it", *policy(["gender-*"], ["vendor.pub"]))
        self.fails(5, r"found a signature by key", *policy(["*"], ["other.pub"]))
        self.run_ok(*policy(["tester"], [hint]), "--key", "vendor.pub")
        self.fails(5, r"no rule", *policy(["tester"], ["other.pub"]), "--key", "vendor.pub")
        self.fails(6, r"gone\.pub", *policy(["*"], ["gone.pub"]))
        self.fails(2, r"certificates: found some beside", *policy(["*"], ["vendor.pub"]),
                   "--certificate-chain", "vendor.pub")


class Loading(ProgramTest):
    program = OPERATOR

    def setUp(self):
        super().setUp()
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])
        self.unsigned = self.make_patch()
        self.signed = self.dir / "signed"
        self.tampered = self.dir / "tampered"
        self.run_ok("keygen", "-o", "vendor")
        shutil.copytree(self.unsigned, self.signed)
        self.run_ok("sign", self.signed, "--key", "vendor.key")
        shutil.copytree(self.signed, self.tampered)
        with open(self.tampered / "README.md", "a") as file:
            file.write("!")

    def generate(self, patch, *more):
        return ["generate", "--model", MODEL, "--prompts", "p.jsonl", "-o", "out.jsonl",
                "--max-tokens", "2", "--force", "--json", "--patch", patch, *more]

    def commands(self, patch, *more):
        return [self.generate(patch, *more),
                ["chat", "--model", MODEL, "--patch", patch, *more],
                ["eval", "--model", MODEL, "--suite", "p.jsonl", "--expect", "refuse", "-o", "out",
                 "--patch", patch, *more]]

    def test_a_signed_patch_runs_with_its_key(self):
        outcome = self.run_ok(*self.generate(self.signed, "--key", "vendor.pub"))
        self.assertNotIn("warning", outcome.stdout + outcome.stderr)
        self.assertNotIn("warning", self.read_lines("out.jsonl")[0])
        # A permission that is not needed changes nothing.
        outcome = self.run_ok(*self.generate(self.signed, "--key", "vendor.pub",
                                             "--allow-unsigned"))
        self.assertNotIn("warning", outcome.stdout + outcome.stderr)
        self.write("trust.json", json.dumps({"schema": 1, "rules": [
            {"patches": ["tester"], "keys": ["vendor.pub"]}]}))
        self.run_ok(*self.generate(self.signed, "--trust", "trust.json"))

    def test_what_is_not_verified_is_refused(self):
        for arguments in self.commands(self.unsigned):
            self.fails(5, r"found no signature", *arguments)
        for arguments in self.commands(self.unsigned, "--key", "vendor.pub"):
            self.fails(5, r"found no signature", *arguments)
        for arguments in self.commands(self.signed):
            self.fails(6, r"no key to check it with", *arguments)

    def test_no_option_loads_a_signature_that_does_not_hold(self):
        for more in (["--key", "vendor.pub"], ["--key", "vendor.pub", "--allow-unsigned"]):
            for arguments in self.commands(self.tampered, *more):
                self.fails(5, r"README\.md: found sha256", *arguments)
            self.fails(5, r"README\.md: found sha256", "inspect", self.tampered, *more)

    def test_allow_unsigned_is_repeated_in_every_output(self):
        for patch, words in [(self.unsigned, "tester 1.0.0 is not signed"),
                             (self.signed, "its signature was not checked")]:
            outcome = self.run_ok(*self.generate(patch, "--allow-unsigned"))
            self.assertEqual(outcome.stderr.count("warning: "), 1, str(outcome))
            self.assertIn(words, outcome.stderr)
            self.assertIn(words, json.loads(outcome.stdout)["warning"])
            self.assertIn(words, self.read_lines("out.jsonl")[0]["warning"])
            outcome = self.run_ok("chat", "--model", MODEL, "--max-tokens", "2", "--patch", patch,
                                  "--allow-unsigned", stdin="Hello\n")
            self.assertEqual(outcome.stderr.count(words), 2, "once at the start, once an answer")

    def test_inspect_shows_the_state_of_the_signature(self):
        def states(patch, *more):
            report = json.loads(self.run_ok("inspect", patch, "--json", *more).stdout)
            return report["signed"], report["signature"]["state"]
        hint = hashlib.sha256((self.dir / "vendor.pub").read_bytes()).hexdigest()
        self.assertEqual(states(self.unsigned), (False, "none"))
        self.assertEqual(states(self.signed), (True, "unchecked"))
        self.assertEqual(states(self.signed, "--key", "vendor.pub"), (True, "verified"))
        self.assertIn(f'claims to be by key "{hint}"; not checked',
                      self.run_ok("inspect", self.signed).stdout)
        self.assertIn(f"verified, by key {hint}",
                      self.run_ok("inspect", self.signed, "--key", "vendor.pub").stdout)
        self.fails(5, r"no signature", "inspect", self.unsigned, "--key", "vendor.pub")
        (self.signed / "model.sig").write_text("{}")
        self.assertIn("unreadable: ", self.run_ok("inspect", self.signed).stdout)


class VerifyOnly(ProgramTest):
    program = VERIFY_ONLY

    def test_is_small_and_links_neither_torch_nor_llama(self):
        linked = subprocess.run(["ldd", VERIFY_ONLY], check=True, capture_output=True,
                                encoding="utf-8").stdout
        self.assertIn("libcrypto", linked)
        self.assertNotRegex(linked, r"libtorch|libc10|libllama|libggml|libcurl")
        if "san.so" in linked:
            return  # a sanitizer makes every program large
        subprocess.run(["strip", "-o", self.dir / "stripped", VERIFY_ONLY], check=True)
        self.assertLess((self.dir / "stripped").stat().st_size, 2_000_000)
        self.assertIn("verify-only", self.run_ok("--version").stdout)

    def test_reads_patches_and_no_models(self):
        patch = self.make_patch()
        self.assertIn("tester 1.0.0", self.run_ok("inspect", patch).stdout)
        self.fails(8, r"built without what reads models", "inspect", patch, "--model", MODEL)
        self.run_ok("pack", patch, "-o", "t.llmpatch")
        self.run_ok("unpack", "t.llmpatch", "-o", "back")
        self.fails(2, r"'generate', expected inspect, keygen", "generate")


if __name__ == "__main__":
    main()
