"""Mixed traffic on one server: clients of every stack at once, some of which leave, while a patch is
swapped every second. Every answer must be that of its stack alone."""

import itertools
import json
import os
import random
import subprocess
import threading
import time
from pathlib import Path

from program import MODEL
from servers import MODEL_ID, SORRY, SPANISH, Server
from stores import StoreTest

ADMIN = "an-admin-key-of-32-characters-00"
CLIENTS = 32
TOKENS = 10  # of every answer
SWAPPED = ["tester@1.0.0", "tester@1.1.0"]
# What the server calls a stack, and the request fields that ask for it.
STACKS = {
    "none": {"patches": []},
    "spanish@1.0.0": {"patches": ["spanish"]},
    "spanish@1.0.0+sorry@1.0.0": {"patches": ["spanish", "sorry"]},
    "sorry@1.0.0+spanish@1.0.0;compose=parallel": {"patches": ["spanish", "sorry"],
                                                   "compose": "parallel"},
    **{version: {"patches": [version]} for version in SWAPPED},
}
# The stacks that may answer, and what is asked: of a patch that is swapped, either version.
ASKED = [([name], fields) for name, fields in STACKS.items() if name not in SWAPPED]
ASKED.append((SWAPPED, {"patches": ["tester"]}))
QUESTIONS = ["Say something.", "What is the sea?", "Tell me a story about a dog and a cat. " * 4,
             "Tell me a story about a dog and a bird. " * 4, "How do I bake bread?"]
# Two tokens whose logits are nearer than this may change places in another batch: rounding to f16
# in the cache, or the order of sums alone. The weights are F32, which no batch rounds.
NEAR_TIE = {"f16": 1e-2, "f32": 1e-3}
LEAVE = 0.1  # of the clients' requests are left in the middle
MOST_DIFFERENT = 0.02
GROWTH = 1.02  # of memory, from the second minute to the end; a fifth of the time where that is less


class Answered:
    """A chosen token and its rival in every place."""

    def __init__(self, choice):
        content = choice["logprobs"]["content"]
        self.tokens = [tuple(token["bytes"]) for token in content]
        self.gaps = [abs(token["top_logprobs"][0]["logprob"] - token["top_logprobs"][-1]["logprob"])
                     for token in content]


