#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# applets.sh - prints the paths of the programs that busybox can be
#
# Asked of the one for this machine, whatever the guests' architecture is: they
# are built alike.

set -eu
cd "$(dirname "$0")/../.."
unset DEB_ARCH
unset APT_CONFIG
. tests/lib/common.sh

deb=$(fetch_debs "$LKVM_CACHE/debs" busybox-static)
list=$LKVM_CACHE/applets-$(key "$deb")
if [ ! -e "$list" ]; then
	temp=$(mktemp -d "$LKVM_CACHE/applets.XXXXXX")
	trap 'rm -rf "$temp"' EXIT
	dpkg-deb -x "$deb" "$temp/package"
	"$temp/package/bin/busybox" --list-full >"$temp/list"
	publish "$temp/list" "$list"
fi
cat "$list"
