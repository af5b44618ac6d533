"""Makes the vectors of signatures, in this folder: signed patches and everything a signature can have
wrong. README.md says what they are; make_tuf.py and make_oci.py make the others.

Only Python's standard library and the openssl program are used, none of llmpatch's own code, so
that the vectors are a second opinion. ECDSA is randomised: another run gives other bytes, which must
be judged the same. The private keys are thrown away.

Each vector is a .llmpatch file; vectors.json says what a verifier with `keys` and `roots` must find:
valid, untrusted (exit code 5), unverifiable (6) or corrupt (4: validly signed, but no patch).
"""

import base64
import copy
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SEED = HERE.parent.parent / "fuzz/seeds/archive/unsigned.llmpatch"
TYPE = "application/vnd.in-toto+json"
HASHES = {"P-256": "sha256", "P-384": "sha384", "P-521": "sha512", "secp256k1": "sha256"}

scratch = tempfile.TemporaryDirectory()
vectors = []


def openssl(*args, stdin=b""):
    return subprocess.run(["openssl", *map(str, args)], input=stdin, check=True, cwd=scratch.name,
                          capture_output=True).stdout


class Key:
    """A new key pair; the public half becomes a file NAME.pub of `folder`, unless that is None."""

    def __init__(self, name, curve="P-256", folder=HERE):
        self.private, self.hash = f"{name}.key", HASHES[curve]
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-out",
                self.private)
        self.pem = openssl("pkey", "-in", self.private, "-pubout")
        if folder:
            (folder / f"{name}.pub").write_bytes(self.pem)
        self.hint = hashlib.sha256(self.pem).hexdigest()

    def sign(self, message, digest=None):
        return openssl("dgst", f"-{digest or self.hash}", "-sign", self.private, stdin=message)


def certificate(name, extensions, issuer=None, days=36500):
    """Makes NAME.key (unless there is one) and NAME.pem; returns the DER."""
    if not (Path(scratch.name) / f"{name}.key").exists():
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                f"{name}.key")
    openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", "csr")
    (Path(scratch.name) / "extensions").write_text("\n".join(extensions) + "\n")
    by = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key"] if issuer else [
        "-signkey", f"{name}.key"]
    openssl("x509", "-req", "-in", "csr", *by, "-days", days, "-extfile", "extensions", "-out",
            f"{name}.pem")
    return openssl("x509", "-in", f"{name}.pem", "-outform", "der")


def pae(payload, version="DSSEv1", type_text=TYPE):
    return f"{version} {len(TYPE)} {type_text} {len(payload)} ".encode() + payload


def root_digest(resources):
    digests = b"".join(bytes.fromhex(each["digest"]) for each in resources)
    return hashlib.sha256(digests).hexdigest()


def statement(files, edit=None):
    resources = [{"name": name, "algorithm": "sha256", "digest": hashlib.sha256(data).hexdigest()}
                 for name, data in sorted(files.items())]
    value = {"_type": "https://in-toto.io/Statement/v1",
             "subject": [{"name": "vector", "digest": {"sha256": root_digest(resources)}}],
             "predicateType": "https://model_signing/signature/v1.0",
             "predicate": {"resources": resources,
                           "serialization": {"method": "files", "hash_type": "sha256",
                                             "allow_symlinks": False,
                                             "ignore_paths": [".git", "model.sig"]}}}
    if edit:
        edit(value)
    return json.dumps(value).encode()


def bundle(payload, signature, material, keyid=""):
    return {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {**material, "tlogEntries": []},
            "dsseEnvelope": {"payload": base64.b64encode(payload).decode(), "payloadType": TYPE,
                             "signatures": [{"sig": base64.b64encode(signature).decode(),
                                             "keyid": keyid}]}}


def by_key(key, payload, signature=None):
    signature = signature if signature is not None else key.sign(pae(payload))
    return bundle(payload, signature, {"publicKey": {"hint": key.hint}}, key.hint)


def by_certificates(private, payload, chain):
    signature = openssl("dgst", "-sha256", "-sign", private, stdin=pae(payload))
    return bundle(payload, signature, {"x509CertificateChain": {"certificates": [
        {"rawBytes": base64.b64encode(der).decode()} for der in chain]}})


def seed_files():
    """The files of a small patch that nobody signed."""
    with tarfile.open(SEED) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive}


