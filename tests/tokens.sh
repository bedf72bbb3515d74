#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tokens.sh - laws of every family of vocabularies: the same ids at any number of
# threads, however the input comes in, for records by themselves and among
# others; and texts that come back, where a family keeps all of them.
. "${srcdir:-.}/tests/lib.sh"
golden=$(cd "${srcdir:-.}/tests/golden/hf" && pwd)
cd "$dir" || exit 1
# words, scripts, blanks of all kinds, bytes of JSON's own, long runs
awk 'BEGIN { srand(11)
    n = split("the miller grinds corn; wheel\\t turns\\n water\\\"s 3,141 (foo) [bar]// été é straße Ñ 中文字 あア 각 😀‍ ١٢   　 абв <s> don\047t I\047LL \\r\\n ABCdef x▁y  ...  === \\u0001 �", w, " ")
    for (i = 0; i < 300; i++) {
	t = ""
	for (k = i % 23; k > 0; k--) t = t w[int(rand() * n) + 1] (rand() < 0.6 ? " " : "")
	if (i % 50 == 7) { c = substr("a .1", 1 + int(rand() * 4), 1); for (k = 0; k < 3000; k++) t = t c }
	printf "{\"id\":\"t%d\",\"text\":\"%s\"}\n", i, t
    } }' >in.jsonl
quern tokenize -q learn ./bpe.json vocab=500 <in.jsonl
quern tokenize -q learn ./o200k.json vocab=500 pattern=o200k <in.jsonl
quern tokenize -q learn ./nfc.json vocab=400 pattern=tekken normalize=nfc <in.jsonl
quern tokenize -q learn ./wordpiece.json kind=wordpiece vocab=300 coverage=1 <in.jsonl
for kind in char-bpe unigram; do
	for form in json model; do
		quern tokenize -q learn ./$kind.$form kind=$kind format=$form vocab=600 <in.jsonl
	done
done
# one of each model and of each pre-tokenizer that has golden answers
i=0
while read -r about; do
	i=$((i + 1))
	grep -h -m 1 -F "{\"about\":\"$about\"" "$golden"/models.jsonl "$golden"/pre_tokenizers.jsonl |
	    sed 's/^{"about":"[^"]*","file":\(.*\)}$/\1/' >"golden$i.json"
done <<-END
	BPE with a suffix
	WordPiece
	Unigram
	DeepSeek
	Metaspace
	UnicodeScripts
END
files=$(ls ./*.json ./*.model)
data=${QUERN_TEST_DATA-}/tokenizers
for f in hf/gpt2.json hf/bert-base-uncased.json hf/t5-small.json hf/clip_base.json hf/llama2.json \
    sentencepiece/llama2.model sentencepiece/xlnet_base_cased.model tiktoken/cl100k_base.tiktoken; do
	[ ! -e "$data/$f" ] || files="$files $data/$f"
done
[ -e "$data/hf/gpt2.json" ] || echo '# QUERN_TEST_DATA does not name a folder with test data: own vocabularies only'

ids() { sed 's/.*\("id":"[^"]*"\).*"ids":\(\[[0-9,]*\]\).*/\1\2/' "$1"; }
for file in $files; do
	name=${file##*/}
	quern tokenize -q -j 1 with="$file" <in.jsonl >one
	ok "$name: every record has ids" is "$(grep -c '"ids":\[' one)" 300
	good=0
	for j in 2 3 7; do
		quern tokenize -q -j $j with="$file" <in.jsonl | cmp one - && good=$((good + 1))
	done
	ok "$name: the same bytes with 2, 3, 7 threads" is $good 3
	good=0
	for size in 1 2 3 5 8 13 21 34 55 64; do
		dd if=in.jsonl bs=$size 2>dd.err | quern tokenize -q -j 1 with="$file" | cmp one - && good=$((good + 1))
	done
	ok "$name: and in pieces of 1 to 64 bytes" is $good 10
	sort -r in.jsonl | quern tokenize -q -j 1 with="$file" | sort | cmp - <(sort one)
	ok "$name: and in another order" is "$?" 0
	# ids to text and to ids again
	sed 's/"text":".*",*\("ids".*\)/\1/' one |
	    quern tokenize -q -j 1 decode with="$file" >back 2>back.err
	case $name in
	bpe.json | o200k.json | gpt2.json | cl100k_base.tiktoken)
		sed 's/.*"text":\(".*"\).*/\1/' back >got
		sed 's/.*"text":\(".*"\).*/\1/' in.jsonl >want
		ok "$name: every text comes back" cmp want got ;;
	char-bpe.* | unigram.* | llama2.model)
		# all but U+2581, which is the sign for a blank
		sed 's/.*"text":\(".*"\).*/\1/' back >got
		sed 's/.*"text":\(".*"\).*/\1/; s/▁/ /g' in.jsonl >want
		ok "$name: every text comes back" cmp want got ;;
	nfc.json | wordpiece.json | bert-base-uncased.json)
		# a word that is unknown comes back as the name of that token
		grep -v UNK back | quern tokenize -q -j 1 with="$file" >again
		ids one >want
		ids again >got
		ok "$name: what comes back has the same ids" sh -c 'test $(wc -l <got) -gt 20 && ! grep -q -v -x -F -f want got' ;;
	esac
done
done_testing
