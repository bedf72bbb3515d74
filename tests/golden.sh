#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# golden.sh - GPT-2's published ids for small texts, where the test data is
# (QUERN_TEST_DATA).  A line is a text with \n, \s (blank), \x (nothing).
. "${srcdir:-.}/tests/lib.sh"
data=${QUERN_TEST_DATA-}/tokenizers
if [ ! -e "$data/hf/gpt2.json" ] || [ ! -e "$data/vectors/small_input.txt" ]; then
	echo '1..0 # SKIP QUERN_TEST_DATA does not name a folder with test data'
	exit 0
fi
sed -e 's/"/\\"/g' -e 's/\\s/ /g' -e 's/\\x//g' -e 's/^/{"text":"/' -e 's/$/"}/' \
    "$data/vectors/small_input.txt" |
    quern tokenize -q -j 1 with="$data/hf/gpt2.json" |
    sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/' >"$dir/got"
sed 's/ //g' "$data/vectors/tokenizers/small_tokens_gpt2.txt" >"$dir/want"
ok 'as many answers as questions' is "$(wc -l <"$dir/got")" "$(wc -l <"$data/vectors/small_input.txt")"
i=0
while IFS= read -r text <&3 && IFS= read -r want <&4 && IFS= read -r got <&5; do
	i=$((i + 1))
	case $text in
	'<|endoftext|>')
		# an added token is never made from text: on purpose
		ok "line $i is plain text here" test "$got" != "$want" ;;
	*) ok "line $i" is "$got" "$want" ;;
	esac
done 3<"$data/vectors/small_input.txt" 4<"$dir/want" 5<"$dir/got"
ok 'all lines were compared' is "$i" "$(wc -l <"$dir/want")"
done_testing
