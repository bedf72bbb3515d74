#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shards.sh - shards in the layouts of other trainers, read back byte by byte
# with od as those trainers read them.
. "${srcdir:-.}/tests/lib.sh"
cd "$dir" || exit 1

cat >in.jsonl <<'E1'
{"id":"1","text":"ab","split":"train"}
{"id":"2","text":"","split":"train"}
{"id":"3","text":"ba ab","split":"test"}
E1
quern tokenize -q learn ./v.json vocab=257 special='<|endoftext|>' <in.jsonl
# what each text is, from the ids that encode gives; 0 ends a text
quern tokenize -q with=./v.json <in.jsonl | sed 's/.*"ids":\[\([^]]*\)\].*/\1/' | tr , ' ' >ids
put() { quern tokenize -q shard "./$1" with=./v.json layout=$2 <in.jsonl; }
u16() { od -An -v -tu2 -w2 -j "$1" ${3:+-N "$3"} "$2" | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'; }
i32() { od -An -v -td4 -w4 -j "$1" -N "$3" "$2" | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'; }
u64() { od -An -v -tu8 -w8 -j "$1" -N "$3" "$2" | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'; }
tidy() { tr -s ' \n' ' ' | sed 's/^ //; s/ $//'; }

behind=$(sed 's/$/ 0/' ids | tidy)
before=$(sed 's/^/0 /' ids | tidy)
plain=$(tidy <ids)
total=$(echo "$behind" | wc -w)

put x.nano nanogpt
ok 'nanogpt: tokens alone, the end behind each text' [ "$(u16 0 x.nano)" = "$behind" ]

put x.llmc llmc
ok 'llmc: magic, version, number of tokens' [ "$(i32 0 x.llmc 12)" = "20240520 1 $total" ]
ok 'llmc: a head of 1024 bytes, the rest of it zeros' [ -z "$(od -An -v -tu1 -j 12 -N 1012 x.llmc | tr -d ' 0\n')" ]
ok 'llmc: tokens, the end before each text' [ "$(u16 1024 x.llmc)" = "$before" ]

put x.bin megatron
ok 'megatron: tokens, the end behind each text' [ "$(u16 0 x.bin)" = "$behind" ]
ok 'megatron: magic' [ "$(head -c 9 x.idx | od -An -c | tr -d ' ')" = 'MMIDIDX\0\0' ]
ok 'megatron: version' [ "$(u64 9 x.idx 8)" = 1 ]
ok 'megatron: type uint16' [ "$(od -An -tu1 -j 17 -N 1 x.idx | tr -d ' ')" = 8 ]
ok 'megatron: documents' [ "$(u64 18 x.idx 16)" = '3 4' ]
lens=$(sed 's/$/ 0/' ids | awk '{ print NF }' | tidy)
ok 'megatron: lengths' [ "$(i32 34 x.idx 12)" = "$lens" ]
at=$(echo "$lens" | awk '{ print 0, 2 * $1, 2 * ($1 + $2) }')
ok 'megatron: places in bytes' [ "$(u64 46 x.idx 24)" = "$at" ]
ok 'megatron: the documents, and nothing more' [ "$(u64 70 x.idx 32) $(wc -c <x.idx)" = '0 1 2 3 102' ]

put x.quern quern
ok 'quern: head' [ "$(head -c 8 x.quern) $(i32 8 x.quern 8) $(u64 16 x.quern 16)" = "QUERNTOK 1 2 3 $(echo "$plain" | wc -w)" ]
bytes=$((2 * $(echo "$plain" | wc -w)))
ok 'quern: tokens' [ "$(u16 64 x.quern $bytes)" = "$plain" ]
o=$(awk 'BEGIN { s = 0; printf "0" } { s += NF; printf " %d", s }' ids)
ok 'quern: offsets' [ "$(u64 $((64 + bytes)) x.quern 32)" = "$o" ]

quern tokenize -q learn ./none.json vocab=257 special='<|pad|>' <in.jsonl
quern tokenize -q shard ./y with=./none.json layout=nanogpt <in.jsonl 2>err
ok 'a vocabulary without an end is refused' grep -q "needs a token that ends a text" err
ok 'and nothing is left' [ ! -e y -a ! -e y.part ]
done_testing
