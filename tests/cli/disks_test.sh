#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# disks_test.sh - disks of a snapshot, on the command line
#
# What happens to their contents is tests/kvm/snapshot_disks_test.c's.

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"
kvm_or_skip

truncate -s 1M disk second
mkdir to

bad "with-disks: an unknown way" 2 "with-disks" \
	snapshot -n one --with-disks=maybe x.snap
bad "with-disks: not with show" 2 "look at a file" \
	snapshot show --with-disks x.snap
bad "disk-mode: an unknown one" 2 "disk-mode" restore --disk-mode=mine x.snap

# start: a machine called one, until its guest idles.
start()
{
	rm -f one.out
	"$LKVM" run --name one -k "$GUEST" -m 64 --nodefaults -p test=idle \
		--nvme disk,ns=second </dev/null >one.out 2>one.err &
	for _ in $(seq 300); do
		grep -s -q 'guest: idle' one.out && return
		sleep 0.1
	done
	cat one.out one.err
	return 1
}

# snap OPTION...: takes a snapshot.
snap()
{
	timeout 60 "$LKVM" snapshot -n one "$@"
}

# refused NAME PATTERN ARGUMENT...: while a machine runs.
refused()
{
	refused_name=$1
	refused_pattern=$2
	shift 2
	timeout 60 "$LKVM" "$@" </dev/null >out 2>err
	same "$refused_name: exit code" $? 1
	check "$refused_name: says why" grep -q -e "$refused_pattern" err
}

# there: all files in the folder of snapshots, without what is random.
there()
{
	find to -mindepth 1 -printf '%f\n' |
		sed 's/-[0-9a-f]\{8\}\.img$/-ID.img/' | sort | tr '\n' ' '
}

check "a machine starts" start
check "with disks" snap --with-disks to/vm.snap
same "with disks: a copy of each" "$(there)" \
	"vm.snap vm.snap.nvme0n1-ID.img vm.snap.nvme0n2-ID.img "
check "with disks: they are the owner's" \
	[ "$(stat -c %a to/*.img | sort -u)" = 600 ]
for copy in to/vm.snap.nvme0n1-*.img; do
	check "with disks: the same contents" cmp disk "$copy"
done
"$LKVM" snapshot show to/vm.snap >shown
check "show: the disk" grep -q "nvme0.*$work/disk" shown
check "show: its copy" grep -q "vm.snap.nvme0n1-[0-9a-f]*.img" shown
first=$(find to -name '*n1-*.img')
check "with disks, again" snap --with-disks=copy to/vm.snap
same "with disks, again: nothing more" "$(there)" \
	"vm.snap vm.snap.nvme0n1-ID.img vm.snap.nvme0n2-ID.img "
check "with disks, again: other copies" [ ! -e "$first" ]
check "without disks" snap to/vm.snap
same "without disks: the copies are gone" "$(there)" "vm.snap "
if [ "$(id -u)" = 0 ] && [ "$(stat -f -c %T to)" = ext2/ext3 ]; then
	refused "reflink, which ext4 cannot" "use --with-disks=copy" \
		snapshot -n one --with-disks=reflink to/other.snap
	same "reflink: nothing is left" "$(there)" "vm.snap "
else
	skip "reflink, which ext4 cannot" "it is not known what $work can do"
fi
refused "restore: the disks are in use" "in use" \
	restore --name two --paused to/vm.snap
check "a snapshot to end with" snap --stop --with-disks to/vm.snap
touch disk
bad "restore: a disk was written" 1 "disk was written since" \
	restore --disk-mode=shared --nvme "0=$work/disk,ns=$work/second" \
	to/vm.snap
rm to/*n2*.img
bad "restore: a copy is not there" 1 "nvme0n2: its disk .* is not there" \
	restore to/vm.snap
bad "restore: likewise by force" 1 "is not there" restore --force to/vm.snap
tap_done
