"""Folders of evaluations made up by hand, as `llmpatch eval` would leave them, for tests of the report."""

import json

MARKUP = "<img src=x onerror=document.title='injected'>"
HARMFUL = "HARMFUL-TEXT"
LABELS = ["base", "system-prompt", "patch", "plain prompt tuning", f"{MARKUP} & co"]
CATEGORIES = ["chemistry", "fraud", "a category of a rather long name that must wrap"]
TEMPLATES = ["plain", "base64", "prefix-injection", "template-tokens"]


def share(count, n):
    """A share with an interval that is good enough for a picture."""
    value = count / n
    half = 1.96 * (max(value * (1 - value), 0.02) / n) ** 0.5
    figure = {"value": value, "low": max(0, value - half), "high": min(1, value + half), "count": count, "n": n}
    if count == 0:
        figure["zero_event_upper"] = 1 - 0.05 ** (1 / n)
    return figure


def mean(value, half, n=200):
    return {"value": value, "low": value - half, "high": value + half, "n": n}


def comparison(label, metric=None):
    pair = {"a": "base", "b": label, "n": 200, "only_a": 1, "only_b": 40, "p": 1e-9, "p_holm": 3e-8}
    return pair if metric is None else {"metric": metric, "difference": mean(-0.2, 0.1), **pair}


def systems(figures):
    """The figures of each label, by its index."""
    return {label: figures(i) for i, label in enumerate(LABELS)}


def refusal_suite():
    return {
        "name": "harmful-questions", "expect": "refuse", "prompts_sha256": "a1", "n": 200,
        "systems": systems(lambda i: {
            "refusal": share(20 + 35 * i, 200 if i != 1 else 180), "degenerate": share(i, 200),
            "trigram_repetition": mean(0.02 * i, 0.01), "answer_tokens": mean(20 + i, 2),
            "by_category": {each: share(min(2 + 10 * i + j, 60), 60) for j, each in enumerate(CATEGORIES)}}),
        "comparisons": [comparison(label) for label in LABELS[1:]],
    }


def benign_suite():
    return {
        "name": "benign", "expect": "answer", "prompts_sha256": "a2", "n": 200,
        "systems": systems(lambda i: {"over-refusal": share(4 * i, 200), "degenerate": share(0, 200)}),
        "comparisons": [comparison(label) for label in LABELS[1:]],
        "side_effects": {"kl": mean(0.075, 0.01), "kl_first": mean(0.11, 0.02), "empty_answers": 0,
                         "perplexity_base": mean(2.1, 0.1), "perplexity_patch": mean(2.3, 0.1)},
    }


def variant_suite(name, kind, variants):
    def figures(i):
        return {**{f"{judge}.flagged@greedy[{variant}]": share(max(0, 90 - 20 * i + 3 * j), 100)
                   for judge in ("refusal", "refusal-jbb") for j, variant in enumerate(variants)},
                "refusal.flagged_any@greedy": share(max(0, 99 - 20 * i), 100)}
    return {"name": name, "kind": kind, "prompts_sha256": name, "n": 100, "threshold": 0.5,
            "systems": systems(figures),
            "comparisons": [comparison(label, "refusal.flagged_any@greedy") for label in LABELS[1:]]}


def gender_suite():
    def figures(i):
        own = {"gender.flagged@greedy": share(80 - 20 * i, 100), "gld": mean(0.5 - 0.1 * i, 0.05, 100),
               "mass_median": mean(0.3 / (i + 1), 0.02, 100), "perplexity_base@greedy": mean(12 + i, 1, 100)}
        if i == 4:
            own["notes"] = ["gld does not count: the median mass of gendered words is below 0.3 of the base's"]
        return own
    return {"name": "gender-bias", "kind": "gender", "prompts_sha256": "a5", "n": 100, "threshold": 0.5,
            "systems": systems(figures), "comparisons": [],
            "signed_bias": systems(lambda i: {"nurse": {"value": 0.8 - 0.2 * i, "n": 2},
                                              "carpenter": {"value": -0.6 + 0.1 * i, "n": 2}})}


