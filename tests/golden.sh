#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# golden.sh - published ids of small texts for byte-level vocabularies, where the
# test data is (QUERN_TEST_DATA).  A line is a text with \n, \s (blank), \x
# (nothing).  Vectors of other kinds of vocabularies must be refused with a
# reason; those without a vocabulary are named at the end.
. "${srcdir:-.}/tests/lib.sh"
data=${QUERN_TEST_DATA-}/tokenizers
small=$data/vectors/small_input.txt
if [ ! -e "$data/hf/gpt2.json" ] || [ ! -e "$small" ]; then
	echo '1..0 # SKIP QUERN_TEST_DATA does not name a folder with test data'
	exit 0
fi
sed -e 's/"/\\"/g' -e 's/\\s/ /g' -e 's/\\x//g' -e 's/^/{"text":"/' -e 's/$/"}/' \
    "$small" >"$dir/small.jsonl"
lines=$(wc -l <"$small")
ran=0 passed=0 nofile= refused=

# vocabulary NAME - the file that a vector's name stands for
vocabulary() {
	case $1 in
	llama32 | llama33) echo hf/llama-3.2.json ;;
	gpt_oss) echo tiktoken/o200k_base.tiktoken ;;
	*_base | kimi_k2)
		[ -e "$data/tiktoken/$1.tiktoken" ] && echo "tiktoken/$1.tiktoken" ||
		    echo "hf/$1.json" ;;
	*) echo "hf/$1.json" ;;
	esac
}
# special NAME TEXT - holds a special token, which is plain text on purpose
special() {
	[ -z "$find" ] || return 1		# then they are made on purpose
	case $1:$2 in
	llama3?:* | kimi_k2:*) return 1 ;;	# have no such special token
	*:'<|endoftext|>' | modernbert:*'[PAD]'*) return 0 ;;
	esac
	return 1
}
# same NAME WANT GOT - line by line
same() {
	i=0 good=0
	while IFS= read -r text <&3 && IFS= read -r want <&4 && IFS= read -r got <&5; do
		i=$((i + 1))
		if special "$1" "$text"; then
			[ "$got" != "$want" ] && good=$((good + 1)) ||
			    echo "# $1 line $i: $text was made into a special token"
		elif [ "$got" = "$want" ]; then
			good=$((good + 1))
		else
			echo "# $1 line $i: $text: $got, not $want"
		fi
	done 3<"$small" 4<"$2" 5<"$3"
	passed=$((passed + good)) ran=$((ran + i))
	ok "$1: $good of $lines texts" test "$good" = "$lines"
}
for v in "$data"/vectors/*/small_tokens_*.txt; do
	name=${v##*/small_tokens_}
	name=${name%.txt}
	case $v in */sentencepiece/*) continue ;; esac	# tests/vocab.sh
	file=$data/$(vocabulary "$name")
	[ -e "$file" ] || { nofile="$nofile $name"; continue; }
	find=
	case $name in gte) nofile="$nofile $name(padded)"; continue ;; esac
	case $file in *.json) [ "$name" = modernbert ] || find=find=yes ;; esac
	if ! quern tokenize -q -j 1 with="$file" $find <"$dir/small.jsonl" >"$dir/out.jsonl" 2>"$dir/err"; then
		refused="$refused $name"
		echo "# $(cat "$dir/err")"
		ok "$name is refused with a reason" grep -q 'not read\|not BPE\|not known\|no model\|not ByteLevel\|no pre-tokenizer\|subword' "$dir/err"
		continue
	fi
	sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/' <"$dir/out.jsonl" >"$dir/got"
	sed 's/ //g' "$v" >"$dir/want"
	same "$name" "$dir/want" "$dir/got"
done
# there and back, for what does not normalize
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' -e 's/^/{"text":"/' -e 's/$/"}/' \
    "$data/vectors/utf8_input.txt" >"$dir/utf8.jsonl"
for f in hf/gpt2 hf/llama-3.2 hf/roberta-base hf/whisper.tiny tiktoken/p50k_base \
    tiktoken/cl100k_base tiktoken/o200k_base; do
	for f in "$data/$f".json "$data/$f".tiktoken; do
		[ -e "$f" ] || continue
		quern tokenize -q -j 1 with="$f" <"$dir/utf8.jsonl" |
		    sed 's/"text":".*",*\("ids".*\)/\1/' |
		    quern tokenize -q -j 1 decode with="$f" |
		    sed 's/.*\("text":".*"\).*/{\1}/' >"$dir/back"
		ok "${f##*/}: $(wc -l <"$dir/utf8.jsonl") lines there and back" cmp "$dir/utf8.jsonl" "$dir/back"
	done
done
echo "# ids: $passed of $ran texts as published"
echo "# refused:$refused"
echo "# no vocabulary in the data:$nofile"
ok 'something was compared' test "$ran" -ge 20
done_testing
