# SPDX-License-Identifier: Apache-2.0
"""distill.py steps BASE TAUGHT.JSONL ALPHA TEMPERATURE WORDS LR TRAIN.JSON: steps of
plain descent on all records at once, learning what the teacher said; losses and the
text's own beside those that train told.
distill.py words TEACHER TAUGHT.JSONL TEMPERATURE: what teach wrote beside what
PyTorch holds to be likely."""
import json
import sys

import torch

torch.set_num_threads(1)


def load(path):
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    return model, Tokenizer.from_file(path + "/tokenizer.json")


def records(path, tokenizer):
    """ids with the end of the text, and [token][words] of (id, p)"""
    end = tokenizer.token_to_id("<|endoftext|>")
    for line in open(path):
        r = json.loads(line)
        words = [list(zip(w[::2], w[1::2])) for w in r["teacher"]["words"]]
        ids = tokenizer.encode(r["text"]).ids + [end]
        assert len(words) == len(ids) - 1
        yield ids, words


def divergence(logits, words, k, temperature):
    """of the teacher from the student, of each place; all other words are one"""
    ids = torch.tensor([[i for i, _ in w[:k]] for w in words])
    p = torch.tensor([[x for _, x in w[:k]] for w in words])
    student = (logits / temperature).log_softmax(-1)
    q = student.gather(1, ids)
    rest = torch.ones_like(student).scatter(1, ids, 0)
    q_tail = torch.logsumexp(student.masked_fill(rest == 0, -torch.inf), -1)
    p_tail = (1 - p.sum(-1)).clamp(min=0)
    return torch.xlogy(p, p).sum(-1) - (p * q).sum(-1) + torch.xlogy(p_tail, p_tail) - p_tail * q_tail


def steps(base, taught, alpha, temperature, k, lr, told):
    alpha, temperature, k, lr = float(alpha), float(temperature), int(k), float(lr)
    model, tokenizer = load(base)
    data = list(records(taught, tokenizer))
    n = sum(len(words) for _, words in data)
    told = json.load(open(told))
    worst, first = 0.0, None
    for i, (step, loss) in enumerate(told["train_loss"]):
        model.zero_grad()
        total = nll = 0.0
        for ids, words in data:
            logits = model(torch.tensor([ids])).logits[0, :-1]
            ce = -logits.log_softmax(-1).gather(1, torch.tensor(ids)[1:, None])[:, 0]
            one = alpha * temperature ** 2 * divergence(logits, words, k, temperature) + (1 - alpha) * ce
            (one.sum() / n).backward()
            total += one.sum().item() / n
            nll += ce.sum().item() / n
        print("step %d: loss %.6f %.6f, nll %.6f %.6f" % (step, loss, total, told["train_nll"][i][1], nll))
        worst = max(worst, abs(loss - total), abs(told["train_nll"][i][1] - nll))
        first = total if first is None else first
        with torch.no_grad():
            for p in model.parameters():
                if p.grad is not None:
                    p -= lr * p.grad
    print("worst difference %.1e" % worst)
    return worst < 2e-4 and total < first - 0.01


def words(teacher, taught, temperature):
    model, tokenizer = load(teacher)
    worst = 0.0
    with torch.no_grad():
        for ids, said in records(taught, tokenizer):
            p = (model(torch.tensor([ids])).logits[0, :-1] / float(temperature)).softmax(-1)
            for row, w in zip(p, said):
                top = row.topk(len(w)).values
                worst = max(worst, max(abs(row[i].item() - x) for i, x in w),
                            max(abs(t.item() - x) for t, (_, x) in zip(top, w)))
    print("worst difference %.1e" % worst)
    return 0 < worst < 5e-5


sys.exit(not {"steps": steps, "words": words}[sys.argv[1]](*sys.argv[2:]))
