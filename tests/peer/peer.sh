#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# peer.sh - what quern makes, beside the libraries from PyPI that made the formats
# famous: vocabularies and ids (tokenizers, sentencepiece), models from scratch
# (transformers), scores of passages (bm25s), chat templates (transformers).
# For ./bootstrap check-all; PyPI must be in reach.
# PEER_VENV names an environment that is there already.
. "${srcdir:-.}/tests/lib.sh"
here=$(cd "${srcdir:-.}/tests/peer" && pwd)
venv=${PEER_VENV:-$QUERN_BIN/peer}
if [ ! -x "$venv/bin/python" ]; then
	python3 -m venv "$venv" && "$venv/bin/pip" install -q tokenizers \
	    sentencepiece protobuf tiktoken transformers torch bm25s peft gguf \
	    bitsandbytes optuna \
	    >"$dir/pip" 2>&1 || {
		tail -n 3 "$dir/pip"
		echo '1..0 # SKIP PyPI is not in reach'
		exit 0
	}
fi
py() { "$venv/bin/python" "$@"; }
cd "$dir" || exit 1

# text of this machine, in pieces; and what nobody writes
quern ingest -q /usr/share/common-licenses unit=paragraph | quern clean -q >licences.jsonl
py "$here/strange.py" >strange.jsonl
quern tokenize -q learn ./bpe.json vocab=2000 <licences.jsonl
cat licences.jsonl strange.jsonl >all.jsonl
quern tokenize -q with=./bpe.json <all.jsonl >ids.jsonl
ok 'a vocabulary: the same merges as its trainer learns' py "$here/learn.py" bpe.json licences.jsonl vocab=2000
while read -r words; do
	quern tokenize -q -j 2 learn ./learnt.json memory=1M $words <all.jsonl
	ok "learnt with $words: the same" py "$here/learn.py" learnt.json all.jsonl $words
done <<-END
	vocab=2500 pattern=llama3 min_count=1
	vocab=2500 pattern=o200k normalize=nfc digits=single
	vocab=2500 pattern=tekken whitespace=collapse
	vocab=2500 dummy_prefix=yes max_token_length=6
	vocab=6000 kind=char-bpe coverage=1
	vocab=6000 kind=char-bpe coverage=1 byte_fallback=no digits=single whitespace=collapse dummy_prefix=no
	vocab=6000 kind=wordpiece coverage=1
	vocab=6000 kind=wordpiece coverage=1 lowercase=no min_count=1
	vocab=3000 kind=char-bpe coverage=1 limit_alphabet=60 initial_alphabet=€ß max_token_length=5
END
while read -r kind back words; do
	for format in json model; do
		quern tokenize -q -j 2 learn ./pieces.$format kind=$kind format=$format $words <all.jsonl
	done
	ok "$kind $words: tokenizer.json and SentencePiece's model are the same" \
	    py "$here/pieces.py" pieces.json pieces.model all.jsonl $back
done <<-END
	char-bpe back vocab=6000
	char-bpe - vocab=6000 whitespace=collapse dummy_prefix=no coverage=0.99 digits=single
	unigram back vocab=6000 digits=single
	unigram - vocab=6000 whitespace=collapse byte_fallback=no coverage=1
