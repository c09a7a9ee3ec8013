#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test-end.sh - the ways in which a machine ends

. tests/lib/tap.sh
. tests/system/machine.sh

new_disk disk.img

# ---- lkvm stop: the guest is asked, and shuts down in order -----------------

machine_start stopped -c 2 --nvme disk.img \
	-p "$(machine_exec 'echo kept >/root/file; echo ready; sleep 1000')"
check "stop: the guest is up" machine_says '^ready'
check "stop: list knows it" sh -c './lkvm list | grep -q stopped'
check "stop: lkvm stop" ./lkvm stop -n stopped
machine_ends "stop: lkvm run ends with" 0
same "stop: the command in the guest did not end by itself" "$(guest_code)" ""
check "stop: list does not know it any more" \
	sh -c '! ./lkvm list | grep -q stopped'

machine_start again -c 1 --nvme disk.img \
	-p "$(machine_exec 'cat /root/file; dmesg | grep -i "recover"')"
machine_ends "stop: the disk boots again" 0
same "stop: what was written is there, and no journal was recovered" \
	"$(guest_output)" kept

# ---- an exit code, a reboot -------------------------------------------------

machine_start code -c 1 --nvme disk.img -p "$(machine_exec 'exit 42')"
machine_ends "exec: lkvm run ends with" 0
same "exec: the exit code of the command" "$(guest_code)" 42

machine_start reboot -c 1 --nvme disk.img \
	-p "$(machine_exec 'sync; reboot -f')"
machine_ends "reboot: lkvm run ends with" 0

# ---- the console ------------------------------------------------------------

machine_start console -c 1 --nvme disk.img -p "$machine_params"
check "console: a prompt" machine_says '~ # '
# More than any FIFO holds, as a paste would be: nothing may be lost.
{
	echo 'stty -echo; cat >/root/paste <<END'
	seq 1 2000
	echo END
	echo 'sha256sum </root/paste; echo pasted; exit'
} >&8
check "console: the paste arrives" machine_says '^pasted'
machine_ends "console: lkvm run ends with" 0
check "console: nothing of it was lost" \
	grep -q "$(seq 1 2000 | sha256sum)" console.log

tap_done
