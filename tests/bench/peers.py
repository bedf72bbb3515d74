#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Peers of tokenize.sh, and its table.

  peers.py run PEER VOCABULARY THREADS ROUNDS BYTES TEXT...
      the columns of tests/bench/tokenize for gigatoken, tokenizers, tiktoken or
      sentencepiece
  peers.py table FILE
      FILE has lines: vocabulary, threads, who, and those columns
  peers.py verse DIR BYTES
      so much of the texts in a folder of JSON files
"""
import hashlib, os, statistics, sys, time
from collections import defaultdict

import numpy


def documents(data, size):
    at = 0
    while at < len(data):
        end = len(data) if len(data) - at <= size else data.find(b"\n", at + size) + 1
        end = end or len(data)
        yield data[at:end]
        at = end


def tiktoken_encoding(path):
    import base64, tiktoken, tiktoken_ext.openai_public as public
    name = os.path.basename(path).removesuffix(".tiktoken")
    name = {"gpt2.json": "r50k_base"}.get(name, name)
    if path.endswith(".json"):
        path = os.path.join(os.path.dirname(path), "../tiktoken", name + ".tiktoken")
    ranks = {}
    for line in open(path, "rb"):
        if line.strip():
            token, rank = line.split()
            ranks[base64.b64decode(token)] = int(rank)
    pattern = getattr(public, "r50k_pat_str") if name == "r50k_base" else None
    if pattern is None:
        # the constructors only name the pattern beside a download, which is not made
        public.load_tiktoken_bpe = lambda *a, **k: ranks
        pattern = getattr(public, name)()["pat_str"]
    return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def encoder(peer, path, threads):
    """a function from documents (bytes) to a list of arrays of ids"""
    if peer == "gigatoken":
        import gigatoken
        t = (gigatoken.Tokenizer.from_tiktoken(path) if path.endswith(".tiktoken")
             else gigatoken.Tokenizer(path))
        parallel = None if threads > 1 else False
        return lambda docs: t.encode_batch(docs, parallel=parallel)
    if peer == "tokenizers":
        import tokenizers
        t = tokenizers.Tokenizer.from_file(path)
        return lambda docs: t.encode_batch(docs, add_special_tokens=False)
    if peer == "sentencepiece":
        import sentencepiece
        t = sentencepiece.SentencePieceProcessor(model_file=path)
        return lambda docs: t.encode(docs, num_threads=threads)
    t = tiktoken_encoding(path)
    if threads == 1:
        return lambda docs: [t.encode_ordinary(d) for d in docs]
    return lambda docs: t.encode_ordinary_batch(docs, num_threads=threads)


def run(peer, path, threads, rounds, size, texts):
    encode = encoder(peer, path, threads)
    for name in texts:
        data = open(name, "rb").read()
        docs = list(documents(data, size))
        if peer != "gigatoken":
            docs = [d.decode() for d in docs]
        cpu, wall = [], []
        for _ in range(rounds):
            c, w = time.process_time(), time.perf_counter()
            out = encode(docs)
            cpu.append(len(data) / 1e6 / (time.process_time() - c))
            wall.append(len(data) / 1e6 / (time.perf_counter() - w))
        h, n = hashlib.blake2b(digest_size=32), 0
        for ids in out:
            ids = numpy.asarray(ids.ids if peer == "tokenizers" else ids, dtype="<u4")
            h.update(ids.tobytes())
            n += len(ids)
        digest = h.hexdigest()[:16] if threads == 1 else "-"
        print(name, len(data), n, digest, f"{cpu[0]:.1f}", f"{max(cpu):.1f}",
              f"{max(wall):.1f}", "-", sep="\t")


def table(path):
    rows = defaultdict(list)
    ids = defaultdict(set)
    for line in open(path):
        vocab, threads, who, text, size, n, digest, first, best, wall, back = line.rstrip("\n").split("\t")
        key = vocab, int(threads), os.path.basename(text)
        rows[key, who].append((float(first), float(best), float(wall), back))
        ids[key].add((n, digest))
    last = None
    for (key, who), r in sorted(rows.items(), key=lambda x: (x[0][0], -statistics.median(y[1] for y in x[1]))):
        if key != last:
            same = "the same ids" if len(ids[key]) == 1 else "DIFFERENT IDS"
            print(f"\n{key[0]}, {key[1]} thread{'s' * (key[1] > 1)}, {key[2]}: {same}")
            last = key
        ours = statistics.median(y[1] for y in rows[key, "quern"])
        first, best, wall = (statistics.median(y[i] for y in r) for i in range(3))
        back = "" if r[0][3] == "-" else f", back {statistics.median(float(y[3]) for y in r):.0f}"
        print(f"  {who:10} cpu {best:7.1f} MB/s (first {first:.1f}), wall {wall:7.1f}{back}; "
              f"quern is {ours / best:.2f} times")


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part)


def verse(folder, size):
    import glob, json
    out, n = [], 0
    for name in sorted(glob.glob(folder + "/**/*.json", recursive=True)):
        for line in strings(json.load(open(name, encoding="utf-8"))):
            out.append(line)
            n += len(line) * 3
        if n > size:
            break
    data = "\n".join(out).encode()[:size]
    sys.stdout.buffer.write(data.decode(errors="ignore").encode())


if sys.argv[1] == "table":
    table(sys.argv[2])
elif sys.argv[1] == "verse":
    verse(sys.argv[2], int(sys.argv[3]))
else:
    run(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]), sys.argv[7:])
