# SPDX-License-Identifier: Apache-2.0
"""model.py DIR RECORDS.JSONL CONTEXT: losses of transformers beside ours.

A text begins with the end-of-text token; one longer than the context is left
out, since windows are cut in many ways."""
import json
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
tokenizer = Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
begin = tokenizer.token_to_id("<|endoftext|>")
n, worst = 0, 0.0
for line in open(sys.argv[2]):
    record = json.loads(line)
    ids = tokenizer.encode(record["text"], add_special_tokens=False).ids
    if len(ids) + 1 > int(sys.argv[3]) or not ids:
        continue
    x = torch.tensor([[begin] + ids])
    with torch.no_grad():
        logits = model(x).logits[0, :-1].double()
    want = torch.nn.functional.cross_entropy(logits, x[0, 1:], reduction="sum").item()
    got = record["facts"]["nll"]
    worst = max(worst, abs(got - want) / want)
    n += 1
print(n, "texts, worst relative difference", worst)
assert n >= 10 and worst < 1e-4
