"""model.sig, right and wrong, beyond what make.py has: signed with a key that is always the same."""

import base64
import hashlib
import json

from make import bundle, by_key, root_digest, statement
from p256 import FixedKey

from .archives import tar
from .index import GOOD, ROWS, add, path_of


def make():
    key = FixedKey(b"llmpatch: testdata/vectors/files/signatures")
    path_of("signatures", "maker.pub").write_bytes(key.pem)

    def vector(name, row, expect, signature, says=""):
        text = signature if isinstance(signature, bytes) else json.dumps(signature, indent=1).encode()
        add("signatures", "patch", name, row, expect, tar(files={**GOOD, "model.sig": text}), says,
            keys=["maker.pub"], roots=[])

    def signed(edit=lambda value: None):
        return by_key(key, statement(GOOD, edit))

    good = signed()
    vector("good", "", "valid", good)

    row = "sha256, by this name"
    def hash_type(name):
        return lambda value: value["predicate"]["serialization"].update(hash_type=name)

    def other_hash(value, which=lambda name: True, algorithm="blake2b"):
        resources = value["predicate"]["resources"]
        for each in resources:
            if which(each["name"]):
                each.update(algorithm=algorithm,
                            digest=hashlib.new(algorithm, GOOD[each["name"]]).hexdigest())
        value["subject"][0]["digest"]["sha256"] = root_digest(resources)

    for name, said in [("hash-blake2b", "blake2b"), ("hash-blake2", "blake2"), ("hash-sha512", "sha512"),
                       ("hash-in-capitals", "SHA256"), ("hash-with-a-dash", "sha-256"),
                       ("hash-of-nothing", "")]:
        vector(name, row, "untrusted", signed(hash_type(said)), "hash_type")
    vector("all-files-by-blake2b", row, "untrusted", signed(other_hash), "algorithm")
    vector("one-file-by-blake2b", row, "untrusted",
           signed(lambda value: other_hash(value, lambda name: name == "README.md")), "algorithm")
    vector("one-file-by-sha512", row, "untrusted",
           signed(lambda value: other_hash(value, lambda name: name == ROWS, "sha512")), "algorithm")
    vector("algorithm-in-capitals", row, "untrusted", signed(
        lambda value: value["predicate"]["resources"][0].update(algorithm="SHA256")), "algorithm")

    row = "base64 with its padding, in one of its two alphabets"
    # A name of the subject that puts both characters in which they differ into the payload.
    payload = statement(GOOD, lambda value: value["subject"][0].update(name="~~~???>>>"))
    envelope = by_key(key, payload)["dsseEnvelope"]
    texts = {"payload": envelope["payload"], "sig": envelope["signatures"][0]["sig"]}
    assert set("+/") <= set(texts["payload"]) and set("+/") & set(texts["sig"])

    def written(change, which=("payload", "sig")):
        value = bundle(payload, base64.b64decode(texts["sig"]), {"publicKey": {"hint": key.hint}}, key.hint)
        for member_name in which:
            place = value["dsseEnvelope"]
            place = place if member_name == "payload" else place["signatures"][0]
            place[member_name] = change(texts[member_name])
        return value

    def url_safe(text):
        return text.replace("+", "-").replace("/", "_")

    def leftover(text):
        """The same bytes to a careless reader: a bit behind the last one is set."""
        stem = text.rstrip("=")
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        assert stem != text, text
        return stem[:-1] + alphabet[alphabet.index(stem[-1]) | 1] + text[len(stem):]

    padded_one = "sig" if texts["sig"].endswith("=") else "payload"
    vector("base64-standard", "", "valid", written(lambda text: text))
    vector("base64-url-safe", row, "valid", written(url_safe))
    vector("base64-url-safe-payload-alone", row, "valid", written(url_safe, ["payload"]))
    for name, change, which in [
            ("base64-of-both-alphabets", lambda text: text.replace("+", "-"), ["payload"]),
            ("base64-without-padding", lambda text: text.rstrip("="), [padded_one]),
            ("base64-with-more-padding", lambda text: text + "=", ["payload", "sig"]),
            ("base64-with-padding-inside", lambda text: "QQ==" + text, ["sig"]),
            ("base64-with-line-breaks", lambda text: text[:64] + "\n" + text[64:], ["payload"]),
            ("base64-with-a-space-behind", lambda text: text + " ", ["sig"]),
            ("base64-with-a-bit-more", leftover, [padded_one]),
            ("base64-of-no-alphabet", lambda text: "!" + text[1:], ["sig"]),
            ("base64-of-nothing", lambda text: "", ["sig"])]:
        vector(name, row, "untrusted", written(change, which), "base64")
