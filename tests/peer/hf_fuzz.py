# SPDX-License-Identifier: Apache-2.0
"""hf_fuzz.py SIDE SECONDS [SEED]: random pipelines of tokenizer.json over small
vocabularies and random texts, ours beside the library's.  A difference is
printed with all that makes it again; five end the run."""
import base64
import collections
import io
import json
import os
import random
import sys
import tempfile
import time

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb
from hf import POOLS, Side, compare, strange
from tokenizers import Tokenizer

LETTERS = list("abcdeABCz \u00e9\u00c9\u0301\u4e2d\u56fd\u2581.,!1\u00bd'\n\t\u0130\u00df\ufb01\uac00\u1100\u00e4")
BYTES = list("abcde\u0120\u010a\u00c3\u00a9\u00e4\u00b8\u0143.1'")
SPECIALS = ["<s>", "</s>", "[CLS]", "<mask>", "ab", " a", "Ab", "a b", "b\u00e9", "\u2581a", "  ", ".a", "A", "bc d", "\u4e2d"]
REGEXES = [
    r"\s+", r"\d", r"\p{L}+", r"[^\s\p{L}\p{N}]+", r" ?\p{L}+|\s+(?!\S)|\s+", r"\p{N}{1,3}+", r"(?i:'s|'t|a)",
    r"\w+|[^\w\s]+", r"^a", r"a$", r"\b", r"x*", r"", r"(?<=a)b", r"(?<!a)b+", r"(?>a+|b)c", r"a++b", r"a*?b",
    r"[a-c&&[^b]]+", r"\p{Han}|\p{Lu}\p{Ll}*", r".", r"(?m).", r"\R", r"[[:punct:]]", r"\h+", r"(a|ab)(c|bcd)",
    r"\A.", r".\z", r".\Z", r"\p{P}|\p{S}", r"[\r\n]|\x{e9}|\u4e2d", r"(?:ab|a)+b", r"a{2,}|b{,2}c", r"[^\n]+?(?=b|$)",
    r"(a|b)\1", r"(?<x>ab?)\k<x>", r"(a)|b\1", r"(?i)(a|\u00e9)\1", r"(?:(a)|b)*\1", r"(\p{L})\1+", r"(?i)stra\u00dfe|ss|st",
    r"(?i:\p{Lu}+)", r"(?i)[\u00e0-\u00ff]+", r"(?i)[^a-d]", r"(?i)\u03c3|\u0130|i|k", r"(?i)(?:ab|\ufb01)+", r"[[:alpha:][:digit:]]+",
    r"[^[:space:]a]", r"(?-i:a)b", r"(a*)*", r"(a|b*)*c", r"(?:a?b?)+",
    r"\p{M}+", r"(?x) a | b # c", r"\P{L}+", r"\p{^L}", r"[\p{L}\p{M}]+|\p{N}", r"'(?:[sdmt]|ll|ve|re)",
]


def some_regex(rng, depth=0):
    if depth == 0 and rng.random() < 0.6:
        return rng.choice(REGEXES)
    atoms = ["A", "z", "[b-\u00e9]", "\u00e9", "\u00df", "\u0130", "[[:upper:]]", r"\p{Ll}", r"\P{N}", r"[\w&&[^a]]", "a", "b", "c", " ", r"\s", r"\S", r"\d", r"\w", r"\W", r"\p{L}", r"\p{N}", r"\p{Lu}", "[a-c]", "[^a ]", ".", r"[\s\d]", "\u4e2d", r"[^\p{L}\r\n]"]
    quantifiers = ["", "", "", "", "+", "*", "?", "{1,2}", "{2}", "+?", "*?", "??", "++", "*+", "?+", "{,2}", "{2,}"]
    out = ""
    for _ in range(rng.randrange(1, 4)):
        kind = rng.random()
        if kind < 0.6 or depth > 2:
            out += rng.choice(atoms) + rng.choice(quantifiers)
        elif kind < 0.75:
            out += "(?:%s)" % some_regex(rng, depth + 1) + rng.choice(quantifiers)
        elif kind < 0.85:
            out += "(?:%s|%s)" % (some_regex(rng, depth + 1), some_regex(rng, depth + 1)) + rng.choice(quantifiers)
        elif kind < 0.9:
            out += "(?%s%s)" % (rng.choice("=!"), some_regex(rng, depth + 1))
        elif kind < 0.93:
            out += "(?<%s%s)" % (rng.choice("=!"), rng.choice(["a", "ab", r"\s", r"a|bc", "[a-c]"]))
        elif kind < 0.94:
            out += "(?%s:%s)" % (rng.choice(["i", "i", "m", "-i", "im"]), some_regex(rng, depth + 1))
        elif kind < 0.96:
            out += "(?>%s)" % some_regex(rng, depth + 1)
        else:
            out += rng.choice(["^", "$", r"\b", r"\B"])
    if rng.random() < 0.2:
        out += "|" + some_regex(rng, depth + 1)
    return out


