# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154
#
# machine.sh - the guest has the machine that was asked for

dmesg >/run/dmesg.boot
same "all processors are online" "$(nproc)" "$CPUS"
same "the root is on the first namespace" \
	"$(awk '$2 == "/" { print $1 }' /proc/mounts | tail -n 1 |
	sed 's,/dev/root,/dev/nvme0n1,')" /dev/nvme0n1
same "one interrupt for each I/O queue" \
	"$(grep -c 'nvme0q[1-9]' /proc/interrupts)" "$CPUS"
check "the controller's interrupts are messages" \
	grep -q 'MSI.*nvme0q1' /proc/interrupts
check "there is a source of entropy on the bus" \
	grep -q 0x1044 /sys/bus/pci/devices/*/device
clock=$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)
case $(uname -m) in
aarch64)
	same "the clock is the CPU's own" "$clock" arch_sys_counter
	check "stolen time is told" grep -q 'arm-pv: using stolen time' \
		/run/dmesg.boot
	its=$(grep -rl -F arm,gic-v3-its /sys/firmware/devicetree/base |
		grep -c '/compatible$')
	[ "$its" = 0 ] || check "they go through the ITS" \
		grep -q 'ITS-MSI.*nvme0q1' /proc/interrupts
	# The cloud kernel has no driver for the button, but for what has it.
	check "there is a line for the power button" \
		test -e /sys/bus/amba/drivers/pl061_gpio/9020000.gpio
	check "there is a clock with a battery" \
		test -e /sys/bus/amba/drivers/rtc-pl031/9010000.rtc
	;;
*)
	same "the clock is kvm-clock" "$clock" kvm-clock
	check "there is a power button" grep -q 'Power Button' \
		/proc/bus/input/devices
	;;
esac
