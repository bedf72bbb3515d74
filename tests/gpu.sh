#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# gpu.sh - jobs on a GPU, which is emulated (cuda_emu.cuh): the same bytes with
# graphs and without, and when the GPU is lost again and again; algorithms are
# those that the run began with.
. "${srcdir:-.}/tests/lib.sh"
if [ ! -e "$bin/tests/cuda_emu.so" ] || [ -n "${ASAN_OPTIONS-}" ]; then
	echo 'ok 1 - # SKIP no C++ compiler, or the sanitizer, which does not know the stacks'
	echo 1..1
	exit
fi
# a quern of its own, whose device cuda is the emulated one
mkdir -p "$dir/bin/kernels"
cp "$bin/quern" "$bin/quernd" "$bin/quern-worker" "$bin/libquern.so" "$dir/bin"
cp -r "$bin/modules" "$dir/bin"
cp "$bin/kernels/cpu.so" "$dir/bin/kernels"
cp "$bin/tests/cuda_emu.so" "$dir/bin/kernels/cuda.so"
PATH=$dir/bin:$PATH
conf 'jobs = 1' 'gpus = 0'
once
awk 'BEGIN { srand(5)
    split("the miller grinds corn and the wheel turns while water runs over stone", w, " ")
    for (i = 0; i < 60; i++) {
	t = ""
	for (n = 0; n < 10 + i % 9; n++)
		t = t w[int(rand() * 13) + 1] " "
	printf "{\"id\":\"t%d\",\"text\":\"%s\"}\n", i, t
    } }' >"$dir/in.jsonl"
cd "$dir" || exit 1
quern tokenize -q learn ./bpe.json vocab=270 <in.jsonl