def pattern(rng):
    if rng.random() < 0.4:
        return {"String": rng.choice([" ", "a", "ab", "  ", "\u2581", ".", "", "bc", "\u00e9", "``"])}
    return {"Regex": some_regex(rng)}


def word(rng, letters=LETTERS, most=4):
    return "".join(rng.choice(letters) for _ in range(rng.randrange(1, most)))


def flag(rng):
    return rng.random() < 0.5


def lacking(rng, d, *names):
    """sometimes without members that have defaults"""
    for name in names:
        if rng.random() < 0.15:
            d.pop(name, None)
    return d


def nested(rng, one, list_name, n):
    """a sequence of n, some of them sequences again"""
    parts = [one() for _ in range(n)]
    if n > 1 and rng.random() < 0.2:
        parts = [{"type": "Sequence", list_name: parts[:-1]}, parts[-1]]
    return {"type": "Sequence", list_name: parts}


CHARSMAPS = []


def charsmaps(rng):
    """precompiled tables: SentencePiece's own rules and some at random"""
    rules = [{"normalization_rule_name": n} for n in ("nmt_nfkc", "nfkc_cf")]
    for i in range(6):
        name = os.path.join(tempfile.gettempdir(), "rules%d.tsv" % os.getpid())
        keys = {word(rng, most=3) for _ in range(30)}
        with open(name, "w") as out:
            for k in sorted(keys):
                to = word(rng, most=5) if rng.random() < 0.8 else ""
                if to == k:
                    continue
                out.write("%s\t%s\n" % (" ".join("%X" % ord(c) for c in k), " ".join("%X" % ord(c) for c in to)))
        rules.append({"normalization_rule_tsv": name})
        yield from made(rules)
        rules = []
        os.remove(name)


def made(rules):
    for rule in rules:
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["the miller grinds corn"]), model_writer=model, vocab_size=18,
            model_type="char", minloglevel=2, hard_vocab_limit=False, **rule)
        proto = pb.ModelProto()
        proto.ParseFromString(model.getvalue())
        yield base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()


def normalizer(rng):
    def one():
        if CHARSMAPS and rng.random() < 0.1:
            return {"type": "Precompiled", "precompiled_charsmap": rng.choice(CHARSMAPS)}
        kind = rng.choice("BertNormalizer Strip StripAccents NFC NFD NFKC NFKD Lowercase Nmt Replace Prepend ByteLevel Replace".split())
        d = {"type": kind}
        if kind == "BertNormalizer":
            d.update(clean_text=flag(rng), handle_chinese_chars=flag(rng), strip_accents=rng.choice([None, True, False]), lowercase=flag(rng))
        if kind == "Strip":
            d.update(strip_left=flag(rng), strip_right=flag(rng))
        if kind == "Replace":
            d.update(pattern=pattern(rng), content=rng.choice(["", " ", "\u2581", "x", "ab", "\u00e9a"]))
        if kind == "Prepend":
            d.update(prepend=rng.choice(["\u2581", " ", "ab", ""]))
        return d

    n = rng.choice([0, 0, 1, 1, 2, 3, 4])
    return None if n == 0 else one() if n == 1 else nested(rng, one, "normalizers", n)


