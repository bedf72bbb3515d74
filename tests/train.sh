#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# train.sh - adapters are trained, killed, resumed, merged and used; prompts are
# not learnt, texts side by side do not see one another; steps that must not be
# taken are not.
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
sayings 500 6 30 0.9 >"$dir/in.jsonl"
# the same words, but asked and answered: what to say backwards
awk 'BEGIN { srand(6)
    split("the miller grinds corn and wheel turns while water runs", w, " ")
    for (i = 0; i < 300; i++) {
	a = w[int(rand() * 10) + 1]
	b = w[int(rand() * 10) + 1]
	printf "{\"id\":\"q%d\",\"prompt\":\"say %s %s\",\"completion\":\" %s %s\"}\n", i, a, b, b, a
    } }' >"$dir/asked.jsonl"
cd "$dir" || exit 1
quern tokenize -q learn ./bpe.json vocab=320 <in.jsonl
for arch in gpt2 llama; do
	quern train -q -j 2 out=./$arch tokenizer=./bpe.json arch=$arch layers=2 channels=32 heads=4 context=48 steps=60 <in.jsonl
done
job 'pipeline corpus
  ingest @DIR@/in.jsonl
  split  valid=10
  save   corpus' | quern submit >/dev/null
once
quern models import ./llama base >/dev/null

