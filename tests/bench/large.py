# SPDX-License-Identifier: Apache-2.0
"""large.py DIR [WORD...]: LoRA beside a base of Llama-3.2-1B's shape, random
weights in bf16, made in DIR once (PyTorch makes them); WORDs go to quern train.
Prints the plan, the most memory that the process had and its CPU seconds, start
included. QUERN_BIN and QUERN_TEST_DATA as for the tests."""
import json
import math
import os
import re
import resource
import shutil
import struct
import subprocess
import sys

L, C, H, G, F, V = 16, 2048, 32, 8, 8192, 128256
D = C // H
where, words = sys.argv[1], sys.argv[2:]
quern = os.environ["QUERN_BIN"] + "/quern"


def shapes():
    yield "model.embed_tokens.weight", (V, C)
    for i in range(L):
        at = f"model.layers.{i}."
        for name, shape in (
            ("input_layernorm", (C,)), ("self_attn.q_proj", (C, C)), ("self_attn.k_proj", (G * D, C)),
            ("self_attn.v_proj", (G * D, C)), ("self_attn.o_proj", (C, C)), ("post_attention_layernorm", (C,)),
            ("mlp.gate_proj", (F, C)), ("mlp.up_proj", (F, C)), ("mlp.down_proj", (C, F)),
        ):
            yield at + name + ".weight", shape
    yield "model.norm.weight", (C,)


def make():
    import torch

    torch.manual_seed(1)
    head, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes():
        size = 2 * math.prod(shape)
        head[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(where + "/model.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes():
            x = torch.ones(shape) if len(shape) == 1 else torch.randn(shape) * 0.02
            f.write(x.to(torch.bfloat16).view(torch.int16).numpy().tobytes())
    config = dict(
        architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=C, intermediate_size=F,
        num_hidden_layers=L, num_attention_heads=H, num_key_value_heads=G, vocab_size=V, rms_norm_eps=1e-5,
        rope_theta=500000.0, max_position_embeddings=8192, tie_word_embeddings=True, hidden_act="silu",
        torch_dtype="bfloat16", bos_token_id=0, eos_token_id=0,
    )
    json.dump(config, open(where + "/config.json", "w"))
    data = os.environ["QUERN_TEST_DATA"] + "/tokenizers/hf/gpt2.json"
    open(where + "/tokenizer.json", "w").write(open(data).read())


if not os.path.exists(where + "/tokenizer.json"):
    os.makedirs(where, exist_ok=True)
    make()
text = "".join(json.dumps({"text": " ".join(f"w{i * j}" for j in range(200))}) + "\n" for i in range(200))
conf = dict(batch="1", context="512", steps="8", rank="16", target_modules="all-linear")
conf |= dict(w.split("=", 1) for w in words)
shutil.rmtree(where + "/adapter", ignore_errors=True)
p = subprocess.run(
    [quern, "train", "-j", "2", f"out={where}/adapter", f"base={where}", "adapter=lora"]
    + [f"{k}={v}" for k, v in conf.items()],
    input=text, text=True, capture_output=True,
)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(*(line for line in p.stderr.splitlines() if re.search("MiB|adapters|a step|'", line)), sep="\n")
print(*words, "status", p.returncode, "most", used.ru_maxrss >> 10, "MiB, CPU", round(used.ru_utime), "s")
