"""The JSON files of a patch, right and wrong."""

import json

from .index import CARD, CONFIG, D, GOOD, MANIFEST, N, WORDS, add


def edited(file, **changes):
    """The JSON of a file of the patch; members that are `...` are left out."""
    value = {**json.loads(GOOD[file]), **changes}
    return json.dumps({key: each for key, each in value.items() if each is not ...}, indent=1)


def put(text, key, literal):
    """`text` with another literal as the value of a member that is a number."""
    before, after = text.split(f'"{key}": ', 1)
    return before + f'"{key}": {literal}' + after[len(after) - len(after.lstrip("0123456789")):]


def json_vector(row, place, name, expect, text, says):
    content = text if isinstance(text, bytes) else text.encode()
    add("json", place, name, row, expect, content, says)


def form():
    row = "one JSON text in UTF-8"
    manifest, config = GOOD[MANIFEST], GOOD[CONFIG]

    def vector(place, name, content):
        json_vector(row, place, name, "corrupt", content, place)

    vector(MANIFEST, "manifest-of-nothing", b"")
    vector(MANIFEST, "manifest-cut-short", manifest[:-3])
    vector(MANIFEST, "manifest-and-more", manifest + b"{}")
    vector(MANIFEST, "manifest-and-a-zero-byte", manifest + b"\0")
    vector(MANIFEST, "manifest-is-a-list", b"[" + manifest + b"]")
    vector(MANIFEST, "manifest-is-null", b"null")
    vector(MANIFEST, "manifest-with-a-comment", b"// a comment\n" + manifest)
    vector(MANIFEST, "manifest-with-a-comma-too-many", manifest.rstrip()[:-1] + b",}")
    vector(MANIFEST, "manifest-in-utf-16", manifest.decode().encode("utf-16"))
    vector(MANIFEST, "manifest-that-is-no-utf-8", manifest.replace(b"Declines", b"Decline\xff"))
    vector(MANIFEST, "manifest-with-a-long-form", manifest.replace(b"Declines", b"Decline\xc0\xb3"))
    vector(MANIFEST, "manifest-with-half-a-pair", manifest.replace(b"Declines", b"Decline\\ud800"))
    vector(MANIFEST, "manifest-with-a-raw-newline", manifest.replace(b"Declines", b"Decl\nines"))
    vector(CONFIG, "configuration-of-nothing", b"")
    vector(CONFIG, "configuration-is-text", b'"PROMPT_TUNING"')
    vector(CONFIG, "configuration-that-is-no-utf-8", config.replace(b"tiny", b"tin\xff"))
    vector(CONFIG, "configuration-and-a-zero-byte", config + b"\0")
    vector(CARD, "card-of-nothing", b"")
    vector(CARD, "card-is-a-list", b"[{}]")
    vector(CARD, "card-cut-short", b'{"suites": [')
    vector(CARD, "card-with-nan", b'{"headline": [{"value": NaN}]}')
    vector(CARD, "card-with-infinity", b'{"value": -Infinity}')
    vector(CARD, "card-with-a-number-beyond-all", b'{"value": 1e999}')


def twice():
    row = "no key of an object twice"

    def vector(place, name, text):
        json_vector(row, place, name, "corrupt", text, "duplicate key")

    manifest, config = GOOD[MANIFEST].decode(), GOOD[CONFIG].decode()
    vector(MANIFEST, "schema-twice", manifest.replace('"schema": 1', '"schema": 2, "schema": 1'))
    vector(MANIFEST, "schema-twice-one-escaped",
           manifest.replace('"schema": 1', '"schema": 1, "\\u0073chema": 2'))
    vector(MANIFEST, "sequence-twice", manifest.replace('"sequence": 7', '"sequence": 7, "sequence": 8'))
    vector(MANIFEST, "file-listed-twice", manifest.replace(
        '"README.md": "', '"README.md": "' + "0" * 64 + '", "README.md": "'))
    vector(MANIFEST, "base-file-twice", manifest.replace(
        '"file": "', '"file": "' + "0" * 64 + '", "file": "'))
    vector(MANIFEST, "setting-twice", manifest.replace('"seed": 1', '"seed": 1, "seed": 2'))
    vector(CONFIG, "kind-of-adapter-twice", config.replace(
        '"peft_type": ', '"peft_type": "LORA", "peft_type": '))
    vector(CONFIG, "width-twice", config.replace('"token_dim": 4', '"token_dim": 1, "token_dim": 4'))
    vector(CARD, "suites-twice", '{"suites": [], "suites": [{}]}')


