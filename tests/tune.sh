#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tune.sh - options are searched by trials that are killed, resumed, compared,
# and named where they lead nowhere; the best of them is what is saved.
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
sayings 300 6 30 0.9 >"$dir/in.jsonl"
cd "$dir" || exit 1
quern tokenize -q learn ./bpe.json vocab=320 <in.jsonl
job 'pipeline corpus
  ingest @DIR@/in.jsonl
  split  valid=10
  save   corpus' | quern submit >/dev/null
once

# tune NAME WORDS - a job that trains
small='layers=1 channels=16 heads=2 context=32'
tune() {
	job "attempts 20
limit cores=2
pipeline $1
  from  corpus:train
  train tokenizer=@DIR@/bpe.json $small valid=corpus:valid \\
	$2
  save  $1"
}
# run NAME WORDS - undisturbed; its files are in NAME, its result in NAME.json
run() {
	id=$(tune "$1" "$2" | quern submit) || return 1
	once
	quern wait "$id" >/dev/null 2>&1
	cp "$spool/done/$id/result/result.json" "$1.json"
	cp "$spool/done/$id/result/report.html" "$1.html"
	quern log "$id" >"$1.log"
	quern models export "$1" "$1"
}
# disturbed NAME WORDS - killed twice and stopped once, each time further on; a
# quick machine may be done before the last of these
disturbed() {
	id=$(tune "$1" "$2" | quern submit)
	start_daemon
	kills=0 last=
	while [ ! -d "$spool/done/$id" ] && [ ! -d "$spool/failed/$id" ]; do
		mark=$(ls -i "$spool/run/$id/work.$1"/trials "$spool/run/$id/work.$1"/trial.*/checkpoint 2>/dev/null)
		[ -n "$mark" ] && [ "$mark" != "$last" ] && [ $kills -lt 3 ] || continue
		last=$mark
		sleep 0.3
		if [ $kills = 1 ]; then
			stop_daemon
			start_daemon
		else
			kill -9 "$(cat "$spool/run/$id/lock.$1")" 2>/dev/null
		fi
		kills=$((kills + 1))
	done
	stop_daemon
	cp "$spool/done/$id/result/result.json" "$1.json"
	quern models export "$1" "$1"
	test $kills -ge 1 && grep -q 'resumed with [0-9]* of' "$spool/done/$id/log"
}
# table NAME - every trial, without measured times
table() { sed 's/.*"trials":\(\[{.*\}]\),"memory".*/\1/; s/,"measured":{[^}]*}//g' "$1.json" | tail -n 1; }
# best NAME - the options of the best, as words
best() { sed 's/.*"best":"\([^"]*\)".*/\1/' "$1/train.json"; }
lowest() { sed 's/.*"best_valid_loss":\([0-9.]*\),"best":.*/\1/' "$1/train.json"; }

words='steps=30 search=tpe trials=16 checkpoint=0s space=lr:1e-5..1:log,warmup:1..20,optimizer:adamw/sgd'
ok 'a search by Parzen estimators' run tpe "$words"
ok 'as many trials as asked for' is "$(table tpe | grep -o '"trial":' | wc -l)" 16
ok 'the lowest loss of the table is the best' is "$(table tpe | grep -o '"loss":[0-9.]*' | cut -d: -f2 | sort -g | head -n 1)" "$(lowest tpe)"
ok 'only its checkpoints stay' is "$(ls -d "$spool"/done/*/work.tpe/trial.* | wc -l)" 1
id=$(tune alone "steps=30 $(best tpe)" | quern submit)
once
quern models export alone alone
ok 'the same bytes as the best trial' cmp alone/model.safetensors tpe/model.safetensors
ok 'the model knows what it was the best of' grep -q '"search":{"trials":16,.*"table":\[{"trial":1,' tpe/train.json
ok 'the report has points for each option' is "$(grep -c '<h4>loss by ' tpe.html)" 3
ok 'and a row for each trial' is "$(sed -n '/<h3>trials/,/<.table>/p' tpe.html | grep -c '<tr><td class=n>')" 16
ok 'the log has the table, the best marked' is "$(grep -c ': \*  *[0-9]*  lr=' tpe.log)" 1
ok 'killed and stopped, it goes on' disturbed killed "$words"
ok 'with the same table' is "$(table tpe)" "$(table killed)"
ok 'the same model and its curves' sh -c 'cmp tpe/model.safetensors killed/model.safetensors && cmp tpe/train.json killed/train.json'

words='steps=60 search=halving trials=18 checkpoint=0s space=lr:1e-4..1:log,warmup:0..6,batch:4/8'
ok 'a search by successive halving' run halving "$words"
steps() { table halving | grep -o "\"steps\":$1," | wc -l; }
ok 'of 18 trials 12 take a ninth, 4 a third, 2 all steps' is "$(steps 6) $(steps 20) $(steps 60)" '12 4 2'
id=$(tune plain "steps=60 eval_every=60 $(best halving)" | quern submit)
once
quern models export plain plain
ok 'paused and gone on: the same bytes as at once' cmp plain/model.safetensors halving/model.safetensors
ok 'killed and stopped, it goes on as well' disturbed cut "$words"
ok 'with the same table as undisturbed' is "$(table halving)" "$(table cut)"
ok 'and the same model' cmp halving/model.safetensors cut/model.safetensors

