"""serve: keys, patches that change while requests run, limits, and how it starts and ends."""

import http.client
import json
import shutil
import signal
import socket
import threading

from operations import ADMIN, Operation, until
from program import MODEL, main
from servers import MODEL_ID, SORRY, SPANISH, text_of
from stores import StoreTest


class Keys(Operation):
    def test_decide_who_may_run_what(self):
        self.make_patch("spanish", SPANISH)
        self.make_patch("sorry", SORRY)
        self.key_file(alice={}, bob={"patches": ["spanish"], "unpatched": True}, carol={"patches": ["x*"]})
        self.admin_file()
        server = self.serve("--patch", "./spanish", "--patch", "./sorry", "--allow-unsigned",
                            "--store", "nowhere", "--api-keys", "keys.json",
                            "--admin-key-file", "admin.key")
        for key in [None, "", "key-nobody", "KEY-alice", "key-alice,"]:
            answer = server.chat(key=key)
            self.assertEqual(answer.error, (401, "invalid_api_key", None), key)
            self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
        for path in ["/v1/models", "/v1/patches", "/metrics"]:
            self.assertEqual(server.get(path).error, (401, "invalid_api_key", None), path)
        for path in ["/health", "/ready", "/openapi.json"]:
            self.assertEqual(server.get(path).status, 200, path)
        denied = (403, "patch_not_allowed", "patches")
        self.assertEqual(server.chat(key="key-alice").status, 200)
        self.assertEqual(server.chat(key="key-bob").error, denied)
        self.assertEqual(server.chat(key="key-bob", patches=["spanish"]).status, 200)
        self.assertEqual(server.chat(key="key-bob", patches=["sorry"]).error, denied)
        # What a key may not run, it does not learn of either.
        for unknown in ["sorry@9.9.9", "nobody", "nobody@1.0.0"]:
            answer = server.chat(key="key-bob", patches=[unknown])
            self.assertEqual(answer.error, denied)
            self.assertEqual(answer.body, server.chat(key="key-bob", patches=["sorry"]).body)
        self.assertEqual(server.chat(key="key-bob", model=f"{MODEL_ID}+sorry").error, denied)
        self.assertEqual(server.chat(key="key-bob", patches=[]).status, 200)
        self.assertEqual([server.get("/v1/patches", key=key).json["allow_unpatched"]
                          for key in ("key-alice", "key-bob", ADMIN)], [False, True, True])
        self.assertEqual(server.chat(key="key-alice", patches=[]).error,
                         (403, "unpatched_not_allowed", "patches"))
        self.assertEqual(server.chat(key=ADMIN, patches=[]).status, 200)
        self.assertEqual(server.post("/v1/patches", {}, key="key-alice").error,
                         (403, "invalid_admin_key", None))
        models = server.get("/v1/models", key="key-bob").json["data"]
        self.assertEqual([model["id"] for model in models],
                         [MODEL_ID, f"{MODEL_ID}+spanish@1.0.0"])
        self.assertEqual([patch["name"] for patch in server.get("/v1/patches", key="key-bob").json["data"]],
                         ["spanish"])
        self.assertNotIn("sorry", server.get("/v1/patches", key="key-bob").body.decode())
        self.assertIn("sorry", server.get("/v1/patches", key="key-alice").body.decode())
        # Nor is a key shown how patches are used that it may not run.
        self.assertEqual(server.chat(key="key-alice", patches=["sorry", "spanish"]).status, 200)
        for key, shown in [("key-alice", True), (ADMIN, True), ("key-bob", False)]:
            text = server.get("/metrics", key=key).body.decode()
            self.assertEqual("sorry" in text, shown, key)
            for line in ['llmpatch_tokens_total{kind="generated",patch="spanish@1.0.0"}',
                         'llmpatch_patch_state{patch="spanish",state="ready",version="1.0.0"}']:
                self.assertIn(line, text, key)
        keys = [line["key"] for line in server.log() if line.get("status") == 200]
        self.assertIn("bob", keys)
        self.assertNotIn("key-bob", "".join(server.stderr))

        # SIGHUP: the keys of the file as it is now; a file that is none changes nothing.
        self.key_file(dave={})
        server.process.send_signal(signal.SIGHUP)
        self.assertTrue(until(lambda: server.get("/v1/models", key="key-dave").status == 200))
        self.assertEqual(server.get("/v1/models", key="key-alice").status, 401)
        self.write("keys.json", "nothing")
        server.process.send_signal(signal.SIGHUP)
        self.assertTrue(until(lambda: [line for line in server.log()
                                       if line.get("outcome") == "failed"]))
        self.assertEqual(server.get("/v1/models", key="key-dave").status, 200)


