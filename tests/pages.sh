#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pages.sh - the EXAMPLES of all pages: a block with `pipeline` is a job that
# must be right, any other is typed into a shell and must succeed.
. "${srcdir:-.}/tests/lib.sh"
here=$(cd "${srcdir:-.}" && pwd)
printf 'readable = /srv, /usr/share/doc, /usr/share/common-licenses, /usr/share/man\nmin_free = 1M\n' \
    >"$QUERN_ROOT/quern.conf"
once
# what the examples speak of
printf '%s\n' '{"id":"1","text":"Call 030 1234567 or write to ann@example.com."}' \
    '{"id":"2","text":"A second record of some words."}' >"$dir/in.jsonl"
cp "$dir/in.jsonl" "$dir/more.jsonl"
printf 'id;customer;note\n1;ann;a note\n2;bob;another\n' >"$dir/notes.csv"
head -c 32 /dev/urandom >"$dir/key"
sed 's/}$/,"split":"train"}/' "$dir/in.jsonl" | quern save -q handbook
for i in 1 2 3; do quern save -q bash-docs <"$dir/in.jsonl"; done
# blocks PAGE - its examples, one file each, block.N
blocks() {
	awk -v out="$dir/block." '/^\.Sh/ { on = ($2 == "EXAMPLES") }
	    on && /^\.Bd/ { n++; f = out n; next } /^\.Ed/ { f = "" }
	    f != "" { gsub(/\\e/, "\\"); gsub(/\\&/, ""); gsub(/\\\(aq/, "\x27"); print >f }' "$1"
}
for page in "$here"/modules/*/*.mdoc "$here"/man/*.[1578] "$here"/man/*.mdoc; do
	rm -rf "$dir"/block.* "$dir/here"
	mkdir "$dir/here"
	cp "$dir/in.jsonl" "$dir/more.jsonl" "$dir/notes.csv" "$dir/key" "$dir/here"
	cd "$dir/here" || exit 1
	blocks "$page"
	for b in "$dir"/block.*; do
		[ -e "$b" ] || continue
		name=$(basename "$page") name=${name%.mdoc} nth=${b##*.}
		if grep -q '^ *pipeline ' "$b"; then
			ok "$name, job $nth is right" quern-worker --check --no-store "$b"
		else
			ok "$name, example $nth runs" bash -e -o pipefail "$b"
		fi
	done
done
done_testing
