#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# store.sh - versions, tags, keys, append, lineage, gc, backup, damage.
. "${srcdir:-.}/tests/lib.sh"
conf
once
store=$QUERN_ROOT/store
records 3000 >"$dir/in.jsonl"
job 'pipeline one
  ingest @DIR@/in.jsonl
  pass 2500
  save things
pipeline two
  from things
  write copy.jsonl' >"$dir/save.job"
id=$(quern submit "$dir/save.job")
once
ok 'save and from in one job' status 0 quern wait "$id"
ok 'the version has its records' is "$(quern data list --json | sed 's/.*"records":\([0-9]*\).*/\1/')" 2500
ok 'what comes out is what went in' sh -c "quern data export things | cmp - $spool/done/$id/result/copy.jsonl"
ok 'why: kept' sh -c "quern why r1 | grep -q 'things@1: kept, from $dir/in.jsonl at'"
ok 'why: dropped, with rule and threshold' sh -c "quern why r2999 | grep -q '\"rule\":\"limit\",\"value\":2501,\"threshold\":2500'"
ok 'why: unknown is 66' status 66 quern why nobody
id=$(quern submit "$dir/save.job")
once
ok 'unchanged input is not saved again' sh -c "grep -q 'unchanged.*things@1' $spool/done/$id/log && test \$(quern data list --json | wc -l) = 1"
ok 'and the bare name means what it was' status 0 quern wait "$id"
quern rerun --from one "$id"
once
ok 'rerun --from makes it anew' sh -c "test \$(quern data list --json | wc -l) = 2"
records 3001 >"$dir/in.jsonl"
id=$(quern submit "$dir/save.job")
once
ok 'changed input is a new version' sh -c "test \$(quern data list --json | wc -l) = 3"
ok 'diff by record' is "$(quern data diff things@1 things@3 | tail -1)" '+0 -0 ~0'
printf '{"id":"r1","text":"changed"}\n{"id":"new","text":"added"}\n' >"$dir/more.jsonl"
ok 'append from a shell' sh -c "quern pass -q <$dir/more.jsonl | quern append things"
ok 'replaces and adds' is "$(quern data diff things@3 things | tail -1)" '+1 -0 ~1'
ok 'and counts' is "$(quern data export things | wc -l)" 2501
quern data tag things@1 prod
ok 'a tag is a version' sh -c "quern data show things@prod | grep -q 'things@1'"
ok 'a tagged version is not removed' status 65 quern data rm things@1
job 'pipeline p
  from things
  pass 1
  promote things prod' | quern submit >/dev/null
once
ok 'promote moves a tag' sh -c "quern data show things@prod | grep -q 'things@4'"
job 'pipeline p
  from nothing
  write x.jsonl' | quern submit >/dev/null
once
ok 'a missing dataset rejects at admission' sh -c "cat $spool/failed/*/error | grep -q \"no dataset 'nothing' in the store\""
job 'pipeline p
  from things
  save things.b
pipeline q
  from things.b
  save things.b' >"$dir/twice.job"
ok 'one name, one saver' sh -c "! quern check $dir/twice.job 2>/dev/null"
ok 'runs: a table' sh -c "quern runs list | grep -q '^JOB/PIPELINE' && quern runs list | grep -q '$id/one  *done '"
ok 'runs: one job, all that was noted' sh -c "quern runs show $id | grep -q '  stages    ingest,pass,save'"
ok 'runs: as JSON' sh -c "quern runs export $id | quern pass -q | grep -q '\"fate\":\"done\",\"records\":[0-9].*\"saved\":\"things\"'"
ok 'runs: forgotten' sh -c "quern runs rm $id && ! quern runs show $id 2>/dev/null"
: >"$dir/empty.jsonl"
job 'pipeline p
  ingest @DIR@/empty.jsonl
  save things
pipeline q
  ingest @DIR@/in.jsonl
  save others' >"$dir/shrank.job"
