# SPDX-License-Identifier: Apache-2.0
"""hf.py SIDE FILE...: tokenizer.json files, ours beside the library's: ids, types,
offsets, masks, tokens, windows, and the text of ids.  SIDE is tests/hf_side."""
import json
import random
import subprocess
import sys

from tokenizers import Tokenizer


class Side:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *questions):
        """answers to all questions, sent before the first is read: keep them few"""
        lines = "".join(json.dumps(q, ensure_ascii=False) + "\n" for q in questions)
        self.process.stdin.write(lines.encode())
        self.process.stdin.flush()
        return [json.loads(self.process.stdout.readline()) for _ in questions]


def units(e):
    return [
        [i, t, a, b, s, m, k]
        for i, t, (a, b), s, m, k in zip(
            e.ids, e.type_ids, e.offsets, e.special_tokens_mask, e.attention_mask, e.tokens
        )
    ]


def windows(e):
    return [[units(o), windows(o)] for o in e.overflowing]


def theirs(call):
    try:
        return call()
    except BaseException as e:  # a panic is none of Exception
        if isinstance(e, KeyboardInterrupt):
            raise
        return {"panic" if type(e).__name__ == "PanicException" else "refused": str(e)}


def compare(side, tokenizer, cases):
    """cases: (text, pair or None, special, find); the first difference, or None"""
    questions, wants = [], []
    for text, pair, special, find in cases:
        tokenizer.encode_special_tokens = not find
        want = theirs(lambda: tokenizer.encode(text, pair, add_special_tokens=special))
        if not isinstance(want, dict):
            want = {"units": units(want), "over": windows(want)}
        wants.append(want)
        q = {"text": text, "flags": special * 1 + 2 + find * 4 + 8 + 16}
        if pair is not None:
            q["pair"] = pair
        questions.append(q)
        if "units" in want:
            ids = [u[0] for u in want["units"]]
            for skip in (False, True):
                text = theirs(lambda: tokenizer.decode(ids, skip_special_tokens=skip))
                wants.append(text if isinstance(text, dict) else {"text": text})
                questions.append({"ids": ids, "skip": skip})
    answers = []
    for i in range(0, len(questions), 16):
        answers += side.ask(*questions[i : i + 16])
    for q, want, got in zip(questions, wants, answers):
        if "panic" in want or "refused" in want and "refused" in got:
            continue  # a panic of theirs has nothing to be compared with
        if got == {"refused": "an id is unknown"} and any(tokenizer.id_to_token(i) is None for i in q["ids"]):
            continue  # theirs leaves it out, which is on purpose not ours
        if got != want:
            return {"question": q, "want": want, "got": got}
    return None


POOLS = [
    list(range(0x20, 0x7F)),
    list(range(0x20, 0x7F)),
    list(range(0xA0, 0x250)),
    list(range(0x300, 0x370)),
    list(range(0x370, 0x600)),
    list(range(0x900, 0xA00)) + list(range(0xE00, 0xE80)),
    list(range(0x1100, 0x1200)) + list(range(0xAC00, 0xAD00)),
    list(range(0x1E00, 0x2100)) + list(range(0x2460, 0x2500)),
    list(range(0x4E00, 0x4E80)) + list(range(0x3000, 0x3100)),
    [0x20, 0x20, 0x20, 0x09, 0x0A, 0x0D, 0x85, 0xA0, 0x2003, 0x2028, 0x3000, 0x2581],
    list(range(0x1F600, 0x1F650)) + [0x200D, 0xFE0F, 0x1F1E6, 0x1F1E7],
    list(range(0x30, 0x3A)) + list(range(0x660, 0x66A)) + [0xB2, 0x2167],
    [ord(c) for c in "'stmdrevl"],
    list(range(0xFB00, 0xFB50)) + list(range(0xFF00, 0xFFF0)) + [0xFFFD, 0xFEFF],
    list(range(0, 0x20)) + [0x7F, 0xAD, 0x200B, 0xE000, 0xE0001, 0x2B820, 0x2B920],
]


def strange(rng, most=60):
    some = rng.choices(POOLS, k=rng.randrange(1, 5))
    return "".join(chr(rng.choice(rng.choice(some))) for _ in range(rng.randrange(most)))


def main():
    side = Side(sys.argv[1])
    rng = random.Random(7)
    bad = 0
    for path in sys.argv[2:]:
        tokenizer = Tokenizer.from_file(path)
        answer = side.ask({"file": path})[0]
        if "refused" in answer:
            print(path, "is refused:", answer["refused"])
            bad += 1
            continue
        added = [t.content for t in tokenizer.get_added_tokens_decoder().values()]
        words = [w for w in tokenizer.get_vocab()]
        rng.shuffle(added)
        cases = []
        for i in range(1500):
            text = strange(rng)
            if i % 3 == 1:
                text += rng.choice(added or [""]) + " " * rng.randrange(3) + strange(rng, 9)
            if i % 3 == 2:
                text = "".join(rng.choices(words, k=5)) + text
            pair = strange(rng) if rng.random() < 0.2 else None
            cases.append((text, pair, rng.random() < 0.5, rng.random() < 0.7))
        wrong = compare(side, tokenizer, cases)
        print(path.rsplit("/", 1)[-1], len(cases), "cases", "DIFFER" if wrong else "the same")
        if wrong:
            print(json.dumps(wrong, ensure_ascii=False)[:1500])
            bad += 1
    assert not bad, bad


if __name__ == "__main__":
    main()
