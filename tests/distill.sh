#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# distill.sh - a teacher's words are kept with records, and another model learns
# from them.
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
cd "$dir" || exit 1
sayings 120 6 20 0.8 >in.jsonl
quern tokenize -q learn ./bpe.json vocab=300 <in.jsonl
quern train -q -j 2 out=./large tokenizer=./bpe.json layers=2 channels=32 heads=4 context=48 steps=60 lr=0.003 <in.jsonl
quern train -q -j 2 out=./small tokenizer=./bpe.json layers=1 channels=16 heads=2 context=48 steps=1 <in.jsonl
quern teach -q ./large k=128 <in.jsonl >taught.jsonl
ok 'each record has its teacher' is "$(grep -c '"teacher":{"tokenizer":"[0-9a-f]\{64\}","temperature":1,"words":\[\[[0-9]' taught.jsonl)" 120
distill() { quern train -q -j 2 objective=distill context=48 words=128 "$@" <taught.jsonl; }
loss() { sed 's/.*"loss":\([0-9.e-]*\).*/\1/' "$1/train.json"; }

# the teacher itself has nothing to learn: the divergence is 0
distill out=./same base=./large alpha=1 lr=0 steps=1 batch=120
ok 'a teacher agrees with itself' awk "BEGIN { x = $(loss same); exit !(x > -1e-5 && x < 1e-5) }"
# alpha=0 is the next word alone
distill out=./text base=./small alpha=0 lr=0 steps=1 batch=120
quern train -q -j 2 out=./plain base=./small packing=bfd_split context=48 lr=0 steps=1 batch=120 <in.jsonl
ok 'without the teacher: the loss of the text' awk "BEGIN { d = $(loss text) / $(loss plain); exit !(d > 0.9999 && d < 1.0001) }"
distill out=./before base=./small alpha=1 lr=0 steps=1 batch=120
distill out=./after base=./small alpha=1 lr=0.01 steps=60 batch=16
ok 'a student comes nearer to it' awk "BEGIN { exit !($(loss after) < 0.7 * $(loss before)) }"
for way in 'batch=1 accumulate=8' 'batch=8 accumulate=1'; do
	set -- $way
	distill "out=./$1" base=./small "$1" "$2" steps=4 warmup=0 packing=none
done
ok 'eight micro-batches of one are one of eight' awk "BEGIN { d = $(loss batch=1) / $(loss batch=8); exit !(d > 0.99999 && d < 1.00001) }"
distill out=./short base=./small batch=8 steps=20 precision=bf16
distill out=./long base=./small batch=8 steps=20
ok 'in 16 bits: a loss like that of all bits' awk "BEGIN { d = $(loss short) / $(loss long); exit !(d != 1 && d > 0.99 && d < 1.01) }"

# a job of both, undisturbed, and killed while it is taught and while it learns
quern models import ./large large >/dev/null
quern models import ./small small >/dev/null
both() {
	job "attempts 20
limit cores=2
pipeline $1
  ingest @DIR@/in.jsonl
  teach  large k=16
  train  base=small objective=distill context=48 words=16 batch=8 steps=150 dropout=0.1 $2
  save   $1" | quern submit
}
calm=$(both calm '')
once
killed=$(both killed checkpoint=0s)
start_daemon
kills=0 last=
while [ ! -d "$spool/done/$killed" ] && [ ! -d "$spool/failed/$killed" ]; do
	pid=$(cat "$spool/run/$killed/lock.killed" 2>/dev/null)
	[ -n "$pid" ] && [ "$pid" != "$last" ] && [ $kills -lt 2 ] || continue
	# first before anything is kept, then after a checkpoint
	[ $kills = 0 ] || ls "$spool"/run/$killed/work.killed/* 2>/dev/null | grep -q checkpoint || continue
	last=$pid
	sleep 0.1
	kill -9 "$pid" 2>/dev/null
	kills=$((kills + 1))
done
stop_daemon
quern models export calm calm
quern models export killed killed
ok 'killed twice and resumed' sh -c "[ $kills = 2 ] && grep -q 'resumed at step' $spool/done/$killed/log"
ok 'the same bytes as undisturbed' cmp calm/model.safetensors killed/model.safetensors

# what cannot be
ok 'records without a teacher' sh -c "quern train out=./x base=./small objective=distill <in.jsonl 2>&1 | grep -q 'the records go through teach first'"
sed 's/"tokenizer":"[0-9a-f]\{8\}/"tokenizer":"00000000/' taught.jsonl >other.jsonl
ok 'another vocabulary' sh -c "quern train out=./x base=./small objective=distill <other.jsonl 2>&1 | grep -q 'its teacher has another vocabulary'"
ok 'another temperature' sh -c "quern train out=./x base=./small objective=distill teacher_temperature=2 <taught.jsonl 2>&1 | grep -q 'spoke at another temperature than 2'"
sed 's/"text":"/&more words /' taught.jsonl >longer.jsonl
ok 'a text that has changed' sh -c "quern train out=./x base=./small objective=distill <longer.jsonl 2>&1 | grep -q 'its teacher spoke of [0-9]* tokens, [0-9]* are learnt'"
sed 's/"words":\[\[\([0-9]*\),\([0-9.e-]*\),[0-9]*,/"words":[[\1,\2,\1,/' taught.jsonl >twice.jsonl
ok 'a word twice in a place' sh -c "quern train out=./x base=./small objective=distill <twice.jsonl 2>&1 | grep -q \"place 1 of its teacher's words\""
ok 'nothing was left' test ! -e x
done_testing
