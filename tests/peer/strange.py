# SPDX-License-Identifier: Apache-2.0
"""Texts that nobody writes, the same ones each time."""
import json
import random

rng = random.Random(7)
pools = [
    list(range(0x20, 0x7F)),
    list(range(0xA0, 0x250)),
    list(range(0x300, 0x370)),
    list(range(0x4E00, 0x4E80)) + [0x3000, 0x3001],
    [0x20, 0x20, 0x09, 0x0A, 0x0D, 0x85, 0xA0, 0x2003, 0x2028],
    list(range(0x1F600, 0x1F650)) + [0x200D, 0xFE0F],
    list(range(0x30, 0x3A)) + list(range(0x660, 0x66A)) + [0xB2, 0x2167],
    [ord(c) for c in "'stmdrevl"],
]
for i in range(3000):
    text = "".join(
        chr(rng.choice(rng.choice(pools))) for _ in range(rng.randrange(1, 60))
    )
    print(json.dumps({"id": f"s{i}", "text": text}, ensure_ascii=False))
