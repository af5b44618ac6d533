"""install, list, activate, deactivate, rollback, remove and history, and --patch NAME from the
store."""

import getpass
import json
import os
import socket
import stat
import subprocess

from program import MODEL, main
from stores import StoreTest


class Commands(StoreTest):
    def test_a_patch_is_installed_used_replaced_rolled_back_and_removed(self):
        first, second = self.release("1.0.0", 1), self.release("1.1.0", 2)
        outcome = self.run_ok(*self.install(first, "--activate"))
        self.assertRegex(outcome.stderr, r"\Ainstalled and active: tester 1\.0\.0, sha256:\w{64}, key ")
        self.assertEqual(stat.S_IMODE((self.dir / "store").stat().st_mode), 0o700)
        report = json.loads(self.run_ok(*self.install(second, "--json")).stdout)
        self.assertEqual((report["changed"], report["active"], report["warnings"]),
                         (True, False, []))
        # The digest is the one that verify shows.
        verified = json.loads(self.run_ok("verify", second, "--key", "vendor.pub", "--json").stdout)
        self.assertEqual(report["digest"], "sha256:" + verified["root_digest"])
        self.assertEqual(report["signer"], verified["signer"])
        self.assertEqual(self.active(), ["tester@1.0.0"])
        self.assertIn("installed already", self.run_ok(*self.install(second)).stderr)

        self.run_ok(*self.store("activate", "tester"))
        self.assertEqual(self.active(), ["tester@1.1.0"])
        self.fails(12, r"it is active", *self.store("remove", "tester@1.1.0"))
        self.run_ok(*self.store("rollback", "tester"))
        self.assertEqual(self.active(), ["tester@1.0.0"])
        self.fails(3, r"found no version that was active before", *self.store("rollback", "tester"))
        self.run_ok(*self.store("rollback", "tester", "--to", "1.1.0"))
        self.run_ok(*self.store("deactivate", "tester"))
        self.assertEqual(self.active(), [])
        self.assertIn("not active already: tester",
                      self.run_ok(*self.store("deactivate", "tester")).stderr)
        self.fails(3, r"none of that name", *self.store("deactivate", "other"))
        self.fails(2, r"expected tester@version", *self.store("remove", "tester"))
        self.run_ok(*self.store("remove", f"tester@{report['digest']}"))
        self.assertEqual(list(self.state()), [("tester", "1.0.0")])
        text = self.run_ok(*self.store("list")).stdout
        self.assertIn("  tester 1.0.0\n", text)
        self.check_no_rubbish()

    def test_history_tells_everything(self):
        self.run_ok(*self.install(self.release(), "--activate"))
        self.fails(12, r"it is active", *self.store("remove", "tester@1.0.0"))
        self.fails(5, r"found no signature", *self.install(self.release("2.0.0", 2, sign=False)))
        entries = json.loads(self.run_ok(*self.store("history", "--json")).stdout)
        self.assertEqual([(each["operation"], each["version"], each["outcome"]) for each in entries],
                         [("install", "1.0.0", "done"), ("activate", "1.0.0", "done"),
                          ("remove", "1.0.0", "refused"), ("install", None, "refused")])
        who = f"{getpass.getuser()}@{socket.gethostname()}"
        for each in entries:
            self.assertEqual(each["who"], who)
            self.assertRegex(each["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
        self.assertTrue(entries[0]["signer"].startswith("key "))
        self.assertIn("found no signature", entries[3]["detail"])
        self.assertEqual(len(self.run_ok(*self.store("history")).stdout.splitlines()), 4)
        # The patch that was refused unread may have been called so.
        self.assertEqual(len(self.run_ok(*self.store("history", "tester")).stdout.splitlines()), 4)
        self.assertEqual(len(self.run_ok(*self.store("history", "other")).stdout.splitlines()), 1)

    def test_what_is_not_verified_is_told_wherever_it_shows(self):
        bare = self.release(sign=False)
        self.fails(5, r"found no signature", *self.store("install", bare))
        self.fails(6, r"no key to check it with", *self.store("install", self.release("1.0.1")))
        outcome = self.run_ok(*self.store("install", bare, "--allow-unsigned"))
        self.assertIn("warning: patch tester 1.0.0 is not signed", outcome.stderr)
        self.assertIn("not verified (--allow-unsigned)", self.run_ok(*self.store("list")).stdout)
        patches = json.loads(self.run_ok(*self.store("list", "--json")).stdout)["patches"]
        self.assertIsNone(patches[0]["signer"])
        self.assertIn("is not signed", self.run_ok(*self.store("history")).stdout)

    def test_old_and_expired_releases_are_refused(self):
        self.run_ok(*self.install(self.release("2.0.0", 2)))
        self.run_ok(*self.store("remove", "tester@2.0.0"))
        old = self.release("1.0.0", 1)
        self.fails(12, r"found sequence 1, and one of sequence 2 was here", *self.install(old))
        self.assertIn("warning", self.run_ok(*self.install(old, "--allow-downgrade")).stderr)
        expired = self.release("3.0.0", 3, expires="2020-01-01T00:00:00Z")
        self.fails(12, r"expired at 2020-01-01", *self.install(expired))
        self.assertIn("warning", self.run_ok(*self.install(expired, "--allow-expired")).stderr)
        self.fails(12, r"expired at 2020-01-01", *self.store("activate", "tester"))
        self.run_ok(*self.store("activate", "tester", "--allow-expired"))
        other = self.release("3.0.0+other", 3, name="other")
        content = json.loads((other / "manifest.json").read_text())
        self.run_ok(*self.install(other))
        content["summary"] = "Another"
        (other / "manifest.json").write_text(json.dumps(content))
        self.run_ok("sign", other, "--key", "vendor.key", "--force")
        self.fails(11, r"installed with other contents", *self.install(other))

    def test_what_patches_say_about_each_other_holds_for_active_ones(self):
        self.run_ok(*self.install(self.release(name="base", version="1.4.0"), "--activate"))
        more = self.release(name="more", requires=["base@^1.2.0"],
                            compose={"conflicts": ["less"], "tested": []})
        self.run_ok(*self.install(more, "--activate"))
        self.fails(7, r"deactivate base: patch more 1\.0\.0: requires base@\^1\.2\.0",
                   *self.store("deactivate", "base"))
        less = self.release(name="less")
        self.fails(7, r"patch more 1\.0\.0: excludes patch less", *self.install(less, "--activate"))
        self.assertNotIn(("less", "1.0.0"), self.state())
        self.run_ok(*self.store("deactivate", "more"))
        self.run_ok(*self.store("deactivate", "base"))
        self.fails(7, r"requires base@\^1\.2\.0: found none", *self.store("activate", "more"))

    def test_verify_and_inspect_take_names(self):
        path = self.release()
        report = json.loads(self.run_ok(*self.install(path, "--json")).stdout)
        signer = "key " + report["signer"]["key"]
        path.rename(self.dir / "gone")
        key = ["--key", "vendor.pub"]
        self.run_ok("keygen", "-o", "other")
        self.fails(3, r'patch "tester": found no such directory or file.*found no active version',
                   *self.store("verify", "tester", *key))
        self.run_ok(*self.store("activate", "tester"))
        for name in ("tester", "tester@1.0.0", f"tester@{report['digest']}"):
            said = json.loads(self.run_ok(*self.store("verify", name, *key, "--json")).stdout)
            self.assertEqual((said["name"], said["version"], "sha256:" + said["root_digest"]),
                             ("tester", "1.0.0", report["digest"]))
            said = json.loads(self.run_ok(*self.store("inspect", name, "--json")).stdout)
            self.assertEqual(said["signature"], {"state": "installed", "signer": signer})
            said = json.loads(self.run_ok(*self.store("inspect", name, *key, "--json")).stdout)
            self.assertEqual(said["signature"]["state"], "verified")
            for command in ("verify", "inspect"):
                self.fails(5, r"found a signature by key",
                           *self.store(command, name, "--key", "other.pub"))
        self.fails(6, r"keys: found none", *self.store("verify", "tester"))
        self.fails(3, r"found only 1\.0\.0", *self.store("verify", "tester@2.0.0", *key))
        self.assertIn(f"verified when it was installed, by {signer}; not now",
                      self.run_ok(*self.store("inspect", "tester")).stdout)
        self.run_ok(*self.store("install", self.release("2.0.0", 2, sign=False),
                                "--allow-unsigned"))
        self.fails(5, r"no model\.sig", *self.store("verify", "tester@2.0.0", *key))
        said = json.loads(self.run_ok(*self.store("inspect", "tester@2.0.0", "--json")).stdout)
        self.assertEqual(said["signature"], {"state": "none"})
        for blob in (self.dir / "store/blobs").iterdir():
            blob.write_bytes(b"damaged")
        for command in ("verify", "inspect"):
            self.fails(4, r"found (sha256|no such file)", *self.store(command, "tester", *key))

    def test_where_the_store_is(self):
        first = self.release()
        data = self.dir / "data"
        environment = {**os.environ, "XDG_DATA_HOME": str(data), "HOME": str(self.dir)}
        command = [self.program, "install", first, "--key", "vendor.pub"]
        subprocess.run(command, cwd=self.dir, env=environment, check=True, capture_output=True)
        self.assertTrue((data / "llmpatch/store/store.db").is_file())
        environment["XDG_DATA_HOME"] = "relative"  # to be ignored
        subprocess.run(command, cwd=self.dir, env=environment, check=True, capture_output=True)
        self.assertTrue((self.dir / ".local/share/llmpatch/store/store.db").is_file())
        self.fails(3, r"found no folder", "list", "--store", "nowhere")
        self.fails(3, r"found no folder", "activate", "tester", "--store", "nowhere")
        self.fails(2, r"expected name", *self.store("activate", "../tester"))
        self.fails(2, r"--store: found nothing", "list", "--store", "")
        self.write("file", "x")
        self.write("folder/thesis.txt", "x")
        (self.dir / "link").symlink_to("nothing")
        for path in ("file", "file/store", "folder", "link"):
            for command in (["list"], ["install", first, "--key", "vendor.pub"],
                            ["inspect", "tester"], ["activate", "tester"]):
                self.fails(12, r"expected a store", *command, "--store", path)
        (data / "llmpatch/store").chmod(0o777)
        self.fails(12, r"other users may write", "list", "--store", "data/llmpatch/store/")

    def test_many_processes_at_a_time(self):
        releases = [self.release(f"1.{i}.0", 1) for i in range(6)]
        commands = []
        for release in releases:
            commands.append(self.install(release, "--activate"))
            commands.append(self.install(release))
            commands.append(self.store("list"))
        running = [self.start_program(*command) for command in commands]
        for process in running:
            output = process.communicate(timeout=120)
            # A list may come before there is a store.
            self.assertIn(process.returncode, (0, 3) if process.args[1] == "list" else (0,), output)
        state = self.state()
        self.assertEqual(len(state), 6)
        self.assertEqual(len(self.active()), 1)
        self.assertEqual(len(self.check_store()), 18)
        # Now half of them go while somebody uses the others and installs the removed ones again.
        self.run_ok(*self.store("activate", "tester@1.5.0"))
        commands = [self.store("remove", f"tester@1.{i}.0") for i in range(3)]
        commands += [self.install(release) for release in releases[3:]]
        commands += [self.store("rollback", "tester", "--to", "1.5.0")] * 3
        running = [self.start_program(*command) for command in commands]
        for process in running:
            output = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, output)
        self.assertEqual(sorted(version for _, version in self.state()), ["1.3.0", "1.4.0", "1.5.0"])
        self.assertEqual(self.active(), ["tester@1.5.0"])
        self.assertEqual(len(self.check_store()), 18 + 1 + 9)
        self.check_no_rubbish()


class Loading(StoreTest):
    def setUp(self):
        super().setUp()
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])

    def generate(self, *more):
        return ["generate", "--model", MODEL, "--prompts", "p.jsonl", "-o", "out.jsonl",
                "--max-tokens", "6", "--force", "--json", "--store", "store", *more]

    def answer(self, *more):
        outcome = self.run_ok(*self.generate(*more))
        return self.read_lines("out.jsonl")[0]["response"], outcome

    def test_names_run_what_the_same_files_run(self):
        path = self.release()
        expected, _ = self.answer("--patch", path, "--key", "vendor.pub")
        unpatched, _ = self.answer()
        self.assertNotEqual(expected, unpatched)
        report = json.loads(self.run_ok(*self.install(path, "--json")).stdout)
        path.rename(self.dir / "gone")
        self.fails(3, r"found no active version", *self.generate("--patch", "tester"))
        self.run_ok(*self.store("activate", "tester"))
        for name in ("tester", "tester@1.0.0", f"tester@{report['digest']}"):
            answer, outcome = self.answer("--patch", name)
            self.assertEqual(answer, expected)
            self.assertNotIn("warning", outcome.stderr)
        self.answer("--patch", "tester", "--key", "vendor.pub")
        self.run_ok("keygen", "-o", "other")
        self.fails(5, r"found a signature by key",
                   *self.generate("--patch", "tester", "--key", "other.pub"))

    def running(self, *more):
        """Every command that runs the patch tester of the store."""
        more = ["--store", "store", "--patch", "tester", *more]
        return [self.generate("--patch", "tester", *more[4:]),
                ["chat", "--model", MODEL, *more],
                ["eval", "--model", MODEL, "--suite", "p.jsonl", "--expect", "refuse", "-o", "out",
                 *more]]

    def test_a_key_that_is_no_longer_trusted(self):
        self.run_ok(*self.install(self.release(), "--activate"))
        self.run_ok("keygen", "-o", "other")

        def policy(path, *keys):
            self.write(path, json.dumps({"schema": 1, "rules": [
                {"patches": ["*"], "keys": list(keys)}]}))

        # Where keys or a policy are named, they decide.
        policy("trust.json", "other.pub")
        for more in (["--key", "other.pub"], ["--trust", "trust.json"],
                     ["--trust", "trust.json", "--key", "vendor.pub"],
                     ["--key", "other.pub", "--allow-unsigned"]):
            for command in [*self.running(*more), self.store("inspect", "tester", *more)]:
                self.fails(5, r"found a signature by key|no rule lets sign it", *command)
        policy("trust.json", "vendor.pub", "other.pub")
        self.answer("--patch", "tester", "--trust", "trust.json")
        # A policy in the store holds for those that name none, and beside what others name.
        self.answer("--patch", "tester")
        self.write("store/keys/other.pub", (self.dir / "other.pub").read_bytes())
        policy("store/trust.json", "keys/other.pub")
        for more in ([], ["--key", "vendor.pub"], ["--allow-unsigned"]):
            for command in self.running(*more):
                self.fails(5, r"found a signature by key|no rule lets sign it", *command)
        # It is shown where nothing is run.
        [listed] = json.loads(self.run_ok(*self.store("list", "--json")).stdout)["patches"]
        self.assertFalse(listed["revoked"])
        for text in (listed["refused"],
                     json.loads(self.run_ok(*self.store("inspect", "tester", "--json")).stdout)["refused"]):
            self.assertIn("found a signature by key", text)
        for patch in ("tester", "./tester-1.0.0"):
            self.fails(5, r"no rule lets sign it", *self.store("verify", patch, "--key", "vendor.pub"))
        # One given by its path is no way round.
        for more in (["--key", "vendor.pub"], ["--allow-unsigned"]):
            self.fails(5, r"found a signature by key|no rule lets sign it",
                       *self.generate("--patch", "./tester-1.0.0", *more))
        self.fails(5, r"no rule", *self.install(self.release("1.1.0", 2), "--activate"))
        self.run_ok(*self.store("deactivate", "tester"))
        self.fails(5, r"found a signature by key", *self.store("activate", "tester"))
        self.fails(5, r"found a signature by key", *self.store("rollback", "tester"))
        # Signed again under the key that remains, the same patch runs, and without naming a key.
        self.run_ok("sign", "tester-1.0.0", "--key", "other.key", "--force")
        self.run_ok(*self.store("install", "tester-1.0.0", "--activate"))
        self.answer("--patch", "tester")
        self.answer("--patch", "./tester-1.0.0")
        (self.dir / "store/trust.json").write_text("{")
        self.fails(6, r"trust\.json", *self.generate("--patch", "./tester-1.0.0"))
        self.fails(6, r"trust\.json", *self.generate("--patch", "tester"))

    def test_what_is_nowhere_is_an_error_that_names_both_places(self):
        (self.dir / "out.jsonl").unlink(missing_ok=True)
        for name in ("tester", "tester@1.0.0", "tester.llmpatch", "Not a name"):
            with self.subTest(name):
                self.fails(3, r"found no such directory or file, and no such patch in the store",
                           *self.generate("--patch", name))
        self.run_ok(*self.install(self.release(name="another")))
        self.fails(3, r"found no such directory or file.*none of that name",
                   *self.generate("--patch", "tester"))
        self.fails(3, r"found no directory or file \./tester",
                   *self.generate("--patch", "./tester", "--allow-unsigned"))

    def test_a_path_comes_before_a_name(self):
        self.run_ok(*self.install(self.release(), "--activate"))
        (self.dir / "tester-1.0.0").rename(self.dir / "signed")
        self.make_patch("tester")
        # The directory, which is not signed, and not the patch of the store.
        outcome = self.fails(5, r"tester: found no signature", *self.generate("--patch", "tester"))
        shadowed = "warning: tester is the directory or file here, not the patch of the store"
        self.assertIn(shadowed, outcome.stderr)
        _, outcome = self.answer("--patch", "tester", "--allow-unsigned")
        self.assertIn(shadowed, outcome.stderr)
        self.assertIn(shadowed, self.run_ok(*self.store("inspect", "tester")).stderr)
        for patch in ("tester@1.0.0", "./tester"):
            _, outcome = self.answer("--patch", patch, "--allow-unsigned")
            self.assertNotIn(shadowed, outcome.stderr)

    def test_what_was_not_verified_is_said_again_in_every_output(self):
        self.run_ok(*self.store("install", self.release(sign=False), "--allow-unsigned",
                                "--activate"))
        self.fails(5, r"found no signature", *self.generate("--patch", "tester"))
        _, outcome = self.answer("--patch", "tester", "--allow-unsigned")
        self.assertIn("is not signed", outcome.stderr)
        self.assertIn("is not signed", json.loads(outcome.stdout)["warning"])

    def test_damaged_files_are_found(self):
        self.run_ok(*self.install(self.release(), "--activate"))
        for path in (self.dir / "store/blobs").iterdir():
            content = bytearray(path.read_bytes())
            content[0] ^= 1
            path.write_bytes(content)
        self.fails(4, r"found sha256", *self.generate("--patch", "tester", "--allow-unsigned"))
        outcome = self.run_ok(*self.install("tester-1.0.0", "--json"))
        report = json.loads(outcome.stdout)
        self.assertEqual((report["changed"], report["repaired"]), (True, 5))
        self.assertIn("done: repaired damaged files: 5", self.run_ok(*self.store("history")).stdout)
        self.answer("--patch", "tester")

    def test_requirements_hold_for_patches_that_run(self):
        self.run_ok(*self.install(self.release(name="base", version="1.4.0"), "--activate"))
        self.run_ok(*self.install(self.release(name="more", requires=["base"]), "--activate"))
        self.fails(7, r"patch more 1\.0\.0: requires base: found none",
                   *self.generate("--patch", "more"))
        self.answer("--patch", "base", "--patch", "more")

    def test_an_active_patch_that_has_expired_goes_on_with_a_warning(self):
        self.run_ok(*self.install(self.release(expires="2020-01-01T00:00:00Z"), "--activate",
                                  "--allow-expired"))
        _, outcome = self.answer("--patch", "tester")
        self.assertIn("warning: patch tester 1.0.0 expired at 2020-01-01T00:00:00Z", outcome.stderr)


if __name__ == "__main__":
    main()
