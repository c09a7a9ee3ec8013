#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# arm64-options.sh - what machines can be told on arm64 only reaches the guest
#
# One boot with counters and a device tree in a file, saved and restored; and
# what is refused, in one line each.
#
# outer machine: OUTER_CPUS=2

. tests/lib/tap.sh
. tests/system/machine.sh

# one_line NAME WORDS OPTION...: lkvm run says just that, and fails.
one_line()
{
	one_name=$1
	one_words=$2
	shift 2
	timeout 60 ./lkvm run --name refused -k vmlinuz -m 256 "$@" \
		</dev/null >refused.out 2>refused.err
	same "$one_name: is refused" "$?" 1
	same "$one_name: in one line" "$(grep -c '^lkvm: ' refused.err)" 1
	check "$one_name: that says why" grep -q -e "$one_words" refused.err
}

# The machine goes on from the file, as machine_start.
restore_machine()
{
	timeout "$machine_limit" ./lkvm restore --vcpu-affinity 0-1 vm.snap \
		<options.in >>options.log 2>>options.err &
	# For machine_wait.
	# shellcheck disable=SC2034
	machine_pid=$!
	exec 8>options.in
}

# in_guest NAME: what the guest printed behind that word.
in_guest()
{
	guest_output | sed -n "s/^$1: //p"
}

one_line "device tree in no folder" \
	'--dump-dtb /no/tree: No such file or directory' --dump-dtb /no/tree
one_line "a CPU that there is not" \
	'--vcpu-affinity 0,77: has a CPU' --vcpu-affinity 0,77
one_line "no list of CPUs" '--vcpu-affinity 1-: not a list' --vcpu-affinity 1-
one_line "vectors of 200 bits" '--sve-max-vl 200: give a multiple of 128' \
	--sve-max-vl 200
one_line "stolen time and none" '--no-pvtime: goes against' \
	--pvtime on --no-pvtime
if grep -q '^Features.* sve' /proc/cpuinfo; then
	vectors="--sve-max-vl 256"
	vectors_bytes=32
else
	vectors=
	vectors_bytes=none
	one_line "vectors that the host has not" \
		'--sve on: .* no scalable vectors' --sve-max-vl 256
fi

new_disk disk.img
# The guest expands what is in quotes.
# shellcheck disable=SC2016,SC2086
machine_start options -c 1 --nvme disk.img --pmu --vcpu-affinity 0 \
	--kaslr-seed 0x1122334455667788 --dump-dtb tree.dtb $vectors \
	-p "$(machine_exec '
		dmesg >/run/dmesg
		echo "pmu: $(grep -c "armv8_pmuv3 PMU driver" /run/dmesg)"
		echo "stolen: $(grep -c "using stolen time" /run/dmesg)"
		v=$(sed -n "s/.*SVE: maximum available vector length \([0-9]*\).*/\1/p" /run/dmesg)
		echo "vectors: ${v:-none}"
		gzip -c /sys/firmware/fdt | base64 | sed "s/^/tree: /"
		echo saveme
		read -r line </dev/ttyS0
		echo "went: $line"')"
machine_says '^saveme'
same "the vCPU's thread runs on one CPU" "$(grep -l '^vcpu0$' \
	/proc/"$(./lkvm list | sed -n 's/^ *\([0-9]*\) options .*/\1/p')"/task/*/comm |
	sed 's/comm$/status/' |
	xargs sed -n 's/^Cpus_allowed_list:[[:space:]]*//p')" 0
check "it is saved" ./lkvm snapshot -n options --stop vm.snap
machine_ends "lkvm run ends with" 0
restore_machine
echo on >&8
machine_ends "lkvm restore ends with" 0

same "the guest went on" "$(in_guest went)" on
same "it has counters" "$(in_guest pmu)" 1
same "it is told of stolen time" "$(in_guest stolen)" 1
same "its longest vector has as many bytes" "$(in_guest vectors)" \
	"$vectors_bytes"
# The kernel has cut out what was for its eyes only: two seeds.
in_guest tree | base64 -d | gzip -dc >guest.dtb
same "the tree in the file is as long as the guest's" \
	"$(wc -c <tree.dtb)" "$(wc -c <guest.dtb)"
check "and the same but for the seeds" \
	[ "$(cmp -l tree.dtb guest.dtb | wc -l)" -le 84 ]
check "with the seed that was given" grep -q "$(printf '\021\042\063\104')" tree.dtb
tap_done