ok 'a grid with trials that lead nowhere' run grid 'steps=40 search=grid clip=0 warmup=0 schedule=constant optimizer=sgd space=lr:0.1/9,momentum:0/0.99,channels:16/33'
ok 'is searched to its end' is "$(table grid | grep -o '"trial":' | wc -l)" 8
ok 'those that diverge are named' sh -c "grep -q '\"end\":\"diverged\",\"why\":\"the [a-z ]* is no number at step' grid/train.json"
ok 'those that cannot be are, too' is "$(grep -o '"end":"refused","why":"channels=33 cannot be shared by heads=2"' grid/train.json | wc -l)" 4
ok 'and neither is the best' grep -q '"best":"lr=0.1 ' grid/train.json
ok 'the same place is not tried twice' run twice 'steps=6 search=random trials=5 space=tied:yes/no'
ok 'but named' grep -q '"end":"as trial [12]"' twice/train.json
ok 'trials stop early' run early 'steps=200 eval_every=5 patience=2 search=random trials=3 lr=0 space=seed:1..100000'
ok 'each on its own' is "$(table early | grep -o '"steps":15,"end":"stopped early"' | wc -l)" 3
quern train -q -j 2 out=./shell tokenizer=./bpe.json $small valid=corpus:valid steps=20 search=random trials=3 space=lr:1e-3..1e-1:log <in.jsonl
ok 'in a shell nothing but the best stays' sh -c 'ls -d shell shell.* | tr "\n" " " | grep -qx "shell " && grep -q "\"search\":{\"trials\":3" shell/train.json'
ok 'nothing comes of any: the first says why' sh -c "quern train -q out=./x tokenizer=./bpe.json $small valid=corpus:valid search=grid space=channels:17/19 <in.jsonl 2>&1 | grep -q 'no trial came to a result; the first: channels=17 cannot be shared by heads=2'"

# adapters of a base in the store
quern data export corpus:train >parts.jsonl
quern models import ./plain base >/dev/null
id=$(job "pipeline lora
  from  corpus:train
  train base=base adapter=lora valid=corpus:valid context=32 steps=8 eval_every=8 batch=4 \\
	search=grid space=rank:2/4,use_dora:yes/no,lr:0.001/0.01
  save  lora" | quern submit)
once
quern models export lora lora
ok 'adapters are searched as well' is "$(grep -o '"end":"done"' lora/train.json | wc -l)" 8
best=$(best lora)
ok 'the best has the rank that it says' sh -c "grep -q '\"r\": *$(echo "$best" | sed 's/.*rank=\([0-9]*\).*/\1/')' lora/adapter_config.json"
ok 'and comes from its base alone, once' is "$(quern runs show "$id" | grep -c 'input .*base@1')" 1
quern train -q -j 2 out=./alone2 base=base adapter=lora context=32 steps=8 batch=4 $best <parts.jsonl
ok 'and is what a training with its options makes' cmp lora/adapter_model.safetensors alone2/adapter_model.safetensors

# the best weights, not the last: of few texts more is learnt than holds
head -n 6 in.jsonl >few.jsonl
rough="tokenizer=./bpe.json $small batch=2 eval_every=4 lr=0.03 warmup=0 schedule=constant"
id=$(job "pipeline over
  ingest @DIR@/few.jsonl
  train  $(echo "$rough" | sed "s#=./#=$dir/#") valid=corpus:valid steps=80
  save   over" | quern submit)
once
quern models export over over
step=$(sed 's/.*"best_step":\([0-9]*\).*/\1/' over/train.json)
ok 'the best step comes before the last' test "$step" -gt 0 -a "$step" -lt 80
quern train -q -j 2 out=./upto $rough steps="$step" <few.jsonl
ok 'its weights are kept: those of a training that ends there' cmp over/model.safetensors upto/model.safetensors
quern train -q -j 2 out=./same $rough valid=corpus:valid steps=80 <few.jsonl
ok 'in a shell as well' cmp over/model.safetensors same/model.safetensors
quern train -j 2 out=./soon $rough valid=corpus:valid steps=80 patience=3 <few.jsonl 2>told
ok 'three looks without a better one: enough' sh -c "grep -q \"stopped early at step $((step + 12)): no better validation loss since step $step\" told && cmp soon/model.safetensors over/model.safetensors"

# what is refused before anything is read
no() {
	want=$1
	shift
	tune x "steps=5 $*" | quern submit 2>told && return 1
	grep -qF "$want" told || { cat told; return 1; }
}
ok 'a search without a space' no 'search without a space' search=tpe
ok 'a space without a search' no 'space without search=' space=lr:1/2
ok 'trials without a search' no 'trials without a search' trials=3
ok 'nothing held back' sh -c "quern train out=./x tokenizer=./bpe.json search=tpe space=lr:0.1/0.2 <in.jsonl 2>&1 | grep -q 'search without valid: trials are compared'"
ok 'a grid without points' no "a grid needs the points of 'lr': lr:0.001..0.1:log:5" search=grid space=lr:1e-3..1e-1:log
ok 'a grid of so many trials' no 'a grid has as many as its space has points' search=grid trials=3 space=lr:0.1/0.2
ok 'a grid of too many' no 'a grid of more than 10000 trials' search=grid space=lr:0..1:1000,warmup:1..1000
ok 'what cannot be compared' no "trials cannot be compared that differ in 'context'" search=tpe space=context:16/32
ok 'steps that halving gives' no "halving says 'steps'" search=halving space=steps:10/20
ok 'adapters that are not there' no "'rank' without an adapter" search=tpe space=rank:2/4
ok 'a value that the option does not take' no "space: 'lr:1..20': lr=: '20' is not within 0 to 10" search=tpe space=lr:1..20
done_testing