# an adapter as a job, undisturbed and stopped three times
tune() {
	job "attempts 20
limit cores=2
pipeline $1
  from  corpus:train
  train base=base adapter=lora rank=4 target_modules=all-linear \\
	lora_dropout=0.1 dropout=0.1 modules_to_save=norm lr=0.005 context=48 \\
	packing=bfd_split valid=corpus:valid steps=300 eval_every=100 $2
  save  $1"
}
calm=$(tune calm '' | quern submit)
once
ok 'an adapter is trained' status 0 quern wait "$calm"
ok 'few numbers are, and that is told' sh -c "quern log $calm | grep -q 'adapters for 14 modules: [0-9]* of'"
ok 'the largest batch is told first' sh -c "quern log $calm | grep -q 'is the largest that fits'"
ok 'it is a directory as PEFT has it' sh -c "quern models export calm calm && ls calm | tr '\n' ' ' | grep -q '^adapter_config.json adapter_model.safetensors train.json $'"
killed=$(tune killed checkpoint=0s | quern submit)
start_daemon
kills=0 last=
while [ ! -d "$spool/done/$killed" ] && [ ! -d "$spool/failed/$killed" ]; do
	mark=$(ls -i "$spool"/run/$killed/work.killed/* 2>/dev/null | grep checkpoint)
	[ -n "$mark" ] && [ "$mark" != "$last" ] && [ $kills -lt 3 ] || continue
	last=$mark
	sleep 0.2
	if [ $kills = 1 ]; then
		stop_daemon
		start_daemon
	else
		kill -9 "$(cat "$spool/run/$killed/lock.killed")" 2>/dev/null
	fi
	kills=$((kills + 1))
done
stop_daemon
quern models export killed killed
ok 'stopped three times and resumed' sh -c "[ $kills = 3 ] && grep -q 'resumed at step' $spool/done/$killed/log"
ok 'the same numbers as undisturbed' cmp calm/adapter_model.safetensors killed/adapter_model.safetensors

# used, merged, measured
nll() { quern evaluate -q "$@" context=48 <in.jsonl 2>/dev/null | sed 's/.*"nll":\([0-9.]*\).*/\1/' | awk '{ s += $1 } END { printf "%.6g", s }'; }
b=$(nll ./llama) t=$(nll ./llama adapter=./calm)
ok 'the adapted model is better than its base' awk "BEGIN { exit !($t > 0 && $t < 0.99 * $b) }"
ok 'by name as well' is "$(nll base adapter=calm)" "$t"
quern train -q -j 2 out=./whole base=./llama adapter=lora merge=yes rank=4 lr=0.01 context=48 steps=30 <in.jsonl
quern train -q -j 2 out=./part base=./llama adapter=lora rank=4 lr=0.01 context=48 steps=30 <in.jsonl
ok 'merged: the same likelihoods' is "$(nll ./whole)" "$(nll ./llama adapter=./part)"
echo '{"prompt":"the miller"}' >p.jsonl
ok 'merged: the same words' sh -c '[ "$(quern infer -q ./whole max_tokens=12 <p.jsonl)" = "$(quern infer -q ./llama adapter=./part max_tokens=12 <p.jsonl)" ]'
ok 'merged by hand: the same bytes' sh -c 'quern models merge ./llama ./part byhand && quern models convert ./whole same && cmp byhand/model.safetensors same/model.safetensors'
quern models convert ./llama half dtype=bf16 >/dev/null && echo '{}' >half/generation_config.json
quern models merge ./half ./part sum >/dev/null
ok 'merged into 16 bits, as its base' sh -c "quern models inspect ./sum | grep -q 'BF16 *[0-9]* tensors' && cmp half/generation_config.json sum/generation_config.json"
ok 'the same likelihoods, but for what bf16 loses' awk "BEGIN { a = $(nll ./sum); b = $(nll ./half adapter=./part); c = $(nll ./half); exit !((a - b) ^ 2 < 1 && c - b > 10) }"
ok 'nothing else stays' sh -c '! ls -d sum.* byhand.* 2>/dev/null'
ok 'another base is refused, naming the module' sh -c "quern infer -q ./gpt2 adapter=./part <p.jsonl 2>&1 | grep -q \"'model.layers.0.self_attn.q_proj', which this base does not have; it was made for './llama'\""
ok 'an adapter alone says what it is' sh -c "quern infer -q ./part <p.jsonl 2>&1 | grep -q 'this is an adapter'"
ok 'targets that are not there: those that are' sh -c "quern train -q out=./x base=./llama adapter=lora target_modules=query <in.jsonl 2>&1 | grep -q 'it has q_proj, k_proj'"

# a base in fewer bits
loss() { sed 's/.*"loss":\([0-9.]*\).*/\1/' "$1/train.json"; }
for form in 'half file' 'half f32' 'llama f32' 'llama nf4' 'gpt2 nf4'; do
	set -- $form
	quern train -j 2 out=./$1-$2 base=./$1 base_form="$2" adapter=lora rank=4 target_modules=all-linear \
	    lr=0.005 context=48 steps=15 <in.jsonl 2>told-$1-$2
done
near() { awk "BEGIN { d = $(loss "$1") / $(loss "$2"); exit !(d > 1 - $3 && d < 1 + $3) }"; }
ok 'halves as the file has them: the same losses' near half-file half-f32 0.00002
quern train -q -j 2 out=./wide tokenizer=./bpe.json layers=2 channels=256 heads=4 context=48 steps=1 <in.jsonl
quern models convert ./wide wide16 dtype=bf16 >/dev/null
mib() { quern train out=./x base=./wide16 base_form="$1" adapter=lora context=48 steps=1 <in.jsonl 2>&1 | sed -n "s/.* MiB: weights \([0-9.]*\),\( frozen weights \([0-9.]*\),\)*.*/\1 \3/p"; rm -rf x; }
ok 'and half the memory' awk "BEGIN { split(\"$(mib f32)\", a, / /); split(\"$(mib file)\", b, / /); exit !(a[1] > 4 && b[1] + b[2] > 0.49 * a[1] && b[1] + b[2] < 0.55 * a[1]) }"
ok 'four bits: losses like those of all' near llama-nf4 llama-f32 0.02
ok 'but not the same' sh -c "! cmp -s llama-nf4/adapter_model.safetensors llama-f32/adapter_model.safetensors"
ok 'which numbers are held so is told' grep -q 'held in 4 bits' told-gpt2-nf4
for more in use_dora=yes double_quant=no recompute=yes; do
	quern train -q -j 2 out=./nf4-$more base=./llama base_form=nf4 adapter=lora rank=4 target_modules=all-linear \
	    lr=0.005 context=48 steps=15 $more <in.jsonl
	ok "four bits with $more" near nf4-$more llama-nf4 0.02
done
ok 'the first has magnitudes' grep -aq lora_magnitude_vector nf4-use_dora=yes/adapter_model.safetensors
ok 'the second other scales' sh -c '! cmp -s nf4-double_quant=no/adapter_model.safetensors llama-nf4/adapter_model.safetensors'
ok 'recomputed: the same bytes' cmp nf4-recompute=yes/adapter_model.safetensors llama-nf4/adapter_model.safetensors
quern train -q -j 2 out=./nf4-whole base=./llama base_form=nf4 adapter=lora rank=4 target_modules=all-linear \
    lr=0.005 context=48 steps=15 merge=yes <in.jsonl
ok 'it is merged into the base as it came' sh -c 'quern models merge ./llama ./llama-nf4 nf4-byhand && quern models convert ./nf4-whole nf4-same && cmp nf4-byhand/model.safetensors nf4-same/model.safetensors'
ok 'nothing frozen: nothing to hold' sh -c "quern train -q out=./x base=./llama base_form=nf4 <in.jsonl 2>&1 | grep -q 'without an adapter none are'"

# products of 16 bits, and what the way back reads kept in them
for p in f32 bf16 f16; do
	quern train -j 2 out=./p-$p tokenizer=./bpe.json layers=6 channels=64 heads=4 context=48 batch=4 steps=25 \
	    precision=$p <in.jsonl 2>told-$p
done
ok 'bf16: a loss like that of all bits' near p-bf16 p-f32 0.003
ok 'f16: likewise' near p-f16 p-f32 0.001
ok 'but not the same' sh -c '! cmp -s p-f16/model.safetensors p-f32/model.safetensors && ! cmp -s p-f16/model.safetensors p-bf16/model.safetensors'
kept() { sed -n 's/.* activations \([0-9.]*\),\( activations in 16 bits \([0-9.]*\),\)*.*/\1 \3/p' "told-$1"; }
ok 'and half of what is kept' awk "BEGIN { split(\"$(kept f32)\", a, / /); split(\"$(kept bf16)\", b, / /); exit !(b[2] > 0 && b[1] + b[2] < 0.7 * a[1]) }"
quern train -q -j 2 out=./p-lean tokenizer=./bpe.json layers=6 channels=64 heads=4 context=48 batch=4 steps=25 precision=f16 recompute=yes <in.jsonl
ok 'recomputed: the same bytes' cmp p-lean/model.safetensors p-f16/model.safetensors
for more in '' 'base_form=nf4 use_dora=yes' optimizer=muon; do
	quern train -q -j 2 out=./p-lora base=./llama adapter=lora rank=4 target_modules=all-linear lr=0.005 context=48 steps=15 precision=bf16 $more <in.jsonl
	ok "adapters in bf16 $more: a loss like that of all bits" near p-lora llama-f32 0.02
	rm -rf p-lora
done
quern train -j 1 out=./x tokenizer=./bpe.json layers=1 channels=32 heads=2 context=1 steps=2100 batch=1 precision=f16 <in.jsonl >told 2>&1
ok 'f16: where the gradient is too large the scale is halved' grep -q 'step 1 is left out: its gradient is too large for 16 bits; the loss is scaled by 32768' told
ok 'and doubled again after 2000 steps' awk '/the loss is scaled by/ { sub(/.*scaled by /, ""); if (n++ && $1 + 0 >= last) again = 1; last = $1 + 0 } END { exit !(n > 2) }' told
rm -rf x

# the plan
ok 'what does not fit is refused, with the batch that would' sh -c "quern train out=./x tokenizer=./bpe.json channels=1024 batch=65536 <in.jsonl 2>&1 | grep -q 'MiB are needed, [0-9]* MiB are left .*: batch=[0-9]* would fit'"
ok 'a model that is too large, before its weights are made' sh -c "quern train out=./x tokenizer=./bpe.json layers=1000 channels=32768 heads=256 <in.jsonl 2>&1 | grep -q 'not even batch=1 with recompute would fit: adapter=lora, or a smaller'"
ok 'how long it takes, measured before the first step' sh -c "quern train out=./x base=./llama context=48 steps=60 lr=0 <in.jsonl 2>&1 | grep -q 's a micro-batch, measured: about [0-9.]* s for 60 steps'"
rm -rf x

# prompts are not learnt; the split into micro-batches does not matter
for way in 'batch=1 accumulate=8' 'batch=8 accumulate=1'; do
	set -- $way
	quern train -q -j 2 "out=./$1" base=./llama context=48 "$1" "$2" steps=6 warmup=0 lr=0.001 dropout=0.2 <asked.jsonl
done
ok 'eight micro-batches of one are one of eight, with what is dropped' awk "BEGIN { d = $(loss batch=1) / $(loss batch=8); exit !(d > 0.99999 && d < 1.00001) }"
quern train -j 2 out=./asks base=./llama context=48 batch=4 steps=200 lr=0.003 <asked.jsonl 2>told
ok 'answers are learnt, and how many tokens' grep -q '[0-9]* tokens, [0-9]* of them learnt, in [0-9]* sequences' told
ok 'and then given, ended' sh -c "echo '{\"prompt\":\"say corn water\"}' | quern infer -q ./asks max_tokens=30 | grep -q '\"completion\":\" water corn\",\"finish_reason\":\"stop\"'"
for packing in bfd_split none; do
	quern train -q -j 2 out=./by-$packing base=./llama context=48 batch=300 steps=1 lr=0 packing=$packing completion_only=no <asked.jsonl 2>/dev/null
done
ok 'packed and apart: one loss' awk "BEGIN { d = $(loss by-bfd_split) / $(loss by-none); exit !(d > 0.995 && d < 1.005) }"
for more in recompute=yes recompute=no seed=2 attention_dropout=0; do
	quern train -q -j 2 out=./$more base=./llama context=48 batch=4 steps=20 dropout=0.1 $more <asked.jsonl
done
ok 'recomputed: the same bytes' cmp recompute=yes/model.safetensors recompute=no/model.safetensors
ok 'another seed drops others' sh -c '! cmp -s seed=2/model.safetensors recompute=no/model.safetensors'
ok 'and attention has dropout of its own' sh -c '! cmp -s attention_dropout=0/model.safetensors recompute=no/model.safetensors'

# optimisers, schedules, the guard
for o in adam sgd muon; do
	quern train -q -j 2 out=./$o base=./llama context=48 batch=4 steps=40 optimizer=$o schedule=wsd lr=$([ $o = sgd ] && echo 0.05 || echo 0.002) <in.jsonl
	ok "$o with wsd: better" awk "BEGIN { l = $(nll ./$o); exit !(l > 0 && l < $b) }"
done
quern train -j 2 out=./bad base=./llama context=48 steps=60 optimizer=sgd lr=10 clip=0 warmup=0 <in.jsonl >told 2>&1
ok 'no number: it stops, naming step and way out' grep -q 'is no number at step [0-9]*: take a lower lr' told
ok 'and leaves no model' test ! -e bad
ok 'skip: it gives up after twenty in a row' sh -c "quern train -j 2 out=./bad base=./llama context=48 steps=90 optimizer=sgd lr=10 clip=0 warmup=0 guard=skip <in.jsonl 2>&1 | grep -q '20 steps in a row were left out'"
done_testing
