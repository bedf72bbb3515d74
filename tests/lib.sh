# SPDX-License-Identifier: Apache-2.0
# lib.sh - what the shell tests share: a private appliance and TAP
bin=${QUERN_BIN:?set QUERN_BIN to the build directory}
dir=$(mktemp -d)
n=0
trap 'stop_daemon; rm -rf "$dir"' EXIT
export QUERN_ROOT="$dir/q" TZ=UTC NO_COLOR=1
PATH=$bin:$PATH
mkdir -p "$QUERN_ROOT"
spool=$QUERN_ROOT/spool

# conf LINE... - quern.conf
conf() {
	{
		printf 'readable = %s\nbackoff = 0s\nmin_free = 1M\ngrace = 2s\n' "$dir"
		for l; do echo "$l"; done
	} >"$QUERN_ROOT/quern.conf"
}
# once - let the daemon drain; what it says goes to $dir/log
once() { timeout 60 quernd --once >>"$dir/log" 2>&1; }
start_daemon() {
	quernd "$@" >>"$dir/log" 2>&1 &
	daemon=$!
	for i in 1 2 3 4 5 6 7 8 9 10; do
		[ -e "$spool/quernd.lock" ] && quern -q status >/dev/null
		[ $? -lt 2 ] && return
		sleep 0.1
	done
}
stop_daemon() {
	[ -n "${daemon-}" ] || return 0
	kill "$daemon" 2>/dev/null
	wait "$daemon" 2>/dev/null
	daemon=
}
# ok NAME COMMAND... - one case
ok() {
	what=$1
	shift
	n=$((n + 1))
	if "$@" >"$dir/out" 2>&1; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		sed 's/^/# /' "$dir/out"
		tail -n 20 "$dir/log" 2>/dev/null | sed 's/^/# log: /'
	fi
}
# status WANT COMMAND... - does it end with that status
status() {
	want=$1
	shift
	"$@"
	got=$?
	[ "$got" = "$want" ] || { echo "status $got, not $want"; return 1; }
}
# is A B - the same text
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
count() { ls "$spool/$1" | wc -l; }
# until SECONDS COMMAND... - wait for it
until_ok() {
	t=$(($1 * 10))
	shift
	while [ $t -gt 0 ]; do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
		t=$((t - 1))
	done
	"$@"
}
# records N - JSON Lines on stdout
records() {
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++)
	    printf "{\"id\":\"r%d\",\"text\":\"record number %d\"}\n", i, i }'
}
# sayings N LEAST SPREAD ODDS - texts of LEAST words and up to SPREAD - 1 more, in
# which a word is followed by its next one with these odds, else by any
sayings() {
	awk -v texts="$1" -v least="$2" -v spread="$3" -v odds="$4" 'BEGIN { srand(5)
	    split("the miller grinds corn and the wheel turns while water runs over stone so bread is baked at dawn", w, " ")
	    for (i = 0; i < texts; i++) {
		t = ""
		k = int(rand() * 18) + 1
		for (n = 0; n < least + i % spread; n++) {
			t = t w[k] " "
			k = rand() < odds ? k % 18 + 1 : int(rand() * 18) + 1
		}
		printf "{\"id\":\"t%d\",\"text\":\"%s\"}\n", i, t
	    } }'
}
# grist - 200 texts of 30 words in any order; begun - 12 prompts, each longer
grist() {
	awk 'BEGIN { srand(7)
	    split("the miller grinds corn and the wheel turns while water runs over stone", w, " ")
	    for (i = 0; i < 200; i++) {
		t = ""
		for (n = 0; n < 30; n++) t = t w[int(rand() * 13) + 1] " "
		printf "{\"id\":\"t%d\",\"text\":\"%s\"}\n", i, t
	    } }'
}
begun() {
	awk 'BEGIN { for (i = 0; i < 12; i++)
	    printf "{\"id\":\"p%d\",\"prompt\":\"the miller%s\"}\n", i, substr(" grinds corn and", 1, i) }'
}
# kill_twice ID PIPELINE - a daemon until the job has ended; its worker is killed
# soon after two of its checkpoints, $kills times
kill_twice() {
	start_daemon
	kills=0 mark=
	while [ ! -d "$spool/done/$1" ] && [ ! -d "$spool/failed/$1" ]; do
		now=$(ls -i "$spool/run/$1/work.$2"/* 2>/dev/null | grep checkpoint)
		[ -n "$now" ] && [ "$now" != "$mark" ] && [ $kills -lt 2 ] || continue
		mark=$now
		sleep 0.1
		kill -9 "$(cat "$spool/run/$1/lock.$2")" 2>/dev/null && kills=$((kills + 1))
	done
	stop_daemon
}
# job TEXT - a job file with @DIR@ replaced, on stdout
job() { printf '%s\n' "$1" | sed "s#@DIR@#$dir#g"; }
done_testing() { echo "1..$n"; }
