#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shrink.sh - models are written with fewer weights or bits, and what that costs
# is measured: as evaluate measures it.
. "${srcdir:-.}/tests/lib.sh"
cd "$dir" || exit 1
sayings 400 6 30 0.9 >in.jsonl
head -n 300 in.jsonl >train.jsonl
tail -n 100 in.jsonl >held.jsonl
echo '{"prompt":"the miller","completion":" grinds corn"}' >>held.jsonl
quern tokenize -q learn ./bpe.json vocab=320 <in.jsonl
for arch in gpt2 llama; do
	quern train -q -j 2 out=./$arch tokenizer=./bpe.json arch=$arch layers=2 channels=32 heads=2 context=48 hidden=128 steps=200 lr=0.01 <train.jsonl
done
# perplexity MODEL - as evaluate has it
perplexity() { quern evaluate "$1" <held.jsonl 2>&1 >/dev/null | sed -n 's/.*: perplexity \([0-9.]*\) .*/\1/p'; }
# told WORD FILE - a member of what convert says with --json
told() { sed "s/.*\"$1\":\([0-9.e+-]*\).*/\1/" "$2"; }
near() { awk "BEGIN { d = ($1) / ($2); exit !(d > 1 - $3 && d < 1 + $3) }"; }

ok 'half of the weights go' sh -c "quern models convert ./gpt2 half prune=0.5 on=held.jsonl --json >half.told && grep -q '\"pruned_matrices\":8,\"pruned_part\":0.5,' half.told"
ok 'before: what evaluate measures' near "$(told perplexity_before half.told)" "$(perplexity ./gpt2)" 0.00001
ok 'after: what evaluate measures of the result' near "$(told perplexity_after half.told)" "$(perplexity ./half)" 0.00001
ok 'the difference is that of the perplexities' near "$(told value half.told)" "log($(told perplexity_after half.told) / $(told perplexity_before half.told))" 0.0001
quern models convert ./gpt2 most prune=0.8 on=held.jsonl --json >most.told
ok 'more weights, more loss' awk "BEGIN { exit !($(told perplexity_after most.told) > 1.02 * $(told perplexity_after half.told)) }"
ok 'an interval stands around it' awk "BEGIN { v = $(told value most.told); l = $(told low most.told); h = $(told high most.told); exit !(0 < l && l < v && v < h && h < 2 * v) }"
quern models convert ./gpt2 read prune=0.8 wanda=train.jsonl >read.told
ok 'inputs looked at: of each output as many, and others' sh -c "grep -q 'read: 78.65 % of the weights of 8 matrices' read.told && ! cmp -s read/model.safetensors most/model.safetensors"
ok 'two of four stay' sh -c "quern models convert ./gpt2 two prune=2:4 on=held.jsonl | grep -q 'two: 50.00 % of the weights of 8 matrices are 0'"
quern models convert ./gpt2 two.gguf prune=2:4 >/dev/null
quern models convert ./two.gguf two.back >/dev/null
quern models convert ./gpt2 whole.gguf >/dev/null
quern models convert ./whole.gguf late prune=2:4 >/dev/null
ok 'the same in a GGUF file' cmp two/model.safetensors two.back/model.safetensors
ok 'and from one' cmp two/model.safetensors late/model.safetensors
for arch in gpt2 llama; do
	quern models convert ./$arch $arch-half.gguf prune=0.5 dtype=q8_0 on=held.jsonl >both
	ok "$arch: fewer weights and bits at once" sh -c "grep -q 'tensors were rounded; .*; [0-9.]* bits a weight' both && grep -q '50.00 % of the weights' both && grep -q 'perplexity on .held.jsonl. [0-9.]* before, [0-9.]* after' both"
done
for type in q8_0 q4_0; do
	quern models convert ./llama $type.gguf dtype=$type on=held.jsonl --json >$type.told
