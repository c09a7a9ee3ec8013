#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test-restore.sh - a stock kernel under I/O is saved, and goes on from the file

. tests/lib/tap.sh
. tests/system/machine.sh

# machine_restore OPTION...: the machine goes on; as machine_start.
machine_restore()
{
	timeout "$machine_limit" ./lkvm restore "$@" \
		<"$machine.in" >>"$machine.log" 2>>"$machine.err" &
	machine_pid=$!
	exec 8>"$machine.in"
}

run_guest()
{
	new_disk disk.img
	rm -f second.img
	truncate -s 64M second.img
	machine_start "restore$1" -c "$1" \
		--nvme disk.img,serial=tests,ns=second.img \
		-p "$(machine_exec "CPUS=$1 SERIAL=tests sh /tests/all \
			restore.sh dmesg.sh")"
	check "$1 cpu: fio is under way" machine_says '^saveme'
	check "$1 cpu: it is saved" \
		./lkvm snapshot -n "restore$1" --stop vm.snap
	machine_ends "$1 cpu: lkvm run ends with" 0
	# Time that the guest's clock has to make up for.
	sleep 6
	machine_restore vm.snap
	# The guest reads when it has gone on.
	date +%s >&8
	machine_wait
	rm -f vm.snap
	guest_tests "$1 cpu"
	same "$1 cpu: lkvm restore ends with" "$machine_code" 0
}

for cpus in $GUEST_CPUS; do
	run_guest "$cpus"
done
tap_done
