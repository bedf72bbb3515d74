#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# examples.sh - the job files of etc/examples are right, and the one that needs
# only Debian runs (over its licences; the demo runs it over everything).
. "${srcdir:-.}/tests/lib.sh"
printf 'readable = /srv, /usr/share/doc, /usr/share/common-licenses\nmin_free = 1M\n' \
    >"$QUERN_ROOT/quern.conf"
once
for f in "${srcdir:-.}"/etc/examples/*.job; do
	ok "$(basename "$f") is right" quern check "$f"
done
sed 's# /usr/share/doc$##' "${srcdir:-.}/etc/examples/handbook.job" >"$dir/handbook.job"
id=$(quern submit "$dir/handbook.job")
once
ok 'handbook.job runs' status 0 quern wait "$id"
ok 'and makes a dataset' sh -c "quern data show handbook | grep -q 'split     train='"
ok 'a tokenizer' sh -c "quern models list; quern data show handbook-bpe | grep -q tokenizer"
ok 'and a shard' sh -c "head -c 8 $spool/done/$id/result/train.bin | grep -q QUERNTOK"
ok 'show tells the whole journey' sh -c "quern show $id | grep -q 'tokenize'"
ok 'result.json is one JSON object' sh -c "tr -d '\n' <$spool/done/$id/result/result.json | quern pass -q | grep -q '\"job\":\"$id\"'"
ok 'report.html needs nothing else' sh -c "! grep -qiE '(src|href)=|url\\(|@import' $spool/done/$id/result/report.html"
ok 'and tells of each pipeline' is "$(grep -c '^<h2>' "$spool/done/$id/result/report.html")" 5
done_testing
