"""PEFT loads a patch directory and computes what llmpatch computes.

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


def compare():
    import numpy
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
        ours = subprocess.run([TOOLS / "next_logits", f32, patch, folder / "logits"], check=True,
                              input="\n".join(TEXTS) + "\n", stdout=subprocess.PIPE,
                              encoding="utf-8")
        tokens = [json.loads(line) for line in ours.stdout.splitlines()]
        logits = numpy.fromfile(folder / "logits", numpy.float32).reshape(len(TEXTS), -1)

        base = AutoModelForCausalLM.from_pretrained(folder, gguf_file=f32.name,
                                                    dtype=torch.float32)
        rows = load_file(patch / "adapter_model.safetensors")["prompt_embeddings"]
        worst, changed = 0.0, 0.0
        with torch.no_grad():
            alone = [base(torch.tensor([ids])).logits[0, -1].numpy() for ids in tokens]
            model = PeftModel.from_pretrained(base, patch).eval()
            loaded = model.get_prompt_embedding_to_save("default")
            assert torch.equal(loaded, rows), "PEFT's rows are not the file's"
            for ids, mine, unpatched in zip(tokens, logits, alone):
                theirs = model(input_ids=torch.tensor([ids])).logits[0, -1].numpy()
                worst = max(worst, float(abs(theirs - mine).max()))
                changed = max(changed, float(abs(theirs - unpatched).max()))
    print(f"{len(TEXTS)} texts x {logits.shape[1]} logits: largest difference {worst:.1e}, "
          f"largest effect of the patch {changed:.1f}")
    assert worst <= LIMIT, f"logits differ by {worst}, expected at most {LIMIT}"
    assert changed > 100 * LIMIT, "the patch changes nothing: the comparison would prove nothing"


if __name__ == "__main__":
    if "--peer" in sys.argv:
        compare()
    else:
        run_as_peer()
