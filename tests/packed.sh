#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# packed.sh - quantised weights: the same answers whatever runs beside them, an
# image that is made once and known by the model's files, and what they cost
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
cd "$dir" || exit 1
grist >in.jsonl
begun >prompts.jsonl
quern tokenize -q learn ./words.json vocab=300 <in.jsonl
quern train -q -j 2 out=./m tokenizer=./words.json arch=llama layers=2 \
    channels=64 heads=4 kv_heads=2 hidden=128 context=64 steps=60 batch=8 lr=0.01 <in.jsonl
unset QUERN_ROOT		# a shell without a store
export XDG_CACHE_HOME=$dir/cache
images() { ls cache/quern 2>/dev/null | grep -c quernpak; }
answers() { quern infer -q "$@" max_tokens=12 <prompts.jsonl; }

# one image for each form, made by the first run
for w in q8 q4; do
	answers ./m weights=$w slots=1 -j 1 >want
	ok "$w: 12 answers" is "$(grep -c completion_tokens want)" 12
	answers ./m weights=$w slots=5 -j 2 >have
	ok "$w: the same beside others, mapped" cmp want have
	sort -r prompts.jsonl | quern infer -q ./m weights=$w max_tokens=12 slots=3 | sort >have
	ok "$w: and in another order" sh -c 'sort want | cmp - have'
done
ok 'an image each' is "$(images)" 2
before=$(stat -c '%i %Y' cache/quern/*.quernpak)
answers ./m weights=q8 >/dev/null
ok 'which is not made again' is "$(stat -c '%i %Y' cache/quern/*.quernpak)" "$before"
ok 'for nobody else to write' is "$(stat -c %a cache/quern/*.quernpak | sort -u)" 600

# what cannot be trusted is made again
answers ./m weights=q8 >want
for f in cache/quern/*.quernpak; do chmod 620 "$f"; printf 'XXXX' | dd of="$f" bs=1 seek=5000 conv=notrunc 2>/dev/null; done
answers ./m weights=q8 >have
ok 'an image that others may write is not used' cmp want have
for f in cache/quern/*.quernpak; do truncate -s 5000 "$f"; done
answers ./m weights=q8 >have
ok 'nor one that is cut short' cmp want have
rm -rf cache/quern
mkdir cache/quern
chmod 500 cache/quern
answers ./m weights=q8 >have
ok 'none where none can be made' cmp want have
chmod 700 cache/quern
XDG_CACHE_HOME=/dev/null answers ./m weights=q8 >have
ok 'nor without a cache' cmp want have

# another model under the same name is another image; floats have none
rm -f cache/quern/*
answers ./m weights=f32 >/dev/null
ok 'floats are not kept' is "$(images)" 0
answers ./m weights=q4 >want
cp -r m other
rm -rf m
quern train -q -j 2 out=./m tokenizer=./words.json arch=llama layers=2 \
    channels=64 heads=4 kv_heads=2 hidden=128 context=64 steps=1 <in.jsonl
answers ./m weights=q4 >have
ok 'another model in its place is seen' sh -c '! cmp -s want have'
answers ./other weights=q4 >have
ok 'a copy of the first says the same' cmp want have
ok 'three images then' is "$(images)" 3

# a file that is quantised already loses nothing by it
quern models convert ./other other.gguf dtype=q8_0 >/dev/null
quern evaluate ./other.gguf weights=q8 context=64 <in.jsonl 2>a >/dev/null
quern evaluate ./other weights=q8 context=64 <in.jsonl 2>b >/dev/null
ok 'Q8_0 of a file is taken as it is' cmp a b

# what it costs
quern evaluate ./other weights=q4 against=./other context=64 <in.jsonl 2>cost >/dev/null
ok 'evaluate tells the loss of q4' grep -q 'bits_per_byte_difference' cost
bits() { sed -n "s/^quern: bits_per_byte$1 \([^ ]*\).*/\1/p" cost; }
ok 'and it is small' awk "BEGIN { d = $(bits _difference) + 0; exit !(d < 0.1 && d > -0.1 && d != 0) }"
quern evaluate ./other weights=q8 against=./other context=64 <in.jsonl 2>cost >/dev/null
ok 'q8 is nearly the same' awk "BEGIN { d = $(bits _difference) + 0; exit !(d < 0.005 && d > -0.005) }"
ok 'weights= without a model is refused' status 64 sh -c 'echo "{\"label\":\"a\",\"prediction\":\"a\"}" | quern evaluate -q weights=q8'
ok 'and another form' status 64 sh -c 'quern infer -q ./other weights=q5 <prompts.jsonl'

# in a store the image lies there, until gc
export QUERN_ROOT="$dir/q"
id=$(printf '%s\n' 'pipeline a' "  ingest $dir/in.jsonl" \
    "  train tokenizer=$dir/words.json arch=llama layers=2 channels=64 heads=4 context=64 steps=2" \
    '  save mill' 'pipeline b' "  ingest $dir/prompts.jsonl" '  infer mill weights=q8 max_tokens=3' \
    '  write answers.jsonl' | quern submit)
once
ok 'a job answers with it' is "$(grep -c completion "$spool/done/$id/result/answers.jsonl")" 12
ok 'from an image in the store' is "$(ls q/store/compiled | grep -c quernpak)" 1
quern gc >/dev/null
ok 'gc removes it' is "$(ls q/store/compiled | grep -c quernpak)" 0
echo "1..$n"
