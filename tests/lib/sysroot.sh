#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# sysroot.sh [DEBIAN-ARCHITECTURE] - prints a folder with another architecture's
# libraries
#
# What lkvm is linked with, headers and libraries, and what the system tests use
# beside it (iproute2), from Debian's packages for that architecture (default
# arm64), unpacked in the cache and not installed. The C library is the cross
# compiler's own.

set -eu
cd "$(dirname "$0")/../.."
DEB_ARCH=${1:-arm64}
export DEB_ARCH
. tests/lib/common.sh

packages='liburing2 liburing-dev libfdt1 libfdt-dev libblkid1 libblkid-dev
	libjson-c5 libjson-c-dev libxxhash0 libxxhash-dev libuuid1 uuid-dev
	zlib1g zlib1g-dev libzstd1 libzstd-dev
	iproute2 libbpf1 libbsd0 libcap2 libelf1 libmd0 libmnl0 libxtables12'

# Asking apt takes seconds, so its answer is kept as long as its lists are.
have_lists || apt_update
answer=$LKVM_CACHE/packages-$(key "$packages" "$DEB_ARCH" "$(apt_state)")
# shellcheck disable=SC2046
if [ ! -e "$answer" ] || ! stat $(cat "$answer") >/dev/null 2>&1; then
	# shellcheck disable=SC2086
	fetch_debs "$LKVM_CACHE/debs" $packages >"$answer.$$"
	mv "$answer.$$" "$answer"
fi
debs=$(cat "$answer")
sysroot=$LKVM_CACHE/sysroot-$DEB_ARCH-$(key "$debs")
if [ ! -d "$sysroot" ]; then
	temp=$(mktemp -d "$LKVM_CACHE/sysroot.XXXXXX")
	trap 'rm -rf "$temp"' EXIT
	for deb in $debs; do
		dpkg-deb -x "$deb" "$temp"
	done
	chmod 755 "$temp"
	publish "$temp" "$sysroot"
fi
echo "$sysroot"