def depth():
    row = "nested at most 64 deep"

    def nested(depth):
        """A manifest with so many levels, `learned` being the second."""
        value = {}
        for _ in range(depth - 2):
            value = {"a": value}
        return edited(MANIFEST, learned=value)

    def vector(place, name, text):
        json_vector(row, place, name, "corrupt", text, "nested")

    vector(MANIFEST, "manifest-nested-66-deep", nested(66))
    vector(MANIFEST, "manifest-nested-900-deep", nested(900))
    vector(MANIFEST, "manifest-of-20000-brackets", "[" * 20000)
    vector(CONFIG, "configuration-of-objects-alone", '{"a":' * 5000)
    vector(CARD, "card-of-20000-brackets", "[" * 20000 + "]" * 20000)
    json_vector("", MANIFEST, "good-manifest-nested-64-deep", "valid", nested(64), "")


def numbers():
    row = "whole numbers that fit"
    manifest, config = GOOD[MANIFEST].decode(), GOOD[CONFIG].decode()

    def sequence(name, literal):
        json_vector(row, MANIFEST, name, "corrupt", put(manifest, "sequence", literal), "sequence")

    sequence("sequence-of-2-to-the-63", 2**63)
    sequence("sequence-of-2-to-the-64", 2**64)
    sequence("sequence-beyond-64-bits", 2**64 + 7)
    sequence("sequence-of-100-digits", "9" * 100)
    sequence("sequence-with-a-fraction", "7.0")
    sequence("sequence-with-an-exponent", "7e0")
    sequence("sequence-below-1", "0")
    sequence("sequence-below-nothing", "-7")
    sequence("sequence-as-text", '"7"')
    sequence("sequence-as-a-truth", "true")
    json_vector(row, MANIFEST, "schema-with-a-fraction", "corrupt",
                put(manifest, "schema", "1.0"), "schema")
    for key in ("num_virtual_tokens", "token_dim"):
        name = {"num_virtual_tokens": "rows", "token_dim": "width"}[key]
        right = {"num_virtual_tokens": N, "token_dim": D}[key]
        for kind, literal in [("beyond-64-bits", WORDS + right), ("with-a-fraction", f"{right}.0"),
                              ("as-text", f'"{right}"')]:
            json_vector(row, CONFIG, f"configuration-{name}-{kind}", "corrupt",
                        put(config, key, literal), key)
        for kind, literal in [("one-more", right + 1), ("below-nothing", -right), ("of-none", 0),
                              ("of-2-to-the-32-more", 2**32 + right)]:
            json_vector(row, CONFIG, f"configuration-{name}-{kind}", "mismatch",
                        put(config, key, literal), key)


def manifest():
    row = "the members of a manifest, each in its form"
    files = json.loads(GOOD[MANIFEST])["files"]

    def vector(called, says, expect="corrupt", **changes):
        json_vector(row, MANIFEST, called, expect, edited(MANIFEST, **changes), says)

    vector("schema-of-the-future", "schema", "unsupported", schema=2)
    vector("member-that-nobody-knows", "hooks", hooks={"on_load": "run.sh"})
    vector("without-a-sequence", "sequence", sequence=...)
    vector("without-files", "files", files=...)
    vector("name-that-is-a-path", "name", name="../../etc")
    vector("name-of-a-terminal", "name", name="\x1b[31mred")
    vector("version-that-is-none", "version", version="1.2")
    vector("expiry-that-is-no-date", "expires", expires="2031-02-29T00:00:00Z")
    vector("summary-of-two-lines", "summary", summary="harmless\nllmpatch: verified")
    vector("file-that-is-a-path", "etc", files={**files, "../../etc/passwd": "0" * 64})
    vector("file-that-no-patch-has", "run.sh", files={**files, "run.sh": "0" * 64})
    vector("manifest-that-lists-itself", "manifest.json", files={**files, MANIFEST: "0" * 64})
    vector("digest-in-capitals", "README.md", files={**files, "README.md": files["README.md"].upper()})
    vector("digest-cut-short", "README.md", files={**files, "README.md": files["README.md"][:-1]})
    vector("digest-as-a-path", "README.md", files={**files, "README.md": "../" * 21 + "a"})
    vector("file-that-is-not-there", "eval.json", files={**files, "eval.json": "0" * 64})
    vector("files-are-a-list", "files", files=list(files))
    vector("conflict-twice", "conflicts", compose={"conflicts": ["a", "a"], "tested": []})
    vector("requirement-of-no-form", "requires", requires=["other@>=1"])
    base = json.loads(GOOD[MANIFEST])["base"]
    vector("base-without-a-sample", "sample", base={k: v for k, v in base.items() if k != "sample"})
    vector("sample-of-half-a-byte", "bytes", base={
        **base, "sample": {"rule": 1, "stretches": [{"type": "q4_1", "bytes": "616"}]}})
    vector("sample-by-another-rule", "rule", "unsupported", base={
        **base, "sample": {**base["sample"], "rule": 2}})


