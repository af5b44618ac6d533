"""What the vectors of file formats share: the good patch they spoil, and the index they are put into."""

import json

from make import seed_files

ROWS = "adapter_model.safetensors"
MANIFEST, CONFIG, CARD = "manifest.json", "adapter_config.json", "eval.json"
GOOD = seed_files()
N, D = 3, 4  # its rows
VALUES = GOOD[ROWS][-N * D * 4:]
WORDS = 2**64  # numbers of 64 bits wrap here

SUFFIXES = {ROWS: "safetensors", "patch": "llmpatch", "model": "gguf", "adapter": "gguf"}

folder_of_all = None  # where make_files.py has them made
indexes = {}


def path_of(folder, name):
    path = folder_of_all / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def add(folder, place, name, row, expect, content, says="", **more):
    """A vector. `place` is the file of the patch whose place it takes, or what it is: a `patch`, a
    `model` or an `adapter`. `says` is a part of the refusal."""
    path = path_of(folder, f"{name}.{SUFFIXES.get(place, 'json')}")
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    entries = indexes.setdefault(folder, [])
    assert name not in {entry["name"] for entry in entries}, name
    entry = {"name": name, "file": path.name, "as": place, "row": row, "expect": expect, **more}
    if expect != "valid":
        entry["says"] = says
    entries.append(entry)


def write_indexes():
    for folder, entries in indexes.items():
        path_of(folder, "vectors.json").write_text(json.dumps(entries, indent=1) + "\n")
        print(f"{folder}: {len(entries)} vectors")
