# SPDX-License-Identifier: Apache-2.0
"""dpo.py golden: the table of tests/prefer_test.c, by PyTorch.
dpo.py steps BASE RECORDS.JSONL BETA SMOOTHING LR TRAIN.JSON: the same steps of
plain descent on all pairs at once, the reference being BASE as it is; losses,
margins and accuracy beside those that train told."""
import copy
import json
import sys

import torch
import torch.nn.functional as F

torch.set_num_threads(1)


def loss_of(beta, smoothing, model, reference):
    """as Rafailov et al. and Mitchell write it; model, reference: chosen, rejected"""
    margin = beta * ((model[0] - reference[0]) - (model[1] - reference[1]))
    return -F.logsigmoid(margin) * (1 - smoothing) - F.logsigmoid(-margin) * smoothing, margin


def golden():
    for beta, smoothing, model, reference in [
            (0.1, 0.0, (-20.5, -30.25), (-21.0, -29.0)),
            (0.1, 0.0, (-40.0, -10.0), (-30.0, -30.0)),
            (0.5, 0.1, (-3.0, -7.0), (-4.0, -4.5)),
            (1.0, 0.25, (-300.0, -5.0), (-10.0, -10.0)),
            (2.0, 0.0, (-1.0, -900.0), (-200.0, -10.0)),
            (0.3, 0.5, (-8.0, -2.0), (-8.0, -2.0))]:
        m = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in model]
        loss, _ = loss_of(beta, smoothing, m, reference)
        loss.backward()
        print("\t{ %r, %r, { %r, %r }, { %r, %r }, %.17g,\n\t    %.17g }," % (
            beta, smoothing, *model, *reference, loss.item(), m[0].grad.item()))


def pairs(path, tokenizer):
    end = tokenizer.token_to_id("<|endoftext|>")
    for line in open(path):
        r = json.loads(line)
        quiet = len(tokenizer.encode(r["prompt"]).ids)
        yield [(tokenizer.encode(r["prompt"] + r[k]).ids + [end], quiet) for k in ("chosen", "rejected")]


def logp(model, ids, quiet):
    x = torch.tensor([ids])
    logits = model(x).logits[0, :-1].log_softmax(-1)
    return logits.gather(1, x[0, 1:, None])[max(quiet, 1) - 1:].sum()


def steps(base, records, beta, smoothing, lr, told):
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    first = copy.deepcopy(model)
    all_pairs = list(pairs(records, Tokenizer.from_file(base + "/tokenizer.json")))
    with torch.no_grad():
        reference = [[logp(first, *one) for one in pair] for pair in all_pairs]
    told = json.load(open(told))
    worst = 0.0
    for i, (step, loss) in enumerate(told["train_loss"]):
        model.zero_grad()
        total = margins = right = 0.0
        for pair, ref in zip(all_pairs, reference):
            one, margin = loss_of(float(beta), float(smoothing), [logp(model, *x) for x in pair], ref)
            (one / len(all_pairs)).backward()
            total += one.item() / len(all_pairs)
            margins += margin.item() / len(all_pairs)
            right += (margin.item() > 0) / len(all_pairs)
        print("step %d: loss %.6f %.6f, margin %.6f %.6f, accuracy %.4f %.4f" % (
            step, loss, total, told["train_margin"][i][1], margins, told["train_accuracy"][i][1], right))
        worst = max(worst, abs(loss - total), abs(told["train_margin"][i][1] - margins))
        if i > 0:
            worst = max(worst, 0 if abs(told["train_accuracy"][i][1] - right) < 1e-6 else 1)
        with torch.no_grad():
            for p in model.parameters():
                if p.grad is not None:
                    p -= float(lr) * p.grad
    print("worst difference %.1e" % worst)
    return worst < 2e-4 and told["train_margin"][-1][1] > 0.05


if sys.argv[1] == "golden":
    golden()
else:
    sys.exit(not steps(*sys.argv[2:]))
