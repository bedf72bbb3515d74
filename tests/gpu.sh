#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# gpu.sh - jobs on a GPU, which is emulated (cuda_emu.cuh): the same bytes with
# graphs and without.
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
	job "attempts 2
pipeline $name
  ingest @DIR@/in.jsonl
  train  gpus=${GPUS:-1} tokenizer=@DIR@/bpe.json layers=1 channels=16 heads=2 context=12 batch=1 steps=6 $*
  save   $name" | quern submit
	once
}
told() { sed -n "s/.*$2\":\([0-9]*\).*/\1/p" "$spool/done/$1/result/result.json"; }
same() { quern models export "$1" x-"$1" && quern models export "$2" x-"$2" && cmp x-"$1"/*.safetensors x-"$2"/*.safetensors; }
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
done_testing
