"""OpenAI's own Python client, unmodified, against the server.

Run by CTest (label `peer`); the client's Python is scripts/peer-venv's.
"""

import asyncio
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from peers import run_under

run_under("openai")

import openai  # noqa: E402
import pydantic  # noqa: E402
from program import ProgramTest, main  # noqa: E402
from servers import MODEL_ID, Server  # noqa: E402

PATCHED = f"{MODEL_ID}+french@1.0.0"


# An answer without near-ties: rounding, which other requests beside it change, decides nothing.
QUESTION = [{"role": "user", "content": "Repeat after me: one two three four five six seven eight nine ten"}]


class Parcel(pydantic.BaseModel):
    colour: Literal["red", "green"]
    large: bool


def key_entry(name, **fields):
    return {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), **fields}


class OpenAiClient(ProgramTest):
    """One server for all, which runs the patch french unless asked otherwise."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        maker = cls("run_ok")
        maker.dir = cls.folder = Path(tempfile.mkdtemp(prefix="llmpatch-openai-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        maker.make_patch("french")
        # A key is the name of its owner here.
        maker.write("keys.json", json.dumps({"keys": [key_entry("free", unpatched=True),
                                                      key_entry("bound")]}))
        cls.server = Server(cls.folder, "--patch", "./french", "--allow-unsigned", "--store", "nowhere", "--api-keys", "keys.json", "--max-tokens", 64)
        cls.addClassCleanup(cls.server.stop)
        cls.client = cls.make_client("free")

    @classmethod
    def make_client(cls, key, kind=openai.OpenAI):
        return kind(base_url=f"http://127.0.0.1:{cls.server.port}/v1", api_key=key, max_retries=0)

    def chat(self, **fields):
        return self.client.chat.completions.create(
            **{"model": MODEL_ID, "messages": QUESTION, "max_completion_tokens": 16, **fields})

    def complete(self, **fields):
        return self.client.completions.create(
            **{"model": MODEL_ID, "prompt": "1, 2, 3, 4, 5, 6,", "max_tokens": 8, **fields})

    def assert_refused(self, kind, status, code, param, ask):
        with self.assertRaises(kind) as raised:
            ask()
        error = raised.exception
        self.assertEqual((error.status_code, error.code, error.param), (status, code, param))
        self.assertTrue(error.body["message"])
        self.assertTrue(error.request_id)

    def test_chat(self):
        answer = self.chat()
        self.assertEqual((answer.object, answer.model), ("chat.completion", PATCHED))
        self.assertEqual(answer._request_id, answer.id)
        choice, = answer.choices
        self.assertEqual(choice.message.role, "assistant")
        self.assertTrue(choice.message.content)
        usage = answer.usage
        self.assertLessEqual(usage.completion_tokens, 16)
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
        self.assertEqual(choice.finish_reason == "length", usage.completion_tokens == 16)

    def test_names_patches_in_either_way(self):
        raw = self.client.chat.completions.with_raw_response.create
        stacks = {}
        for model, extra in [(MODEL_ID, {"patches": []}), (MODEL_ID, {"patches": ["french@^1"]}),
                             (f"{MODEL_ID}+french", {})]:
            response = raw(model=model, messages=QUESTION, max_completion_tokens=16, extra_body=extra)
            answer = response.parse()
            stacks.setdefault(response.headers["llmpatch-stack"], []).append(
                answer.choices[0].message.content)
            self.assertEqual(answer.usage.model_extra["prefix_rows"] > 0, bool(answer.llmpatch["patches"]))
        self.assertEqual(set(stacks), {"none", "french@1.0.0"})
        by_field, by_model = stacks["french@1.0.0"]
        self.assertEqual(by_field, by_model)

    def test_streams_chat(self):
        whole = self.chat()
        chunks = list(self.chat(stream=True, stream_options={"include_usage": True}))
        *pieces, last = chunks
        self.assertEqual("".join(piece.choices[0].delta.content or "" for piece in pieces),
                         whole.choices[0].message.content)
        self.assertEqual(pieces[0].choices[0].delta.role, "assistant")
        self.assertEqual(pieces[-1].choices[0].finish_reason, whole.choices[0].finish_reason)
        self.assertEqual((last.choices, last.usage.completion_tokens),
                         ([], whole.usage.completion_tokens))
        with self.client.chat.completions.stream(
                model=MODEL_ID, messages=QUESTION, max_completion_tokens=64) as stream:
            final = stream.get_final_completion()
        self.assertEqual(final.choices[0].message.content, whole.choices[0].message.content)

    def test_goes_on_from_its_own_answer(self):
        message = self.chat().choices[0].message.model_dump()
        self.assertIn("annotations", message, "members that the server did not send are null")
        back = self.chat(messages=[*QUESTION, message, {"role": "user", "content": "Again."}])
        self.assertTrue(back.choices[0].message.content)
        self.assert_refused(openai.BadRequestError, 400, "unknown_parameter", "messages[1].annotations",
                            lambda: self.chat(messages=[*QUESTION, {**message, "annotations": []}]))

    def test_leaves_a_stream(self):
        stream = self.chat(stream=True, max_completion_tokens=64)
        next(iter(stream))
        stream.close()
        self.assertTrue(self.chat().choices)

    def test_streams_to_many_at_a_time(self):
        whole = self.chat().choices[0].message.content

        async def ask(client):
            stream = await client.chat.completions.create(
                model=MODEL_ID, messages=QUESTION, max_completion_tokens=16, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        async def ask_all():
            async with self.make_client("free", openai.AsyncOpenAI) as client:
                return await asyncio.gather(*[ask(client) for _ in range(8)])

        self.assertEqual(asyncio.run(ask_all()), [whole] * 8)

    def test_gives_logprobs(self):
        answer = self.chat(logprobs=True, top_logprobs=2)
        tokens = answer.choices[0].logprobs.content
        self.assertEqual(len(tokens), answer.usage.completion_tokens)
        self.assertEqual(b"".join(bytes(token.bytes) for token in tokens).decode(errors="replace"),
                         answer.choices[0].message.content)
        for token in tokens:
            self.assertEqual(token.top_logprobs[0].token, token.token)
            self.assertLessEqual(token.top_logprobs[1].logprob, token.logprob)
            self.assertLessEqual(token.logprob, 0)

    def test_holds_an_answer_to_a_class(self):
        answer = self.client.chat.completions.parse(
            model=MODEL_ID, messages=QUESTION, response_format=Parcel, max_completion_tokens=64)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertIsInstance(answer.choices[0].message.parsed, Parcel)
        free = self.chat(response_format={"type": "json_object"}, max_completion_tokens=64)
        self.assertTrue(free.choices[0].message.content.lstrip().startswith("{"))

    def test_calls_functions(self):
        tools = [openai.pydantic_function_tool(Parcel, name="send", description="Sends a parcel.")]
        fields = {"tools": tools, "parallel_tool_calls": False, "max_completion_tokens": 64,
                  "tool_choice": {"type": "function", "function": {"name": "send"}}}
        answer = self.chat(**fields)
        choice, = answer.choices
        self.assertEqual((choice.finish_reason, choice.message.content), ("tool_calls", None))
        call, = choice.message.tool_calls
        self.assertEqual((call.type, call.function.name), ("function", "send"))
        Parcel.model_validate_json(call.function.arguments)
        parsed = self.client.chat.completions.parse(
            **{"model": MODEL_ID, "messages": QUESTION, **fields, "tool_choice": "required"})
        call, = parsed.choices[0].message.tool_calls
        self.assertIsInstance(call.function.parsed_arguments, Parcel)
        # The client puts the pieces together.
        with self.client.chat.completions.stream(
                model=MODEL_ID, messages=QUESTION, **{**fields, "tool_choice": "required"}) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
        self.assertIn("tool_calls.function.arguments.done", kinds)
        streamed, = final.choices[0].message.tool_calls
        self.assertEqual(streamed.function.arguments, call.function.arguments)
        back = self.chat(messages=[*QUESTION, parsed.choices[0].message,
                                   {"role": "tool", "tool_call_id": call.id, "content": "sent"}],
                         tools=tools, tool_choice="none")
        self.assertTrue(back.choices[0].message.content)
        self.assertIsNone(back.choices[0].message.tool_calls)

    def test_completes_text(self):
        answer = self.complete(n=2, logprobs=2, echo=True)
        self.assertEqual((answer.object, answer.model), ("text_completion", PATCHED))
        self.assertEqual([choice.index for choice in answer.choices], [0, 1])
        one, other = answer.choices
        self.assertEqual(one.text, other.text)  # greedy
        self.assertTrue(one.text.startswith("1, 2, 3, 4, 5, 6,"))
        self.assertEqual("".join(one.logprobs.tokens), one.text)
        self.assertEqual(len(one.logprobs.token_logprobs), len(one.logprobs.tokens))
        streamed = self.complete(stream=True)
        self.assertEqual("1, 2, 3, 4, 5, 6," + "".join(chunk.choices[0].text for chunk in streamed),
                         one.text)
        ids = self.complete(prompt=[1, 2, 3])
        self.assertGreaterEqual(ids.usage.prompt_tokens, 3)

    def test_samples(self):
        fields = {"temperature": 1.0, "seed": 7, "n": 3, "top_p": 0.9, "frequency_penalty": 0.5,
                  "presence_penalty": 0.5, "logit_bias": {"5": -100}, "stop": ["\n\n"], "user": "u"}
        choices = self.chat(**fields).choices
        self.assertEqual([choice.index for choice in choices], [0, 1, 2])
        self.assertGreater(len({choice.message.content for choice in choices}), 1)

    def test_lists_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], [MODEL_ID, PATCHED])
        self.assertEqual(self.client.models.retrieve(PATCHED).id, PATCHED)
        self.assert_refused(openai.NotFoundError, 404, "model_not_found", "model",
                            lambda: self.client.models.retrieve("nobody"))

    def test_errors_are_the_clients_own(self):
        bad = openai.BadRequestError
        self.assert_refused(openai.NotFoundError, 404, "model_not_found", "model",
                            lambda: self.chat(model="gpt-nobody"))
        self.assert_refused(openai.NotFoundError, 404, "patch_not_found", "patches",
                            lambda: self.chat(extra_body={"patches": ["nobody"]}))
        self.assert_refused(bad, 400, "unknown_parameter", "temprature",
                            lambda: self.chat(extra_body={"temprature": 0}))
        self.assert_refused(bad, 400, "invalid_value", "temperature",
                            lambda: self.chat(temperature=3))
        self.assert_refused(bad, 400, "invalid_value", "tools[0].function.name",
                            lambda: self.chat(tools=[{"type": "function", "function": {"name": "f g"}}]))
        self.assert_refused(bad, 400, "invalid_value", "temperature",
                            lambda: self.chat(temperature=3, stream=True))
        self.assert_refused(bad, 400, "unsupported_endpoint", None,
                            lambda: self.client.embeddings.create(model=MODEL_ID, input="x"))

    def test_keys(self):
        ask = {"model": MODEL_ID, "messages": QUESTION, "max_completion_tokens": 1}
        stranger, bound = self.make_client("stranger"), self.make_client("bound")
        self.assert_refused(openai.AuthenticationError, 401, "invalid_api_key", None,
                            lambda: stranger.chat.completions.create(**ask))
        self.assertEqual(bound.chat.completions.create(**ask).model, PATCHED)
        self.assert_refused(
            openai.PermissionDeniedError, 403, "unpatched_not_allowed", "patches",
            lambda: bound.chat.completions.create(**ask, extra_body={"patches": []}))


if __name__ == "__main__":
    main()
