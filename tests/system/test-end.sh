#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test-end.sh - the ways in which a machine ends

. tests/lib/tap.sh
. tests/system/machine.sh

new_disk disk.img

# What arm64's cloud kernel has no driver for: a panic is told by nothing but the
# reset behind it, and the power button is a GPIO line that init has a program
# listen to.
case $(uname -m) in
aarch64)
	panic_code=0
	button='until ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q gpio-
		do sleep 1; done'
	;;
*)
	panic_code=3
	button=:
	;;
esac

# ---- lkvm stop: the guest is asked, and shuts down in order -----------------

machine_start stopped -c 2 --nvme disk.img \
	-p "$(machine_exec "echo kept >/root/file; $button; echo ready
		sleep 1000")"
check "stop: the guest is up" machine_says '^ready'
check "stop: list knows it" sh -c './lkvm list | grep -q stopped'
refuse "locked image: refused, and the holder is named" \
	"disk.img: in use by machine \"stopped\"" \
	./lkvm run --name second -k vmlinuz -m 256 --nvme disk.img
check "stop: lkvm stop" ./lkvm stop -n stopped
machine_ends "stop: lkvm run ends with" 0
same "stop: the command in the guest did not end by itself" "$(guest_code)" ""
check "stop: list does not know it any more" \
	sh -c '! ./lkvm list | grep -q stopped'

# ---- the disk again, a write-protected one, a panic -------------------------

new_disk ro.img
before=$(sha256sum <ro.img)
machine_start again -c 1 --nvme disk.img --nvme ro.img,ro \
	-p "$(machine_exec 'printf "file: "; cat /root/file
		dmesg | grep -i recover
		sh /tests/read-only.sh /dev/nvme1n1
		sh /tests/panic.sh')"
machine_ends "panic: lkvm run ends with" $panic_code
guest_output | sed '/^panic/,$d' >again.text
same "stop: what was written is there, and no journal was recovered" \
	"$(sed -n '/^ro:/q; p' again.text)" "file: kept"
same "ro: the kernel knows, reads, and no write passes" \
	"$(sed -n 's/^ro: //p' again.text | tr '\n' ' ')" \
	"sysfs:1 reads kernel-refuses controller-refuses "
same "ro: the image is untouched" "$(sha256sum <ro.img)" "$before"

# ---- an exit code, a reboot -------------------------------------------------

machine_start restart -c 1 --nvme disk.img --reboot restart \
	-p "$(machine_exec '[ -e /root/booted ] && exit 42
		touch /root/booted; sync; reboot -f')"
machine_ends "restart: lkvm run ends with the second boot's power-off" 0
same "restart: two boots" "$(grep -c "$machine_mark begin" restart.log)" 2
same "exec: the exit code of the command" "$(guest_code)" 42

machine_start reboot -c 1 --nvme disk.img \
	-p "$(machine_exec 'sync; reboot -f')"
machine_ends "reboot: lkvm run ends with" 0

# ---- lkvm stop --force: whatever the guest does -----------------------------

machine_start forced -c 1 --nvme disk.img -p "$machine_params"
check "force: it runs" timeout 60 sh -c \
	'until ./lkvm list | grep -q "forced.*running"; do sleep 0.5; done'
check "force: lkvm stop --force" ./lkvm stop --force -n forced
machine_ends "force: lkvm run ends with" 5

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
