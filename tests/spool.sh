#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# spool.sh - the life of jobs: submitting, requests, limits, crash rules,
# hostile drops, two daemons.
. "${srcdir:-.}/tests/lib.sh"
conf
once
records 3 >"$dir/in.jsonl"
good='pipeline one
  ingest @DIR@/in.jsonl
  pass
  write out.jsonl'
job "$good" >"$dir/good.job"

# submitting
id=$(quern submit "$dir/good.job")
ok 'submit prints an id while the daemon is down' test -n "$id"
once
ok 'and the job is done' is "$(quern wait "$id"; echo $?)" 0
ok 'its output is there' test -s "$spool/done/$id/result/out.jsonl"
ok 'wait on a done job is 0' status 0 quern wait "$id"
id=$(quern submit <"$dir/good.job")
ok 'submit reads stdin' test -n "$id"
printf 'pipeline x\n  nosuch\n' >"$dir/bad.job"
ok 'a bad file is refused with 65' status 65 quern submit "$dir/bad.job"
cp "$dir/out" "$dir/said"
ok 'and nothing was written' is "$(ls "$spool/incoming" | grep -c .)" 1
ok 'the words name file, line, column' \
    grep -q "bad.job:2:3: no module 'nosuch'" "$dir/said"
once

ok 'of several files the good ones go in' status 65 quern submit "$dir/good.job" "$dir/bad.job" "$dir/good.job"
ok 'and their ids are printed' is "$(grep -c -- - "$dir/out")" 2
once

