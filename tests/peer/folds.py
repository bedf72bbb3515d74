# SPDX-License-Identifier: Apache-2.0
"""folds.py SIDE: (?i) before each letter that has another case, by itself and in
brackets, over all such letters, ours beside the library's.  Letters that are
several characters are refused here, and must be among those that are so."""
import json
import sys

from hf import Side
from tokenizers import Tokenizer

side = Side(sys.argv[1])
cased = [c for c in map(chr, range(0x110000)) if c.lower() != c or c.upper() != c or c.casefold() != c]
text = " ".join(cased)
refused = bad = 0
for c in cased:
    for regex in ("(?i)" + c, "(?i)[%s-%s]" % (c, c), "(?i)[^%s ]" % c, "(?i)a%s+" % c):
        file = json.dumps({
            "version": "1.0", "added_tokens": [], "model": {"type": "Unigram", "unk_id": 0, "vocab": [["?", 0.0]]},
            "pre_tokenizer": {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}})
        some = text if regex[4] != "a" else "a" + " a".join(cased)
        if "refused" in side.ask({"json": file})[0]:
            refused += 1
            assert len(c.casefold()) > 1 or regex[4] == "a" and c in "\u02be\u1e9a", regex
            continue
        want = [list(x) for x in Tokenizer.from_str(file).encode(some).offsets]
        got = side.ask({"text": some, "flags": 8})[0]
        if "units" not in got or [u[2:4] for u in got["units"]] != want:
            print("differs:", ascii(regex))
            bad += 1
print(len(cased), "letters,", refused, "patterns refused,", bad or "no", "differences")
sys.exit(bad > 0)
