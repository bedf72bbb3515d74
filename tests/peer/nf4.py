# SPDX-License-Identifier: Apache-2.0
"""nf4.py - what bitsandbytes makes of the numbers of tests/held_test.c, which has
this in its tables: a hash of the codes, the scales' bytes, their mean and steps,
sums of squares of the numbers and of what they lose."""
import numpy as np
import torch
import bitsandbytes.functional as F


def numbers(n):
    i = np.arange(n, dtype=np.uint64)
    u = ((i * 2654435761) % 2**32 >> 8).astype(np.float32) / np.float32(2**24)
    x = u - np.float32(0.5)
    size = ((i // 64) % 37 + 1).astype(np.float32) / np.float32(64)
    return x * x * x * size


def fold(b):
    h = 0
    for v in b.reshape(-1).tolist():
        h = (h * 31 + v) % 2**64
    return h


torch.set_num_threads(1)
x = torch.from_numpy(numbers(64 * 600))
for double in (False, True):
    q, s = F.quantize_4bit(x, blocksize=64, quant_type="nf4", compress_statistics=double)
    back = F.dequantize_4bit(q, s).numpy()
    print("data %016x" % fold(q.numpy()))
    if double:
        print("mean %.9g" % float(s.offset), "steps", " ".join("%.9g" % v for v in s.state2.absmax.numpy()))
        print(s.absmax.numpy().tobytes().hex())
    print("sum of squares %.12g" % float((back.astype(np.float64) ** 2).sum()),
          "of errors %.12g" % float(((back.astype(np.float64) - x.numpy()) ** 2).sum()))
