# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154
#
# machine.sh - the guest has the machine that was asked for

same "all processors are online" "$(nproc)" "$CPUS"
same "the root is on the first namespace" \
	"$(awk '$2 == "/" { print $1 }' /proc/mounts | tail -n 1 |
	sed 's,/dev/root,/dev/nvme0n1,')" /dev/nvme0n1
same "one interrupt for each I/O queue" \
	"$(grep -c 'nvme0q[1-9]' /proc/interrupts)" "$CPUS"
check "the controller's interrupts are messages" \
	grep -q 'MSI.*nvme0q1' /proc/interrupts
same "the clock is kvm-clock" "$(cat \
	/sys/devices/system/clocksource/clocksource0/current_clocksource)" \
	kvm-clock
check "there is a power button" grep -q 'Power Button' \
	/proc/bus/input/devices
