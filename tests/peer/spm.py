# SPDX-License-Identifier: Apache-2.0
"""spm.py BUILD digests: of every scalar, for spm_test.
spm.py BUILD CASES [MODEL...]: SentencePiece's ids and decoded texts beside
ours, for models that are there, models that spm_test writes, models learned
here and those models changed at random (types, scores, rules).  Texts are drawn: words of the pieces, blanks
of all kinds, bytes of many scripts, long runs."""
import hashlib
import json
import os
import random
import subprocess
import sys

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb

BUILD = sys.argv[1]
CASES = 0 if sys.argv[2] == "digests" else int(sys.argv[2])
ALPHABET = ("abcdeABCDE01239.,;!?'\"()-_/<>|\\@#$%&*+= \t\n\r"
    "\u00a0\u2003\u3000\u2581\u200b\ufeff\u00adéèÉßſİıŒœñçÅåℌ①½ⅧﬁﬀΩωЖжЯя"
    "אבעربीकिขกา漢字かなカナｶﾞ゛ー한국어각ﷺ😀👍🏽👨‍👩‍👧\u0301\u0308\u0345\u1161"
    "\ud7ff\ue000\ufffd\uffff\U0001f1e6\U0001f1e7\U000e0041\U0010ffff\x01\x7f\x85")


def texts(rng, model, n):
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    for _ in range(n):
        out = []
        kind = rng.random()
        for _ in range(rng.randint(0, 12)):
            r = rng.random()
            if r < 0.45:
                out.append(rng.choice(pieces).replace("\u2581", rng.choice(
                    (" ", " ", " ", "\u2581", "  ", ""))))
            elif r < 0.75:
                out.append("".join(rng.choice(ALPHABET)
                    for _ in range(rng.randint(1, 6))))
            elif r < 0.85:
                out.append(rng.choice((" ", "  ", "\u2581", "   \n", "\u3000")))
            elif r < 0.95:
                c = rng.randint(1, 0x10ffff)
                out.append(chr(c) if not 0xd800 <= c < 0xe000 else "x")
            else:
                out.append(rng.choice(ALPHABET) * rng.randint(2, 70))
        if kind < 0.3:
            out = " ".join(out)
        yield "".join(out)


def quern(model, lines, *words):
    out = subprocess.run([BUILD + "/quern", "tokenize", "-q", *words, "with=" + model],
        input="".join(lines), capture_output=True, text=True)
    assert out.returncode == 0, (model, out.stderr)
    # a record that cannot be decoded is not handed on
    return {r["id"]: r for r in map(json.loads, out.stdout.split("\n")[:-1])}


def records(values, field):
    return [json.dumps({"id": str(i), field: v}, ensure_ascii=False) + "\n"
        for i, v in enumerate(values)]


def sweep():
    """every scalar value, among others of its kind and beside a letter"""
    for first in range(0, 0x110000, 64):
        some = [chr(c) for c in range(first, first + 64)
            if not 0xd800 <= c < 0xe000]
        yield "".join(some)
        yield "x".join(some)


def long_texts(rng):
    """so long that sums of floats lose their last bits"""
    words = open("/usr/share/common-licenses/GPL-3").read()
    yield words * 20
    yield " ".join(rng.sample(words.split() * 20, 80000))
    yield "a" * 100000
    yield " " * 100000 + "b"
    yield "".join(rng.choice(ALPHABET) for _ in range(100000))


def compare(path, rng, n, more=()):
    model = spm.SentencePieceProcessor(model_file=path)
    some = list(texts(rng, model, n)) + list(more)
    got = quern(path, records(some, "text"))
    bad = 0
    for i, text in enumerate(some):
        want = model.encode(text)
        ids = got[str(i)]["ids"]
        if ids != want:
            bad += 1
            if bad < 4:
                print("#", path, repr(text)[:400], "got", ids[:200], "want",
                    want[:200])
    size = model.get_piece_size()
    some = [model.encode(t) if rng.random() < 0.7 else [rng.randrange(size)
        for _ in range(rng.randint(0, 8))] for t in some]
    got = quern(path, records(some, "ids"), "decode")
    for i, ids in enumerate(some):
        want = model.decode(ids)
        have = got.get(str(i), {}).get("text")
        if have != want:
            bad += 1
            if bad < 7:
                print("#", path, ids, "got", repr(have), "want", repr(want))
    return bad


