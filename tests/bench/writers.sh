#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# writers.sh DIR [N] [ROUNDS] - four writers at once into one store beside four
# into a store each, in turns: what sharing a store costs.  Each publishes three
# versions of N records of 1.5 KB.  Prints the seconds until the last is done,
# then the milliseconds that a publication waited for others and took.
bin=${QUERN_BIN:?set QUERN_BIN to the build directory}/tests/bench/store
dir=${1:?a directory} n=${2:-100000} rounds=${3:-8}
mkdir -p "$dir"
round() { # one|own
	for i in 1 2 3 4; do
		[ "$1" = one ] && at=$dir/one || at=$dir/own$i
		mkdir -p "$at"
		"$bin" "$at" "$n" alone >"$dir/out.$1.$i" &
	done
	wait
}
middle() { sort -n | awk '{ v[NR] = $1 } END { printf "median %s, most %s", v[int((NR + 1) / 2)], v[NR] }'; }
for r in $(seq "$rounds"); do
	[ $((r % 2)) = 1 ] && order='one own' || order='own one'
	for how in $order; do
		sync
		began=$(date +%s%N)
		round "$how"
		echo "$((($(date +%s%N) - began) / 1000000))" >>"$dir/ms.$how"
		cat "$dir"/out."$how".* >>"$dir/all.$how"
		rm -rf "$dir"/one "$dir"/own?
	done
done
for how in one own; do
	echo "$how: ms until the last is done: $(middle <"$dir/ms.$how")"
	echo "$how: ms of a publication: $(sed 's/.*publish //; s/;.*//' "$dir/all.$how" | middle)"
done
rm -rf "${dir:?}"
