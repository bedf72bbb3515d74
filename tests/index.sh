#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# index.sh - an index's versions: taken over, changed, merged; what a search
# finds depends on the documents alone; passages are where they say.
. "${srcdir:-.}/tests/lib.sh"
conf
once
# documents FROM TO WORD - records with some common words and a few of their own
documents() {
	awk -v a="$1" -v b="$2" -v w="$3" 'BEGIN { for (i = a; i < b; i++) {
	    printf "{\"id\":\"d%d\",\"source\":\"s\",\"offset\":0,\"text\":\"", i
	    for (k = 0; k < 20 + i % 50; k++)
		printf "%s%d ", w, (i * i + k * k * 7) % (k % 3 ? 50 : 900)
	    print "\"}" } }'
}
awk 'BEGIN { for (i = 0; i < 60; i++)
    printf "{\"id\":\"q%d\",\"question\":\"w%d w%d x%d\"}\n", i, i % 50, i * 13 % 50, i }' \
    >"$dir/questions.jsonl"
job 'pipeline docs
  ingest @DIR@/in.jsonl
  save   docs
pipeline index
  from   docs
  index  words=16
  save   ix' >"$dir/ix.job"
# made - the counts in the last job's result
made() { sed -n 's/.*"index":{\([^}]*\)}.*/\1/p' "$spool/done/$id/result/result.json"; }
ask() { quern search -q "$@" k=7 <"$dir/questions.jsonl"; }

documents 0 2000 w >"$dir/in.jsonl"
id=$(quern submit "$dir/ix.job")
once
ok 'an index is saved' status 0 quern wait "$id"
ok 'and counted' sh -c "echo '$(made)' | grep -q '\"documents\":2000.*\"added\":2000,\"same\":0,\"deleted\":0'"
ok 'models list it' sh -c "quern models list | grep -q '^ix@1 '"
{ documents 0 1500 w; documents 1500 1700 x; documents 2000 2100 w; } >"$dir/in.jsonl"
id=$(quern submit "$dir/ix.job")
once
ok 'a change: only what changed' sh -c "echo '$(made)' | grep -q '\"documents\":1800,.*\"added\":300,\"same\":1500,\"deleted\":500'"
quern index -q out="$dir/anew" words=16 <"$dir/in.jsonl"
ask ix >"$dir/taken"
ask "$dir/anew" >"$dir/made"
ok 'as if it had been made anew' cmp "$dir/taken" "$dir/made"
ok 'and there is much to find' test "$(grep -c '"rank":7' "$dir/made")" -gt 50
ok 'any number of threads' sh -c "quern search -q -j 3 ix k=7 <$dir/questions.jsonl | cmp - $dir/made"
ask ix@1 >"$dir/first"
ok 'the first version is as it was' sh -c "! cmp -s $dir/first $dir/made"
for i in 1 2 3 4 5 6 7 8 9 10; do
	documents $((3000 + i * 10)) $((3010 + i * 10)) w >>"$dir/in.jsonl"
	id=$(quern submit "$dir/ix.job")
	once
done
ok 'small segments are merged' sh -c "echo '$(made)' | grep -q '\"documents\":1900,.*\"segments\":[1-8]$'"
quern index -q out="$dir/anew2" words=16 memory=1M <"$dir/in.jsonl"
ok 'many segments for little memory' test "$(ls "$dir/anew2"/*.seg | wc -l)" -ge 1
ask ix >"$dir/taken"
ask "$dir/anew2" >"$dir/made"
ok 'and still the same is found' cmp "$dir/taken" "$dir/made"
job 'pipeline index
  ingest @DIR@/in.jsonl
  index  words=16 keep=yes
  save   ix' >"$dir/keep.job"
documents 9000 9001 z >"$dir/in.jsonl"
id=$(quern submit "$dir/keep.job")
once
ok 'keep=yes only adds' sh -c "echo '$(made)' | grep -q '\"documents\":1901,.*\"added\":1,\"same\":0,\"deleted\":0'"
ok 'a word searched from a shell' sh -c "quern search ix z50 z0 json=yes | grep -q '\"id\":\"d9000\"'"
ok 'gc keeps what versions share' sh -c "quern models rm ix@2 && quern gc >/dev/null && quern store check && quern search -q ix@1 w7 >/dev/null"
ok 'a backup has it' sh -c "quern backup $dir/backup && mv $QUERN_ROOT/store $dir/lost && quern restore $dir/backup && quern search -q ix k=7 <$dir/questions.jsonl | grep -q '\"rank\":7'"
ok 'store check reads it' sh -c "quern store check | grep -q ' and [1-9][0-9]* files read, 0 faults'"
f=$(ls "$QUERN_ROOT"/store/indexes/*/*.seg | tail -1)
cp "$f" "$dir/seg" && rm "$f" && cp "$dir/seg" "$f"
printf 'X' | dd of="$f" bs=1 seek=100 conv=notrunc 2>/dev/null
ok 'and finds damage' status 65 quern store check

printf 'Alpha beta.\n\nThe quern grinds.\n\nÄpfel und Birnen.\n' >"$dir/a.txt"
quern ingest -q "$dir/a.txt" | quern index -q out="$dir/b" words=3
hit=$(quern search -q "$dir/b" birnen json=yes)
offset=$(echo "$hit" | sed 's/.*"offset":\([0-9]*\).*/\1/')
length=$(echo "$hit" | sed 's/.*"length":\([0-9]*\).*/\1/')
hash=$(echo "$hit" | sed 's/.*"hash":"\([^"]*\)".*/\1/')
tail -c +$((offset + 1)) "$dir/a.txt" | head -c "$length" >"$dir/passage"
ok 'a passage is where it says' is "$(cat "$dir/passage")" 'Äpfel und Birnen.'
ok 'with the hash that it says' is "$(b2sum -l 256 "$dir/passage" | cut -d' ' -f1)" "$hash"
ok 'for people: file, bytes, hash' sh -c "quern search $dir/b quern k=1 | grep -A1 '^1  $dir/a.txt' | grep -q 'bytes 13 to 30, hash [0-9a-f]\{16\}, score'"
ok 'an index in a shell needs a place' status 64 sh -c "echo '{\"id\":\"a\",\"text\":\"b\"}' | quern index -q"
ok 'a place that is taken is not' status 73 sh -c "quern ingest -q $dir/a.txt | quern index -q out=$dir/b"
seg=$(ls "$dir"/b/*.seg)
head -c 100 "$seg" >"$dir/cut" && cat "$dir/cut" >"$seg"
ok 'a damaged one is told' sh -c "quern search $dir/b quern 2>&1 | grep -q 'is damaged.*index again'"
ok 'an index that is not there' status 66 quern search nowhere quern
done_testing
