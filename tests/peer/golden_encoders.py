# SPDX-License-Identifier: Apache-2.0
"""golden_encoders.py DIR: what transformers computes for small encoders and their heads.

For each case a folder like golden_models.py's (whose numbers it uses): config.json in the old
spelling, config5.json as transformers 5 writes it, and want:

  loss X              sum of the losses of what is wanted
  row N P             for each row that is asked for: the head's outputs, or an embedding
  grad NAME N P       each tensor's gradient of the loss / the number of rows

Texts are padded here and lie side by side in our rows: TEXTS in two sequences of 24, ids in
the order of the rows.  Segments: the second half of each text is of type 1 where there are
types.  tests/encoder_test.c makes the same."""
import json
import os
import sys

import numpy as np
import torch
import transformers
from transformers import AutoConfig

from golden_models import numbers, stream, tensor

T = 24
TEXTS = [[5, 9, 10], [24]]


def bert(**more):
    d = dict(model_type="bert", vocab_size=43, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
             intermediate_size=48, max_position_embeddings=64, hidden_act="gelu", layer_norm_eps=1e-12,
             type_vocab_size=2, pad_token_id=0, torch_dtype="float32")
    d.update(more)
    return d


def distil(**more):
    d = dict(model_type="distilbert", vocab_size=43, dim=32, n_layers=3, n_heads=4, hidden_dim=48,
             max_position_embeddings=64, activation="gelu", pad_token_id=0, torch_dtype="float32")
    d.update(more)
    return d


def roberta(**more):
    return bert(**{**dict(model_type="roberta", type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1,
                          max_position_embeddings=66, bos_token_id=0, eos_token_id=2), **more})


def mpnet(**more):
    d = roberta(model_type="mpnet", relative_attention_num_buckets=32, max_position_embeddings=66, **more)
    d.pop("type_vocab_size")
    return d


def labels(n, problem=None):
    return dict(id2label={str(i): f"L{i}" for i in range(n)}, label2id={f"L{i}": i for i in range(n)},
                problem_type=problem)


ONE, MANY, NUMBERS = "single_label_classification", "multi_label_classification", "regression"
CASES = {}
for family, make, prefix in (("bert", bert, "Bert"), ("roberta", roberta, "Roberta"), ("distilbert", distil, "DistilBert"), ("mpnet", mpnet, "MPNet")):
    CASES[f"{family}-masked"] = make(architectures=[prefix + "ForMaskedLM"])
    CASES[f"{family}-one"] = make(architectures=[prefix + "ForSequenceClassification"], **labels(3, ONE))
    CASES[f"{family}-many"] = make(architectures=[prefix + "ForSequenceClassification"], **labels(4, MANY))
    CASES[f"{family}-number"] = make(architectures=[prefix + "ForSequenceClassification"], **labels(1, NUMBERS))
    CASES[f"{family}-tags"] = make(architectures=[prefix + "ForTokenClassification"], **labels(5))
    CASES[f"{family}-embed"] = make(architectures=[prefix + "Model"])
CASES["bert-tanh"] = bert(architectures=["BertForMaskedLM"], hidden_act="gelu_new", num_attention_heads=2)
CASES["xlm-roberta-masked"] = roberta(architectures=["XLMRobertaForMaskedLM"], model_type="xlm-roberta")


def spare(kind, name):
    """parameters that the bare model has and no embedding needs"""
    return kind == "Model" and "pooler" in name


def inputs(c):
    """padded texts, their mask, and where each row of ours is among them"""
    flat = ((stream("ids", 2 * T) + 1) / 2 * (c.vocab_size - 3)).astype(np.int64) + 3
    n = sum(len(t) for t in TEXTS)
    ids, mask, types = (np.zeros((n, T), np.int64) for _ in range(3))
    ids += c.pad_token_id
    where, at = [], 0
    for row in TEXTS:
        for length in row:
            t = len(mask) - n
            n -= 1
            ids[t, :length] = flat[at:at + length]
            mask[t, :length] = 1
            types[t, length // 2:length] = 1
            where += [(t, i) for i in range(length)]
            at += length
    return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(types), where, flat


def outputs(model, kind, config):
    """what the head says of its rows, and the loss of them"""
    ids, mask, types, where, flat = inputs(config)
    args = dict(input_ids=ids, attention_mask=mask)
    if getattr(config, "type_vocab_size", 0) > 1:
        args["token_type_ids"] = types
    t, i = (torch.tensor(x) for x in zip(*where))
    functional = torch.nn.functional
    if kind == "ForMaskedLM":
        chosen = torch.arange(0, 2 * T, 3)
        out = model(**args).logits[t, i][chosen]
        want = torch.from_numpy(flat[::-1].copy())[chosen]
        return out, functional.cross_entropy(out, want, reduction="sum")
    if kind == "ForTokenClassification":
        chosen = torch.arange(0, 2 * T, 2)
        out = model(**args).logits[t, i][chosen]
        return out, functional.cross_entropy(out, chosen % config.num_labels, reduction="sum")
    if kind == "Model":
        x = model(**args).last_hidden_state * mask[:, :, None]
        out = x.sum(1) / mask.sum(1, keepdim=True)
        x = functional.normalize(out)
        score = x[0::2] @ x[1::2].T / 0.05
        return out, functional.cross_entropy(score, torch.arange(len(score)), reduction="sum")
    out = model(**args).logits
    n, width = out.shape
    if config.problem_type == ONE:
        return out, functional.cross_entropy(out, torch.arange(n) % width, reduction="sum")
    want = torch.from_numpy(stream("value", n * width).reshape(n, width))
    if config.problem_type == NUMBERS:
        return out, ((out - want) ** 2).mean(1).sum()
    return out, functional.binary_cross_entropy_with_logits(out, (want > 0).double(), reduction="none").mean(1).sum()


def parameters(model):
    """by the names of files: XLM-RoBERTa has its head before its tables, of which that is one"""
    for n, p in model.named_parameters():
        yield n.replace("lm_head.decoder.", "roberta.embeddings.word_embeddings."), p


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
    with torch.no_grad():
        for n, p in parameters(model):
            p.copy_(torch.from_numpy(tensor(n, tuple(p.shape))))
    kind = class_.__name__.replace("XLM", "").replace("MPNet", "").replace("DistilBert", "").replace("Roberta", "").replace("Bert", "")
    rows, loss = outputs(model, kind, c)
    (loss / len(rows)).backward()
    with open(os.path.join(at, "want"), "w") as f:
        print(f"loss {loss.item():.10g}", file=f)
        for row in rows:
            print("row", numbers("row", row), file=f)
        for n, p in parameters(model):
            if not spare(kind, n):
                print("grad", n, numbers(n, p.grad), file=f)
    print(name, round(loss.item() / len(rows), 4))


if __name__ == "__main__":
    for name, config in CASES.items():
        if len(sys.argv) < 3 or name in sys.argv[2:]:
            case(name, config, sys.argv[1])
