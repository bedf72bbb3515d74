# SPDX-License-Identifier: Apache-2.0
"""prune.py DIR PRUNED READ.JSONL PRUNE: which weights are 0 in PRUNED, beside
what PyTorch chooses by the inputs that transformers' model has while it reads
(READ "-": by magnitude); and that all others are as they were."""
import json
import sys

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

torch.set_num_threads(1)
directory, pruned, read, how = sys.argv[1:5]
model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
squares = {}


def watch(name):
    def hook(module, args, output):
        x = args[0].reshape(-1, args[0].shape[-1]).double()
        squares[name] = squares.get(name, 0) + (x * x).sum(0)
    return hook


linear = {name: m for name, m in model.named_modules()
          if isinstance(m, (torch.nn.Linear, Conv1D)) and name != "lm_head"}
for name, module in linear.items():
    module.register_forward_hook(watch(name))
if read != "-":
    tokenizer = Tokenizer.from_file(directory + "/tokenizer.json")
    begin = tokenizer.token_to_id("<|endoftext|>")
    ids = []
    for line in open(read):
        ids += [begin] + tokenizer.encode(json.loads(line)["text"],
                                          add_special_tokens=False).ids
    T = min(512, model.config.max_position_embeddings, len(ids))
    with torch.no_grad():
        for i in range(0, len(ids), T):
            model(torch.tensor([ids[i:i + T]]))

was, now = load_file(directory + "/model.safetensors"), load_file(pruned + "/model.safetensors")
assert was.keys() == now.keys()
seen, differ, numbers = set(), 0, 0
for name, module in linear.items():
    key = next(k for k in was if k.endswith(name + ".weight"))
    seen.add(key)
    w = was[key].T if isinstance(module, Conv1D) else was[key]
    out = now[key].T if isinstance(module, Conv1D) else now[key]
    score = w.abs()
    if read != "-":
        score = score * squares[name].sqrt().float()
    if ":" in how:
        keep, of = map(int, how.split(":"))
        groups = score.reshape(-1, of)
        gone = groups.argsort(dim=1, stable=True)[:, :of - keep]
    elif read != "-":
        groups = score
        gone = groups.argsort(dim=1, stable=True)[:, :int(float(how) * w.shape[1])]
    else:
        groups = was[key].abs().reshape(1, -1)
        gone = groups.argsort(dim=1, stable=True)[:, :int(float(how) * w.numel())]
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, gone, True)
    mask = mask.reshape(was[key].shape).T if groups.shape[0] == 1 and isinstance(
        module, Conv1D) else mask.reshape(w.shape)
    differ += (mask != (out == 0)).sum().item()
    numbers += w.numel()
    assert torch.equal(out[out != 0], w[out != 0]), name
for key in was:
    assert key in seen or torch.equal(was[key], now[key]), key
print(len(seen), "matrices,", differ, "of", numbers, "weights chosen otherwise")
# lengths are summed in another order: of two that are nearly equal either goes
assert seen and differ <= (numbers // 5000 if read != "-" else 0)