def metaspace(rng, signs):
    d = {"replacement": rng.choice(signs), "prepend_scheme": rng.choice(["first", "always", "never"]), "split": flag(rng)}
    if rng.random() < 0.3:  # as it was written before there were schemes
        d = {"replacement": d["replacement"], "add_prefix_space": flag(rng)}
        if flag(rng):
            d["str_rep"] = d["replacement"]
        if rng.random() < 0.3:
            d["prepend_scheme"] = "never" if not d["add_prefix_space"] else rng.choice(["first", "always"])
    return lacking(rng, d, "split")


BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def pre_tokenizer(rng):
    def one():
        kind = rng.choice("BertPreTokenizer ByteLevel CharDelimiterSplit Metaspace Whitespace WhitespaceSplit Split Punctuation Digits UnicodeScripts FixedLength Split Split".split())
        d = {"type": kind}
        if kind == "ByteLevel":
            lacking(rng, d.update(add_prefix_space=flag(rng), trim_offsets=flag(rng), use_regex=flag(rng)) or d, "use_regex")
        if kind == "CharDelimiterSplit":
            d.update(delimiter=rng.choice("a .\u00e9"))
        if kind == "Metaspace":
            d.update(metaspace(rng, "\u2581\u2581_a"))
        if kind == "Split":
            d.update(pattern=pattern(rng), behavior=rng.choice(BEHAVIORS), invert=flag(rng))
        if kind == "Punctuation":
            d.update(behavior=rng.choice(BEHAVIORS))
        if kind == "Digits":
            d.update(individual_digits=flag(rng))
        if kind == "FixedLength":
            lacking(rng, d.update(length=rng.randrange(1, 5)) or d, "length")
        return d

    n = rng.choice([0, 1, 1, 1, 2, 3])
    return None if n == 0 else one() if n == 1 else nested(rng, one, "pretokenizers", n)


def vocabulary(rng, texts, unk):
    texts = list(dict.fromkeys(texts))
    rng.shuffle(texts)
    ids = list(range(len(texts)))
    if rng.random() < 0.1:  # gaps
        ids = sorted(rng.sample(range(2 * len(texts)), len(texts)))
    return {t: i for t, i in zip(texts, ids)}


def model(rng):
    m = whole_model(rng)
    if m["type"] != "WordLevel" and rng.random() < 0.15:
        lacking(rng, m, *[n for n in ("type", "dropout", "fuse_unk", "byte_fallback", "ignore_merges", "continuing_subword_prefix", "end_of_word_suffix") if m["type"] == "BPE"])
    if m.get("type") == "BPE" and rng.random() < 0.05:
        m["dropout"] = 0.0
    return m


def whole_model(rng):
    kind = rng.choice(["BPE", "BPE", "BPE", "WordPiece", "WordLevel", "Unigram", "Unigram"])
    letters = rng.choice([LETTERS, LETTERS, BYTES])
    unk = rng.choice(["[UNK]", "<unk>", "a"])
    fallback = ["<0x%02X>" % i for i in range(256)]
    if kind == "WordLevel":
        return {"type": kind, "vocab": vocabulary(rng, [unk] + [word(rng, letters) for _ in range(40)], unk), "unk_token": unk}
    if kind == "WordPiece":
        prefix = rng.choice(["##", "##", "", "@"])
        texts = [unk] + [rng.choice(["", prefix]) + word(rng, letters) for _ in range(60)] + letters + [prefix + c for c in letters if flag(rng)]
        return {"type": kind, "vocab": vocabulary(rng, texts, unk), "unk_token": unk, "continuing_subword_prefix": prefix, "max_input_chars_per_word": rng.choice([3, 8, 100])}
    if kind == "Unigram":
        texts = [unk] + [c for c in letters if rng.random() < 0.8] + [word(rng, letters, 6) for _ in range(50)]
        if flag(rng):
            texts += fallback if flag(rng) else rng.sample(fallback, 200)
        texts = list(dict.fromkeys(texts))
        scores = rng.choice([lambda: -rng.random() * 12, lambda: -float(rng.randrange(1, 5)), lambda: -rng.randrange(1, 10**17) / 10**16])
        return {"type": kind, "vocab": [[t, scores()] for t in texts], "unk_id": rng.choice([0, 0, 0, len(texts) - 1, None]), "byte_fallback": flag(rng)}
    prefix = rng.choice([None, None, None, "", "##"])
    suffix = rng.choice([None, None, None, "", "</w>"])
    texts = [c for c in letters if rng.random() < 0.9]
    if prefix:
        texts += [prefix + c for c in letters if rng.random() < 0.9]
    if suffix:
        texts += [c + suffix for c in texts if rng.random() < 0.9]
    if flag(rng):
        texts += fallback if flag(rng) else rng.sample(fallback, 200)
    have_unk = rng.random() < 0.7
    if have_unk:
        texts.append(unk)
    texts = list(dict.fromkeys(texts))
    merges = []
    for _ in range(rng.randrange(60)):
        a, b = rng.choice(texts), rng.choice(texts)
        if prefix and not b.startswith(prefix):
            continue
        joined = a + b[len(prefix or "") :]
        if len(joined.encode()) > 40:
            continue
        if joined not in texts:
            texts.append(joined)
        merges.append([a, b])
    if flag(rng):  # the same token by several rules
        for t in texts[:]:
            for k in range(1, len(t)):
                right = (prefix or "") + t[k:]
                if t[:k] in texts and right in texts and rng.random() < 0.3:
                    merges.insert(rng.randrange(len(merges) + 1), [t[:k], right])
    if all(" " not in a + b for a, b in merges) and flag(rng):
        merges = [a + " " + b for a, b in merges]
    return {
        "type": kind, "dropout": None, "unk_token": unk if have_unk else None, "continuing_subword_prefix": prefix,
        "end_of_word_suffix": suffix, "fuse_unk": flag(rng), "byte_fallback": flag(rng), "ignore_merges": flag(rng),
        "vocab": vocabulary(rng, texts, unk), "merges": merges,
    }


