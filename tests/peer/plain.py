# SPDX-License-Identifier: Apache-2.0
"""plain.py TEXTS.JSONL: lower-case words with blanks between, as both split."""
import json
import re
import sys

for i, line in enumerate(open(sys.argv[1])):
    words = re.findall(r"[a-z]+", json.loads(line)["text"].lower())
    if len(words) > 5:
        print(json.dumps({"id": f"d{i:05}", "text": " ".join(words)}, separators=(",", ":")))