class Unpatched(Operation):
    def test_is_the_operators_to_allow(self):
        self.make_patch("spanish", SPANISH)
        server = self.serve("--patch", "./spanish", "--allow-unsigned", "--store", "nowhere")
        self.assertEqual(server.chat(patches=[]).error, (403, "unpatched_not_allowed", "patches"))
        self.assertEqual(server.chat(key="anything").headers["llmpatch-stack"], "spanish@1.0.0")
        # The base model's id is no way round.
        self.assertEqual(server.chat(model=MODEL_ID).headers["llmpatch-stack"], "spanish@1.0.0")


class Swap(StoreTest, Operation):
    """Patches change while requests run."""

    def releases(self):
        first = self.release("1.0.0", 1)
        made = self.make_patch("other", SORRY)
        second = self.dir / "tester-1.1.0"
        made.rename(second)
        content = json.loads((second / "manifest.json").read_text())
        content.update(name="tester", version="1.1.0", sequence=2)
        (second / "manifest.json").write_text(json.dumps(content))
        self.run_ok("sign", second, "--key", "vendor.key")
        return first, second

    def test_happens_between_requests_and_drops_none(self):
        first, second = self.releases()
        self.run_ok(*self.install(first, "--activate"))
        self.admin_file()
        server = self.serve("--store", "store", "--key", "vendor.pub", "--kv", "f32",
                            "--admin-key-file", "admin.key")
        self.assertEqual(server.started["default_stack"], "tester@1.0.0")

        def change(method, path, body=None):
            answer = server.request(method, path, body, key=ADMIN)
            self.assertEqual(answer.status, 200, answer.body)
            return answer.json

        done = change("POST", "/v1/patches", {"source": str(second)})
        self.assertTrue(done["changed"])
        self.assertEqual((done["patch"]["version"], done["patch"]["active"]), ("1.1.0", False))
        self.assertEqual(server.chat().headers["llmpatch-stack"], "tester@1.0.0")
        solo = {version: text_of(server.chat(patches=[f"tester@{version}"]))
                for version in ("1.0.0", "1.1.0")}
        self.assertNotEqual(solo["1.0.0"], solo["1.1.0"])
        # A range means the active version, if that is in it.
        self.assertEqual(text_of(server.chat(patches=["tester@^1"])), solo["1.0.0"])
        self.assertEqual(text_of(server.chat(patches=["tester@^1.1"])), solo["1.1.0"])

        stop, answers = threading.Event(), []

        def ask():
            while not stop.is_set():
                answers.append(server.chat(patches=["tester"], stream=True))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for i in range(6):
            if i % 2 == 0:
                change("POST", "/v1/patches/tester/activate", {"version": "1.1.0"})
            else:
                change("POST", "/v1/patches/tester/rollback")
            # From the answer on, new requests run on the new state.
            expected = "tester@1.1.0" if i % 2 == 0 else "tester@1.0.0"
            self.assertEqual(server.chat().headers["llmpatch-stack"], expected)
        stop.set()
        for thread in threads:
            thread.join()
        seen = set()
        for answer in answers:
            self.assertEqual(answer.status, 200, answer.body)
            stack = answer.headers["llmpatch-stack"]
            seen.add(stack)
            *events, last = answer.events
            self.assertEqual(last, "[DONE]")
            text = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
            self.assertEqual(text, solo[stack.split("@")[1]], stack)
        self.assertTrue(seen)

        history = server.get("/v1/patches/tester/history").json["data"]
        self.assertEqual([entry["operation"] for entry in history[:3]], ["install", "activate", "install"])
        self.assertIn("serve: admin@127.0.0.1", [entry["who"] for entry in history])
        listed = server.get("/v1/patches").json
        self.assertTrue(listed["admin"])
        self.assertEqual({patch["version"]: patch["active"] for patch in listed["data"]},
                         {"1.0.0": True, "1.1.0": False})
        self.assertEqual(listed["data"][0]["signer"]["subject"], None)
        change("DELETE", "/v1/patches/tester/1.1.0")
        self.assertEqual(server.chat(patches=["tester@1.1.0"]).error,
                         (404, "patch_not_found", "patches"))
        self.assertEqual(server.request("DELETE", "/v1/patches/tester/1.0.0", key=ADMIN).error,
                         (403, "denied", None))
        change("POST", "/v1/patches/tester/deactivate", {})
        self.assertEqual(server.chat(patches=["tester"]).error, (404, "patch_not_found", "patches"))
        self.assertEqual(server.chat().error, (503, "no_active_patch", None))
        self.assertEqual(server.get("/ready").status, 503)
        self.assertIn("no patch is active", server.get("/v1/patches").json["default"]["error"])
        change("POST", "/v1/patches/tester/activate", {"version": "1.0.0"})
        self.assertEqual(server.chat().status, 200)
        self.assertEqual(server.stop(), 0)

    def test_lets_only_in_what_verifies(self):
        first, _ = self.releases()
        self.admin_file()
        server = self.serve("--store", "store", "--key", "vendor.pub", "--admin-key-file", "admin.key")
        install = lambda source, **more: server.post("/v1/patches", {"source": str(source), **more},
                                                     key=ADMIN)
        unsigned = self.release("2.0.0", 3, sign=False)
        self.assertEqual(install(unsigned).error, (403, "patch_untrusted", None))
        self.assertEqual(install(self.dir / "missing").error, (404, "not_found", None))
        self.assertEqual(install(first, speed=1).error, (400, "unknown_parameter", "speed"))
        self.assertEqual(server.post("/v1/patches", {}, key=ADMIN).error,
                         (400, "missing_parameter", "source"))
        self.assertEqual(server.chat(patches=["tester"]).error, (404, "patch_not_found", "patches"))
        self.assertEqual(install(first, activate=True).status, 200)
        self.assertEqual(server.chat().headers["llmpatch-stack"], "tester@1.0.0")
        self.assertFalse(install(first).json["changed"])
        self.assertEqual(server.post("/v1/patches/tester/activate", {"version": "x"}, key=ADMIN).error,
                         (400, "invalid_value", "version"))
        self.assertEqual(server.post("/v1/patches/tester/activate", {"version": "9.0.0"}, key=ADMIN).error,
                         (404, "not_found", None))

    def test_watches_the_store(self):
        first, second = self.releases()
        self.run_ok(*self.install(first, "--activate"))
        server = self.serve("--store", "store", "--key", "vendor.pub", "--watch")
        self.run_ok(*self.install(second, "--activate"))
        self.assertTrue(until(
            lambda: server.chat(max_tokens=1).headers["llmpatch-stack"] == "tester@1.1.0"))

    def test_a_store_out_of_sight_changes_nothing(self):
        first, _ = self.releases()
        self.run_ok(*self.install(first, "--activate"))
        server = self.serve("--store", "store", "--key", "vendor.pub", "--watch", "--allow-unpatched")
        (self.dir / "store").rename(self.dir / "away")
        self.assertTrue(until(lambda: [line for line in server.log() if line.get("outcome") == "failed"]))
        self.assertEqual(server.chat().headers["llmpatch-stack"], "tester@1.0.0")
        (self.dir / "away").rename(self.dir / "store")
        server.process.send_signal(signal.SIGHUP)
        self.assertTrue(until(lambda: [line for line in server.log() if line.get("outcome") == "done"]))
        self.assertEqual(server.chat().headers["llmpatch-stack"], "tester@1.0.0")

    def test_a_patch_that_is_not_trusted_any_more_runs_in_no_request(self):
        first, _ = self.releases()
        self.run_ok(*self.install(first, "--activate"))
        self.run_ok("keygen", "-o", "stranger")
        server = self.serve("--store", "store", "--key", "vendor.pub")
        self.assertEqual(server.get("/ready").status, 200)
        shutil.copy(self.dir / "stranger.pub", self.dir / "vendor.pub")
        server.process.send_signal(signal.SIGHUP)
        self.assertTrue(until(lambda: server.get("/ready").status == 503))
        self.assertEqual(server.chat().error, (403, "patch_untrusted", None))
        patch, = server.get("/v1/patches").json["data"]
        self.assertEqual(patch["state"], "failed")
        self.assertTrue(patch["error"])
        self.assertEqual(server.metric(
            'llmpatch_patch_state{patch="tester",state="failed",version="1.0.0"}'), 1)


