# SPDX-License-Identifier: Apache-2.0
"""shapes.py QUERN TOKENIZER.JSON COUNT [SEED [FAMILY...]]: models of each family with sizes and flags drawn at
random and large random weights, as transformers saves them: the losses of quern evaluate beside transformers'.

What quern refuses must be one of REFUSED; what transformers itself cannot make or run is left out and counted."""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

import torch
import transformers as tf
from tokenizers import Tokenizer

QUERN, COUNT = sys.argv[1], int(sys.argv[3])
rng = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 0)
tokens = Tokenizer.from_file(sys.argv[2])
V = tokens.get_vocab_size()
REFUSED = ["cannot be turned in pairs", "'do_layer_norm_before' is false", "'enable_bias' is false"]
TEXTS = [
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software.",
    "The licence applies to the work, and to copies of it that are made in other forms, whole or in part. " * 2,
]
some = rng.choice
flag = lambda: some([True, False])  # noqa: E731
torch.set_num_threads(1)
tf.logging.set_verbosity_error()


def rope(theta):
    r = {"rope_type": "default"}
    kind = some(["default", "default", "linear", "llama3", "yarn"])
    if kind == "linear":
        r = {"rope_type": kind, "factor": some([2.0, 4.0])}
    elif kind == "llama3":
        r = {"rope_type": kind, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
             "original_max_position_embeddings": some([32, 64])}
    elif kind == "yarn":
        r = {"rope_type": kind, "factor": some([2.0, 4.0]), "original_max_position_embeddings": 32}
        r.update(some([{}, {}, {"beta_fast": 16.0, "beta_slow": 2.0}, {"attention_factor": 0.9}]))
    return dict(r, rope_theta=theta)


def draw(family):
    """a configuration"""
    H, D, L = some([1, 2, 4, 6]), some([4, 6, 8, 10, 16]), some([1, 2, 3])
    G = some([g for g in (1, 2, 3, H) if H % g == 0])
    theta = some([1000.0, 10000.0, 500000.0])
    c = dict(vocab_size=V, bos_token_id=None, eos_token_id=0, pad_token_id=None, num_hidden_layers=L,
             num_attention_heads=H, hidden_size=H * D, intermediate_size=some([20, 33, 64]), max_position_embeddings=128)
    if family in ("gpt2", "opt", "gpt_neox"):
        c["tie_word_embeddings"] = flag()
    elif not family.startswith("gemma"):
        c.update(num_key_value_heads=G, rope_parameters=rope(theta), tie_word_embeddings=flag())
    else:
        c.update(num_key_value_heads=G, head_dim=D, hidden_size=some([H * D, 32]))
    if family in ("llama", "mistral", "qwen3", "mixtral"):
        c.update(head_dim=D, hidden_size=some([H * D, 32, 36]))
    if family == "llama":
        c.update(attention_bias=flag(), mlp_bias=flag(), hidden_act=some(["silu", "gelu", "gelu_pytorch_tanh", "relu"]))
    elif family in ("mistral", "mixtral"):
        c.update(sliding_window=some([None, 7, 16]))
    elif family in ("qwen2", "qwen3"):
        c.update(use_sliding_window=flag(), sliding_window=9, max_window_layers=some([0, 1, 2]))
    elif family == "gpt_neox":
        c.update(hidden_act=some(["gelu", "gelu_new", "relu"]), use_parallel_residual=flag(), attention_bias=flag(),
                 rope_parameters={"rope_type": "default", "rope_theta": theta,
                                  "partial_rotary_factor": some([0.25, 0.5, 1.0])})
    elif family == "gemma":
        c.update(attention_bias=flag(), hidden_act=some(["gelu_pytorch_tanh", "gelu"]))
    elif family in ("gemma2", "gemma3_text"):
        c.update(sliding_window=some([7, 16]), query_pre_attn_scalar=some([8, 16]))
        if family == "gemma2":
            c.update(attn_logit_softcapping=some([None, 5.0]), final_logit_softcapping=some([None, 3.0]))
        else:
            c.update(num_hidden_layers=some([2, 3, 7]))
    elif family == "phi3":
        c.update(sliding_window=some([None, 9]), original_max_position_embeddings=128,
                 rope_parameters={"rope_type": "default", "rope_theta": theta, "partial_rotary_factor": some([1.0, 0.5])})
    elif family == "opt":
        c.update(ffn_dim=c.pop("intermediate_size"), word_embed_proj_dim=c["hidden_size"], pad_token_id=1,
                 do_layer_norm_before=some([True, True, True, False]), enable_bias=some([True, True, True, False]),
                 activation_function=some(["relu", "gelu"]))
    if family == "mixtral":
        c.update(num_local_experts=some([2, 4, 5]), num_experts_per_tok=some([1, 2]))
    elif family.endswith("moe"):
        c.update(num_experts=some([4, 5]), num_experts_per_tok=some([1, 2, 3]), norm_topk_prob=flag(),
                 moe_intermediate_size=12, decoder_sparse_step=some([1, 1, 2]), mlp_only_layers=some([[], [0]]))
        if family == "qwen2_moe":
            c.update(shared_expert_intermediate_size=20)
    if family == "gpt2":
        c = dict(vocab_size=V, bos_token_id=None, eos_token_id=0, n_embd=H * D, n_layer=L, n_head=H, n_positions=128,
                 n_inner=some([None, 30]), activation_function=some(["gelu_new", "gelu", "relu"]),
                 scale_attn_weights=flag(), scale_attn_by_inverse_layer_idx=flag(), tie_word_embeddings=flag(),
                 layer_norm_epsilon=some([1e-5, 1e-3]))
    return c