def special_pair(rng, name):
    return [name, rng.randrange(5)]


def post_processor(rng):
    def template(pair):
        parts = [{"Sequence": {"id": "A", "type_id": rng.randrange(3)}}]
        if pair:
            parts.append({"Sequence": {"id": "B", "type_id": rng.randrange(3)}})
        if rng.random() < 0.1:
            parts.insert(rng.randrange(len(parts) + 1), dict(rng.choice(parts)))
        for _ in range(rng.randrange(4)):
            parts.insert(rng.randrange(len(parts) + 1), {"SpecialToken": {"id": rng.choice(["<s>", "</s>"]), "type_id": rng.randrange(3)}})
        return parts

    def one():
        kind = rng.choice(["BertProcessing", "RobertaProcessing", "ByteLevel", "TemplateProcessing"])
        d = {"type": kind}
        if kind in ("BertProcessing", "RobertaProcessing"):
            d.update(sep=special_pair(rng, "</s>"), cls=special_pair(rng, "<s>"))
        if kind in ("RobertaProcessing", "ByteLevel"):
            d.update(trim_offsets=flag(rng), add_prefix_space=flag(rng))
        if kind == "TemplateProcessing":
            d.update(single=template(False), pair=template(True), special_tokens={
                "<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [2, 3], "tokens": ["</s>", "x"]}})
        return d

    n = rng.choice([0, 1, 1, 1, 2, 3])
    if n == 3:
        return nested(rng, one, "processors", rng.randrange(1, 4))
    if n == 2:
        return {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": flag(rng), "trim_offsets": flag(rng)}, one()]}
    return None if n == 0 else one()


def decoder(rng):
    def one():
        kind = rng.choice("ByteLevel WordPiece Metaspace BPEDecoder CTC Replace Fuse Strip ByteFallback".split())
        d = {"type": kind}
        if kind == "WordPiece":
            d.update(prefix=rng.choice(["##", "a"]), cleanup=flag(rng))
        if kind == "Metaspace":
            d.update(metaspace(rng, "\u2581a"))
        if kind == "BPEDecoder":
            d.update(suffix=rng.choice(["</w>", "a"]))
        if kind == "CTC":
            d.update(pad_token=rng.choice(["<pad>", "a"]), word_delimiter_token="|", cleanup=flag(rng))
        if kind == "Replace":
            d.update(pattern=pattern(rng), content=rng.choice(["", " ", "x"]))
        if kind == "Strip":
            d.update(content=rng.choice(" a"), start=rng.randrange(3), stop=rng.choice([0, 0, 0, 1, 2]))
        return d

    n = rng.choice([0, 1, 1, 1, 2, 3, 4])
    return None if n == 0 else one() if n == 1 else nested(rng, one, "decoders", n)


def added(rng):
    names = rng.sample(SPECIALS, rng.choice([0, 0, 2, 4, 6]))
    return [
        {"id": i if rng.random() < 0.9 else rng.randrange(300), "content": n, "single_word": rng.random() < 0.3, "lstrip": rng.random() < 0.3, "rstrip": rng.random() < 0.3, "normalized": flag(rng), "special": flag(rng)}
        for i, n in enumerate(names)
    ]


def limits(rng):
    cut = pad = None
    if rng.random() < 0.2:
        cut = {"direction": rng.choice(["Left", "Right"]), "max_length": rng.choice([0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 12, 20]), "strategy": rng.choice(["LongestFirst", "LongestFirst", "OnlyFirst", "OnlySecond"]), "stride": rng.choice([0, 0, 1, 2, 3, 7])}
    if rng.random() < 0.2:
        pad = {"strategy": rng.choice(["BatchLongest", {"Fixed": rng.choice([0, 3, 12])}]), "direction": rng.choice(["Left", "Right"]), "pad_to_multiple_of": rng.choice([None, None, 8, 3, 1]), "pad_id": rng.choice([0, 1, 999]), "pad_type_id": rng.randrange(3), "pad_token": rng.choice(["[PAD]", "a"])}
    return cut, pad


def pipeline(rng):
    cut, pad = limits(rng)
    return {
        **({"version": "1.0"} if rng.random() < 0.95 else {}), "truncation": cut, "padding": pad, "added_tokens": added(rng), "normalizer": normalizer(rng),
        "pre_tokenizer": pre_tokenizer(rng), "post_processor": post_processor(rng), "decoder": decoder(rng), "model": model(rng),
    }


def texts(rng, file):
    vocab = file["model"]["vocab"]
    words = [w[0] for w in vocab] if isinstance(vocab, list) else list(vocab)
    extra = [t["content"] for t in file["added_tokens"]]
    for _ in range(24):
        parts = []
        for _ in range(rng.randrange(1, 7)):
            kind = rng.random()
            if kind < 0.4:
                parts.append(word(rng, most=9))
            elif kind < 0.6:
                parts.append(rng.choice(words).replace("\u0120", " ").replace("##", "").replace("</w>", ""))
            elif kind < 0.75 and extra:
                parts.append(rng.choice(["", " ", "  "]) + rng.choice(extra) + rng.choice(["", " ", "  "]))
            else:
                parts.append(strange(rng, 6))
        yield "".join(parts)


def main():
    side, until = Side(sys.argv[1]), time.time() + float(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    count, refused, files, bad = 0, collections.Counter(), 0, 0
    CHARSMAPS[:] = charsmaps(random.Random(seed))
    while time.time() < until and bad < 5:
        rng = random.Random(seed)
        seed += 1
        file = pipeline(rng)
        text = json.dumps(file)
        try:
            tokenizer = Tokenizer.from_str(text)
        except BaseException as e:
            if isinstance(e, KeyboardInterrupt):
                raise
            continue
        # two added tokens that look the same: the library takes one at random
        shown = [tokenizer.id_to_token(i) for i in tokenizer.get_added_tokens_decoder()]
        if len(set(shown)) < len(shown):
            continue
        answer = side.ask({"json": text})[0]
        if "refused" in answer:  # the reason behind the pattern
            refused[answer["refused"].rsplit("': ", 1)[-1]] += 1
            continue
        files += 1
        cases = [
            (t, strange(rng, 20) if rng.random() < 0.2 else None, rng.random() < 0.5, rng.random() < 0.7) for t in texts(rng, file)
        ]
        wrong = compare(side, tokenizer, cases)
        if wrong:
            print("seed", seed - 1, "after", count, "cases")
            print(json.dumps({k: v for k, v in file.items() if k != "model"}, ensure_ascii=False))
            print(json.dumps(file["model"], ensure_ascii=False)[:600])
            print(json.dumps(wrong, ensure_ascii=False)[:3000], flush=True)
            bad += 1
        count += len(cases)
    print(count, "texts through", files, "pipelines,", bad or "no", "differences; refused:", dict(refused))
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
