# SPDX-License-Identifier: Apache-2.0
"""ranks.py BUILD TEXTS [FILE...]: ids and decoded texts of rank files beside
tiktoken's encode_ordinary: those of QUERN_TEST_DATA by their own patterns, and
small ones with random ranks and patterns, which are said in head lines."""
import base64
import json
import os
import random
import subprocess
import sys
import tempfile

import tiktoken as library
from tiktoken_ext import openai_public

from hf import strange

BUILD, COUNT = sys.argv[1], int(sys.argv[2])
KIMI = "|".join([
    r"[\p{Han}]+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
])


def published(path):
    name = os.path.basename(path).split(".")[0]
    ranks = {}
    for line in open(path, "rb"):
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    # the library's own constructors, their download replaced
    openai_public.load_tiktoken_bpe = lambda *_, **__: ranks
    pattern = KIMI if name == "kimi_k2" else openai_public.ENCODING_CONSTRUCTORS[name]()["pat_str"]
    return ranks, pattern


ATOMS = [
    "a", "b", " ", r"\s", r"\S", r"\d", r"\w", r"\W", r"\p{L}", r"\p{N}", r"\p{Lu}", "[a-c]", "[^a ]", ".", r"[\s\d]",
    r"[^\p{L}\r\n]", r"\p{Han}", r"[\p{L}&&[^\p{Lu}]]", r"\p{M}", r"\p{P}", "(?i:s)", "\u4e2d", r"[\r\n]", "'",
]
TIMES = ["", "", "", "+", "*", "?", "{1,3}", "{1,3}+", "{2}", "{2,}+", "++", "*+", "?+", "+?", "*?", "{,2}", "{1,2}?"]


def some_pattern(rng):
    out = []
    for _ in range(rng.randrange(1, 5)):
        part = "".join(rng.choice(ATOMS) + rng.choice(TIMES) for _ in range(rng.randrange(1, 4)))
        if rng.random() < 0.15:
            part += rng.choice([r"$", r"(?!\S)", r"\b", "(?=a)", "(?:a|b)+", r"\z"])
        if rng.random() < 0.1:
            part = rng.choice(["^", r"\b", "(?<=a)", "(?<![ab])", "(?s:.)", "(?>a+|b)"]) + part
        out.append(part)
    return "|".join(out) + rng.choice(["", "", r"|\s+|."])


def random_ranks(rng):
    tokens = [bytes([i]) for i in range(256)]
    rng.shuffle(tokens)
    letters = [c.encode() for c in "abcABC' \u00e9\u4e2d\u0301.1\n"]
    for _ in range(rng.randrange(200)):
        new = b"".join(rng.choice(letters + tokens[256:]) for _ in range(rng.randrange(2, 4)))
        if new not in tokens and len(new) < 30:
            tokens.append(new)
    return {t: i for i, t in enumerate(tokens)}


def quern(path, records, *words):
    lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
    out = subprocess.run([BUILD + "/quern", "tokenize", "-q", "-j", "1", *words, "with=" + path], input=lines, capture_output=True, text=True)
    return out.stderr if out.returncode else {r["id"]: r for r in map(json.loads, out.stdout.split("\n")[:-1])}


def compare(path, ranks, pattern, rng, n):
    """how many were compared and are different; None: the file is refused"""
    theirs = library.Encoding(name="x", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    words = [t.decode() for t in ranks if t.isascii()]
    texts = []
    for i in range(n):
        text = strange(rng)
        if i % 2:
            text += "".join(rng.choices(words, k=6)) + strange(rng, 9)
        texts.append(text)
    got = quern(path, [{"id": str(i), "text": t} for i, t in enumerate(texts)])
    if isinstance(got, str):
        return None, got
    bad = done = 0
    for i, text in enumerate(texts):
        try:
            want = theirs.encode_ordinary(text)
        except BaseException as e:  # a panic, as of a pattern that matches nothing
            if isinstance(e, KeyboardInterrupt):
                raise
            continue
        done += 1
        if got[str(i)]["ids"] != want:
            bad += 1
            if bad < 3:
                print("#", pattern, json.dumps(text, ensure_ascii=False), "got", got[str(i)]["ids"][:60], "want", want[:60])
    return done, bad


def main():
    rng = random.Random(int(os.environ.get("SEED", "1")))
    bad = cases = files = refused = 0
    for path in sys.argv[3:]:
        ranks, pattern = published(path)
        done, wrong = compare(path, ranks, pattern, rng, 10000)
        assert done is not None, wrong
        bad += wrong
        cases += done
        print(os.path.basename(path), wrong, "differences")
    path = os.path.join(tempfile.mkdtemp(), "random.tiktoken")
    while cases < COUNT and bad < 5:
        ranks, pattern = random_ranks(rng), some_pattern(rng)
        try:
            library.Encoding(name="x", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        except BaseException as e:
            if isinstance(e, KeyboardInterrupt):
                raise
            continue
        with open(path, "w") as out:
            out.write("# pattern %s\n" % pattern)
            for token, rank in ranks.items():
                out.write("%s %d\n" % (base64.b64encode(token).decode(), rank))
        done, wrong = compare(path, ranks, pattern, rng, 400)
        if done is None:
            refused += 1
            assert "its pattern" in wrong, wrong
            continue
        bad += wrong
        cases += done
        files += 1
    print(cases, "texts,", files, "random files,", refused, "refused,", bad, "differences")
    sys.exit(bad > 0)


main()
