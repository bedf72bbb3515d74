# SPDX-License-Identifier: Apache-2.0
"""chat.py [N]: random chats through `quern tokenize`, beside transformers: the ids
of the whole text with special tokens found in it, and for templates with
{% generation %} its mask of the assistant's tokens.

Messages have no special token's spelling in them, for there we differ on
purpose.  Vocabularies and templates are those of $QUERN_TEST_DATA."""
import glob
import json
import os
import random
import subprocess
import sys
import tempfile

from transformers import PreTrainedTokenizerFast

sys.path.insert(0, os.path.dirname(__file__))
import jinja                    # the clock, and how templates are compiled

WORDS = ["hello", "Hällo wörld", "日本語 です", "it's", 'say "x"', "a\nb", " pad ", "\n\nx", "", "😀 ok", "null",
         "x\\n", "\u2028", "a & b < c", "[INST]", "<b>", "1234567", "don't", "\ttab", "e\u0301te\u0301", "\n"]
NAMED = ["chatml", "llama3", "mistral", "gemma", "phi", "zephyr", "alpaca"]


def chat(r):
    out = [{"role": "system", "content": words(r)}] if r.random() < .4 else []
    for _ in range(r.randint(1, 3)):
        out += [{"role": "user", "content": words(r)}, {"role": "assistant", "content": words(r)}]
    return out[:None if r.random() < .7 else -1]


def words(r):
    return " ".join(r.choice(WORDS) for _ in range(r.randint(0, 5)))


def ours(vocabulary, template, chats, mask):
    lines = "".join(json.dumps({"id": str(i), "messages": c}, ensure_ascii=False) + "\n" for i, c in enumerate(chats))
    got = subprocess.run(["quern", "tokenize", "-q", "with=" + vocabulary, "text=messages", "template=" + template, "date=2026-11-25",
                          "mask=yes" if mask else "mask=no"], input=lines.encode(), capture_output=True, check=True)
    return {int(o["id"]): o for o in map(json.loads, got.stdout.decode().split("\n")[:-1])}


def main(n=200):
    data = os.environ.get("QUERN_TEST_DATA", "")
    vocabularies = [v for v in (data + "/tokenizers/hf/%s.json" % k for k in ("qwen2.5", "llama-3.2", "gpt2"))
                    if os.path.exists(v)]
    if not vocabularies:
        print("SKIP: no vocabularies, set QUERN_TEST_DATA")
        return
    r = random.Random(7)
    same = both = masks = 0
    with tempfile.TemporaryDirectory() as tmp:
        templates = [(f, open(f, newline="").read()) for f in sorted(glob.glob(data + "/**/*.jinja", recursive=True))]
        for name in NAMED:
            text = subprocess.run([os.environ["QUERN_BIN"] + "/tests/chat_test", name], capture_output=True, check=True)
            path = tmp + "/" + name + ".jinja"
            open(path, "wb").write(text.stdout)
            templates.append((path, text.stdout.decode()))
        for vocabulary in vocabularies:
            # what the vocabulary alone says, without a configuration
            tokens = {"eos_token": "<|endoftext|>"} if "llama" not in vocabulary else {
                "bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}
            known = PreTrainedTokenizerFast(tokenizer_file=vocabulary, **tokens)
            for path, text in templates:
                chats = [chat(r) for _ in range(int(n))]
                mask = "{% generation %}" in text and ("qwen" in vocabulary) == ("chatml" in path) and (
                    "llama-3" in vocabulary) == ("llama3" in path) and "gpt2" not in vocabulary
                got = ours(vocabulary, path, chats, mask)
                for i, c in enumerate(chats):
                    want = jinja.theirs({"template": text, "vars": {
                        "messages": c, "tools": None, "documents": None, "add_generation_prompt": False,
                        **tokens}})
                    if isinstance(want, Exception) or i not in got:
                        assert isinstance(want, Exception) and i not in got, (path, c, want, got.get(i))
                        both += 1
                        continue
                    ids = known(want, add_special_tokens=False)["input_ids"]
                    assert got[i]["ids"] == ids, (vocabulary, path, c, want, got[i]["ids"], ids)
                    same += 1
                    if not mask:
                        continue
                    t = known.apply_chat_template(c, chat_template=text, tokenize=True, return_dict=True,
                                                  return_assistant_tokens_mask=True)
                    assert got[i]["mask"] == list(t["assistant_masks"]), (c, got[i]["mask"], t["assistant_masks"])
                    masks += 1
    print(same, "chats the same,", both, "refused by both,", masks, "masks the same")
    assert same > 1000 and masks > 50


main(*sys.argv[1:])
