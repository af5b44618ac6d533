"""Makes the vectors of update channels, in tuf/: what a channel that is attacked gives out.

As make.py: only Python's standard library and the openssl program, the private keys thrown away.
README.md says what is in a vector.
"""

import hashlib
import json

from make import HERE, Key, by_key, root_digest, seed_files, statement, tar_of

FOLDER = HERE / "tuf"
FRESH, EXPIRED = "2100-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
TIMESTAMP_LIMIT = 16384

vectors = []


def canonical(value):
    """OLPC's canonical JSON: strings escape the quote and the backslash alone, so that what a PEM text
    has for line ends stays as it is."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}"
                              for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return json.dumps(value)


def key_object(key, keytype="ecdsa"):
    return {"keytype": keytype, "scheme": "ecdsa-sha2-nistp256",
            "keyval": {"public": key.pem.decode()}}


def key_id(key, keytype="ecdsa"):
    return hashlib.sha256(canonical(key_object(key, keytype)).encode()).hexdigest()


def signed(body, keys, message=None):
    """The file of `body`; `keys` are keys, or pairs of one and the id it goes by."""
    signatures = []
    for each in keys:
        key, keyid = each if isinstance(each, tuple) else (each, key_id(each))
        made = key.sign(canonical(message or body).encode())
        signatures.append({"keyid": keyid, "sig": made.hex()})
    return json.dumps({"signatures": signatures, "signed": body}, separators=(",", ":"))


def of_length(length, make):
    """What make() gives, filled up with spaces. Signatures in DER have different lengths."""
    while len(text := make()) > length:
        pass
    return text.ljust(length)


def pin(version, text=None):
    if text is None:
        return {"version": version}
    return {"version": version, "length": len(text),
            "hashes": {"sha256": hashlib.sha256(text.encode()).hexdigest()}}


class Release:
    """A patch as a .llmpatch file of this folder, and what targets says of it."""

    def __init__(self, version, sequence, vendor, file=None):
        files = seed_files()
        manifest = {**json.loads(files["manifest.json"]), "version": version, "sequence": sequence,
                    "expires": FRESH}
        files["manifest.json"] = json.dumps(manifest, indent=2).encode()
        files["model.sig"] = json.dumps(by_key(vendor, statement(files)), indent=1).encode()
        self.path = f"refuse-{version}.llmpatch"
        self.file = file or self.path
        self.content = tar_of(files)
        (FOLDER / self.file).write_bytes(self.content)
        self.sha256 = hashlib.sha256(self.content).hexdigest()
        resources = [{"digest": hashlib.sha256(data).hexdigest()}
                     for name, data in sorted(files.items()) if name != "model.sig"]
        self.custom = {"name": "refuse", "version": version, "sequence": sequence,
                       "digest": root_digest(resources), "base": manifest["base"]["file"],
                       "expires": FRESH, "revoked": False}

    def target(self, **custom):
        return {"length": len(self.content), "hashes": {"sha256": self.sha256},
                "custom": {**self.custom, **custom}}

    def served(self, archive=None, length=None):
        """What lies where this release is looked for: an archive of this folder, as it is or cut or
        filled up with zeros to `length`."""
        archive = archive or self
        return {f"targets/{self.sha256}.{self.path}":
                {"archive": archive.file, "length": len(self.content) if length is None else length}}


class Channel:
    def __init__(self):
        self.roots = [Key(f"root-{i}", folder=None) for i in (1, 2)]
        self.targets_keys = [Key(f"targets-{i}", folder=None) for i in (1, 2)]
        self.snapshot_key, self.online = Key("snapshot", folder=None), Key("online", folder=None)
        self.thief = Key("thief", folder=None)

    def root_body(self, version=1, expires=FRESH, timestamp=None, roots=None, targets=None):
        """Root and targets ask for two keys each. `targets` is ids and key objects of its own."""
        roots = roots or self.roots
        speakers = {"root": roots, "snapshot": [self.snapshot_key],
                    "timestamp": [timestamp or self.online]}
        keys = {key_id(key): key_object(key) for each in speakers.values() for key in each}
        targets = targets or {key_id(key): key_object(key) for key in self.targets_keys}
        keys.update(targets)
        ids = {role: sorted(map(key_id, each)) for role, each in speakers.items()}
        ids["targets"] = sorted(targets)
        return {"_type": "root", "spec_version": "1.0.31", "version": version, "expires": expires,
                "consistent_snapshot": True, "keys": keys,
                "roles": {role: {"keyids": each, "threshold": len(each)}
                          for role, each in ids.items()}}

    def root(self, keys=None, **body):
        return signed(self.root_body(**body), keys or self.roots)

    def targets_body(self, version, offered, expires=FRESH):
        return {"_type": "targets", "spec_version": "1.0.31", "version": version, "expires": expires,
                "targets": offered}

    def targets(self, version, releases, keys=None, **body):
        offered = {each.path: each.target() for each in releases}
        return signed(self.targets_body(version, offered, **body), keys or self.targets_keys)

    def snapshot(self, version, meta, key=None, expires=FRESH):
        return signed({"_type": "snapshot", "spec_version": "1.0.31", "version": version,
                       "expires": expires, "meta": meta}, [key or self.snapshot_key])

    def timestamp(self, version, snapshot, key=None, expires=FRESH):
        return signed(self.timestamp_body(version, snapshot, expires), [key or self.online])

    def timestamp_body(self, version, snapshot, expires=FRESH):
        return {"_type": "timestamp", "spec_version": "1.0.31", "version": version,
                "expires": expires, "meta": {"snapshot.json": snapshot}}

    def state(self, version, releases, targets=None, snapshot=None, **archives):
        """What an honest channel gives out at that version; with other targets or another snapshot,
        which whoever has the keys below then pins."""
        targets = targets or self.targets(version, releases)
        snapshot = snapshot or self.snapshot(version, {"targets.json": pin(version, targets)})
        served = {"timestamp.json": self.timestamp(version, pin(version, snapshot)),
                  f"{version}.snapshot.json": snapshot, f"{version}.targets.json": targets}
        for release in releases:
            served.update(release.served())
        return served


def add(name, row, expect, now, *, says="", before=None, active="", refused="metadata", root=None):
    """`says` is part of the message of the refusal; `refused` tells what is: the metadata, or the patch
    that it leads to. `active` is the version that is active afterwards."""
    content = {"root": root or PINNED, "before": before or {}, "now": now}
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    vector = {"name": name, "row": row, "expect": expect, "active": active}
    if expect != "valid":
        vector.update(refused=refused, says=says)
    vectors.append(vector)


def main():
    global PINNED
    for old in FOLDER.glob("*"):
        old.unlink()
    channel = Channel()
    vendor, stranger = Key("vendor", folder=FOLDER), Key("stranger", folder=None)
    one, two = Release("1.0.0", 1, vendor), Release("1.1.0", 2, vendor)
    unlisted = Release("1.2.0", 3, vendor)
    forged = Release("1.1.0", 2, stranger, "forged.llmpatch")
    PINNED = channel.root()
    first, second = channel.state(1, [one]), channel.state(2, [one, two])
    both = [one, two]

    add("good", "", "valid", second, active="1.1.0")
    add("good-after-another", "", "valid", second, before=first, active="1.1.0")

    row = "arbitrary installation"
    nobody = "found valid signatures by 0 keys of the role "
    thief = channel.thief
    add("stranger-signs-timestamp", row, "untrusted", says=f"timestamp.json: {nobody}timestamp",
        now={**second, "timestamp.json": channel.timestamp(
            2, pin(2, second["2.snapshot.json"]), thief)})
    add("stranger-signs-snapshot", row, "untrusted", says=f"2.snapshot.json: {nobody}snapshot",
        now=channel.state(2, both, snapshot=channel.snapshot(
            2, {"targets.json": pin(2, second["2.targets.json"])}, thief)))
    add("stranger-signs-targets", row, "untrusted", says=f"2.targets.json: {nobody}targets",
        now=channel.state(2, both, targets=channel.targets(2, both, [thief, stranger])))
    add("stranger-signs-root", row, "untrusted", says=f"by the root before it: {nobody}root",
        now={**second, "2.root.json": channel.root([thief, stranger], version=2,
                                                   roots=[thief, stranger])})
    for role in ("timestamp", "targets"):
        name = "timestamp.json" if role == "timestamp" else "2.targets.json"
        unsigned = json.loads(second[name])
        altered = json.loads(second[name])
        unsigned["signatures"] = []
        altered["signed"]["expires"] = "2099-01-01T00:00:00Z"
        for kind, value in (("unsigned", unsigned), ("altered", altered)):
            text = json.dumps(value)
            now = {**second, name: text} if role == "timestamp" else channel.state(2, both, text)
            add(f"{kind}-{role}", row, "untrusted", now, says=f"{name}: {nobody}{role}")
    add("stranger-signs-patch", row, "untrusted", refused="patch", says="found a signature by key",
        before=first, active="1.0.0", now=channel.state(2, [one, forged]))

    row = "endless data, a slow server"
    long = second["timestamp.json"].ljust(TIMESTAMP_LIMIT + 1)
    add("timestamp-beyond-its-limit", row, "limit", {**second, "timestamp.json": long},
        says=f"timestamp.json: found {TIMESTAMP_LIMIT + 1} bytes, expected at most "
             f"{TIMESTAMP_LIMIT}")
    for role in ("snapshot", "targets"):
        name = f"2.{role}.json"
        add(f"{role}-longer-than-said", row, "limit", {**second, name: second[name] + " "},
            says=f"{name}: found {len(second[name]) + 1} bytes, expected at most "
                 f"{len(second[name])}")
    add("patch-longer-than-said", row, "limit", refused="patch",
        now={**second, **two.served(length=len(two.content) + 1)},
        says=f"found {len(two.content) + 1} bytes, expected at most {len(two.content)}")

    row = "extraneous dependencies"
    add("release-that-is-not-listed", row, "valid", {**second, **unlisted.served()}, active="1.1.0")
    targets = second["2.targets.json"]
    other = of_length(len(targets), lambda: channel.targets(2, [one, unlisted]))
    add("targets-that-the-snapshot-does-not-pin", row, "untrusted",
        {**second, "2.targets.json": other, **unlisted.served()},
        says=f"expected {hashlib.sha256(targets.encode()).hexdigest()}")

    row = "fast-forward"
    far = 2 ** 31
    snapshot = channel.snapshot(far, {"targets.json": pin(1, first["1.targets.json"])})
    forward = {**first, f"{far}.snapshot.json": snapshot,
               "timestamp.json": channel.timestamp(far, pin(far, snapshot))}
    seen = f"found version 2, and version {far} was seen before"
    add("fast-forward", row, "untrusted", second, before=forward, active="1.0.0",
        says=f"timestamp.json: {seen}")
    new = Key("online-2", folder=None)
    recovered = {**second, "2.root.json": channel.root(version=2, timestamp=new),
                 "timestamp.json": channel.timestamp(2, pin(2, second["2.snapshot.json"]), new)}
    add("fast-forward-and-recovery", row, "valid", recovered, before=forward, active="1.1.0")

    row = "indefinite freeze"
    late = f"found that it expired at {EXPIRED}"
    add("expired-timestamp", row, "untrusted", says=f"timestamp: {late}",
        now={**second, "timestamp.json": channel.timestamp(
            2, pin(2, second["2.snapshot.json"]), expires=EXPIRED)})
    add("expired-snapshot", row, "untrusted", says=f"snapshot: {late}",
        now=channel.state(2, both, snapshot=channel.snapshot(
            2, {"targets.json": pin(2, second["2.targets.json"])}, expires=EXPIRED)))
    add("expired-targets", row, "untrusted", says=f"targets: {late}",
        now=channel.state(2, both, targets=channel.targets(2, both, expires=EXPIRED)))
    expired = channel.root(expires=EXPIRED)
    add("expired-root", row, "untrusted", second, root=expired, says=f"root: {late}")
    add("expired-root-and-the-next", row, "valid", root=expired, active="1.1.0",
        now={**second, "2.root.json": channel.root(version=2)})

    row = "malicious mirrors"
    add("nothing", row, "not found", {}, says="found no timestamp.json")
    add("garbage", row, "untrusted", {**second, "timestamp.json": "\0garbage"},
        says="timestamp.json: found a NUL byte")
    add("page-of-a-proxy", row, "untrusted", says="timestamp.json: ",
        now={**second, "timestamp.json": "<html><body>Please log in</body></html>"})
    for name in ("2.snapshot.json", "2.targets.json"):
        add(f"without-{name[2:-5]}", row, "not found", says=f"found no {name}",
            now={key: value for key, value in second.items() if key != name})
    add("without-patch", row, "not found", refused="patch", says="found no targets/",
        now={**second, **dict.fromkeys(two.served())})

    row = "mix and match"
    old_targets, old_snapshot = first["1.targets.json"], first["1.snapshot.json"]
    for name, make in (
            ("2.targets.json", lambda: channel.targets(1, [one])),
            ("2.snapshot.json", lambda: channel.snapshot(1, {"targets.json": pin(1, old_targets)}))):
        above = "snapshot" if "targets" in name else "timestamp"
        add(f"old-{name[2:-5]}-beside-new-{above}", row, "untrusted",
            {**second, name: of_length(len(second[name]), make)},
            says=f"expected {hashlib.sha256(second[name].encode()).hexdigest()}")
    # The same where only versions are pinned, as the specification allows it.
    loose = channel.snapshot(2, {"targets.json": pin(2)})
    found = "found version 1, expected version 2"
    add("old-targets-where-versions-are-pinned", row, "untrusted", says=f"2.targets.json: {found}",
        now={**second, "2.snapshot.json": loose, "2.targets.json": old_targets,
             "timestamp.json": channel.timestamp(2, pin(2))})
    add("old-snapshot-where-versions-are-pinned", row, "untrusted",
        says=f"2.snapshot.json: {found}",
        now={**second, "2.snapshot.json": old_snapshot,
             "timestamp.json": channel.timestamp(2, pin(2))})

    row = "rollback"
    add("older-timestamp", row, "untrusted", first, before=second, active="1.1.0",
        says="timestamp.json: found version 1, and version 2 was seen before")
    add("older-snapshot", row, "untrusted", before=second, active="1.1.0",
        says="found version 1 of snapshot.json, and version 2 was seen before",
        now={**first, "timestamp.json": channel.timestamp(3, pin(1, old_snapshot))})
    snapshot = channel.snapshot(3, {"targets.json": pin(1, old_targets)})
    older_targets = {**first, "3.snapshot.json": snapshot,
                     "timestamp.json": channel.timestamp(3, pin(3, snapshot))}
    add("older-targets", row, "untrusted", older_targets, before=second, active="1.1.0",
        says="found version 1 of targets.json, and version 2 was seen before")
    wide = channel.snapshot(1, {"targets.json": pin(1, old_targets), "more.json": pin(1)})
    add("snapshot-without-what-it-had", row, "untrusted", second, active="1.0.0",
        before={**first, "1.snapshot.json": wide,
                "timestamp.json": channel.timestamp(1, pin(1, wide))},
        says="found no more.json")
    add("older-root", row, "untrusted", {**second, "2.root.json": PINNED},
        says="2.root.json: found version 1, expected version 2")
    add("root-that-skips-one", row, "untrusted", {**second, "2.root.json": channel.root(version=3)},
        says="2.root.json: found version 3, expected version 2")
    add("older-release", row, "valid", channel.state(3, [one]), before=second, active="1.1.0")

    row = "key compromise"
    add("one-of-two-targets-keys", row, "untrusted",
        channel.state(2, both, targets=channel.targets(2, both, channel.targets_keys[:1])),
        says="found valid signatures by 1 keys of the role targets, expected 2")
    add("one-targets-key-twice", row, "untrusted",
        channel.state(2, both, targets=channel.targets(2, both, channel.targets_keys[:1] * 2)),
        says="found valid signatures by 1 keys of the role targets, expected 2")
    key = channel.targets_keys[0]
    names = {key_id(key, kind): key_object(key, kind) for kind in ("ecdsa", "ecdsa-sha2-nistp256")}
    add("one-targets-key-under-two-ids", row, "untrusted",
        {**channel.state(2, both, targets=channel.targets(
            2, both, [(key, keyid) for keyid in sorted(names)])),
         "2.root.json": channel.root(version=2, targets=names)},
        says="2.root.json: roles: targets: found 1 keys, expected as many as the threshold of 2")
    add("one-of-two-root-keys", row, "untrusted",
        {**second, "2.root.json": channel.root([channel.roots[0], thief], version=2,
                                               roots=[channel.roots[0], thief])},
        says="by the root before it: found valid signatures by 1 keys of the role root, expected 2")
    add("root-that-its-own-keys-did-not-sign", row, "untrusted",
        {**second, "2.root.json": channel.root(version=2, roots=[thief, stranger])},
        says=f"2.root.json: {nobody}root")
    online = channel.online
    add("timestamp-key-signs-snapshot", row, "untrusted", says=f"2.snapshot.json: {nobody}snapshot",
        now=channel.state(2, both, snapshot=channel.snapshot(
            2, {"targets.json": pin(2, second["2.targets.json"])}, online)))
    add("timestamp-key-signs-targets", row, "untrusted", says=f"2.targets.json: {nobody}targets",
        now=channel.state(2, both, targets=channel.targets(2, both, [online])))

    row = "wrong software"
    add("exchanged-patches", row, "untrusted", refused="patch", says=f"expected {two.sha256}",
        now={**second, **two.served(one)})
    add("patch-shorter-than-said", row, "untrusted", refused="patch",
        now={**second, **two.served(length=len(two.content) - 1)},
        says=f"found {len(two.content) - 1} bytes, expected {len(two.content)}")
    lie = channel.targets_body(2, {two.path: {**one.target(), "custom": two.custom}})
    place = f"targets/{one.sha256}.{two.path}"
    add("another-release-under-the-name", row, "untrusted", refused="patch",
        says="found version 1.0.0 in the patch",
        now={**channel.state(2, [one], targets=signed(lie, channel.targets_keys)),
             place: {"archive": one.file, "length": len(one.content)}})

    (FOLDER / "vectors.json").write_text(json.dumps(vectors, indent=1) + "\n")
    print(f"{len(vectors)} vectors")


if __name__ == "__main__":
    main()
