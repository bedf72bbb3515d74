# SPDX-License-Identifier: Apache-2.0
"""train.py BATCH CONTEXT STEPS VOCAB [compile]: tokens a second of PyTorch, and a
second of its CPU time, on as many threads as OMP_NUM_THREADS says, for GPT-2's 12
layers of 768."""
import sys
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

B, T, steps, V = map(int, sys.argv[1:5])
torch.manual_seed(1)
model = GPT2LMHeadModel(
    GPT2Config(vocab_size=V, n_positions=T, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
)
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
run = torch.compile(model) if sys.argv[5:] == ["compile"] else model


def step():
    x = torch.randint(V, (B, T))
    run(input_ids=x, labels=x).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


step()
step()
began, cpu = time.time(), time.process_time()
for _ in range(steps):
    step()
print(round(B * T * steps / (time.time() - began), 1), round(B * T * steps / (time.process_time() - cpu), 1))