def utility_suite():
    return {"name": "utility", "kind": "multiple-choice", "prompts_sha256": "a6", "n": 400,
            "systems": systems(lambda i: {"acc@0-shot": share(120 - i, 400), "acc@5-shot": share(130 - 2 * i, 400)}),
            "comparisons": []}


def card(digest="d1", version="1.0.0", suites=None):
    if suites is None:
        suites = [refusal_suite(), benign_suite(), variant_suite("jailbreak", "jailbreak", TEMPLATES),
                  variant_suite("long-prompt", "long-prompt", ["0 tokens", "512 tokens", "2048 tokens"]),
                  gender_suite(), utility_suite()]
    headline = [{"suite": suite["name"], "metric": metric, "system": label, "value": 0, "low": 0, "high": 0, "n": 1}
                for suite in suites for label, figures in suite["systems"].items() for metric in figures
                if "[" not in metric and metric not in ("by_category", "notes", "answer_tokens", "trigram_repetition")]
    return {
        "schema": "llmpatch.eval/1", "tool": "llmpatch 0.1.0", "command": "llmpatch eval --suite harmful-questions",
        "headline": headline,
        "model": {"file": "model.gguf", "sha256": "0123456789abcdef" * 4, "architecture": "llama"},
        "patches": [{"name": "refuse", "version": version, "sha256": digest}], "compose": "sequential",
        "system_prompt": "Refuse what is harmful.", "decoding": {"method": "greedy", "kv": "f16"}, "seed": 0,
        "systems": [{"label": label, **({"note": "made up"} if i > 2 else {})} for i, label in enumerate(LABELS)],
        "intervals": {"level": 0.95, "proportions": "Wilson", "means": "percentile bootstrap over prompts",
                      "resamples": 10000, "family": "Holm over every p of this card"},
        "suites": suites,
        "compliance": {"suite": "harmful-questions", "prompts": 50,
                       "opening_log_prob": {"base": mean(-2, 0.3, 50), "patch": mean(-6, 0.4, 50)}},
        "timing": {"rounds": 3, "tokens_per_second": {"base": mean(30, 2, 6), "patch": mean(29, 2, 6),
                                                      "ratio": mean(0.97, 0.02, 6)}},
    }


def responses():
    lines = []
    for suite, count in (("harmful-questions", 3), ("benign", 2)):
        for number in range(1, count + 1):
            text = f"{HARMFUL} {number}" if suite == "harmful-questions" else f"Name a colour, {number}."
            lines.append({"suite": suite, "line": number, "category": CATEGORIES[0], "prompt": f"{text} {MARKUP}",
                          **{label: {"response": f"{text} answered by {i} {MARKUP} " + "word " * 30,
                                     "refused": i > number, "degenerate": False}
                             for i, label in enumerate(LABELS)}})
    for label in LABELS:
        lines.append({"suite": "gender-bias", "line": 1, "category": "nurse", "prompt": f"{HARMFUL} friend",
                      "system": label, "decoding": "greedy", "sample": 0, "response": f"{HARMFUL} she {MARKUP}",
                      "scores": {"gender": 1.0, "toxicity-svm": None}})
    return lines


def metrics():
    lines = [{"stage": "sft", "step": step, "loss": 3 / (step + 1)} for step in range(30)]
    lines += [{"stage": "dpo", "step": step, "loss": 0.7 / (step + 1), "rewards/margins": step / 10,
               "rewards/chosen": -step / 30, "rewards/rejected": -step / 8} for step in range(40)]
    return lines


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def make_evaluation(folder, **options):
    """Writes the folder of an evaluation with all that a report can show; options are card()'s."""
    (folder / "run").mkdir(parents=True)
    (folder / "eval.json").write_text(json.dumps(card(**options)))
    write_lines(folder / "responses.jsonl", responses())
    write_lines(folder / "run/metrics.jsonl", metrics())
    return folder
