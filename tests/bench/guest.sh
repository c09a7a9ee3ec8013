#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# guest.sh [-s SECONDS] [-r ROUNDS] [-d nvme|blk] - fio in a guest, under several
# monitors
#
# Boots one kernel with one initramfs, each time with one CPU and the same disk:
# once one that stores nothing (not kvmtool), once a file with direct I/O. fio
# reads and writes it. The monitors are
#
#   nvme  lkvm with its NVMe controller, QEMU with its own, QEMU with virtio-blk
#         and an iothread, and kvmtool with virtio-blk where that is installed
#   blk   lkvm, QEMU and kvmtool, all with virtio-blk, with QEMU's in an iothread
#
# Prints one line a job, tab-separated: monitor and disk ("qemu-nvme/file"), job
# ("randread:32"), requests per second, CPU-microseconds of the monitor's process
# per request (the guest's work is among them), exits per request ("-" where they
# cannot be known). Which kernel: tests/bench/in-guest.sh.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh

seconds=2
rounds=3
kind=nvme
while getopts s:r:d: opt; do
	case $opt in
	s) seconds=$OPTARG ;;
	r) rounds=$OPTARG ;;
	d) kind=$OPTARG ;;
	*) exit 2 ;;
	esac
done
case $kind in
nvme) monitors='lkvm qemu-nvme qemu-virtio' ;;
blk) monitors='lkvm-virtio qemu-virtio' ;;
*) die "no such kind of disk: $kind" ;;
esac

jobs=randread:1,randread:32,randread:128,randwrite:1,randwrite:32,randwrite:128
[ "$kind" = nvme ] || jobs=$jobs,read-128k:8,write-128k:8
. tests/bench/in-guest.sh

disk=$work/disk
dd if=/dev/urandom of="$disk" bs=1M count=512 status=none

# lkvm_disk WHAT: as lkvm names it.
lkvm_disk()
{
	case $1 in
	file) echo "$disk" ;;
	null) echo null:64G ;;
	esac
}

# qemu_disk WHAT OPTION...: QEMU with that disk, and the device that uses it.
qemu_disk()
{
	case $1 in
	file) drive="file,filename=$disk,aio=io_uring,cache.direct=on" ;;
	null) drive="null-co,size=$((64 << 30)),read-zeroes=on" ;;
	esac
	shift
	start_qemu -blockdev "node-name=disk,driver=$drive" "$@"
}

start()
{
	case $1 in
	lkvm) start_lkvm --nvme "$(lkvm_disk "$2"),cache=none" ;;
	lkvm-virtio) start_lkvm --disk "$(lkvm_disk "$2"),direct" ;;
	qemu-nvme) qemu_disk "$2" -device nvme,serial=x,drive=disk ;;
	qemu-virtio)
		qemu_disk "$2" -object iothread,id=loop \
			-device virtio-blk-pci,drive=disk,iothread=loop
		;;
	kvmtool)
		exec kvmtool run -c 1 -m 512 -k "$kernel" -i "$initrd" \
			-p "$append" --disk "$disk,direct" --console serial
		;;
	esac
}

round=0
while [ $round -lt "$rounds" ]; do
	for what in null file; do
		for monitor in $monitors; do
			measure "$monitor" $what
		done
	done
	if command -v kvmtool >/dev/null; then
		measure kvmtool file
	fi
	round=$((round + 1))
done
