# SPDX-License-Identifier: Apache-2.0
"""golden_models.py DIR: what transformers computes for small models of each family.

For each case a folder: config.json as models are published (the old spelling),
config5.json as transformers 5 writes it, and want, lines of text:

  loss X              sum of the losses of all targets
  row N P             for each row of logits: its norm, and its projection
  grad NAME N P       the same for each tensor's gradient of loss / targets

Weights, ids and projections come from numbers that tests/family_test.c makes too:
number i of a stream is splitmix64 of (FNV-1a of its name + i), from -1 to 1."""
import json
import os
import sys

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

B, T = 2, 24
M = (1 << 64) - 1


def stream(name, n):
    h = 0xCBF29CE484222325
    for c in name.encode():
        h = (h ^ c) * 0x100000001B3 & M
    with np.errstate(over="ignore"):
        z = np.arange(n, dtype=np.uint64) + np.uint64(h)
        z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1


def tensor(name, shape):
    x = stream(name, int(np.prod(shape))).reshape(shape)
    if len(shape) == 1 and name.endswith(".weight"):
        return 1 + 0.25 * x
    return 0.25 * x


def sizes(**more):
    d = dict(vocab_size=43, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, intermediate_size=48, max_position_embeddings=64,
             hidden_act="silu", rms_norm_eps=1e-5, rope_theta=10000.0, bos_token_id=1,
             eos_token_id=2, pad_token_id=None, tie_word_embeddings=False, torch_dtype="float32")
    d.update(more)
    return d


def moe(**more):
    d = sizes(num_hidden_layers=2, num_experts_per_tok=2)
    d.update(more)
    return d


GELU = dict(hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh", tie_word_embeddings=True,
            head_dim=8)
