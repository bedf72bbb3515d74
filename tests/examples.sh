#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# examples.sh - the job files of etc/examples are right, and the one that needs
# only Debian runs (over its licences; the demo runs it over everything).
. "${srcdir:-.}/tests/lib.sh"
here=$(cd "${srcdir:-.}" && pwd)
printf 'readable = /srv, /usr/share/doc, /usr/share/common-licenses, %s, /usr/share/quern\nmin_free = 1M\n' \
    "$here/etc/examples" >"$QUERN_ROOT/quern.conf"
once
for f in "$here"/etc/examples/*.job; do
	ok "$(basename "$f") is right" quern check "$f"
done
# the licences' paragraphs only, and a model that is done in a moment
sed -e 's# /usr/share/doc$# unit=paragraph#' -e 's/steps=300/steps=20/' -e 's/vocab=4000/vocab=600/' \
    -e "s#/usr/share/quern/examples#$here/etc/examples#" \
    "$here/etc/examples/handbook.job" >"$dir/handbook.job"
id=$(quern submit "$dir/handbook.job")
once
result=$spool/done/$id/result
ok 'handbook.job runs' status 0 quern wait "$id"
ok 'and makes a dataset' sh -c "quern data show handbook | grep -q 'split     train='"
ok 'a tokenizer, a model and an index' is "$(quern models list | awk 'NR > 1 { print $2 }' | sort | tr '\n' ' ')" 'index model tokenizer '
ok 'and a shard' sh -c "head -c 8 $result/train.bin | grep -q QUERNTOK"
ok 'a measure with its interval' grep -q '"bits_per_byte":{"value":[0-9.]*,"low":' "$result/result.json"
ok 'five questions, five answers' is "$(grep -c '"completion":' "$result/answers.jsonl")" 5
ok 'with passages that name file, offset and hash' grep -q '"question":"Is there any warranty.*"passages":\[{"rank":1,"score":[0-9.]*,"id":"[0-9a-f]*","source":"/usr/share/common-licenses/[^"]*","offset":[0-9]*,"length":[0-9]*,"hash":"[0-9a-f]*","text":"' "$result/answers.jsonl"
ok 'show tells the whole journey' sh -c "quern show $id | grep -q 'tokenize'"
ok 'result.json is one JSON object' sh -c "tr -d '\n' <$result/result.json | quern pass -q | grep -q '\"job\":\"$id\"'"
ok 'report.html needs nothing else' sh -c "! grep -qiE '(src|href)=|url\\(|@import' $result/report.html"
ok 'and tells of each pipeline' is "$(grep -c '^<h2>' "$result/report.html")" 9
ok 'draws the graph and the loss' sh -c "grep -q 'aria-label=\"pipelines\"' $result/report.html && grep -q '<polyline class=s0' $result/report.html"
ok 'and says what the passages are for' grep -q 'the passages are the useful part' "$result/report.html"
done_testing
