"""A running `llmpatch serve`, and requests to it with nothing but the standard library."""

import http.client
import json
import signal
import subprocess
import threading

from program import MODEL, OPERATOR

MODEL_ID = MODEL.stem
# The model's answers to it differ from one of the patches below to the other in their first six
# tokens, none of which is a near-tie that another batch could turn.
QUESTION = [{"role": "user", "content": "Say something."}]
SPANISH = "Write in Spanish. Hola amigos, el mar es muy grande."
SORRY = "I am sorry, but I cannot help with that request. I cannot help."


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """(status, code, param) of an error in OpenAI's shape."""
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}, self.body
        return self.status, error["code"], error["param"]

    @property
    def events(self):
        """The data of server-sent events, [DONE] as text."""
        datas = [line[len("data: "):] for line in self.body.decode().split("\n") if line]
        return [data if data == "[DONE]" else json.loads(data) for data in datas]


class Server:
    def __init__(self, folder, *args, model=MODEL, program=OPERATOR):
        # Room for 32 requests of the model's whole context takes seconds to make.
        brief = () if {"--context", "--config"} & set(args) else ("--context", 1024)
        command = [program, "serve", "--model", model, "--port", 0, "--json", *brief, *args]
        self.process = subprocess.Popen([str(part) for part in command], cwd=folder,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, encoding="utf-8")
        self.stderr = []
        self.reader = threading.Thread(target=self._read_stderr, daemon=True)
        self.reader.start()
        line = self.process.stdout.readline()
        if not line:
            self.reader.join()
            raise AssertionError("the server did not start:\n" + "".join(self.stderr))
        self.started = json.loads(line)
        self.port = self.started["port"]

    def _read_stderr(self):
        self.stderr.extend(self.process.stderr)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def request(self, method, path, body=None, headers=None, key=None):
        connection = self.connect()
        headers = dict(headers or {})
        if key is not None:
            headers["Authorization"] = "Bearer " + key
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None or method == "POST":
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = Answer(response, response.read())
        connection.close()
        return answer

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def chat(self, key=None, **fields):
        body = {"model": MODEL_ID, "messages": QUESTION, "max_tokens": 6, **fields}
        return self.post("/v1/chat/completions", body, key=key)

    def complete(self, key=None, **fields):
        body = {"model": MODEL_ID, "prompt": "Once upon a time", "max_tokens": 8, **fields}
        return self.post("/v1/completions", body, key=key)

    def metric(self, name, key=None):
        """The value of one line of /metrics: its name with its labels."""
        for line in self.get("/metrics", key=key).body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return None

    def log(self):
        """The lines of the log so far."""
        return [json.loads(line) for line in list(self.stderr) if line.startswith("{")]

    def stop(self, signal_number=signal.SIGTERM):
        """Ends it; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        code = self.process.wait(timeout=60)
        self.reader.join(timeout=60)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


def text_of(answer):
    """The text of the first choice of a chat answer."""
    assert answer.status == 200, answer.body
    return answer.json["choices"][0]["message"]["content"]