CASES = {
    "gpt2": dict(model_type="gpt2", vocab_size=43, n_positions=64, n_embd=32, n_layer=3, n_head=4, n_inner=None,
                 activation_function="gelu_new", layer_norm_epsilon=1e-5, bos_token_id=1, eos_token_id=2),
    "gpt2-scaled": dict(model_type="gpt2", vocab_size=43, n_positions=64, n_embd=32, n_layer=3, n_head=4, n_inner=40,
                        activation_function="gelu", layer_norm_epsilon=1e-5, bos_token_id=1, eos_token_id=2,
                        scale_attn_weights=False, scale_attn_by_inverse_layer_idx=True),
    "llama": dict(model_type="llama", **sizes()),
    "llama-biases": dict(model_type="llama", **sizes(attention_bias=True, mlp_bias=True, head_dim=16,
                                                     tie_word_embeddings=True)),
    "llama-linear": dict(model_type="llama", **sizes(rope_scaling={"type": "linear", "factor": 3.0})),
    "llama-dynamic": dict(model_type="llama", **sizes(rope_scaling={"type": "dynamic", "factor": 2.0})),
    "llama-yarn": dict(model_type="llama", **sizes(rope_scaling={
        "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}, head_dim=32)),
    "llama-yarn-said": dict(model_type="llama", **sizes(rope_scaling={
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "attention_factor": 0.9,
        "beta_fast": 8.0, "beta_slow": 2.0}, head_dim=32, rope_theta=500.0)),
    "llama3": dict(model_type="llama", **sizes(rope_scaling={
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16}, head_dim=32, rope_theta=500000.0)),
    "mistral": dict(model_type="mistral", **sizes(sliding_window=7)),
    "mistral-nemo": dict(model_type="mistral", **sizes(sliding_window=None, head_dim=16)),
    "qwen2": dict(model_type="qwen2", **sizes(use_sliding_window=False, sliding_window=7, max_window_layers=1,
                                              tie_word_embeddings=True)),
    "qwen2-window": dict(model_type="qwen2", **sizes(use_sliding_window=True, sliding_window=7,
                                                     max_window_layers=1)),
    "qwen3": dict(model_type="qwen3", **sizes(head_dim=16, attention_bias=False, rope_theta=1000000.0)),
    "gemma": dict(model_type="gemma", **sizes(**{**GELU, "hidden_act": "gelu"})),
    "gemma2": dict(model_type="gemma2", **sizes(
        **GELU, query_pre_attn_scalar=12, sliding_window=7, attn_logit_softcapping=5.0,
        final_logit_softcapping=3.0)),
    "gemma3": dict(model_type="gemma3_text", **sizes(
        **{**GELU, "num_hidden_layers": 4}, query_pre_attn_scalar=12, sliding_window=7, rope_theta=1000000.0,
        rope_local_base_freq=10000.0, sliding_window_pattern=3, rope_scaling={"rope_type": "linear", "factor": 8.0})),
    "phi3": dict(model_type="phi3", **sizes(sliding_window=9)),
    "phi3-long": dict(model_type="phi3", **sizes(
        sliding_window=None, original_max_position_embeddings=32, rope_scaling={
            "type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.5], "long_factor": [1.0, 2.0, 3.0, 4.0]})),
    "phi3-longer": dict(model_type="phi3", **sizes(
        sliding_window=None, original_max_position_embeddings=16, rope_scaling={
            "type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.5], "long_factor": [1.0, 2.0, 3.0, 4.0]})),
    "phi4-mini": dict(model_type="phi3", **sizes(
        sliding_window=None, partial_rotary_factor=0.75, tie_word_embeddings=True, head_dim=16)),
    "neox": dict(model_type="gpt_neox", **sizes(hidden_act="gelu", layer_norm_eps=1e-5, rotary_pct=0.25,
                                                rotary_emb_base=10000, use_parallel_residual=True)),
    "neox-serial": dict(model_type="gpt_neox", **sizes(hidden_act="gelu", layer_norm_eps=1e-5, rotary_pct=0.5,
                                                       rotary_emb_base=10000, use_parallel_residual=False)),
    "opt": dict(model_type="opt", vocab_size=43, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
                ffn_dim=48, max_position_embeddings=64, do_layer_norm_before=True, activation_function="relu",
                word_embed_proj_dim=32, bos_token_id=2, eos_token_id=2, pad_token_id=None),
    "mixtral": dict(model_type="mixtral", **moe(num_local_experts=5, sliding_window=7)),
    "qwen2-moe": dict(model_type="qwen2_moe", **moe(
        num_experts=6, moe_intermediate_size=20, shared_expert_intermediate_size=24, norm_topk_prob=False,
        decoder_sparse_step=1, mlp_only_layers=[], use_sliding_window=False)),
    "qwen3-moe": dict(model_type="qwen3_moe", **moe(
        num_hidden_layers=3, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=20, norm_topk_prob=True,
        decoder_sparse_step=1, mlp_only_layers=[1], head_dim=16, use_sliding_window=False)),
}
for k in ("num_key_value_heads", "rope_theta", "rms_norm_eps"):
    del CASES["neox"][k], CASES["neox-serial"][k]


def experts(name, p, mixtral):
    """transformers 5 keeps all experts' matrices as one, files have each"""
    front, kind = name.replace(".mlp.", ".block_sparse_moe." if mixtral else ".mlp.").rsplit(".", 1)
    for e in range(len(p)):
        F = p.shape[1] // 2
        if kind == "down_proj":
            yield f"{front}.{e}.{'w2' if mixtral else 'down_proj'}.weight", p, lambda x, e=e: x[e]
        else:
            yield f"{front}.{e}.{'w1' if mixtral else 'gate_proj'}.weight", p, lambda x, e=e: x[e, :F]
            yield f"{front}.{e}.{'w3' if mixtral else 'up_proj'}.weight", p, lambda x, e=e: x[e, F:]


def files(model):
    """names of the file's tensors, with a way to get at each part of a parameter"""
    mixtral = model.config.model_type == "mixtral"
    for name, p in model.named_parameters():
        if name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            yield from experts(name, p, mixtral)
            continue
        if mixtral:
            name = name.replace(".mlp.", ".block_sparse_moe.")
        if model.config.model_type == "gpt_neox":
            name = name.replace("lm_head.", "embed_out.")
        yield name, p, lambda x: x


def fill(model):
    with torch.no_grad():
        for name, p, part in files(model):
            x = part(p.data)
            x.copy_(torch.from_numpy(tensor(name, tuple(x.shape))))


def numbers(name, x):
    x = x.detach().double().numpy().ravel()
    return f"{np.linalg.norm(x):.9g} {x @ stream(name, len(x)):.9g}"


def case(name, config, out):
    at = os.path.join(out, name)
    os.makedirs(at, exist_ok=True)
    with open(os.path.join(at, "config.json"), "w") as f:
        json.dump(config, f, indent=1)
    args = dict(config)
    c = AutoConfig.for_model(args.pop("model_type"), **args)
    torch.manual_seed(1)
    c._experts_implementation = "eager"
    model = AutoModelForCausalLM.from_config(c, attn_implementation="eager", dtype=torch.float64).eval()
    new = json.loads(model.config.to_json_string())
    new.pop("transformers_version", None)
    with open(os.path.join(at, "config5.json"), "w") as f:
        json.dump(new, f, indent=1)
    fill(model)
    V = c.vocab_size
    ids = torch.from_numpy(((stream("ids", B * T) + 1) / 2 * V).astype(np.int64)).reshape(B, T)
    logits = model(ids, use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, V), ids[:, 1:].reshape(-1), reduction="sum")
    (loss / (B * (T - 1))).backward()
    with open(os.path.join(at, "want"), "w") as f:
        print(f"loss {loss.item():.10g}", file=f)
        for row in logits.reshape(-1, V):
            print("row", numbers("row", row), file=f)
        for n, p, part in files(model):
            print("grad", n, numbers(n, part(p.grad)), file=f)
    print(name, round(loss.item() / (B * (T - 1)), 4))


if __name__ == "__main__":
    for name, config in CASES.items():
        if len(sys.argv) < 3 or name in sys.argv[2:]:
            case(name, config, sys.argv[1])
