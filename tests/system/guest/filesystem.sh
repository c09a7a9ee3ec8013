# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154
#
# filesystem.sh - a file system on the second namespace

# sums DIR: a line for each file.
sums()
{
	(cd "$1" && find . -type f | sort | xargs sha256sum)
}

check "blkdiscard: something to discard" fill 105 0 256
check "blkdiscard" blkdiscard -f "$disk"
check "blkdiscard: it reads as zero" holds 000 0 256

check "mkfs" mkfs.ext4 -q -F "$disk"
check "mount" mount -t ext4 -o discard "$disk" /mnt
mkdir /mnt/files
cp /tests/* /usr/sbin/nvme /lib/modules/* /mnt/files/
for i in 1 2 3 4 5 6 7 8; do
	head -c "${i}0001" /dev/urandom >"/mnt/files/random$i"
done
sums /mnt/files >/run/sums
check "the files are on the disk" sync
check "umount" umount /mnt
check "fsck finds nothing wrong" e2fsck -f -n "$disk"
check "mount again" mount -t ext4 "$disk" /mnt
echo 3 >/proc/sys/vm/drop_caches
sums /mnt/files >/run/sums-after
check "at least twenty files" [ "$(wc -l </run/sums)" -ge 20 ]
check "all files are as they were" cmp /run/sums /run/sums-after
rm -r /mnt/files
check "fstrim" fstrim /mnt
check "umount again" umount /mnt
check "fsck finds nothing wrong after the trim" e2fsck -f -n "$disk"
