#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# kernel.sh - prints a folder with Debian's cloud kernel
#
# The folder has vmlinuz, config, and the package's modules below modules/. The
# cloud kernel has NVMe, ext4 and the 8250 console built in, so that it boots
# from an NVMe disk without an initrd. Its version changes with each security
# update: the meta package tells the current one.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh

# Asking apt takes seconds, so its answer is kept as long as its lists are.
answer=$LKVM_CACHE/packages-$(key kernel "$DEB_ARCH" "$(apt_state)")
if [ ! -e "$answer" ] || [ ! -e "$(cat "$answer")" ]; then
	mkdir -p "$LKVM_CACHE"
	have_lists || apt_update
	meta=linux-image-cloud-$DEB_ARCH
	package=$(apt-cache depends "$meta" |
		awk '/Depends: linux-image-/ { print $2; exit }')
	[ -n "$package" ] || die "apt knows no package $meta"
	fetch_debs "$LKVM_CACHE/debs" "$package" >"$answer.$$"
	mv "$answer.$$" "$answer"
fi
deb=$(cat "$answer")

kernel=$LKVM_CACHE/kernel-$(basename "$deb" .deb)
if [ ! -d "$kernel" ]; then
	temp=$(mktemp -d "$LKVM_CACHE/kernel.XXXXXX")
	trap 'rm -rf "$temp"' EXIT
	dpkg-deb -x "$deb" "$temp/package"
	mv "$temp"/package/boot/vmlinuz-* "$temp/vmlinuz"
	mv "$temp"/package/boot/config-* "$temp/config"
	mv "$temp"/package/lib/modules/*/kernel "$temp/modules"
	rm -rf "$temp/package"
	chmod 755 "$temp"
	publish "$temp" "$kernel"
fi
echo "$kernel"
