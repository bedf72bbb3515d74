#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vocab.sh - published ids and decoded texts for SentencePiece models, and ids for
# vocabularies in GGUF files, where the test data is (QUERN_TEST_DATA).  Of the
# former, a line is a text with \n, \s (blank), \x (nothing).
. "${srcdir:-.}/tests/lib.sh"
data=${QUERN_TEST_DATA-}/tokenizers
small=$data/vectors/small_input.txt
if [ ! -e "$data/sentencepiece/llama2.model" ] || [ ! -e "$small" ]; then
	echo '1..0 # SKIP QUERN_TEST_DATA does not name a folder with test data'
	exit 0
fi
# lines FILE - JSON strings of lines
lines() { sed -e 's/"/\\"/g' -e 's/\\s/ /g' -e 's/\\x//g' -e 's/.*/"&"/' "$1"; }
# same MODEL WHAT WANT GOT - how many lines are the same; they must all be
same() {
	all=$(wc -l <"$3")
	good=$((all - $(diff "$3" "$4" | grep -c '^<')))
	diff "$3" "$4" | grep '^[<>]' | head -6 | sed 's/^/# /'
	ok "$1: $2 of $good of $all texts" test "$good" = "$all" -a "$all" -ge 20
}
lines "$small" | sed 's/.*/{"text":&}/' >"$dir/small.jsonl"
for v in "$data"/vectors/sentencepiece/small_tokens_*.txt; do
	name=${v##*/small_tokens_}
	name=${name%.txt}
	file=$data/sentencepiece/$name.model
	[ -e "$file" ] || { echo "# no vocabulary in the data: $name"; continue; }
	quern tokenize -q -j 1 with="$file" <"$dir/small.jsonl" >"$dir/out.jsonl"
	sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/' <"$dir/out.jsonl" >"$dir/got"
	sed 's/ //g' "$v" >"$dir/want"
	same "$name" ids "$dir/want" "$dir/got"
	out=$data/vectors/sentencepiece/small_output_$name.txt
	[ -e "$out" ] || out=$small
	lines "$out" >"$dir/want"
	sed 's/"text":".*",*\("ids".*\)/\1/' <"$dir/out.jsonl" |
	    quern tokenize -q -j 1 decode with="$file" |
	    sed 's/.*"text":\(".*"\).*/\1/' >"$dir/got"
	same "$name" 'decoded text' "$dir/want" "$dir/got"
done
# there and back, for models that keep every byte but those of their own sign
grep -v '▁' "$data/vectors/utf8_input.txt" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' -e 's/^/{"text":"/' -e 's/$/"}/' >"$dir/utf8.jsonl"
for name in llama2 mistral01 mistral03; do
	file=$data/sentencepiece/$name.model
	[ -e "$file" ] || continue
	quern tokenize -q -j 1 with="$file" <"$dir/utf8.jsonl" |
	    sed 's/"text":".*",*\("ids".*\)/\1/' |
	    quern tokenize -q -j 1 decode with="$file" |
	    sed 's/.*\("text":".*"\).*/{\1}/' >"$dir/back"
	ok "$name: $(wc -l <"$dir/utf8.jsonl") lines there and back" cmp "$dir/utf8.jsonl" "$dir/back"
done
# a token that only looks like the end of a text is none: qwen2.5 has a plain <s>,
# roberta a plain <|endoftext|>
for one in qwen2.5:-1:151643 roberta-base:0:2 llama-3.2:128000:128001; do
	file=$data/hf/${one%%:*}.json
	[ -e "$file" ] || continue
	quern tokenize -q inspect with="$file" >"$dir/what" 2>/dev/null
	ends=${one#*:}
	ok "${one%%:*}: what begins and ends a text" grep -q "\"begins\":${ends%:*},\"ends\":${ends#*:}," "$dir/what"
done
# GGUF: texts with a line of their own between them, ids on a line each
for file in "$data"/gguf/*.gguf; do
	[ -e "$file" ] || continue
	name=${file##*/ggml-vocab-}
	name=${name%.gguf}
	awk 'BEGIN { RS = "\n__ggml_vocab_test__\n" } {
	    gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); gsub(/\n/, "\\n")
	    gsub(/\t/, "\\t"); gsub(/\r/, "\\r")
	    print "{\"text\":\"" $0 "\"}" }' "$file.inp" >"$dir/gguf.jsonl"
	if ! quern tokenize -q -j 1 with="$file" <"$dir/gguf.jsonl" >"$dir/out.jsonl" 2>"$dir/err"; then
		echo "# $(cat "$dir/err")"
		ok "$name is refused with a reason" grep -q 'no model with vocab\|is a sequence of' "$dir/err"
		continue
	fi
	sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/' <"$dir/out.jsonl" >"$dir/got"
	sed 's/^ //; s/ $//; s/ /,/g' "$file.out" >"$dir/want"
	same "$name" ids "$dir/want" "$dir/got"
done
done_testing
