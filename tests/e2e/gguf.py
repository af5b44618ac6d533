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
