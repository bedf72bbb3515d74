# SPDX-License-Identifier: Apache-2.0
"""learn.py TOKENIZER.JSON TEXTS.JSONL: does the library learn the same?"""
import json
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

ours = json.load(open(sys.argv[1]))
texts = [json.loads(line)["text"] for line in open(sys.argv[2])]
theirs = Tokenizer(models.BPE())
theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
theirs.decoder = decoders.ByteLevel()
theirs.train_from_iterator(
    texts,
    trainers.BpeTrainer(
        vocab_size=len(ours["model"]["vocab"]),
        min_frequency=2,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    ),
)
other = json.loads(theirs.to_str())["model"]


def pairs(merges):
    return [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in merges]


a, b = pairs(ours["model"]["merges"]), pairs(other["merges"])
assert ours["model"]["vocab"] == other["vocab"], "vocabularies differ"
assert a == b, next(x for x in zip(a, b) if x[0] != x[1])
print(len(a), "merges")
