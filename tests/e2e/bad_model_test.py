"""Model files that are not what they claim: an error each, never a crash, nothing left behind."""

import os
import struct

import gguf
from program import MODEL, OTHER_MODEL, ProgramTest, main


def number(value):
    return struct.pack("<Q", value)


def lying_files():
    """name -> (bytes, exit code, what the error says)."""
    embd = gguf.tensor("token_embd.weight", [32, 4])
    name = gguf.string("key")
    return {
        "empty": (b"", 4, r"."),
        "text": (b"once upon a time there was a model", 4, r"magic"),
        "magic alone": (b"GGUF", 4, r"."),
        "big endian": (b"GGUF" + struct.pack(">IQQ", 3, 1, 1) + b"\0" * 64, 8, r"version"),
        "version 99": (gguf.tiny(version=99), 8, r"version"),
        "too many keys": (gguf.tiny(key_count=2**62), 9, r"."),
        "too many tensors": (gguf.tiny(tensor_count=2**62), 9, r"."),
        "more keys than there are": (gguf.tiny(key_count=60000), (4, 9), r"."),
        "key of 2^63 bytes": (gguf.gguf(keys=[number(2**63) + b"abc"]), (4, 9), r"."),
        "string of 2^63 bytes": (
            gguf.gguf(keys=[name + struct.pack("<I", gguf.STRING) + number(2**63)]), (4, 9), r"."),
        "array of 2^60 values": (
            gguf.gguf(keys=[name + struct.pack("<IIQ", gguf.ARRAY, gguf.UINT32, 2**60)]), (4, 9),
            r"."),
        "array of arrays": (
            gguf.gguf(keys=[name + struct.pack("<IIQ", gguf.ARRAY, gguf.ARRAY, 1)]), (4, 8), r"."),
        "value of type 77": (gguf.gguf(keys=[name + struct.pack("<I", 77)]), (4, 8), r"."),
        "the same key twice": (gguf.tiny(keys=[gguf.ARCHITECTURE] * 2), 4, r"general.architecture"),
        "no architecture": (gguf.tiny(keys=[gguf.key_uint32("llama.block_count", 1)]), 4,
                            r"general.architecture"),
        "architecture is a number": (gguf.tiny(keys=[gguf.key_uint32("general.architecture", 7)]),
                                     4, r"general.architecture"),
        "alignment 0": (gguf.tiny(keys=[gguf.ARCHITECTURE,
                                        gguf.key_uint32("general.alignment", 0)]), 4, r"alignment"),
        "alignment 3": (gguf.tiny(keys=[gguf.ARCHITECTURE,
                                        gguf.key_uint32("general.alignment", 3)]), 4, r"alignment"),
        "the same tensor twice": (gguf.tiny(tensors=[embd, embd]), 4, r"token_embd.weight"),
        "tensor behind the end": (
            gguf.tiny(tensors=[gguf.tensor("token_embd.weight", [32, 4], offset=2**20)]), 4, r"."),
        "tensor offset overflows": (
            gguf.tiny(tensors=[gguf.tensor("token_embd.weight", [32, 4], offset=2**64 - 32)]), 4,
            r"."),
        "tensor size overflows": (
            gguf.tiny(tensors=[gguf.tensor("token_embd.weight", [2**40, 2**40])]), (4, 9), r"."),
        "tensor of 9 dimensions": (gguf.tiny(tensors=[gguf.tensor("token_embd.weight", [1] * 9)]),
                                   4, r"dimension"),
        "tensor of type 99": (
            gguf.tiny(tensors=[gguf.tensor("token_embd.weight", [32, 4], kind=99)]), 8, r"type"),
        "half a block": (
            gguf.tiny(tensors=[gguf.tensor("token_embd.weight", [33, 4], kind=gguf.Q4_1)]), 4, r"."),
        "an architecture nobody knows": (
            gguf.tiny(keys=[gguf.key_string("general.architecture", "frobnicator")]), (4, 8), r"."),
        "a model without layers": (gguf.tiny(), (4, 8), r"."),
    }


class BadModel(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write_lines("p.jsonl", [{"prompt": "Hello"}])

    def generate(self, model, code, pattern):
        codes = (code,) if isinstance(code, int) else code
        arguments = ["generate", "--model", model, "--prompts", "p.jsonl", "-o", "out.jsonl"]
        before = self.listing()
        outcome = self.run_program(*arguments)
        self.assertIn(outcome.code, codes, str(outcome))
        self.assert_error(outcome, outcome.code, pattern)
        self.assertEqual(outcome.stdout, "")
        self.assertEqual(self.listing(), before, "files changed")

    def test_lying(self):
        for name, (content, code, pattern) in lying_files().items():
            with self.subTest(name):
                self.write("m.gguf", content)
                self.generate("m.gguf", code, pattern)

    def test_truncated(self):
        size = MODEL.stat().st_size
        with open(MODEL, "rb") as model:
            for length in [1, 3, 23, 24, 100, 5000, 700_000, 2_000_000, size // 2, size - 1]:
                with self.subTest(length):
                    model.seek(0)
                    self.write("m.gguf", model.read(length))
                    self.generate("m.gguf", 4, r"m\.gguf")

    def test_damaged_in_the_middle_of_the_metadata(self):
        content = bytearray(MODEL.read_bytes())
        content[24:32] = number(2**40)  # the length of the first key
        self.write("m.gguf", bytes(content))
        self.generate("m.gguf", (4, 9), r"m\.gguf")

    def test_not_a_file(self):
        (self.dir / "folder").mkdir()
        os.mkfifo(self.dir / "pipe")
        self.generate("missing.gguf", 3, r"base model: found no file missing\.gguf")
        self.generate("p.jsonl/m.gguf", 3, r"base model: found no file")
        self.generate("folder", 2, r"base model folder: found a directory or device")
        self.generate("pipe", 2, r"base model pipe: found a directory or device")
        self.generate("/dev/null", 2, r"found a directory or device")

    def test_chat_format_without_a_template(self):
        outcome = self.run_program("generate", "--model", OTHER_MODEL, "--prompts", "p.jsonl", "-o",
                                   "out.jsonl", "--format", "chat")
        self.assert_error(outcome, 2, r"template")
        self.assertFalse((self.dir / "out.jsonl").exists())


if __name__ == "__main__":
    main()
