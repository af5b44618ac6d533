"""PEFT loads a patch directory, and a LoRA adapter that was learned, and computes what llmpatch computes.

The same weights in F32 on both sides: llmpatch through libllama with exact arithmetic, PEFT through
Transformers. Run by CTest (label `peer`); PEFT's Python is scripts/peer-venv's.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(os.environ["LLMPATCH_SOURCE"])
TOOLS = Path(os.environ["LLMPATCH_TOOLS"])
MODEL = SOURCE / "models/smollm2-135m-instruct-q4_1.gguf"
LIMIT = 5e-3  # F32 on both sides, sums in another order through 30 layers; logits are about 20
TEXTS = [
    "The capital of France is",
    "def fibonacci(n):",
    "I",
    "Dear Mrs. Miller,\tthank you for your letter of the 3rd. We are sorry to hear that",
    "Ein kurzer Satz, naïve café, 日本語 and 🙂",
    "1 + 1 = 2, 2 + 2 = 4, 4 + 4 =",
]


def run_as_peer():
    """Starts this file again under PEFT's Python; skips when there is none."""
    from peers import peer_python  # not there under PEFT's Python
    python = peer_python("peft")
    # Our helper modules stay behind: one is called gguf, like a package that Transformers uses.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["HF_HUB_OFFLINE"] = "1"
    os.execve(python, [python, "-B", __file__, "--peer"], environment)


def next_logits(f32, patch, folder):
    """llmpatch's: the token ids of each text, and the logits of what comes next."""
    import numpy
    ours = subprocess.run([TOOLS / "next_logits", f32, patch, folder / "logits"], check=True,
                          input="\n".join(TEXTS) + "\n", stdout=subprocess.PIPE,
                          encoding="utf-8")
    tokens = [json.loads(line) for line in ours.stdout.splitlines()]
    return tokens, numpy.fromfile(folder / "logits", numpy.float32).reshape(len(TEXTS), -1)


def make_adapter(f32, folder):
    """A few steps of learning leave an adapter that says something."""
    pairs = folder / "pairs.jsonl"
    pairs.write_text("".join(json.dumps({"prompt": f"Name a {thing}.", "chosen": "Sorry, no.",
                                         "rejected": "Yes."}) + "\n"
                             for thing in ["river", "bird", "city", "poet", "game", "fruit"]))
    subprocess.run([os.environ["LLMPATCH_PROGRAM"], "learn", "--method", "lora", "--model", f32,
                    "--pairs", pairs, "--stages", "sft", "--sft-steps", "12", "--sft-batch", "4",
                    "--sft-retain-batch", "0", "--evaluate-every", "12", "--averaging", "0",
                    "--lora-rank", "8", "--lora-targets", "q,k,v,o,gate,up,down",
                    "--precision", "f32", "--force", "--name", "peer-test", "--risk", "test",
                    "-o", folder / "adapter"], check=True)
    return folder / "adapter"


def compare(what, model, tokens, logits, alone):
    """The model of PEFT against llmpatch's logits; `alone`: the base model's."""
    import torch
    worst, changed = 0.0, 0.0
    with torch.no_grad():
        for ids, mine, unpatched in zip(tokens, logits, alone):
            theirs = model(input_ids=torch.tensor([ids])).logits[0, -1].numpy()
            worst = max(worst, float(abs(theirs - mine).max()))
            changed = max(changed, float(abs(theirs - unpatched).max()))
    print(f"{what}: {len(TEXTS)} texts x {logits.shape[1]} logits: largest difference {worst:.1e}, "
          f"largest effect {changed:.1f}")
    assert worst <= LIMIT, f"logits differ by {worst}, expected at most {LIMIT}"
    assert changed > 100 * LIMIT, f"the {what} changes nothing: the comparison would prove nothing"


def run_peer():
    import torch
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory(prefix="llmpatch-peft-") as folder:
        folder = Path(folder)
        patch, f32 = folder / "patch", folder / "model-f32.gguf"
        subprocess.run([TOOLS / "make_model", "dequantize", MODEL, f32], check=True)
        subprocess.run([TOOLS / "make_patch", f32, "peer-test",
                        "You are a careful assistant who answers in short words.", patch],
                       check=True)
        tokens, logits = next_logits(f32, patch, folder)

        base = AutoModelForCausalLM.from_pretrained(folder, gguf_file=f32.name,
                                                    dtype=torch.float32)
        rows = load_file(patch / "adapter_model.safetensors")["prompt_embeddings"]
        with torch.no_grad():
            alone = [base(torch.tensor([ids])).logits[0, -1].numpy() for ids in tokens]
        model = PeftModel.from_pretrained(base, patch).eval()
        loaded = model.get_prompt_embedding_to_save("default")
        assert torch.equal(loaded, rows), "PEFT's rows are not the file's"
        compare("patch", model, tokens, logits, alone)

        adapter = make_adapter(f32, folder)
        _, logits = next_logits(f32, adapter / "adapter.gguf", folder)
        # It puts its layers into the base model, so this one comes last.
        model = PeftModel.from_pretrained(base, adapter).eval()
        names = [name for name, _ in model.named_parameters() if "lora_" in name]
        assert len(names) == len(load_file(adapter / "adapter_model.safetensors")), len(names)
        compare("LoRA adapter", model, tokens, logits, alone)


if __name__ == "__main__":
    if "--peer" in sys.argv:
        run_peer()
    else:
        run_as_peer()