END
awk 'NR % 10 > 0' licences.jsonl >most.jsonl
awk 'NR % 10 == 0' licences.jsonl >held.jsonl
quern tokenize -q learn ./unigram.json kind=unigram vocab=2000 coverage=1 byte_fallback=no <most.jsonl
ok 'SentencePiece models: ids and texts of the library' py "$here/spm.py" "$QUERN_BIN" 100000 \
    $([ -z "${QUERN_TEST_DATA-}" ] || ls "$QUERN_TEST_DATA"/tokenizers/sentencepiece/*.model)
ok 'rank files: ids of tiktoken' sh -c "'$venv/bin/python' '$here/ranks.py' '$QUERN_BIN' 80000 $([ -z "${QUERN_TEST_DATA-}" ] || echo "$QUERN_TEST_DATA"/tokenizers/tiktoken/*.tiktoken) 2>/dev/null"
ok 'a unigram model: texts are as short as with other trainers' py "$here/unigram.py" unigram.json most.jsonl held.jsonl
quern tokenize -q learn ./chars.json kind=char-bpe vocab=2000 coverage=1 byte_fallback=no <most.jsonl
ok 'BPE of characters: as short as with sentencepiece' py "$here/unigram.py" chars.json most.jsonl held.jsonl

export RUST_BACKTRACE=0 TOKENIZERS_PARALLELISM=false
py "$here/hf_golden.py" hf 2>/dev/null
ok "tokenizer.json: the golden answers are the library's" diff -r hf "$here/../golden/hf"
ok 'tokenizer.json: random pipelines over random texts' sh -c "'$venv/bin/python' '$here/hf_fuzz.py' '$QUERN_BIN/tests/hf_side' 60 2>/dev/null"
ok 'expressions: letters where case does not count' sh -c "'$venv/bin/python' '$here/folds.py' '$QUERN_BIN/tests/hf_side' 2>/dev/null"
if [ -n "${QUERN_TEST_DATA-}" ]; then
	ok 'tokenizer.json: published files over random texts' sh -c "'$venv/bin/python' '$here/hf.py' '$QUERN_BIN/tests/hf_side' '$QUERN_TEST_DATA'/tokenizers/hf/*.json 2>/dev/null"
fi
ok 'vocab.json and merges.txt: ids and texts of their classes' \
    py "$here/pair.py" "$QUERN_BIN" licences.jsonl \
    $([ -z "${QUERN_TEST_DATA-}" ] || echo "$QUERN_TEST_DATA"/tokenizers/hf/clip_base.json)
ok 'ids: the same as the library gives' py "$here/ids.py" bpe.json ids.jsonl

ok 'Parzen estimators: the densities that Optuna has' py "$here/parzen.py" "$here/../tune_test.c"
ok 'quantised numbers: bit for bit what gguf decodes and encodes' py "$here/quant.py" "$here/../quant_test.c"
py "$here/families.py" make families bpe.json >/dev/null 2>&1
for m in families/*; do
	quern models convert "./$m" "$m.gguf" && quern models convert "./$m.gguf" "$m.back"
done >/dev/null
ok 'families through GGUF: the same tensors and logits' py "$here/families.py" check families
ok 'embeddings through GGUF: as transformers and llama.cpp have them' py "$here/embed_gguf.py" "$QUERN_BIN/quern" licences.jsonl

ok 'sizes and flags of each family at random: the same losses' py "$here/shapes.py" "$QUERN_BIN/quern" bpe.json 4
mkdir encoders
ok 'encoders: what their heads say, alone and in pairs, and what is written of them' py "$here/encoders.py" "$QUERN_BIN/quern" encoders licences.jsonl

mkdir t5
ok 'encoder-decoders: loss, what is written, adapters in PEFT' py "$here/t5.py" "$QUERN_BIN/quern" t5 licences.jsonl

for arch in gpt2 llama; do
	more='kv_heads=2'
	[ $arch = llama ] || more=
	quern train -q -j 2 out=./$arch tokenizer=./bpe.json arch=$arch layers=2 channels=64 heads=4 $more \
	    context=64 steps=60 tied=$([ $arch = llama ] && echo no || echo yes) <licences.jsonl
	head -n 60 licences.jsonl | quern evaluate -q ./$arch context=64 >$arch.nll 2>/dev/null
	head -n 20 licences.jsonl | sed 's/"text":"\(.\{1,40\}\)[^"]*"/"prompt":"\1"/' | grep prompt |
	    quern infer -q ./$arch max_tokens=16 >$arch.said 2>/dev/null
	ok "$arch: transformers reads it and has the same losses" py "$here/model.py" ./$arch $arch.nll 64
	ok "$arch: and says the same words" py "$here/words.py" ./$arch $arch.said 16
	head -n 60 licences.jsonl >read.jsonl
	for how in '0.5 -' '2:4 -' '0.5 read.jsonl' '2:4 read.jsonl'; do
		set -- $how
		[ "$2" = - ] && by= || by=wanda=$2
		quern models convert ./$arch cut prune=$1 $by >/dev/null
		ok "$arch pruned by $how: PyTorch cuts the same" py "$here/prune.py" ./$arch cut "$2" "$1"
		rm -rf cut
	done
done

# models that transformers saved, as they are and trained further by us
for case in llama-biases llama3 mistral qwen2 qwen3 gemma gemma2 gemma3 phi3 phi4-mini neox opt \
    mixtral qwen2-moe qwen3-moe; do
	py "$here/family.py" ./saved $case ./bpe.json >/dev/null 2>&1
	quern train -q -j 2 out=./ours base=./saved context=64 batch=4 steps=4 warmup=0 lr=0.01 <licences.jsonl
	for at in saved ours; do
		head -n 60 licences.jsonl | quern evaluate -q ./$at context=64 >family.nll 2>/dev/null
		ok "$case $at: transformers has the same losses" py "$here/model.py" ./$at family.nll 64
	done
	rm -rf saved ours
done
# neox joins query, key and value head by head; gemma's norms are written less 1
head -n 60 licences.jsonl >few.jsonl
for how in 'neox final_layer_norm' 'gemma norm'; do
	set -- $how
	py "$here/family.py" ./saved $1 ./bpe.json >/dev/null 2>&1
	py "$here/lora.py" make ./saved ./theirs saved >/dev/null 2>&1 || py "$here/lora.py" make ./saved ./theirs dora >/dev/null 2>&1
	quern train -q -j 2 out=./ours base=./saved adapter=lora target_modules=all-linear use_dora=yes bias=lora_only \
	    modules_to_save=$2 context=64 batch=2 steps=4 lr=0.01 <licences.jsonl
	for at in theirs ours; do
		quern evaluate -q ./saved adapter=./$at context=64 <few.jsonl >a.nll 2>/dev/null
		ok "$1: losses of PEFT with adapter '$at'" py "$here/lora.py" loss ./saved ./$at a.nll 64
	done
	rm -rf saved ours theirs
done

# adapters: PEFT's through us, and ours after its own steps
head -n 60 licences.jsonl >few.jsonl
awk 'length > 200' licences.jsonl | head -n 400 >long.jsonl
for arch in gpt2 llama; do
	for kind in lora rslora dora regex saved patterns; do
		py "$here/lora.py" make ./$arch ./a-$kind $kind >/dev/null 2>&1
		quern evaluate -q ./$arch adapter=./a-$kind context=64 <few.jsonl >a.nll 2>/dev/null
		ok "$arch: PEFT's adapter '$kind' has its losses here" py "$here/lora.py" loss ./$arch ./a-$kind a.nll 64
		rm -rf ./a-$kind
	done
	# several on one base, in one batch
	for kind in lora dora patterns; do
		py "$here/lora.py" make ./$arch ./a-$kind $kind >/dev/null 2>&1
	done
	head -n 12 licences.jsonl | sed 's/.*"text":"\(.\{1,40\}\).*/\1/' | sed 's/[^A-Za-z ]//g' |
	    awk '{ for (k = 0; k < 4; k++)
		printf "{\"prompt\":\"the %s\"%s}\n", $0, k == 3 ? "" : ",\"adapter\":\"" substr("abc", k + 1, 1) "\"" }' |
	    quern infer -q ./$arch adapters=a=./a-lora,b=./a-dora,c=./a-patterns begin=no max_tokens=12 >mixed.said
	ok "$arch: a batch of three adapters and none says PEFT's words" py "$here/adapters.py" ./$arch mixed.said 12 \
	    a=./a-lora b=./a-dora c=./a-patterns
	rm -rf a-lora a-dora a-patterns
	for how in 'adamw 0.01' 'adam 0.01' 'sgd 0.5' 'muon 0.01'; do
		set -- $how
		words="base=./$arch adapter=lora rank=4 context=40 batch=1 schedule=constant warmup=0
		    optimizer=$1 use_dora=yes target_modules=all-linear bias=all"
		py "$here/lora.py" window long.jsonl bpe.json 40 >one.jsonl
		quern train -q -j 1 out=./first $words lr=0 steps=1 <one.jsonl 2>/dev/null
		quern train -q -j 1 out=./last $words lr="$2" steps=5 <one.jsonl 2>/dev/null
		ok "$arch: five steps of $1 end where PyTorch's do" py "$here/lora.py" steps ./$arch first last one.jsonl bpe.json 40 "$1" "$2"
		rm -rf first last last.peft
	done
	words="base=./$arch base_form=nf4 adapter=lora rank=4 context=40 batch=1 schedule=constant
	    warmup=0 target_modules=all-linear"
	quern train -q -j 1 out=./first $words lr=0 steps=1 <one.jsonl 2>/dev/null
	quern train -q -j 1 out=./last $words lr=0.01 steps=5 <one.jsonl 2>/dev/null
	ok "$arch: five steps beside four bits end where bitsandbytes' do" py "$here/lora.py" steps ./$arch first last \
	    one.jsonl bpe.json 40 adamw 0.01 nf4
	rm -rf first last last.peft
