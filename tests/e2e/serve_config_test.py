"""serve: options from a file, read anew on SIGHUP; certificates; the audit log; updates from a channel."""

import http.client
import json
import signal
import ssl
import subprocess

from channels import ChannelTest
from operations import Operation, until
from program import MODEL, main
from servers import MODEL_ID, SORRY, SPANISH, Server, text_of


class Reloading(Operation):
    def config(self, **options):
        return self.write("serve.json", json.dumps(options))

    def hang_up(self, server, outcome):
        """Sends SIGHUP and waits for the end of the reload that it brings; gives its lines."""
        def lines():
            return [line for line in server.log() if line["event"] == "reload"]
        before = len(lines())
        server.process.send_signal(signal.SIGHUP)
        self.assertTrue(until(lambda: [line for line in lines()[before:] if line["outcome"] == outcome]))
        return lines()[before:]


class Config(Reloading):
    def test_has_the_options_of_the_command_line(self):
        self.make_patch("spanish", SPANISH)
        self.config(**{"patch": ["./spanish"], "allow-unsigned": True, "store": "nowhere", "max-tokens": 5,
                       "model-name": "from-file", "stack": ["both=spanish:parallel"]})
        server = self.serve("--config", "serve.json", "--model-name", MODEL_ID)
        self.assertEqual(server.started["model"], MODEL_ID, "the command line wins")
        self.assertEqual(server.started["default_stack"], "spanish@1.0.0")
        self.assertEqual(server.chat(max_tokens=6).error, (400, "invalid_value", "max_tokens"))
        self.assertEqual(server.chat(max_tokens=1, model=f"{MODEL_ID}+both").json["llmpatch"],
                         {"patches": ["spanish@1.0.0"], "compose": "parallel"})

    def test_may_name_the_model(self):
        self.config(model=str(MODEL), store="nowhere", port=0, json=True)
        process = self.start_program("serve", "--config", "serve.json")
        line = process.stdout.readline()
        process.terminate()
        process.communicate(timeout=60)
        self.assertEqual(json.loads(line)["model"], MODEL_ID)
        self.assertEqual(process.returncode, 0)

    def test_is_refused_by_member(self):
        for options, said in [({"max_tokens": 1}, "unknown member"), ({"help": True}, "unknown member"),
                              ({"config": "x"}, "unknown member"), ({"watch": 1}, "watch: found"),
                              ({"max-queue": 1000000}, "--max-queue"), ({"max-queue": [1]}, "max-queue: found"),
                              ({"max-queue": "many"}, "--max-queue"), ({"stack": [1]}, "stack: found"),
                              ({"public": True}, "--public: found no --api-keys"), ([], "found no object")]:
            self.write("serve.json", json.dumps(options))
            outcome = self.run_program("serve", "--model", MODEL, "--port", 0, "--config", "serve.json")
            self.assert_error(outcome, 2, said)
        self.write("serve.json", "{")
        self.assert_error(self.run_program("serve", "--model", MODEL, "--config", "serve.json"), 2, "serve.json")
        self.assert_error(self.run_program("serve", "--model", MODEL, "--config", "none.json"), 3, "none.json")
        self.assert_error(self.run_program("serve", "--port", 0), 2, "--model")

    def test_is_read_anew(self):
        self.make_patch("spanish", SPANISH)
        self.make_patch("sorry", SORRY)
        base = {"allow-unsigned": True, "store": "nowhere"}
        self.config(patch=["./spanish"], **base)
        server = self.serve("--config", "serve.json")
        self.assertEqual(server.chat(patches=[]).error, (403, "unpatched_not_allowed", "patches"))
        self.key_file(alice={})
        self.config(patch=["./sorry"], **base, **{"max-tokens": 4, "allow-unpatched": True,
                                                  "api-keys": "keys.json", "max-queue": 3})
        self.hang_up(server, "done")
        self.assertEqual(server.chat(max_tokens=1).status, 401)
        self.assertEqual(server.chat(max_tokens=1, key="key-alice").headers["llmpatch-stack"], "sorry@1.0.0")
        self.assertEqual(server.chat(max_tokens=5, key="key-alice").error, (400, "invalid_value", "max_tokens"))
        self.assertEqual(server.chat(max_tokens=1, key="key-alice", patches=[]).status, 200)
        self.assertTrue(until(lambda: "--max-queue has changed" in "".join(server.stderr)))
        # What is no configuration changes nothing.
        self.write("serve.json", '{"patchs": []}')
        failed, *_ = self.hang_up(server, "failed")
        self.assertIn("patchs", failed["error"])
        self.assertEqual(server.chat(max_tokens=1, key="key-alice").headers["llmpatch-stack"], "sorry@1.0.0")

    def test_counts_as_a_whole_or_not_at_all(self):
        self.make_patch("spanish", SPANISH)
        self.make_patch("sorry", SORRY)
        base = {"allow-unsigned": True, "store": "nowhere"}
        self.config(patch=["./spanish"], **base)
        server = self.serve("--config", "serve.json")
        denied = (403, "unpatched_not_allowed", "patches")
        self.write("broken.json", "nothing")
        self.write("short.key", "short")
        for broken in ({"api-keys": "broken.json"}, {"admin-key-file": "short.key"},
                       {"patch": ["./sorry", "./missing"]}, {"key": ["missing.pub"]},
                       {"tls-certificate": "none.pem", "tls-key": "none.key"}, {"patchs": []},
                       {"stack": ["x=sorry+nobody"]}, {"stack": ["sorry=sorry"]}):
            with self.subTest(broken=broken):
                self.config(**{"patch": ["./sorry"], "allow-unpatched": True, "max-tokens": 4, **base, **broken})
                self.hang_up(server, "failed")
                self.assertEqual(server.chat(patches=[]).error, denied)
                self.assertEqual(server.get("/v1/patches").json["allow_unpatched"], False)
                self.assertEqual(server.chat(max_tokens=5).headers["llmpatch-stack"], "spanish@1.0.0")
        self.config(patch=["./sorry"], **base)
        self.hang_up(server, "done")
        self.assertEqual([line["outcome"] for line in server.log() if line["event"] == "reload"],
                         ["failed"] * 8 + ["done"])
        self.assertEqual(server.metric('llmpatch_reloads_total{outcome="failed"}'), 8)

    def test_a_named_stack_whose_patch_goes_does_not_hold_up_the_store(self):
        self.make_patch("spanish", SPANISH)
        self.make_patch("sorry", SORRY)
        for name in ("spanish", "sorry"):
            self.run_ok("install", name, "--store", "store", "--allow-unsigned", "--activate")
        self.config(store="store", stack=["x=sorry"], **{"allow-unsigned": True})
        server = self.serve("--config", "serve.json")
        self.run_ok("deactivate", "sorry", "--store", "store")
        self.hang_up(server, "done")
        self.assertEqual(server.chat(max_tokens=1).headers["llmpatch-stack"], "spanish@1.0.0")
        self.assertEqual(server.chat(model=f"{MODEL_ID}+x").status, 404)
        self.config(store="store", stack=["x=sorry", "y=sorry"], **{"allow-unsigned": True})
        failed, = self.hang_up(server, "failed")
        self.assertIn("--stack y", failed["error"])

    def test_cannot_open_a_server_with_keys_to_all(self):
        self.key_file(alice={})
        for reach in ({"public": True}, {}):
            with self.subTest(reach=reach):
                self.config(store="nowhere", **reach, **{"api-keys": "keys.json", "allow-unpatched": True})
                server = self.serve("--config", "serve.json")
                self.config(store="nowhere")
                failed, = self.hang_up(server, "failed")
                self.assertIn("API keys: found none", failed["error"])
                self.assertEqual(server.chat(max_tokens=1).status, 401)
                self.assertEqual(server.chat(max_tokens=1, key="key-alice").status, 200)

    def test_may_take_back_keys_that_it_was_not_started_with(self):
        self.config(store="nowhere", **{"allow-unpatched": True})
        server = self.serve("--config", "serve.json")
        self.key_file(alice={})
        self.config(store="nowhere", **{"allow-unpatched": True, "api-keys": "keys.json"})
        self.hang_up(server, "done")
        self.assertEqual(server.chat(max_tokens=1).status, 401)
        self.config(store="nowhere", **{"allow-unpatched": True})
        self.hang_up(server, "done")
        self.assertEqual(server.chat(max_tokens=1).status, 200)


