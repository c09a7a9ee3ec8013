#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh [-r ROUNDS] [PART...] - the benchmarks, and one table of what they say
#
#   device   4 KiB random reads through one queue of the NVMe controller, without
#            a guest, beside io_uring alone on the same file
#   guest    fio in a Linux guest, beside QEMU and kvmtool
#   start    from exec() to the guest's first instruction, and memory
#   save     memory into a file, beside dd, fio and QEMU
#   restore  the same of a guest that goes on from a file, with little memory and
#            with much, beside QEMU
#   migrate  memory to another process over TCP, beside a bare copy, and guests
#            that move, beside QEMU
#
# Every figure is the median of all rounds, which alternate between what is
# compared: on a machine that does other things as well, compare the ratios of one
# run and not the figures of two.
#
# LKVM_GUEST_KERNEL names a kernel for the guests, see guest.sh. What was measured
# stays in $O/bench/PART.

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
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- device guest start save restore migrate

O=${O:-build}
export O
out=$O/bench
mkdir -p "$out"
case $* in
*guest* | *save* | *migrate*) sh tests/lib/packages.sh bench ;;
esac

# Functions for awk: the median of what was kept under a key.
# shellcheck disable=SC2016
median='
	function keep(key, value) { kept[key, n[key]++] = value }
	function median(key,   i, j, v, a) {
		for (i = 0; i < n[key]; i++) {
			v = kept[key, i] + 0
			for (j = i; j > 0 && a[j - 1] > v; j--)
				a[j] = a[j - 1]
			a[j] = v
		}
		i = n[key]
		return i % 2 ? a[(i - 1) / 2] : (a[i / 2 - 1] + a[i / 2]) / 2
	}
	function ratio(a, b) {
		return n[a] && n[b] && median(b) > 0 ? \
			sprintf("%.2f", median(a) / median(b)) : "-"
	}
	function number(key, format) {
		return n[key] ? sprintf(format, median(key)) : "-"
	}'

device()
{
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/lkvm-bench.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	dd if=/dev/urandom of="$work/disk" bs=1M count=1024 status=none
	"$O/tests/bench/nvme_bench" -r "$rounds" "$work/disk" >"$out/device"
	rm -rf "$work"
	trap - EXIT
}

device_table()
{
	echo "NVMe controller without a guest: 4 KiB random reads, one queue"
	echo
	awk -F'\t' "$median"'
		{ keep($1 "/s" $2, $3); keep($1 "/cpu" $2, $4) }
		END {
			printf "%5s %22s %31s %23s\n", "", "io_uring alone",
				"through the controller", "null disk"
			printf "%5s %12s %9s %12s %6s %11s %12s %10s\n",
				"depth", "req/s", "cpu us", "req/s", "ratio",
				"cpu us", "req/s", "cpu us"
			split("1 32 256", depths, " ")
			for (i = 1; i <= 3; i++) {
				d = depths[i]
				printf "%5d %12s %9s %12s %6s %11s %12s %10s\n", d,
					number("io_uring/s" d, "%.0f"),
					number("io_uring/cpu" d, "%.2f"),
					number("nvme/s" d, "%.0f"),
					ratio("nvme/s" d, "io_uring/s" d),
					number("nvme/cpu" d, "%.2f"),
					number("nvme-null/s" d, "%.0f"),
					number("nvme-null/cpu" d, "%.2f")
			}
		}' "$out/device"
	echo
}

guest()
{
	sh tests/bench/guest.sh -r "$rounds" >"$out/guest"
}

