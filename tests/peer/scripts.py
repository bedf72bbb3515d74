# SPDX-License-Identifier: Apache-2.0
"""scripts.py FOLDER: which characters the pre-tokenizer UnicodeScripts of
tokenizers 0.23 keeps together, found by asking it.  Its output is hf_script.c in
appliance/text."""
import sys

from tokenizers import pre_tokenizers

pre = pre_tokenizers.UnicodeScripts()
scalars = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def together(a, b):
    return len(pre.pre_tokenize_str(chr(a) + chr(b))) == 1


known = []  # a character of each script
rows = []  # where a run of one script begins, and its number; 0 has none
last = None
for c in scalars:
    if together(0x61, c) and together(0x411, c):
        which = 0
    elif last and together(known[last - 1], c):
        which = last
    else:
        which = next((i + 1 for i, k in enumerate(known) if together(k, c)), 0)
        if which == 0:
            known.append(c)
            which = len(known)
    last = which or last
    if not rows or rows[-1][1] != which:
        rows.append((c, which))
out = """/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Written by tests/peer/scripts.py from the answers of tokenizers 0.23.3 about
 * every scalar value.
 */
#include "appliance/base/base.h"
#include "appliance/text/hf_script.h"

/* where a run of one script begins, times 256, and its number */
static const uint32_t runs[] = {
"""
line = "\t"
for c, which in rows:
    word = "0x%x" % (c << 8 | which)
    if len(line) + len(word) + 9 > 80:
        out += line.rstrip() + "\n"
        line = "\t"
    line += word + ", "
out += line.rstrip() + """
};

unsigned
hf_script(uint32_t c)
{
	size_t lo = 0, hi = BASE_COUNT(runs);

	while (lo < hi) {	/* the first that begins above c */
		size_t mid = (lo + hi) / 2;

		if (runs[mid] >> 8 > c)
			hi = mid;
		else
			lo = mid + 1;
	}
	return runs[lo - 1] & 255;
}
"""
print(len(rows), "runs", len(known), "scripts")
open(sys.argv[1] + "/hf_script.c", "w").write(out)
