#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# initrd.sh - prints the path of an initramfs with fio
#
# Taken from the root image of the system tests: busybox, fio, and the libraries
# that fio needs, the drivers of disks and network cards, and guest-init as the
# first process. So the disk that is measured is the only disk of the guest. Cached beside that image.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh
PATH=$PATH:/usr/sbin:/sbin

modules='virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
	virtio_blk failover net_failover virtio_net'

image=$(sh tests/system/rootfs.sh)
kernel=$(sh tests/system/kernel.sh)
initrd=$LKVM_CACHE/bench-$(key "$image" "$kernel" "$modules" \
	"$(cat tests/bench/initrd.sh tests/bench/guest-init)").cpio
if [ ! -e "$initrd" ]; then
	temp=$(mktemp -d "$LKVM_CACHE/bench.XXXXXX")
	trap 'rm -rf "$temp"' EXIT
	mkdir "$temp/all" "$temp/root"
	debugfs -R "rdump / $temp/all" "$image" >/dev/null 2>&1
	cd "$temp/root"
	mkdir -p bin usr/bin dev proc sys tmp modules
	cp "$temp/all/bin/busybox" bin/
	cp "$temp/all/usr/bin/fio" usr/bin/
	# The libraries of the image are those of all its programs: take the ones
	# that are asked for, and those that these ask for.
	todo=usr/bin/fio
	interpreter=$(readelf -l usr/bin/fio |
		sed -n 's/.*interpreter: \/\(.*\)\]/\1/p')
	mkdir -p "$(dirname "$interpreter")"
	cp -L "$temp/all/$interpreter" "$interpreter"
	while [ -n "$todo" ]; do
		# shellcheck disable=SC2086
		names=$(readelf -d $todo 2>/dev/null |
			sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' | sort -u)
		todo=
		for name in $names; do
			file=$(cd "$temp/all" && find . -name "$name" | head -n 1)
			file=${file#./}
			if [ -z "$file" ] || [ -e "$file" ]; then
				continue
			fi
			mkdir -p "$(dirname "$file")"
			cp -L "$temp/all/$file" "$file"
			todo="$todo $file"
		done
	done
	for module in $modules; do
		find "$kernel/modules" -name "$module.ko" -exec cp {} modules/ \;
	done
	cd - >/dev/null
	cp tests/bench/guest-init "$temp/root/init"
	chmod 755 "$temp/root/init"
	(cd "$temp/root" && find . | cpio -o -H newc --quiet -R 0:0) >"$temp/cpio"
	publish "$temp/cpio" "$initrd"
fi
echo "$initrd"