def configuration():
    row = "PEFT's keys, and none that runs code or loads a model"
    wrong = {
        "another-kind-of-adapter": ("unsupported", {"peft_type": "LORA"}),
        "another-task": ("unsupported", {"task_type": "SEQ_CLS"}),
        "two-submodules": ("mismatch", {"num_transformer_submodules": 2}),
        "key-that-peft-has-not": ("corrupt", {"trust_remote_code": True}),
        "key-for-code": ("corrupt", {"auto_map": {"AutoModel": "modeling_custom.Model"}}),
        "without-a-kind-of-adapter": ("corrupt", {"peft_type": ...}),
        "library-to-import": ("corrupt", {"auto_mapping": {
            "base_model_class": "Model", "parent_library": "os.path"}}),
        "tokenizer-that-runs-code": ("corrupt", {"tokenizer_kwargs": {"trust_remote_code": True}}),
        "tokenizer-of-another-model": ("corrupt", {
            "tokenizer_name_or_path": "somebody/else", "prompt_tuning_init": "TEXT",
            "prompt_tuning_init_text": "Be kind."}),
        "tokenizer-without-a-text": ("corrupt", {"tokenizer_name_or_path": "example/tiny-model"}),
        "text-without-a-tokenizer": ("corrupt", {
            "tokenizer_name_or_path": None, "prompt_tuning_init": "TEXT",
            "prompt_tuning_init_text": "Be kind."}),
        "start-that-peft-has-not": ("corrupt", {"prompt_tuning_init": "ZERO"}),
        "revision-of-the-base": ("corrupt", {"revision": "refs/pr/1"}),
        "modules-beside-the-rows": ("corrupt", {"modules_to_save": ["lm_head"]}),
        "that-goes-on-training": ("corrupt", {"inference_mode": False}),
    }
    for name, (expect, changes) in wrong.items():
        json_vector(row, CONFIG, f"configuration-{name}" if name.startswith("that") else name, expect,
                    edited(CONFIG, **changes), next(iter(changes)))


def valid():
    def vector(place, name, text):
        json_vector("", place, name, "valid", text, "")

    vector(MANIFEST, "good-manifest", GOOD[MANIFEST])
    vector(MANIFEST, "good-manifest-on-one-line", json.dumps(json.loads(GOOD[MANIFEST])))
    vector(MANIFEST, "good-manifest-of-the-largest-sequence", edited(MANIFEST, sequence=2**63 - 1))
    vector(CONFIG, "good-configuration", GOOD[CONFIG])
    vector(CONFIG, "good-configuration-of-a-text", edited(
        CONFIG, prompt_tuning_init="TEXT", prompt_tuning_init_text="Be kind.",
        tokenizer_name_or_path="example/tiny-model"))
    vector(CONFIG, "good-configuration-with-its-version", edited(
        CONFIG, peft_version="0.17.1", modules_to_save=None))
    vector(CARD, "good-card", '{"headline": [], "value": 1e-300, "\\u00e9\\ud83d\\ude00": null}')


def make():
    form()
    twice()
    depth()
    numbers()
    manifest()
    configuration()
    valid()
