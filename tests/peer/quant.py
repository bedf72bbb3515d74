# SPDX-License-Identifier: Apache-2.0
"""The table of tests/quant_test.c, from PyPI's gguf: for each form FNV-1a of
what its blocks decode to, and of what numbers are encoded to (0: it has no
encoder).  With a program's output as argument the two are compared."""
import sys

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize

FORMS = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K",
         "Q5_K", "Q6_K", "Q2_K", "Q3_K", "IQ4_NL", "IQ4_XS", "MXFP4"]
HALVES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0],
          "Q5_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
          "F16": [0], "BF16": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": []}
BLOCKS = 512


def stream(seed):
    x = seed
    while True:
        x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
        yield x >> 40


def fnv(data):
    h = 0xcbf29ce484222325
    for b in data:
        h = (h ^ b) * 0x100000001b3 % 2**64
    return h


def blocks(form):
    size = GGML_QUANT_SIZES[Type[form]][1]
    draw = stream(1)
    raw = np.array([next(draw) >> 16 for _ in range(BLOCKS * size)],
                   np.uint8).reshape(BLOCKS, size)
    for at in HALVES[form]:             # a half that is finite
        raw[:, at + 1] &= 0xbb
    return raw


def numbers(block):
    draw = stream(2)
    out = []
    for i in range(BLOCKS):
        scale = np.float32(2.0 ** (i % 16 - 8))
        row = [np.float32((next(draw) - 2**23) / 2**23) * scale
               for _ in range(block)]
        out.append([0] * block if i % 7 == 0 else
                   [row[0]] * block if i % 7 == 1 else row)
    return np.array(out, np.float32)


lines = []
for form in FORMS:
    decoded = dequantize(blocks(form), Type[form]).astype(np.float32)
    try:
        coded = fnv(quantize(numbers(GGML_QUANT_SIZES[Type[form]][0] * (
            32 if form in ("F16", "BF16") else 1)), Type[form]).tobytes())
    except NotImplementedError:
        coded = 0
    halves = (HALVES[form] + [-1, -1])[:2]
    lines.append('\t{ "%s", %#x, %#x,\n\t    { %d, %d } },' % (form.lower(),
                 fnv(decoded.tobytes()), coded, *halves))
if len(sys.argv) > 1:
    have = open(sys.argv[1]).read()
    for line in lines:
        if line not in have:
            sys.exit("quant_test.c lacks " + line)
    print("quant_test.c has all", len(lines), "lines")
else:
    print("\n".join(lines))
