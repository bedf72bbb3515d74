#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bundle.sh - a bundle is made, and installed with the network cut off on a copy
# of this machine (an overlay that is thrown away) from which quern's libraries
# were taken out.  Needs root, overlayfs, and Debian's packages to be in reach.
. "${srcdir:-.}/tests/lib.sh"
here=$(cd "${srcdir:-.}" && pwd)
skip() { echo "1..0 # SKIP $1"; exit 0; }
[ -z "${ASAN_OPTIONS-}" ] || skip 'the sanitizer build is not what is bundled'
[ "$(id -u)" = 0 ] || skip 'needs root'
[ -e /etc/debian_version ] || skip 'needs Debian'
mkdir "$dir/tmp"
unshare -m -n sh -c "mount -t tmpfs none $dir/tmp && mkdir $dir/tmp/u $dir/tmp/w &&
    mount -t overlay overlay -o lowerdir=/,upperdir=$dir/tmp/u,workdir=$dir/tmp/w /mnt" 2>/dev/null ||
    skip 'no overlayfs in a mount namespace here'
(cd "$dir/tmp" && apt-get -qq -o APT::Sandbox::User=root download libutf8proc2 2>/dev/null) ||
    skip 'no Debian packages in reach'

export QUERN_KEYS="$dir/keys"
ok 'a bundle is made' sh "$here/bootstrap" bundle "$dir/bundle"
ok 'with our package and those it needs' sh -c "ls $dir/bundle/debs/quern_*.deb $dir/bundle/debs/liblmdb0_*.deb $dir/bundle/debs/libstemmer0d_*.deb"
ok 'it depends on what it is linked with' sh -c "dpkg-deb -f $dir/bundle/debs/quern_*.deb Depends | grep -q 'libsodium23.*libxml2'"
ok 'one that is there is not replaced' status 73 sh "$here/bootstrap" bundle "$dir/bundle"
cp -r "$dir/bundle" "$dir/changed" && echo x >>"$dir/changed/bootstrap"
cp -r "$dir/bundle" "$dir/more" && echo x >"$dir/more/debs/evil.deb"
cp -r "$dir/bundle" "$dir/other"
QUERN_KEYS="$dir/keys2" sh -c "packages=; need() { :; }; . $here/etc/bundle.sh; bundle_sign $dir/other" >/dev/null 2>&1

# what is done on the copy of the machine; one line for each case
cat >"$dir/there" <<EOF
unset QUERN_ROOT QUERN_BIN
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /
dpkg --purge --force-all quern liblmdb0 libutf8proc2 libstemmer0d libopenblas0-pthread >/dev/null 2>&1
rm -rf /etc/quern /usr/lib/quern /usr/libexec/quern
say() { if "\$@" >/tmp/said 2>&1; then echo yes; else echo "no (\$?): \$(tail -n 3 /tmp/said | tr '\n' ' ')"; fi; }
# no way out, and no quern
say sh -c 'test "\$(sed 1,2d /proc/net/dev | grep -vc "^ *lo:")" = 0 && ! apt-get -qq download libutf8proc2'
say sh -c '! command -v quern && ! ldconfig -p | grep -q libutf8proc.so.2'
# what was changed is not installed
say sh -c 'sh /bundles/bundle/bootstrap --from /bundles/changed; test \$? = 65 && ! command -v quern'
say sh -c 'sh /bundles/bundle/bootstrap --from /bundles/more; test \$? = 65 && ! command -v quern'
# what is whole, is
say sh /bundles/bundle/bootstrap --from /bundles/bundle
say sh -c 'dpkg -s quern | grep -q "ok installed" && command -v quernd quern'
say sh -c 'quern ingest -q /usr/share/common-licenses/GPL-3 | quern redact -q | quern index -q out=/tmp/ix && quern search -q /tmp/ix warranty | grep -q "GPL-3"'
say sh -c 'quernd --once && test "\$(stat -c %U /var/spool/quern)" = quern'
say sh -c 'test -e /usr/share/man/man1/quern.1 && test -e /usr/share/quern/examples/questions.jsonl && test -e /lib/systemd/system/quernd.service'
say sh -c 'sh /bundles/bundle/bootstrap --from /bundles/bundle | grep -q "all of it is installed"'
say sh -c 'sh /bundles/bundle/bootstrap --from /bundles/other; test \$? = 77'
EOF
unshare -m -n sh -c "mount -t tmpfs none $dir/tmp && mkdir $dir/tmp/u $dir/tmp/w $dir/tmp/m &&
    mount -t overlay overlay -o lowerdir=/,upperdir=$dir/tmp/u,workdir=$dir/tmp/w $dir/tmp/m &&
    mkdir -p $dir/tmp/m/bundles && cp -r $dir/bundle $dir/changed $dir/more $dir/other $dir/tmp/m/bundles &&
    cp $dir/there $dir/tmp/m/there && mount -t proc proc $dir/tmp/m/proc && mount --rbind /dev $dir/tmp/m/dev &&
    chroot $dir/tmp/m sh /there" >"$dir/answers" 2>"$dir/err"
i=0
for what in 'there is no network' 'nor quern, nor its libraries' 'a changed file is refused' \
    'a file too many is refused' 'the bundle is installed' 'as a package' 'and works as a pipe' \
    'the daemon runs where it belongs' 'pages, examples, unit' 'twice is nothing to do' \
    'a bundle of another key is refused'; do
	i=$((i + 1))
	ok "$what" is "$(sed -n ${i}p "$dir/answers")" yes
done
[ "$i" = "$(wc -l <"$dir/answers")" ] || cat "$dir/err" "$dir/answers" | sed 's/^/# /'
done_testing
