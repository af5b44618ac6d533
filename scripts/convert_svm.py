#!/usr/bin/env python3
"""Converts alt-profanity-check's classifier to the table of the judge toxicity-svm (called by
scripts/setup).

  convert_svm.py -o data/download/toxicity-svm.jsonl WHEEL

The package holds two pickles of scikit-learn objects. They are read here without scikit-learn and
without running anything from them: every class they name becomes a plain record, and only what the
table needs is looked at. docs/data.md describes the table. Standard library only.
"""

import argparse
import io
import json
import pickle
import re
import struct
import sys
import zipfile
from pathlib import Path

from prepare_data import Failure, holds, replace_file

VECTORIZER = "profanity_check/data/vectorizer.joblib"
MODEL = "profanity_check/data/model.joblib"
# How the vectorizer must work, since TfidfSvm (src/judge/tfidf_svm.h) works so. Stop words are not in
# its vocabulary, which is all they do.
TOKENS = {"analyzer": "word", "ngram_range": (1, 1), "lowercase": True, "strip_accents": None,
          "preprocessor": None, "tokenizer": None, "token_pattern": r"(?u)\b\w\w+\b",
          "binary": False}
WEIGHTS = {"norm": "l2", "use_idf": True, "sublinear_tf": False}
NUMBERS = {"f8": "d", "f4": "f", "i8": "q", "i4": "i"}


class Record:
    """An object of any class: its name and what it was given."""

    def __init__(self, *arguments):
        self.arguments = arguments
        self.state = {}

    def __setstate__(self, state):
        self.state = state

    def __getitem__(self, name):
        if not isinstance(self.state, dict) or name not in self.state:
            raise Failure(f"{type(self).__name__}: found no {name}")
        return self.state[name]


def number_format(dtype):
    """The letter of `struct` for a pickled numpy.dtype."""
    name = dtype.arguments[0]
    if name not in NUMBERS or dtype.state[1] not in ("<", "|"):
        raise Failure(f"array: found numbers of type {name}, expected {', '.join(NUMBERS)}")
    return "<" + NUMBERS[name]


def scalar(dtype, data):
    return struct.unpack(number_format(dtype), data)[0]


class Reader(pickle._Unpickler):  # the Python one: joblib puts arrays between its opcodes
    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, data):
        self.file = io.BytesIO(data)
        super().__init__(self.file)

    def find_class(self, module, name):
        if name == "scalar" and module.startswith("numpy"):
            return scalar
        return type(name, (Record,), {})

    def load_build(self):
        super().load_build()
        if type(self.stack[-1]).__name__ == "NumpyArrayWrapper":
            self.stack[-1] = self.read_array(self.stack[-1])

    dispatch[pickle.BUILD[0]] = load_build

    def read_array(self, wrapper):
        """The numbers that follow `wrapper`, aligned and in rows."""
        shape, letter = wrapper["shape"], number_format(wrapper["dtype"])
        if wrapper.state.get("numpy_array_alignment_bytes") is not None:
            self.file.read(self.file.read(1)[0])
        count = 1
        for length in shape:
            count *= length
        if wrapper["order"] != "C" and len([n for n in shape if n > 1]) > 1:
            raise Failure("array: found another order, expected rows")
        data = self.file.read(count * struct.calcsize(letter))
        return [number for number, in struct.iter_unpack(letter, data)]


def check(record, expected):
    for name, value in expected.items():
        if record[name] != value:
            raise Failure(f"{type(record).__name__}: found {name} {record[name]!r}, expected {value!r}")


def folds_of(model):
    """(weights, intercept, a, b) of each fold."""
    for classifier in model["calibrated_classifiers_"]:
        svm = classifier["estimator"]
        calibrator, = classifier["calibrators"]
        if type(calibrator).__name__ != "_SigmoidCalibration":
            raise Failure(f"calibration: found {type(calibrator).__name__}, expected a sigmoid")
        intercept, = svm["intercept_"]
        yield svm["coef_"], intercept, calibrator["a_"], calibrator["b_"]


def word_characters():
    """Ranges of characters outside ASCII that \\w matches."""
    ranges = []
    for code in range(0x80, sys.maxunicode + 1):
        if re.match(r"\w", chr(code)):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return ranges


def lower_case():
    """Characters outside ASCII whose lower case is another text. Of a capital sigma it depends on
    what stands around; here it is the one inside a word."""
    return [[code, chr(code).lower()] for code in range(0x80, sys.maxunicode + 1)
            if not 0xD800 <= code < 0xE000 and chr(code).lower() != chr(code)]


def table_lines(wheel):
    version = re.match(r"alt_profanity_check-([^-]+)-", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        vectorizer = Reader(archive.read(VECTORIZER)).load()
        model = Reader(archive.read(MODEL)).load()
    check(vectorizer, TOKENS)
    check(vectorizer["_tfidf"], WEIGHTS)
    vocabulary, idf = vectorizer["vocabulary_"], vectorizer["_tfidf"]["idf_"]
    folds = list(folds_of(model))
    sizes = {len(vocabulary), len(idf), *(len(weights) for weights, *_ in folds)}
    if len(sizes) != 1 or sorted(vocabulary.values()) != list(range(len(idf))):
        raise Failure("vocabulary: found another size than that of the weights")
    yield {"format": "tfidf-svm", "version": 1,
           "source": f"alt-profanity-check {version[1] if version else '?'}",
           "terms": len(vocabulary),
           "folds": [{"intercept": intercept, "a": float(a), "b": float(b)}
                     for _, intercept, a, b in folds],
           "word_characters": word_characters(), "lower_case": lower_case()}
    for term, index in sorted(vocabulary.items()):
        yield {"term": term, "idf": idf[index], "weights": [fold[0][index] for fold in folds]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", dest="output", type=Path, required=True)
    parser.add_argument("wheel", type=Path)
    arguments = parser.parse_args()
    try:
        lines = [(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
                 for line in table_lines(arguments.wheel)]
        if not holds(arguments.output, b"".join(lines)):
            replace_file(arguments.output, lines)
            print(f"{arguments.output}: {len(lines) - 1} terms", file=sys.stderr)
    except (Failure, OSError, zipfile.BadZipFile, pickle.UnpicklingError, LookupError, ValueError,
            EOFError, AttributeError, TypeError, struct.error) as error:
        sys.exit(f"[convert_svm] {error}")


if __name__ == "__main__":
    main()
