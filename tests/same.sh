#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# same.sh - the same bytes at any thread count, through a shell or a job, and
# however often the worker is killed on the way.
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
awk 'BEGIN { srand(3)
    split("apple river stone cloud winter garden window letter number the to of and with", w, " ")
    for (i = 0; i < 12000; i++) {
	if (i % 7 == 3) { t = last } else {
	    t = ""
	    for (k = 0; k < 40 + i % 60; k++) t = t w[int(rand() * 14) + 1] " "
	    if (i % 5 == 0) t = t "mail user" i % 40 "@example.com or +49 30 12345" i % 100
	    last = t }
	printf "{\"id\":\"r%d\",\"text\":\"%s\\u0007\\r\\n \"}\n", i, t
    } }' >"$dir/in.jsonl"
chain() { # -j N
	quern ingest -q "$@" "$dir/in.jsonl" | quern redact -q "$@" pseudonym |
	    quern clean -q "$@" | quern filter -q "$@" decide=no |
	    quern dedup -q "$@" | quern split -q "$@"
}
chain -j 1 >"$dir/one"
ok 'one thread makes something' test -s "$dir/one"
for j in 2 3 7; do
	chain -j $j >"$dir/many"
	ok "-j $j makes the same bytes" cmp "$dir/one" "$dir/many"
done

# jobOf NAME CORES - the same stages as a job, slow enough to be hit
jobOf() {
	job "attempts 50
limit cores=$2
pipeline $1
  ingest @DIR@/in.jsonl
  redact pseudonym
  clean
  filter decide=no
  dedup
  bad slow ms=300
  split
  save   $1"
}
jobOf calm 1 | quern submit >/dev/null
once
quern data export calm >"$dir/calm"
ok 'an undisturbed job makes something' test -s "$dir/calm"
(umask 077 && head -c 32 /dev/urandom >"$dir/key")
conf 'jobs = 1' "seal = $dir/key"	# what is resumed is sealed as well
for cores in 1 2 3; do
	id=$(jobOf killed$cores $cores | quern submit)
	start_daemon
	kills=0 last=
	while [ ! -d "$spool/done/$id" ] && [ ! -d "$spool/failed/$id" ]; do
		sleep 0.1
		mark=$(ls -i "$spool/run/$id/work.killed$cores/mark" 2>/dev/null)
		[ -n "$mark" ] && [ "$mark" != "$last" ] && [ $kills -lt 2 ] ||
			continue
		last=$mark	# a new mark: kill it a little later
		sleep 0.$((3 + kills * 4))
		kill -9 "$(cat "$spool/run/$id/lock.killed$cores")" 2>/dev/null &&
		    kills=$((kills + 1))
	done
	stop_daemon
	quern data export killed$cores >"$dir/killed"
	ok "killed $kills times with $cores threads: the same records" cmp "$dir/calm" "$dir/killed"
	ok 'and it was resumed, not begun again' grep -q 'resumes after batch' "$spool/done/$id/log"
	ok 'and the same verdicts' sh -c "cmp $spool/done/*/work.calm/verdicts $spool/done/$id/work.killed$cores/verdicts"
	ok 'and the same counts' is "$(quern show $id | sed -n '/stage/,$p')" "$(quern show $(cd $spool/done && dirname */work.calm | head -1) | sed -n '/stage/,$p')"
done

ok 'result.json differs in what was measured only' is "$(sed 's/"measured":{[^}]*}//g; s/killed2/calm/g; s/calm@[0-9]*//g; s/"job":"[^"]*"//; s/resumed//' "$spool"/done/"$(cd "$spool/done" && dirname */work.killed2)"/result/result.json)" "$(sed 's/"measured":{[^}]*}//g; s/calm@[0-9]*//g; s/"job":"[^"]*"//' "$spool"/done/"$(cd "$spool/done" && dirname */work.calm)"/result/result.json)"

# sealed and opened again
head -c 32 /dev/urandom >"$dir/key"
echo 'correct horse' >"$dir/pass"
quern encrypt -q seal "$dir/sealed" keyfile="$dir/key" <"$dir/one"
ok 'what was sealed opens to the same' sh -c "quern encrypt -q open $dir/sealed keyfile=$dir/key | cmp - $dir/one"
ok 'not with another key' status 65 quern encrypt -q open "$dir/sealed" keyfile="$dir/one"
head -c 100000 "$dir/sealed" >"$dir/cut"
ok 'not when cut short' status 65 quern encrypt -q open "$dir/cut" keyfile="$dir/key"
quern encrypt -q seal "$dir/sealed2" passphrase="$dir/pass" <"$dir/one"
ok 'nor with a passphrase' sh -c "quern encrypt -q open $dir/sealed2 passphrase=$dir/pass | cmp - $dir/one"

# shell habits
ok '-o is there only when complete' sh -c "quern ingest -q -o $dir/o $dir/in.jsonl && test -s $dir/o && ! ls -A $dir | grep -q tmp"
ok 'an unknown option is 64' status 64 quern pass limt=1
ok 'a missing file is 66' status 66 quern ingest -q "$dir/none"
quern ingest -q "$dir/in.jsonl" | head -n 1 >"$dir/o"
ok 'a closed pipe is quiet' test -s "$dir/o"
printf '{"text":"a"}\nnot json\n{"text":"b"}\n' | quern pass -q >"$dir/o" 2>"$dir/err"
ok 'a bad line is a fault, the rest goes on' is "$(wc -l <"$dir/o")" 2
head -c 100000000 /dev/zero | tr '\0' x >"$dir/long"
printf '\n{"text":"after"}\n' >>"$dir/long"
ok 'a 100 MB line is a fault too' is "$(quern pass -q <"$dir/long" 2>/dev/null)" '{"text":"after"}'
ok 'a full disk is 74' sh -c "quern ingest $dir/in.jsonl -q >/dev/full; test \$? = 74"
done_testing
