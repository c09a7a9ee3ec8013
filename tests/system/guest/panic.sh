# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# panic.sh - makes the kernel panic; it tells so to the machine's pvpanic device

# Without udev nobody loads its driver.
insmod /lib/modules/pvpanic.ko
insmod /lib/modules/pvpanic-mmio.ko
sync
echo panic
echo c >/proc/sysrq-trigger
