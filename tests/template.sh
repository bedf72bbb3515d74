#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# template.sh - a new module is a folder: pass is copied under another name,
# built, run, documented and installed, and nothing else is touched.
. "${srcdir:-.}/tests/lib.sh"
if [ -n "${ASAN_OPTIONS-}" ]; then
	echo '1..0 # SKIP once is enough, and the plain build does it'
	exit 0
fi
conf
once
(cd "${srcdir:-.}" && tar -cf - --exclude='./build*' --exclude=./.git \
    --exclude=./autom4te.cache .) | (mkdir "$dir/tree" && cd "$dir/tree" && tar -xf -)
(cd "${srcdir:-.}" && tar -cf - build-aux 2>/dev/null) | (cd "$dir/tree" && tar -xf -)
cd "$dir/tree" || exit 1
cp -r modules/pass modules/ninth
for f in modules/ninth/pass.*; do mv "$f" "modules/ninth/ninth.${f##*.}"; done
sed -i 's/pass/ninth/g' modules/ninth/ninth.*
sed -i 's/PASS/NINTH/g' modules/ninth/ninth.mdoc
sed -i 's/^  pass /  ninth /; s/pass:/ninth:/' modules/ninth/t/*
ok 'it builds' sh -c 'CFLAGS=-O0 ./bootstrap build'
ok 'it has help' sh -c './build/quern help ninth | grep -q limit='
ok 'it is in the list' sh -c './build/quern help | grep -q "^  ninth"'
ok 'it runs between |' sh -c 'echo "{\"text\":\"a\"}" | ./build/quern ninth 1 -q | grep -q a'
ok 'it has a page' mandoc -T lint -W error build/man/quern-ninth.1
ok 'its job passes' env QUERN_BIN="$dir/tree/build" tests/runjob modules/ninth/t/limit.job
ok 'make install takes it along' sh -c "make -s -C build install DESTDIR=$dir/inst >/dev/null && test -e $dir/inst/usr/lib/quern/modules/ninth.so -a -e $dir/inst/usr/share/man/man1/quern-ninth.1"
ok 'an installed tree runs where it lies' sh -c "$dir/inst/usr/bin/quern help ninth | grep -q limit="
done_testing