done
ok 'fewer bits alone: what they cost' near "$(told perplexity_after q4_0.told)" "$(perplexity ./q4_0.gguf)" 0.00001
ok 'eight bits cost less than four' awk "BEGIN { a = $(told value q8_0.told); b = $(told value q4_0.told); exit !(a * a < b * b) }"
ok 'and are told' near "$(told bits q8_0.told)" 8.6 0.1
quern models convert ./llama each.gguf dtype=q4_0 on=held.jsonl each=yes >each.told
ok 'each matrix alone, the dearest first' sh -c "grep -A99 'each matrix alone' each.told | tail -n +3 | awk '{ print \$2 }' >order && [ \$(wc -l <order) = 15 ] && sort -gr order | cmp - order"
quern models convert ./gpt2 each prune=0.8 on=held.jsonl each=yes --json >each.told
ok 'of those that lose weights' is "$(grep -o '"tensor":"[^"]*"' each.told | wc -l)" 8
ok 'nothing of it stays' sh -c '! ls -d each.* 2>/dev/null | grep -v -e each.gguf -e each.told'
ok 'nothing lost is no difference' sh -c "quern models convert ./llama same on=held.jsonl | grep -q 'same: perplexity on .held.jsonl. .* +0 %: +0 nats'"
quern models convert ./llama bin.bin prune=0.5 >/dev/null
quern models convert ./llama bin.half prune=0.5 >/dev/null
quern models convert ./bin.bin bin.back tokenizer=./bpe.json >/dev/null
ok "llama2.c's file has the same weights" cmp bin.half/model.safetensors bin.back/model.safetensors

# what is refused
no() {
	want=$1
	shift
	rm -rf x
	quern models convert "$@" 2>err && return 1
	grep -qF "$want" err && ! ls -d x* 2>/dev/null || { cat err; return 1; }
}
ok 'inputs without a cut' no 'wanda= says what prune= cuts, which is missing' ./gpt2 x wanda=in.jsonl
ok 'each of nothing' no 'each= measures on= what prune= or dtype= costs' ./gpt2 x on=in.jsonl each=yes
ok 'a part that is none' no 'prune= is neither a part between 0 and 1 nor KEEP:OF' ./gpt2 x prune=1
ok 'groups that do not fit' no "tensor 'transformer.h.0.attn.c_attn.weight' has 32 inputs, which are no whole groups of 5" ./gpt2 x prune=2:5
ok 'a file that cannot be measured' no "will have no tokenizer to measure it with" ./llama x.bin on=in.jsonl
echo '{"id":"1"}' >bad.jsonl
ok 'records without a text' no "'bad.jsonl', line 1: neither text nor completion" ./gpt2 x on=bad.jsonl
echo '{' >bad.jsonl
ok 'no records' no "'bad.jsonl', line 1: " ./gpt2 x prune=0.5 wanda=bad.jsonl
: >bad.jsonl
ok 'an empty file' no "'bad.jsonl' has no records" ./gpt2 x on=bad.jsonl
ok 'no file' no "cannot open 'none.jsonl'" ./gpt2 x on=none.jsonl
ok 'a place that is taken, before anything is measured' no "'half' is there already" ./gpt2 half on=none.jsonl
mkdir x.each y.gguf.each.gguf
echo mine | tee x.each/file >y.gguf.each.gguf/file
ok 'nor a place beside it' sh -c "! quern models convert ./gpt2 x prune=0.5 on=held.jsonl each=yes 2>err && grep -q \"'x.each' is there already: each matrix alone\" err && [ ! -e x ]"
ok 'nor that of a file' sh -c "! quern models convert ./gpt2 y.gguf prune=0.5 on=held.jsonl each=yes 2>err && grep -q \"'y.gguf.each.gguf' is there already\" err"
ok 'what lies there stays' sh -c 'cat x.each/file y.gguf.each.gguf/file | tr "\n" " " | grep -qx "mine mine "'
rm -r x.each y.gguf.each.gguf

# a published model, on stories of its own
data=${QUERN_TEST_DATA:-/nowhere}/weights/stories260K
if [ -e "$data/hf" ]; then
	mkdir stories
	cp "$data"/hf/* stories
	cp "$data/tok512.bin" stories/tokenizer.bin
	awk 'BEGIN { for (i = 0; i < 40; i++) printf "{\"id\":\"%d\",\"prompt\":\"Once upon a time\"}\n", i }' |
	    quern infer -q ./stories max_tokens=100 temperature=1 | sed 's/"prompt":"[^"]*",*//; s/"completion"/"text"/' >told.jsonl
	head -n 20 told.jsonl >some.jsonl
	tail -n 20 told.jsonl >others.jsonl
	for way in plain wanda=some.jsonl; do
		[ $way = plain ] && way= name=plain || name=wanda
		quern models convert ./stories $name prune=0.5 $way on=others.jsonl --json >$name.told
	done
	ok 'stories260K: inputs save a quarter of the loss, as they should' awk "BEGIN { exit !($(told value wanda.told) < 0.75 * $(told value plain.told)) }"
	quern models convert ./stories q8.gguf dtype=q8_0 on=others.jsonl --json >q8.told
	ok 'stories260K: eight bits cost next to nothing' awk "BEGIN { v = $(told value q8.told); exit !(v * v < 0.01 * 0.01) }"
else
	ok 'a published model # SKIP no QUERN_TEST_DATA' true
fi
done_testing
