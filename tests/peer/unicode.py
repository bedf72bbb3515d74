# SPDX-License-Identifier: Apache-2.0
"""unicode.py FOLDER: the classes of characters that tokenizers 0.23 goes by, found
by asking it about every scalar value.  Which characters Unicode 9.0 had, perl's
unicore tables say.  Its output is hf_gc.c and hf_props.c in appliance/text."""
import struct
import subprocess
import sys

from tokenizers import Regex, normalizers, pre_tokenizers

GC = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split()
SCRIPTS = "Han Hiragana Katakana Hangul Latin Greek Cyrillic Arabic Hebrew Thai Devanagari".split()
scalars = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
text = "".join(map(chr, scalars))


def matched(pattern):
    """the scalars that a pattern of Oniguruma matches"""
    split = pre_tokenizers.Split(Regex("(?:%s)+" % pattern), "removed", invert=True)
    out = set()
    for _, (a, b) in split.pre_tokenize_str(text):
        out.update(scalars[a:b])
    return out


def cut(pre):
    """the scalars that a pre-tokenizer takes away"""
    kept = set()
    for _, (a, b) in pre.pre_tokenize_str(text):
        kept.update(scalars[a:b])
    return set(scalars) - kept


def removed(normalizer):
    return {c for c in scalars if normalizer.normalize_str("x" + chr(c)) == "x"}


def charsmap():
    """a Precompiled normalizer whose table maps each byte but NUL to Y"""
    units = [256 << 10] + [0] * 511 + [1 << 31] + [0] * 511
    for label in range(1, 256):
        at = 256 ^ label
        units[at] = label | 1 << 8 | (512 ^ at) << 10
    table = struct.pack("<%dI" % len(units), *units)
    return normalizers.Precompiled(struct.pack("<I", len(table)) + table + b"Y\0")


def each(test):
    return {c for c in scalars if test(chr(c))}


def present(version):
    code = "for (0..0x10ffff) { next if $_ >= 0xd800 && $_ < 0xe000; print \"$_\\n\" if chr($_) =~ /\\p{Present_In: %s}/ }" % version
    run = subprocess.run(["perl", "-e", code], capture_output=True, check=True)
    return set(map(int, run.stdout.split()))


def runs(members):
    out = []
    for c in sorted(members):
        if out and out[-1][1] == c:
            out[-1][1] = c + 1
        else:
            out.append([c, c + 1])
    return out


def put(out, words, width):
    line = "\t"
    for w in words:
        if len(line.expandtabs(8)) + len(w) + 2 > width:
            out.append(line.rstrip())
            line = "\t"
        line += w + ", "
    out.append(line.rstrip())


gc = [GC.index("Cn")] * 0x110000
for i, name in enumerate(GC[:-1]):
    for c in matched(r"\p{%s}" % name):
        gc[c] = i
for c in range(0xD800, 0xE000):
    gc[c] = 29


def by_gc(*names):
    which = {i for i, n in enumerate(GC) if n.startswith(names)}
    return {c for c in scalars if gc[c] in which}


HEAD = """/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Written by tests/peer/unicode.py from the answers of tokenizers 0.23.3 about
 * every scalar value, and from perl's unicore for what Unicode 9.0 had.
 */
#include "appliance/base/base.h"
#include "appliance/text/hf_char.h"
"""
out = [HEAD, """/* general categories of Unicode 16.0 as runs: length - 1 times 32, and class;
 * 31 says by how many times 2,048 the next run is longer */
const uint16_t hf_gc_runs[] = {"""]
words, at = [], 0
while at < 0x110000:
    end = at
    while end < 0x110000 and gc[end] == gc[at]:
        end += 1
    n = end - at - 1
    if n >> 11:
        words.append("%d" % (n >> 11 << 5 | 31))
    words.append("%d" % ((n & 2047) << 5 | gc[at]))
    at = end
put(out, words, 80)
out += ["};", "const size_t hf_gc_count = BASE_COUNT(hf_gc_runs);", ""]
open(sys.argv[1] + "/hf_gc.c", "w").write("\n".join(out))
out = [HEAD]

bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
white = cut(pre_tokenizers.WhitespaceSplit())
assert white == matched(r"\s") and len(white) == 25
word = pre_tokenizers.Whitespace()
digit = pre_tokenizers.Digits(True)
join = charsmap()
assert join.normalize_str("aa") == "YY"
props = [
    ("HF_WORD", each(lambda c: word.pre_tokenize_str("a" + c)[0][0] == "a" + c), by_gc("L", "M", "Nd", "Pc")),
    ("HF_ONIG_WORD", matched(r"\w"), by_gc("L", "M", "Nd", "Pc")),
    ("HF_PUNCT", cut(pre_tokenizers.Punctuation("removed")), by_gc("P")),
    ("HF_OTHER", removed(normalizers.BertNormalizer(**{**bert, "clean_text": True})) - {0, 0xFFFD}, by_gc("Cc", "Cf", "Co")),
    ("HF_MN", removed(normalizers.BertNormalizer(**{**bert, "strip_accents": True})), by_gc("Mn")),
    ("HF_MARK", removed(normalizers.StripAccents()), by_gc("M")),
    ("HF_NUMERIC", each(lambda c: len(digit.pre_tokenize_str("a" + c)) == 2), by_gc("N")),
    ("HF_NEW", (set(scalars) - present("9.0")) - by_gc("Cn"), set()),
    ("HF_JOINS", each(lambda c: join.normalize_str("a" + c) == "Y"), by_gc("Mn", "Mc", "Me")),
    ("HF_LEADS", each(lambda c: join.normalize_str(c + "a") == "Y"), set()),
    ("HF_APART", each(lambda c: join.normalize_str(c + "\u0301") == "YY") | {0}, by_gc("Cc", "Cf", "Zl", "Zp")),
]
props += [
    ("HF_ALPHA", matched(r"\p{Alpha}"), by_gc("L", "Nl", "Mn", "Mc")),
    ("HF_UPPER", matched(r"\p{Upper}"), by_gc("Lu")),
    ("HF_LOWER", matched(r"\p{Lower}"), by_gc("Ll")),
    ("HF_ONIG_PUNCT", matched(r"[[:punct:]]"), by_gc("P")),
]
props += [("HF_" + name.upper(), matched(r"\p{%s}" % name), set()) for name in SCRIPTS]
words = []
for i, (name, have, base) in enumerate(props):
    end = 0
    diff = have ^ base
    if name == "HF_APART":
        diff = {c for c in diff if c < 0x10000}
    print(name, len(have), len(runs(diff)))
    for a, b in runs(diff):
        words.append("{%d,%d,%d}" % (i, a, b - a))
out += ["/* where a property differs from the categories that nearly are it */", "const struct hf_range hf_props[] = {"]
put(out, words, 80)
out += ["};", "const size_t hf_props_count = BASE_COUNT(hf_props);", ""]

lower = normalizers.Lowercase()
pairs = []
for c in scalars:
    low = lower.normalize_str(chr(c))
    if low != chr(c) and c != 0x130:
        assert len(low) == 1
        pairs.append((c, ord(low) - c))
rows = []
for c, d in pairs:
    if rows and rows[-1][3] == d:
        last = rows[-1]
        step = c - last[0] - (last[1] - 1) * max(last[2], 1)
        if last[1] == 1 and step < 3 or step == last[2]:
            last[2] = step
            last[1] += 1
            continue
    rows.append([c, 1, 1, d])
print("lower", len(pairs), len(rows))
out += ["/* lower case, Unicode 16.0: from, count, step, difference */", "const struct hf_lower hf_lowers[] = {"]
put(out, ["{%d,%d,%d,%d}" % tuple(r) for r in rows], 80)
out += ["};", "const size_t hf_lowers_count = BASE_COUNT(hf_lowers);", ""]
open(sys.argv[1] + "/hf_props.c", "w").write("\n".join(out))
