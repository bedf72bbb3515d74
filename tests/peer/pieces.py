# SPDX-License-Identifier: Apache-2.0
"""pieces.py VOCABULARY.JSON VOCABULARY.MODEL TEXTS.JSONL [back]: is the same
vocabulary, written both ways, the same to tokenizers and sentencepiece? Unigram
models may cut a text in two ways of one probability: then only lengths count.
back: decoded ids are the text."""
import json
import sys

import sentencepiece
from tokenizers import Tokenizer

one = Tokenizer.from_file(sys.argv[1])
other = sentencepiece.SentencePieceProcessor(model_file=sys.argv[2])
texts = [json.loads(line)["text"] for line in open(sys.argv[3])]
unigram = json.load(open(sys.argv[1]))["model"]["type"] == "Unigram"
size = other.get_piece_size()
assert one.get_vocab_size() == size
for i in range(size):
    assert one.id_to_token(i) == other.id_to_piece(i), i
special = [other.id_to_piece(i) for i in range(size) if other.is_control(i)] + ["<unk>"]
ids = ties = 0
for text in texts:
    if any(s in text for s in special) or "\0" in text:
        continue
    a, b = one.encode(text, add_special_tokens=False).ids, other.encode(text)
    if unigram and a != b and len(a) == len(b):
        ties += 1
    else:
        assert a == b, (text, a, b)
    ids += len(a)
    if "back" in sys.argv[4:] and other.unk_id() not in a:
        assert one.decode(a) == text, text
assert ties <= len(texts) // 50, ties
print(size, "pieces,", ids, "ids,", ties, "texts with ties")
