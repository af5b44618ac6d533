"""lm-evaluation-harness answers the items of `utility` as llmpatch does, item by item.

The same weights in F32 on both sides: llmpatch through libllama with exact arithmetic, the harness
through Transformers, on its own task of type multiple_choice. Run by CTest (label `long`); the
harness's Python is scripts/peer-venv's.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(os.environ["LLMPATCH_SOURCE"])
TOOLS = Path(os.environ["LLMPATCH_TOOLS"])
PROGRAM = os.environ["LLMPATCH_PROGRAM"]
MODEL = SOURCE / "models/smollm2-135m-instruct-q4_1.gguf"
ITEMS = SOURCE / "data/utility.jsonl"
EXAMPLES = SOURCE / "data/utility-examples.jsonl"
# How each style is asked, in the harness's words (those of its tasks mmlu and arc_easy).
STYLES = {
    "mmlu": {
        "description": "The following are multiple choice questions (with answers) about "
                       "{{subject}}.\n\n",
        "doc_to_text": "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\n"
                       "C. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:",
        "doc_to_choice": ["A", "B", "C", "D"],
    },
    "arc": {
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "{{choices}}",
    },
}
# What is compared: each is thousands of tokens on two processors, twice.
RUNS = (("mmlu", 0), ("mmlu", 5), ("arc", 0))


def run_as_peer():
    """Starts this file again under the harness's Python; skips when there is none."""
    from peers import peer_python  # not there under the harness's Python
    python = peer_python("lm-eval")
    # Our helper modules stay behind: one is called gguf, like a package that Transformers uses.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    os.execve(python, [python, "-B", __file__, "--peer"], environment)


def ours(model, folder):
    """{(style, shots): [(acc, acc_norm) of each item]} by llmpatch."""
    suites = []
    for style, shots in RUNS:
        path = folder / f"{style}-{shots}.json"
        path.write_text(json.dumps({
            "name": path.stem, "kind": "multiple-choice", "prompts": str(ITEMS), "style": style,
            "shots": [shots], "examples": str(EXAMPLES)}))
        suites += ["--suite", path]
    subprocess.run([PROGRAM, "eval", "--model", model, "--kv", "f32", *suites, "-o",
                    folder / "out"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    found = {run: [] for run in RUNS}
    for line in (folder / "out/responses.jsonl").read_text().splitlines():
        line = json.loads(line)
        style, shots = line["suite"].split("-")
        found[style, int(shots)].append(
            (line[f"acc@{shots}-shot"], line[f"acc_norm@{shots}-shot"]))
    return found


def tokenizer_of(model):
    """SmolLM2's tokenizer (bytes, digits one by one) with the vocabulary of the file."""
    from gguf import GGUFReader
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    fields = GGUFReader(model).fields
    words = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>",
                                   pad_token="<|im_end|>")


def theirs(model, folder):
    """The same by the harness."""
    import torch
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM

    os.environ["HF_DATASETS_CACHE"] = str(folder / "datasets")
    network = AutoModelForCausalLM.from_pretrained(folder, gguf_file=model.name,
                                                   dtype=torch.float32).eval()
    harness = HFLM(pretrained=network, tokenizer=tokenizer_of(model), batch_size=4)
    found = {}
    for style, shots in RUNS:
        task = ConfigurableTask(config={
            "task": f"utility-{style}-{shots}", "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(ITEMS), "dev": str(EXAMPLES)},
                               "cache_dir": str(folder / "datasets")},
            "test_split": "test", "fewshot_split": "dev",
            "fewshot_config": {"sampler": "first_n"}, "output_type": "multiple_choice",
            "doc_to_target": "answer", "num_fewshot": shots,
            "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}], **STYLES[style]})
        outcome = simple_evaluate(model=harness, tasks=[task], num_fewshot=shots,
                                  bootstrap_iters=0)
        samples = next(iter(outcome["samples"].values()))
        samples.sort(key=lambda sample: sample["doc_id"])
        found[style, shots] = [(bool(sample["acc"]), bool(sample["acc_norm"]))
                               for sample in samples]
    return found


def compare():
    with tempfile.TemporaryDirectory(prefix="llmpatch-lm-eval-") as folder:
        folder = Path(folder)
        model = folder / "model-f32.gguf"
        subprocess.run([TOOLS / "make_model", "dequantize", MODEL, model], check=True)
        mine, harness = ours(model, folder), theirs(model, folder)
    for key, own in mine.items():
        other = harness[key]
        assert len(own) == len(other) >= 200, f"{key}: {len(own)} items here, {len(other)} there"
        differing = [i for i, pair in enumerate(zip(own, other)) if pair[0] != pair[1]]
        right = sum(acc for acc, _ in own)
        print(f"{key[0]}, {key[1]} shots: {right}/{len(own)} right, {len(differing)} items differ")
        assert not differing, f"{key}: items {differing} differ"


if __name__ == "__main__":
    if "--peer" in sys.argv:
        compare()
    else:
        run_as_peer()
