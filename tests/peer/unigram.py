# SPDX-License-Identifier: Apache-2.0
"""unigram.py VOCABULARY.JSON LEARNT.JSONL HELD.JSONL: are texts that were not
learnt from as short, within 0.1 %, as with the trainers of tokenizers and
sentencepiece, which got the same texts and size?  Also for BPE of characters,
whose merges are tokenizers' own (learn.py), so that only sentencepiece learns."""
import io
import json
import sys

import sentencepiece
from tokenizers import Tokenizer, models, pre_tokenizers, trainers


def texts(name):
    return [json.loads(line)["text"] for line in open(name)]


def length(tokenizer):
    return sum(len(e.ids) for e in tokenizer.encode_batch(held, add_special_tokens=False))


ours = Tokenizer.from_file(sys.argv[1])
learnt, held = texts(sys.argv[2]), texts(sys.argv[3])
size = ours.get_vocab_size()
bpe = json.load(open(sys.argv[1]))["model"]["type"] == "BPE"
theirs = Tokenizer(models.Unigram())
theirs.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
if bpe:
    theirs = ours
else:
    theirs.train_from_iterator(
        learnt,
        trainers.UnigramTrainer(
            vocab_size=size,
            special_tokens=["<unk>", "<s>", "</s>"],
            unk_token="<unk>",
            show_progress=False,
        ),
    )
model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(learnt),
    model_writer=model,
    vocab_size=size,
    model_type="bpe" if bpe else "unigram",
    character_coverage=1.0,
    normalization_rule_name="identity",
    remove_extra_whitespaces=False,
    split_by_unicode_script=False,
    split_by_number=False,
    max_sentence_length=1 << 24,
    hard_vocab_limit=False,
    minloglevel=2,
)
other = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
mine, hf = length(ours), length(theirs)
sp = sum(len(ids) for ids in other.encode(held))
print(size, "pieces; ids:", mine, "tokenizers", hf, "sentencepiece", sp)
assert mine <= 1.001 * min(hf, sp)
