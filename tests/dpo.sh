#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# dpo.sh - which of two answers is better is learnt from pairs, as texts and as
# messages; the reference stays what the model was when it began.
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
pairs() {
	awk -v seed="$1" -v n="$2" 'BEGIN { srand(seed)
	    m = split("miller corn wheel water stone bread dawn", w, " ")
	    for (i = 0; i < n; i++) {
		a = w[int(rand() * m) + 1]
		b = w[int(rand() * m) + 1]
		printf "{\"id\":\"p%d\",\"prompt\":\"say %s %s\",\"chosen\":\" %s %s\",\"rejected\":\" %s %s %s\"}\n", i, a, b, b, a, a, b, a
	    } }'
}
pairs 1 120 >"$dir/pairs.jsonl"
pairs 2 40 >"$dir/held.jsonl"
cd "$dir" || exit 1
sed 's/.*"prompt":"\([^"]*\)","chosen":"\([^"]*\)".*/{"text":"\1\2"}/' pairs.jsonl >texts.jsonl
quern tokenize -q learn ./bpe.json vocab=320 'special=<|endoftext|>,<|im_start|>,<|im_end|>' <texts.jsonl
quern train -q -j 2 out=./base tokenizer=./bpe.json layers=2 channels=32 heads=4 context=64 steps=40 <texts.jsonl
job 'pipeline held
  ingest @DIR@/held.jsonl
  save   held' | quern submit >/dev/null
once
quern models import ./base base >/dev/null
curve() { sed "s/.*\"$2\":\[\[\([^a-z]*\)\]\].*/\1/; s/\],\[/ /g" "$1/train.json"; }
first_of() { curve "$1" "$2" | sed 's/ .*//; s/.*,//'; }
last_of() { curve "$1" "$2" | sed 's/.*,//'; }
dpo() { quern train -q -j 2 base=./base objective=dpo "$@"; }

dpo out=./all context=24 batch=120 steps=2 lr=0.002 warmup=0 example=./example.txt <pairs.jsonl
ok 'before the first step both are as likely as they were: log 2' is "$(first_of all train_loss)" 0.693147
ok 'margins are 0' is "$(first_of all train_margin)" 0
ok 'after it they are not' awk "BEGIN { exit !($(last_of all train_loss) < 0.69 && $(last_of all train_margin) > 0) }"
ok 'both answers are shown' is "$(grep -c '^say .*\[\[ .*<|endoftext|>\]\]$' example.txt)" 2
for way in 'batch=1 accumulate=8' 'batch=8 accumulate=1'; do
	set -- $way
	dpo "out=./$1" context=24 "$1" "$2" steps=6 warmup=0 lr=0.001 <pairs.jsonl
done
ok 'eight micro-batches of a pair are one of eight' awk "BEGIN { d = $(last_of batch=1 train_loss) / $(last_of batch=8 train_loss); exit !(d > 0.99999 && d < 1.00001) }"
dpo out=./flat context=24 batch=120 steps=1 label_smoothing=0.5 lr=1 optimizer=sgd momentum=0 weight_decay=0 clip=0 <pairs.jsonl
ok 'pairs that are as often wrong teach nothing' cmp flat/model.safetensors base/model.safetensors

