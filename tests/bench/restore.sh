#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# restore.sh [-r ROUNDS] - from exec() of a restore to the guest's first
# instruction
#
# The guest (x86/again.S) is saved once for each size of memory, then restored
# again and again. Its memory is empty, which is the best case for who reads it
# all. Prints lines of start_bench: NAME MIB, microseconds, KiB.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh

rounds=3
while getopts r: opt; do
	case $opt in
	r) rounds=$OPTARG ;;
	*) exit 2 ;;
	esac
done

O=${O:-build}
guest=$O/tests/bench/again.elf
bench=$O/tests/bench/start_bench
sizes="256 16384"
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

# wait_for COMMAND...: until it succeeds, at most 20 s.
wait_for()
{
	for _ in $(seq 200); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	die "$1: nothing came of it"
}

save_lkvm()
{
	"$O/lkvm" run --name "bench-$$" -c 1 -m "$1" -k "$guest" --nodefaults \
		--nvme null:1G </dev/null >/dev/null 2>&1 &
	pids="$pids $!"
	wait_for "$O/lkvm" stat -n "bench-$$"
	"$O/lkvm" snapshot -n "bench-$$" --stop "$work/lkvm-$1" >/dev/null
}

# qemu_words MIB: the same machine, in words without blanks.
qemu_words()
{
	echo "qemu-system-x86_64 -accel kvm -cpu host,-arch-capabilities" \
		"-M microvm -m $1 -display none -nodefaults -serial stdio" \
		"-kernel $guest"
}

# The monitor is a pair of pipes.
save_qemu()
{
	mkfifo "$work/monitor.in" "$work/monitor.out"
	# shellcheck disable=SC2046
	$(qemu_words "$1") -monitor "pipe:$work/monitor" </dev/null >/dev/null &
	qemu=$!
	pids="$pids $qemu"
	cat "$work/monitor.out" >/dev/null &
	{
		sleep 1
		echo "migrate \"exec:cat >$work/qemu-$1\""
		echo quit
	} >"$work/monitor.in"
	wait "$qemu" || die "QEMU did not save its guest"
	rm -f "$work/monitor.in" "$work/monitor.out"
}

have_qemu=
! command -v qemu-system-x86_64 >/dev/null || have_qemu=1
for mib in $sizes; do
	save_lkvm "$mib"
	[ -z "$have_qemu" ] || save_qemu "$mib"
done
round=0
while [ $round -lt "$rounds" ]; do
	for mib in $sizes; do
		"$bench" -r 10 -m "$mib" "lkvm $mib" "$O/lkvm" restore \
			"$work/lkvm-$mib"
		# shellcheck disable=SC2046
		[ -z "$have_qemu" ] ||
			"$bench" -r 3 -m "$mib" "qemu microvm $mib" \
				$(qemu_words "$mib") \
				-incoming "exec:cat $work/qemu-$mib"
	done
	round=$((round + 1))
done