done

# preferences: a pair's loss, and steps of plain descent on all pairs
py "$here/dpo.py" golden >dpo.txt
ok "DPO: PyTorch's numbers are those of prefer_test" sh -c "[ -s dpo.txt ] && while IFS= read -r line; do
    grep -qxF -- \"\$line\" '${srcdir:-.}/tests/prefer_test.c' || exit 1; done <dpo.txt"
awk 'BEGIN { srand(7); n = split("license copy program work free patent source", w, " ")
    for (i = 0; i < 12; i++) {
	a = w[int(rand() * n) + 1]
	b = w[int(rand() * n) + 1]
	printf "{\"prompt\":\"say %s %s\",\"chosen\":\" %s %s\",\"rejected\":\" %s %s %s\"}\n", a, b, b, a, a, b, a
    } }' >pairs.jsonl
for arch in gpt2 llama; do
	quern train -q -j 1 out=./pairs base=./$arch objective=dpo optimizer=sgd momentum=0 weight_decay=0 clip=0 \
	    schedule=constant warmup=0 lr=0.1 batch=12 steps=6 beta=0.5 label_smoothing=0.05 context=48 <pairs.jsonl
	ok "$arch: pairs, six steps whose losses and margins are PyTorch's" py "$here/dpo.py" steps ./$arch pairs.jsonl 0.5 0.05 0.1 pairs/train.json
	rm -rf pairs
