#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# guest.sh [-s SECONDS] [-r ROUNDS] - fio in a guest, under several monitors
#
# Boots one kernel with one initramfs under lkvm, under QEMU with its NVMe
# controller, under QEMU with virtio-blk and an iothread, and, where it is
# installed, under kvmtool with virtio-blk, each with one CPU and the same disk:
# once a file with direct I/O, once one that stores nothing (not kvmtool). In
# each, fio reads and writes 4 KiB at random positions.
#
# Prints one line a job, tab-separated: monitor and disk ("qemu-nvme/file"), job
# ("randread:32"), requests per second, CPU-microseconds of the monitor's process
# per request (the guest's work is among them), exits per request ("-" where they
# cannot be known).
#
# The kernel is Debian's where the processor virtualizes. Elsewhere it must be
# one that does without: LKVM_GUEST_KERNEL names it (bzImage, 64-bit user space,
# one CPU).

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh

seconds=2
rounds=3
while getopts s:r: opt; do
	case $opt in
	s) seconds=$OPTARG ;;
	r) rounds=$OPTARG ;;
	*) exit 2 ;;
	esac
done

O=${O:-build}
jobs=randread:1,randread:32,randread:128,randwrite:1,randwrite:32,randwrite:128
limit=$((seconds * 12 + 60))
ticks=$(getconf CLK_TCK)

level=$(sh tests/system/level.sh)
if [ -n "${LKVM_GUEST_KERNEL:-}" ]; then
	kernel=$LKVM_GUEST_KERNEL
	[ -r "$kernel" ] || die "$kernel cannot be read (LKVM_GUEST_KERNEL)"
elif [ "${level%%:*}" = direct ]; then
	kernel=$(sh tests/system/kernel.sh)/vmlinuz
else
	note "guest: not measured: ${level#*: };" \
		"name a kernel that needs none by LKVM_GUEST_KERNEL"
	exit 0
fi
[ -w /dev/kvm ] || {
	note "guest: not measured: /dev/kvm cannot be used"
	exit 0
}
initrd=$(sh tests/bench/initrd.sh)

work=$(mktemp -d "${TMPDIR:-/var/tmp}/lkvm-bench.XXXXXX")
pid=
cleanup()
{
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || :
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
disk=$work/disk
dd if=/dev/urandom of="$disk" bs=1M count=512 status=none

append="console=ttyS0 panic=-1 quiet printk.time=0 bench.seconds=$seconds bench.jobs=$jobs"

start_lkvm()
{
	case $1 in
	file) set -- "$disk,cache=none" ;;
	null) set -- null:64G,cache=none ;;
	esac
	exec "$O/lkvm" run --name "bench-$$" -c 1 -m 512 -k "$kernel" \
		-i "$initrd" -p "$append reboot=k" --nodefaults --nvme "$1"
}

start_qemu()
{
	drive=$1
	shift
	case $drive in
	file) drive="file,filename=$disk,aio=io_uring,cache.direct=on" ;;
	null) drive="null-co,size=$((64 << 30)),read-zeroes=on" ;;
	esac
	exec qemu-system-x86_64 -accel kvm -cpu host,-arch-capabilities -M q35 \
		-bios qboot.rom -m 512 -display none -vga none -nodefaults \
		-no-reboot -serial stdio -kernel "$kernel" -initrd "$initrd" \
		-append "$append reboot=k" \
		-blockdev "node-name=disk,driver=$drive" "$@"
}

start_kvmtool()
{
	exec kvmtool run -c 1 -m 512 -k "$kernel" -i "$initrd" \
		-p "$append" --disk "$disk,direct" --console serial
}

start()
{
	case $1 in
	lkvm) start_lkvm "$2" ;;
	qemu-nvme) start_qemu "$2" -device nvme,serial=x,drive=disk ;;
	qemu-virtio)
		start_qemu "$2" -object iothread,id=loop \
			-device virtio-blk-pci,drive=disk,iothread=loop
		;;
	kvmtool) start_kvmtool ;;
	esac
}

# Exits of the guest so far, by lkvm's own count or by the kernel's.
exits()
{
	if [ "$1" = lkvm ]; then
		"$O/lkvm" stat --name "bench-$$" --json 2>/dev/null |
			grep -o '"exits" *: *[0-9]*' |
			awk -F: '{ n += $2 } END { print NR ? n : "-" }'
	else
		cat /sys/kernel/debug/kvm/"$pid"-*/exits 2>/dev/null || echo -
	fi
}

cpu_ticks()
{
	# The name may have blanks; what counts comes after it.
	sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }'
}

# follow MONITOR DISK: reads the console, and looks at the clocks at each job.
follow()
{
	while read -r word what rw depth iops; do
		[ "$word" = BENCH ] || continue
		case $what in
		begin)
			exits_before=$(exits "$1")
			cpu_before=$(cpu_ticks)
			;;
		end)
			exits_now=$(exits "$1")
			cpu=$(($(cpu_ticks) - cpu_before))
			echo "$1/$2 $rw:$depth ${iops%?} $cpu" \
				"$exits_before $exits_now"
			;;
		fio:*) note "guest: $1 on $2: $what $rw $depth $iops" >&2 ;;
		done*) touch "$work/done" ;;
		esac
	done | awk -v ticks="$ticks" -v seconds="$seconds" '{
		n = $3 * seconds
		exits = $5 == "-" || $6 == "-" || !n ? "-" : \
			sprintf("%.2f", ($6 - $5) / n)
		printf "%s\t%s\t%d\t%.2f\t%s\n", $1, $2, $3,
			n ? $4 * 1000000 / ticks / n : 0, exits
	}'
}

# measure MONITOR DISK: one guest, all jobs.
measure()
{
	rm -f "$work/done" "$work/console"
	mkfifo "$work/console"
	start "$1" "$2" </dev/null >"$work/console" 2>"$work/err" &
	pid=$!
	( sleep "$limit" && kill -9 "$pid" ) >/dev/null 2>&1 &
	watchdog=$!
	follow "$1" "$2" <"$work/console"
	wait "$pid" 2>/dev/null || :
	pid=
	kill "$watchdog" 2>/dev/null || :
	wait "$watchdog" 2>/dev/null || :
	[ -e "$work/done" ] ||
		note "guest: $1 on $2 did not get to its end: $(tail -n 1 "$work/err")"
}

round=0
while [ $round -lt "$rounds" ]; do
	for kind in null file; do
		for monitor in lkvm qemu-nvme qemu-virtio; do
			measure $monitor $kind
		done
	done
	if command -v kvmtool >/dev/null; then
		measure kvmtool file
	fi
	round=$((round + 1))
done
