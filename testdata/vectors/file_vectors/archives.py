"""name-version.llmpatch, right and wrong."""

import struct
import zlib

from .index import GOOD, ROWS, VALUES, add
from .rows import safetensors, tensor


def octal(value, digits):
    return b"%0*o\0" % (digits - 1, value)


def header(name, size=0, kind=b"0", link=b"", magic=b"ustar\00000", prefix=b"", mode=0o644, **fields):
    """A block of a tar. `fields` are whole fields as bytes, checksum included."""
    block = bytearray(512)

    def put(at, width, content):
        assert len(content) <= width, content
        block[at:at + width] = content.ljust(width, b"\0")

    put(0, 100, name if isinstance(name, bytes) else name.encode())
    put(100, 8, octal(mode, 8))
    for at in (108, 116):
        put(at, 8, octal(0, 8))
    put(124, 12, fields.get("size_field", octal(size, 12)))
    put(136, 12, octal(0, 12))
    put(156, 1, kind)
    put(157, 100, link)
    put(257, 8, magic)
    put(345, 155, prefix)
    put(148, 8, b" " * 8)
    put(148, 8, fields.get("checksum", octal(sum(block), 7) + b" "))
    return bytes(block)


def padded(content):
    return content + b"\0" * (-len(content) % 512)


END = b"\0" * 1024


def member(name, content=b"", **more):
    return header(name, len(content), **more) + padded(content)


def tar(*blocks, files=GOOD, end=END):
    return b"".join(blocks) + b"".join(member(*each) for each in sorted(files.items())) + end


def without(*names):
    return {name: content for name, content in GOOD.items() if name not in names}


def base_256(value):
    return (1 << 95 | value % (1 << 95)).to_bytes(12, "big")


def pax(*records):
    def line(text):
        length = len(text) + 3
        while len(b"%d " % length) + len(text) + 1 != length:
            length += 1
        return b"%d %s\n" % (length, text)
    return b"".join(map(line, records))


def names():
    row = "the names of a patch's files, without any folder"

    def vector(name, path, **more):
        add("archives", "patch", name, row, "corrupt", tar(member(path, b"x", **more)), "archive")

    def folder(name, prefix):
        add("archives", "patch", name, row, "corrupt", tar(
            *[member(prefix + each, content) for each, content in GOOD.items()], files={}), "patch")

    for name, path in [("name-with-a-way-up", "../README.md"),
                       ("name-with-many-ways-up", "../" * 20 + "tmp/x"),
                       ("name-from-the-root", "/tmp/llmpatch-was-here"),
                       ("name-in-a-folder", "sub/eval.json"),
                       ("name-that-goes-in-and-out", "sub/../eval.json"),
                       ("name-behind-a-dot", "./eval.json"),
                       ("name-with-a-backslash", "..\\eval.json"), ("name-of-a-drive", "C:eval.json"),
                       ("name-in-capitals", "EVAL.JSON"), ("name-with-a-space", "eval.json "),
                       ("name-with-a-slash-behind", "eval.json/"), ("name-of-nothing", ""),
                       ("name-of-the-folder", "."), ("name-that-is-no-utf-8", b"eval\xff.json"),
                       ("name-with-a-newline", "eval.json\n"), ("name-with-an-escape", "\x1b[2Jeval.json"),
                       ("name-of-100-bytes", "e" * 100)]:
        add("archives", "patch", name, row, "corrupt", tar(member(path, b"x")), f"{name}.llmpatch")
    add("archives", "patch", "name-with-a-prefix", row, "corrupt",
        tar(member("eval.json", b"{}", prefix=b"..")), "name-with-a-prefix.llmpatch")
    folder("all-in-a-folder", "patch/")
    folder("all-behind-a-dot", "./")
    add("archives", "patch", "name-with-a-zero-byte-behind", row, "corrupt",
        tar(member(b"eval.json\0.sh", b"{}")), "eval.json")
    for name, path in [("a-script-beside", "setup.py"), ("a-template-beside", "chat_template.jinja"),
                       ("a-pickle-beside", "adapter_model.bin"),
                       ("code-of-a-tokenizer-beside", "tokenization_custom.py")]:
        add("archives", "patch", name, row, "corrupt", tar(member(path, b"x")), path)