def tar_of(files):
    """The .llmpatch file of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, data in sorted(files.items()):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    # tarfile fills up to 10 KiB; two blocks of zeros are enough.
    tar = out.getvalue().rstrip(b"\0")
    return tar + b"\0" * (-len(tar) % 512 + 1024)


def add(name, expect, files, signature, keys=("maker",), roots=()):
    files = dict(files)
    if signature is not None:
        files["model.sig"] = signature if isinstance(signature, bytes) else json.dumps(
            signature, indent=1).encode()
    (HERE / f"{name}.llmpatch").write_bytes(tar_of(files))
    vectors.append({"file": f"{name}.llmpatch", "expect": expect,
                    "keys": [f"{key}.pub" for key in keys], "roots": list(roots)})


def main():
    for old in [*HERE.glob("*.llmpatch"), *HERE.glob("*.pub"), *HERE.glob("*.pem")]:
        old.unlink()
    files = seed_files()
    maker, other = Key("maker"), Key("other")
    p384, p521, koblitz = Key("p384", "P-384"), Key("p521", "P-521"), Key("koblitz", "secp256k1")
    (HERE / "ed25519.pub").write_bytes(openssl(
        "pkey", "-pubout", stdin=openssl("genpkey", "-algorithm", "ed25519")))
    payload = statement(files)
    good = by_key(maker, payload)

    def changed(edit):
        value = copy.deepcopy(good)
        edit(value)
        return value

    def signed(edit):
        return by_key(maker, statement(files, edit))

    add("good", "valid", files, good)
    add("good-without-hint-and-keyid", "valid", files,
        bundle(payload, maker.sign(pae(payload)), {"publicKey": {}}))
    add("good-p384", "valid", files, by_key(p384, payload), ["p384"])
    add("good-p521", "valid", files, by_key(p521, payload), ["maker", "p521"])

    add("unsigned", "untrusted", files, None)
    add("other-key", "untrusted", files, by_key(other, payload))
    add("other-key-with-our-hint", "untrusted", files, by_key(maker, payload, other.sign(
        pae(payload))))
    add("p384-with-sha256", "untrusted", files,
        by_key(p384, payload, p384.sign(pae(payload), "sha256")), ["p384"])
    add("secp256k1", "unverifiable", files, by_key(koblitz, payload), ["koblitz"])
    add("ed25519", "unverifiable", files, good, ["ed25519"])
    add("no-key", "unverifiable", files, good, [])

    for name in files:
        add(f"changed-{name.replace('.', '-').lower()}", "untrusted",
            {**files, name: files[name][:-1] + bytes([files[name][-1] ^ 1])}, good)
    add("extra-file", "untrusted", {**files, "eval.json": b"{}"}, good)
    add("missing-file", "untrusted", {k: v for k, v in files.items() if k != "README.md"}, good)
    add("ignored-file", "untrusted", {**files, ".gitattributes": b""}, good)

    add("two-signatures", "untrusted", files,
        changed(lambda b: b["dsseEnvelope"]["signatures"].append(
            b["dsseEnvelope"]["signatures"][0])))
    add("no-signature", "untrusted", files,
        changed(lambda b: b["dsseEnvelope"]["signatures"].clear()))
    add("unknown-member", "untrusted", files, changed(lambda b: b.update(extra=1)))
    add("duplicate-key", "untrusted", files,
        json.dumps(good).replace('"mediaType"', '"mediaType": "x", "mediaType"', 1).encode())
    add("media-type-v02", "untrusted", files, changed(lambda b: b.update(
        mediaType="application/vnd.dev.sigstore.bundle.v0.2+json")))
    add("payload-type", "untrusted", files, changed(lambda b: b["dsseEnvelope"].update(
        payloadType="text/plain")))
    add("keyid-of-another", "untrusted", files, changed(
        lambda b: b["dsseEnvelope"]["signatures"][0].update(keyid=other.hint)))
    add("log-entry", "untrusted", files, changed(
        lambda b: b["verificationMaterial"]["tlogEntries"].append({})))
    add("truncated-bundle", "untrusted", files, json.dumps(good).encode()[:-10])
    add("nested-bundle", "untrusted", files, b"[" * 1000)
    add("buggy-encoding", "untrusted", files, by_key(maker, payload, maker.sign(
        pae(payload, "DSSEV1", f"b'{TYPE}'"))))
    add("bare-payload-signed", "untrusted", files, by_key(maker, payload, maker.sign(payload)))

    add("wrong-root-digest", "untrusted", files, signed(
        lambda s: s["subject"][0]["digest"].update(sha256="0" * 64)))
    add("two-subjects", "untrusted", files, signed(
        lambda s: s["subject"].append(s["subject"][0])))
    add("old-predicate", "untrusted", files, signed(
        lambda s: s.update(predicateType="https://model_signing/Digests/v0.1")))
    add("statement-type", "untrusted", files, signed(
        lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")))
    add("shards", "untrusted", files, signed(
        lambda s: s["predicate"]["serialization"].update(method="shards")))
    add("symlinks-allowed", "untrusted", files, signed(
        lambda s: s["predicate"]["serialization"].update(allow_symlinks=True)))
    add("unknown-member-of-predicate", "untrusted", files, signed(
        lambda s: s["predicate"].update(extra=1)))
    add("unsorted-files", "untrusted", files, signed(
        lambda s: s["predicate"]["resources"].reverse()))

    leaf = ["basicConstraints=critical,CA:FALSE", "keyUsage=digitalSignature"]
    ca = certificate("root", ["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign"])
    (HERE / "root.pem").write_bytes((Path(scratch.name) / "root.pem").read_bytes())
    chain = [certificate("leaf", leaf, "root"), ca]
    add("good-certificate", "valid", files, by_certificates("leaf.key", payload, chain), [],
        ["root.pem"])
    add("certificate-and-only-keys", "unverifiable", files,
        by_certificates("leaf.key", payload, chain))
    add("key-of-another-certificate", "untrusted", files,
        by_certificates(maker.private, payload, chain), [], ["root.pem"])
    stranger = certificate("stranger", ["basicConstraints=critical,CA:TRUE",
                                        "keyUsage=keyCertSign"])
    for name, extensions, issuer, days in [
            ("expired", leaf, "root", -1),
            ("without-usage", leaf[:1], "root", 36500),
            ("for-tls", [leaf[0], "extendedKeyUsage=serverAuth"], "root", 36500),
            ("of-a-stranger", leaf, "stranger", 36500)]:
        der = certificate(name, extensions, issuer, days)
        add(f"certificate-{name}", "untrusted", files, by_certificates(
            f"{name}.key", payload, [der, ca if issuer == "root" else stranger]), [],
            ["root.pem"])

    broken = {**files, "README.md": b"not what the manifest lists"}
    add("signed-but-no-patch", "corrupt", broken, by_key(maker, statement(broken)))

    (HERE / "vectors.json").write_text(json.dumps(vectors, indent=1) + "\n")
    print(f"{len(vectors)} vectors")


if __name__ == "__main__":
    main()