def losses(model):
    out = []
    for t in TEXTS:
        ids = torch.tensor([tokens.encode(t, add_special_tokens=False).ids[:120]])
        with torch.no_grad():
            logp = torch.log_softmax(model(ids).logits[0].double(), -1)
        out.append((tokens.decode(ids[0].tolist()), -logp[:-1].gather(1, ids[0, 1:, None]).sum().item()))
    return out


def one(family, directory):
    """'same', 'refused', 'left out', or what is wrong"""
    config = draw(family)
    try:
        torch.manual_seed(rng.randrange(1 << 30))
        model = tf.AutoModelForCausalLM.from_config(tf.AutoConfig.for_model(family, **config)).eval().float()
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(torch.randn_like(p) * 0.25 + (p.dim() == 1) * rng.random())
        model.tie_weights()
        want = losses(model)
    except Exception:  # a mixture's kernels want sizes that are multiples of 4, for one
        return "left out"
    model.save_pretrained(directory)
    shutil.copy(sys.argv[2], os.path.join(directory, "tokenizer.json"))
    run = subprocess.run([QUERN, "evaluate", "-q", "-j", "1", "model=" + directory + "/"], capture_output=True, text=True,
                         input="".join(json.dumps({"text": t}) + "\n" for t, _ in want))
    if run.returncode:
        return "refused" if any(r in run.stderr for r in REFUSED) else f"{config}: {run.stderr}"
    for line, (_, loss) in zip(run.stdout.split("\n"), want, strict=False):
        got = json.loads(line)["facts"].get("nll")
        if got is None or abs(got - loss) > 1e-4 * abs(loss):
            return f"{config}: {got} for {loss}"
    return "same"


FAMILIES = ["gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "gpt_neox", "opt",
            "mixtral", "qwen2_moe", "qwen3_moe"]
bad = 0
for family in sys.argv[5:] or FAMILIES:
    said = []
    for _ in range(COUNT):
        with tempfile.TemporaryDirectory() as directory:
            said.append(one(family, directory))
    print(family, *(f"{said.count(k)} {k}" for k in ("same", "refused", "left out")))
    wrong = [s for s in said if s not in ("same", "refused", "left out")]
    bad += len(wrong) + ("same" not in said)
    for s in wrong[:3]:
        print(" ", s)
sys.exit(bad > 0)
