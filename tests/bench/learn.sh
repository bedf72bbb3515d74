#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# learn.sh - learning vocabularies beside the trainers of tokenizers and
# sentencepiece (PEER_VENV: an environment with both), two threads each,
# interleaved: medians of seconds and of CPU seconds. quern's are of whole
# commands, records in and a file out; the peers' leave the interpreter's start
# and reading out. MEGABYTES of text for byte-level BPE, of which SMALL for
# unigram models.
set -eu
bin=${QUERN_BIN:?} py=${PEER_VENV:?}/bin/python
rounds=${ROUNDS:-3} megabytes=${MEGABYTES:-100} small=${SMALL:-20}
data=${QUERN_TEST_DATA:?}
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
PATH=$bin:$PATH
export RAYON_NUM_THREADS=2 TOKENIZERS_PARALLELISM=true
"$py" "$here/learn.py" texts "$data" "$megabytes" "$dir/texts"
"$py" "$here/learn.py" texts "$data" "$small" "$dir/most"
awk 'NR % 10 == 0' "$dir/most" >"$dir/held"
awk 'NR % 10 > 0' "$dir/most" >"$dir/few"
cd "$dir"
# ours NAME WORD... <TEXTS - seconds and CPU seconds to NAME.times
ours() {
	local TIMEFORMAT='%R %U %S' name=$1
	shift
	{ time quern tokenize -q -j 2 learn "$@"; } 2>&1 |
	    awk '{ print $1, $2 + $3 }' >>"$name.times"
}
peer() { "$py" "$here/learn.py" "$1" "$2" "$3" "$4" >>"$1.times"; }
for i in $(seq "$rounds"); do
	ours quern-bpe ./bpe.json vocab=50000 <texts
	peer bpe texts 50000 hf.json
	ours quern-unigram ./unigram.json kind=unigram vocab=16000 coverage=1 byte_fallback=no <few
	peer unigram few 16000 hf-unigram.json
	peer sentencepiece few 16000 sp.model
done
# median FILE COLUMN
median() { awk -v c="$2" '{ print $c }' "$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
line() { echo "  $1: $(median "$2.times" 1) s, CPU $(median "$2.times" 2) s${3:+, $3}"; }
echo "$rounds rounds; load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "byte-level BPE, $megabytes MB to 50,000:"
line quern quern-bpe "$("$py" "$here/learn.py" same bpe.json hf.json)"
line tokenizers bpe
echo "unigram, $small MB less a tenth to 16,000; ids of the tenth:"
line quern quern-unigram "$("$py" "$here/learn.py" length unigram.json held) ids"
line tokenizers unigram "$("$py" "$here/learn.py" length hf-unigram.json held) ids"
line sentencepiece sentencepiece "$("$py" "$here/learn.py" length sp.model held) ids"
"$py" -c 'import importlib.metadata as m
for p in ("tokenizers", "sentencepiece"): print(p, m.version(p))'
