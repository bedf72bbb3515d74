#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# search.sh - BEIR's SciFact: milliseconds to index, questions a second on one
# thread, nDCG@10, beside bm25s (PEER_VENV: an environment with bm25s and
# PyStemmer), interleaved. quern's times are of whole commands, records in and
# records out; bm25s's leave the interpreter's start and files out.
set -eu
bin=${QUERN_BIN:?} py=${PEER_VENV:?}/bin/python
rounds=${ROUNDS:-5} times=${TIMES:-20}
data=${QUERN_TEST_DATA:?}/eval/beir_scifact
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
PATH=$bin:$PATH
"$py" "$here/search.py" prepare "$data" "$dir" "$times"
n=$(wc -l <"$dir/questions.jsonl")
for i in $(seq "$rounds"); do
	rm -rf "$dir/ix"
	t=$(date +%s%N)
	quern index -q -j 1 out="$dir/ix" words=0 <"$dir/docs.jsonl"
	a=$(date +%s%N)
	quern search -q -j 1 "$dir/ix" k=10 <"$dir/questions.jsonl" >"$dir/found"
	b=$(date +%s%N)
	echo "$(((a - t) / 1000000)) $((n * 1000000000 / (b - a)))" >>"$dir/quern"
	"$py" "$here/search.py" peer "$dir" "$data/test.tsv" >>"$dir/bm25s"
done
# median FILE COLUMN
median() { awk -v c="$2" '{ print $c }' "$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
echo "$(wc -l <"$dir/docs.jsonl") documents, $n questions, $rounds rounds; index ms, questions/s, nDCG@10:"
echo "  quern $(median "$dir/quern" 1) $(median "$dir/quern" 2) $("$py" "$here/search.py" score "$dir/found" "$data/test.tsv")"
echo "  bm25s $(median "$dir/bm25s" 1) $(median "$dir/bm25s" 2) $(tail -n 1 "$dir/bm25s" | cut -d' ' -f3)"
"$py" -c 'import importlib.metadata as m; print("bm25s", m.version("bm25s"))'