guest_table()
{
	echo "fio in a guest: 4 KiB, random, direct, io_uring, one CPU"
	[ -z "${LKVM_GUEST_KERNEL:-}" ] ||
		echo "(its kernel is ${LKVM_GUEST_KERNEL##*/}, named by LKVM_GUEST_KERNEL)"
	echo
	grep '^#' "$out/guest" || :
	grep -v '^#' "$out/guest" | awk -F'\t' "$median"'
		{
			keep($1 " " $2, $3)
			keep($1 " cpu " $2, $4)
			if ($5 != "-")
				keep($1 " exits " $2, $5)
		}
		function cell(who, disk, job,   key) {
			key = who "/" disk
			if (!n[key " " job])
				return sprintf("%21s", "-")
			return sprintf("%8.0f %5s %6.1f", median(key " " job),
				ratio("lkvm/" disk " " job, key " " job),
				median(key " cpu " job))
		}
		END {
			if (!NR)
				exit
			printf "%-19s %21s %21s %21s %21s\n", "",
				"lkvm", "qemu nvme", "qemu virtio-blk",
				"kvmtool virtio-blk"
			printf "%-19s %8s %12s", "disk job:depth", "req/s",
				"exits  us"
			for (i = 0; i < 3; i++)
				printf " %8s %5s %6s", "req/s", "ratio", "us"
			printf "\n"
			split("null file", disks, " ")
			split("randread:1 randread:32 randread:128 " \
				"randwrite:1 randwrite:32 randwrite:128", jobs, " ")
			for (d = 1; d <= 2; d++)
				for (j = 1; j <= 6; j++) {
					key = "lkvm/" disks[d]
					printf "%-19s %8s %5s %6s %s %s %s\n",
						disks[d] " " jobs[j],
						number(key " " jobs[j], "%.0f"),
						number(key " exits " jobs[j], "%.2f"),
						number(key " cpu " jobs[j], "%.1f"),
						cell("qemu-nvme", disks[d], jobs[j]),
						cell("qemu-virtio", disks[d], jobs[j]),
						cell("kvmtool", disks[d], jobs[j])
				}
			print ""
			print "ratio: lkvm to this one; us: CPU time of the whole process" \
				" a request, the guest included;"
			print "exits: to lkvm, a request"
		}'
	echo
}

start()
{
	guest=$O/tests/bench/first.elf
	bench=$O/tests/bench/start_bench
	rm -f "$out/start"
	[ -e "$guest" ] && [ -w /dev/kvm ] || return 0
	round=0
	while [ $round -lt "$rounds" ]; do
		"$bench" -r 10 lkvm "$O/lkvm" run -c 1 -m 256 -k "$guest" \
			--nodefaults --nvme null:1G >>"$out/start"
		if command -v qemu-system-x86_64 >/dev/null; then
			"$bench" -r 3 "qemu microvm" qemu-system-x86_64 \
				-accel kvm -cpu host,-arch-capabilities \
				-M microvm -m 256 -display none -nodefaults \
				-serial stdio -kernel "$guest" >>"$out/start"
		fi
		round=$((round + 1))
	done
}

start_table()
{
	echo "From exec() to the guest's first instruction"
	echo
	[ -e "$out/start" ] || {
		echo "# not measured: /dev/kvm cannot be used"
		return 0
	}
	awk -F'\t' "$median"'
		{ keep($1 "/us", $2); keep($1 "/kib", $3); names[$1] = 1 }
		END {
			printf "%-14s %8s %6s %28s\n", "", "ms", "ratio",
				"MiB resident beyond the RAM"
			for (name in names)
				printf "%-14s %8.2f %6s %28.2f\n", name,
					median(name "/us") / 1000,
					ratio(name "/us", "lkvm/us"),
					median(name "/kib") / 1024
		}' "$out/start"
	echo
}

save()
{
	sh tests/bench/save.sh -r "$rounds" >"$out/save"
}

save_table()
{
	echo "Memory into a file on the disk, synced"
	echo
	awk -F'\t' "$median"'
		{
			keep($1, $2 / ($3 / 1000000))
			keep($1 " s", $3 / 1000000)
			if ($4 != "-")
				keep($1 " pause", $4 / 1000)
			mib[$1] = $2
		}
		function line(key, text, other) {
			if (n[key])
				printf "%-34s %6d %8.2f %8.0f %8s %s\n", text,
					mib[key], median(key " s"), median(key),
					number(key " pause", "%.1f"),
					ratio(key, other)
		}
		END {
			printf "%-34s %6s %8s %8s %8s %s\n", "", "MiB", "s",
				"MiB/s", "pause ms", "ratio"
			line("random lkvm", "lkvm, random bytes", "random fio")
			line("random dd", "dd, the same bytes", "random fio")
			line("random fio", "fio, io_uring, 32 times 1 MiB",
				"random fio")
			line("empty lkvm", "lkvm, nearly empty", "random fio")
			line("guest lkvm", "lkvm, a guest with an initrd",
				"guest qemu")
			line("guest qemu", "qemu, the same guest", "guest qemu")
		}' "$out/save"
	echo
}

