#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh [-r ROUNDS] [PART...] - the benchmarks, and one table of what they say
#
#   device   4 KiB random reads through one queue of the NVMe controller, without
#            a guest, beside io_uring alone on the same file
#   guest    fio in a Linux guest on an NVMe disk, beside QEMU and kvmtool
#   blk      the same on a virtio disk
#   net      TCP into and out of a Linux guest, beside QEMU
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
# LKVM_GUEST_KERNEL names a kernel for the guests, see in-guest.sh. What was measured
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
[ $# -gt 0 ] || set -- device guest blk net start save restore migrate

O=${O:-build}
export O
out=$O/bench
mkdir -p "$out"
case $* in
*guest* | *blk* | *net* | *save* | *migrate*) sh tests/lib/packages.sh bench ;;
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

# Functions for awk, over those: what guest.sh and net.sh print.
# shellcheck disable=SC2016
in_guest=$median'
	/^#/ { next }
	{
		keep($1 " " $2, $3)
		keep($1 " cpu " $2, $4)
		if ($5 != "-")
			keep($1 " exits " $2, $5)
	}
	function own(key, job) {
		return sprintf("%8s %5s %6s", number(key " " job, "%.0f"),
			number(key " exits " job, "%.2f"),
			number(key " cpu " job, "%.1f"))
	}
	function other(mine, key, job) {
		if (!n[key " " job])
			return sprintf("%21s", "-")
		return sprintf("%8.0f %5s %6.1f", median(key " " job),
			ratio(mine " " job, key " " job),
			median(key " cpu " job))
	}'

# said_by FILE: why something was not measured, and with which kernel.
said_by()
{
	[ -z "${LKVM_GUEST_KERNEL:-}" ] ||
		echo "(its kernel is ${LKVM_GUEST_KERNEL##*/}, named by LKVM_GUEST_KERNEL)"
	echo
	grep '^#' "$1" || :
}

# disk_table FILE MONITORS JOBS: the first of the monitors beside the others.
disk_table()
{
	awk -F'\t' -v monitors="$2" -v jobs="$3" "$in_guest"'
		END {
			if (!NR)
				exit
			monitors_nr = split(monitors, m, " ")
			printf "%-19s", ""
			for (i = 1; i <= monitors_nr; i++)
				printf " %21s", m[i]
			printf "\n%-19s %8s %12s", "disk job:depth", "req/s",
				"exits  us"
			for (i = 2; i <= monitors_nr; i++)
				printf " %8s %5s %6s", "req/s", "ratio", "us"
			printf "\n"
			split("null file", disks, " ")
			jobs_nr = split(jobs, job, " ")
			for (d = 1; d <= 2; d++)
				for (j = 1; j <= jobs_nr; j++) {
					key = m[1] "/" disks[d]
					printf "%-19s %s", disks[d] " " job[j],
						own(key, job[j])
					for (i = 2; i <= monitors_nr; i++)
						printf " %s", other(key,
							m[i] "/" disks[d], job[j])
					printf "\n"
				}
			print ""
			print "ratio: lkvm to this one; us: CPU time of the whole process" \
				" a request, the guest included;"
			print "exits: to lkvm, a request"
		}' "$1"
	echo
}

depths='randread:1 randread:32 randread:128 randwrite:1 randwrite:32 randwrite:128'

guest_table()
{
	echo "fio in a guest, NVMe: 4 KiB, random, direct, io_uring, one CPU"
	said_by "$out/guest"
	disk_table "$out/guest" "lkvm qemu-nvme qemu-virtio kvmtool" "$depths"
}

blk()
{
	sh tests/bench/guest.sh -d blk -r "$rounds" >"$out/blk"
}

blk_table()
{
	echo "fio in a guest, virtio-blk: 4 KiB and 128 KiB, direct, io_uring, one CPU"
	said_by "$out/blk"
	disk_table "$out/blk" "lkvm-virtio qemu-virtio kvmtool" \
		"$depths read-128k:8 write-128k:8"
}

net()
{
	sh tests/bench/net.sh -r "$rounds" >"$out/net"
}

net_table()
{
	echo "TCP of a guest, virtio-net: one CPU"
	said_by "$out/net"
	awk -F'\t' "$in_guest"'
		function line(kind, job, text, unit,   key, i) {
			key = "lkvm/" kind
			if (!n[key " " job])
				return
			printf "%-5s %-18s %6s %s", kind, text, unit,
				own(key, job)
			for (i = 1; i <= 2; i++)
				printf " %s", other(key, others[i] "/" kind, job)
			printf "\n"
		}
		END {
			if (!NR)
				exit
			printf "%-31s %21s %21s %21s\n", "", "lkvm", "qemu",
				"qemu vhost"
			printf "%-31s %8s %12s", "", "a second", "exits  us"
			for (i = 0; i < 2; i++)
				printf " %8s %5s %6s", "a second", "ratio", "us"
			printf "\n"
			split("qemu qemu-vhost", others, " ")
			split("tap user", kinds, " ")
			for (k = 1; k <= 2; k++) {
				line(kinds[k], "send:1", "guest to host", "KiB")
				line(kinds[k], "send:8", "8 connections", "KiB")
				line(kinds[k], "recv:1", "host to guest", "KiB")
				line(kinds[k], "recv:8", "8 connections", "KiB")
				line(kinds[k], "rr:1", "question, answer", "")
				line(kinds[k], "rr:16", "16 connections", "")
			}
			print ""
			print "tap: an interface of the host; user: passt, MTU 65520;" \
				" exits to lkvm, and CPU time"
			print "of the whole process: a KiB, or a question"
		}' "$out/net"
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
		"$bench" -r 10 "lkvm, defaults" "$O/lkvm" run -c 1 -m 256 \
			-k "$guest" --nvme null:1G >>"$out/start"
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
	echo "From exec() to the guest's first instruction; defaults: network card," \
		"random numbers"
	echo
	[ -e "$out/start" ] || {
		echo "# not measured: /dev/kvm cannot be used"
		return 0
	}
	awk -F'\t' "$median"'
		{ keep($1 "/us", $2); keep($1 "/kib", $3); names[$1] = 1 }
		END {
			printf "%-15s %8s %6s %28s\n", "", "ms", "ratio",
				"MiB resident beyond the RAM"
			for (name in names)
				printf "%-15s %8.2f %6s %28.2f\n", name,
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
	device | guest | blk | net | start | save | restore | migrate) "$part" ;;
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
