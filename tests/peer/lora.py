# SPDX-License-Identifier: Apache-2.0
"""lora.py make BASE OUT KIND: an adapter with numbers in all its parts, by PEFT.
lora.py loss BASE ADAPTER FACTS.JSONL CONTEXT: PEFT's losses beside ours.
lora.py window RECORDS.JSONL TOKENIZER CONTEXT: a record that is one window.
lora.py steps BASE FIRST LAST RECORD TOKENIZER CONTEXT OPTIMIZER LR [nf4]: from
adapter FIRST five steps on that window, compared with LAST; nf4: with the base's
layers as bitsandbytes quantises them (doubly) and back."""
import json
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

KINDS = {
    "lora": dict(r=4, lora_alpha=8),
    "rslora": dict(r=4, lora_alpha=8, use_rslora=True, target_modules="all-linear"),
    "dora": dict(r=3, lora_alpha=6, use_dora=True, target_modules="all-linear"),
    "regex": dict(r=2, target_modules=r".*\.1\..*(c_attn|c_fc|[qk]_proj)", bias="all"),
    "saved": dict(r=2, modules_to_save=["ln_f", "norm", "embed_tokens"], bias="lora_only"),
    "patterns": dict(r=8, lora_alpha=8, target_modules="all-linear", layers_to_transform=None,
                     rank_pattern={"q_proj": 2, r"h\.0\.attn\.c_attn": 3},
                     alpha_pattern={"down_proj": 32, r"mlp\.c_proj": 1}),
}


def make(base, out, kind):
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_pretrained(base)
    options = dict(KINDS[kind])
    names = [n for n, _ in model.named_modules()]
    if "modules_to_save" in options:
        options["modules_to_save"] = [m for m in options["modules_to_save"]
                                      if any(n.endswith("." + m) for n in names)
                                      and not (m == "embed_tokens" and model.config.tie_word_embeddings)]
    gpt2 = model.config.model_type == "gpt2"
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", fan_in_fan_out=gpt2, **options))
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.05 * torch.randn_like(p)
    model.save_pretrained(out)


def loss(base, adapter, facts, context):
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).eval()
    tokenizer = Tokenizer.from_file(base + "/tokenizer.json")
    begin = tokenizer.token_to_id("<|endoftext|>")
    n, worst = 0, 0.0
    for line in open(facts):
        record = json.loads(line)
        ids = tokenizer.encode(record["text"], add_special_tokens=False).ids
        if len(ids) + 1 > int(context) or not ids:
            continue
        x = torch.tensor([[begin] + ids])
        with torch.no_grad():
            logits = model(x).logits[0, :-1].double()
        want = torch.nn.functional.cross_entropy(logits, x[0, 1:], reduction="sum").item()
        worst = max(worst, abs(record["facts"]["nll"] - want) / want)
        n += 1
    print(n, "texts, worst relative difference", worst)
    assert n >= 10 and worst < 1e-4


def window(records, tokenizer, context):
    tokenizer = Tokenizer.from_file(tokenizer)
    for line in open(records):
        n = len(tokenizer.encode(json.loads(line)["text"], add_special_tokens=False).ids)
        if int(context) < n < 2 * int(context):
            print(line, end="")
            return
    raise SystemExit("no record of one window")


def quantise(model):
    import bitsandbytes.functional as F
    for name, module in model.named_modules():
        if not hasattr(module, "weight") or module.weight.dim() != 2 or "lora" in name:
            continue
        if "lm_head" in name or any(n in name for n in ("wte", "wpe", "embed_tokens")):
            continue
        turned = type(module).__name__ == "Conv1D"
        w = module.weight.data.T.contiguous() if turned else module.weight.data
        # flat: its CPU kernel (0.50) takes rows that are no whole blocks apart wrongly
        w = F.dequantize_4bit(*F.quantize_4bit(w.reshape(-1), blocksize=64, quant_type="nf4",
                                               compress_statistics=True)).reshape(w.shape)
        module.weight.data = w.T.contiguous() if turned else w


def steps(base, first, last, record, tokenizer, context, optimizer, lr, form=None):
    text = json.loads(open(record).readline())["text"]
    ids = Tokenizer.from_file(tokenizer).encode(text, add_special_tokens=False).ids[:int(context) + 1]
    model = AutoModelForCausalLM.from_pretrained(base)
    if form == "nf4":
        quantise(model)
    model = PeftModel.from_pretrained(model, first, is_trainable=True)
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.dim() == 2]
    vectors = [p for p in trained if p.dim() != 2]
    lr = float(lr)
    if optimizer == "sgd":
        run = [torch.optim.SGD([dict(params=matrices, weight_decay=0.1), dict(params=vectors)], lr, momentum=0.95)]
    elif optimizer == "adam":
        run = [torch.optim.Adam([dict(params=matrices, weight_decay=0.1), dict(params=vectors)], lr, (0.9, 0.95))]
    elif optimizer == "muon":
        run = [torch.optim.Muon(matrices, lr, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")]
        if vectors:
            run.append(torch.optim.AdamW(vectors, lr, (0.9, 0.95), weight_decay=0))
    else:
        run = [torch.optim.AdamW([dict(params=matrices, weight_decay=0.1), dict(params=vectors, weight_decay=0)],
                                 lr, (0.9, 0.95))]
    x = torch.tensor([ids])
    for _ in range(5):
        model(x, labels=x).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for o in run:
            o.step()
            o.zero_grad()
    was = load_file(first + "/adapter_model.safetensors")
    want = load_file(last + "/adapter_model.safetensors")
    model.save_pretrained(last + ".peft")
    got = load_file(last + ".peft/adapter_model.safetensors")
    assert set(got) == set(want), set(got) ^ set(want)
    worst = max((got[k] - want[k]).norm() / (got[k] - was[k]).norm() for k in got)
    print(len(got), "tensors, worst difference beside the way they went", worst.item())
    # Muon's products are in bfloat16 there
    assert worst < (0.1 if optimizer == "muon" else 2e-3)


{"make": make, "loss": loss, "window": window, "steps": steps}[sys.argv[1]](*sys.argv[2:])
