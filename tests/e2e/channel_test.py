"""Update channels: what the vendor publishes reaches the operator, what is revoked runs no more, and
who sits between them can only keep things away. One test for each attack that the TUF specification
names."""

import hashlib
import json
import os
import re
import shutil
import time

from channels import ChannelTest
from program import MODEL, main


def compact(content):
    return json.dumps(content, separators=(",", ":")).encode()


class Channel(ChannelTest):
    def setUp(self):
        super().setUp()
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])

    def generate(self, *more):
        return ["generate", "--model", MODEL, "--prompts", "p.jsonl", "-o", "out.jsonl",
                "--max-tokens", "4", "--force", "--json", "--store", "store", *more]

    def test_releases_reach_the_operator(self):
        site = self.start_site()
        self.publish_release("1.0.0", 1)
        self.subscribe(site.url)
        report = json.loads(self.update("--plain-http", "--json").stdout)
        [channel] = report["channels"]
        self.assertEqual((channel["channel"], channel["version"]), (site.url, 1))
        self.assertEqual([each["version"] for each in channel["installed"]], ["1.0.0"])
        self.run_ok(*self.generate("--patch", "tester"))
        self.assertIn("up to date", self.update("--plain-http").stderr)
        self.publish_release("1.1.0", 2)
        self.update("--plain-http")
        self.assertEqual(self.active(), ["tester@1.1.0"])
        self.check_no_rubbish()
        # The archive is what pack makes of the signed directory.
        self.run_ok("pack", "tester-1.1.0", "-o", "packed.llmpatch")
        [target] = (self.site / "targets").glob("*.tester-1.1.0.llmpatch")
        self.assertEqual(target.read_bytes(), (self.dir / "packed.llmpatch").read_bytes())

    def test_the_report_says_what_was_done_and_what_failed(self):
        self.publish_release("1.0.0", 1)
        self.subscribe()
        self.update()
        self.publish_release("1.1.0", 2)
        [archive] = (self.site / "targets").glob("*.tester-1.1.0.llmpatch")
        archive.unlink()
        self.revoke("1.0.0")
        outcome = self.run_program(*self.update_arguments("--json"))
        self.assert_error(outcome, 3, r"found no targets/")
        [channel] = json.loads(outcome.stdout)["channels"]
        self.assertEqual([each["patch"] for each in channel["revoked"]], ["patch tester 1.0.0"])
        [error] = channel["errors"]
        self.assertEqual(error["code"], 3)
        self.assertIn("found no targets/", error["message"])
        (self.site / "timestamp.json").unlink()
        outcome = self.run_program(*self.update_arguments("--json"))
        [channel] = json.loads(outcome.stdout)["channels"]
        self.assertEqual((channel["channel"], channel["errors"][0]["code"]), (str(self.site), 3))

    def test_a_folder_is_a_channel_too(self):
        self.publish_release()
        self.subscribe("site/")
        self.update("--install-only")
        self.assertEqual((list(self.state()), self.active()), ([("tester", "1.0.0")], []))
        report = json.loads(self.run_ok("channel", "list", "--store", "store", "--json").stdout)
        self.assertEqual(report[0]["channel"], str(self.site))
        self.assertEqual((report[0]["root"], report[0]["targets"]), (1, 1))
        self.run_ok("channel", "unsubscribe", "site", "--store", "store")
        self.fails(3, r"found no subscription", *self.update_arguments())

    def test_a_revoked_patch_is_replaced_and_then_refused_everywhere(self):
        self.subscribe()
        for number in (0, 1):
            self.publish_release(f"1.{number}.0", number + 1)
            self.update()
        self.revoke("1.1.0")
        outcome = self.update()
        self.assertIn("patch tester 1.1.0 was revoked by its maker", outcome.stderr)
        self.assertEqual(self.active(), ["tester@1.0.0"])
        self.run_ok(*self.generate("--patch", "tester"))
        words = r"patch tester 1\.1\.0: it was revoked by its maker"
        (self.dir / "out.jsonl").unlink()
        self.fails(12, words, *self.generate("--patch", "tester@1.1.0"))
        self.fails(12, words, *self.generate("--patch", "./tester-1.1.0", "--key", "vendor.pub"))
        self.fails(12, words, "chat", "--model", MODEL, "--store", "store", "--patch",
                   "tester@1.1.0")
        self.write("s.json", '{"name": "s", "prompts": "p.jsonl", "expect": "answer"}')
        self.fails(12, words, "eval", "--model", MODEL, "--store", "store", "--patch",
                   "tester@1.1.0", "--suite", "s.json", "-o", "evaluated")
        self.fails(12, words, *self.store("activate", "tester@1.1.0"))
        self.fails(12, words, *self.store("rollback", "tester"))
        self.fails(12, words, *self.install("tester-1.1.0"))

        self.revoke("1.0.0")
        outcome = self.update()
        self.assertIn("so none is active", outcome.stderr)
        self.assertEqual(self.active(), [])
        self.fails(12, r"patch tester 1\.0\.0: it was revoked by its maker",
                   *self.generate("--patch", "tester"))
        self.check_no_rubbish()
        history = self.run_ok("history", "tester", "--store", "store").stdout
        self.assertRegex(history, r"revoke tester 1\.1\.0 sha256:\w+ done: channel /")
        self.assertRegex(history, r"activate tester 1\.0\.0 .* in the place of 1\.1\.0, revoked")
        self.assertRegex(history, r"deactivate tester 1\.0\.0 .* revoked by channel")

    def test_what_is_revoked_or_expired_is_shown(self):
        self.subscribe()
        self.publish_release("1.0.0", 1, expires="2099-01-01T00:00:00Z")
        self.update()
        old = self.release("0.9.0", 1, expires="2001-01-01T00:00:00Z")
        self.run_ok(*self.install(old, "--allow-expired"))

        def listed():
            report = json.loads(self.run_ok(*self.store("list", "--json")).stdout)
            return {each["version"]: (each["revoked"], each["expired"], bool(each["refused"]))
                    for each in report["patches"]}

        def inspected(*patch):
            report = json.loads(self.run_ok(*self.store("inspect", *patch, "--json")).stdout)
            return report["revoked"], report["expired"], bool(report["refused"])

        key = ["--key", "vendor.pub"]
        self.assertEqual(listed(), {"1.0.0": (False, False, False), "0.9.0": (False, True, False)})
        self.assertEqual(inspected("tester@1.0.0"), (False, False, False))
        self.assertEqual(inspected("tester@0.9.0"), (False, True, False))
        outcome = self.run_ok(*self.store("verify", old, *key, "--json"))
        self.assertTrue(json.loads(outcome.stdout)["expired"])
        self.assertIn("patch tester 0.9.0 expired at 2001-01-01", outcome.stderr)
        self.assertIn("EXPIRED at 2001-01-01", self.run_ok(*self.store("list")).stdout)
        self.revoke("1.0.0")
        self.update()
        self.assertEqual(listed()["1.0.0"], (True, False, True))
        text = self.run_ok(*self.store("list")).stdout
        self.assertIn("tester 1.0.0, REVOKED", text)
        words = r"patch tester 1\.0\.0: it was revoked by its maker"
        self.assertRegex(text, r"refused: " + words)
        # From the store and from a directory, with a key and without one.
        for patch in (["tester@1.0.0"], ["./tester-1.0.0"], ["tester@1.0.0", *key]):
            self.assertEqual(inspected(*patch), (True, False, True))
        self.assertRegex(self.run_ok(*self.store("inspect", "tester@1.0.0")).stdout,
                         "refused   " + words)
        for patch in ("tester@1.0.0", "./tester-1.0.0"):
            self.fails(12, words, *self.store("verify", patch, *key))

    def test_a_patch_that_was_signed_again_is_fetched_again(self):
        path = self.publish_release()
        self.subscribe()
        self.update()
        self.run_ok("keygen", "-o", "next")
        self.run_ok("sign", path, "--key", "next.key", "--force")
        self.run_ok("channel", "add", "site", path, "--key", "next.pub")
        self.publish()
        self.refused(5, r"found a signature by key")
        report = json.loads(self.update("--key", "next.pub", "--json").stdout)["channels"][0]
        self.assertEqual(report["installed"], [])
        [renewed] = report["renewed"]
        hint = hashlib.sha256((self.dir / "next.pub").read_bytes()).hexdigest()
        self.assertEqual((renewed["version"], renewed["active"], renewed["signer"]["key"]),
                         ("1.0.0", True, hint))
        self.run_ok(*self.store("verify", "tester", "--key", "next.pub"))
        self.assertIn("up to date", self.update("--key", "next.pub").stderr)

    def test_a_fallback_that_was_never_installed_is_fetched(self):
        for number in (0, 1):
            self.publish_release(f"1.{number}.0", number + 1)
        self.subscribe()
        self.update()
        self.assertEqual(list(self.state()), [("tester", "1.1.0")])
        self.revoke("1.1.0")
        self.update()
        self.assertEqual(self.active(), ["tester@1.0.0"])

    def test_a_stack_runs_without_what_is_revoked_where_the_policy_says_so(self):
        self.publish_release()
        self.subscribe("site", "--on-revoke", "unpatched")
        self.update()
        self.revoke("1.0.0")
        self.update()
        outcome = self.run_ok(*self.generate("--patch", "tester"))
        for text in (outcome.stderr, json.loads(outcome.stdout)["warning"],
                     self.read_lines("out.jsonl")[0]["warning"]):
            self.assertIn("runs WITHOUT it", text)
        # That version itself is still refused.
        self.fails(12, r"it was revoked", *self.generate("--patch", "tester@1.0.0"))

    def refused(self, code, pattern, *more, within=20):
        """The update fails like that, and the store is as it was."""
        before, start = self.state(), time.monotonic()
        self.fails(code, pattern, *self.update_arguments("--plain-http", *more))
        self.assertLess(time.monotonic() - start, within)
        self.assertEqual(self.state(), before)

    def refused_for_its_bytes(self, path, other):
        """The file with other bytes than were pinned: as many, fewer, more. `other` is at most as long,
        and what fills it up means nothing in it."""
        honest = path.read_bytes()
        fill = b"\0" if path.name.endswith(".llmpatch") else b" "
        self.assertLessEqual(len(other), len(honest))
        other = other.ljust(len(honest), fill)
        name = re.escape(path.name)
        for content, code, words in [
                (other, 5, f"found sha256 {hashlib.sha256(other).hexdigest()}, expected "
                           f"{hashlib.sha256(honest).hexdigest()}$"),
                (honest[:-1], 5, f"found {len(honest) - 1} bytes, expected {len(honest)}$"),
                (honest + b" ", 9, f"found {len(honest) + 1} bytes, expected at most {len(honest)}$")]:
            path.write_bytes(content)
            self.refused(code, rf"{name}: {words}")
        path.write_bytes(honest)

    def test_arbitrary_installation(self):
        self.publish_release()
        self.subscribe()
        timestamp = self.served("timestamp.json")
        self.run_ok("keygen", "-o", "thief")
        forged = json.loads(self.sign(timestamp["signed"], "thief"))
        for change in (forged, {**timestamp, "signatures": []},
                       {**timestamp, "signed": {**timestamp["signed"], "version": 9}}):
            (self.site / "timestamp.json").write_text(json.dumps(change))
            self.refused(5, r"timestamp\.json: found valid signatures by 0 keys")
        # The channel's keys alone make no patch.
        (self.site / "timestamp.json").write_text(json.dumps(timestamp))
        self.fails(5, r"found a signature by key", "update", "--store", "store", "--key",
                   "thief.pub")
        self.fails(6, r"no key to check it with", "update", "--store", "store")

    def test_endless_data(self):
        site = self.start_site()
        self.publish_release()
        self.subscribe(site.url)

        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            try:
                while True:
                    handler.wfile.write(b" " * 65536)
            except OSError:
                pass

        [target] = [path.relative_to(self.site) for path in (self.site / "targets").iterdir()]
        for name in ("2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json",
                     str(target)):
            with self.subTest(name):
                site.pages = {name: endless}
                self.refused(9, r"found an answer of more than \d+ bytes")
        # A length that is not that of the file: too long, and too short.
        content = (self.site / target).read_bytes()
        site.pages = {str(target): lambda handler: handler.answer(200, content + b"x")}
        self.refused(9, r"found an answer of more than")
        site.pages = {str(target): lambda handler: handler.answer(200, content[:-1])}
        self.refused(5, rf"found {len(content) - 1} bytes, expected {len(content)}")
        site.pages = {}
        self.update("--plain-http")

    def test_extraneous_targets(self):
        self.publish_release("1.0.0", 1)
        self.subscribe()
        self.update()
        # A newer release, properly signed by the vendor, that the channel does not list.
        self.run_ok("pack", self.release("1.1.0", 2), "-o",
                    "site/targets/" + "0" * 64 + ".tester-1.1.0.llmpatch")
        self.update()
        self.assertEqual(list(self.state()), [("tester", "1.0.0")])
        targets = self.served("1.targets.json")
        listed = targets["signed"]["targets"].pop("tester-1.0.0.llmpatch")
        targets["signed"]["targets"]["tester-1.1.0.llmpatch"] = listed
        self.refused_for_its_bytes(self.site / "1.targets.json", compact(targets))
        self.assertEqual(list(self.state()), [("tester", "1.0.0")])

    def test_fast_forward_and_recovery(self):
        self.publish_release()
        self.subscribe()
        self.update()
        honest = self.served("timestamp.json")
        stolen = {**honest["signed"], "version": 2**31}
        (self.site / "timestamp.json").write_bytes(self.sign(stolen, "online"))
        self.update()
        (self.site / "timestamp.json").write_text(json.dumps(honest))
        self.publish_release("1.1.0", 2)
        self.refused(5, r"timestamp\.json: found version 2, and version 2147483648 was seen")
        self.run_ok("keygen", "-o", "online-2")
        self.run_ok("channel", "rotate", "site", "--timestamp", "online-2.pub", "--key",
                    "root.key")
        self.refused(5, r"timestamp\.json: found valid signatures by 0 keys")
        self.run_ok("channel", "refresh", "site", "--key", "online-2.key")
        self.update()
        self.assertEqual(self.active(), ["tester@1.1.0"])

    def test_indefinite_freeze(self):
        self.publish_release()
        self.subscribe()
        for name, keys in (("timestamp.json", ["online"]), ("1.snapshot.json", ["targets"]),
                           ("1.targets.json", ["targets"])):
            with self.subTest(name):
                old = (self.site / name).read_bytes()
                timestamp = (self.site / "timestamp.json").read_bytes()
                snapshot = (self.site / "1.snapshot.json").read_bytes()
                expired = {**json.loads(old)["signed"], "expires": "2020-01-01T00:00:00Z"}
                (self.site / name).write_bytes(self.sign(expired, *keys))
                self.pin_again(name)
                self.refused(5, r"found that it expired at 2020-01-01T00:00:00Z, and now is 2\d{3}")
                (self.site / name).write_bytes(old)
                (self.site / "1.snapshot.json").write_bytes(snapshot)
                (self.site / "timestamp.json").write_bytes(timestamp)
        self.update()

    def pin_again(self, name):
        """Signs what leads to `name`, so that its digest is no reason."""
        if name == "1.targets.json":
            body = self.served("1.snapshot.json")["signed"]
            body["meta"]["targets.json"] = {"version": 1}
            (self.site / "1.snapshot.json").write_bytes(self.sign(body, "targets"))
        if name != "timestamp.json":
            body = self.served("timestamp.json")["signed"]
            body["meta"]["snapshot.json"] = {"version": 1}
            (self.site / "timestamp.json").write_bytes(self.sign(body, "online"))

    def test_malicious_mirrors(self):
        self.publish_release()
        good = self.start_site()
        bad = self.start_site()
        bad.pages["timestamp.json"] = lambda handler: handler.answer(200, b"\x00garbage")
        self.subscribe(bad.url)
        self.refused(5, r"timestamp\.json: found a NUL byte")
        bad.pages["timestamp.json"] = lambda handler: handler.answer(404)
        self.refused(3, r"found no timestamp\.json")
        self.subscribe(bad.url, "--mirror", good.url, "--force")
        outcome = self.update("--plain-http", "--json")
        self.assertEqual(json.loads(outcome.stdout)["channels"][0]["place"], good.url)
        self.assertEqual(self.active(), ["tester@1.0.0"])

    def test_mix_and_match(self):
        self.publish_release("1.0.0", 1)
        self.subscribe()
        self.publish_release("1.1.0", 2)
        for name in ("snapshot", "targets"):
            with self.subTest(name):
                self.refused_for_its_bytes(self.site / f"2.{name}.json",
                                           compact(self.served(f"1.{name}.json")))
                self.assertEqual(self.state(), {})
        self.update()

    def test_rollback(self):
        self.publish_release("1.0.0", 1)
        shutil.copytree(self.site, self.dir / "old")
        self.run_ok("channel", "rotate", "site", "--key", "root.key")
        self.publish_release("1.1.0", 2)
        self.subscribe()
        self.update()
        new = self.site.rename(self.dir / "new")
        (self.dir / "old").rename(self.site)
        self.refused(5, r"timestamp\.json: found version 1, and version 2 was seen before")
        # Roots: the old one again in the place of the next.
        (self.site / "3.root.json").write_bytes((self.site / "1.root.json").read_bytes())
        self.refused(5, r"3\.root\.json: found version 1, expected version 3")
        (self.site / "3.root.json").unlink()
        # A new timestamp of the old snapshot, and a new snapshot of the old targets.
        body = json.loads((new / "timestamp.json").read_text())["signed"]
        body["version"], body["meta"]["snapshot.json"] = 3, {"version": 1}
        (self.site / "timestamp.json").write_bytes(self.sign(body, "online"))
        self.refused(5, r"found version 1 of snapshot\.json, and version 2 was seen before")
        body["meta"]["snapshot.json"] = {"version": 3}
        (self.site / "timestamp.json").write_bytes(self.sign(body, "online"))
        body = json.loads((new / "2.snapshot.json").read_text())["signed"]
        body["version"], body["meta"]["targets.json"] = 3, {"version": 1}
        (self.site / "3.snapshot.json").write_bytes(self.sign(body, "targets"))
        self.refused(5, r"found version 1 of targets\.json, and version 2 was seen before")

    def test_key_compromise(self):
        self.run_ok("keygen", "-o", "second")
        shutil.rmtree(self.site)
        self.run_ok("channel", "init", "site", "--root", "root.pub", "--root", "second.pub",
                    "--root-threshold", "2", "--targets", "targets.pub", "--targets", "second.pub",
                    "--targets-threshold", "2", "--snapshot", "online.pub", "--timestamp",
                    "online.pub", "--key", "root.key", "--key", "second.key")
        self.pinned.write_bytes((self.site / "1.root.json").read_bytes())
        self.run_ok("channel", "add", "site", self.release(), "--key", "vendor.pub")
        self.fails(2, r"too few of the private keys that speak for the role targets",
                   "channel", "publish", "site", "--key", "targets.key", "--key", "online.key")
        self.publish("--key", "second.key")
        self.subscribe()
        # One key of two; and one key twice.
        body = self.served("1.targets.json")["signed"]
        twice = json.loads(self.sign(body, "targets", "targets"))
        self.assertEqual(len(twice["signatures"]), 2)
        for content in (self.sign(body, "targets"), json.dumps(twice).encode()):
            whole = (self.site / "1.targets.json").read_bytes()
            (self.site / "1.targets.json").write_bytes(content)
            snapshot = self.served("1.snapshot.json")["signed"]
            snapshot["meta"]["targets.json"] = {"version": 1}
            (self.site / "1.snapshot.json").write_bytes(self.sign(snapshot, "online"))
            timestamp = self.served("timestamp.json")["signed"]
            timestamp["meta"]["snapshot.json"] = {"version": 1}
            (self.site / "timestamp.json").write_bytes(self.sign(timestamp, "online"))
            self.refused(5, r"by 1 keys of the role targets, expected 2")
            (self.site / "1.targets.json").write_bytes(whole)
        self.update()
        # A thief with one of two root keys.
        self.fails(2, r"the role root, expected 2 of", "channel", "rotate", "site", "--timestamp",
                   "second.pub", "--key", "root.key")

    def test_signatures_of_several_machines(self):
        for name in ("first", "second"):
            (self.dir / name).mkdir()
            self.run_ok("keygen", "-o", f"{name}/key")
        shutil.rmtree(self.site)
        keys = [part for role in ("root", "targets") for name in ("first", "second")
                for part in (f"--{role}", f"{name}/key.pub")]
        self.run_ok("channel", "init", "site", *keys, "--root-threshold", "2",
                    "--targets-threshold", "2", "--timestamp", "online.pub", "--key",
                    "first/key.key", "--collect")
        self.fails(2, "none of the private keys that speak for the role root", "channel", "sign",
                   "site", "--key", "online.key")
        outcome = self.run_ok("channel", "sign", "site", "--key", "second/key.key")
        self.assertRegex(outcome.stderr, r"to sign: root, version 1, expires 2\d{3}-")
        self.assertRegex(outcome.stderr, r"to sign: targets by 2 of \w{64} \w{64}\n")
        self.assertEqual(outcome.stdout, "site/1.root.json\n")
        self.pinned.write_bytes((self.site / "1.root.json").read_bytes())
        self.run_ok("channel", "add", "site", self.release(), "--key", "vendor.pub")
        self.run_ok("channel", "publish", "site", "--key", "first/key.key", "--collect")
        outcome = self.run_ok("channel", "sign", "site", "--key", "second/key.key")
        self.assertIn("to sign: tester 1.0.0, sha256:", outcome.stderr)
        self.fails(3, "found nothing that waits", "channel", "sign", "nowhere", "--key",
                   "online.key")
        # What took so long that it has expired is not published, however many have signed it.
        waiting = self.served("next.targets.json")
        expired = {**waiting["signed"], "expires": "2020-01-01T00:00:00Z"}
        self.write("site/next.targets.json", self.sign(expired, "first/key", "second/key"))
        pattern = r"next\.targets\.json: found that it expired at 2020-01-01T00:00:00Z"
        self.fails(12, pattern, "channel", "publish", "site", "--key", "second/key.key", "--key",
                   "online.key")
        self.fails(12, pattern, "channel", "sign", "site", "--key", "second/key.key")
        self.write("site/next.targets.json", json.dumps(waiting))
        self.run_ok("channel", "publish", "site", "--key", "second/key.key", "--key", "online.key")
        self.fails(3, "found nothing that waits", "channel", "sign", "site", "--key",
                   "second/key.key")
        self.subscribe()
        self.update()
        self.assertEqual(self.active(), ["tester@1.0.0"])

    def test_wrong_software(self):
        self.publish_release("1.0.0", 1)
        self.publish_release("1.1.0", 2)
        self.subscribe()
        [one] = (self.site / "targets").glob("*.tester-1.0.0.llmpatch")
        [two] = (self.site / "targets").glob("*.tester-1.1.0.llmpatch")
        self.refused_for_its_bytes(two, one.read_bytes())
        self.assertEqual(self.state(), {})
        self.update()

    def test_http_is_for_this_machine_alone(self):
        self.fails(12, r"found http, expected https", "channel", "subscribe",
                   "http://channel.example.com/patches", "--root", "pinned.json", "--store", "store")
        self.subscribe("http://127.0.0.1:1/patches")
        self.fails(12, r"found http, expected https", *self.update_arguments())

    def test_a_folder_that_is_not_there_is_warned_of(self):
        done = self.run_ok("channel", "subscribe", "nowhere", "--root", "pinned.json", "--store",
                           "store")
        self.assertIn("nowhere: found no such folder now", done.stderr)

    def test_one_key_for_all_is_warned_of(self):
        done = self.run_ok("channel", "init", "other", "--root", "root.pub", "--targets", "root.pub",
                           "--timestamp", "root.pub", "--key", "root.key")
        for role in "root", "targets":
            self.assertIn(f"and so is kept online, and {role} too", done.stderr)

    def test_a_pipe_in_a_channel_is_refused(self):
        self.publish_release()
        self.subscribe()
        (self.site / "timestamp.json").unlink()
        os.mkfifo(self.site / "timestamp.json")
        self.assert_error(self.run_program(*self.update_arguments()), 4,
                          r"timestamp\.json: found a directory or device")

    def test_mistakes(self):
        for pattern, code, *arguments in [
                (r"A subcommand is required", 2, "channel"),
                (r"--root is required", 2, "channel", "subscribe", "site"),
                (r"--key is required", 2, "channel", "publish", "site"),
                (r"pinned root", 3, "channel", "subscribe", "site", "--root", "no.json",
                 "--store", "store"),
                (r"root\.pub: found a key, expected the channel's 1\.root\.json", 5, "channel",
                 "subscribe", "site", "--root", "root.pub", "--store", "store"),
                (r"no\.pub", 3, "channel", "init", "other", "--root", "no.pub", "--targets",
                 "targets.pub", "--timestamp", "online.pub", "--key", "root.key"),
                (r"--on-revoke: found ignore", 2, "channel", "subscribe", "site", "--root",
                 "pinned.json", "--on-revoke", "ignore"),
                (r"found \"a@1\.0\.0\", expected a name", 2, "channel", "subscribe", "site",
                 "--root", "pinned.json", "--name", "a@1.0.0"),
                (r"expected NAME@VERSION", 2, "channel", "revoke", "site", "tester"),
                (r"found no such patch in the channel", 3, "channel", "revoke", "site",
                 "tester@9.0.0"),
                (r"found a channel there already", 11, "channel", "init", "site", "--root",
                 "root.pub", "--targets", "targets.pub", "--timestamp", "online.pub", "--key",
                 "root.key"),
                (r"timestamp: found 0 keys", 2, "channel", "init", "other", "--root", "root.pub",
                 "--targets", "targets.pub", "--key", "root.key"),
                (r"found no timestamp\.json", 3, "channel", "refresh", "site", "--key",
                 "online.key"),
                (r"found no folder", 3, "update", "--store", "nowhere")]:
            with self.subTest(arguments):
                self.fails(code, pattern, *arguments)
        self.subscribe()
        self.fails(11, r"found a subscription", "channel", "subscribe", "site", "--root",
                   "pinned.json", "--store", "store")


if __name__ == "__main__":
    main()
