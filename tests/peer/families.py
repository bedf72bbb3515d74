# SPDX-License-Identifier: Apache-2.0
"""families.py make DIR TOKENIZER.JSON: a small model with random weights of
each family that GGUF is written for, by transformers.
families.py check DIR: beside each model its .gguf and what came back of it
(.back), which must have the same tensors and give the same logits; and where
llama_cpp is there, what it makes of the .gguf."""
import os
import sys

import numpy as np
import torch
import transformers as T

V, C = 2000, 64
common = dict(vocab_size=V, hidden_size=C, intermediate_size=128, num_hidden_layers=2,
              num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
              bos_token_id=0, eos_token_id=0, pad_token_id=0)
wide = dict(common, head_dim=32)


def rope(**more):
    return dict({"rope_theta": 10000.0}, **more)


FAMILIES = {
    "gpt2": lambda: T.GPT2LMHeadModel(T.GPT2Config(vocab_size=V, n_embd=C, n_layer=2, n_head=4,
        n_positions=1024, bos_token_id=0, eos_token_id=0)),
    "llama": lambda: T.LlamaForCausalLM(T.LlamaConfig(**common, tie_word_embeddings=False)),
    "llama3": lambda: T.LlamaForCausalLM(T.LlamaConfig(**dict(common, max_position_embeddings=16384),
        rope_parameters=rope(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
        high_freq_factor=4.0, original_max_position_embeddings=8192))),
    "linear": lambda: T.LlamaForCausalLM(T.LlamaConfig(**common,
        rope_parameters=rope(rope_type="linear", factor=2.0))),
    "mistral": lambda: T.MistralForCausalLM(T.MistralConfig(**common, sliding_window=4096)),
    "qwen2": lambda: T.Qwen2ForCausalLM(T.Qwen2Config(**common)),
    "qwen3": lambda: T.Qwen3ForCausalLM(T.Qwen3Config(**wide)),
    "gemma": lambda: T.GemmaForCausalLM(T.GemmaConfig(**wide)),
    "gemma2": lambda: T.Gemma2ForCausalLM(T.Gemma2Config(**wide, sliding_window=64,
        query_pre_attn_scalar=32)),
    "gemma3": lambda: T.Gemma3ForCausalLM(T.Gemma3TextConfig(**wide, sliding_window=64,
        query_pre_attn_scalar=32)),
    "phi3": lambda: T.Phi3ForCausalLM(T.Phi3Config(**common)),
    "phi3-part": lambda: T.Phi3ForCausalLM(T.Phi3Config(**dict(common, hidden_size=128),
        partial_rotary_factor=0.75)),
    "phi3-long": lambda: T.Phi3ForCausalLM(T.Phi3Config(**dict(common, max_position_embeddings=1024),
        original_max_position_embeddings=256, rope_parameters=rope(rope_type="longrope",
        short_factor=[1.0 + i / 10 for i in range(8)], long_factor=[1.0 + i for i in range(8)]))),
    "yarn": lambda: T.LlamaForCausalLM(T.LlamaConfig(**common, rope_parameters=rope(rope_type="yarn",
        factor=4.0, original_max_position_embeddings=32))),
    "head_dim": lambda: T.LlamaForCausalLM(T.LlamaConfig(**wide, attention_bias=True, mlp_bias=True)),
    "mixtral": lambda: T.MixtralForCausalLM(T.MixtralConfig(**common, num_local_experts=4,
        num_experts_per_tok=2)),
    "qwen2moe": lambda: T.Qwen2MoeForCausalLM(T.Qwen2MoeConfig(**common, num_experts=6,
        num_experts_per_tok=2, moe_intermediate_size=64, shared_expert_intermediate_size=96)),
    "qwen3moe": lambda: T.Qwen3MoeForCausalLM(T.Qwen3MoeConfig(**wide, num_experts=6,
        num_experts_per_tok=2, moe_intermediate_size=64, norm_topk_prob=True)),
    "neox": lambda: T.GPTNeoXForCausalLM(T.GPTNeoXConfig(**{k: v for k, v in common.items()
        if k != "num_key_value_heads"})),
    "neox-serial": lambda: T.GPTNeoXForCausalLM(T.GPTNeoXConfig(**{k: v for k, v in common.items()
        if k != "num_key_value_heads"}, use_parallel_residual=False)),
}


def make(folder, tokenizer):
    for name, family in FAMILIES.items():
        torch.manual_seed(1)
        model = family().float().eval()
        with torch.no_grad():
            for key, p in model.named_parameters():
                p.copy_(torch.randn_like(p) * (0.1 if p.dim() > 1 else 0.05)
                        + (1.0 if p.dim() == 1 and "norm" in key and "gemma" not in name
                           or "ln_" in key and "weight" in key else 0.0))
        model.save_pretrained(f"{folder}/{name}")
        with open(tokenizer, "rb") as src, open(f"{folder}/{name}/tokenizer.json", "wb") as to:
            to.write(src.read())


def logits(path, ids):
    model = T.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].numpy(), model.state_dict()


def llama_cpp(path, ids):
    try:
        from llama_cpp import Llama
    except ImportError:
        return None
    model = Llama(path, n_ctx=256, n_batch=256, logits_all=True, verbose=False)
    model.eval(ids)
    return np.array(model.scores[:len(ids)])


def check(folder):
    ids = list(range(5, 45))
    bad = 0
    for name in FAMILIES:
        at = f"{folder}/{name}"
        want, before = logits(at, ids)
        have, after = logits(at + ".back", ids)
        same = before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)
        off = abs(want - have).max() / want.std()
        ok = (same or "gemma" in name) and off < 1e-4
        line = f"{name}: tensors {'the same' if same else 'differ'}, logits off by {off:.1e}"
        other = llama_cpp(at + ".gguf", ids)
        if other is not None:
            far = abs(want - other).max() / want.std()
            line += f", llama.cpp's by {far:.1e}"
            ok = ok and far < 2e-2
        print(("" if ok else "BAD ") + line)
        bad += not ok
    return bad


if sys.argv[1] == "make":
    os.makedirs(sys.argv[2], exist_ok=True)
    make(sys.argv[2], sys.argv[3])
else:
    sys.exit(check(sys.argv[2]) > 0)
