# SPDX-License-Identifier: Apache-2.0
"""search.py DOCUMENTS.JSONL FOUND.JSONL: scores of bm25s beside ours."""
import json
import sys

import bm25s

documents = [json.loads(line) for line in open(sys.argv[1])]
place = {d["id"]: i for i, d in enumerate(documents)}
retriever = bm25s.BM25(method="lucene", k1=1.2, b=0.75, dtype="float64")
retriever.index([d["text"].split() for d in documents], show_progress=False)
n, worst = 0, 0.0
for line in open(sys.argv[2]):
    record = json.loads(line)
    scores = retriever.get_scores(record["question"].split())
    best = sorted(scores, reverse=True)
    for k, hit in enumerate(record["passages"]):
        want = float(scores[place[hit["id"]]])
        worst = max(worst, abs(hit["score"] - want), abs(best[k] - want))
        n += 1
print(n, "passages, worst difference", worst)
assert n > 200 and worst < 1e-5