done

# a teacher's words, and steps of plain descent towards them
awk -F '"text":"' '{ n = index($2, "\"") } n > 20 && n < 80 && !/\\/' licences.jsonl | head -n 12 >told.jsonl
for how in 'gpt2 1' 'llama 2.5'; do
	set -- $how
	quern teach -q ./$1 k=12 temperature=$2 <told.jsonl >taught.jsonl
	ok "$1 at $2: a teacher's words are those of PyTorch" py "$here/distill.py" words ./$1 taught.jsonl $2
	quern train -q -j 1 out=./student tokenizer=./bpe.json arch=$1 layers=1 channels=32 heads=2 context=64 steps=1 <few.jsonl
	quern train -q -j 1 out=./pupil base=./student objective=distill packing=none optimizer=sgd momentum=0 weight_decay=0 clip=0 \
	    schedule=constant warmup=0 lr=0.5 batch=12 steps=6 alpha=0.7 words=12 teacher_temperature=$2 context=64 <taught.jsonl
	ok "$1 at $2: six steps towards a teacher have PyTorch's losses" py "$here/distill.py" steps ./student taught.jsonl \
	    0.7 $2 12 0.5 pupil/train.json
	rm -rf student pupil
done

py "$here/nf4.py" >nf4.txt
ok "NF4: bitsandbytes' numbers are those of held_test" sh -c "grep -q '^data 0247000998bb3119$' nf4.txt &&
    sed -n 's/^\([0-9a-f]\{1000,\}\)$/\1/p' nf4.txt | cut -c1-64 | grep -qf - '${srcdir:-.}/tests/held_test.c'"
py "$here/plain.py" licences.jsonl >plain.jsonl
quern index -q out=./ix stem=none words=0 <plain.jsonl
head -n 40 plain.jsonl | sed 's/"text":"\([^"]\{1,60\}\).*/"question":"\1"}/' >questions.jsonl
quern search -q ./ix k=10 <questions.jsonl >found.jsonl
ok 'passages: the scores of bm25s' py "$here/search.py" plain.jsonl found.jsonl

# chat templates: those of QUERN_TEST_DATA, ours, and small random ones
py "$here/jinja.py" make cases.jsonl 1 20000
"$QUERN_BIN/tests/jinja_test" cases.jsonl >ours.jsonl
ok 'templates: transformers writes the same' py "$here/jinja.py" same cases.jsonl ours.jsonl
if [ -n "${QUERN_TEST_DATA-}" ]; then
	ok 'chats: the ids and masks of transformers' py "$here/chat.py"
fi
done_testing
