"""adapter_model.safetensors, right and wrong."""

import json
import struct

from .index import D, GOOD, N, ROWS, VALUES, WORDS, add


def safetensors(header, data=VALUES, length=None):
    """`header` is bytes, text or an object; `length` is what the file says of it."""
    if not isinstance(header, (bytes, str)):
        header = json.dumps(header, separators=(",", ":"))
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(**changes):
    return {"dtype": "F32", "shape": [N, D], "data_offsets": [0, len(VALUES)], **changes}


def tensor(name="prompt_embeddings", **changes):
    return {name: entry(**changes)}


def header_length():
    row = "a header as long as it says"
    plain = json.dumps(tensor())

    def vector(name, expect, content, says):
        add("rows", ROWS, name, row, expect, content, says)

    vector("nothing", "corrupt", b"", "found 0 bytes")
    vector("seven-bytes", "corrupt", b"\x68" + b"\0" * 6, "found 7 bytes")
    vector("header-of-nothing", "corrupt", safetensors("", length=0), "header")
    vector("header-longer-than-the-file", "corrupt", safetensors(plain, b"", len(plain) + 1), "header")
    vector("header-cut-short", "corrupt", safetensors(plain)[:40], "header")
    vector("header-length-big-endian", "limit",
           struct.pack(">Q", len(plain)) + plain.encode() + VALUES, "header")
    vector("header-over-the-limit", "limit", safetensors(plain, length=64 * 1024 + 1), "65537")
    vector("header-of-100-megabytes", "limit", safetensors(plain, length=100_000_000), "100000000")
    vector("header-over-2-gigabytes", "limit", safetensors(plain, length=2**31 + 8), "header")
    vector("header-over-4-gigabytes", "limit", safetensors(plain, length=2**32 + len(plain)), "header")
    vector("header-of-a-negative-length", "limit", safetensors(plain, length=2**63), "header")
    vector("header-whose-end-wraps", "limit", safetensors(plain, length=WORDS - 8), "header")
    vector("header-of-all-ones", "limit", safetensors(plain, length=WORDS - 1), "header")
    # {"prompt_embeddings": []}
    vector("a-pickle", "limit", b"\x80\x02}q\0X\x11\0\0\0prompt_embeddingsq\1]q\2s.", "header")


def header_text():
    row = "one JSON object, padded with spaces at its end"
    plain = json.dumps(tensor())

    def vector(name, header, says="header", expect="corrupt"):
        add("rows", ROWS, name, row, expect, safetensors(header), says)

    vector("space-before", " " + plain)
    vector("newline-before", "\n" + plain)
    vector("mark-before", b"\xef\xbb\xbf" + plain.encode())
    vector("newline-behind", plain + "\n")
    vector("tabs-behind", plain + "\t\t")
    vector("zeros-behind", plain + "\0" * 4)
    vector("header-is-a-list", json.dumps([tensor()]))
    vector("header-is-text", '"' + plain.replace('"', '\\"') + '"')
    vector("two-objects", plain + plain, ROWS)
    vector("object-cut-short", plain[:-2] + "}", ROWS)
    vector("comma-too-many", plain[:-1] + ",}", ROWS)
    vector("comment", plain[:-1] + "/* */}", ROWS)
    vector("single-quotes", plain.replace('"', "'"), ROWS)
    vector("text-that-is-no-utf-8", plain.encode().replace(b'{"prompt', b'{"\xff":{},"prompt'), ROWS)
    vector("name-with-a-zero-byte", plain.encode().replace(b"embeddings", b"embedding\0"), "NUL")
    vector("nested-1000-deep", '{"__metadata__":' + "[" * 1000 + "]" * 1000 + "," + plain[1:], "nested")
    vector("nested-and-never-closed", '{"a":' * 4000 + "}", "nested")


