"""python-tuf at work, in its own Python: a client of our repositories, and a repository of its own.

    tuf_peer.py client SITE ROOT STATE PATH     downloads the target PATH, prints its custom as JSON
    tuf_peer.py make SITE OFFERS                writes a repository that offers what OFFERS says
    tuf_peer.py vectors FOLDER STATE            judges each of testdata/vectors/tuf/: prints what it
                                                refuses as JSON

OFFERS is a JSON file: {"version", "files": {path: [file, custom]}, "keys": folder for private keys,
"roll": true to make the next root with another timestamp key}.
"""

import datetime
import hashlib
import json
import pathlib
import sys

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.api.metadata import (Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp)
from tuf.ngclient import FetcherInterface, Updater


class Files(FetcherInterface):
    def _fetch(self, url):
        path = pathlib.Path(url.removeprefix("file://"))
        if not path.is_file():
            raise DownloadHTTPError("not there", 404)
        return iter([path.read_bytes()])


def client(site, root, state, path):
    state = pathlib.Path(state)
    (state / "targets").mkdir(parents=True, exist_ok=True)
    updater = Updater(str(state), f"file://{site}/", str(state / "targets"),
                      f"file://{site}/targets/", fetcher=Files(),
                      bootstrap=pathlib.Path(root).read_bytes())
    updater.refresh()
    info = updater.get_targetinfo(path)
    if info is None:
        sys.exit(f"no target {path}")
    updater.download_target(info)
    print(json.dumps(info.custom))


class Served(FetcherInterface):
    """The files of one state of a vector (testdata/vectors/README.md)."""

    def __init__(self, folder, files):
        self.folder, self.files = folder, files

    def _fetch(self, url):
        content = self.files.get(url.removeprefix("vector://"))
        if content is None:
            raise DownloadHTTPError("not there", 404)
        if isinstance(content, str):
            return iter([content.encode()])
        archive, length = (self.folder / content["archive"]).read_bytes(), content["length"]
        return iter([archive[:length].ljust(length, b"\0")])


def judge(folder, state, vector):
    """Raises where python-tuf refuses what is served, or one of the patches it leads to."""
    (state / "targets").mkdir(parents=True)
    for files in (vector["before"], vector["now"]):
        if files is vector["before"] and not files:
            continue
        updater = Updater(str(state), "vector://", str(state / "targets"), "vector://targets/",
                          fetcher=Served(folder, files), bootstrap=vector["root"].encode())
        updater.refresh()
        for version in ("1.0.0", "1.1.0"):
            info = updater.get_targetinfo(f"refuse-{version}.llmpatch")
            if info is not None:
                updater.download_target(info)


def vectors(folder, state):
    folder, refused = pathlib.Path(folder), {}
    for entry in json.loads((folder / "vectors.json").read_text()):
        name = entry["name"]
        try:
            judge(folder, pathlib.Path(state) / name,
                  json.loads((folder / f"{name}.json").read_text()))
        except (RepositoryError, DownloadError) as error:
            refused[name] = type(error).__name__
    print(json.dumps(refused))


def make(site, offers):
    site = pathlib.Path(site)
    offers = json.loads(pathlib.Path(offers).read_text())
    keys = pathlib.Path(offers["keys"])
    (site / "targets").mkdir(parents=True, exist_ok=True)
    keys.mkdir(exist_ok=True)
    expires = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    expires += datetime.timedelta(days=3)

    def signer(name, kind):
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        path = keys / name
        if not path.exists():
            made = CryptoSigner.generate_ecdsa() if kind == "ecdsa" else CryptoSigner.generate_ed25519()
            path.write_bytes(made.private_bytes)
        return CryptoSigner(load_pem_private_key(path.read_bytes(), None))

    roots = [signer("root-1", "ed25519"), signer("root-2", "ecdsa")]
    signers = {"targets": signer("targets", "ed25519"), "snapshot": signer("snapshot", "ecdsa"),
               "timestamp": signer("timestamp-2" if offers.get("roll") else "timestamp", "ed25519")}
    version = offers["version"]

    number = 2 if offers.get("roll") else 1
    root = Root(number, expires=expires, consistent_snapshot=True)
    for each in roots:
        root.add_key(each.public_key, "root")
    root.roles["root"].threshold = 2
    for role, each in signers.items():
        root.add_key(each.public_key, role)
    write(site / f"{number}.root.json", root, roots)

    targets = Targets(version, expires=expires)
    for path, (file, custom) in offers["files"].items():
        content = pathlib.Path(file).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        targets.targets[path] = TargetFile(len(content), {"sha256": digest}, path,
                                           {"custom": custom})
        (site / "targets" / f"{digest}.{path}").write_bytes(content)
    write(site / f"{version}.targets.json", targets, [signers["targets"]])
    snapshot = Snapshot(version, expires=expires, meta={"targets.json": MetaFile(version)})
    write(site / f"{version}.snapshot.json", snapshot, [signers["snapshot"]])
    timestamp = Timestamp(version, expires=expires, snapshot_meta=MetaFile(version))
    write(site / "timestamp.json", timestamp, [signers["timestamp"]])


def write(path, body, signers):
    metadata = Metadata(body)
    for signer in signers:
        metadata.sign(signer, append=True)
    metadata.to_file(str(path))


{"client": client, "make": make, "vectors": vectors}[sys.argv[1]](*sys.argv[2:])
