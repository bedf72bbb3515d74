# SPDX-License-Identifier: Apache-2.0
"""gpu.py WHAT BATCH CONTEXT STEPS: what bench/gpu.c measures, in PyTorch on the
first GPU: GPT-2 in bf16 with 32-bit weights (autocast), compiled, fused AdamW;
"lora": PEFT's, rank 16 on every linear layer, the base frozen."""
import sys
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

sizes = {"124M": (768, 12, 12), "1558M": (1600, 48, 25), "lora": (1600, 48, 25), "tiny": (16, 2, 2)}
what, (B, T, steps) = sys.argv[1], map(int, sys.argv[2:5])
C, L, H = sizes[what]
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(1)
model = GPT2LMHeadModel(
    GPT2Config(vocab_size=50257, n_positions=T, n_embd=C, n_layer=L, n_head=H,
               resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
).to(device)
n = sum(p.numel() for p in model.parameters())
if what == "lora":
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
learnt = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(learnt, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=device == "cuda")
run = torch.compile(model)


def step():
    x = torch.randint(50257, (B, T), device=device)
    with torch.autocast(device, torch.bfloat16):
        loss = run(input_ids=x, labels=x).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(learnt, 1.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return loss.item()


for _ in range(5):
    step()
began = time.time()
for _ in range(steps):
    step()
rate = B * T * steps / (time.time() - began)
each = (4 if what == "lora" else 6) * n + 6 * L * C * T
name = torch.cuda.get_device_name(0) if device == "cuda" else "CPU"
print(f"{what} by PyTorch {torch.__version__}, compiled, on {name}: {n} parameters, {B} x {T}, {steps} steps: "
      f"{rate:.0f} tokens/s, {rate * each / 1e12:.1f} TFLOP/s, {100 * rate * each / 989e12:.1f} % of 989")