class SoakTest(StoreTest):
    kv = os.environ.get("LLMPATCH_SOAK_KV", "f16")
    seconds = 30.0
    options = ()

    def sign_release(self, name, version, sequence, text):
        path = self.make_patch(f"made-{version}", text, model=self.model)
        content = json.loads((path / "manifest.json").read_text())
        content.update(name=name, version=version, sequence=sequence)
        (path / "manifest.json").write_text(json.dumps(content))
        self.run_ok("sign", path, "--key", "vendor.key")
        final = self.dir / f"{name}-{version}"
        path.rename(final)
        self.run_ok(*self.install(final, "--activate"))

    def serve_f32(self):
        self.model = self.dir / f"{MODEL_ID}.gguf"
        subprocess.run([Path(os.environ["LLMPATCH_TOOLS"]) / "make_model", "dequantize", MODEL,
                        self.model], check=True, timeout=120)
        self.sign_release("spanish", "1.0.0", 1, SPANISH)
        self.sign_release("sorry", "1.0.0", 1, SORRY)
        self.sign_release("tester", "1.0.0", 1, "You always answer in French.")
        self.sign_release("tester", "1.1.0", 2, "Count the animals: one cow, two pigs, and then")
        path = self.write("admin.key", ADMIN + "\n")
        path.chmod(0o600)
        self.server = Server(self.dir, "--store", "store", "--key", "vendor.pub", "--kv", self.kv,
                             "--admin-key-file", "admin.key", "--allow-unpatched",
                             "--max-concurrent", CLIENTS, *self.options, model=self.model)
        self.addCleanup(self.server.stop)

    def resident(self):
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def body(self, question, fields, **more):
        return {"model": MODEL_ID, "messages": [{"role": "user", "content": question}],
                "max_tokens": TOKENS, "logprobs": True, "top_logprobs": 2,
                "logit_bias": {"2": -100}, **fields, **more}

    def alone(self):
        """{(stack, question): Answered}, one request at a time."""
        found = {}
        for name, fields in STACKS.items():
            for question in QUESTIONS:
                answer = self.server.post("/v1/chat/completions", self.body(question, fields))
                self.assertEqual(answer.status, 200, answer.body)
                self.assertEqual(answer.headers["llmpatch-stack"], name)
                found[name, question] = Answered(answer.json["choices"][0])
        # Some question tells any two stacks apart.
        for one, other in itertools.combinations(STACKS, 2):
            self.assertTrue(any(found[one, question].tokens != found[other, question].tokens
                                for question in QUESTIONS), f"{one} and {other} answer alike")
        return found

    def compare(self, may, stack, question, tokens):
        """'' for the answer of a stack that was asked for, 'near' where rounding decided, or what is
        wrong. `stack`: which one the server says it was; what counts is the text."""
        alike = [name for name in STACKS if tokens == self.solo[name, question].tokens]
        if stack not in may or (alike and stack not in alike):
            return f"{' or '.join(may)} was asked, {stack} named, the answer that of {' or '.join(alike)}"
        if alike:
            return ""
        own = self.solo[stack, question]
        at = next((i for i, (a, b) in enumerate(zip(tokens, own.tokens)) if a != b), None)
        if at is None:
            return f"{stack}: {len(tokens)} tokens, expected {len(own.tokens)}"
        if own.gaps[at] > NEAR_TIE[self.kv]:
            return f"{stack}: token {at} differs, its rival was {own.gaps[at]:.4f} away: {question}"
        return "near"

    def leave(self, body):
        """Asks and goes before the answer is whole."""
        connection = self.server.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps({**body, "stream": True}),
                           {"Content-Type": "application/json"})
        if self.random.random() < 0.5:
            connection.getresponse().read(self.random.randrange(1, 2000))
        if connection.sock is not None:
            connection.sock.close()
        connection.close()

    def streamed(self, answer):
        """Every event's log-probabilities together, as in a whole answer."""
        *events, last = answer.events
        assert last == "[DONE]", answer.body[-200:]
        content = []
        for event in events:
            for choice in event["choices"]:
                content += (choice.get("logprobs") or {"content": []})["content"]
        return {"logprobs": {"content": content}}

    def client(self):
        while not self.stop.is_set():
            question, (may, fields) = self.random.choice(QUESTIONS), self.random.choice(ASKED)
            body = self.body(question, fields)
            try:
                if self.random.random() < LEAVE:
                    self.left += 1
                    self.leave(body)
                    continue
                stream = self.random.random() < 0.5
                answer = self.server.post("/v1/chat/completions", {**body, "stream": stream})
                if answer.status != 200:
                    verdict = f"{answer.status}: {answer.body[:200]}"
                else:
                    choice = self.streamed(answer) if stream else answer.json["choices"][0]
                    verdict = self.compare(may, answer.headers["llmpatch-stack"], question,
                                           Answered(choice).tokens)
            except Exception as error:  # whatever it is, a client saw it
                verdict = repr(error)
            with self.lock:
                self.verdicts.append(verdict)

    def swap(self):
        """Every second the other version; returns how often, and the memory early and at the end."""
        swaps = 0
        end = time.monotonic() + self.seconds
        early = time.monotonic() + min(120, self.seconds / 5)
        before = None
        while time.monotonic() < end:
            version = SWAPPED[swaps % 2].split("@")[1]
            answer = self.server.request("POST", "/v1/patches/tester/activate",
                                         {"version": version}, key=ADMIN)
            self.assertEqual(answer.status, 200, answer.body)
            swaps += 1
            time.sleep(1)
            if before is None and time.monotonic() >= early:
                before = self.resident()
        return swaps, before, self.resident()

    def soak(self):
        self.random = random.Random(7)
        self.serve_f32()
        self.solo = self.alone()
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.verdicts, self.left = [], 0
        threads = [threading.Thread(target=self.client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            swaps, before, after = self.swap()
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()
        wrong = [verdict for verdict in self.verdicts if verdict not in ("", "near")]
        near = self.verdicts.count("near")
        print(f"{len(self.verdicts)} answers, {self.left} left, {swaps} swaps, {near} near-ties, "
              f"{len(wrong)} wrong; {before} KiB, then {after} KiB")
        self.assertEqual(wrong[:5], [])
        self.assertGreater(len(self.verdicts), CLIENTS)
        self.assertLessEqual(near, MOST_DIFFERENT * len(self.verdicts))
        self.assertLessEqual(after, GROWTH * before)
        self.assertEqual(self.server.stop(), 0)
