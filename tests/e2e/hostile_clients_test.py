"""serve: clients that are slow, leave, send too much, or try to reach what is not theirs."""

import hashlib
import json
import random
import shutil
import socket
import struct
import tempfile
import threading
import time
from pathlib import Path

from program import ProgramTest, main
from servers import MODEL_ID, QUESTION, Server, text_of

HANG = 120  # seconds: a ceiling for what would otherwise hang
CHAT = "/v1/chat/completions"


class Client:
    """A connection that says what it is told, byte by byte."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=HANG)

    def send(self, data):
        """Whether all of it was taken."""
        try:
            self.socket.sendall(data if isinstance(data, bytes) else data.encode())
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def read_until(self, mark):
        data = b""
        while mark not in data:
            piece = self._receive()
            if not piece:
                break
            data += piece
        return data

    def read_to_end(self):
        data = b""
        while piece := self._receive():
            data += piece
        return data

    def _receive(self):
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def request(method, path, body=b"", headers=""):
    if isinstance(body, str):
        body = body.encode()
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"{headers}{length}\r\n").encode() + body


def chat(**fields):
    return request("POST", CHAT, json.dumps({"model": MODEL_ID, "messages": QUESTION, **fields}))


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None


class HostileClients(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = Path(tempfile.mkdtemp(prefix="llmpatch-hostile-"))
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.server = Server(folder, "--store", "nowhere", "--allow-unpatched", "--max-body", 1, "--max-concurrent", 4,
                            "--max-queue", 4, "--context", 512)
        cls.addClassCleanup(cls.server.stop)

    def tearDown(self):
        """Whatever was done to it, it answers, and nothing of it is left."""
        self.assertTrue(text_of(self.server.chat(max_tokens=4)))
        self.assertIsNone(self.server.process.poll())
        self.eventually(lambda: self.server.metric("llmpatch_requests_running") == 0,
                        "no request runs")

    def eventually(self, done, what):
        end = time.monotonic() + HANG
        while not done():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def test_many_dawdle(self):
        beginnings = [b"", b"POST /v1/ch", b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: loc",
                      request("POST", CHAT, "{" * 1000)[:-500]]
        dawdlers = [Client(self.server) for _ in range(64)]
        for i, client in enumerate(dawdlers):
            client.send(beginnings[i % 4])
        self.assertTrue(text_of(self.server.chat(max_tokens=4)))
        for client in dawdlers:
            client.close()

    def test_a_head_that_never_ends(self):
        client = Client(self.server)
        client.send("GET /health HTTP/1.1\r\nHost: localhost\r\n")
        stopped = threading.Event()

        def drip():
            while not stopped.wait(0.2) and client.send("A: b\r\n"):
                pass

        dripping = threading.Thread(target=drip)
        dripping.start()
        self.assertTrue(text_of(self.server.chat(max_tokens=4)))
        self.assertEqual(status(client.read_until(b"\r\n\r\n")), 408)
        stopped.set()
        dripping.join()
        client.close()

    def test_large_heads_and_bodies(self):
        for data, code in [
            ("GET /" + "a" * 20_000, 414),
            ("GET /health HTTP/1.1\r\nHost: localhost\r\nA: " + "a" * 20_000, 431),
            ("GET /health HTTP/1.1\r\nHost: localhost\r\n" + "A: b\r\n" * 200 + "\r\n", 431),
            (f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n\r\n", 413),
            (f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
             "6400000\r\n", 413),
        ]:
            client = Client(self.server)
            client.send(data)
            answer = client.read_until(b"}}")
            self.assertEqual(status(answer), code, answer)
            self.assertIn(b'"error"', answer)
            client.close()

    def test_a_hundred_megabytes(self):
        for framing in ["Content-Length: 104857600\r\n\r\n",
                        "Transfer-Encoding: chunked\r\n\r\n6400000\r\n"]:
            client = Client(self.server)
            client.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\n{framing}")
            piece = b"x" * (1 << 20)
            for _ in range(100):
                if not client.send(piece):
                    break
            client.close()

    def test_requests_that_could_be_two(self):
        smuggled = request("GET", "/v1/models").decode()
        for head in ["Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
                     "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                     "A: b\r\n c\r\n\r\n", "A: b\nC: d\r\n\r\n", "A\x00: b\r\n\r\n"]:
            client = Client(self.server)
            client.send(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\n{head}{smuggled}")
            answer = client.read_to_end()
            self.assertIn(status(answer), (400, 501), head)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)
            client.close()

    def test_paths_that_are_tricks(self):
        for path, codes in [("/../../etc/passwd", {404}), ("/%2e%2e/%2e%2e/etc/passwd", {404}),
                            ("//etc/passwd", {404}), ("/health%00", {400}), ("/health\x01", {400}),
                            ("http://localhost/health", {400}), ("*", {400}),
                            ("/v1/patches/..%2f..%2fetc", {404}), ("/v1/models/" + "a" * 4000, {404}),
                            ("/v1/patches/%ff", {404})]:
            client = Client(self.server)
            client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = client.read_to_end()
            self.assertIn(status(answer), codes, (path, answer))
            self.assertNotIn(b"root:", answer)
            client.close()

    def test_bodies_that_are_tricks(self):
        deep = "[" * 100_000 + "]" * 100_000
        for body in [deep, '{"a":' * 50_000 + "1" + "}" * 50_000, b'{"model": "\xff\xfe"}',
                     b"\x00" * 1000, '{"model": 1e999}', "{" + '"a": 1, ' * 1000 + '"b": 1}',
                     json.dumps({"model": MODEL_ID, "messages": QUESTION, "stop": ["a"] * 200_000}),
                     json.dumps({"model": MODEL_ID, "messages": QUESTION * 5000}),
                     json.dumps({"model": MODEL_ID, "messages": QUESTION, "max_tokens": 2 ** 70}),
                     json.dumps({"model": MODEL_ID, "messages": QUESTION, "n": 10 ** 6})]:
            answer = self.server.post(CHAT, body)
            self.assertEqual(answer.status, 400, answer.body[:300])
            self.assertEqual(answer.json["error"]["type"], "invalid_request_error")

    def test_schemas_with_many_readings(self):
        """Each bracket can be read in two ways, and so can all before it: the others do not wait."""
        arrays = {"type": "array", "items": {"$ref": "#/$defs/x"}}
        schema = {"$defs": {"x": {"anyOf": [arrays, arrays]}}, **arrays}
        tool = {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "required": ["a"],
                "additionalProperties": False, "$defs": schema["$defs"]}
        held = {"response_format": {"type": "json_schema",
                                    "json_schema": {"name": "x", "schema": schema}}}
        called = {"tools": [{"type": "function", "function": {"name": "f", "parameters": tool}}],
                  "tool_choice": "required"}
        for fields in [held, called]:
            client = Client(self.server)
            client.send(chat(max_tokens=64, temperature=0, logit_bias={"75": 100}, stream=True,
                             **fields))
            begun = client.read_until(b"data: ")
            self.assertEqual(status(begun), 200, begun)
            self.assertTrue(text_of(self.server.chat(max_tokens=4)))
            answer = begun
            if b"data: [DONE]" not in answer:
                answer += client.read_until(b"data: [DONE]")
            self.assertIn(b"data: [DONE]", answer)
            self.assertNotIn(b'"error"', answer)
            client.close()

    def test_clients_that_leave(self):
        """Each way of leaving ends the request: with four at a time, twenty would block it else."""
        for leave in [Client.close, Client.reset]:
            for stream in [True, False]:
                for _ in range(5):
                    client = Client(self.server)
                    client.send(chat(max_tokens=400, stream=stream))
                    if stream:
                        client.read_until(b"data: ")
                    leave(client)
                self.eventually(lambda: self.server.metric("llmpatch_requests_running") == 0
                                and self.server.metric("llmpatch_requests_waiting") == 0,
                                "the requests end with their clients")

    def test_a_client_that_has_no_more_to_say(self):
        client = Client(self.server)
        client.send(chat(max_tokens=8))
        client.socket.shutdown(socket.SHUT_WR)
        answer = client.read_to_end()
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        if answer.startswith(interim):
            answer = answer[len(interim):]
        self.assertEqual(status(answer), 200, answer)
        self.assertIn(b"chat.completion", answer)
        client.close()

    def test_more_than_may_wait(self):
        """Four run and four wait; of the rest each is told to come again."""
        found = []

        def ask():
            found.append(self.server.chat(max_tokens=48))

        threads = [threading.Thread(target=ask) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual({answer.status for answer in found}, {200, 429})
        self.assertGreaterEqual(sum(answer.status == 200 for answer in found), 4)
        for answer in found:
            if answer.status == 429:
                self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)

    def test_nothing_crosses_between_clients(self):
        """Each asks with a word of its own, all at once, some leaving: nobody gets another's."""
        words = [f"zebra{i}quagga" for i in range(12)]
        found = {}

        def ask(i):
            if i % 3 == 2:
                client = Client(self.server)
                client.send(chat(messages=[{"role": "user", "content": f"Repeat: {words[i]}"}],
                                 max_tokens=64, stream=True))
                client.read_until(b"data: ")
                client.reset()
                return
            for _ in range(60):
                answer = self.server.chat(
                    messages=[{"role": "user", "content": f"Repeat: {words[i]}"}], max_tokens=32)
                if answer.status != 429:
                    break
                time.sleep(0.5)
            found[i] = answer

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(found), 8)
        for i, answer in found.items():
            self.assertEqual(answer.status, 200, answer.body)
            for other, word in enumerate(words):
                if other != i:
                    self.assertNotIn(word.encode(), answer.body)

    def test_garbage(self):
        dice = random.Random(5)
        whole = chat(max_tokens=4)
        for _ in range(200):
            client = Client(self.server)
            data = bytearray(whole[:dice.randrange(len(whole))])
            for _ in range(dice.randrange(4)):
                if data:
                    data[dice.randrange(len(data))] = dice.randrange(256)
            client.send(bytes(data))
            dice.choice([Client.close, Client.reset])(client)


