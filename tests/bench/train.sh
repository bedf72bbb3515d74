#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# train.sh - tokens a second of training GPT-2's 12 layers of 768 from scratch,
# beside PyTorch as it is and compiled (PEER_VENV: an environment with torch and
# transformers), on two threads each, interleaved; and tokens a second of CPU time,
# which says more where others use the machine. quern's start is taken out: a run
# of STEPS + 2 steps less one of 2.
set -eu
bin=${QUERN_BIN:?} py=${PEER_VENV:?}/bin/python
rounds=${ROUNDS:-3} steps=${STEPS:-6} B=${BATCH:-4} T=${CONTEXT:-256}
data=${QUERN_TEST_DATA:?}/tokenizers
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# a thread that waits does not burn the CPU time of one that works
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive
PATH=$bin:$PATH
tokens=$((B * T * (steps + 4)))
quern ingest -q "$data"/text/* unit=paragraph | head -n $((tokens / 20)) >"$dir/in.jsonl"
# seconds STEPS - of the whole command, and of CPU
seconds() {
	rm -rf "$dir/m"
	local TIMEFORMAT='%R %U %S'
	{ time quern train -q -j 2 out="$dir/m" tokenizer="$data/hf/gpt2.json" arch=gpt2 layers=12 \
	    channels=768 heads=12 context="$T" batch="$B" steps="$1" warmup=0 <"$dir/in.jsonl" 2>/dev/null; } 2>&1 |
	    awk '{ print $1, $2 + $3 }'
}
for i in $(seq "$rounds"); do
	echo "$(seconds 2) $(seconds $((steps + 2)))" |
	    awk -v n=$((B * T * steps)) '{ printf "%.1f %.1f\n", n / ($3 - $1), n / ($4 - $2) }' >>"$dir/quern"
	"$py" "$here/train.py" "$B" "$T" "$steps" 50257 >>"$dir/eager"
	"$py" "$here/train.py" "$B" "$T" "$steps" 50257 compile >>"$dir/compiled"
done
median() { cut -d' ' -f"$2" "$dir/$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
echo "batch $B, context $T, $rounds rounds of $steps steps; tokens a second, of CPU time:"
for who in quern eager compiled; do
	awk -v who="$who" -v w="$(median $who 1)" -v c="$(median $who 2)" -v qw="$(median quern 1)" \
	    -v qc="$(median quern 2)" -v all="$(paste -sd';' "$dir/$who")" \
	    'BEGIN { printf "  %-8s %.1f, %.1f (%s), quern/%s %.2f, %.2f\n", who, w, c, all, who, qw / w, qc / c }'
done
"$py" -c 'import torch; print("torch", torch.__version__)'
