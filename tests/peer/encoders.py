# SPDX-License-Identifier: Apache-2.0
"""encoders.py QUERN DIR TEXTS.jsonl: encoders of random weights, as transformers saves them, asked by both.

For each family and head: what 'quern infer' says of texts, alone, in pairs and cut, is what
transformers computes of them (1e-4); and what 'quern train' writes with lr=0 opens in
transformers and says the same.  Vocabularies are made by tokenizers: WordPiece, byte-level BPE with
RoBERTa's signs around, and MPNet's, WordPiece with those signs."""
import json
import os
import subprocess
import sys

import torch
import transformers
from golden_encoders import bert, distil, labels, mpnet, roberta
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, PreTrainedTokenizerFast

quern, out = sys.argv[1:3]
transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
with open(sys.argv[3]) as f:
    TEXTS = [json.loads(line)["text"][:300] for line in f][:60]
TEXTS = [t for t in TEXTS if t.strip()]
PLACES, ONE, MANY, NUMBERS = 48, "single_label_classification", "multi_label_classification", "regression"


def words_of(signs):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(TEXTS, trainers.WordPieceTrainer(
        vocab_size=600, show_progress=False, special_tokens=signs))
    return t


def wordpiece():
    t = words_of(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t, dict(pad_token="[PAD]", mask_token="[MASK]", cls_token="[CLS]", sep_token="[SEP]")


def wordpiece_signed():
    t = words_of(["<s>", "<pad>", "</s>", "[UNK]", "<mask>"])
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return t, dict(pad_token="<pad>", mask_token="<mask>", cls_token="<s>", sep_token="</s>")


def bytelevel():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TEXTS, trainers.BpeTrainer(
        vocab_size=700, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return t, dict(pad_token="<pad>", mask_token="<mask>", cls_token="<s>", sep_token="</s>")


def heads(prefix):
    yield "masked", prefix + "ForMaskedLM", {}
    yield "one", prefix + "ForSequenceClassification", labels(3, ONE)
    yield "many", prefix + "ForSequenceClassification", labels(4, MANY)
    yield "number", prefix + "ForSequenceClassification", labels(1, NUMBERS)
    yield "tags", prefix + "ForTokenClassification", labels(5)
    yield "embed", prefix + "Model", {}


def said(at, rows, *words):
    """the records that quern infer makes of these"""
    lines = "".join(json.dumps(r) + "\n" for r in rows)
    p = subprocess.run([quern, "infer", "-q", at, "overlong=cut", *words], input=lines, text=True,
                       capture_output=True)
    got = [json.loads(line) for line in p.stdout.splitlines()]
    assert len(got) == len(rows), p.stderr
    return got


def off(a, b):
    return (torch.as_tensor(a, dtype=torch.double) - torch.as_tensor(b, dtype=torch.double)).abs().max().item()


def worst(at, head, model, tok, texts, pairs):
    """the largest difference between what both say"""
    rows = [dict(text=a, second=b) for a, b in zip(texts, pairs)] if pairs else [dict(text=a) for a in texts]
    if head == "masked":
        for r in rows:
            r["text"] = f"{tok.mask_token} {r['text']}"
    if head == "tags":
        rows = [dict(tokens=t.split()) for t in texts]
        rows = [r for r in rows if r["tokens"]]
    most, got = 0, said(at, rows, *(["pair=second"] if pairs else []))
    for r, g in zip(rows, got):
        words = head == "tags"
        x = tok(" ".join(r["tokens"]) if words else r["text"], r.get("second"), truncation=True, max_length=PLACES,
                return_tensors="pt")
        n = model.config.num_labels
        with torch.no_grad():
            y = model(**x)
            y = y.last_hidden_state[0] if head == "embed" else y.logits[0]
        if head == "one":
            most = max(most, off(list(g["scores"].values()), y.softmax(-1)))
        elif head == "many":
            most = max(most, off(list(g["scores"].values()), y.sigmoid()))
            assert g["label"] == [f"L{i}" for i in range(n) if y[i] >= 0]
        elif head == "number":
            most = max(most, off(g["label"], y[0]))
        elif head == "embed":
            most = max(most, off(g["embedding"], y.mean(0)))
        elif head == "masked":
            i = (x.input_ids[0] == tok.mask_token_id).nonzero()[0, 0]
            p, k = y[i].softmax(-1).max(-1)
            most = max(most, off(g["scores"][0], p))
            assert g["words"][0].strip() == tok.decode([k]).strip(), (g["words"], tok.decode([k]))
        else:
            seen, at_byte, want = {}, 0, []
            starts = []
            for w in r["tokens"]:
                starts.append((at_byte, at_byte + len(w)))
                at_byte += len(w) + 1
            for i, (a, b) in enumerate(x.encodings[0].offsets):
                w = next((k for k, (s, e) in enumerate(starts) if s < b and a < e and b > a), None)
                if w is not None and x.encodings[0].special_tokens_mask[i] == 0:
                    seen.setdefault(w, i)
            want = [f"L{int(y[seen[k]].argmax())}" if k in seen else None for k in range(len(starts))]
            same = sum(a == b for a, b in zip(g["tags"], want))
            most = max(most, 0 if same == len(want) else 1)
    return most


def outputs(model, tok):
    x = tok(TEXTS[:8], truncation=True, max_length=PLACES, padding=True, return_tensors="pt")
    with torch.no_grad():
        y = model(**x)
    return y.last_hidden_state * x.attention_mask[:, :, None] if hasattr(y, "last_hidden_state") else (
        y.logits * x.attention_mask[:, :, None] if y.logits.dim() == 3 else y.logits)


def written(at, head, model, tok):
    """how far what quern writes of the model is from it"""
    words = {"masked": ["objective=masked"], "one": ["objective=classify"], "many": ["objective=classify", "multi=yes"],
             "number": ["objective=regress"], "tags": ["objective=tag"], "embed": ["objective=contrast"]}[head]
    rows = [dict(text=t, label={"many": ["L1"], "number": 0.5}.get(head, "L1"), tokens=["a"], tags=["L1"], positive=t)
            for t in TEXTS[:8]]
    again = at + ".again"
    p = subprocess.run([quern, "train", "-q", f"out={again}", f"base={at}", f"context={PLACES}", "lr=0", "steps=1",
                        "warmup=0", *words], input="".join(json.dumps(r) + "\n" for r in rows), text=True,
                       capture_output=True)
    assert p.returncode == 0, p.stderr
    other = type(model).from_pretrained(again).eval()
    assert other.config.id2label == model.config.id2label
    return off(outputs(other, tok), outputs(model, tok))


def main():
    bad = 0
    for family, make, prefix, vocabulary in (("bert", bert, "Bert", wordpiece), ("distilbert", distil, "DistilBert", wordpiece),
                                             ("mpnet", mpnet, "MPNet", wordpiece_signed),
                                             ("roberta", roberta, "Roberta", bytelevel),
                                             ("xlm-roberta", roberta, "XLMRoberta", bytelevel)):
        tokenizer, signs = vocabulary()
        names = ["input_ids", "attention_mask"] + ["token_type_ids"] * (family == "bert")
        tok = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=names, **signs)
        for head, name, more in heads(prefix):
            at = os.path.join(out, f"{family}-{head}")
            args = make(**more)
            args.update(vocab_size=tokenizer.get_vocab_size(), model_type=family,
                        max_position_embeddings=PLACES + (2 if "roberta" in family or family == "mpnet" else 0))
            torch.manual_seed(len(at))
            model = getattr(transformers, name)._from_config(AutoConfig.for_model(args.pop("model_type"), **args)).eval()
            with torch.no_grad():
                for p in model.parameters():
                    p.add_(torch.randn_like(p) * 0.1)
            model.save_pretrained(at)
            tokenizer.save(os.path.join(at, "tokenizer.json"))
            far = worst(at, head, model, tok, TEXTS, None)
            pair = worst(at, head, model, tok, TEXTS, TEXTS[::-1]) if head in ("one", "number") else 0
            back = written(at, head, model, tok)
            good = far < 1e-4 and pair < 1e-4 and back < 1e-5
            bad += not good
            print(f"{family}-{head}: said {far:.1e}, pairs {pair:.1e}, written {back:.1e}{'' if good else '  BAD'}")
    return bad > 0


sys.exit(main())
