#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# infer.sh - quantised models of random weights read and written by quern and by
# llama.cpp (PEER_VENV: an environment with numpy and llama-cpp-python), one
# after the other, on THREADS threads each; medians of ROUNDS and their ratio.
# MODELS: SHAPE:FORM:PROMPT (tests/bench/infer.c tells what the columns are).
set -eu
bin=${QUERN_BIN:?} py=${PEER_VENV:?}/bin/python
rounds=${ROUNDS:-3} threads=${THREADS:-1}
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=$threads
for model in ${MODELS:-124m:q8:256 124m:q4:256 1.1b:q8:128 1.1b:q4:128}; do
	IFS=: read -r shape form prompt <<<"$model"
	"$py" "$here/infer.py" make "$dir/m.gguf" "$shape" "$form"
	# its image is made, and both files are in memory
	"$bin/infer_bench" "$dir/m.gguf" "$form" "$threads" "$dir" 4 >/dev/null
	for i in $(seq "$rounds"); do
		"$bin/infer_bench" "$dir/m.gguf" "$form" "$threads" "$dir" "$prompt" | sed 's/^/quern /'
		"$py" "$here/infer.py" run "$dir/m.gguf" "$threads" "$prompt" | sed 's/^/peer /'
	done >"$dir/out"
	echo "$shape $form, prompt $prompt, threads $threads, $rounds rounds"
	sort -k2,2 -k1,1 -k3,3n "$dir/out" | awk '
		function close_it() { if (n) { at[who, key] = v[int((n + 1) / 2)]; n = 0 } }
		{ if ($1 != who || $2 != key) { close_it(); who = $1; key = $2; keys[key] } v[++n] = $3 }
		END { close_it(); printf "  %-14s %10s %10s %7s\n", "", "quern", "llama.cpp", "ratio"
			for (k in keys) printf "  %-14s %10s %10s %7s\n", k, at["quern", k], at["peer", k], (at["peer", k] > 0) ? sprintf("%.2f", at["quern", k] / at["peer", k]) : "" | "sort" }'
	rm -f "$dir"/*.quernpak
done
