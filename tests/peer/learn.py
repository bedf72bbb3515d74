# SPDX-License-Identifier: Apache-2.0
"""learn.py VOCABULARY.JSON TEXTS.JSONL [OPTION=VALUE ...]: does the library
learn the same, when it cuts texts as the file says and has the same options?"""
import json
import sys

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

ours = Tokenizer.from_file(sys.argv[1])
file = json.load(open(sys.argv[1]))
texts = [json.loads(line)["text"] for line in open(sys.argv[2])]
opt = dict(word.split("=", 1) for word in sys.argv[3:])
model = file["model"]
special = [t["content"] for t in file["added_tokens"]]
more = {}
if model["type"] == "BPE":
    level = '"ByteLevel"' in json.dumps(file["pre_tokenizer"])
    theirs = Tokenizer(
        models.BPE(
            unk_token=model["unk_token"],
            fuse_unk=model["fuse_unk"],
            byte_fallback=model["byte_fallback"],
        )
    )
    if level:
        more["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet()
    elif "initial_alphabet" in opt:
        more["initial_alphabet"] = list(opt["initial_alphabet"])
    if model["byte_fallback"]:
        special += ["<0x%02X>" % i for i in range(256)]
    if "limit_alphabet" in opt:
        more["limit_alphabet"] = int(opt["limit_alphabet"])
    if "max_token_length" in opt:
        more["max_token_length"] = int(opt["max_token_length"])
else:
    # the library numbers the tokens that begin with ## as a hash table has
    # them: it is given our first tokens, the rest is determined
    theirs = Tokenizer(models.WordPiece(unk_token=model["unk_token"]))
    for token in sorted(model["vocab"], key=model["vocab"].get)[len(special) :]:
        if len(token.removeprefix("##") or "#") > 1:
            break
        special.append(token)
theirs.normalizer = ours.normalizer
theirs.pre_tokenizer = ours.pre_tokenizer
theirs.decoder = ours.decoder
theirs.train_from_iterator(
    texts,
    (trainers.BpeTrainer if model["type"] == "BPE" else trainers.WordPieceTrainer)(
        vocab_size=int(opt.get("vocab", 8000)),
        min_frequency=int(opt.get("min_count", 2)),
        special_tokens=special,
        show_progress=False,
        **more,
    ),
)


def pairs(merges):
    return [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in merges]


other = json.loads(theirs.to_str())["model"]
a, b = pairs(model.get("merges", [])), pairs(other.get("merges", []))
assert a == b, [(i, x) for i, x in enumerate(zip(a, b)) if x[0] != x[1]][:1] or (len(a), len(b))
assert model["vocab"] == other["vocab"], [x for x in model["vocab"].items() if x[1] != other["vocab"].get(x[0])][:3]
encoded = 0
for text in texts[:: max(1, len(texts) // 500)]:
    one = ours.encode(text, add_special_tokens=False).ids
    if model["type"] == "WordPiece":  # the library's has all as special tokens
        unknown = model["vocab"]["[UNK]"]
        assert unknown not in one or max(map(len, text.split())) > 20, text
        encoded += len(one)
        continue
    assert one == theirs.encode(text, add_special_tokens=False).ids, text
    encoded += len(one)
print(len(model["vocab"]), "tokens,", len(a), "merges,", encoded, "ids")
