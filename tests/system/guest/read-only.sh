# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# read-only.sh DISK - what becomes of a write-protected disk: a line each

say()
{
	echo "ro: $*"
}

say "sysfs:$(cat "/sys/block/${1##*/}/ro")"
mount -t ext4 -o ro "$1" /mnt && [ -x /mnt/sbin/init ] && say reads
umount /mnt
head -c 4096 /dev/urandom >/run/block
dd if=/run/block of="$1" bs=4096 conv=fsync 2>/run/dd || say kernel-refuses
# Past the kernel, which would not let it through.
nvme write "$1" -s 0 -c 7 -z 4096 -d /run/block 2>&1 |
	grep -qi 'write.protected' && say controller-refuses
