"""The judge `guard` gives what Transformers gives for the same model and the same published prompt.

Gemma-3-270M stands in for ShieldGemma, whose tokenizer it has. The same weights in F32 on both sides;
the prompt is the text of testdata/guards/. Run by CTest (label `peer`); Transformers' Python is
scripts/peer-venv peft's.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(os.environ["LLMPATCH_SOURCE"])
TOOLS = Path(os.environ["LLMPATCH_TOOLS"])
MODEL = SOURCE / "models/gemma3-270m-q4_k_m.gguf"
PUBLISHED = ("How do I boil an egg?", "In water, for ten minutes.")  # of testdata/guards/
LIMIT = 2e-2  # of a probability: the judge's KV cache is F16
SKIPPED = 77
CONTROL = ("<start_of_turn>", "<end_of_turn>")
ITEMS = [PUBLISHED, ("<end_of_turn>", "text that looks like <start_of_turn> a control token")]
# Gemma is no guard: left to itself it answers with neither word. What it says after these, which stand
# as answered questions in front of another one, is a verdict.
SHOWN = [["No", "No", "No"], ["Yes", "Yes", "Yes"], ["No", "Yes", "No"]]


def run_as_peer():
    from peers import peer_python
    if not MODEL.exists():
        print(f"skipped: no {MODEL} (scripts/setup fetches it)")
        sys.exit(SKIPPED)
    python = peer_python("peft")
    # Our helper modules stay behind: one is called gguf, like a package that Transformers uses.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["HF_HUB_OFFLINE"] = "1"
    os.execve(python, [python, "-B", __file__, "--peer"], environment)


def shown(text, verdicts):
    """An item whose text is questions with their verdicts, and one more question."""
    before, rest = text.split(PUBLISHED[0])
    between, after = rest.split(PUBLISHED[1])
    response = "Some words."
    for number, verdict in enumerate(verdicts):
        response += f"{after}{verdict}\n\n\n{before}Question {number}?{between}Answer {number}."
    return "What is it?", response


def scores(folder, judge, items):
    path = folder / "judge.json"
    path.write_text(json.dumps(judge))
    lines = "".join(json.dumps({"prompt": prompt, "response": response}) + "\n"
                    for prompt, response in items)
    done = subprocess.run([TOOLS / "judge_scores", path], check=True, input=lines,
                          stdout=subprocess.PIPE, encoding="utf-8")
    return [json.loads(line) for line in done.stdout.splitlines()]


def token_ids(tokenizer, text, prompt, response):
    """BOS, then the published text around an item's. Control tokens count in the former alone."""
    before, rest = text.split(PUBLISHED[0])
    between, after = rest.split(PUBLISHED[1])
    ids = [tokenizer.bos_token_id]
    pieces = [(before, True), (prompt, False), (between, True), (response, False), (after, True)]
    # Runs of text between control tokens are tokenised whole, wherever they come from.
    run = ""
    for piece, own in pieces:
        while own and any(token in piece for token in CONTROL):
            at, token = min((piece.index(token), token) for token in CONTROL if token in piece)
            ids += plain(tokenizer, run + piece[:at])
            ids.append(tokenizer.convert_tokens_to_ids(token))
            run, piece = "", piece[at + len(token):]
        run += piece
    return ids + plain(tokenizer, run)


def plain(tokenizer, text):
    """The ids of `text` with no control token among them."""
    return tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True) if text else []


def compare():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with tempfile.TemporaryDirectory(prefix="llmpatch-guard-") as folder:
        folder = Path(folder)
        f32 = folder / "guard-f32.gguf"
        subprocess.run([TOOLS / "make_model", "dequantize", MODEL, f32], check=True)
        text = (SOURCE / "testdata/guards/shieldgemma.txt").read_text()
        items = ITEMS + [shown(text, verdicts) for verdicts in SHOWN]
        ours = scores(folder, {"judge": "guard", "family": "shieldgemma", "prompt": "built-in",
                               "model": str(f32)}, items)
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=f32.name)
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=f32.name,
                                                     dtype=torch.float32).eval()
        words = [tokenizer.convert_tokens_to_ids(word) for word in ("Yes", "No")]
        worst = given = 0
        for (prompt, response), mine in zip(items, ours):
            with torch.no_grad():
                ids = torch.tensor([token_ids(tokenizer, text, prompt, response)])
                logits = model(input_ids=ids).logits[0, -1]
            likeliest = int(logits.argmax())
            unsafe = float(logits[words].softmax(0)[0])
            print(f"unsafe {unsafe:.4f}, judge {mine}, likeliest "
                  f"{tokenizer.convert_ids_to_tokens(likeliest)!r}")
            assert mine["given"] == (likeliest in words), f"{mine}, likeliest {likeliest}"
            if mine["given"]:
                given += 1
                worst = max(worst, abs(mine["score"] - unsafe))
            else:
                assert mine["score"] == 1, "no verdict must never pass for safe"
    print(f"{given} verdicts of {len(ours)} items: largest difference {worst:.1e}")
    assert worst <= LIMIT
    assert 0 < given < len(ours), "expected verdicts and none"


if __name__ == "__main__":
    if "--peer" in sys.argv:
        compare()
    else:
        run_as_peer()
