"""LoRA adapters and control vectors for SmolLM2-135M, written by hand."""

import struct

from gguf import gguf, key_string, tensor

WIDTH = 576  # of its residual stream and of its query matrices


def floats(values):
    data = struct.pack(f"<{len(values)}f", *values)
    return data + b"\0" * (-len(data) % 32)


def wave(n, step, size):
    """Numbers that repeat every seven or so, up to `size`."""
    return [size * ((i * step) % 7 - 3) / 3 for i in range(n)]


def adapter_keys(architecture="llama"):
    return [key_string("general.type", "adapter"),
            key_string("general.architecture", architecture), key_string("adapter.type", "lora")]


def lora(architecture="llama", width=WIDTH, size=0.1, halves=("lora_a", "lora_b")):
    """Of rank 1, on what the first five blocks of attention put out."""
    tensors, data = [], b""
    for block in range(5):
        for half, shape in (("lora_a", [width, 1]), ("lora_b", [1, WIDTH])):
            if half not in halves:
                continue
            tensors.append(tensor(f"blk.{block}.attn_output.weight.{half}", shape,
                                  offset=len(data)))
            data += floats(wave(max(shape), 3 + block, size))
    return gguf(adapter_keys(architecture), tensors, data)


def control_vector(width=WIDTH, layers=(10, 11, 12), size=0.5, hint="llama"):
    tensors, data = [], b""
    for layer in layers:
        tensors.append(tensor(f"direction.{layer}", [width], offset=len(data)))
        data += floats(wave(width, layer, size))
    keys = [key_string("general.architecture", "controlvector"),
            key_string("controlvector.model_hint", hint)]
    return gguf(keys, tensors, data)
