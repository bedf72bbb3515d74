# SPDX-License-Identifier: Apache-2.0
"""learn.py texts DATA MEGABYTES OUT.JSONL: texts of that much, from the test data
and this machine's documentation, in records of 20,000 characters.
learn.py bpe|unigram|sentencepiece TEXTS.JSONL SIZE OUT: learns as the library
does; prints seconds and seconds of CPU, without the interpreter's start and
without reading.
learn.py same OURS.JSON THEIRS.JSON: the same merges and ids?
learn.py length TOKENIZER HELD.JSONL: ids of texts."""
import glob
import gzip
import json
import os
import resource
import sys
import time


def texts(name):
    return [json.loads(line)["text"] for line in open(name)]


def gather(data, megabytes, out):
    left = megabytes * 1000000
    names = []
    for top in (data + "/corpora/classic_books", data + "/corpora", "/usr/share/doc", "/usr/include"):
        names += sorted(glob.glob(top + "/**/*", recursive=True))
    with open(out, "w") as f:
        for name in dict.fromkeys(names):
            if left <= 0 or not os.path.isfile(name):
                continue
            raw = open(name, "rb").read()
            try:
                text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
            except (UnicodeDecodeError, OSError, EOFError):
                continue
            if "\0" in text:
                continue
            for i in range(0, len(text), 20000):
                piece = text[i : i + 20000]
                left -= len(piece.encode())
                f.write(json.dumps({"text": piece}, ensure_ascii=False) + "\n")
                if left <= 0:
                    break


def clock():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return time.time(), r.ru_utime + r.ru_stime


def bpe(name, size, out):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learnt = texts(name)
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    start = clock()
    t.train_from_iterator(learnt, trainer)
    end = clock()
    t.save(out)
    return end[0] - start[0], end[1] - start[1]


def unigram(name, size, out):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learnt = texts(name)
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    trainer = trainers.UnigramTrainer(
        vocab_size=size,
        special_tokens=["<unk>", "<s>", "</s>"],
        unk_token="<unk>",
        show_progress=False,
    )
    start = clock()
    t.train_from_iterator(learnt, trainer)
    end = clock()
    t.save(out)
    return end[0] - start[0], end[1] - start[1]


def sentencepiece(name, size, out):
    import sentencepiece as spm

    learnt = texts(name)
    with open(out, "wb") as f:
        start = clock()
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(learnt),
            model_writer=f,
            vocab_size=size,
            model_type="unigram",
            character_coverage=1.0,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            split_by_unicode_script=False,
            split_by_number=False,
            max_sentence_length=1 << 24,
            num_threads=2,
            minloglevel=2,
        )
        end = clock()
    return end[0] - start[0], end[1] - start[1]


def same(ours, theirs):
    def read(name):
        model = json.load(open(name))["model"]
        return model["vocab"], [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]

    return "the same merges and ids" if read(ours) == read(theirs) else "ANOTHER VOCABULARY"


def length(tokenizer, held):
    if tokenizer.endswith(".model"):
        import sentencepiece as spm

        t = spm.SentencePieceProcessor(model_file=tokenizer)
        return sum(len(t.encode(x)) for x in texts(held))
    from tokenizers import Tokenizer

    t = Tokenizer.from_file(tokenizer)
    return sum(len(e.ids) for e in t.encode_batch(texts(held), add_special_tokens=False))


act, args = sys.argv[1], sys.argv[2:]
if act == "texts":
    gather(args[0], int(args[1]), args[2])
elif act == "same":
    print(same(*args))
elif act == "length":
    print(length(*args))
else:
    print("%.2f %.2f" % {"bpe": bpe, "unigram": unigram, "sentencepiece": sentencepiece}[act](args[0], int(args[1]), args[2]))
