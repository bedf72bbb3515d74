#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# laws.sh - the house's laws: rooms, sizes, headers, banned words, air gap.
cd "${srcdir:-.}" || exit 1
bin=${QUERN_BIN:?}
n=0
case_() { # NAME FINDINGS
	n=$((n + 1))
	if [ -z "$2" ]; then echo "ok $n - $1"; else
		echo "not ok $n - $1"; echo "$2" | head -20 | sed 's/^/# /'; fi
}
sources=$(find appliance spool modules kernels -name '*.[ch]' | sort)
headers=$(find appliance spool modules kernels tests -name '*.h' | sort)

# room FILE - the room that a file lies in
room() {
	case $1 in
	appliance/module.h | appliance/load.h | appliance/worker.c | appliance/load.c)
		r=${1#appliance/}; echo "${r%.*}" ;;
	appliance/*) r=${1#appliance/}; echo "${r%%/*}" ;;
	modules/*) r=${1#modules/}; echo "modules/${r%%/*}" ;;
	*) echo "${1%%/*}" ;;
	esac
}
bad=
for f in $sources; do
	from=$(room "$f")
	while read -r inc; do
		to=$(room "$inc")
		[ "$from" = "$to" ] || [ "$to" = base ] && continue
		grep -qx "${from%%/*} $to" tests/rooms.allow || bad="$bad$f includes $inc
"
	done < <(sed -n 's/^#include "\([a-z].*\/.*\)"/\1/p' "$f")
done
case_ 'who includes whom (tests/rooms.allow)' "$bad"
case_ 'files of at most 500 lines' "$(wc -l $sources | awk '$1 > 500 && $2 != "total"')"
case_ 'headers of at most 120 lines' "$(wc -l $headers | awk '$1 > 120 && $2 != "total"' | grep -v -F -f tests/sizes.allow)"
case_ 'functions of at most 80 lines (kernels 120)' "$(awk '
	FNR == 1 { depth = 0 }
	/^{/ { start = FNR; depth = 1; next }
	/^}/ && depth { len = FNR - start - 1; max = FILENAME ~ /^kernels/ ? 120 : 80
	    if (len > max) print FILENAME ":" start ": " len " lines"; depth = 0 }
	' $(echo "$sources" | grep '\.c$'))"
case_ 'lines of at most 80 columns' "$(for f in $sources; do expand "$f" | awk -v f="$f" 'length($0) > 80 { print f ":" NR }'; done)"
case_ 'no banned functions' "$(grep -nwE '(strcpy|strcat|sprintf|strtok|system|popen|gets)\(' $sources)"
case_ 'memory and exits are base'"'"'s' "$(grep -nwE '(malloc|calloc|realloc|free|abort)\(' $sources | grep -v '^appliance/base/')"
case_ 'only mains and base end a process' "$(grep -nwE '[^_a-z](exit)\(' $sources | grep -v -e '^appliance/base/' -e '^spool/quernd.c' -e '^spool/quern.c' -e '^appliance/worker.c')"
case_ 'every file names its licence' "$(grep -L SPDX-License-Identifier $sources $headers)"
bad=
for h in $headers; do
	printf '#include "appliance/base/base.h"\n#include "%s"\n' "$h" |
	    ${CC:-cc} -std=c11 -D_GNU_SOURCE -fsyntax-only -Wall -Werror -I. -I"$bin" \
	    -Wno-unused-function -Wno-unused-variable -x c - 2>/dev/null || bad="$bad$h
"
done
case_ 'each header compiles alone' "$bad"
bad=
for o in $(find "$bin" -name '*.o' -path '*spool*' -o -name '*.o' -path '*appliance*' -o -name '*.o' -path '*modules*' -o -name '*.o' -path '*kernels*'); do
	case $o in */spool/notify.o | */tests/*) continue ;; esac
	nm -u "$o" | grep -qwE 'socket|connect|bind|listen|accept|accept4|getaddrinfo|gethostbyname' && bad="$bad$o
"
done
case_ 'air gap: no object reaches for the network' "$bad"
case_ 'quernd links no LMDB, BLAS, CUDA' "$(ldd "$bin/quernd" "$bin/quern" | grep -E 'lmdb|blas|cuda')"
bad=
for m in "$bin"/modules/*.so; do
	[ "$(nm -D --defined-only "$m" | grep -vc ' [Aw] ')" = 1 ] || bad="$bad$m
"
done
[ -z "${ASAN_OPTIONS-}" ] || bad=
case_ 'a module exports one symbol' "$bad"
bad=
if command -v mandoc >/dev/null; then
	for p in "$bin"/man/*.[0-9] man/*.[0-9]; do
		[ -s "$p" ] || { [ -e "$p" ] && bad="$bad$p is empty
"; continue; }
		out=$(mandoc -T lint -W warning "$p" 2>&1 | grep -v -e 'referenced manual not found')
		[ -z "$out" ] || bad="$bad$out
"
	done
fi
case_ 'pages lint clean' "$bad"
bad=
for w in $("$bin/quern" help | awk '/^  [a-z]/ { print $1 }'); do
	"$bin/quern" help "$w" >/dev/null 2>&1 || bad="$bad$w
"
done
case_ 'every word has help' "$bad"
bad=
for am in $(find appliance spool modules kernels man etc tests -name '*.am'); do
	for w in $(grep -o '%D%/[A-Za-z0-9_./-]*' "$am"); do
		f=$(dirname "$am")/${w#%D%/}
		[ -e "$f" ] || [ -e "${f%.[1578]}.mdoc" ] || bad="$bad$am names $w
"
	done
done
case_ 'what the makefiles list is there' "$bad"
bad=
for f in tests/*.sh tests/*.[ch] tests/peer/* tests/bench/* tests/fuzz/*.[ch]; do
	grep -rqF "%D%/${f#tests/}" tests/tests.am || bad="$bad$f
"
done
case_ 'and what is there they list' "$bad"
echo "1..$n"