restore()
{
	rm -f "$out/restore"
	[ -e "$O/tests/bench/again.elf" ] && [ -w /dev/kvm ] || return 0
	sh tests/bench/restore.sh -r "$rounds" >"$out/restore"
}

restore_table()
{
	echo "From exec() of a restore to the guest's next instruction, memory empty"
	echo
	[ -e "$out/restore" ] || {
		echo "# not measured: /dev/kvm cannot be used"
		return 0
	}
	awk -F'\t' "$median"'
		{ keep($1, $2) }
		function cell(key) {
			return n[key] ? sprintf("%8.2f", median(key) / 1000) : "-"
		}
		END {
			printf "%-14s %12s %12s %6s\n", "ms", "256 MiB",
				"16 GiB", "ratio"
			split("lkvm,qemu microvm", names, ",")
			for (i = 1; i <= 2; i++)
				printf "%-14s %12s %12s %6s\n", names[i],
					cell(names[i] " 256"),
					cell(names[i] " 16384"),
					ratio(names[i] " 16384", names[i] " 256")
		}' "$out/restore"
	echo
}

migrate()
{
	sh tests/bench/migrate.sh -r "$rounds" >"$out/migrate"
}

migrate_table()
{
	echo "A machine to another process over loopback TCP"
	echo
	awk -F'\t' "$median"'
		{
			key = $1 " " $2
			keep(key, $4 / 1000000)
			keep(key " mib/s", $3 / ($4 / 1000000))
			keep(key " cpu", $5 / 1000000 / ($3 / 1024))
			keep(key " cpu all", $5 / 1000000)
			if ($6 != "-")
				keep(key " still", $6 / 1000)
			mib[key] = $3
		}
		function memory(key, text, other) {
			printf "%-34s %6d %8.2f %8.0f %6s %8.2f %8s\n", text,
				mib[key], median(key), median(key " mib/s"),
				ratio(key " mib/s", other " mib/s"),
				median(key " cpu"), number(key " still", "%.1f")
		}
		function guest(what, text,   l, q) {
			l = what " lkvm"
			q = what " qemu"
			if (n[l])
				printf "%-34s %6d %8s %8s %8s %8s %8s %8s\n",
					text, mib[l], number(l, "%.2f"),
					number(q, "%.2f"),
					number(l " cpu all", "%.2f"),
					number(q " cpu all", "%.2f"),
					number(l " still", "%.1f"),
					number(q " still", "%.1f")
		}
		END {
			printf "%-34s %6s %8s %8s %6s %8s %8s\n", "random bytes",
				"MiB", "s", "MiB/s", "ratio", "CPU s/GiB",
				"still ms"
			memory("memory:1 lkvm", "lkvm, 1 connection",
				"memory:1 copy")
			memory("memory:1 copy", "bare copy, 1 connection",
				"memory:1 copy")
			memory("memory:4 lkvm", "lkvm, 4 connections",
				"memory:4 copy")
			memory("memory:4 copy", "bare copy, 4 connections",
				"memory:4 copy")
			if (!n["idle lkvm"])
				exit
			print ""
			printf "%-34s %6s %8s %8s %8s %8s %8s %8s\n",
				"guests, lkvm and QEMU", "MiB", "s", "QEMU",
				"CPU s", "QEMU", "still ms", "QEMU"
			guest("idle", "idle")
			guest("random", "idle, random initial RAM disk")
			guest("dirty", "writes 128 MiB/s, sent at 256 MiB/s")
		}' "$out/migrate"
	echo
}

for part; do
	case $part in
	device | guest | start | save | restore | migrate) "$part" ;;
	*) die "no such part: $part" ;;
	esac
done
echo
echo "lkvm $("$O/lkvm" version 2>/dev/null | awk '{ print $NF; exit }')," \
	"$(uname -sr), $(nproc) x$(sed -n 's/^model name.*: / /p' /proc/cpuinfo |
		head -n 1), load $(cut -d' ' -f1 /proc/loadavg)"
echo
for part; do
	"${part}_table"
done
