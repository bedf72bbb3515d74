# SPDX-License-Identifier: Apache-2.0
"""adapters.py BASE ANSWERS.JSONL N NAME=DIR...: greedy answers of a mixed batch
beside PEFT's, which has all adapters loaded and switches between them."""
import json
import sys

import torch
from peft import PeftModel
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

base, answers, most, *adapters = sys.argv[1:]
model = None
for one in adapters:
    name, path = one.split("=", 1)
    if model is None:
        model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), path, adapter_name=name)
    else:
        model.load_adapter(path, adapter_name=name)
model.eval()
tokenizer = Tokenizer.from_file(base + "/tokenizer.json")
end = tokenizer.token_to_id("<|endoftext|>")
n = same = 0
said = {}


def greedy(ids):
    first = len(ids)
    for _ in range(int(most)):
        with torch.no_grad():
            best = model(torch.tensor([ids])).logits[0, -1].argmax().item()
        if best == end:
            break
        ids.append(best)
    return tokenizer.decode(ids[first:])


for line in open(answers):
    record = json.loads(line)
    ids = tokenizer.encode(record["prompt"], add_special_tokens=False).ids
    name = record.get("adapter")
    if name is None:
        with model.disable_adapter():
            want = greedy(ids)
    else:
        model.set_adapter(name)
        want = greedy(ids)
    n += 1
    same += want == record["completion"]
    said.setdefault(name, []).append(want)
print(same, "of", n, "answers are the same, of", len(said), "adapters or none")
# two tokens as likely as one another may be taken either way
assert n >= 30 and same >= n - 1
assert len({json.dumps(v) for v in said.values()}) == len(said)
