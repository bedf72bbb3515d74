# SPDX-License-Identifier: Apache-2.0
"""t5.py QUERN DIR TEXTS.jsonl: encoder-decoders of random weights, as transformers saves them.

For each kind: the loss that 'quern train' tells of inputs and targets is transformers' (1e-5); what it writes with lr=0 opens in transformers and says the same (1e-5); adapters that it
trained open in PEFT, and lower the loss there as they did here; what 'quern infer' answers is what
transformers generates greedily, what 'quern evaluate' measures is its log-probability (1e-4).  The vocabulary is made by tokenizers:
a unigram one with T5's signs."""
import json
import os
import subprocess
import sys

import torch
import transformers
from golden_t5 import t5
from peft import PeftModel
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, PreTrainedTokenizerFast

quern, out = sys.argv[1:3]
transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
with open(sys.argv[3]) as f:
    TEXTS = [json.loads(line)["text"][:200] for line in f][:40]
TEXTS = [t for t in TEXTS if t.strip()]
PAIRS = [(a[:120], b[:60]) for a, b in zip(TEXTS, TEXTS[1:])]
PLACES = 160
KINDS = {
    "t5": t5(num_layers=2, num_decoder_layers=3),
    "t5-v1.1": t5(feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    "mt5": t5(model_type="mt5", architectures=["MT5ForConditionalGeneration"], feed_forward_proj="gated-gelu",
              tie_word_embeddings=False, num_heads=3, d_kv=10),
}


def vocabulary():
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(TEXTS, trainers.UnigramTrainer(
        vocab_size=400, show_progress=False, unk_token="<unk>",
        special_tokens=["<pad>", "</s>", "<unk>"] + [f"<extra_id_{i}>" for i in range(20)]))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>",
                                                     special_tokens=[("</s>", 1)])
    return t


def train(at, base, *words):
    """the losses that a training tells"""
    lines = "".join(json.dumps(dict(prompt=a, completion=b, text=a)) + "\n" for a, b in PAIRS)
    p = subprocess.run([quern, "train", "-q", f"out={at}", f"base={base}", f"context={PLACES}", *words], input=lines,
                       text=True, capture_output=True)
    assert p.returncode == 0, p.stderr
    with open(os.path.join(at, "train.json")) as f:
        return json.load(f)


GAPS = [" ".join(f"<extra_id_{i % 20}>" if i % 3 == 1 else w for i, w in enumerate(a.split())) for a, _ in PAIRS]


def batch(tok, asks=None):
    ask = tok(asks or [a for a, _ in PAIRS], padding=True, return_tensors="pt")
    want = tok([b for _, b in PAIRS], padding=True, return_tensors="pt")
    return ask, want.input_ids.masked_fill(want.attention_mask == 0, -100)


def said(model, tok):
    ask, want = batch(tok)
    with torch.no_grad():
        y = model(input_ids=ask.input_ids, attention_mask=ask.attention_mask, labels=want)
    return y.loss.item(), y.logits[want >= 0]


def answers(at, *words, asks=None):
    """what quern infer says of the inputs"""
    lines = "".join(json.dumps(dict(prompt=a)) + "\n" for a in asks or [a for a, _ in PAIRS])
    p = subprocess.run([quern, "infer", "-q", at, "max_tokens=12", *words], input=lines, text=True, capture_output=True)
    assert p.returncode == 0, p.stderr
    return [json.loads(line)["completion"] for line in p.stdout.splitlines()]


def generated(model, tok, asks=None):
    """what transformers says of them, greedily; its cache fails if the decoder is deeper"""
    ask, _ = batch(tok, asks)
    with torch.no_grad():
        ids = model.generate(input_ids=ask.input_ids, attention_mask=ask.attention_mask, max_new_tokens=12,
                             do_sample=False, num_beams=1, use_cache=False)
    said = []
    for x in ids.tolist():
        x = x[1:x.index(1, 1)] if 1 in x[1:] else x[1:]
        said.append(tok.decode([i for i in x if i < len(tok)]))
    return said


