#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# hugetlbfs_test.sh - guest memory from a hugetlbfs
#
# Mounts one in a mount namespace of its own and has some pages reserved for as
# long as it runs, which takes root.

# shellcheck disable=SC2154 # $work is common.sh's
if [ "${1:-}" != in-namespace ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "1..0 # SKIP only root can mount a hugetlbfs"
		exit 0
	fi
	exec unshare -m sh "$0" in-namespace
fi
shift

. "$(dirname "$0")/common.sh"
kvm_or_skip

# 64 MiB, whatever else there is.
nr=/proc/sys/vm/nr_hugepages
before=$(cat "$nr")
trap '"$LKVM" stop --all --force >/dev/null 2>&1; umount huge 2>/dev/null
	cleanup; echo "$before" >"$nr"' EXIT
echo $((before + 32)) >"$nr"

# free: pages that nobody has nor has reserved.
free()
{
	awk '/^HugePages_Free/ { n += $2 } /^HugePages_Rsvd/ { n -= $2 }
	     END { print n }' /proc/meminfo
}

mkdir huge
if [ "$(free)" -lt 32 ] ||
   ! mount -t hugetlbfs -o pagesize=2M none huge 2>/dev/null; then
	echo "1..0 # SKIP no 64 MiB of huge pages to be had"
	exit 0
fi
all=$(free)

run()
{
	"$LKVM" run --name huge -k "$GUEST" -c 1 --nodefaults -p test=idle \
		"$@" </dev/null >out 2>err &
}

up()
{
	for _ in $(seq 300); do
		grep -q 'guest: idle' out && return
		sleep 0.1
	done
	cat out err
	return 1
}

run -m 32 --hugetlbfs "$work/huge"
check "a machine starts" up
same "all its pages are reserved" "$(free)" $((all - 16))
same "no file is seen" "$(ls huge)" ""
"$LKVM" stop --force -n huge
wait
same "its pages are free again" "$(free)" "$all"

# ---- restored -----------------------------------------------------------------------

# answers: waits until the machine can be asked.
answers()
{
	for _ in $(seq 300); do
		"$LKVM" stat -n huge >/dev/null 2>&1 && return
		sleep 0.1
	done
	cat out err
	return 1
}

# restores NAME PAGES OPTION...: from vm.snap, and that many pages are taken.
restores()
{
	restores_name=$1
	restores_pages=$2
	shift 2
	"$LKVM" restore "$@" vm.snap </dev/null >out 2>err &
	check "$restores_name" answers
	same "$restores_name: its pages" "$(free)" $((all - restores_pages))
}

run -m 32 --hugetlbfs "$work/huge"
check "a machine to be saved" up
check "it is saved" "$LKVM" snapshot -n huge --stop vm.snap
wait
restores "restored into the hugetlbfs" 16
check "saved once more" "$LKVM" snapshot -n huge --stop vm.snap
wait
restores "restored into ordinary memory" 0 --hugetlbfs none
check "and saved from there" "$LKVM" snapshot -n huge --stop vm.snap
wait
restores "restored into a hugetlbfs from ordinary memory" 16 \
	--hugetlbfs "$work/huge"
"$LKVM" stop --force -n huge
wait
same "all pages are free again" "$(free)" "$all"

many=$((all * 2 + 2))
bad "more than there is" 1 \
	"huge has less than $((many / 2)) free pages of 2048 KiB; .*nr_hugepages" \
	run -k "$GUEST" -c 1 -m "$many" --hugetlbfs "$work/huge"
bad "no multiple of a page" 1 \
	"huge: 33792 KiB of memory are no multiple of its pages of 2048 KiB" \
	run -k "$GUEST" -c 1 -m 33 --hugetlbfs "$work/huge"

# ---- asked whether it could come to where there are too few ----------------------------

# could_come: to a receiver that takes its pages from there.
could_come()
{
	timeout 60 "$LKVM" migrate -n huge --dry-run --to "exec:'$LKVM' receive \
		--listen - --name there --hugetlbfs '$work/huge' 2>there.err"
}

run -m 32
check "a machine that might move" up
check "it could come" could_come
same "and has taken no pages" "$(free)" "$all"
"$LKVM" stop --force -n huge
wait
run -m "$many"
check "a larger machine that might move" up
refuse "it could not come" \
	"^memory: .*huge has less than $((many / 2)) free pages of 2048 KiB" \
	could_come
check "for no other reason" grep -q "there could come here; reasons against it: 1" there.err
"$LKVM" stop --force -n huge
wait

same "nothing is left" "$(free) $(ls huge)" "$all "

tap_done
