#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# crash.sh - kill whoever makes the Nth rename, fsync, syncfs or unlink of a
# three-job run, and of one that publishes, before and after the call; run again
# to the end; the outputs must be those of an undisturbed run, each job ended
# once, each version made once, and nothing left.
# Then the same points fail with ENOSPC, EIO and EINTR.
# CRASH_STEP=N samples every Nth point (default 3; 1 is all of them).
export QUERN_BIN=${QUERN_BIN:?}
fault=$QUERN_BIN/tests/crash/fault.so
step=${CRASH_STEP:-3}
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
if [ -n "${ASAN_OPTIONS-}" ]; then
	echo '1..0 # SKIP the sanitizer wants to be preloaded first'
	exit 0
fi

# prepare DIR - an appliance with drops waiting: three jobs of the barest kind,
# or with KIND=publish one that saves a dataset, appends to it, and makes an
# index of it, in a store whose packs are sealed
prepare() {
	mkdir -p "$1/q/spool"
	printf 'readable = %s\nbackoff = 0s\nmin_free = 1M\njobs = 2\n' "$1" \
	    >"$1/q/quern.conf"
	if [ "$kind" = publish ]; then
		(umask 077 && printf '%032d' 7 >"$1/key")
		echo "seal = $1/key" >>"$1/q/quern.conf"
	fi
	awk 'BEGIN { for (i = 0; i < 2500; i++)
	    printf "{\"id\":\"r%d\",\"source\":\"s\",\"offset\":%d,\"text\":\"record %d\"}\n", i, i, i }' \
	    >"$1/in.jsonl"
	QUERN_ROOT=$1/q "$QUERN_BIN/quernd" --once 2>/dev/null
	if [ "$kind" = publish ]; then
		cat >"$1/q/spool/incoming/a.job" <<EOF
attempts 9
pipeline a
  ingest $1/in.jsonl
  pass 2000
  save things
pipeline b
  from things
  pass 100
  append some
pipeline c
  from things
  index
  save things-index
EOF
		return
	fi
	for j in a b c; do
		cat >"$1/q/spool/incoming/$j.job" <<EOF
attempts 9
pipeline $j
  ingest $1/in.jsonl
  pass 2000
  write $j.jsonl
EOF
	done
}
# drain DIR - until a whole run of the daemon was not killed
drain() {
	local i
	for i in 1 2 3 4 5 6; do
		QUERN_ROOT=$1/q timeout 60 "$QUERN_BIN/quernd" --once \
		    >>"$1/log" 2>&1 && return 0
	done
	return 1
}
# result DIR - what came out, whatever the ids: files, or versions and what is
# in them, whole, once, and nothing beside them
result() {
	export QUERN_ROOT=$1/q
	if [ "$kind" = publish ]; then
		"$QUERN_BIN/quern" data list 2>&1 | awk 'NR > 1 { print $1, $3 }'
		"$QUERN_BIN/quern" models list 2>&1 | awk 'NR > 1 { print $1, $3 }'
		for v in things some; do "$QUERN_BIN/quern" data export $v 2>&1 | cksum; done
		"$QUERN_BIN/quern" search -q things-index 1999 json=yes 2>&1 | cksum
		"$QUERN_BIN/quern" gc >/dev/null 2>&1
		"$QUERN_BIN/quern" store check 2>&1
		ls "$1/q/store/work" | wc -l
		ls "$1/q/store/packs" "$1/q/store/indexes" | wc -l
	fi
	(cd "$1/q/spool" && cat done/*/result/*.jsonl 2>/dev/null | sort | cksum
	ls done | wc -l; ls failed | wc -l
	ls -A incoming queue run hold | grep -vc -e : -e '^$'
	find . -name '.*.tmp' -o -name '.*.part' | wc -l)
}
# try POINT WHAT - one disturbed run
try() {
	local d=$top/run got
	rm -rf "$d" "$top/points"
	mkdir "$d"
	# the same paths as the undisturbed run, for they are in the jobs
	prepare "$d"
	{ QUERN_FAULT=$top/points:$1:$2 LD_PRELOAD=$fault QUERN_ROOT=$d/q \
	    timeout 60 "$QUERN_BIN/quernd" --once >>"$d/log" 2>&1; } 2>/dev/null
	sleep 0.02
	drain "$d"
	got=$(result "$d")
	n=$((n + 1))
	if [ "$got" != "$want" ]; then
		bad=$((bad + 1))
		echo "# point $1 $2: got $(echo $got), want $(echo $want)"
		tail -n 5 "$d/log" | sed 's/^/#   /'
	fi
}
# all KIND STEP - every STEPth point of that kind of run, in every way
all() {
	local p what from
	kind=$1
	rm -rf "$top/run" "$top/points"
	prepare "$top/run"
	QUERN_FAULT=$top/points:0:none LD_PRELOAD=$fault drain "$top/run"
	want=$(result "$top/run")
	points=$(od -An -tu8 -N8 "$top/points" | tr -d ' ')
	n=0
	for what in before after ENOSPC EIO EINTR; do
		from=$n bad=0
		for ((p = 1; p <= points; p += $2)); do try "$p" "$what"; done
		[ "$bad" = 0 ] &&
		    echo "ok - $kind: $what at each of $((n - from)) of $points points" ||
		    echo "not ok - $kind: $bad of $((n - from)) runs with $what at a point differ"
	done
}
[ -n "${CRASH_ONLY-}" ] || all pass "$step"
all publish $((step * 2 - 1))
echo 1..10