def kinds():
    row = "plain files"

    def vector(name, kind, content=b"", says="link, folder or device", **more):
        more.setdefault("link", b"/etc/passwd" if kind in b"12" else b"")
        add("archives", "patch", name, row, "corrupt",
            tar(member("eval.json", content, kind=kind, **more)), says)

    vector("a-symbolic-link", b"2")
    vector("a-symbolic-link-in-place-of-rows", b"2", link=ROWS.encode())
    vector("a-hard-link", b"1")
    vector("a-hard-link-to-another-file", b"1", link=b"manifest.json")
    vector("a-device-of-characters", b"3")
    vector("a-device-of-blocks", b"4")
    vector("a-folder", b"5")
    vector("a-pipe", b"6")
    vector("a-contiguous-file", b"7")
    vector("a-kind-that-nobody-knows", b"Z")
    vector("a-kind-beyond-ascii", b"\xff", says="a-kind-beyond-ascii.llmpatch")
    add("archives", "patch", "a-link-instead-of-the-rows", row, "corrupt",
        tar(header(ROWS, kind=b"2", link=b"/dev/zero"), files=without(ROWS)), "link")
    add("archives", "patch", "a-link-and-a-file-through-it", row, "corrupt",
        tar(header("eval.json", kind=b"2", link=b"../written"), member("eval.json", b"{}")), "link")


def extensions():
    row = "no extensions of tar"

    def vector(name, *blocks, says="archives", files=GOOD, **more):
        add("archives", "patch", name, row, "corrupt", tar(*blocks, files=files), f"{name}.llmpatch")

    def extended(*records):
        return member("PaxHeaders/x", pax(*records), kind=b"x")

    vector("pax-that-renames", extended(b"path=../escaped"), member("eval.json", b"{}"))
    vector("pax-that-links", extended(b"linkpath=/etc/passwd"), member("eval.json", b"{}"))
    vector("pax-with-another-size", extended(b"size=1"), member("eval.json", b"{}"))
    vector("pax-with-a-size-of-2-to-the-62", extended(b"size=%d" % 2**62), member("eval.json", b"{}"))
    vector("pax-with-a-time", extended(b"mtime=1.5"), member("eval.json", b"{}"))
    vector("pax-of-a-sparse-file", extended(b"GNU.sparse.major=1", b"GNU.sparse.minor=0",
                                            b"GNU.sparse.realsize=%d" % 2**40), member("eval.json", b"{}"))
    vector("pax-of-nothing", member("PaxHeaders/x", kind=b"x"), member("eval.json", b"{}"))
    vector("pax-that-is-none", member("PaxHeaders/x", b"99999999 path=x\n", kind=b"x"),
           member("eval.json", b"{}"))
    vector("pax-for-all", member("PaxHeaders/g", pax(b"path=../escaped"), kind=b"g"))
    vector("pax-of-solaris", member("PaxHeaders/x", pax(b"path=../escaped"), kind=b"X"),
           member("eval.json", b"{}"))
    vector("gnu-long-name", member("././@LongLink", b"../" * 50 + b"x\0", kind=b"L"),
           member("eval.json", b"{}"))
    vector("gnu-long-name-of-a-right-one", member("././@LongLink", b"eval.json\0", kind=b"L"),
           member("other", b"{}"))
    vector("gnu-long-link", member("././@LongLink", b"/etc/passwd\0", kind=b"K"),
           member("eval.json", b"{}"))
    vector("gnu-sparse-file", header("eval.json", kind=b"S", magic=b"ustar  \0"))
    vector("gnu-volume", header("eval.json", kind=b"V", magic=b"ustar  \0"))
    vector("gnu-more-of-a-file", header("eval.json", kind=b"M", magic=b"ustar  \0"))
    vector("gnu-throughout", *[member(name, content, magic=b"ustar  \0")
                               for name, content in sorted(GOOD.items())], files={})
    vector("tar-of-before-ustar", *[member(name, content, magic=b"")
                                    for name, content in sorted(GOOD.items())], files={})


def twice():
    row = "no file twice"

    def vector(name, *blocks, says="twice"):
        add("archives", "patch", name, row, "corrupt", tar(*blocks), says)

    for each in sorted(GOOD):
        vector(each.replace(".", "-").replace("_", "-").lower() + "-twice", member(each, GOOD[each]))
    vector("other-rows-first", member(ROWS, safetensors(tensor(), b"\0" * len(VALUES))))