# train NAME WORD... - as a job, on the GPU unless GPUS=0; its id
train() {
	name=$1
	shift
	job "attempts ${ATTEMPTS:-1}
pipeline $name
  ingest @DIR@/${INPUT:-in}.jsonl
  train  gpus=${GPUS:-1} ${SHAPE:-tokenizer=@DIR@/bpe.json layers=1 channels=16 heads=2 context=12 batch=1 steps=6} $*
  save   $name" | quern submit
	[ -n "${daemon-}" ] || once
}
told() { sed -n "s/.*$2\":\([0-9]*\).*/\1/p" "$spool/done/$1/result/result.json"; }
numbers() { rm -rf x-*; quern models export "$1" x-1 && quern models export "$2" x-2; }
same() { numbers "$1" "$2" && cmp x-1/*.safetensors x-2/*.safetensors; }
differ() { numbers "$1" "$2" && ! cmp -s x-1/*.safetensors x-2/*.safetensors; }
loss() { grep -o '"train_loss":[^a-z]*' "$spool/done/$1/result/result.json"; }

id=$(train whole)
ok 'a job is done by the GPU' grep -q '"device":"cuda","isa":"sm_90","name":"emulated GPU"' "$spool/done/$id/result/result.json"
ok 'what comes again is a graph' is "$(told "$id" made)" 2
ok 'which is launched again' test "$(told "$id" replayed)" -ge 8
cpu=$(GPUS=0 train cpu)
ok 'the losses of the CPU' is "$(loss "$id")" "$(loss "$cpu")"
id=$(QUERN_EMU_GRAPHS=no train plain)
ok 'where there can be none, that is told' grep -q '"replayed":0,"plain":[0-9]*,"none":"operation failed' "$spool/done/$id/result/result.json"
ok 'and the numbers are the same' same whole plain
# the learning rate, the mean's denominator, the dropout's key and the scale of
# f16 are others at each step
more="base=whole adapter=lora rank=2 lora_dropout=0.3 precision=f16 packing=bfd_split accumulate=2 warmup=0"
id=$(train tuned "$more")
ok 'adapters in 16 bits, with dropout: graphs' test "$(told "$id" replayed)" -ge 12
QUERN_EMU_GRAPHS=no train untaped "$more" >/dev/null
ok 'and the same numbers without' same tuned untaped

# the other objectives: what the host judges stands between their graphs
awk 'BEGIN { for (i = 0; i < 9; i++) {
    x = i % 2 ? "corn" : "wheel"
    printf "{\"id\":\"g%d\",\"text\":\"the %s turns\",\"prompt\":\"the \",\"completion\":\"%s\",\"chosen\":\"%s\",\"rejected\":\"stone\",\"label\":\"%s\",\"positive\":\"a %s\"}\n", i, x, x, x, i % 2 ? "A" : "B", x
    } }' >goals.jsonl
quern tokenize -q learn ./goals.json kind=wordpiece vocab=40 'special=[PAD],[UNK],[CLS],[SEP],[MASK],</s>' <goals.jsonl
# goal NAME LAUNCHES WORD... - with graphs, launched again so often, and without
goal() {
	name=$1 launches=$2
	shift 2
	SHAPE="batch=1 steps=3 warmup=0 $*"
	[ "$name" = dpo ] || SHAPE="$SHAPE tokenizer=@DIR@/goals.json layers=1 channels=8 heads=2 context=12"
	for way in yes no; do
		id=$(QUERN_EMU_GRAPHS=$way INPUT=goals SHAPE=$SHAPE train "$name-$way")
		[ "$way" = no ] || graphs=$(told "$id" replayed)
	done
	ok "$name: graphs are launched again" test "$graphs" -ge "$launches"
	unset SHAPE
	ok 'and the numbers are the same without' same "$name-yes" "$name-no"
}
goal seq2seq 2 objective=seq2seq
goal masked 3 objective=masked
goal dpo 3 objective=dpo base=whole precision=bf16

# each attempt ends after so many kernels
id=$(QUERN_EMU_FAIL=130 ATTEMPTS=9 train lost checkpoint=0s)
ok 'lost again and again, a job ends' test -d "$spool/done/$id"
ok 'having begun several times' test "$(grep -c 'resumed at step' "$spool/done/$id/log")" -ge 2
ok 'with the same numbers' same whole lost
ok 'each time is said what, why and from where it goes on' grep -q "GPU 0 (emulated GPU): cannot .*: an illegal memory access was encountered; .* was started last; the job, tried again, goes on from the checkpoint of step [1-9]" "$spool/done/$id/log"
id=$(QUERN_EMU_FAIL=30 train never)
ok 'before there is one as well' grep -q 'there is no checkpoint yet: the job, tried again, begins anew' "$spool/failed/$id/log"

# what cuBLASLt estimates to be the best is another algorithm later, or its
# version is another
half='precision=bf16 checkpoint=0s'
train began "$half" >/dev/null
QUERN_EMU_WAY=2 train other "$half" >/dev/null
ok 'two algorithms: other numbers' differ began other
# later NAME SETTING... - lost under WAY=1, goes on with the settings
later() {
	name=$1
	shift
	sed -i 's/^backoff.*/backoff = 3s/' "$QUERN_ROOT/quern.conf"
	export QUERN_EMU_FAIL=200
	start_daemon
	id=$(ATTEMPTS=2 train "$name" "$half")
	until_ok 30 grep -qs 'GPU 0' "$spool/queue/$id/log" "$spool/run/$id/log"
	stop_daemon
	unset QUERN_EMU_FAIL
	sed -i 's/^backoff.*/backoff = 0s/' "$QUERN_ROOT/quern.conf"
	env "$@" timeout 60 quernd --once >>log 2>&1
}
later kept QUERN_EMU_WAY=2
ok 'it goes on with the algorithms that it began with' same began kept
ok 'which is in the record' grep -q '"ways_of_the_run_before":[1-9][0-9]*,"ways_refused":0,"products":\[{"rows":.*"algorithm":1' "$spool/done/$id/result/result.json"
later moved QUERN_EMU_WAY=2 QUERN_EMU_VERSION=140000
ok "another library's are not taken, which is said" grep -q "choices of algorithms .* not taken: they are those of 'emulated GPU, sm_90, cuBLASLt 130100'" "$spool/done/$id/result/result.json"
ok 'then the numbers are others' differ began moved
done_testing