class Limits(Operation):
    def long_stream(self, server):
        """A stream that goes on until somebody ends it, and its first bytes."""
        connection = server.connect()
        connection.request("POST", "/v1/completions", json.dumps(
            {"model": MODEL_ID, "prompt": "One, two, three,", "max_tokens": 3000, "stream": True,
             "logit_bias": {"0": -100, "2": -100}}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        return connection, response, response.read(64)

    def test_a_full_queue_says_when_to_come_again(self):
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--max-concurrent", 1, "--max-queue", 1)
        connection, _, _ = self.long_stream(server)
        waiting = server.connect()
        waiting.request("POST", "/v1/completions", json.dumps(
            {"model": MODEL_ID, "prompt": "x", "max_tokens": 1}), {"Content-Type": "application/json"})
        self.assertTrue(until(lambda: server.metric("llmpatch_requests_waiting") == 1))
        refused = server.complete()
        self.assertEqual(refused.error, (429, "queue_full", None))
        self.assertGreaterEqual(int(refused.headers["Retry-After"]), 1)
        # The client goes, and the one that waits is served.
        connection.sock.close()
        connection.close()
        self.assertEqual(waiting.getresponse().status, 200)
        self.assertTrue(until(lambda: server.metric("llmpatch_requests_running") == 0))
        self.assertTrue(until(lambda: [line for line in server.log() if line.get("status") == 499]))

    def test_a_request_has_its_time(self):
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--request-timeout", 1)
        answer = server.complete(max_tokens=4000, logit_bias={"0": -100, "2": -100})
        self.assertEqual(answer.error, (504, "deadline", None))
        _, response, _ = self.long_stream(server)
        *_, event, last = [line for line in response.read().decode().split("\n\n") if line]
        self.assertEqual(last, "data: [DONE]")
        self.assertEqual(json.loads(event[len("data: "):])["error"]["code"], "deadline")

    def test_finishes_what_runs_before_it_ends(self):
        server = self.serve("--store", "nowhere", "--allow-unpatched")
        connection = server.connect()
        connection.request("POST", "/v1/completions", json.dumps(
            {"model": MODEL_ID, "prompt": "One, two, three,", "max_tokens": 60, "stream": True,
             "logit_bias": {"0": -100, "2": -100}}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        begin = response.read(64)
        server.process.send_signal(signal.SIGTERM)
        body = begin + response.read()
        self.assertTrue(body.endswith(b"data: [DONE]\n\n"))
        self.assertEqual(body.count(b'"finish_reason":"length"'), 1)
        self.assertEqual(server.process.wait(timeout=60), 0)  # a second signal would end it at once
        with self.assertRaises(OSError):
            server.get("/health")

    def test_says_that_it_is_alive_while_it_ends(self):
        server = self.serve("--store", "nowhere", "--allow-unpatched")
        stream, _, _ = held = self.long_stream(server)
        # Two requests, of which the second is not whole: its connection is kept for it.
        begin = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
        client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        client.sendall(begin + b"\r\n" + begin)
        answers = b""
        while not answers.endswith(b"}"):
            answers += client.recv(4096)

        def ends():
            try:
                socket.create_connection(("127.0.0.1", server.port)).close()
                return False
            except OSError:
                return True
        server.process.send_signal(signal.SIGTERM)
        self.assertTrue(until(ends))
        client.sendall(b"\r\n")
        while more := client.recv(4096):
            answers += more
        self.assertEqual(answers.count(b"HTTP/1.1 200 "), 2, answers)
        self.assertEqual(answers.count(b'{"status":"ok"}'), 2, answers)
        client.close()
        del held
        stream.sock.close()
        stream.close()
        self.assertEqual(server.process.wait(timeout=60), 0)

    def test_says_of_what_there_are_too_many(self):
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--max-connections", 1)
        first = server.connect()
        first.request("GET", "/health")
        self.assertEqual(first.getresponse().read(), b'{"status":"ok"}')
        refused = server.get("/health")
        self.assertEqual(refused.error, (503, "too_many_connections", None))
        self.assertEqual(refused.headers["Retry-After"], "1")
        first.close()

    def test_audits_what_was_sent_of_an_answer_that_was_cut(self):
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--audit-log", "audit.jsonl", "--audit-text",
                            "--audit-judge", "degenerate", "--request-timeout", 1)

        def audited(event, count):
            lines = [line for line in self.read_lines("audit.jsonl") if line["event"] == event]
            return lines if len(lines) == count else None
        connection, _, _ = self.long_stream(server)
        connection.sock.close()
        connection.close()
        self.assertTrue(until(lambda: audited("text", 1)))
        _, response, begin = self.long_stream(server)
        events = [event for event in (begin + response.read()).decode().split("\n\n") if event]
        self.assertEqual(events.pop(), "data: [DONE]")
        *pieces, error = [json.loads(event[len("data: "):]) for event in events]
        self.assertEqual(error["error"]["code"], "deadline")
        left, late = until(lambda: audited("text", 2))
        self.assertEqual((left["cut"], late["cut"]), (True, True))
        self.assertEqual(late["response"], "".join(piece["choices"][0]["text"] for piece in pieces))
        self.assertEqual(late["prompt"], "One, two, three,")
        self.assertTrue(left["response"])
        self.assertEqual([line["id"] for line in until(lambda: audited("judged", 2))],
                         [left["id"], late["id"]])
        # Of an answer that is no stream nothing was sent.
        answer = server.complete(max_tokens=4000, logit_bias={"0": -100, "2": -100})
        self.assertEqual(answer.error, (504, "deadline", None))
        self.assertEqual(server.stop(), 0)
        self.assertTrue(audited("text", 2))

    def test_cancels_what_runs_too_long(self):
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--drain-timeout", 0)
        _, response, _ = self.long_stream(server)
        server.process.send_signal(signal.SIGINT)
        try:
            rest = response.read()
            self.assertIn(b"shutting_down", rest)
        except http.client.HTTPException:
            pass  # the connection was cut before the last event
        self.assertEqual(server.process.wait(timeout=60), 0)


class Start(Operation):
    def refuses(self, code, pattern, *args):
        outcome = self.run_program("serve", "--model", MODEL, "--port", 0, "--store", "nowhere", *args)
        self.assert_error(outcome, code, pattern)
        self.assertEqual(outcome.stdout, "")

    def test_refuses_to_be_open_by_mistake(self):
        self.refuses(2, "--host: found 0.0.0.0", "--host", "0.0.0.0")
        self.refuses(2, "--host: found 127.example.com", "--host", "127.example.com")
        self.refuses(2, "--public: found no --api-keys", "--public")
        self.refuses(2, "--tls-certificate: expected --tls-key", "--tls-certificate", "c.pem")
        self.admin_file().chmod(0o644)
        self.refuses(12, "others may read it", "--admin-key-file", "admin.key")
        self.refuses(3, "API keys", "--api-keys", "missing.json")
        self.refuses(2, "stack \"safe\"", "--stack", "safe")
        self.refuses(2, "--stack: found the name", "--stack", "a=b", "--stack", "a=c")
        self.refuses(2, "--model-name", "--model-name", "a+b")

    def test_refuses_a_stack_with_the_name_of_a_patch(self):
        self.make_patch("spanish", SPANISH)
        self.refuses(2, "--stack spanish: found a patch of that name", "--patch", "./spanish",
                     "--allow-unsigned", "--stack", "spanish=spanish")

    def test_serves_nothing_until_a_patch_is_active(self):
        server = self.serve("--store", "nowhere")
        self.assertIn("no patch is active", server.started["default_stack"])
        self.assertEqual(server.chat().error, (503, "no_active_patch", None))
        self.assertEqual(server.get("/ready").status, 503)

    def test_refuses_more_at_once_than_the_engine_takes_before_it_loads(self):
        outcome = self.run_program("serve", "--model", "missing.gguf", "--max-concurrent", 193)
        self.assert_error(outcome, 2, r"--max-concurrent: .*193.*192")
        self.assertIn("[1 - 192]", self.run_program("serve", "--help").stdout)

    def test_refuses_patches_it_cannot_run(self):
        self.make_patch("spanish", SPANISH)
        self.refuses(5, "spanish", "--patch", "./spanish")
        self.refuses(3, "nobody", "--patch", "nobody")
        self.refuses(3, "--stack x: .*nobody", "--stack", "x=nobody")
        self.refuses(3, "missing", "--patch", "./missing", "--allow-unsigned")

    def test_prints_where_it_listens(self):
        outcome = self.run_program("serve", "--help")
        self.assertEqual(outcome.code, 0)
        for option in ["--api-keys", "--admin-key-file", "--watch", "--public", "SIGHUP"]:
            self.assertIn(option, outcome.stdout)

    def test_writes_an_audit_log(self):
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--audit-log", "audit.jsonl")
        answer = server.complete()
        server.get("/v1/models")
        self.assertEqual(server.stop(), 0)
        line, = self.read_lines("audit.jsonl")
        self.assertEqual((line["id"], line["event"], line["status"]),
                         (answer.json["id"], "request", 200))


if __name__ == "__main__":
    main()
