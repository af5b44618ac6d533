"""serve: answers that call functions, in a form of the model's own and in the one for models without."""

import json
import shutil
import tempfile
from pathlib import Path

from gguf import with_chat_template
from program import MODEL, ProgramTest, main
from servers import Server

WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "enum": ["Oslo", "Rome"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["city", "days"], "additionalProperties": False}}}
TIDE = {"type": "function", "function": {
    "name": "tide-table", "parameters": {"type": "object", "properties": {
        "port": {"type": "string", "pattern": "^[A-Z]{3}$"}},
        "required": ["port"], "additionalProperties": False}}}
QUESTION = [{"role": "user", "content": "What will the weather be in Oslo in the next 3 days?"}]

# In the manner of models that know functions.
TEMPLATE = """
{%- if tools %}
{{- '<|im_start|>system\\nFunctions:' }}
{%- for tool in tools %}
{{- '\\n' }}{{ tool | tojson }}
{%- endfor %}
{{- '\\nCall them as <tool_call>\\n{"name": ..., "arguments": ...}\\n</tool_call><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'user' or message.role == 'system' %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- elif message.role == 'assistant' %}
{{- '<|im_start|>assistant\\n' }}
{%- if message.content %}
{{- message.content }}
{%- endif %}
{%- for call in message.tool_calls %}
{%- if (loop.first and message.content) or not loop.first %}
{{- '\\n' }}
{%- endif %}
{{- '<tool_call>\\n{"name": "' }}{{ call.function.name }}{{- '", "arguments": ' }}
{{- call.function.arguments | tojson }}
{{- '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- elif message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' }}{{ message.content }}
{{- '\\n</tool_response><|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


class Tools:
    """For both forms; `model` is the file."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = Path(tempfile.mkdtemp(prefix="llmpatch-tools-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.model = cls.make_model()
        cls.server = Server(cls.folder, "--store", "nowhere", "--allow-unpatched", "--max-tokens", 128, "--context", 2048,
                            model=cls.model)
        cls.addClassCleanup(cls.server.stop)

    def ask(self, **fields):
        body = {"model": self.model.stem, "messages": QUESTION, "max_tokens": 96,
                "tools": [WEATHER, TIDE], **fields}
        return self.server.post("/v1/chat/completions", body)

    def choice(self, **fields):
        answer = self.ask(**fields)
        self.assertEqual(answer.status, 200, answer.body)
        choice, = answer.json["choices"]
        return choice

    def check_weather(self, call):
        self.assertEqual((call["type"], call["function"]["name"]), ("function", "weather"))
        arguments = json.loads(call["function"]["arguments"])
        self.assertEqual(set(arguments), {"city", "days"})
        self.assertIn(arguments["city"], ["Oslo", "Rome"])
        self.assertTrue(1 <= arguments["days"] <= 9, arguments)
        self.assertTrue(call["id"])

    def test_a_call_may_be_required(self):
        choice = self.choice(tool_choice="required", tools=[WEATHER], parallel_tool_calls=False)
        self.assertEqual(choice["finish_reason"], "tool_calls")
        message = choice["message"]
        self.assertEqual((message["role"], message["content"]), ("assistant", None))
        call, = message["tool_calls"]
        self.check_weather(call)

    def test_a_function_may_be_named(self):
        for name in ["weather", "tide-table"]:
            # One call: a model that makes more of them ends by the length.
            choice = self.choice(tool_choice={"type": "function", "function": {"name": name}},
                                 parallel_tool_calls=False)
            self.assertEqual(choice["finish_reason"], "tool_calls", choice)
            self.assertEqual({call["function"]["name"] for call in choice["message"]["tool_calls"]}, {name})
        arguments = json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])
        self.assertRegex(arguments["port"], r"\A[A-Z]{3}\Z")

    def test_calls_are_streamed(self):
        fields = {"tool_choice": "required", "tools": [WEATHER], "parallel_tool_calls": False}
        whole = self.choice(**fields)["message"]["tool_calls"][0]
        answer = self.ask(stream=True, stream_options={"include_usage": True}, **fields)
        self.assertEqual(answer.status, 200)
        *chunks, usage, done = answer.events
        self.assertEqual((done, usage["choices"]), ("[DONE]", []))
        self.assertGreater(usage["usage"]["completion_tokens"], 1)
        self.assertEqual(chunks[0]["choices"][0]["delta"], {"role": "assistant", "content": ""})
        deltas = [delta for chunk in chunks for delta in chunk["choices"][0]["delta"].get("tool_calls", [])]
        self.assertEqual({delta["index"] for delta in deltas}, {0})
        first, *rest = deltas
        self.check_weather({**first, "function": {
            "name": first["function"]["name"],
            "arguments": "".join(delta["function"]["arguments"] for delta in deltas)}})
        self.assertEqual("".join(delta["function"]["arguments"] for delta in deltas),
                         whole["function"]["arguments"])
        self.assertTrue(rest, "it came in one piece")
        self.assertTrue(all("id" not in delta for delta in rest))
        self.assertEqual(chunks[-1]["choices"][0]["finish_reason"], "tool_calls")

    def test_a_result_goes_back(self):
        call, = self.choice(tool_choice="required", tools=[WEATHER],
                            parallel_tool_calls=False)["message"]["tool_calls"]
        messages = [*QUESTION, {"role": "assistant", "content": None, "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": call["id"], "content": "Rain, 8 degrees."}]
        told = self.ask(messages=messages)
        self.assertEqual(told.status, 200, told.body)
        # Without tools, and with them where none may be called.
        for fields in [{"tools": None}, {"tool_choice": "none"}]:
            choice = self.choice(messages=messages, **fields)
            self.assertNotIn("tool_calls", choice["message"])
            self.assertTrue(choice["message"]["content"])
        longer = self.ask(messages=messages, tool_choice="none").json["usage"]["prompt_tokens"]
        self.assertLess(longer, told.json["usage"]["prompt_tokens"])

    def test_the_model_may_choose(self):
        # A few tokens: on quantised weights a text found in the cache may later go on otherwise.
        choice = self.choice(n=1, max_tokens=6)
        self.assertIn(choice["finish_reason"], ["stop", "length", "tool_calls"])
        self.assertEqual("tool_calls" in choice["message"], choice["finish_reason"] == "tool_calls")
        streamed = self.ask(stream=True, max_tokens=6)
        pieces = [event["choices"][0]["delta"].get("content") or "" for event in streamed.events[:-1]]
        self.assertEqual("".join(pieces), choice["message"]["content"] or "")

    def test_a_call_that_is_cut_off_ends_by_length(self):
        choice = self.choice(tool_choice="required", tools=[WEATHER], max_tokens=12)
        self.assertEqual(choice["finish_reason"], "length")

    def test_several_choices_have_calls_of_their_own(self):
        answer = self.ask(tool_choice="required", tools=[WEATHER], n=2, temperature=1, seed=3,
                          parallel_tool_calls=False)
        self.assertEqual(answer.status, 200, answer.body)
        calls = [choice["message"]["tool_calls"][0] for choice in answer.json["choices"]]
        for call in calls:
            self.check_weather(call)
        self.assertNotEqual(calls[0]["id"], calls[1]["id"])

    def test_names_what_it_cannot_honour(self):
        deep = {"type": "object"}
        for _ in range(20):
            deep = {"type": "object", "properties": {"x": deep}}
        function = lambda **more: [{"type": "function", "function": {"name": "f", **more}}]
        for fields, error in [
            ({"response_format": {"type": "json_object"}}, (400, "unsupported_parameter", "response_format")),
            ({"logprobs": True}, (400, "unsupported_parameter", "logprobs")),
            ({"tools": []}, (400, "invalid_value", "tools")),
            ({"tools": [WEATHER, WEATHER]}, (400, "invalid_value", "tools")),
            ({"tools": [{"type": "web_search"}]}, (400, "unsupported_parameter", "tools[0].type")),
            ({"tools": function(description="<|im_end|>")}, (400, "unsupported_parameter", "tools")),
            ({"tools": function(parameters={"type": "string"})},
             (400, "invalid_value", "tools[0].function.parameters")),
            ({"tools": function(strict=True, parameters={"type": "object", "patternProperties": {}})},
             (400, "unsupported_parameter", "tools[0].function.parameters")),
            ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, (400, "invalid_value", "tool_choice")),
            ({"messages": [*QUESTION, {"role": "tool", "tool_call_id": "x", "content": "y"}]},
             (400, "invalid_value", "messages[1].tool_call_id")),
            ({"functions": []}, (400, "unsupported_parameter", "functions")),
            ({"tools": function(description="word " * 3000)}, (400, "context_length_exceeded", "messages")),
        ]:
            self.assertEqual(self.ask(**fields).error, error, fields)
            self.assertEqual(self.ask(**fields, stream=True).error, error, fields)
        self.assertEqual(self.ask(tools=function(parameters=deep), max_tokens=1).status, 200)
        self.assertEqual(self.server.get("/ready").status, 200)


class PlainForm(Tools, ProgramTest):
    """The model's template knows no functions."""

    @classmethod
    def make_model(cls):
        return MODEL


class OwnForm(Tools, ProgramTest):
    @classmethod
    def make_model(cls):
        path = cls.folder / "knows-functions.gguf"
        with_chat_template(MODEL, path, TEMPLATE)
        return path


if __name__ == "__main__":
    main()
