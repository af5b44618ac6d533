"""Writes small GGUF files by hand, right ones and wrong ones."""

import struct

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64 = 4, 5, 6, 7, 8, 9, 10
F32, F16, Q4_1 = 0, 1, 3  # tensor types


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def key_string(key, text):
    return string(key) + struct.pack("<I", STRING) + string(text)


def key_uint32(key, value):
    return string(key) + struct.pack("<II", UINT32, value)


def tensor(name, dimensions, kind=F32, offset=0):
    return (string(name) + struct.pack("<I", len(dimensions)) +
            b"".join(struct.pack("<Q", n) for n in dimensions) + struct.pack("<IQ", kind, offset))


def header(keys, tensors, magic=b"GGUF", version=3):
    return magic + struct.pack("<IQQ", version, tensors, keys)


def gguf(keys=(), tensors=(), data=b"", version=3, key_count=None, tensor_count=None):
    """A whole file; the counts may lie."""
    head = header(len(keys) if key_count is None else key_count,
                  len(tensors) if tensor_count is None else tensor_count, version=version)
    body = head + b"".join(keys) + b"".join(tensors)
    return body + b"\0" * (-len(body) % 32) + data


ARCHITECTURE = key_string("general.architecture", "llama")


def tiny(**changes):
    """A file that is right as a GGUF file (but no model that could run)."""
    parts = {"keys": [ARCHITECTURE], "tensors": [tensor("token_embd.weight", [32, 4])],
             "data": b"\0" * 512}
    return gguf(**{**parts, **changes})


def with_chat_template(source, target, template):
    """Copies a model's file, with another chat template."""
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    data = source.read_bytes()
    magic, version, tensors, keys = struct.unpack_from("<4sIQQ", data)
    assert magic == b"GGUF"
    at = 24

    def take(form):
        nonlocal at
        values = struct.unpack_from(form, data, at)
        at += struct.calcsize(form)
        return values

    def skip_string():
        nonlocal at
        length, = take("<Q")  # moves `at`, which += would have read before
        at += length

    def skip_value(kind):
        nonlocal at
        if kind == STRING:
            skip_string()
        elif kind == ARRAY:
            inner, count = take("<IQ")
            if inner == STRING:
                for _ in range(count):
                    skip_string()
            else:
                at += sizes[inner] * count
        else:
            at += sizes[kind]

    kept, alignment = [], 32
    for _ in range(keys):
        begin = at
        length, = take("<Q")
        name = data[at:at + length]
        at += length
        kind, = take("<I")
        skip_value(kind)
        if name == b"general.alignment":
            alignment, = struct.unpack("<I", data[at - 4:at])
        if name != b"tokenizer.chat_template":
            kept.append(data[begin:at])
    kept.append(key_string("tokenizer.chat_template", template))
    infos = at
    for _ in range(tensors):
        skip_string()
        dimensions, = take("<I")
        at += 8 * dimensions + 4 + 8
    content = data[at + -at % alignment:]
    head = header(len(kept), tensors, version=version) + b"".join(kept) + data[infos:at]
    target.write_bytes(head + b"\0" * (-len(head) % alignment) + content)