def twice():
    row = "no key twice"
    one = json.dumps(entry())

    def vector(name, header):
        add("rows", ROWS, name, row, "corrupt", safetensors(header), "duplicate key")

    vector("tensor-twice", f'{{"prompt_embeddings":{one},"prompt_embeddings":{one}}}')
    vector("tensor-twice-one-escaped", f'{{"prompt_embeddings":{one},"\\u0070rompt_embeddings":{one}}}')
    vector("offsets-twice", f'{{"prompt_embeddings":{one[:-1]},"data_offsets":[0,1000000]}}}}')
    vector("shape-twice", f'{{"prompt_embeddings":{{"shape":[1000000,4],{one[1:]}}}')
    vector("metadata-twice", f'{{"__metadata__":{{}},"prompt_embeddings":{one},"__metadata__":{{}}}}')
    vector("key-of-metadata-twice",
           f'{{"__metadata__":{{"format":"pt","format":"np"}},"prompt_embeddings":{one}}}')


def members():
    row = "one tensor, with the three members it has"

    def vector(name, header, says):
        add("rows", ROWS, name, row, "corrupt", safetensors(header), says)

    vector("no-tensor", {}, "prompt_embeddings")
    vector("metadata-alone", {"__metadata__": {"format": "pt"}}, "prompt_embeddings")
    vector("other-tensor", tensor("weight"), "weight")
    vector("tensor-in-capitals", tensor("PROMPT_EMBEDDINGS"), "PROMPT_EMBEDDINGS")
    vector("tensor-named-as-a-path", tensor("../../prompt_embeddings"), "../prompt_embeddings")
    vector("two-tensors", {**tensor(shape=[1, D], data_offsets=[0, 16]),
                           **tensor("more", shape=[2, D], data_offsets=[16, 48])}, "more")
    vector("tensor-is-a-list", {"prompt_embeddings": ["F32", [N, D], [0, 48]]}, "prompt_embeddings")
    vector("tensor-is-null", {"prompt_embeddings": None}, "prompt_embeddings")
    for member in ("dtype", "shape", "data_offsets"):
        vector(f"without-{member}".replace("_", "-"),
               {"prompt_embeddings": {k: v for k, v in entry().items() if k != member}}, member)
    vector("one-member-more", tensor(strides=[4, 1]), "4 members")
    vector("dtype-is-a-number", tensor(dtype=0), "dtype")
    vector("shape-is-text", tensor(shape="[3,4]"), "shape")
    vector("offsets-are-an-object", tensor(data_offsets={"begin": 0, "end": 48}), "data_offsets")
    for name, metadata in [("metadata-with-a-number", {"format": 1}),
                           ("metadata-with-an-object", {"format": {}}),
                           ("metadata-is-a-list", ["pt"]), ("metadata-is-null", None)]:
        vector(name, {"__metadata__": metadata, **tensor()}, "__metadata__")


def numbers():
    row = "unsigned integers that fit"

    def vector(name, says, **changes):
        text = json.dumps(tensor(**changes)).replace('"<', "").replace('>"', "")
        add("rows", ROWS, name, row, "corrupt", safetensors(text), says)

    vector("negative-rows", "shape", shape=[-3, D])
    vector("negative-begin", "data_offsets", data_offsets=[-48, 48])
    vector("rows-with-a-fraction", "shape", shape=[3.0, D])
    vector("rows-with-an-exponent", "shape", shape=["<3e0>", D])
    vector("rows-as-text", "shape", shape=["3", D])
    vector("rows-as-a-truth", "shape", shape=[True, D])
    vector("rows-as-null", "shape", shape=[None, D])
    # A parser may make floats of what does not fit, and those wrap or are cut to anything.
    vector("rows-beyond-64-bits", "shape", shape=[WORDS + N, D])
    vector("end-beyond-64-bits", "data_offsets", data_offsets=[0, WORDS + 48])
    vector("end-of-100-digits", "data_offsets", data_offsets=[0, f"<{'9' * 100}>"])
    vector("end-beyond-all-floats", ROWS, data_offsets=[0, "<1e999>"])
    vector("rows-as-nan", ROWS, shape=["<NaN>", D])


