# SPDX-License-Identifier: Apache-2.0
"""half.py [NAME...]: what 16 bits cost PyTorch's autocast, for the models of
golden_models.py, golden_encoders.py and golden_t5.py: 1 - the cosine of the
gradient with that in 64 bits, the most of a tensor, and the loss's error.
family_test, encoder_test and t5_test print the same of ours."""
import sys

import golden_encoders
import golden_models
import golden_t5
import torch
import transformers
from golden_models import B, T, fill, np, stream, tensor
from transformers import AutoConfig, AutoModelForCausalLM

torch.set_num_threads(1)
cross_entropy = torch.nn.functional.cross_entropy


def config_of(config):
    args = dict(config)
    c = AutoConfig.for_model(args.pop("model_type"), **args)
    c._experts_implementation = "eager"
    return c


def named(config, dtype, parameters):
    """a model of the config's own class with the golden weights"""
    cls = getattr(transformers, config["architectures"][0])
    model = cls._from_config(config_of(config), attn_implementation="eager", dtype=dtype).eval()
    if not config.get("tie_word_embeddings", True):
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    with torch.no_grad():
        for n, p in parameters(model):
            p.copy_(torch.from_numpy(tensor(n, tuple(p.shape))))
    return model


def decoder(config, dtype, cast):
    c = config_of(config)
    model = AutoModelForCausalLM.from_config(c, attn_implementation="eager", dtype=dtype).eval()
    fill(model)
    V = c.vocab_size
    ids = torch.from_numpy(((stream("ids", B * T) + 1) / 2 * V).astype(np.int64)).reshape(B, T)
    with cast:
        logits = model(ids, use_cache=False).logits
    return model, cross_entropy(logits[:, :-1].reshape(-1, V).to(dtype), ids[:, 1:].reshape(-1))


def encoder(config, dtype, cast):
    model = named(config, dtype, golden_encoders.parameters)
    name = type(model).__name__
    kind = name[name.index("For"):] if "For" in name else "Model"
    with cast:
        rows, loss = golden_encoders.outputs(model, kind, model.config)
    return model, loss / len(rows)


def seq2seq(config, dtype, cast):
    model = named(config, dtype, golden_t5.parameters)
    ids, mask, out, want = golden_t5.inputs(model.config)
    with cast:
        logits = model(input_ids=ids, attention_mask=mask, decoder_input_ids=out).logits
    return model, cross_entropy(logits.to(dtype).flatten(0, 1), want.flatten())


def gradient(run, config, dtype, cast):
    model, loss = run(config, dtype, torch.autocast("cpu", cast or torch.bfloat16, enabled=cast is not None))
    (loss * 256).backward()
    return loss.item(), {n: p.grad.double().flatten() / 256 for n, p in model.named_parameters() if p.grad is not None}


def off(a, b):
    return 0 if a.norm() < 1e-4 else 1 - (a @ b / a.norm() / b.norm()).item()


for run, cases in (decoder, golden_models.CASES), (encoder, golden_encoders.CASES), (seq2seq, golden_t5.CASES):
    for name, config in cases.items():
        if name not in (sys.argv[1:] or cases):
            continue
        loss, true = gradient(run, config, torch.float64, None)
        for cast in torch.bfloat16, torch.float16:
            try:
                got, grad = gradient(run, config, torch.float32, cast)
            except RuntimeError as e:  # targets in 64 bits, beside outputs in 16
                print(f"{name} {str(cast)[6:]}: {str(e)[:60]}", flush=True)
                continue
            whole = off(torch.cat(list(true.values())), torch.cat(list(grad.values())))
            most = max(off(true[n], grad[n]) for n in true)
            print(f"{name} {str(cast)[6:]}: the gradient's {whole:.1e}, a tensor's {most:.1e}, loss {got / loss - 1:.1e}", flush=True)
