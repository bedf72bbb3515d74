# SPDX-License-Identifier: Apache-2.0
"""encoders.py QUERN TEXTS.jsonl [ROUNDS]: embeddings of texts by a model of MiniLM-L6's shape.

Random weights; 'quern infer' beside transformers, which gets the texts by length, 32 at a time, as
sentence-transformers does; one thread each, CPU seconds, the rounds interleaved, the best of each.  The
model's loading counts for both.  Both must say the same."""
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

torch.set_num_threads(1)
with open(sys.argv[2]) as f:
    texts = [json.loads(line)["text"] for line in f]


def make(at):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=8000, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    torch.manual_seed(1)
    BertModel(BertConfig(vocab_size=t.get_vocab_size(), hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
                         intermediate_size=1536), add_pooling_layer=False).save_pretrained(at)
    t.save(os.path.join(at, "tokenizer.json"))


def theirs(at):
    tok = PreTrainedTokenizerFast(tokenizer_file=os.path.join(at, "tokenizer.json"), pad_token="[PAD]",
                                  model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    model = BertModel.from_pretrained(at, add_pooling_layer=False).eval()
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    out = [None] * len(texts)
    with torch.inference_mode():
        for i in range(0, len(order), 32):
            some = order[i:i + 32]
            x = tok([texts[k] for k in some], truncation=True, max_length=512, padding=True, return_tensors="pt")
            y, m = model(**x).last_hidden_state, x.attention_mask[:, :, None]
            for k, e in zip(some, (y * m).sum(1) / m.sum(1)):
                out[k] = e
    return torch.stack(out), sum(len(tok(t, truncation=True, max_length=512).input_ids) for t in texts)


def ours(at):
    p = subprocess.run([sys.argv[1], "infer", "-q", "-j", "1", at, "overlong=cut"], capture_output=True, text=True,
                       input="".join(json.dumps(dict(text=t)) + "\n" for t in texts))
    return torch.tensor([json.loads(line)["embedding"] for line in p.stdout.splitlines()])


def cpu(who):
    u = resource.getrusage(who)
    return u.ru_utime + u.ru_stime


with tempfile.TemporaryDirectory() as at:
    make(at)
    best = [1e9, 1e9]
    for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 3):
        t = cpu(resource.RUSAGE_CHILDREN)
        a = ours(at)
        best[0] = min(best[0], cpu(resource.RUSAGE_CHILDREN) - t)
        t = time.process_time()
        b, tokens = theirs(at)
        best[1] = min(best[1], time.process_time() - t)
    print(f"{len(texts)} texts, {tokens} tokens, apart {(a - b).abs().max():.1e}")
    print(f"quern {best[0]:.2f} s, {tokens / best[0]:.0f} tokens/s; transformers {best[1]:.2f} s, "
          f"{tokens / best[1]:.0f} tokens/s; {best[1] / best[0]:.2f} times")