def shape():
    row = "two dimensions, neither empty, within the limits"

    def vector(name, expect, shape, size=len(VALUES), says="shape"):
        data = VALUES[:size] if size <= len(VALUES) else VALUES
        add("rows", ROWS, name, row, expect,
            safetensors(tensor(shape=shape, data_offsets=[0, size]), data), says)

    vector("no-dimensions", "corrupt", [], 4)
    vector("one-dimension", "corrupt", [12])
    vector("three-dimensions", "corrupt", [N, D, 1])
    vector("a-hundred-dimensions", "corrupt", [N, D] + [1] * 98)
    vector("no-rows", "corrupt", [0, D], 0)
    vector("rows-of-nothing", "corrupt", [N, 0], 0)
    vector("rows-over-the-limit", "limit", [4097, 1], 4097 * 4)
    vector("wider-than-the-limit", "limit", [1, 65537], 65537 * 4)


def overflow():
    row = "a size that is never computed with overflow"

    def vector(name, shape, size, data=VALUES):
        add("rows", ROWS, name, row, "limit",
            safetensors(tensor(shape=shape, data_offsets=[0, size]), data), "shape")

    vector("product-wraps-to-nothing", [2**32, 2**32], 0, b"")
    vector("bytes-wrap-to-nothing", [2**31, 2**31], 0, b"")
    vector("bytes-wrap-to-the-data", [2**62 + N, D], len(VALUES))
    vector("product-wraps-to-the-rows", [2**60 + N, 16], 16 * N)
    vector("product-of-negative-ones", [WORDS - N, WORDS - D], len(VALUES))
    vector("product-beyond-31-bits", [46341, 46341], 46341 * 46341 * 4)
    vector("one-dimension-of-all-ones", [1, WORDS - 1], WORDS - 4)


def offsets():
    row = "offsets from 0 to the size of the shape"

    def vector(name, offsets, says="data_offsets", **changes):
        add("rows", ROWS, name, row, "corrupt",
            safetensors(tensor(data_offsets=offsets, **changes)), says)

    vector("hole-before-the-rows", [16, 48], shape=[2, D])
    vector("offsets-reversed", [48, 0])
    vector("offsets-equal", [0, 0])
    vector("offsets-equal-at-the-end", [48, 48])
    vector("end-behind-the-file", [0, 2**40])
    vector("both-behind-the-file", [2**40, 2**40 + 48])
    vector("end-short-of-the-shape", [0, 32])
    vector("end-beyond-the-shape", [0, 48], shape=[2, D])
    vector("length-wraps", [WORDS - 24, 24])
    vector("end-of-all-ones", [0, WORDS - 1])
    vector("no-offsets", [])
    vector("one-offset", [48])
    vector("three-offsets", [0, 48, 48])


def end():
    row = "the file ends where the rows do"
    whole = safetensors(tensor())
    archive = b"PK\x05\x06" + b"\0" * 18  # a ZIP without files, which readers find from the end

    def vector(name, content, says="data"):
        add("rows", ROWS, name, row, "corrupt", content, says)

    vector("one-byte-short", whole[:-1])
    vector("one-byte-more", whole + b"\0")
    vector("header-alone", safetensors(tensor(), b""))
    vector("twice-the-rows", whole + VALUES)
    vector("zip-behind-the-rows", whole + archive)
    vector("page-behind-the-rows", whole + b"%PDF-1.4\n%%EOF\n")
    vector("another-one-behind", whole + whole)


