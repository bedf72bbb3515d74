# SPDX-License-Identifier: Apache-2.0
"""pair.py QUERN TEXTS.JSONL [TOKENIZER.JSON]: vocab.json and merges.txt, whose
ids and texts are to be those of transformers' classes.  CLIP's vocabulary is
learnt here, or taken from a file of its own."""
import json
import os
import subprocess
import sys
import tempfile

import transformers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

quern, texts = sys.argv[1:3]
lines = [json.loads(line)["text"] for line in open(texts)]
lines += ["Don't  STOP\tHere's 1234 caf\u00e9 cafe\u0301!", "", "  ", "\u0130\u00df", "a</w>b",
          "<|startoftext|> a <|endoftext|>", "\u4e2d\u6587 \U0001f600 x" * 3, "we'LL I'd"]


def learnt(suffix):
    """vocabulary and merges of a byte-level BPE"""
    t = Tokenizer(models.BPE(**({"end_of_word_suffix": suffix} if suffix else {})))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if suffix:
        t.normalizer = normalizers.Lowercase()
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False)])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    t.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=2500, initial_alphabet=alphabet, show_progress=False,
        **({"end_of_word_suffix": suffix} if suffix else {}),
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>",
                        "<|startoftext|>", "<|endoftext|>"]))
    model = json.loads(t.to_str())["model"]
    vocab = model["vocab"]
    for c in alphabet if suffix else []:    # CLIP's has each byte as a last one, too
        vocab.setdefault(c + suffix, len(vocab))
    return vocab, [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]


def run(words, records):
    out = subprocess.run([quern + "/quern", "tokenize", "-q", "-j", "1", *words],
                         input="".join(json.dumps(r) + "\n" for r in records),
                         capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.split("\n")[:-1]]


def theirs(t, text, special):
    """the class's ids; one that wants boxes about words is asked within"""
    if not hasattr(t, "cls_token_box"):
        return t.encode(text, add_special_tokens=special, split_special_tokens=True)
    t.backend_tokenizer.encode_special_tokens = True
    return t.backend_tokenizer.encode(text, add_special_tokens=special).ids


def compare(name, config, vocab, merges):
    at = tempfile.mkdtemp() + "/"
    json.dump(vocab, open(at + "vocab.json", "w"))
    open(at + "merges.txt", "w").write("#version: 0.2\n" + "\n".join(merges) + "\n")
    config = dict(config, tokenizer_class=name + "Tokenizer")
    json.dump(config, open(at + "tokenizer_config.json", "w"))
    words = {k: v for k, v in config.items() if k == "add_prefix_space"}
    t = getattr(transformers, name + "Tokenizer")(vocab=dict(vocab), merges=[
        tuple(m.split(" ")) for m in merges], **words)
    records = [{"text": x} for x in lines]
    ours = run(["with=" + at], records)
    for x, r in zip(lines, ours):
        assert r["ids"] == theirs(t, x, False), (name, x, r["ids"])
    # whose bytes are no UTF-8, or that a class tidies up, are not compared
    back = run(["decode", "with=" + at], [{"ids": r["ids"]} for r in ours])
    for r, b in zip(ours, back):
        want = t.decode(r["ids"], clean_up_tokenization_spaces=False)
        assert b["text"] == want, (name, b["text"], want)
    if name not in ("GPT2", "CodeGen", "Whisper", "Qwen2"):
        ours = run(["around=yes", "with=" + at], records)
        for x, r in zip(lines, ours):
            assert r["ids"] == theirs(t, x, True), (name, x, r["ids"])
    print(name, config, len(lines), "texts")


plain, words = learnt(""), learnt("</w>")
compare("CLIP", {}, *words)
for name in "GPT2", "Roberta", "Bart", "Longformer", "LED", "Mvp", "LayoutLMv3", "CodeGen", "Whisper", "Qwen2":
    compare(name, {}, *plain)
compare("Roberta", {"add_prefix_space": True}, *plain)
for path in sys.argv[3:]:
    model = json.load(open(path))["model"]
    compare("CLIP", {}, model["vocab"], model["merges"])