class Certificates(Reloading):
    def make(self, name):
        self.run_tool("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", "tls.key", "-out", "tls.pem", "-days", "2", "-subj", f"/CN={name}")

    def run_tool(self, *command):
        subprocess.run(command, cwd=self.dir, check=True, capture_output=True)

    def served_name(self, server):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=30)
        connection.request("GET", "/health")
        self.assertEqual(connection.getresponse().status, 200)
        der = connection.sock.getpeercert(binary_form=True)
        connection.close()
        return [name for name in ("first", "second") if name.encode() in der]

    def test_are_read_anew(self):
        self.make("first")
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--tls-certificate", "tls.pem", "--tls-key", "tls.key")
        self.assertEqual(self.served_name(server), ["first"])
        self.make("second")
        self.hang_up(server, "done")
        self.assertEqual(self.served_name(server), ["second"])
        self.write("tls.pem", "none")
        failed, *_ = self.hang_up(server, "failed")
        self.assertIn("TLS", failed["error"])
        self.assertEqual(self.served_name(server), ["second"])


class Audit(Reloading):
    def test_judges_look_at_answers(self):
        self.make_patch("sorry", SORRY)
        server = self.serve("--patch", "./sorry", "--allow-unsigned", "--store", "nowhere", "--allow-unpatched",
                            "--audit-judge", "refusal", "--audit-judge", "degenerate", "--audit-log", "audit.jsonl")
        asked = server.chat(max_tokens=6)
        streamed = server.chat(max_tokens=6, stream=True, patches=[])
        self.assertEqual((asked.status, streamed.status), (200, 200))

        def judged():
            lines = [line for line in self.read_lines("audit.jsonl") if line["event"] == "judged"]
            return lines if len(lines) == 4 else None
        lines = until(judged)
        self.assertEqual({(line["judge"], *line["patches"]) for line in lines},
                         {("refusal", "sorry@1.0.0"), ("degenerate", "sorry@1.0.0"),
                          ("refusal",), ("degenerate",)})
        for line in lines:
            self.assertIn(line["verdict"], ["refused", "answered"] if line["judge"] == "refusal"
                          else ["safe", "flagged"])
            self.assertEqual(server.metric('llmpatch_judged_total{judge="%s",patch="%s",verdict="%s"}' % (
                line["judge"], line["patches"][0] if line["patches"] else "none", line["verdict"])), 1)
        self.assertEqual((self.dir / "audit.jsonl").stat().st_mode & 0o777, 0o600)
        # Texts are nowhere unless that was asked for.
        text = text_of(asked)
        self.assertNotIn(text, (self.dir / "audit.jsonl").read_text())
        self.assertNotIn(text, "".join(server.stderr))

    def test_may_have_the_text(self):
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--audit-log", "audit.jsonl", "--audit-text")
        answers = [server.chat(max_tokens=6), server.complete()]
        self.assertEqual(server.stop(), 0)
        lines = [line for line in self.read_lines("audit.jsonl") if line["event"] == "text"]
        self.assertEqual([(line["id"], line["prompt"], line["response"]) for line in lines],
                         [(answers[0].json["id"], "Say something.", text_of(answers[0])),
                          (answers[1].json["id"], "Once upon a time", answers[1].json["choices"][0]["text"])])
        self.assertNotIn("Once upon", "".join(server.stderr))

    def test_is_opened_anew(self):
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--audit-log", "audit.jsonl")
        server.complete(max_tokens=1)
        (self.dir / "audit.jsonl").rename(self.dir / "old.jsonl")
        self.hang_up(server, "done")
        second = server.complete(max_tokens=1)
        self.assertEqual(server.stop(), 0)
        old, new = self.read_lines("old.jsonl"), self.read_lines("audit.jsonl")
        self.assertEqual([line["event"] for line in old][:1], ["request"])
        self.assertIn(second.json["id"], [line.get("id") for line in new])
        self.assertNotIn(second.json["id"], [line.get("id") for line in old])

    def test_keeps_lines_until_they_can_be_written(self):
        path = self.dir / "audit.jsonl"
        path.symlink_to("/dev/full")
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--audit-log", "audit.jsonl")
        answers = [server.complete(max_tokens=1) for _ in range(3)]
        self.assertTrue(until(lambda: server.metric("llmpatch_audit_failing") == 1))
        path.unlink()
        self.hang_up(server, "done")
        self.assertTrue(until(lambda: server.metric("llmpatch_audit_failing") == 0))
        answers.append(server.complete(max_tokens=1))
        self.assertEqual([answer.status for answer in answers], [200] * 4)
        self.assertEqual(server.stop(), 0)
        self.assertEqual([line["id"] for line in self.read_lines("audit.jsonl") if line["event"] == "request"],
                         [answer.json["id"] for answer in answers])
        failed, recovered = [line for line in server.log() if line["event"].startswith("audit_")]
        self.assertEqual((failed["event"], recovered["event"]), ("audit_failed", "audit_recovered"))
        self.assertIn("No space left on device", failed["reason"])
        self.assertNotIn("LOG ERROR", "".join(server.stderr))  # as the library would say it, in no JSON

    def test_says_what_it_could_not_write(self):
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--audit-log", "/dev/full")
        self.assertEqual([server.complete(max_tokens=1).status for _ in range(2)], [200, 200])
        self.assertEqual(server.stop(), 0)
        self.assertEqual([(line["event"], line.get("lines")) for line in server.log()
                          if line["event"].startswith("audit_")],
                         [("audit_failed", None), ("audit_lost", 2)])

    def test_is_refused_where_it_makes_no_sense(self):
        for code, said, *options in [(2, "--audit-text: found no --audit-log", "--audit-text"),
                                     (3, "kindness", "--audit-judge", "kindness")]:
            outcome = self.run_program("serve", "--model", MODEL, "--port", 0, "--store", "nowhere", *options)
            self.assert_error(outcome, code, said)


