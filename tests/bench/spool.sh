#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# spool.sh - submit-to-start latency and jobs per second beside nq and
# task-spooler (Debian packages nq, task-spooler), interleaved in one run.
# Latency: from the submitting call's begin to the job's first instruction
# (nq, tsp), or to the source's opening of its input (quern). quern is durable
# at that moment, the others are not.
set -u
bin=${QUERN_BIN:?}
rounds=${ROUNDS:-60} burst=${BURST:-200}
dir=$(mktemp -d)
trap 'kill $daemon 2>/dev/null; tsp -K 2>/dev/null; rm -rf "$dir"' EXIT
cc -O2 -o "$dir/stamp" "$(dirname "$0")/stamp.c"
export QUERN_ROOT=$dir/q NQDIR=$dir/nq TS_SOCKET=$dir/tsp.sock TMPDIR=$dir
mkdir -p "$dir/q" "$dir/nq"
printf 'readable = %s\njobs = 2\n' "$dir" >"$dir/q/quern.conf"
echo '{"id":"a","text":"x"}' >"$dir/in.jsonl"
printf 'pipeline p\n  ingest %s\n  write out.jsonl\n' "$dir/in.jsonl" >"$dir/j.job"
"$bin/quernd" 2>/dev/null &
daemon=$!
sleep 0.5
tsp -S 2
# ns FILE - change time in ns
ns() { stat -c %.9Z "$1" | tr -d .; }
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f %.2f", v[int((NR + 1) / 2)], v[int(NR * .95 + .5)] }'; }
for i in $(seq "$rounds"); do
	t=$(date +%s%N)
	id=$("$bin/quern" submit "$dir/j.job")
	while [ ! -d "$dir/q/spool/done/$id" ]; do sleep 0.01; done
	s=$(ns "$dir/q/spool/done/$id/work.p/files")
	echo $(((s - t) / 1000)) >>"$dir/lat.quern"
	t=$(date +%s%N); nq "$dir/stamp" "$dir/s.nq" >/dev/null 2>&1; nq -w
	echo $((($(cat "$dir/s.nq") - t) / 1000)) >>"$dir/lat.nq"
	t=$(date +%s%N); tsp -n "$dir/stamp" "$dir/s.tsp" >/dev/null; tsp -w
	echo $((($(cat "$dir/s.tsp") - t) / 1000)) >>"$dir/lat.tsp"
done
echo "latency ms (p50 p95), $rounds rounds:"
for w in quern nq tsp; do
	printf '  %-6s %s\n' $w "$(awk '{ print $1 / 1000 }' "$dir/lat.$w" | median)"
done
for round in 1 2 3; do
	t=$(date +%s%N)
	for i in $(seq "$burst"); do "$bin/quern" submit "$dir/j.job" >>"$dir/ids.$round"; done
	while [ "$(ls "$dir/q/spool/incoming" "$dir/q/spool/queue" "$dir/q/spool/run" | grep -c '^2')" != 0 ]; do sleep 0.02; done
	s=$(while read -r id; do ns "$dir/q/spool/done/$id/work.p/files"; done <"$dir/ids.$round" | sort -n | tail -1)
	awk -v n="$burst" -v d=$((s - t)) 'BEGIN { printf "%.1f\n", n / (d / 1e9) }' >>"$dir/rate.quern"
	cp "$dir/j.job" "$dir/m.job"
	files=; for i in $(seq "$burst"); do files="$files $dir/j.job"; done
	t=$(date +%s%N)
	"$bin/quern" submit $files >"$dir/many.$round"
	while [ "$(ls "$dir/q/spool/incoming" "$dir/q/spool/queue" "$dir/q/spool/run" | grep -c '^2')" != 0 ]; do sleep 0.02; done
	s=$(while read -r id; do ns "$dir/q/spool/done/$id/work.p/files"; done <"$dir/many.$round" | sort -n | tail -1)
	awk -v n="$burst" -v d=$((s - t)) 'BEGIN { printf "%.1f\n", n / (d / 1e9) }' >>"$dir/rate.quern-one-call"
	rm -f "$dir"/b.*; t=$(date +%s%N)
	for i in $(seq "$burst"); do nq "$dir/stamp" "$dir/b.$i" >/dev/null 2>&1; done; nq -w
	s=$(cat "$dir"/b.* | sort -n | tail -1)
	awk -v n="$burst" -v d=$((s - t)) 'BEGIN { printf "%.1f\n", n / (d / 1e9) }' >>"$dir/rate.nq"
	rm -f "$dir"/b.*; t=$(date +%s%N)
	for i in $(seq "$burst"); do tsp -n "$dir/stamp" "$dir/b.$i" >/dev/null; done; tsp -w
	s=$(cat "$dir"/b.* | sort -n | tail -1)
	awk -v n="$burst" -v d=$((s - t)) 'BEGIN { printf "%.1f\n", n / (d / 1e9) }' >>"$dir/rate.tsp"
	rm -f "$dir/nq"/*
done
echo "jobs/s (median of 3 bursts of $burst):"
for w in quern quern-one-call nq tsp; do
	printf '  %-14s %s\n' $w "$(sort -n "$dir/rate.$w" | sed -n 2p)"
done
