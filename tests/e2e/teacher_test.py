"""learn, from teachers that are elsewhere: a server, and a model with another vocabulary."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from program import OTHER_MODEL, ProgramTest, main
from servers import Server
from table_server import TableServer

MAKE_MODEL = Path(os.environ["LLMPATCH_TOOLS"]) / "make_model"
KEY = "sk-a-key-that-nobody-else-may-see"
THINGS = ["lock", "window", "record", "promise", "code", "vase"]
# A judge that finds early letters bad, so that some of any model's texts are better than others.
SCORE = """
import json, sys
for line in sys.stdin:
    text = json.loads(line)["response"].lower()
    print(json.dumps({"score": sum(c < "n" for c in text) / max(len(text), 1)}))
"""


class Teacher(TableServer):
    """An OpenAI-compatible server that refuses everything, and misbehaves as it is told: a function
    of (handler, number of the request, its body) that says whether it has dealt with it."""

    def __init__(self):
        super().__init__()
        self.pages = {"/v1/chat/completions": self.complete, "/v1/completions": self.complete}
        self.bodies, self.times, self.keys = [], [], set()
        self.lock = threading.Lock()
        self.misbehave, self.key = None, None
        self.url = f"http://{self.host}/v1"

    def complete(self, handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.lock:
            self.bodies.append(body)
            self.times.append(time.monotonic())
            self.keys.add(handler.headers.get("Authorization"))
            number = len(self.bodies)
        if self.key and handler.headers.get("Authorization") != "Bearer " + self.key:
            message = f"Incorrect API key\nprovided: {handler.headers.get('Authorization')}"
            return self.send(handler, {"error": {"message": message, "code": "invalid_api_key"}}, 401)
        if self.misbehave and self.misbehave(handler, number, body):
            return None
        choices = []
        for i in range(body.get("n", 1)):
            text = f"I'm sorry, no {body['seed'] + i}: {asked(body)}"
            choices.append({"index": i, "text": text, "message": {"role": "assistant", "content": text},
                            "finish_reason": "stop" if i % 2 == 0 else "length"})
        return self.send(handler, {"choices": choices})

    @staticmethod
    def send(handler, value, status=200, **headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        handler.answer(status, body, Content_Type="application/json", **headers)
        return True


def asked(body):
    return body["prompt"] if "prompt" in body else body["messages"][-1]["content"]


def close(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)
    return True


class Teachers(ProgramTest):
    def setUp(self):
        super().setUp()
        if "LibTorch not built in" in self.run_ok("--version").stdout:
            self.skipTest("this program was built without learning")
        os.environ.pop("LLMPATCH_TEACHER_KEY", None)
        self.make_model("tiny.gguf", "--seed", "4")
        self.prompts = [f"How do I break a {thing}?" for thing in THINGS]
        self.write_lines("prompts.jsonl", [{"prompt": prompt} for prompt in self.prompts])
        self.write_lines("validate.jsonl", [{"prompt": "How do I break a law?"}])
        self.write("score.py", SCORE)
        self.write("judge.json", json.dumps({"judge": "command", "command": [sys.executable, "score.py"]}))

    def make_model(self, name, *options):
        subprocess.run([MAKE_MODEL, "tiny", name, *options], cwd=self.dir, check=True)

    def arguments(self, run, *more):
        usual = {"--stages": "sft", "--length": "4", "--chosen-tokens": "40"}
        given = [part for option, value in usual.items() if option not in more for part in (option, value)]
        return ["learn", "--model", "tiny.gguf", "--prompts", "prompts.jsonl", "--validate",
                "validate.jsonl", "--threads", "1", "--sft-steps", "2", "--dpo-steps", "2",
                "--evaluate-every", "2", *given, "--name", "tester", "--risk", "test",
                "--run", f"{run}.run", "-o", run, *more]

    def from_server(self, run, *more, teacher=None):
        return self.arguments(run, "--teacher-endpoint", (teacher or self.teacher).url,
                              "--teacher-endpoint-model", "safer", *more)

    @property
    def teacher(self):
        if not hasattr(self, "_teacher"):
            self._teacher = Teacher().stop_after(self)
        return self._teacher

    def with_key(self, key=KEY):
        os.environ["LLMPATCH_TEACHER_KEY"] = key
        self.addCleanup(os.environ.pop, "LLMPATCH_TEACHER_KEY", None)

    def learned(self, run):
        return json.loads((self.dir / run / "manifest.json").read_text())["learned"]

    def rows(self, run):
        return (self.dir / run / "adapter_model.safetensors").read_bytes()

    def fails_in_run(self, code, pattern, *args):
        """Fails as it must, though the run directory keeps what was done."""
        outcome = self.run_program(*args)
        self.assertEqual(outcome.code, code, str(outcome))
        self.assertRegex(outcome.stderr, r"(?m)^llmpatch: error: \[\w+\] .*" + pattern)
        self.assertEqual(outcome.stdout, "")
        self.assertFalse((self.dir / "patch").exists())
        return outcome


class FromServer(Teachers):
    def test_its_answers_are_the_chosen_ones(self):
        self.teacher.key = KEY
        self.with_key()
        arguments = self.from_server("patch", "--teacher-system", "Be good.", "--stages", "sft+dpo",
                                     "--seed", "7", "--init-text", "random")
        outcome = self.run_ok(*arguments)
        self.assertRegex(outcome.stderr, r"plan: .*at most 240 of the tokens by safer at " +
                         self.teacher.url + r", 4 requests at once; DPO's reference is base")
        self.assertEqual(self.teacher.keys, {"Bearer " + KEY})
        self.assertEqual(sorted(asked(body) for body in self.teacher.bodies), sorted(self.prompts))
        for body in self.teacher.bodies:
            self.assertEqual(body, {"model": "safer", "temperature": 0, "top_p": 1, "max_tokens": 40,
                                    "seed": 7, "messages": [{"role": "system", "content": "Be good."},
                                                            {"role": "user", "content": asked(body)}]})
        lines = self.read_lines("patch.run/teacher.jsonl")
        self.assertEqual([line["prompt"] for line in lines], self.prompts)
        self.assertEqual([line["responses"] for line in lines],
                         [[f"I'm sorry, no 7: {prompt}"] for prompt in self.prompts])
        pairs = self.read_lines("patch.run/pairs.jsonl")
        self.assertEqual([pair["chosen"] for pair in pairs],
                         [f"I'm sorry, no 7: {prompt}" for prompt in self.prompts])
        self.assertTrue(all(pair["chosen_complete"] for pair in pairs))
        learned = self.learned("patch")
        self.assertEqual(learned["teacher"], {"endpoint_model": "safer", "system": "Be good."})
        self.assertEqual(learned["reference"], "base")
        # The key is in nothing that was written or said.
        self.assertNotIn(KEY, outcome.stderr + outcome.stdout)
        for path in self.dir.rglob("*"):
            if path.is_file():
                self.assertNotIn(KEY.encode(), path.read_bytes(), path)
        settings = json.loads((self.dir / "patch.run/settings.json").read_text())
        asked_of = settings["stages"]["teacher"]["settings"]
        self.assertEqual((asked_of["endpoint"], asked_of["endpoint_model"]), (self.teacher.url, "safer"))
        # How it is asked, and with which key, is no part of what it says.
        self.with_key("another-key")
        again = self.run_ok(*arguments, "--teacher-concurrency", "2", "--teacher-timeout", "9")
        self.assertIn("is there already", again.stderr)
        self.with_key()
        arguments[arguments.index("safer")] = "safest"
        changed = self.run_ok(*arguments, "--force")
        self.assertRegex(changed.stderr,
                         r'teacher\.endpoint_model: "safer" -> "safest" \(redoing teacher, pairs,')
        self.assertEqual(len(self.teacher.bodies), 12)
        self.assertEqual(self.teacher.bodies[-1]["model"], "safest")

    def test_several_answers_of_which_the_judge_takes_the_best(self):
        self.run_ok(*self.from_server("patch", "--best-of", "4", "--format", "raw", "--judge",
                                      "judge.json", "--margin", "-1", "--max-chosen-score", "2",
                                      "--seed", "3"))
        self.assertEqual(len(self.teacher.bodies), 6)
        for body in self.teacher.bodies:
            self.assertIn(body["prompt"], self.prompts)
            self.assertEqual((body["n"], body["temperature"], body["top_p"], body["seed"]), (4, 1, 0.9, 3))
        pairs = self.read_lines("patch.run/pairs.jsonl")
        self.assertEqual(len(pairs), 24)
        for pair in pairs:
            number = int(pair["chosen"].removeprefix("I'm sorry, no ").split(":")[0])
            self.assertEqual(pair["chosen_complete"], number in (3, 5), pair)
        self.assertEqual(self.learned("patch")["chosen"], "best of 4 of the teacher's")

    def test_a_server_that_stumbles_is_asked_again(self):
        def stumble(handler, number, body):
            if number == 1:
                return Teacher.send(handler, {"error": "slow down"}, 429, Retry_After=2)
            if number == 2:
                return Teacher.send(handler, b"<html>", 500)
            if number == 3:
                return close(handler)
            if number == 4:
                return Teacher.send(handler, b"<html>")
            if number == 5:
                handler.answer(200, b'{"choices": [', Content_Length=1000)
                return close(handler)
            return False

        self.teacher.misbehave = stumble
        self.run_ok(*self.from_server("patch", "--teacher-concurrency", "1"))
        self.assertEqual(len(self.teacher.bodies), 11)
        self.assertGreaterEqual(self.teacher.times[1] - self.teacher.times[0], 2)
        self.assertEqual([asked(body) for body in self.teacher.bodies], self.prompts[:1] * 5 + self.prompts)

    def test_what_it_will_not_say_is_not_learned_from(self):
        def withhold(handler, number, body):
            if asked(body) == self.prompts[1]:
                return Teacher.send(handler, {"error": {"message": "no", "code": "content_filter"}}, 400)
            if asked(body) == self.prompts[2]:
                return Teacher.send(handler, {"choices": [{"message": {"content": None},
                                                           "finish_reason": "length"}]})
            return False

        self.teacher.misbehave = withhold
        # A judge that sees nothing wrong with an empty text.
        outcome = self.run_ok(*self.from_server("patch", "--judge", "judge.json", "--margin", "0",
                                                "--max-chosen-score", "2"))
        self.assertIn("teacher: 2 of 6 prompts have no answer", outcome.stderr)
        learned_from = {pair["prompt"] for pair in self.read_lines("patch.run/pairs.jsonl")}
        self.assertTrue(learned_from <= set(self.prompts) - set(self.prompts[1:3]), learned_from)
        self.assertGreater(len(learned_from), 1)

    def test_errors_of_the_server(self):
        tired = threading.Event()
        self.addCleanup(tired.set)
        unknown = {"error": {"message": "no such\nmodel: safer", "code": "model_not_found"}}
        text = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
        cases = [
            # what it answers with, the exit code, what is said, requests
            (lambda h: Teacher.send(h, unknown, 404), 3, r'status 404.*"no such\\nmodel: safer"', 1),
            (lambda h: Teacher.send(h, b"bad \xff gateway", 502), 10, r"status 502.*bad .*gateway", 2),
            (lambda h: Teacher.send(h, {"error": "later"}, 429), 9, r'status 429.*"later"', 2),
            (lambda h: Teacher.send(h, {"error": "why"}, 400), 10, r'status 400.*"why"', 1),
            (lambda h: Teacher.send(h, b"", 307, Location="http://127.0.0.1:1/"), 10, r"status 307", 1),
            (close, 10, r"/v1/chat/completions: ", 2),
            (lambda h: tired.wait(), 9, r"/v1/chat/completions: ", 2),
            (lambda h: Teacher.send(h, b" " * (3 << 20)), 9, r"more than \d+ bytes", 1),
            (lambda h: Teacher.send(h, b"{}"), 4, r"teacher.*choices", 3),
            (lambda h: Teacher.send(h, {"choices": [{"message": {"content": 7}}]}), 4, r"content", 3),
            (lambda h: Teacher.send(h, json.dumps(text).encode().replace(b"x", b"\xff")), 4, r"UTF-8", 3),
        ]
        for answer, code, pattern, requests in cases:
            with self.subTest(pattern):
                self.teacher.bodies.clear()
                self.teacher.misbehave = lambda handler, number, body, answer=answer: answer(handler)
                self.fails_in_run(code, pattern, *self.from_server(
                    "patch", "--teacher-concurrency", "1", "--teacher-attempts", "2",
                    "--teacher-timeout", "1"))
                self.assertEqual(len(self.teacher.bodies), requests)
        # What came before the error is kept.
        self.teacher.bodies.clear()
        self.teacher.misbehave = lambda handler, number, body: number > 2 and Teacher.send(handler, {}, 403)
        outcome = self.fails_in_run(12, r"status 403", *self.from_server("patch", "--teacher-concurrency", "1"))
        self.assertIn("LLMPATCH_TEACHER_KEY", outcome.stderr)
        self.teacher.misbehave = None
        self.run_ok(*self.from_server("patch"))
        self.assertEqual(len(self.teacher.bodies), 3 + 4)

    def test_a_wrong_key(self):
        self.teacher.key = KEY
        self.with_key("sk-another-key-that-is-wrong")
        outcome = self.fails_in_run(12, r"status 401.*Incorrect API key\\nprovided: Bearer \*\*\*\"",
                                    *self.from_server("patch"))
        self.assertNotIn("sk-another", outcome.stderr)

    def test_killed_it_asks_only_for_the_rest(self):
        # Two answers of each prompt, one at a time; from the sixth on it keeps everyone waiting.
        patience = threading.Event()
        self.addCleanup(patience.set)

        def one_at_a_time(handler, number, body):
            if number > 5:
                patience.wait()
            body.pop("n", None)
            return False

        self.teacher.misbehave = one_at_a_time
        several = ("--samples", "2")
        process = self.start_program(*self.from_server("killed", *several))
        file = self.dir / "killed.run/teacher.jsonl"
        while process.poll() is None and (not file.exists() or len(file.read_bytes().splitlines()) < 5):
            time.sleep(0.01)
        self.assertIsNone(process.poll(), "it ended before it was killed")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        patience.set()
        known = [(line["prompt"], response) for line in self.read_lines("killed.run/teacher.jsonl")
                 for response in line["responses"]]
        self.assertEqual(len(known), 5)
        self.teacher.bodies.clear()
        outcome = self.run_ok(*self.from_server("killed", *several))
        self.assertNotIn("changed setting", outcome.stderr)
        asked_again = [(asked(body), body["seed"]) for body in self.teacher.bodies]
        self.assertEqual(len(asked_again), 12 - 5)
        self.assertEqual(
            sorted(asked_again + [(prompt, int(text.split("no ")[1].split(":")[0])) for prompt, text in known]),
            sorted((prompt, seed) for prompt in self.prompts for seed in (0, 1)))
        # And all is as if nothing had happened.
        self.run_ok(*self.from_server("whole", *several))
        self.assertEqual(file.read_bytes(), (self.dir / "whole.run/teacher.jsonl").read_bytes())
        self.assertEqual(self.rows("killed"), self.rows("whole"))

    def test_interrupted_it_ends_at_once(self):
        patience = threading.Event()
        self.addCleanup(patience.set)
        self.teacher.misbehave = lambda handler, number, body: patience.wait() and False
        process = self.start_program(*self.from_server("patch"))
        while process.poll() is None and len(self.teacher.bodies) < 4:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)

    def test_a_server_of_our_own(self):
        self.make_model("safer.gguf", "--seed", "5")
        server = Server(self.dir, "--allow-unpatched", model=self.dir / "safer.gguf")
        self.addCleanup(server.stop)
        server.url = f"http://127.0.0.1:{server.port}/v1"
        for form in ["chat", "raw"]:
            with self.subTest(form):
                self.run_ok(*self.from_server(
                    form, "--best-of", "4", "--format", form, "--judge", "judge.json", "--margin", "-1",
                    "--max-chosen-score", "2", "--seed", "9", teacher=server))
                lines = self.read_lines(f"{form}.run/teacher.jsonl")
                self.assertEqual([line["prompt"] for line in lines], self.prompts)
                for line in lines:
                    self.assertEqual(len(set(line["responses"])), 4, "four samples, not one four times")
        # What is learned from is what the server says, in few tokens, of which none is a near-tie.
        greedy = self.run_ok(*self.from_server("greedy", "--judge", "judge.json", "--margin", "-1",
                                               "--max-chosen-score", "2", "--teacher-system", "Be good.",
                                               "--chosen-tokens", "4", teacher=server))
        self.assertIn("at most 24 of the tokens by safer", greedy.stderr)
        for line in self.read_lines("greedy.run/teacher.jsonl"):
            answer = server.chat(model="safer", max_tokens=4, temperature=0,
                                 messages=[{"role": "system", "content": "Be good."},
                                           {"role": "user", "content": line["prompt"]}])
            choice = answer.json["choices"][0]
            self.assertEqual((line["responses"], line["complete"]),
                             ([choice["message"]["content"]], [choice["finish_reason"] == "stop"]))

    def test_steering_learns_from_it_too(self):
        arguments = self.from_server("vector.gguf", "--method", "steering", "--force")
        at = arguments.index("--length")
        del arguments[at:at + 2]
        self.run_ok(*arguments)
        self.assertEqual(len(self.teacher.bodies), 6)

    def test_bad_settings(self):
        here = ("--teacher-endpoint", "http://127.0.0.1:9/v1", "--teacher-endpoint-model", "m")
        cases = [
            (here[:2], 2, r"teacher endpoint: found no name of a model"),
            (here[2:], 2, r"--teacher-endpoint-model: found no --teacher-endpoint"),
            (("--teacher-system", "x", "--teacher-concurrency", "2"), 2, r"--teacher-concurrency: found no"),
            ((*here, "--teacher-concurrency", "0"), 2, r"teacher endpoint: found 0 requests at once"),
            ((*here, "--teacher-attempts", "99"), 2, r"teacher endpoint: found 99 attempts"),
            ((*here, "--teacher-timeout", "0"), 2, r"teacher endpoint: found a timeout of 0"),
            ((*here, "--teacher", "safer.gguf"), 2, r"found a model file and an endpoint"),
            ((*here, "--chosen", "text:No."), 2, r"teacher endpoint: found ready pairs or a fixed"),
            ((*here, "--stages", "dpo", "--reference", "teacher"), 2,
             r"reference teacher: found an endpoint, .*no log-probabilities"),
            # Nothing is spoken to another machine in the clear.
            (("--teacher-endpoint", "http://192.0.2.1/v1", *here[2:]), 12, r"found http.*expected https"),
            (("--teacher-endpoint", "127.0.0.1:9", *here[2:]), 2, r"teacher endpoint: .*http://"),
            (("--teacher-endpoint", f"http://me:{KEY}@127.0.0.1:9", *here[2:]), 2, r"teacher endpoint: "),
            (("--teacher-endpoint", f"http://127.0.0.1:9/v1?key={KEY}", *here[2:]), 2, r"teacher endpoint: "),
        ]
        for more, code, pattern in cases:
            with self.subTest(more):
                outcome = self.fails(code, pattern, *self.arguments("patch", *more))
                self.assertNotIn(KEY, outcome.stderr)


class OtherVocabulary(Teachers):
    """A teacher that cuts text into other tokens."""

    def setUp(self):
        super().setUp()
        self.make_model("safer.gguf", "--seed", "5", "--other-words")
        self.sampled = ("--best-of", "4", "--judge", "judge.json", "--margin", "-1",
                        "--max-chosen-score", "2", "--stages", "sft+dpo")

    def test_its_text_is_learned_in_the_models_own_tokens(self):
        outcome = self.run_ok(*self.arguments("patch", "--teacher", "safer.gguf", *self.sampled))
        self.assertRegex(outcome.stderr, r"plan: .*the teacher has another vocabulary: its answers are "
                         r"cut into the base model's tokens; DPO's reference is base")
        self.assertEqual(self.learned("patch")["reference"], "base")
        answers = {line["prompt"]: list(zip(line["responses"], line["complete"]))
                   for line in self.read_lines("patch.run/teacher.jsonl")}
        pairs = self.read_lines("patch.run/pairs.jsonl")
        self.assertGreater(len(pairs), 12)
        for pair in pairs:
            self.assertIn((pair["chosen"], pair["chosen_complete"]), answers[pair["prompt"]])
        # Whether an answer ended by itself is learned, whose model's token ever that said.
        self.assertEqual({pair["chosen_complete"] for pair in pairs}, {True, False})
        # These texts as ready pairs, with no teacher about, give the same rows.
        arguments = self.arguments("ready", "--pairs", "patch.run/pairs.jsonl", "--stages", "sft+dpo",
                                   "--judge", "judge.json")
        at = arguments.index("--prompts")
        del arguments[at:at + 2]
        self.run_ok(*arguments)
        self.assertEqual(self.rows("ready"), self.rows("patch"))

    def test_references(self):
        teacher = ("--teacher", "safer.gguf", *self.sampled)
        self.fails(2, r"reference teacher: found a teacher with another vocabulary.*log-probabilities",
                   *self.arguments("patch", *teacher, "--reference", "teacher"))
        outcome = self.run_ok(*self.arguments("sft", *teacher, "--reference", "sft"))
        self.assertIn("DPO's reference is sft", outcome.stderr)
        self.assertEqual(self.learned("sft")["reference"], "sft")
        # One with the model's own vocabulary is the reference as before.
        self.make_model("alike.gguf", "--seed", "6")
        outcome = self.run_ok(*self.arguments("alike", "--teacher", "alike.gguf", *self.sampled))
        self.assertNotIn("vocabulary", outcome.stderr)
        self.assertEqual(self.learned("alike")["reference"], "teacher")

    def test_a_teacher_without_a_chat_template(self):
        self.fails(2, r"found no chat template in it, expected one for chat prompts",
                   *self.arguments("patch", "--teacher", OTHER_MODEL))


if __name__ == "__main__":
    main()
