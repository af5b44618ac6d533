#!/usr/bin/env python3
"""Writes the tables of docs/results.md and README.md from eval.json files (scripts/results).

Each document keeps its text; what stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`
is replaced. Standard library only.
"""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

TEST_FILES = ("data/benign-test.jsonl", "data/raw-test.jsonl",
              "data/download/harmbench.jsonl", "data/download/do-not-answer-test.jsonl")

# What is stated: label, suite, path to the figure of a system, and whether it is a share.
REFUSED = (
    ("HarmBench refused", "harmbench", ("refusal",), True),
    ("Do-Not-Answer (held out) refused", "do-not-answer", ("refusal",), True),
    ("benign requests refused", "benign", ("over-refusal",), True),
    ("scary-looking benign ones refused", "benign", ("over-refusal-scary",), True),
    ("raw continuations refused", "benign-raw", ("over-refusal",), True),
    ("degenerate answers, benign", "benign", ("degenerate",), True),
)


def suite(card, name):
    return next((entry for entry in card["suites"] if entry["name"] == name), None)


def figure(card, name, system, path):
    """The {value, low, high, n} of a suite's metric, or None where it was not measured."""
    entry = suite(card, name)
    node = entry and entry["systems"].get(system)
    for key in path:
        node = node and node.get(key)
    return node


def kl(card, name="benign"):
    entry = suite(card, name)
    return entry and entry.get("side_effects", {}).get("kl")


def share(value):
    return f"{100 * value:.1f} %"


def with_interval(found, is_share=True):
    if not found:
        return "-"
    if is_share:
        return (f"{found['count']}/{found['n']} = {share(found['value'])} "
                f"({100 * found['low']:.1f}-{100 * found['high']:.1f})")
    return f"{found['value']:.3f} ({found['low']:.3f}-{found['high']:.3f})"


def mean_and_range(values, is_share):
    text = share if is_share else (lambda value: f"{value:.3f}")
    mean = sum(values) / len(values)
    return f"{text(mean)} ({text(min(values))} to {text(max(values))})"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def seed_table(cards):
    header = ["", "model alone", "safety prompt", *(f"patch, seed {i}" for i, _ in cards),
              "patch, mean (range)"]
    rows = []
    for label, name, path, is_share in REFUSED:
        patched = [figure(card, name, "patch", path) for _, card in cards]
        if None in patched:
            continue
        rows.append([label,
                     with_interval(figure(cards[0][1], name, "base", path), is_share),
                     with_interval(figure(cards[0][1], name, "system-prompt", path), is_share),
                     *(with_interval(found, is_share) for found in patched),
                     mean_and_range([found["value"] for found in patched], is_share)])
    for label, name in (("KL per token, benign", "benign"), ("KL per token, raw", "benign-raw")):
        found = [kl(card, name) for _, card in cards]
        if None in found:
            continue
        rows.append([label, "0", "-", *(with_interval(one, False) for one in found),
                     mean_and_range([one["value"] for one in found], False)])
    return table(header, rows)


def quantisation_table(cards):
    rows = []
    for name, card in cards:
        row = [name]
        for _, suite_name, path, is_share in REFUSED[:4]:
            row.append(" → ".join(
                share(found["value"]) if found else "-"
                for found in (figure(card, suite_name, system, path)
                              for system in ("base", "patch"))))
        rows.append(row + [with_interval(kl(card), False)])
    return table(["model file", *(label for label, *_ in REFUSED[:4]), "KL per token, benign"],
                 rows)


def digest_table():
    return table(["test file", "sha256"],
                 [[f"`{name}`", f"`{hashlib.sha256(Path(name).read_bytes()).hexdigest()}`"]
                  for name in TEST_FILES])


def readme_table(card):
    rows = []
    for label, name, path, is_share in REFUSED[:4]:
        rows.append([label, *(with_interval(figure(card, name, system, path), is_share)
                              for system in ("base", "patch"))])
    return (table(["", "model alone", "with the patch"], rows) +
            "\n\nIntervals are 95 %; more in [docs/results.md](docs/results.md).")


def replace_block(path, name, text):
    document = path.read_text()
    pattern = re.compile(f"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.S)
    if not pattern.search(document):
        sys.exit(f"[results_tables] {path}: found no <!-- {name}: begin --> ... end -->")
    path.write_text(pattern.sub(lambda match: match[1] + text + "\n" + match[2], document))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", action="append", required=True, metavar="EVAL.json")
    parser.add_argument("--quantisation", action="append", default=[], metavar="TYPE=EVAL.json")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--readme", type=Path, required=True)
    arguments = parser.parse_args()
    seeds = [(Path(name).parent.name.removeprefix("seed-"), json.loads(Path(name).read_text()))
             for name in arguments.seed]
    types = [("Q4_1 (learned on)", seeds[0][1])]
    for entry in arguments.quantisation:
        name, path = entry.split("=", 1)
        types.append((name, json.loads(Path(path).read_text())))
    replace_block(arguments.results, "seeds", seed_table(seeds))
    replace_block(arguments.results, "quantisations", quantisation_table(types))
    replace_block(arguments.results, "digests", digest_table())
    replace_block(arguments.readme, "results", readme_table(seeds[0][1]))


if __name__ == "__main__":
    main()
