# SPDX-License-Identifier: Apache-2.0
"""golden_t5.py DIR: what transformers computes for small encoder-decoders.

For each case a folder like golden_models.py's (whose numbers it uses): config.json in the old
spelling, config5.json as transformers 5 writes it, and want:

  loss X              sum of the losses of all targets
  row N P             for each target: the logits before it
  grad NAME N P       each tensor's gradient of the loss / the number of targets
  bucket both|back N  numbers of distances from -40 to 40, on one line

Texts are padded here and lie side by side in our rows: TEXTS, pairs of input and target, in two
sequences.  tests/t5_test.c makes the same.  A head of its own is set apart by hand: transformers 5
builds every T5 with a tied one and unties it when a file has both."""
import json
import os
import sys

import numpy as np
import torch
import transformers
from transformers import AutoConfig

from golden_models import numbers, stream, tensor

TEXTS = [[(5, 4), (9, 7), (10, 6)], [(20, 16)]]
FAR = 40


def t5(**more):
    d = dict(model_type="t5", architectures=["T5ForConditionalGeneration"], vocab_size=43, d_model=32, d_kv=8, d_ff=48,
             num_layers=2, num_heads=4, relative_attention_num_buckets=32, relative_attention_max_distance=128,
             dropout_rate=0.1, layer_norm_epsilon=1e-6, feed_forward_proj="relu", is_encoder_decoder=True,
             tie_word_embeddings=True, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, torch_dtype="float32",
             n_positions=512)
    d.update(more)
    return d


CASES = {
    "t5": t5(),
    "t5-near": t5(relative_attention_num_buckets=8, relative_attention_max_distance=16, num_decoder_layers=3),
    "t5-v1.1": t5(feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    "t5-wide": t5(feed_forward_proj="gated-silu", tie_word_embeddings=False, d_kv=12, num_layers=3,
                  num_decoder_layers=1, decoder_start_token_id=7),
    "mt5": t5(model_type="mt5", architectures=["MT5ForConditionalGeneration"], feed_forward_proj="gated-gelu",
              tie_word_embeddings=False, num_heads=3, d_kv=10),
}


def inputs(c):
    """padded inputs with their mask, the decoder's, and targets, -100 where there is none"""
    n = sum(len(t) for t in TEXTS)
    wide = max(a for row in TEXTS for a, _ in row)
    tall = max(b for row in TEXTS for _, b in row)
    ids, mask = np.zeros((n, wide), np.int64), np.zeros((n, wide), np.int64)
    out, want = np.zeros((n, tall), np.int64), np.full((n, tall), -100, np.int64)
    flat = [((stream(s, 256) + 1) / 2 * (c.vocab_size - 3)).astype(np.int64) + 3 for s in ("ids", "targets")]
    at, t = [0, 0], 0
    for row in TEXTS:
        for a, b in row:
            ids[t, :a] = flat[0][at[0]:at[0] + a]
            mask[t, :a] = 1
            want[t, :b] = flat[1][at[1]:at[1] + b]
            out[t, 0] = c.decoder_start_token_id
            out[t, 1:b] = want[t, :b - 1]
            at = [at[0] + a, at[1] + b]
            t += 1
    return (torch.from_numpy(x) for x in (ids, mask, out, want))


def parameters(model):
    """by the names of files"""
    return {n.replace("encoder.embed_tokens", "shared"): p for n, p in model.named_parameters()}.items()


def case(name, config, out):
    at = os.path.join(out, name)
    os.makedirs(at, exist_ok=True)
    with open(os.path.join(at, "config.json"), "w") as f:
        json.dump(config, f, indent=1)
    args = dict(config)
    c = AutoConfig.for_model(args.pop("model_type"), **args)
    class_ = getattr(transformers, config["architectures"][0])
    model = class_._from_config(c, attn_implementation="eager", dtype=torch.float64).eval()
    new = json.loads(model.config.to_json_string())
    new.pop("transformers_version", None)
    new["architectures"] = config["architectures"]
    with open(os.path.join(at, "config5.json"), "w") as f:
        json.dump(new, f, indent=1)
    if not config["tie_word_embeddings"]:
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    with torch.no_grad():
        for n, p in parameters(model):
            p.copy_(torch.from_numpy(tensor(n, tuple(p.shape))))
    ids, mask, decoder, want = inputs(c)
    logits = model(input_ids=ids, attention_mask=mask, decoder_input_ids=decoder).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), want.flatten(), reduction="sum")
    count = int((want >= 0).sum())
    (loss / count).backward()
    bucket = model.encoder.block[0].layer[0].SelfAttention._relative_position_bucket
    with open(os.path.join(at, "want"), "w") as f:
        print(f"loss {loss.item():.10g}", file=f)
        for row in logits[want >= 0]:
            print("row", numbers("row", row), file=f)
        for n, p in parameters(model):
            print("grad", n, numbers(n, p.grad), file=f)
        for way, both in ("both", True), ("back", False):
            b = bucket(torch.arange(-FAR, FAR + 1), both, c.relative_attention_num_buckets,
                       c.relative_attention_max_distance)
            print("bucket", way, *b.tolist(), file=f)
    print(name, round(loss.item() / count, 4))


if __name__ == "__main__":
    for name, config in CASES.items():
        if len(sys.argv) < 3 or name in sys.argv[2:]:
            case(name, config, sys.argv[1])
