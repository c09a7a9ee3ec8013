# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154
#
# dmesg.sh - the kernel had nothing to complain about

# complaints: the lines of standard input that tell of something wrong; what the
# kernel was told is not among them.
complaints()
{
	grep -v 'ommand line: ' | grep -E -e 'nvme.*(timeout|timed out|abort|not ready|removing|failed)' \
		-e 'nvme.*(I/O Error|I/O error|IO error|bogus|invalid|quirk)' \
		-e 'I/O error|EXT4-fs (error|warning)|nobody cared' \
		-e 'virtio.*(not a head|out of range|failed|[Bb]ad|error|timed out)' \
		-e 'NETDEV WATCHDOG|Out of memory|page allocation failure' \
		-e 'BUG:|WARNING: (CPU|possible|suspicious)|Call Trace|Oops|soft lockup|rcu.*detected.* stall' \
		-e 'ACPI (Error|BIOS Error|Warning)|Firmware Bug'
}

# The filter itself: it sees each of these.
same "complaints are found" "$(complaints <<'END' | wc -l
[    3.1] nvme nvme0: I/O 5 QID 1 timeout, aborting
[    3.1] blk_update_request: I/O error, dev nvme0n1, sector 0
[    3.1] irq 24: nobody cared (try booting with the "irqpoll" option)
[    3.1] nvme nvme0: Ignoring bogus Namespace Identifiers
[    3.1] EXT4-fs error (device nvme0n1): ext4_lookup: deleted inode
[    3.1] WARNING: CPU: 0 PID: 1 at kernel/irq/chip.c:210 irq_startup+0x1
[    3.1] rcu: INFO: rcu_sched self-detected stall on CPU
[    3.1] rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { }
[    3.1] Kernel command line: root=/dev/nvme0n1 rcupdate.rcu_cpu_stall_timeout=150
[    3.1] virtio_net virtio0: output.0:id 7 is not a head!
[    3.1] NETDEV WATCHDOG: eth0 (virtio_net): transmit queue 0 timed out
[    3.1] nvme nvme0: 1/0/0 default/read/poll queues
[    3.1] Speculative Return Stack Overflow: WARNING: See https://kernel.org
END
)" 10
dmesg >/run/dmesg
check "dmesg has the whole boot" grep -q 'Linux version' /run/dmesg
same "dmesg has no complaints" "$(complaints </run/dmesg)" ""
