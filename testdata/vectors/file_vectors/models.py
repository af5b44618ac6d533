"""Model and adapter files (GGUF), right and wrong."""

import struct
import sys

from make import HERE

from .index import WORDS, add

sys.path.insert(0, str(HERE.parent.parent / "tests/e2e"))
import gguf  # noqa: E402
from gguf import (ARRAY, BOOL, F32, FLOAT32, INT32, Q4_1, STRING, UINT32, UINT64,  # noqa: E402
                  key_string, key_uint32, string)

WIDTH, LETTERS = 8, "abcdefghijklmnopqrstuvwxyz"
TOKENS = ["<unk>", "<s>", "</s>", *LETTERS, "Ġ", "Ċ", "th"]  # the two of GPT-2 for a space, a newline


def value(key, kind, content):
    return string(key) + struct.pack("<I", kind) + content


def array(key, kind, count, content=b""):
    return value(key, ARRAY, struct.pack("<IQ", kind, count) + content)


def strings(key, texts):
    return array(key, STRING, len(texts), b"".join(map(string, texts)))


def integers(key, numbers):
    return array(key, INT32, len(numbers), struct.pack(f"<{len(numbers)}i", *numbers))


# The metadata of a llama of one layer that libllama runs.
KEYS = {
    "general.architecture": key_string("general.architecture", "llama"),
    "general.name": key_string("general.name", "vector"),
    **{f"llama.{name}": key_uint32(f"llama.{name}", size) for name, size in [
        ("block_count", 1), ("context_length", 64), ("embedding_length", WIDTH),
        ("feed_forward_length", WIDTH), ("attention.head_count", 1),
        ("attention.head_count_kv", 1), ("rope.dimension_count", WIDTH)]},
    "llama.attention.layer_norm_rms_epsilon": value(
        "llama.attention.layer_norm_rms_epsilon", FLOAT32, struct.pack("<f", 1e-5)),
    "tokenizer.ggml.model": key_string("tokenizer.ggml.model", "gpt2"),
    "tokenizer.ggml.pre": key_string("tokenizer.ggml.pre", "gpt-2"),
    "tokenizer.ggml.tokens": strings("tokenizer.ggml.tokens", TOKENS),
    "tokenizer.ggml.token_type": integers("tokenizer.ggml.token_type",
                                          [2, 3, 3] + [1] * (len(TOKENS) - 3)),
    "tokenizer.ggml.merges": strings("tokenizer.ggml.merges", ["t h"]),
    "tokenizer.ggml.bos_token_id": key_uint32("tokenizer.ggml.bos_token_id", 1),
    "tokenizer.ggml.eos_token_id": key_uint32("tokenizer.ggml.eos_token_id", 2),
}
SHAPES = {
    "token_embd.weight": [WIDTH, len(TOKENS)], "output_norm.weight": [WIDTH],
    "blk.0.attn_norm.weight": [WIDTH], "blk.0.ffn_norm.weight": [WIDTH],
    **{f"blk.0.{name}.weight": [WIDTH, WIDTH] for name in
       ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")},
}


def size_of(shape):
    count = 1
    for extent in shape:
        count *= extent
    return 4 * count


def weights(shapes):
    """Their values, aligned, and the offset of each: small numbers, that are no two rows alike."""
    data, offsets = b"", {}
    for name, shape in shapes.items():
        offsets[name] = len(data)
        count = size_of(shape) // 4
        data += struct.pack(f"<{count}f", *[(7 * i * i % 31 - 15) / 16 + 1 for i in range(count)])
        data += b"\0" * (-len(data) % 32)
    return data, offsets


DATA, OFFSETS = weights(SHAPES)
TENSORS = {name: gguf.tensor(name, shape, offset=OFFSETS[name]) for name, shape in SHAPES.items()}


def model(keys=None, tensors=None, more=(), data=DATA, **counts):
    """The model with other metadata (None leaves a key out) or tensors, and `more` keys behind."""
    every = {**KEYS, **(keys or {})}
    table = {**TENSORS, **(tensors or {})}
    return gguf.gguf([each for each in every.values() if each is not None] + list(more),
                     list(table.values()), data, **counts)


def vector(row, name, expect, content, says, **more):
    add("models", "model", name, row, expect, content, says, **more)


def first_tensor(name, row, shape, says, expect="corrupt", kind=F32, offset=0):
    """A model whose first tensor is said to be so."""
    vector(row, name, expect, model(tensors={
        "token_embd.weight": gguf.tensor("token_embd.weight", shape, kind, offset)}), says)


def beginning():
    row = "magic, a version that is known, little-endian"
    whole = model()
    vector(row, "nothing", "corrupt", b"", "magic")
    vector(row, "text", "corrupt", b"once upon a time there was a model", "magic")
    vector(row, "magic-alone", "corrupt", b"GGUF", "version")
    vector(row, "magic-reversed", "corrupt", b"FUGG" + whole[4:], "magic")
    vector(row, "magic-of-ggml", "corrupt", b"lmgg" + whole[4:], "magic")
    for name, version in [("version-0", 0), ("version-1", 1), ("version-4", 4),
                          ("version-of-all-ones", 2**32 - 1)]:
        vector(row, name, "unsupported", model(version=version), "version")
    vector(row, "big-endian", "unsupported",
           b"GGUF" + struct.pack(">IQQ", 3, 1, 1) + b"\0" * 64, "big-endian")


def counts():
    row = "counts within the limits and within the file"
    sizes = {"2-to-the-31-less-1": 2**31 - 1, "2-to-the-31": 2**31, "2-to-the-32": 2**32,
             "2-to-the-63": 2**63, "all-ones": WORDS - 1}
    for name, count in sizes.items():
        vector(row, f"keys-{name}", "limit", model(key_count=count), str(count))
        vector(row, f"tensors-{name}", "limit", model(tensor_count=count), str(count))
    # With nothing behind the metadata but the padding, the next name is empty or missing.
    keys, tensor = list(KEYS.values()), gguf.tensor("t", [WIDTH])
    vector(row, "more-keys-than-there-are", "corrupt", gguf.gguf(keys, key_count=60000), "metadata key")
    vector(row, "one-key-too-many", "corrupt", gguf.gguf(keys, key_count=len(keys) + 1), "metadata key")
    # The type of the key that is left over, 8 for a text, stands where dimensions are counted.
    vector(row, "one-key-too-few", "corrupt",
           gguf.gguf([*keys, key_string("z", "z")], [tensor], key_count=len(keys)), "8 dimensions")
    vector(row, "more-tensors-than-there-are", "corrupt",
           gguf.gguf(keys, [tensor], tensor_count=100_000), "tensor name")
    vector(row, "one-tensor-too-many", "corrupt", gguf.gguf(keys, [tensor], tensor_count=2), "tensor name")


def lengths():
    row = "texts within their limits and within the file"

    def length(count, content=b"abc"):
        return struct.pack("<Q", count) + content

    for name, count in [("2-to-the-31", 2**31), ("2-to-the-32", 2**32 + 3), ("2-to-the-63", 2**63),
                        ("all-ones", WORDS - 1)]:
        vector(row, f"key-of-{name}", "limit", gguf.gguf(keys=[length(count)]), "metadata key")
        vector(row, f"text-of-{name}", "limit", gguf.gguf(
            keys=[string("key") + struct.pack("<I", STRING) + length(count)]), "key")
        vector(row, f"token-of-{name}", "limit", model(
            {"tokenizer.ggml.tokens": array("tokenizer.ggml.tokens", STRING, 1, length(count))}),
            "tokenizer.ggml.tokens")
        vector(row, f"tensor-name-of-{name}", "limit", gguf.gguf(tensors=[length(count)]), "tensor name")
    vector(row, "text-behind-the-end", "corrupt", gguf.gguf(
        keys=[string("key") + struct.pack("<I", STRING) + length(100_000)]), "key")
    vector(row, "key-of-nothing", "corrupt", model(more=[key_uint32("", 1)]), "metadata key")
    vector(row, "key-with-a-zero-byte", "corrupt", model(more=[key_uint32(b"a\0b", 1)]), "metadata key")
    vector(row, "tensor-without-a-name", "corrupt",
           model(tensors={"": gguf.tensor("", [8])}), "tensor name")
    vector(row, "tensor-name-of-64-bytes", "limit",
           model(tensors={"": gguf.tensor("t" * 64, [8])}), "tensor name")


def values():
    row = "values of a known type, arrays within the limits and within the file"
    for name, count in [("over-the-limit", 2**24 + 1), ("2-to-the-32", 2**32), ("2-to-the-61", 2**61),
                        ("2-to-the-63", 2**63), ("all-ones", WORDS - 1)]:
        for kind, number in [("numbers", UINT64), ("texts", STRING)]:
            vector(row, f"array-of-{kind}-{name}", "limit",
                   model(more=[array("key", number, count, b"\0" * 16)]), "key")
    vector(row, "array-behind-the-end", "corrupt", model(more=[array("key", UINT32, 2**24)]), "key")
    vector(row, "array-of-texts-behind-the-end", "corrupt",
           model(more=[array("key", STRING, 2**20)]), "key")
    vector(row, "array-of-arrays", "corrupt", model(more=[array("key", ARRAY, 1, b"\0" * 12)]), "key")
    vector(row, "array-of-no-known-type", "corrupt", model(more=[array("key", 77, 1, b"\0" * 8)]), "key")
    for name, kind in [("13", 13), ("all-ones", 2**32 - 1)]:
        vector(row, f"value-of-type-{name}", "corrupt", model(more=[value("key", kind, b"\0" * 8)]), "key")
    vector(row, "truth-of-2", "corrupt", model(more=[value("key", BOOL, b"\2")]), "key")
    vector(row, "truths-of-2", "corrupt", model(more=[array("key", BOOL, 2, b"\0\2")]), "key")


def shapes():
    row = "one to four dimensions, none empty, and no overflow"
    for name, shape in [("no-dimensions", []), ("five-dimensions", [1] * 5), ("empty-columns", [0, 8]),
                        ("empty-rows", [8, 0]), ("negative-columns", [WORDS - 8, 1]),
                        ("product-wraps-to-nothing", [2**32, 2**32]),
                        ("product-wraps-to-the-size", [2**62 + WIDTH, 4]),
                        ("product-of-four-wraps", [2**16] * 4),
                        ("bytes-wrap-to-nothing", [2**62, 1]),
                        ("bytes-wrap-to-the-size", [2**62 + WIDTH, 1]),
                        ("bytes-of-a-negative-number", [2**61, 1]),
                        ("rows-of-half-a-block", None)]:
        if shape is None:
            first_tensor(name, row, [33, 4], "token_embd.weight", kind=Q4_1)
        else:
            first_tensor(name, row, shape, "token_embd.weight")
    many = string("token_embd.weight") + struct.pack("<I", 2**32 - 1)
    vector(row, "dimensions-of-all-ones", "corrupt",
           model(tensors={"token_embd.weight": many}), "dimensions")
    # Each fits into 64 bits, their sum does not.
    sums = {f"t{i}": gguf.tensor(f"t{i}", [2**60], offset=i * 2**62) for i in range(4)}
    vector(row, "sizes-whose-sum-wraps", "corrupt", model(tensors=sums), "t0")


def places():
    row = "data inside the file, aligned, of one tensor alone"
    size = size_of(SHAPES["token_embd.weight"])
    shape = SHAPES["token_embd.weight"]
    for name, offset in [("behind-the-end", 2**20), ("at-the-end", len(DATA)), ("wraps", WORDS - 32),
                         ("wraps-with-its-size", WORDS - size), ("negative", 2**63),
                         ("over-4-gigabytes", 2**32), ("not-aligned", 4),
                         ("half-in-another-tensor", OFFSETS["output_norm.weight"] - 32),
                         ("of-another-tensor", OFFSETS["blk.0.attn_q.weight"])]:
        first_tensor(f"offset-{name}", row, shape, "token_embd.weight", offset=offset)
    first_tensor("more-rows-than-the-file-has", row, [WIDTH, 100_000], "token_embd.weight")
    vector(row, "last-tensor-cut-short", "corrupt", model(data=DATA[:-32]), "blk.0.ffn_down.weight")
    vector(row, "no-data", "corrupt", model(data=b""), "token_embd.weight")


def alignments():
    row = "an alignment that is a power of two"
    for name, number in [("0", 0), ("1", 1), ("3", 3), ("24", 24), ("2-to-the-31", 2**31),
                         ("all-ones", 2**32 - 1)]:
        vector(row, f"alignment-{name}", "corrupt",
               model(more=[key_uint32("general.alignment", number)]), "general.alignment")
    vector(row, "alignment-of-2-to-the-63", "corrupt", model(
        more=[value("general.alignment", UINT64, struct.pack("<Q", 2**63))]), "general.alignment")
    vector(row, "alignment-below-nothing", "corrupt", model(
        more=[value("general.alignment", INT32, struct.pack("<i", -32))]), "general.alignment")
    vector(row, "alignment-as-text", "corrupt", model(
        more=[key_string("general.alignment", "32")]), "general.alignment")


def types():
    row = "tensor types that ggml knows"
    for name, kind in [("4-that-was-removed", 4), ("31-that-was-removed", 31), ("200", 200),
                       ("2-to-the-31-less-1", 2**31 - 1), ("2-to-the-31", 2**31), ("all-ones", 2**32 - 1)]:
        first_tensor(f"type-{name}", row, SHAPES["token_embd.weight"], "type", "unsupported", kind)


def twice():
    row = "no key and no tensor twice"
    vector(row, "architecture-twice", "corrupt",
           model(more=[key_string("general.architecture", "gemma3")]), "general.architecture")
    vector(row, "alignment-twice", "corrupt",
           model(more=[key_uint32("general.alignment", 32), key_uint32("general.alignment", 8)]),
           "general.alignment")
    vector(row, "tensor-twice", "corrupt", model(
        tensors={"again": TENSORS["token_embd.weight"]}), "token_embd.weight")


def cuts():
    row = "whole: cut anywhere, it is refused"
    whole = model()
    head = len(model(data=b""))
    for name, at in [("behind-the-magic", 4), ("in-the-counts", 20), ("behind-the-header", 24),
                     ("in-a-key", 40), ("in-the-metadata", 300), ("in-the-tokens", 700),
                     ("in-the-table-of-tensors", head - 100), ("behind-the-table", head),
                     ("in-the-data", head + 50), ("before-the-last-weight", len(whole) - 4)]:
        vector(row, f"cut-{name}", "corrupt", whole[:at], f"cut-{name}.gguf")


def architecture():
    row = "sizes that a model can have"

    def size(name, key, number, expect="corrupt"):
        key = f"llama.{key}"
        vector(row, name, expect, model({key: key_uint32(key, number)}), key, by="model")

    vector(row, "no-architecture", "corrupt", model({"general.architecture": None}), "general.architecture")
    vector(row, "architecture-is-a-number", "corrupt", model(
        {"general.architecture": key_uint32("general.architecture", 7)}), "general.architecture")
    vector(row, "architecture-that-is-a-path", "corrupt", model(
        {"general.architecture": key_string("general.architecture", "../llama")}), "general.architecture")
    vector(row, "architecture-that-nobody-knows", "corrupt", model(
        {"general.architecture": key_string("general.architecture", "frobnicator")}), "frobnicator",
        by="model")
    vector(row, "part-of-a-model", "unsupported", model(more=[key_uint32("split.count", 2)]), "parts")
    for name, key in [("layers", "block_count"), ("width", "embedding_length"),
                      ("context", "context_length"), ("heads", "attention.head_count")]:
        size(f"{name}-of-none", key, 0)
        size(f"{name}-of-all-ones", key, 2**32 - 1)
    size("feed-forward-of-all-ones", "feed_forward_length", 2**32 - 1)
    vector(row, "heads-for-a-layer-of-all-ones", "corrupt", model({"llama.attention.head_count": array(
        "llama.attention.head_count", UINT32, 1, b"\xff" * 4)}), "head_count", by="model")
    vector(row, "layers-as-text", "corrupt", model(
        {"llama.block_count": key_string("llama.block_count", "1")}), "llama.block_count", by="model")
    vector(row, "more-experts-than-can-be", "corrupt", model(
        more=[key_uint32("llama.expert_count", 2**31), key_uint32("llama.expert_used_count", 1)]),
        "expert", by="model")
    vector(row, "more-experts-used-than-there-are", "corrupt", model(
        more=[key_uint32("llama.expert_count", 4), key_uint32("llama.expert_used_count", 5)]),
        "expert", by="model")
    vector(row, "rope-scaling-that-nobody-knows", "unsupported", model(
        more=[key_string("llama.rope.scaling.type", "su")]), "rope", by="model")
    vector(row, "more-layers-than-tensors", "unsupported", model(
        {"llama.block_count": key_uint32("llama.block_count", 2)}), "blk.1", by="model")
    vector(row, "matrix-of-another-shape", "unsupported", model(
        tensors={"blk.0.attn_q.weight": gguf.tensor("blk.0.attn_q.weight", [WIDTH, 4],
                                                    offset=OFFSETS["blk.0.attn_q.weight"])}),
        "", by="model")


def vocabulary():
    row = "a vocabulary whose parts fit each other"
    key = "tokenizer.ggml.tokens"

    def vector_of(name, expect, keys, says, more=()):
        vector(row, name, expect, model(keys, more=more), says, by="model")

    vector_of("no-vocabulary", "unsupported",
              {"tokenizer.ggml.model": key_string("tokenizer.ggml.model", "none")}, "tokenizer")
    vector_of("no-tokens", "corrupt", {key: None}, key)
    vector_of("three-tokens", "corrupt", {key: strings(key, TOKENS[:3])}, key)
    vector_of("tokens-are-numbers", "corrupt", {key: integers(key, list(range(32)))}, key)
    vector_of("token-twice", "corrupt", {key: strings(key, TOKENS[:-1] + ["a"])}, key)
    vector_of("token-twice-to-a-c-string", "corrupt", {key: strings(key, TOKENS[:-1] + ["a\0b"])}, key)
    vector_of("tokenizer-that-nobody-knows", "unsupported",
              {"tokenizer.ggml.model": key_string("tokenizer.ggml.model", "frob")}, "frob")


    types = "tokenizer.ggml.token_type"
    vector_of("one-token-type-too-few", "unsupported",
              {types: integers(types, [1] * (len(TOKENS) - 1))}, "toktypes")
    vector_of("no-token-types", "unsupported", {types: integers(types, [])}, "toktypes")
    vector_of("token-types-as-texts", "unsupported", {types: strings(types, ["1"] * len(TOKENS))}, types)
    vector_of("token-types-as-bytes", "unsupported",
              {types: array(types, 1, len(TOKENS), b"\1" * len(TOKENS))}, types)
    scores = "tokenizer.ggml.scores"
    vector_of("one-score", "unsupported", {}, "scores", [array(scores, FLOAT32, 1, b"\0" * 4)])
    vector_of("scores-as-numbers-of-a-byte", "unsupported", {}, scores,
              [array(scores, 1, len(TOKENS), b"\0" * len(TOKENS))])
    merges = "tokenizer.ggml.merges"
    # These libllama passes over.
    vector_of("merges-without-a-space", "valid", {merges: strings(merges, ["th", "", " "])}, "")
    vector_of("merges-as-numbers", "unsupported", {merges: integers(merges, [1])}, merges)
    vector_of("no-merges", "unsupported", {merges: None}, "merges")
    for name, number in [("behind-the-last", len(TOKENS)), ("of-2-to-the-31", 2**31),
                         ("of-all-ones", 2**32 - 1)]:
        for each in ("bos", "eos"):
            key = f"tokenizer.ggml.{each}_token_id"
            vector_of(f"{each}-{name}", "valid", {key: key_uint32(key, number)}, "")


def templates():
    row = "a chat template that only makes text"

    def vector_of(name, expect, template, says):
        vector(row, f"template-{name}", expect,
               model(more=[key_string("tokenizer.chat_template", template)]), says, by="model")

    vector_of("that-includes-a-file", "corrupt", "{% include '/etc/passwd' %}", "include")
    vector_of("that-imports-a-module", "corrupt", "{% import 'os' as os %}{{ os.getcwd() }}", "import")
    vector_of("of-2000-brackets", "limit", "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}", "operators")
    vector_of("nested-200-deep", "limit", "{% if true %}" * 200 + "x" + "{% endif %}" * 200, "nested")


def lora(pairs=None, keys=None, more=(), **changes):
    """An adapter for the model: `pairs` are tensor -> shape, the good ones unless given."""
    shapes = {"blk.0.attn_q.weight.lora_a": [WIDTH, 2], "blk.0.attn_q.weight.lora_b": [2, WIDTH],
              **(pairs or {})}
    shapes = {name: shape for name, shape in shapes.items() if shape is not None}
    data, offsets = weights(shapes)
    every = {
        "general.type": key_string("general.type", "adapter"),
        "general.architecture": KEYS["general.architecture"],
        "adapter.type": key_string("adapter.type", "lora"),
        "adapter.lora.alpha": value("adapter.lora.alpha", FLOAT32, struct.pack("<f", 4)), **(keys or {})}
    tensors = {name: gguf.tensor(name, shape, offset=offsets[name]) for name, shape in shapes.items()}
    tensors.update(changes.pop("tensors", {}))
    return gguf.gguf([each for each in every.values() if each is not None] + list(more),
                     list(tensors.values()), changes.pop("change", lambda it: it)(data), **changes)


def adapters():
    row = "an adapter of the model that it is for"
    a, b = "blk.0.attn_q.weight.lora_a", "blk.0.attn_q.weight.lora_b"

    def adapter(name, expect, content, says):
        add("models", "adapter", f"lora-{name}", row if expect != "valid" else "", expect, content, says)

    def alpha(kind, content):
        return {"adapter.lora.alpha": value("adapter.lora.alpha", kind, content)}

    adapter("good", "valid", lora(), "")
    adapter("that-is-a-model", "invalid", model(), "general.type")
    adapter("of-another-kind", "unsupported", lora(
        keys={"adapter.type": key_string("adapter.type", "ia3")}), "adapter.type")
    adapter("that-waits-for-a-token", "unsupported", lora(
        more=[array("adapter.alora.invocation_tokens", UINT32, 1, b"\1\0\0\0")]), "waits for a token")
    adapter("for-another-architecture", "mismatch", lora(
        keys={"general.architecture": key_string("general.architecture", "gemma3")}), "gemma3")
    adapter("of-nothing", "corrupt", lora({a: None, b: None}), "no tensors")
    adapter("of-one-half", "corrupt", lora({b: None}), "lora_b")
    adapter("of-the-other-half", "corrupt", lora({a: None}), "lora_a")
    adapter("of-two-ranks", "corrupt", lora({b: [4, WIDTH]}), "rank")
    adapter("wider-than-the-matrix", "mismatch", lora({a: [2 * WIDTH, 2]}), "expected")
    adapter("of-more-rows-than-the-matrix", "mismatch", lora({b: [2, 2 * WIDTH]}), "expected")
    adapter("for-experts-that-are-not-there", "mismatch", lora(
        {a: [WIDTH, 2, 64], b: [2, WIDTH, 64]}), "expected")
    adapter("for-more-experts-in-one-half", "corrupt", lora({b: [2, WIDTH, 64]}), "rank")
    adapter("for-a-matrix-that-is-not-there", "mismatch", lora(
        {"blk.9.attn_q.weight.lora_a": [WIDTH, 2], "blk.9.attn_q.weight.lora_b": [2, WIDTH]}), "blk.9")
    adapter("for-a-norm", "unsupported", lora({"blk.0.attn_norm.weight": [WIDTH]}), "norm")
    adapter("with-a-tensor-of-no-pair", "corrupt", lora({"whatever": [WIDTH]}), "whatever")
    adapter("with-nan", "corrupt", lora(change=lambda it: b"\0\0\xc0\x7f" + it[4:]), "finite")
    adapter("with-infinity", "corrupt", lora(change=lambda it: b"\0\0\x80\xff" + it[4:]), "finite")
    adapter("with-an-alpha-of-nan", "corrupt", lora(keys=alpha(FLOAT32, b"\0\0\xc0\x7f")), "alpha")
    adapter("with-an-alpha-as-text", "corrupt", lora(keys=alpha(STRING, string("4"))), "alpha")
    adapter("behind-the-end", "corrupt", lora(tensors={b: gguf.tensor(b, [2, WIDTH], offset=2**20)}), b)
    adapter("cut-short", "corrupt", lora(change=lambda it: it[:-32]), b)
    adapter("of-types-that-no-converter-writes", "unsupported", lora(
        tensors={a: gguf.tensor(a, [WIDTH, 2], 24), b: gguf.tensor(b, [2, WIDTH], 24, 64)}), "Q8_0")


def make():
    add("models", "model", "good", "", "valid", model())
    for each in (beginning, counts, lengths, values, shapes, places, alignments, types, twice, cuts,
                 architecture, vocabulary, templates, adapters):
        each()
