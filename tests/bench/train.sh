#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# train.sh - tokens a second of training GPT-2's 12 layers of 768 from scratch,
# beside PyTorch (PEER_VENV: an environment with torch and transformers), on two
# threads each, interleaved. quern's start is taken out: the time of a run of
# STEPS + 2 steps less that of one of 2.
set -eu
bin=${QUERN_BIN:?} py=${PEER_VENV:?}/bin/python
rounds=${ROUNDS:-3} steps=${STEPS:-6} B=${BATCH:-4} T=${CONTEXT:-256}
data=${QUERN_TEST_DATA:?}/tokenizers
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export OMP_NUM_THREADS=2
PATH=$bin:$PATH
tokens=$((B * T * (steps + 4)))
quern ingest -q "$data"/text/* unit=paragraph | head -n $((tokens / 20)) >"$dir/in.jsonl"
# ms STEPS - the whole command
ms() {
	rm -rf "$dir/m"
	local t=$(date +%s%N)
	quern train -q -j 2 out="$dir/m" tokenizer="$data/hf/gpt2.json" arch=gpt2 layers=12 \
	    channels=768 heads=12 context="$T" batch="$B" steps="$1" warmup=0 <"$dir/in.jsonl" 2>/dev/null
	echo $((($(date +%s%N) - t) / 1000000))
}
for i in $(seq "$rounds"); do
	a=$(ms 2) b=$(ms $((steps + 2)))
	awk -v n=$((B * T * steps)) -v d=$((b - a)) 'BEGIN { printf "%.1f\n", n / d * 1000 }' >>"$dir/quern"
	"$py" "$here/train.py" "$B" "$T" "$steps" 50257 >>"$dir/torch"
done
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
q=$(median "$dir/quern") t=$(median "$dir/torch")
echo "batch $B, context $T, $rounds rounds of $steps steps; tokens/s:"
echo "  quern   $q ($(paste -sd' ' "$dir/quern"))"
echo "  torch   $t ($(paste -sd' ' "$dir/torch"))"
awk -v q="$q" -v t="$t" 'BEGIN { printf "  ratio   %.2f\n", q / t }'
"$py" -c 'import torch; print("torch", torch.__version__)'
