"""Makes the vectors of registries, in oci/: what a registry that lies answers when it is asked for
good.llmpatch. Nothing in them is random or signed anew. README.md says what is in a vector.
"""

import hashlib
import json
import tarfile

from make import HERE

FOLDER = HERE / "oci"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PATCH = "application/vnd.llmpatch.patch.v1"
TITLE = "org.opencontainers.image.title"

vectors = []


def files_of(name):
    with tarfile.open(HERE / f"{name}.llmpatch") as archive:
        return {each.name: archive.extractfile(each).read() for each in archive}


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer(name, content, **changes):
    return {"mediaType": "application/octet-stream", "digest": digest(content),
            "size": len(content), "annotations": {TITLE: name}, **changes}


def manifest(files, **changes):
    layers = [layer(name, content) for name, content in files.items()]
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2, "digest": digest(b"{}"),
              "data": "e30="}
    return {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": PATCH, "config": config,
            "layers": layers, **changes}


def add(name, row, expect, content, says="", refused="manifest", blobs=None, pinned=""):
    """`content` is the manifest, as an object or as text. `blobs` are answered instead of those of
    good.llmpatch, or besides. `pinned` is the digest that is asked for, instead of a tag."""
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    vector = {"manifest": text}
    if blobs:
        vector["blobs"] = {key: value.decode() for key, value in blobs.items()}
    if pinned:
        vector["pinned"] = pinned
    (FOLDER / f"{name}.json").write_text(json.dumps(vector, indent=1) + "\n")
    entry = {"name": name, "row": row, "expect": expect}
    if expect != "valid":
        entry.update(refused=refused, says=says)
    vectors.append(entry)


