# SPDX-License-Identifier: Apache-2.0
"""search.py prepare DATA DIR TIMES | peer DIR TSV | score FOUND TSV: BEIR's
SciFact for search.sh; bm25s on one thread beside quern."""
import ast
import csv
import io
import json
import math
import sys
import time
import zipfile


def qrels(path):
    out = {}
    for line in open(path):
        q, d, rel = line.split("\t")
        if rel.strip().isdigit() and int(rel) > 0:
            out.setdefault(q, {})[d] = int(rel)
    return out


def prepare(data, out, times):
    judged = qrels(data + "/test.tsv")
    corpus = zipfile.ZipFile(data + "/scifact.zip").open("corpus_train.csv")
    with open(out + "/docs.jsonl", "w") as f:
        for d in csv.DictReader(io.TextIOWrapper(corpus, "utf-8")):
            text = " ".join(s.strip() for s in ast.literal_eval(d["abstract"]))
            print(json.dumps({"id": d["doc_id"], "title": d["title"], "text": text}), file=f)
    questions = [json.loads(line) for line in open(data + "/queries.jsonl")]
    with open(out + "/questions.jsonl", "w") as f:
        for t in range(int(times)):
            for q in questions:
                if q["_id"] in judged:
                    print(json.dumps({"id": q["_id"], "question": q["text"]}), file=f)


def ndcg(found, judged):
    total = 0.0
    for q, rel in judged.items():
        gain = sum(rel.get(d, 0) / math.log2(i + 2) for i, d in enumerate(found[q][:10]))
        best = sorted(rel.values(), reverse=True)[:10]
        total += gain / sum(r / math.log2(i + 2) for i, r in enumerate(best))
    return total / len(judged)


def peer(out, tsv):
    import bm25s
    import Stemmer

    docs = [json.loads(line) for line in open(out + "/docs.jsonl")]
    questions = [json.loads(line) for line in open(out + "/questions.jsonl")]
    stemmer = Stemmer.Stemmer("english")
    began = time.time()
    words = bm25s.tokenize(
        [d["title"] + " " + d["text"] for d in docs],
        stopwords=None, stemmer=stemmer, token_pattern=r"(?u)\b\w+\b", show_progress=False,
    )
    index = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    index.index(words, show_progress=False)
    built = time.time() - began
    began = time.time()
    asked = bm25s.tokenize(
        [q["question"] for q in questions],
        stopwords=None, stemmer=stemmer, token_pattern=r"(?u)\b\w+\b", show_progress=False,
    )
    ids, _ = index.retrieve(asked, k=10, n_threads=1, show_progress=False)
    rate = len(questions) / (time.time() - began)
    found = {q["id"]: [docs[i]["id"] for i in row] for q, row in zip(questions, ids)}
    print(f"{built * 1000:.0f} {rate:.0f} {ndcg(found, qrels(tsv)):.4f}")


def score(found, tsv):
    hits = {}
    for line in open(found):
        r = json.loads(line)
        hits[r["id"]] = [p["id"] for p in r["passages"]]
    print(f"{ndcg(hits, qrels(tsv)):.4f}")


{"prepare": prepare, "peer": peer, "score": score}[sys.argv[1]](*sys.argv[2:])