def measured(model, tok):
    """minus the log-probability of each target, without its end"""
    ask, want = batch(tok)
    with torch.no_grad():
        y = model(input_ids=ask.input_ids, attention_mask=ask.attention_mask, labels=want).logits
    x = torch.nn.functional.cross_entropy(y.transpose(1, 2), want, reduction="none")
    return [r[(w >= 0) & (w != 1)].sum().item() for r, w in zip(x, want)]


def built(config, size):
    args = dict(config, vocab_size=size)
    args.pop("torch_dtype")
    c = AutoConfig.for_model(args.pop("model_type"), **args)
    model = getattr(transformers, config["architectures"][0])(c).eval()
    if not config["tie_word_embeddings"]:
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.1)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.05)
    return model


def main():
    tok = PreTrainedTokenizerFast(tokenizer_object=vocabulary(), pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    once = ["objective=seq2seq", "lr=0", "warmup=0", "steps=1", f"batch={len(PAIRS)}", "packing=none"]
    bad = 0

    def ok(good, what):
        nonlocal bad
        bad += not good
        print("ok" if good else "NOT", what)

    for kind, config in KINDS.items():
        torch.manual_seed(3)
        model = built(config, len(tok) + 5)
        at = os.path.join(out, kind)
        model.save_pretrained(at)
        tok.save_pretrained(at)
        loss, logits = said(model, tok)
        mine = train(at + ".same", at, *once)["loss"]
        ok(abs(mine / loss - 1) < 1e-5, f"{kind}: loss {mine:.6f}, transformers' {loss:.6f}")
        packed = train(at + ".packed", at, *once[:-2], "batch=40", "accumulate=1", "packing=bfd", "epochs=1")["loss"]
        ok(abs(packed / loss - 1) < 0.02, f"{kind}: packed {packed:.6f}, in which some texts count twice")
        again = type(model).from_pretrained(at + ".same").eval()
        off = (said(again, tok)[1] - logits).abs().max().item()
        ok(off < 1e-5 and (again.lm_head.weight is again.shared.weight) == config["tie_word_embeddings"],
           f"{kind}: written and opened, logits {off:.1e} apart")
        mine, theirs = answers(at), generated(model, tok)
        same = sum(a == b for a, b in zip(mine, theirs))
        ok(same == len(PAIRS), f"{kind}: {same} of {len(PAIRS)} answers are transformers'")
        same = sum(a == b for a, b in zip(answers(at, "find=yes", asks=GAPS), generated(model, tok, GAPS)))
        ok(same == len(PAIRS), f"{kind}: {same} of {len(PAIRS)} answers to texts with gaps are transformers'")
        p = subprocess.run([quern, "evaluate", "-q", at, f"context={PLACES}"], text=True, capture_output=True,
                           input="".join(json.dumps(dict(prompt=a, completion=b)) + "\n" for a, b in PAIRS))
        facts = [json.loads(line)["facts"] for line in p.stdout.splitlines()]
        off = max(abs(a["nll"] - b) / (1 + b) for a, b in zip(facts, measured(model, tok)))
        ok(len(facts) == len(PAIRS) and off < 1e-4, f"{kind}: measured, {off:.1e} apart")
        ok(answers(at, "slots=1") == mine, f"{kind}: alone, the same")
        tuned = train(at + ".lora", at, "objective=seq2seq", "adapter=lora", "target_modules=all-linear", "epochs=10",
                      "lr=0.01", "rank=4")
        train(at + ".merged", at, "objective=seq2seq", "adapter=lora", "target_modules=all-linear", "epochs=10",
              "lr=0.01", "rank=4", "merge=yes")
        peft = PeftModel.from_pretrained(type(model).from_pretrained(at), at + ".lora").eval()
        merged = type(model).from_pretrained(at + ".merged").eval()
        low, theirs = said(peft, tok)
        off = (said(merged, tok)[1] - theirs).abs().max().item()
        ok(low < loss - 0.3 and abs(low - tuned["loss"]) < 0.5 and off < 1e-3,
           f"{kind}: adapters in PEFT, loss {low:.3f}, here {tuned['loss']:.3f}; merged {off:.1e} apart")
        mine = answers(at, f"adapter={at}.lora")
        ok(mine == answers(at + ".merged") == generated(merged, tok), f"{kind}: {len(set(mine))} answers with an adapter")
    sys.exit(bad > 0)


main()
