# SPDX-License-Identifier: Apache-2.0
"""ids.py TOKENIZER.JSON RECORDS.JSONL: the library's ids beside ours."""
import json
import sys

from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
n = 0
for line in open(sys.argv[2]):
    record = json.loads(line)
    want = tokenizer.encode(record["text"], add_special_tokens=False).ids
    assert record["ids"] == want, (record["text"], record["ids"], want)
    n += 1
assert n > 3000, n
print(n, "texts")