def dtype():
    row = "F32, F16 or BF16"
    bits = {"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6,
            "I16": 16, "U16": 16, "I32": 32, "U32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64}
    for kind, size in bits.items():
        end = N * D * size // 8
        add("rows", ROWS, "dtype-" + kind.lower().replace("_", "-"), row, "unsupported",
            safetensors(tensor(dtype=kind, data_offsets=[0, end]), (VALUES * 2)[:end]), kind)
    for name, kind in [("dtype-in-small-letters", "f32"), ("dtype-of-nothing", ""),
                       ("dtype-with-a-space", "F32 "), ("dtype-that-nobody-knows", "Q4_1")]:
        add("rows", ROWS, name, row, "unsupported", safetensors(tensor(dtype=kind)), "dtype")
    add("rows", ROWS, "half-a-byte-too-few", row, "unsupported",
        safetensors(tensor(dtype="F4", shape=[1, 3], data_offsets=[0, 1]), b"\0"), "F4")


def values():
    row = "finite numbers, no row longer than 10000"
    single = {"nan": float("nan"), "infinity": float("inf"), "minus-infinity": float("-inf"),
              "over-10000": 10001.0, "under-minus-10000": -10001.0, "beyond-half-precision": 1e30,
              "largest-of-all": 3.4e38}
    for name, value in single.items():
        add("rows", ROWS, name, row, "corrupt",
            safetensors(tensor(), VALUES[:-4] + struct.pack("<f", value)), "row 2")
    add("rows", ROWS, "over-10000-together", row, "corrupt",
        safetensors(tensor(), struct.pack("<12f", *[0] * 10, 8000, 8000)), "row 2")
    for name, kind, value in [("nan-that-signals", "F32", 0x7FA00000),
                              ("nan-of-all-ones", "F32", WORDS - 1), ("nan-in-f16", "F16", 0x7E00),
                              ("infinity-in-f16", "F16", 0xFC00),
                              ("largest-of-f16", "F16", 0x7BFF), ("nan-in-bf16", "BF16", 0x7FC1),
                              ("infinity-in-bf16", "BF16", 0x7F80)]:
        width = 4 if kind == "F32" else 2
        data = (value % (1 << 8 * width)).to_bytes(width, "little") + b"\0" * width * (N * D - 1)
        add("rows", ROWS, name, row, "corrupt", safetensors(
            tensor(dtype=kind, data_offsets=[0, len(data)]), data), "row 0")


def agree():
    row = "as many rows, and as wide, as adapter_config.json says"
    for name, shape in [("one-row-less", [2, D]), ("rows-and-width-exchanged", [D, N]),
                        ("all-in-one-row", [1, N * D])]:
        size = shape[0] * shape[1] * 4
        add("rows", ROWS, name, row, "mismatch",
            safetensors(tensor(shape=shape, data_offsets=[0, size]), VALUES[:size]), "adapter_config")


def valid():
    def vector(name, content):
        add("rows", ROWS, name, "", "valid", content)

    half = struct.pack("<12e", *struct.unpack("<12f", VALUES[:28] + b"\0" * 4 + VALUES[32:]))
    brain = b"".join(VALUES[at + 2:at + 4] for at in range(0, len(VALUES), 4))
    edge = struct.pack("<12f", *[6000, -8000, -0.0, 1e-45] * 3)
    vector("good", GOOD[ROWS])
    vector("good-without-metadata", safetensors(tensor()))
    vector("good-with-more-metadata", safetensors(
        {"__metadata__": {"format": "pt", "by": "tester", "": ""}, **tensor()}))
    vector("good-with-spaces", safetensors(json.dumps(tensor(), indent=2) + " " * 300))
    vector("good-in-another-order", safetensors(json.dumps(tensor(), sort_keys=True)))
    vector("good-in-f16", safetensors(tensor(dtype="F16", data_offsets=[0, 24]), half))
    vector("good-in-bf16", safetensors(tensor(dtype="BF16", data_offsets=[0, 24]), brain))
    vector("good-at-the-bound", safetensors(tensor(), edge))


def make():
    header_length()
    header_text()
    twice()
    members()
    numbers()
    shape()
    overflow()
    offsets()
    end()
    dtype()
    values()
    agree()
    valid()