# as a job with adapters, undisturbed and killed while it steps
tune() {
	job "attempts 20
limit cores=2
pipeline $1
  ingest @DIR@/pairs.jsonl
  train base=${3:-base} objective=dpo adapter=lora rank=4 target_modules=all-linear \\
	lora_dropout=0.1 lr=0.003 context=24 batch=8 valid=held steps=120 eval_every=40 $2
  save  $1"
}
calm=$(tune calm '' | quern submit)
once
ok 'a job is done' status 0 quern wait "$calm"
ok 'what it measures on held-back pairs is told' sh -c "quern log $calm | grep -q 'step 120: validation loss [0-9.]*, margin [0-9.]*, accuracy [0-9.]*, reward_chosen'"
quern models export calm calm
ok 'it learns, also what it has not seen' awk "BEGIN { exit !($(last_of calm valid_accuracy) > 0.9 && $(last_of calm valid_margin) > 0.1) }"
killed=$(tune killed checkpoint=0s | quern submit)
# kill_when_kept ID NAME N - and again, N times in all, until it ends
kill_when_kept() {
	kills=0 last=
	while [ ! -d "$spool/done/$1" ] && [ ! -d "$spool/failed/$1" ]; do
		mark=$(ls -i "$spool"/run/$1/work.$2/* 2>/dev/null | grep checkpoint)
		[ -n "$mark" ] && [ "$mark" != "$last" ] && [ $kills -lt $3 ] || continue
		last=$mark
		sleep 0.2
		kill -9 "$(cat "$spool/run/$1/lock.$2")" 2>/dev/null
		kills=$((kills + 1))
		[ $2 = killed ] || cp all/model.safetensors moved/
	done
}
start_daemon
kill_when_kept "$killed" killed 2
stop_daemon
quern models export killed killed
ok 'killed twice and resumed' sh -c "[ $kills = 2 ] && grep -q 'resumed at step' $spool/done/$killed/log"
ok 'the same numbers as undisturbed' cmp calm/adapter_model.safetensors killed/adapter_model.safetensors
ok 'and the same margins' is "$(curve killed train_margin)" "$(curve calm train_margin)"
# a base that is another when the run goes on
cp -r base moved
moved=$(tune moved checkpoint=0s "$dir/moved" | quern submit)
start_daemon
kill_when_kept "$moved" moved 1
stop_daemon
ok 'the reference is not that of another base' sh -c "[ -d $spool/failed/$moved ] && quern log $moved | grep -q 'what the reference said is kept of another base'"

# as messages: with the prompt in a field, or what both lists begin with
sed 's/"prompt":\("[^"]*"\),"chosen":\("[^"]*"\),"rejected":\("[^"]*"\)/"prompt":[{"role":"user","content":\1}],"chosen":[{"role":"assistant","content":\2}],"rejected":[{"role":"assistant","content":\3}]/' pairs.jsonl >apart.jsonl
sed 's/"prompt":\[\([^]]*\)\],"chosen":\[\(.*\)\],"rejected":\[\(.*\)\]}/"chosen":[\1,\2],"rejected":[\1,\3]}/' apart.jsonl >whole.jsonl
for in in apart whole; do
	dpo out=./$in template=chatml context=40 batch=8 steps=3 example=./$in.txt <$in.jsonl
done
ok 'messages: the prompt by itself or in both: the same' cmp apart/model.safetensors whole/model.safetensors
ok 'only answers are learnt' is "$(grep -c '^\[\[ [a-z ]*<|im_end|>\]\]$' whole.txt)" 2
sed 's/"chosen":\[/&{"role":"user","content":"hello"},{"role":"assistant","content":"hello"},/; s/"rejected":\[/&{"role":"user","content":"hello"},{"role":"assistant","content":"hello"},/' whole.jsonl >longer.jsonl
dpo out=./longer template=chatml context=64 batch=8 steps=1 example=./longer.txt <longer.jsonl
ok 'answers that both have are none' is "$(grep -c '^\[\[' longer.txt)" 2

# what cannot be
ok 'no base: refused' sh -c "quern train out=./x tokenizer=./bpe.json objective=dpo <pairs.jsonl 2>&1 | grep -q 'objective=dpo needs a base'"
ok 'no pairs: the field that is missing' sh -c "quern train out=./x base=./base objective=dpo <texts.jsonl 2>&1 | grep -q \"of the first record: there is no 'chosen'\""
ok 'a pair that does not fit a sequence fails' sh -c "quern train out=./x base=./base objective=dpo context=5 <pairs.jsonl 2>&1 | grep -q \"'rejected' has [0-9]* tokens with its prompt, a sequence 6\""
ok 'packed pairs: refused' sh -c "quern train out=./x base=./base objective=dpo packing=bfd <pairs.jsonl 2>&1 | grep -q 'objective=dpo has each text in a sequence by itself: packing=none'"
done_testing
