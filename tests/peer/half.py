# SPDX-License-Identifier: Apache-2.0
"""half.py [NAME...]: what 16 bits cost PyTorch's autocast, for the models of
golden_models.py: 1 - the cosine of the gradient with that in 64 bits, the most
of a tensor, and the loss's error. tests/family_test.c prints the same of ours."""
import sys

import torch
from golden_models import CASES, B, T, fill, np, stream
from transformers import AutoConfig, AutoModelForCausalLM

torch.set_num_threads(1)


def gradient(config, dtype, cast):
    args = dict(config)
    c = AutoConfig.for_model(args.pop("model_type"), **args)
    model = AutoModelForCausalLM.from_config(c, attn_implementation="eager", dtype=dtype).eval()
    fill(model)
    V = c.vocab_size
    ids = torch.from_numpy(((stream("ids", B * T) + 1) / 2 * V).astype(np.int64)).reshape(B, T)
    with torch.autocast("cpu", cast or torch.bfloat16, enabled=cast is not None):
        logits = model(ids, use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, V).to(dtype), ids[:, 1:].reshape(-1))
    (loss * 256).backward()
    return loss.item(), {n: p.grad.double().flatten() / 256 for n, p in model.named_parameters()}


def off(a, b):
    return 0 if a.norm() < 1e-4 else 1 - (a @ b / a.norm() / b.norm()).item()


for name, config in CASES.items():
    if any(k in config for k in ("num_experts", "num_local_experts")) or name not in (sys.argv[1:] or CASES):
        continue
    loss, true = gradient(config, torch.float64, None)
    for cast in torch.bfloat16, torch.float16:
        got, grad = gradient(config, torch.float32, cast)
        whole = off(torch.cat(list(true.values())), torch.cat(list(grad.values())))
        most = max(off(true[n], grad[n]) for n in true)
        print(f"{name} {str(cast)[6:]}: the gradient's {whole:.1e}, a tensor's {most:.1e}, loss {got / loss - 1:.1e}", flush=True)