# drops
job "$good" >"$spool/incoming/plain drop.txt"
ln -s "$dir/good.job" "$spool/incoming/link.job"
mkfifo "$spool/incoming/fifo.job"
mkdir "$spool/incoming/dir.job"
job "$good" >"$dir/two" && ln "$dir/two" "$spool/incoming/hard.job"
job "$good" >"$spool/incoming/new
line.job"
job "$good" >"$spool/incoming/.hidden"
job "$good" >"$spool/incoming/half.part"
head -c 1100000 /dev/zero | tr '\0' x >"$spool/incoming/big.job"
before=$(count done)
once
ok 'two good drops are done' is "$(($(count done) - before))" 2
ok 'link, fifo, hard link and giant are in failed' is "$(count failed)" 4
ok 'with the reason' sh -c "cat $spool/failed/*/error | grep -q 'hard link'"
ok 'the directory is left alone' test -d "$spool/incoming/dir.job"
ok 'hidden and partial ones too' is "$(ls -A "$spool/incoming" | grep -c -e hidden -e part)" 2
rm -rf "$spool"/incoming/* "$spool"/incoming/.hidden
(exec 3>"$spool/incoming/slow.job"; job 'pipeline one
  ingest @DIR@/in.jsonl' >&3
timeout 4 quernd --once >/dev/null 2>&1
job '  write out.jsonl' >&3)
before=$(count done)
once
ok 'a half-written drop waits for its end' is "$(($(count done) - before))" 1

# two daemons
start_daemon
ok 'a second daemon is refused' status 75 quernd --once
ok 'status is not broken while one runs' sh -c 'quern status; test $? -lt 2'
ok 'metrics are written' sh -c "quern -q status --metrics $dir/m.prom;
    grep -q 'quern_up 1' $dir/m.prom"

# requests
slow='pipeline one
  ingest @DIR@/many.jsonl
  bad slow ms=200
  write out.jsonl'
records 20000 >"$dir/many.jsonl"
job "$slow" >"$dir/slow.job"
id=$(quern submit "$dir/slow.job")
until_ok 5 test -e "$spool/run/$id/work.one"
ok 'show tells of stages' sh -c "quern show $id | grep -q one"
quern hold "$id"
ok 'hold moves a running job to hold' until_ok 10 test -d "$spool/hold/$id"
quern release "$id"
ok 'release lets it run again' until_ok 10 test -d "$spool/run/$id"
quern cancel "$id"
ok 'cancel ends it in failed' until_ok 10 test -d "$spool/failed/$id"
ok 'wait tells its fate' status 65 quern wait "$id"
ok 'its why is cancelled' sh -c "quern list -a failed | grep $id | grep -q cancelled"
quern rerun "$id"
ok 'rerun completes it' status 0 quern wait "$id"
ok 'all records came out, once' is "$(sort -u "$spool/done/$id/result/out.jsonl" | wc -l)" 20000
quern rm "$id"
ok 'rm removes it' until_ok 5 test ! -e "$spool/done/$id"
quern drain
id=$(quern submit "$dir/good.job")
ok 'drained, nothing starts' sh -c "sleep 0.5; test -d $spool/queue/$id"
ok 'and list says why' sh -c "quern list | grep -q draining"
quern priority 90 "$id"
ok 'priority is noted' until_ok 5 sh -c "quern list | grep $id | grep -q 90"
quern resume
ok 'resumed, it is done' status 0 quern wait "$id"
ok 'list as JSON parses' sh -c "quern list -a --json | tr -d '\\n' | sed 's/.*/{\"text\":&}/' | quern pass -q | grep -q $id"
first=$(quern submit "$dir/slow.job")
{ echo "after $first"; cat "$dir/good.job"; } >"$dir/after.job"
second=$(quern submit "$dir/after.job")
ok 'after: waits' sh -c "sleep 0.5; test -d $spool/queue/$second"
ok 'after: then runs' status 0 quern wait "$first" "$second"

# the daemon dies, its worker lives
id=$(quern submit "$dir/slow.job")
until_ok 5 test -e "$spool/run/$id/work.one"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
start_daemon
ok 'a living worker is found again' until_ok 5 grep -q 'found at work' "$dir/log"
ok 'and its end is seen' status 0 quern wait "$id"
id=$(quern submit "$dir/slow.job")
until_ok 10 test -e "$spool/run/$id/work.one/mark"
stop_daemon
ok 'TERM sends pipelines back to their mark' test -e "$spool/run/$id/work.one/mark"
once
ok 'a later daemon resumes it' grep -q 'resumes after batch' "$spool/done/$id/log"
ok 'with the same bytes' sh -c "quern ingest $dir/many.jsonl -q | cmp - $spool/done/$id/result/out.jsonl"
quern -q rerun "$id"
ok 'what is to be run again has not ended' status 124 timeout 0.5 quern wait "$id"
once
ok 'until it has' status 0 quern wait "$id"

# limits, crash rules: what a bad module costs
deed() {
	id=$(quern submit <<EOF
attempts 2
limit memory=200M time=${2-60s} disk=50M
pipeline one
  ingest $dir/in.jsonl
  bad $1
  write out.jsonl
EOF
)
	once
}
for act in segv abort; do
	deed $act
	ok "$act: three crashes, then failed" sh -c "quern list -a failed | grep $id | grep -q 'crashed.*3 of 3'"
done
deed loop 3s
ok 'loop: its time limit is reached' sh -c "quern list -a failed | grep $id | grep -q 'time limit'"
if [ -z "${ASAN_OPTIONS-}" ]; then
	deed leak
	ok 'leak: reported as memory' sh -c "quern show $id | grep -q -i memory"
	deed fork
	ok 'fork is refused' sh -c "quern show $id | grep -q 'fork: Operation not permitted'"
fi
deed disk
ok 'disk: its limit is reached' sh -c "quern show $id | grep -q 'disk limit'"
deed socket
ok 'socket is refused' sh -c "quern show $id | grep -q 'socket: Permission denied'"
deed open
ok 'foreign files are refused' sh -c "quern show $id | grep -q 'open: Permission denied'"
deed retry
ok 'retry: as many attempts as allowed' sh -c "quern show $id | grep -q 'not now' && test -d $spool/failed/$id"
deed scribble
ok 'scribbling on descriptors ends in a fate' sh -c "test -d $spool/failed/$id -o -d $spool/done/$id"
id=$(quern submit "$dir/good.job")
once
ok 'and the next job is none the worse' status 0 quern wait "$id"

# templates
{ echo 'every 1s'; cat "$dir/good.job"; } >"$dir/every.job"
id=$(quern submit "$dir/every.job")
start_daemon
ok 'a template waits in hold' until_ok 5 test -d "$spool/hold/$id"
ok 'and fires children' until_ok 10 sh -c "grep -q '^template $id' $spool/done/*/entry"
quern cancel "$id"
ok 'until it is cancelled' until_ok 5 test -d "$spool/failed/$id"
stop_daemon

# many drops at once
i=0
while [ $i -lt 300 ]; do
	cp "$dir/good.job" "$spool/incoming/m$i.job"
	i=$((i + 1))
done
before=$(count done)
once
ok '300 drops, 300 jobs' is "$(($(count done) - before))" 300
# and very many that are wrong, lying there before the daemon starts
printf 'pipeline a\n  nosuch in.jsonl\n' >"$dir/wrong.job"
i=0
while [ $i -lt 10000 ]; do
	echo "w$i"
	i=$((i + 1))
done | (cd "$spool/incoming" && split -l 1000 - "$dir/names." &&
    for f in "$dir"/names.*; do sed "s#.*#cp $dir/wrong.job &.job#" "$f" | sh; done)
before=$(count failed)
timeout 300 quernd --once >/dev/null 2>&1
ok '10,000 wrong drops, 10,000 refusals' is "$(($(count failed) - before))" 10000
ok 'each with the reason' sh -c "find $spool/failed -name error -newer $dir/wrong.job | head -1 | xargs grep -q \"no module 'nosuch'\""
ok 'nothing is left' is "$(ls -A "$spool/incoming" "$spool/queue" "$spool/run" | grep -vc -e : -e '^$')" 0
ok 'prune removes ended jobs' sh -c "quern prune 0 && test -z \"\$(ls $spool/done)\""
echo 'quern-spool 2' >"$spool/format"
ok 'a newer spool is refused' sh -c "quernd --once 2>&1 | grep -q 'a newer quern'"
rm "$spool/format"
ok 'an older one too, with the remedy' sh -c "quernd --once 2>&1 | grep -q 'quern migrate' && ! quern submit -q $dir/none.job"
ok 'and migrated when asked to' sh -c "quern migrate | grep -q 'now has format 1' && quernd --once 2>/dev/null && quern list >/dev/null"
done_testing
