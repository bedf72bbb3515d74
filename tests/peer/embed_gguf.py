# SPDX-License-Identifier: Apache-2.0
"""embed_gguf.py QUERN LINES: a small BERT with random weights and a vocabulary
learnt from a file, pooled by the mean and by the first row, becomes a GGUF file
and a directory again: all three must embed texts as transformers does, and,
where llama_cpp is there, the file with the same ids and nearly so."""
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import torch
import transformers as T
from tokenizers import BertWordPieceTokenizer

quern, lines = sys.argv[1:]
TEXTS = ["You may not modify the License.", "the quick Brown fox, résumé!", "copy and distribute 12 programs"]
POOLING = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False, "word_embedding_dimension": 64}
MODULES = [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
           for i, (path, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling")])]


def make(folder, first):
    os.makedirs(folder)
    words = BertWordPieceTokenizer(lowercase=True)
    words.train([lines], vocab_size=1500, min_frequency=1, show_progress=False)
    words.save_model(folder)
    tokenizer = T.BertTokenizerFast.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    model = T.BertModel(T.BertConfig(vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2,
        num_attention_heads=4, intermediate_size=128, max_position_embeddings=128)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    model.save_pretrained(folder)
    if first:
        os.makedirs(folder + "/1_Pooling")
        json.dump(MODULES, open(folder + "/modules.json", "w"))
        json.dump(POOLING, open(folder + "/1_Pooling/config.json", "w"))
    return model, tokenizer


def wanted(model, tokenizer, first):
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        rows = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    return (rows[:, 0] if first else (rows * mask).sum(1) / mask.sum(1)).numpy()


def embedded(path):
    said = subprocess.run([quern, "infer", "-q", path], text=True, check=True, stdout=subprocess.PIPE,
                          input="".join(json.dumps({"text": t}) + "\n" for t in TEXTS)).stdout
    return np.array([json.loads(line)["embedding"] for line in said.splitlines()])


def far(have, want):
    return 1 - min((have * want).sum(1) / np.linalg.norm(have, axis=1) / np.linalg.norm(want, axis=1))


def llama_cpp(path, tokenizer):
    try:
        from llama_cpp import Llama
    except ImportError:
        return None
    model = Llama(path, embedding=True, verbose=False, n_ctx=128)
    for text in TEXTS:
        if model.tokenize(text.encode()) != tokenizer(text)["input_ids"]:
            sys.exit(f"{path}: llama.cpp reads other ids in '{text}'")
    return np.array([model.embed(text, normalize=False) for text in TEXTS])


bad = False
for name, first in ("mean", False), ("first", True):
    at = f"./embed-{name}"
    shutil.rmtree(at, ignore_errors=True)
    model, tokenizer = make(at, first)
    for pair in (at, at + ".gguf"), (at + ".gguf", at + ".back"):
        subprocess.run([quern, "models", "convert", *pair], check=True, stdout=subprocess.DEVNULL)
    want = wanted(model, tokenizer, first)
    off = [far(embedded(path), want) for path in (at, at + ".gguf", at + ".back")]
    other = llama_cpp(at + ".gguf", tokenizer)
    off += [] if other is None else [far(other, want)]
    print(name, "1 - cosine:", *("%.1e" % x for x in off))
    bad = bad or max(off) > 1e-6
sys.exit(int(bad))
