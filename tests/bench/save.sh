#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# save.sh [-r ROUNDS] [-m MIB] - a machine's memory into a file
#
# Memory full of random bytes, beside dd and fio, which write the same or as many
# bytes to the same disk with O_DIRECT and sync them; nearly empty memory; and a
# guest with a processor and a large random initial RAM disk, beside QEMU, which
# migrates it to a file. Half of MIB is what that one has of random bytes, but no
# more than 2 GiB: an initial RAM disk is below 4 GiB.
#
# MIB is 8192 where memory and the disk have room for three times that. Prints
# lines, tab-separated: what, MiB, microseconds, microseconds that the guest
# stood still or "-".

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh

rounds=3
mib=${BENCH_SAVE_MIB:-}
while getopts r:m: opt; do
	case $opt in
	r) rounds=$OPTARG ;;
	m) mib=$OPTARG ;;
	*) exit 2 ;;
	esac
done

O=${O:-build}
guest=$O/tests/bench/first.elf
work=$(mktemp -d "${TMPDIR:-/var/tmp}/lkvm-bench.XXXXXX")
pids=
cleanup()
{
	for pid in $pids; do
		kill "$pid" 2>/dev/null || :
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

if [ -z "$mib" ]; then
	mib=$(df -k --output=avail "$work" | tail -n 1 |
		cat - /proc/meminfo | awk '
		NR == 1 { room = $1 }
		/^MemAvailable:/ { if ($2 < room) room = $2 }
		END {
			mib = int(room / 1024 / 2.5)
			print (mib > 8192 ? 8192 : mib)
		}')
fi
small=$((mib / 2 > 2048 ? 2048 : mib / 2))

now_us()
{
	echo $(($(date +%s%N) / 1000))
}

# timed NAME MIB COMMAND...: a line with how long it took.
timed()
{
	timed_name=$1
	timed_mib=$2
	shift 2
	timed_start=$(now_us)
	"$@" >/dev/null 2>&1 || die "$1 failed"
	printf '%s\t%s\t%s\t-\n' "$timed_name" "$timed_mib" \
		"$(($(now_us) - timed_start))"
}

# What one has written is not there when the next one begins.
settle()
{
	rm -f "$work/saved" "$work/written"
	sync -f "$work"
	sleep 1
}

lkvm_memory()
{
	"$O/tests/bench/save_bench" "$work" "$mib" ${2:+"$2"} |
		awk -v name="$1" -v mib="$mib" \
			'{ printf "%s\t%s\t%s\t%s\n", name, mib, $1, $3 }'
	settle
}

wait_for()
{
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	die "$1: nothing came of it"
}

member()
{
	grep -o "\"$1\" *: *[0-9]*" "$work/result" | tail -n 1 |
		sed 's/.*: *//'
}

lkvm_guest()
{
	"$O/lkvm" run --name "bench-$$" -c 1 -m $((small + 512)) -k "$guest" \
		-i "$work/initrd" --nodefaults --nvme null:1G </dev/null \
		>/dev/null 2>&1 &
	pid=$!
	pids="$pids $pid"
	wait_for "$O/lkvm" stat -n "bench-$$"
	"$O/lkvm" snapshot -n "bench-$$" --json "$work/saved" >"$work/result"
	printf 'guest lkvm\t%s\t%s\t%s\n' "$small" \
		"$(member elapsed-ms)000" "$(member pause-us)"
	"$O/lkvm" stop -n "bench-$$" --force >/dev/null 2>&1 || :
	wait "$pid" || :
	settle
}

# The monitor is a pair of pipes. QEMU of this age knows no files: cat writes.
qemu_guest()
{
	mkfifo "$work/monitor.in" "$work/monitor.out"
	qemu-system-x86_64 -accel kvm -cpu host,-arch-capabilities -M microvm \
		-m $((small + 512)) -display none -nodefaults -serial stdio \
		-kernel "$guest" -initrd "$work/initrd" \
		-monitor "pipe:$work/monitor" </dev/null >/dev/null 2>&1 &
	pid=$!
	pids="$pids $pid"
	cat "$work/monitor.out" >"$work/result" &
	{
		sleep 3
		echo "migrate_set_parameter max-bandwidth 100G"
		echo "migrate \"exec:cat >$work/saved\""
		echo "info migrate"
		echo quit
	} >"$work/monitor.in"
	wait "$pid" || die "QEMU did not save its guest"
	tr '\r' '\n' <"$work/result" | awk -v mib="$small" '
		/^total time:/ { total = $3 }
		/^downtime:/ { down = $2 }
		END {
			if (total != "")
				printf "guest qemu\t%s\t%s000\t%s000\n", mib,
					total, down
		}'
	rm -f "$work/monitor.in" "$work/monitor.out"
	settle
}

head -c "${mib}M" /dev/urandom >"$work/random"
head -c "${small}M" "$work/random" >"$work/initrd"
sync -f "$work"
round=0
while [ $round -lt "$rounds" ]; do
	# It is to be in memory when it is read.
	cat "$work/random" >/dev/null
	lkvm_memory "random lkvm" "$work/random"
	timed "random dd" "$mib" dd if="$work/random" of="$work/written" \
		bs=4M oflag=direct conv=fsync
	settle
	if command -v fio >/dev/null; then
		timed "random fio" "$mib" fio --name=save --rw=write --bs=1M \
			--filename="$work/written" --size="${mib}M" --direct=1 \
			--ioengine=io_uring --iodepth=32 --end_fsync=1
		settle
	fi
	lkvm_memory "empty lkvm"
	if [ -e "$guest" ] && [ -w /dev/kvm ]; then
		lkvm_guest
		! command -v qemu-system-x86_64 >/dev/null || qemu_guest
	fi
	round=$((round + 1))
done