def sizes():
    row = "sizes within the limits and within the archive"

    def vector(name, expect, size, says=None):
        add("archives", "patch", name, row, expect,
            tar(header("eval.json", size_field=size), files=GOOD), says or f"{name}.llmpatch")

    vector("card-over-its-limit", "limit", octal(16 * 2**20 + 1, 12), "16777217")
    vector("card-of-8-gigabytes", "limit", b"7" * 11 + b"\0", "8589934591")
    vector("card-longer-than-the-archive", "corrupt", octal(2**20, 12), "truncated")
    vector("card-that-swallows-the-others", "corrupt", octal(512 * 9, 12))
    vector("size-of-2-to-the-63", "corrupt", base_256(2**63))
    vector("size-of-2-to-the-64", "corrupt", base_256(2**64))
    vector("size-below-nothing", "corrupt", b"\xff" * 12)
    vector("size-of-2-to-the-62", "limit", base_256(2**62))
    vector("size-that-is-no-number", "corrupt", b"9" * 11 + b"\0")
    vector("size-with-a-sign", "corrupt", b"-0000000001\0")
    for name, each, limit in [("manifest-over-its-limit", "manifest.json", 2**20),
                              ("configuration-over-its-limit", "adapter_config.json", 2**16),
                              ("rows-file-over-its-limit", ROWS, 2**26)]:
        add("archives", "patch", name, row, "limit",
            tar(header(each, limit + 1), files=without(each)), each)


def form():
    row = "whole, and nothing behind its end"
    whole = tar()

    def vector(name, content):
        add("archives", "patch", name, row, "corrupt", content, f"{name}.llmpatch")

    vector("nothing", b"")
    vector("text", b"a patch\n")
    vector("zeros-alone", END)
    vector("without-an-end", tar(end=b""))
    vector("half-an-end", tar(end=END[:512]))
    vector("cut-in-a-header", whole[:100])
    vector("cut-in-a-file", whole[:1000])
    vector("cut-behind-a-file", tar(files=without("manifest.json"), end=b""))
    vector("wrong-checksum", tar(header("eval.json", checksum=b"000000\0 ")))
    vector("checksum-of-nothing", tar(header("eval.json", checksum=b"\0" * 8)))
    vector("text-behind-the-end", whole + b"#!/bin/sh\n".ljust(512, b"\n"))
    vector("another-archive-behind-the-end", whole + tar(member("eval.json", b"{}"), files={}))
    vector("a-file-between-zeros", tar(b"\0" * 512, member("eval.json", b"{}")))
    vector("compressed", gzip_of(whole))
    vector("a-zip", zip_of(GOOD))
    vector("a-cpio", b"070707" + b"0" * 64 + b"0000013\0TRAILER!!!\0")


def gzip_of(content):
    """As one stored block: what a compressor writes is its version's own affair."""
    length = len(content)
    return (b"\x1f\x8b\x08\0" + b"\0" * 4 + b"\0\xff\1" + struct.pack("<HH", length, length ^ 0xFFFF) +
            content + struct.pack("<II", zlib.crc32(content), length))


def zip_of(files):
    """A ZIP of stored files, without times."""
    body, directory = b"", b""
    for name, content in sorted(files.items()):
        fields = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, zlib.crc32(content), len(content),
                             len(content), len(name), 0)
        directory += (b"PK\1\2" + struct.pack("<H", 20) + fields +
                      struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode())
        body += b"PK\3\4" + fields + name.encode() + content
    return body + directory + b"PK\5\6" + struct.pack(
        "<HHHHIIH", 0, 0, len(files), len(files), len(directory), len(body), 0)


def contents():
    row = "what the manifest lists, and nothing else"

    def vector(name, files, says):
        add("archives", "patch", name, row, "corrupt", tar(files=files), says)

    vector("without-a-manifest", without("manifest.json"), "manifest.json")
    vector("without-rows", without(ROWS), ROWS)
    vector("without-a-configuration", without("adapter_config.json"), "adapter_config.json")
    vector("without-a-readme", without("README.md"), "README.md")
    vector("a-card-that-is-not-listed", {**GOOD, "eval.json": b"{}"}, "eval.json")
    vector("rows-of-other-bytes", {**GOOD, ROWS: safetensors(tensor(), b"\0" * len(VALUES))}, "sha256")
    vector("a-readme-of-other-bytes", {**GOOD, "README.md": GOOD["README.md"] + b"\n"}, "sha256")


def valid():
    def vector(name, content):
        add("archives", "patch", name, "", "valid", content)

    vector("good", tar())
    vector("good-in-another-order", tar(
        *[member(name, content) for name, content in sorted(GOOD.items(), reverse=True)], files={}))
    vector("good-with-zeros-as-tar-writes", tar() + b"\0" * (-len(tar()) % 10240))
    vector("good-of-another-owner", tar(*[member(name, content, mode=0o4777)
                                          for name, content in GOOD.items()], files={}))
    vector("good-with-the-old-kind", tar(*[member(name, content, kind=b"\0")
                                           for name, content in GOOD.items()], files={}))


def make():
    names()
    kinds()
    extensions()
    twice()
    sizes()
    form()
    contents()
    valid()
