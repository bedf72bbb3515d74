#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# learn.sh - a vocabulary that is being learnt is killed, stopped and learnt anew,
# with counts that do not fit in memory: the same bytes.
. "${srcdir:-.}/tests/lib.sh"
conf 'jobs = 1'
once
awk 'BEGIN { srand(7)
    for (i = 0; i < 5000; i++) {
	t = ""
	for (n = 0; n < 60; n++) {
		w = ""
		for (k = int(rand() * 9) + 1; k > 0; k--)
			w = w sprintf("%c", 97 + int(26 * rand() * rand()))
		t = t w " "
	}
	printf "{\"id\":\"t%d\",\"text\":\"%s\"}\n", i, t
    } }' >"$dir/in.jsonl"
cd "$dir" || exit 1

# learn NAME KIND WORD... - a job with one pipeline, which makes NAME.json
learn() {
	name=$1
	shift
	job "attempts 20
limit cores=2
pipeline $name
  ingest   @DIR@/in.jsonl
  tokenize learn ./$name.json kind=$*" | quern submit
}
# made JOB NAME - where what it made lies
made() { find "$spool/done/$1" -name "$2.json"; }
alive() { pid=$(cat "$spool/run/$1/lock.$2" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }

for kind in bpe unigram; do
	step=2			# hundredths of a second
	[ $kind = bpe ] || step=14
	calm=$(learn calm-$kind $kind vocab=3000)
	once
	ok "$kind: learnt undisturbed" status 0 quern wait "$calm"
	killed=$(learn killed-$kind $kind vocab=3000 memory=1M)
	start_daemon
	kills=0 last= spilled=
	while [ ! -d "$spool/done/$killed" ] && [ ! -d "$spool/failed/$killed" ]; do
		[ -n "$spilled" ] || spilled=$(find "$spool/run/$killed" -name "*.words.*" -size +0 2>/dev/null)
		if ! alive "$killed" killed-$kind || [ "$pid" = "$last" ] || [ $kills = 3 ]; then
			sleep 0.02
			continue
		fi
		# later each time: while words are counted, and while it learns
		sleep 0.$(printf %02d $((kills * step + 1)))
		last=$pid
		alive "$killed" killed-$kind && [ "$pid" = "$last" ] || continue
		if [ $kills = 1 ]; then
			stop_daemon
			start_daemon
		else
			kill -9 "$pid"
		fi
		kills=$((kills + 1))
	done
	stop_daemon
	echo "# $kind: stopped $kills times"	# a quick machine may be done sooner
	ok "$kind: stopped, and done" test $kills -ge 1 -a -d "$spool/done/$killed"
	ok "$kind: the same bytes as undisturbed" cmp "$(made "$calm" calm-$kind)" "$(made "$killed" killed-$kind)"
	ok "$kind: there were words that did not fit" test -n "$spilled"
	ok "$kind: they are gone" is "$(find "$spool" -name "*.words.*")" ""
done

# SIGTERM while it learns: a stop that is not counted, and nothing half written
quern tokenize -q -j 2 learn ./stopped.json kind=unigram vocab=3000 <in.jsonl &
sleep 0.2
kill -TERM $!
wait $!
ok 'a shell command that is stopped says so' test $? = 143
ok 'and leaves no file' sh -c '! ls -a | grep stopped'
done_testing
