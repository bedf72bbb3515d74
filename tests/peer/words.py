# SPDX-License-Identifier: Apache-2.0
"""words.py DIR ANSWERS.JSONL N: greedy answers of transformers beside ours."""
import json
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
tokenizer = Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
end = tokenizer.token_to_id("<|endoftext|>")
n = same = 0
for line in open(sys.argv[2]):
    record = json.loads(line)
    ids = tokenizer.encode(record["prompt"], add_special_tokens=False).ids
    first = len(ids)
    for _ in range(int(sys.argv[3])):
        with torch.no_grad():
            best = model(torch.tensor([ids])).logits[0, -1].argmax().item()
        if best == end:
            break
        ids.append(best)
    n += 1
    same += tokenizer.decode(ids[first:]) == record["completion"]
print(same, "of", n, "answers are the same")
# two tokens as likely as one another may be taken either way
assert n >= 10 and same >= n - 1