class Keys(ProgramTest):
    def test_wrong_keys_and_an_end_under_way(self):
        key = "k" * 32
        (self.dir / "keys.json").write_text(json.dumps(
            {"keys": [{"name": "alice", "sha256": hashlib.sha256(key.encode()).hexdigest()}]}))
        server = Server(self.dir, "--store", "nowhere", "--allow-unpatched", "--api-keys", "keys.json", "--context", 512)
        self.addCleanup(server.stop)
        for headers in [{}, {"Authorization": "Bearer " + key[:-1]}, {"Authorization": "Basic " + key},
                        {"Authorization": "Bearer " + "k" * 8000}, {"Authorization": "Bearer"}]:
            answer = server.get("/v1/models", headers=headers)
            self.assertEqual(answer.error, (401, "invalid_api_key", None), headers)
        self.assertEqual(server.get("/v1/models", key=key).status, 200)

        # One streams while it is told to end: it gets the whole answer, and then the server ends.
        client = Client(server)
        client.send(request("POST", CHAT, json.dumps(
            {"model": MODEL_ID, "messages": QUESTION, "max_tokens": 64, "stream": True}),
            f"Authorization: Bearer {key}\r\n"))
        begun = client.read_until(b"data: ")
        self.assertEqual(status(begun), 200, begun)
        server.process.terminate()
        self.assertIn(b"data: [DONE]", begun + client.read_to_end())
        client.close()
        self.assertEqual(server.process.wait(timeout=HANG), 0)


if __name__ == "__main__":
    main()