def main():
    for old in FOLDER.glob("*"):
        old.unlink()
    files = files_of("good")
    honest = manifest(files)
    readme, rest = files["README.md"], {k: v for k, v in files.items() if k != "README.md"}

    def with_layer(**changes):
        """Another layer in the place of README.md's."""
        return {**honest, "layers": [layer("README.md", readme, **changes),
                                     *manifest(rest)["layers"]]}

    add("good", "", "valid", honest)
    text = json.dumps(honest, indent=1)
    add("good-by-its-digest", "", "valid", text, pinned=digest(text.encode()))

    row = "gives other bytes than their digest, or another manifest than the pinned one"
    other = readme[:-1] + bytes([readme[-1] ^ 1])
    add("layer-of-other-bytes", row, "untrusted", honest, refused="layer",
        says=f"found the digest {digest(other)}, expected {digest(readme)}",
        blobs={digest(readme): other})
    add("layer-cut-short", row, "untrusted", honest, refused="layer",
        says=f"found the digest {digest(readme[:-1])}, expected {digest(readme)}",
        blobs={digest(readme): readme[:-1]})
    add("layer-of-nothing", row, "untrusted", honest, refused="layer",
        says=f"found the digest {digest(b'')}, expected {digest(readme)}",
        blobs={digest(readme): b""})
    add("layer-shorter-than-said", row, "untrusted", with_layer(size=len(readme) + 1),
        refused="layer", says="found the digest ")
    add("manifest-that-was-not-pinned", row, "untrusted", manifest(files, annotations={"a": "b"}),
        refused="answer", says=f"expected \"{digest(text.encode())}\"",
        pinned=digest(text.encode()))

    row = "gives files that nobody you trust signed"
    add("unsigned", row, "untrusted", manifest(files_of("unsigned")), refused="patch",
        says="found no signature")
    signature = files_of("other-key")["model.sig"]
    add("signed-by-a-stranger", row, "untrusted", manifest({**files, "model.sig": signature}),
        refused="patch", says="found a signature by key", blobs={digest(signature): signature})
    add("changed-and-described-anew", row, "untrusted", manifest({**files, "README.md": other}),
        refused="patch", says="README.md", blobs={digest(other): other})

    row = "names files that no patch has, or one twice"
    for name, title in (("title-with-a-way-up", "../../.ssh/authorized_keys"),
                        ("title-of-a-path", "/etc/passwd"), ("title-in-a-folder", "a/README.md"),
                        ("title-of-another-file", "model.py"), ("title-of-nothing", "")):
        add(name, row, "corrupt", with_layer(annotations={TITLE: title}), says="found ")
    add("layer-without-a-title", row, "corrupt", with_layer(annotations={}), says=TITLE)
    add("title-twice", row, "corrupt", {**honest, "layers": honest["layers"][:1] + honest["layers"]},
        says="twice")
    for name, value in (("digest-with-a-way-up", "sha256:../../../../etc/passwd"),
                        ("digest-of-sha512", "sha512:" + "a" * 128),
                        ("digest-in-capitals", digest(readme).upper()),
                        ("digest-of-nothing", "")):
        add(name, row, "corrupt", with_layer(digest=value), says="layer digest")
    add("negative-size", row, "corrupt", with_layer(size=-1), says="layer size")
    add("size-as-text", row, "corrupt", with_layer(size="9"), says="size")
    add("size-with-a-fraction", row, "corrupt", with_layer(size=9.5), says="size")
    add("no-layers", row, "corrupt", {**honest, "layers": []}, says="layers")

    row = "gives an image, or another kind of artifact"
    image = {key: value for key, value in honest.items() if key != "artifactType"}
    add("image", row, "mismatch", image, says="an image or index")
    add("index", row, "mismatch", {**honest, "mediaType": "application/vnd.oci.image.index.v1+json"},
        says="an image or index")
    add("docker-image", row, "mismatch",
        {**honest, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"},
        says="an image or index")
    add("unknown-media-type", row, "mismatch", {**honest, "mediaType": "application/vnd.example+json"},
        says="vnd.example")
    add("other-artifact", row, "mismatch",
        {**honest, "artifactType": "application/vnd.cncf.model.manifest.v1+json"},
        says="vnd.cncf.model")
    add("file-of-a-channel", row, "mismatch",
        {**honest, "artifactType": "application/vnd.llmpatch.channel.v1"}, says="channel.v1")

    row = "gives a manifest that is none"
    for name, content in (("manifest-of-nothing", ""), ("manifest-cut-short", text[:-20]),
                          ("manifest-that-is-a-list", "[]"), ("manifest-nested", "[" * 10_000),
                          ("page-of-a-proxy", "<html><body>Please log in</body></html>"),
                          ("member-twice", text.replace('"schemaVersion": 2',
                                                        '"schemaVersion": 2,\n "schemaVersion": 2')),
                          ("other-schema-version", {**honest, "schemaVersion": 1}),
                          ("layers-that-are-text", {**honest, "layers": "layers"}),
                          ("layer-that-is-a-number", {**honest, "layers": [7]})):
        add(name, row, "corrupt", content, says=": ")

    row = "sends without an end, or redirects in a circle"
    add("layer-longer-than-said", row, "limit", with_layer(size=len(readme) - 1), refused="layer",
        says="found an answer of more than")
    add("layer-larger-than-it-may-be", row, "limit", with_layer(size=10 ** 13), says="README.md")

    row = "says more than anybody asked for"
    add("other-places", row, "valid", with_layer(urls=["http://127.0.0.1:1/", "file:///etc/passwd"]))
    add("other-bytes-in-place", row, "valid", with_layer(data="b3RoZXI="))
    add("unknown-layer-type", row, "valid", with_layer(mediaType="application/vnd.example.unknown"))
    add("more-annotations", row, "valid", {**honest, "annotations": {TITLE: "another-name"},
                                           "subject": layer("x", b"x"), "extra": [1, 2]})

    (FOLDER / "vectors.json").write_text(json.dumps(vectors, indent=1) + "\n")
    print(f"{len(vectors)} vectors")


if __name__ == "__main__":
    main()
