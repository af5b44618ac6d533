"""ECDSA on P-256 with SHA-256 and nonces of RFC 6979, so that the same signature comes out each time.

For test vectors: nothing here takes the same time for every secret.
"""

import base64
import hashlib
import hmac

# SEC 2, secp256r1.
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BASE = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)
# Up to the point: SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { uncompressed.
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def plus(p, q):
    """The sum of two points; None is the one at infinity."""
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0]:
        if (p[1] + q[1]) % PRIME == 0:
            return None
        slope = (3 * p[0] ** 2 - 3) * pow(2 * p[1], -1, PRIME)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, PRIME)
    x = (slope**2 - p[0] - q[0]) % PRIME
    return x, (slope * (p[0] - x) - p[1]) % PRIME


def times(k, point=BASE):
    total = None
    while k:
        if k & 1:
            total = plus(total, point)
        point = plus(point, point)
        k >>= 1
    return total


def der_integer(value):
    content = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes([len(content)]) + content


class FixedKey:
    """The key pair that `seed` stands for; of the form of make.py's Key."""

    def __init__(self, seed):
        self.secret = int.from_bytes(hashlib.sha256(seed).digest(), "big") % (ORDER - 1) + 1
        x, y = times(self.secret)
        text = base64.b64encode(SPKI + x.to_bytes(32, "big") + y.to_bytes(32, "big"))
        lines = [text[at:at + 64] for at in range(0, len(text), 64)]
        self.pem = b"\n".join([b"-----BEGIN PUBLIC KEY-----", *lines,
                               b"-----END PUBLIC KEY-----", b""])
        self.hint = hashlib.sha256(self.pem).hexdigest()

    def nonces(self, digest):
        """RFC 6979, 3.2, for a hash as long as the order."""
        reduced = int.from_bytes(digest, "big") % ORDER
        message = self.secret.to_bytes(32, "big") + reduced.to_bytes(32, "big")
        key, value = b"\0" * 32, b"\1" * 32
        for step in (b"\0", b"\1"):
            key = hmac.digest(key, value + step + message, "sha256")
            value = hmac.digest(key, value, "sha256")
        while True:
            value = hmac.digest(key, value, "sha256")
            nonce = int.from_bytes(value, "big")
            if 0 < nonce < ORDER:
                yield nonce
            key = hmac.digest(key, value + b"\0", "sha256")
            value = hmac.digest(key, value, "sha256")

    def sign(self, message):
        """The signature in DER."""
        digest = hashlib.sha256(message).digest()
        for nonce in self.nonces(digest):
            r = times(nonce)[0] % ORDER
            s = pow(nonce, -1, ORDER) * (int.from_bytes(digest, "big") + r * self.secret) % ORDER
            if r and s:
                content = der_integer(r) + der_integer(s)
                return b"\x30" + bytes([len(content)]) + content
