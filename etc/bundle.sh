# SPDX-License-Identifier: Apache-2.0
# bundle.sh - what ./bootstrap bundle does; sourced by it.
#
# A bundle is a directory for a USB stick: quern as a Debian package, every
# Debian package that it needs, this bootstrap, SHA256SUMS over all of it and a
# signature by a key of the maker's (gpg; gpgv, which checks it, is on every
# Debian).  ./bootstrap --from DIR installs it.

# bundle_depends ROOT - packages that own the libraries of our programs;
# libxml2 is opened when it is needed and so is named here
bundle_depends() {
	{
		find "$1" -type f \( -perm -100 -o -name '*.so' \) |
		    xargs ldd 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' |
		    sort -u | while read -r lib; do
			lib=$(realpath "$lib")
			dpkg -S "$lib" 2>/dev/null || dpkg -S "${lib#/usr}" 2>/dev/null || true
		done | sed 's/:.*//'
		echo libxml2
	} | sort -u
}

# bundle_control ROOT - the package's own files
bundle_control() {
	mkdir -p "$1/DEBIAN" "$1/lib/systemd/system" "$1/usr/lib/sysusers.d" "$1/usr/lib/tmpfiles.d"
	mv "$1/usr/share/quern/quernd.service" "$1/lib/systemd/system/quernd.service"
	mv "$1/usr/share/quern/quern.sysusers" "$1/usr/lib/sysusers.d/quern.conf"
	mv "$1/usr/share/quern/quern.tmpfiles" "$1/usr/lib/tmpfiles.d/quern.conf"
	echo /etc/quern/quern.conf >"$1/DEBIAN/conffiles"
	cat >"$1/DEBIAN/control" <<EOF
Package: quern
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: ${DEBEMAIL:-$(id -un)@$(uname -n)}
Depends: $(bundle_depends "$1" | paste -sd, | sed 's/,/, /g')
Installed-Size: $(du -sk "$1" | cut -f1)
Section: text
Priority: optional
Description: offline batch appliance for language-model work
 Job files go into a spool; clean data, models, indexes and cited answers come
 out. Needs no network.
EOF
	cat >"$1/DEBIAN/postinst" <<'EOF'
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
getent group quern >/dev/null || groupadd --system quern
getent passwd quern >/dev/null || useradd --system --gid quern \
    --home-dir /var/lib/quern --no-create-home --shell /usr/sbin/nologin quern
install -d -o quern -g quern -m 0755 /var/spool/quern
install -d -o quern -g quern -m 0750 /var/lib/quern
[ ! -d /run/systemd/system ] || systemctl daemon-reload
EOF
	chmod 755 "$1/DEBIAN/postinst"
}

# bundle_debs DIR PACKAGE... - those and all that they need, as if nothing
# were installed
bundle_debs() {
	mkdir -p "$1"
	list=$(dir=$1; shift; apt-get -s -o Dir::State::status=/dev/null install \
	    --no-install-recommends "$@" | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p')
	(cd "$1" && apt-get -qq -o APT::Sandbox::User=root download $list)
}

# bundle_sign DIR - sums of every file, signed; the public key beside them
bundle_sign() {
	(cd "$1" && find . -type f ! -name 'SHA256SUMS*' ! -name quern.gpg |
	    LC_ALL=C sort | xargs -d '\n' sha256sum >SHA256SUMS)
	if [ -z "${QUERN_KEY-}" ]; then
		GNUPGHOME=${QUERN_KEYS:-$HOME/.config/quern/keys}
		export GNUPGHOME
		mkdir -p -m 700 "$GNUPGHOME"
		QUERN_KEY=quern-bundle
		gpg --batch -q --list-secret-keys "$QUERN_KEY" >/dev/null 2>&1 ||
		    gpg --batch -q --passphrase '' --quick-generate-key \
		    "$QUERN_KEY" ed25519 sign never
	fi
	gpg --batch -q --yes -u "$QUERN_KEY" --detach-sign -o "$1/SHA256SUMS.sig" "$1/SHA256SUMS"
	gpg --batch -q --yes -o "$1/quern.gpg" --export "$QUERN_KEY"
	echo "bundle: signed by $(gpg --with-colons --list-keys "$QUERN_KEY" |
	    awk -F: '$1 == "fpr" { print $10; exit }')"
}

# bundle DIR - make it
bundle() {
	out=$1
	version=$(sed -n 's/^AC_INIT(\[quern\], \[\(.*\)\])/\1/p' configure.ac)
	[ ! -e "$out" ] || { echo "bundle: '$out' is there already" >&2; exit 73; }
	packages="$packages gnupg" need
	stage=$(mktemp -d)
	trap 'rm -rf "$stage"' EXIT
	chmod 755 "$stage"
	make -s -C "${QUERN_BIN:-build}" install-strip DESTDIR="$stage" >/dev/null
	bundle_control "$stage"
	rm -rf "$out.part"
	mkdir -p "$out.part"
	bundle_debs "$out.part/debs" $(bundle_depends "$stage")
	dpkg-deb --root-owner-group -b "$stage" \
	    "$out.part/debs/quern_${version}_$(dpkg --print-architecture).deb" >/dev/null
	cp bootstrap "$out.part/bootstrap"
	bundle_sign "$out.part"
	mv "$out.part" "$out"
	echo "bundle: $(ls "$out/debs" | wc -l) packages, $(du -sh "$out" | cut -f1) in $out"
	echo "bundle: on the other machine: sh bootstrap --from ."
}
