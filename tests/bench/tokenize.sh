#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tokenize.sh - vocabularies of all kinds beside gigatoken, tiktoken, tokenizers
# and sentencepiece (PEER_VENV: an environment with those that there are), in
# documents of 64 KiB: MB of text in a second of CPU time, first and best of some
# passes, medians of interleaved rounds; ids are compared, and openings timed from
# files and from images.  VOCABS, PEERS and THREADS choose, CODE is bytes of C.
set -euo pipefail
py=${PEER_VENV:?}/bin/python rounds=${ROUNDS:-3} passes=${PASSES:-5}
data=${QUERN_TEST_DATA:?}/tokenizers
here=$(cd "$(dirname "$0")" && pwd)
mine=${QUERN_BIN:?}/tests/bench/tokenize
[ -x "$mine" ] || make -C "$QUERN_BIN" -s tests/bench/tokenize
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat "$data/text/mobydick-1MB.txt" "$data/text/pride_and_prejudice.txt" >"$dir/english"
cp "$data/text/wagahai.txt" "$dir/japanese"
find /usr/include -maxdepth 2 -name '*.h' | sort | xargs cat | iconv -f UTF-8 -t UTF-8 -c |
	head -c "${CODE:-6000000}" | iconv -f UTF-8 -t UTF-8 -c >"$dir/c" || true
"$py" "$here/peers.py" verse "$QUERN_TEST_DATA/corpora/chinese_poetry" 2000000 >"$dir/chinese"
texts="$dir/english $dir/c $dir/japanese $dir/chinese"
for t in ${THREADS:-1 2}; do
	export RAYON_NUM_THREADS=$t TOKENIZERS_PARALLELISM=true
	for v in ${VOCABS:-hf/gpt2.json hf/llama-3.2.json hf/qwen2.5.json tiktoken/cl100k_base.tiktoken tiktoken/o200k_base.tiktoken hf/bert-base-uncased.json hf/t5-small.json hf/xlm-roberta-like.json hf/llama2.json hf/mistral01.json sentencepiece/llama2.model sentencepiece/t5_base.model}; do
		case $v in
		hf/gpt2.json) peers="gigatoken tiktoken tokenizers" ;;
		hf/llama-3* | hf/qwen* | hf/llama2* | hf/mistral*) peers="gigatoken tokenizers" ;;
		*.json) peers=tokenizers ;;
		*.model) peers=sentencepiece ;;
		*) peers="gigatoken tiktoken" ;;
		esac
		peers=${PEERS-$peers}
		for _ in $(seq "$rounds"); do
			# shellcheck disable=SC2086
			"$mine" -j "$t" -r "$passes" "$data/$v" $texts | sed "s#^#$v\t$t\tquern\t#"
			for p in $peers; do
				n=$passes
				[ "$p" = gigatoken ] || n=1
				# shellcheck disable=SC2086
				"$py" "$here/peers.py" run "$p" "$data/$v" "$t" "$n" 65536 $texts |
					sed "s#^#$v\t$t\t$p\t#"
			done
		done
	done
done >"$dir/rows"
"$py" "$here/peers.py" table "$dir/rows"
for v in ${VOCABS:-hf/gpt2.json hf/qwen2.5.json tiktoken/o200k_base.tiktoken hf/bert-base-uncased.json hf/bert-base-multilingual-cased.json hf/t5-small.json hf/xlm-roberta-like.json hf/llama2.json sentencepiece/llama2.model sentencepiece/t5_base.model}; do
	"$mine" -o "$data/$v" "$dir"
done | sed "s#^$data/##"
wc -c $texts | sed '$d;s#/.*/##'
"$py" -c 'import importlib.metadata as m
for p in "gigatoken", "tiktoken", "tokenizers", "sentencepiece": print(p, m.version(p))'
sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1
uptime