def learned(into):
    """small models of each kind"""
    source = "/usr/share/common-licenses/GPL-3"
    rules = (dict(), dict(normalization_rule_name="nfkc_cf"),
        dict(normalization_rule_name="identity",
            remove_extra_whitespaces=False),
        dict(add_dummy_prefix=False),
        dict(treat_whitespace_as_suffix=True),
        dict(split_by_whitespace=False, byte_fallback=True),
        dict(user_defined_symbols=["<sep>", "the", "ab", "\u2581of", "a b"],
            control_symbols=["<ctl>", "GNU"]),
        dict(allow_whitespace_only_pieces=True, byte_fallback=True,
            normalization_rule_name="identity"))
    for kind, size in (("bpe", 700), ("unigram", 700), ("word", 500),
            ("char", 60)):
        for i, rule in enumerate(rules):
            name = "%s/%s%d" % (into, kind, i)
            more = 260 if rule.get("byte_fallback") else 0
            spm.SentencePieceTrainer.train(input=source, model_prefix=name,
                model_type=kind, vocab_size=size + more, minloglevel=2,
                hard_vocab_limit=False, character_coverage=0.999, **rule)
            yield name + ".model"


def changed(path, into, rng):
    """another model: types, scores and rules drawn anew"""
    proto = pb.ModelProto()
    proto.ParseFromString(open(path, "rb").read())
    normal = [p for p in proto.pieces if p.type == 1]
    kinds = pb.ModelProto.SentencePiece
    what = rng.random()
    for p in rng.sample(normal, len(normal) // 8):
        if what < 0.3:
            p.score = float(rng.randint(-3, 1))
        elif what < 0.5:
            p.score = rng.choice(normal).score
        elif what < 0.7:
            p.type = rng.choice((kinds.UNUSED, kinds.USER_DEFINED, kinds.CONTROL))
        elif what < 0.8:
            p.type = kinds.UNUSED
    for flag in ("add_dummy_prefix", "remove_extra_whitespaces",
            "escape_whitespaces"):
        if rng.random() < 0.2:
            setattr(proto.normalizer_spec, flag, rng.random() < 0.5)
    if rng.random() < 0.2:
        proto.trainer_spec.treat_whitespace_as_suffix ^= True
    if rng.random() < 0.2:
        proto.trainer_spec.unk_surface = "\u2581?"
    if rng.random() < 0.2:
        proto.denormalizer_spec.CopyFrom(proto.normalizer_spec)
        proto.denormalizer_spec.escape_whitespaces = rng.random() < 0.3
    name = "%s/changed.model" % into
    open(name, "wb").write(proto.SerializeToString())
    return name


def digests(written):
    """ids of every scalar by the models of spm_test, as test_sweep asks"""
    for name in "bytes", "unigram", "suffix", "maps", "char":
        model = spm.SentencePieceProcessor(model_file="%s/%s.model" % (written, name))
        both = [hashlib.blake2b(digest_size=32) for _ in range(2)]
        for block in range(0x110000 // 1024):
            some = [chr(c) for c in range(block * 1024, block * 1024 + 1024)
                if not 0xd800 <= c < 0xe000]
            ids = model.encode("".join("%sa%s%s %s1" % (c, c, c, c) for c in some))
            data = b"".join(i.to_bytes(2, "little") for i in ids)
            both[0].update(data)
            if block < 4 or block % 64 == 10:
                both[1].update(data)
        print('\t{ "%s",\n\t    "%s",\n\t    "%s" },' % (name, both[0].hexdigest(), both[1].hexdigest()), flush=True)


def main():
    rng = random.Random(int(os.environ.get("SEED", "1")))
    into = os.environ.get("TMPDIR", ".")
    written = os.path.join(into, "written")
    os.makedirs(written, exist_ok=True)
    subprocess.run([BUILD + "/tests/spm_test", written], check=CASES > 0,
        stdout=subprocess.DEVNULL)
    if sys.argv[2] == "digests":
        return digests(written)
    models = sys.argv[3:] + [e.path for e in os.scandir(written)]
    bad = cases = 0
    small = list(learned(into))
    each = max(1, CASES // (2 * (len(models) + 3 * len(small))))
    for path in models + small:
        more = [*sweep(), *long_texts(rng)] if path in models + small[:2] \
            else [*long_texts(rng)]
        bad += compare(path, rng, each, more)
        cases += 2 * (each + len(more))
    for _ in range(2):
        for path in small:
            bad += compare(changed(path, into, rng), rng, each)
            cases += 2 * each
    print(cases, "cases,", bad, "differences")
    sys.exit(bad > 0)


main()
