#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cache.sh - pages of keys and values: prompts that begin alike are read once,
# and no answer tells how many pages there were or who had read them.
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
cd "$dir" || exit 1
grist >in.jsonl
quern tokenize -q learn ./words.json vocab=300 <in.jsonl
quern train -q -j 2 out=./m tokenizer=./words.json arch=llama layers=2 \
    channels=32 heads=4 kv_heads=2 hidden=64 context=192 steps=5 batch=2 <in.jsonl
awk 'BEGIN { for (i = 0; i < 30; i++) {
	b = i % 3 == 0 ? "" : "the miller grinds corn and the wheel turns by the water, and the stone is in the mill; "
	printf "{\"id\":\"p%d\",\"prompt\":\"%s%sthe day %d\"}\n", i, b, i % 5 == 0 ? b : "", i % 7
    } }' >prompts.jsonl
answers() { quern infer -q ./m temperature=1 max_tokens=20 "$@" <prompts.jsonl; }

for w in f32 q8; do
	answers -j 1 weights=$w slots=1 share=no >want
	ok "$w: every prompt is answered" is "$(grep -c '"completion":"..*"finish_reason"' want)" 30
	for way in '-j 1 slots=1' '-j 2 slots=16' '-j 2 slots=16 share=no' '-j 1 slots=16 cache=1' '-j 2 slots=7 cache=400K'; do
		ok "$w with $way: the same bytes" sh -c "quern infer -q ./m weights=$w temperature=1 max_tokens=20 $way <prompts.jsonl | cmp want -"
	done
done

# in whole pages of 16, all but the last token of a prompt: what others had read
shared() {
	printf '%s\n' 'pipeline a' "  ingest $dir/prompts.jsonl" "  infer $dir/m max_tokens=20 $1" '  write out.jsonl' >"$dir/a.job"
	id=$(quern submit "$dir/a.job")
	once
	sed -n 's/.*"cached_tokens":\([0-9]*\).*/\1/p' "$spool/done/$id/result/result.json"
}
quern tokenize -q encode text=prompt with=./words.json <prompts.jsonl | sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/' |
    awk -F, '{ for (k = 16; k < NF; k += 16) { key = ""; for (i = 1; i <= k; i++) key = key "," $i; n += seen[key]++ > 0 ? 16 : 0 } } END { print n }' >all
ok 'what prompts share is read once' is "$(shared slots=16)" "$(cat all)"
ok 'nothing if it is not asked for' is "$(shared 'slots=16 share=no')" 0
ok 'one after the other as well' sh -c "[ $(shared slots=1) -gt 500 ]"
echo "1..$n"