class Update(ChannelTest):
    def serve(self, *args):
        server = Server(self.dir, "--store", "store", "--key", "vendor.pub", "--force", *args)
        self.addCleanup(server.stop)
        return server

    def test_news_of_a_channel_are_served(self):
        self.publish_release("1.0.0", 1)
        self.subscribe()
        server = self.serve("--update", 1)
        stack = lambda: server.chat(max_tokens=1).headers["llmpatch-stack"]
        self.assertTrue(until(lambda: stack() == "tester@1.0.0"))
        # A request that runs finishes on the stack it began with.
        connection = server.connect()
        connection.request("POST", "/v1/completions", json.dumps(
            {"model": MODEL_ID, "prompt": "One, two, three,", "max_tokens": 3000, "stream": True,
             "logit_bias": {"0": -100, "2": -100}}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        self.assertEqual((response.status, response.headers["llmpatch-stack"]), (200, "tester@1.0.0"))
        self.publish_release("1.1.0", 2)
        self.assertTrue(until(lambda: stack() == "tester@1.1.0"))
        self.assertTrue(response.read(64))
        connection.sock.close()
        connection.close()
        self.assertEqual(self.active(), ["tester@1.1.0"])
        # What is revoked runs no more; the newest that is not takes its place.
        self.revoke("1.1.0")
        self.assertTrue(until(lambda: stack() == "tester@1.0.0"))
        self.assertGreaterEqual(server.metric('llmpatch_updates_total{outcome="done"}'), 3)
        news = [line for line in server.log() if line["event"] == "update"]
        self.assertEqual([line["installed"] for line in news], [["tester@1.0.0"], ["tester@1.1.0"], []])
        # A channel that is away is said once, and changes nothing.
        (self.site / "timestamp.json").rename(self.dir / "away.json")
        self.assertTrue(until(lambda: (server.metric('llmpatch_updates_total{outcome="failed"}') or 0) >= 2))
        failures = [line for line in server.log() if line["event"] == "update" and line["outcome"] == "failed"]
        self.assertEqual([line["channel"] for line in failures], [str(self.site)])
        self.assertEqual(stack(), "tester@1.0.0")
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    main()