id=$(quern submit "$dir/shrank.job")
once
ok 'a source that shrank to nothing fails' status 65 quern wait "$id"
ok 'saying what stays' sh -c "quern show $id | grep -q \"'things@4' with [0-9]* records stays\" && quern data show things | grep -q '^things@4'"
ok 'and the rest goes on' sh -c "quern data show others | grep -q 'records   3001'"
ok 'unless nothing is meant' sh -c "sed 's/save things/save things empty=yes/' $dir/shrank.job | quern submit >/dev/null && quernd --once 2>/dev/null; quern data show things | grep -q '^things@5' && quern data rm things@5 && quern data tag things@4 latest"
before=$(du -sk "$store/packs" | cut -f1)
quern data rm things@2 && quern gc >/dev/null
ok 'gc frees what nothing names' test "$(du -sk "$store/packs" | cut -f1)" -lt "$before"
ok 'and nothing else' sh -c "quern store check"
ok 'backup' quern backup "$dir/backup"
sum=$(quern data export things@3 | cksum)
mv "$store" "$dir/lost"
ok 'restore' quern restore "$dir/backup"
ok 'is the same' is "$(quern data export things@3 | cksum)" "$sum"
f=$(ls "$store"/packs/*.pack | head -1)
cp "$f" "$dir/pack" && rm "$f" && cp "$dir/pack" "$f" && printf 'X' | dd of="$f" bs=1 seek=200 conv=notrunc 2>/dev/null
ok 'damage is found' status 65 quern store check
cp "$dir/pack" "$f"
echo 'quern-store 2' >"$store/format"
ok 'a newer store is refused' sh -c "quern data list 2>&1 | grep -q 'a newer quern'"
rm "$store/format"
ok 'an older one is not touched' sh -c "quern data list 2>&1 | grep -q 'quern store migrate'"
ok 'but migrated when asked to' sh -c "quern store migrate | grep -q 'now has format 1' && quern store migrate | grep -q 'has format 1' && quern data list"
mkdir "$dir/model"
echo '{}' >"$dir/model/config.json"
head -c 100000 /dev/urandom >"$dir/model/model.safetensors"
ok 'a model is imported' sh -c "quern models import $dir/model name=tiny | grep -q 'tiny@1, 2 files'"
ok 'and by reference' sh -c "quern models import $dir/model tiny reference=yes | grep -q 'tiny@2'"
ok 'it comes out as it went in' sh -c "quern models export tiny@1 $dir/out1 && diff -r $dir/model $dir/out1"
ok 'and through a backup' sh -c "quern backup $dir/backup2 && mv $store $dir/lost2 && quern restore $dir/backup2 && quern models export tiny@1 $dir/out3 && diff -r $dir/model $dir/out3"
echo x >>"$dir/model/config.json"
ok 'a changed reference is noticed' status 65 quern models export tiny@2 "$dir/out2"
ok 'a name is of one kind for ever' status 65 quern models import "$dir/model" things
quern models rm tiny@1
quern gc >/dev/null
ok 'gc takes the copy, not the reference' sh -c "test -z \"\$(ls $store/models)\" && test -e $dir/model/config.json"
i=1
while [ $i -le 4 ]; do
	records 500 | quern save -q "w$i" &
	i=$((i + 1))
done
wait
ok 'four writers at once' is "$(quern data list --json | grep -c '"name":"w')" 4
(umask 077 && head -c 32 /dev/urandom >"$dir/key1" && head -c 40 /dev/urandom >"$dir/key2")
ok 'without a key text lies in packs' sh -c "grep -q 'record number 7' $store/packs/*w1*.pack"
conf "seal = $dir/key1"
records 500 | quern save -q sealed
ok 'with one it does not' sh -c "ls $store/packs | grep -q sealed && ! grep -q 'record number' $store/packs/*sealed*.pack"
ok 'and comes out as before' sh -c "quern data export sealed | cksum | grep -qx '$(quern data export w1 | cksum)'"
conf "seal = $dir/key2, $dir/key1"
printf '{"id":"r1","text":"anew"}\n' | quern append -q sealed
ok 'a second key seals what comes, the first opens what was' is "$(quern data diff sealed@1 sealed@2 | tail -1)" '+0 -0 ~1'
ok 'store check opens all' sh -c "quern models rm tiny@2 && quern store check"
conf "seal = $dir/key2"
ok 'a key that is missing is named' sh -c "quern data export sealed 2>&1 >/dev/null | grep -q 'sealed with the key [0-9a-f]* *, which no file of seal= in quern.conf has'"
ok 'with 77' status 77 quern data export sealed
chmod o+r "$dir/key1"
conf "seal = $dir/key1"
ok 'a key that others may read is refused' sh -c "quern data export sealed 2>&1 >/dev/null | grep -q 'chmod o='"
echo short >"$dir/key1" && chmod 600 "$dir/key1"
ok 'and one that is too short' sh -c "quern data export sealed 2>&1 >/dev/null | grep -q 'at least 32'"
conf
ok 'work is left empty' is "$(ls "$store/work" | wc -l)" 0
done_testing
