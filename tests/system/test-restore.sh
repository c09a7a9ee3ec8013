#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test-restore.sh - a stock kernel under I/O is saved, and goes on from the file
#
# With one processor the machine ends with the snapshot and goes on with its
# disks; with more it runs on, is killed, and goes on with the copies of its
# disks that were made with the snapshot.

. tests/lib/tap.sh
. tests/system/machine.sh

save_and_end()
{
	check "$1 cpu: it is saved" \
		./lkvm snapshot -n "restore$1" --stop vm.snap
	machine_ends "$1 cpu: lkvm run ends with" 0
}

save_and_kill()
{
	check "$1 cpu: it is saved with its disks" \
		./lkvm snapshot -n "restore$1" --with-disks vm.snap
	sleep 2
	kill -9 "$(./lkvm list |
		sed -n "s/^ *\([0-9]*\) restore$1 .*/\1/p")"
	machine_wait
	same "$1 cpu: lkvm run was killed" "$machine_code" 137
	[ "$machine_code" = 137 ] || machine_trouble "ended with $machine_code"
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
	if [ "$1" = 1 ]; then
		save_and_end "$1"
	else
		save_and_kill "$1"
	fi
	# Time that the guest's clock has to make up for.
	sleep 6
	machine_restore vm.snap
	# The guest reads when it has gone on.
	date +%s >&8
	machine_wait
	rm -f vm.snap*
	guest_tests "$1 cpu"
	same "$1 cpu: lkvm restore ends with" "$machine_code" 0
}

for cpus in $GUEST_CPUS; do
	run_guest "$cpus"
done
tap_done
