#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# arm64-irqchip.sh - interrupt controllers without a translation service
#
# A stock kernel boots from NVMe, is saved, and goes on from the file, with the
# messages of its disk coming by a GICv2m frame; and with no messages at all.
# On a host with a GICv2 that is what it has; on one with a GICv3 the frame is
# beside a GICv3. The host with a GICv2 has addresses of 40 bits.
#
# outer machine: OUTER_GIC=2 OUTER_CPU=cortex-a53
# outer machine: OUTER_GIC=3

. tests/lib/tap.sh
. tests/system/machine.sh

# shellcheck disable=SC2016 # it is the guest that expands it
# In the guest: I/O on all processors, and what it did to /proc/interrupts.
work='io() {
	for i in 1 2 3 4; do
		head -c 100000 /dev/urandom | gzip -1 >/root/file$i
		sync
		echo 3 >/proc/sys/vm/drop_caches
		gunzip </root/file$i >/dev/null || echo damaged
	done
	sed -n "s/ nvme0q/ $1 nvme0q/p" /proc/interrupts
}
io before
echo saveme
read -r line </dev/ttyS0
io after
dmesg | sed -n "s/.*GICv2m: /frame /p"
echo "done"
sleep 1'

# counts WHEN: the interrupts of the I/O queues, all together.
counts()
{
	guest_output | awk -v when=" $1 " 'index($0, when) && /nvme0q[1-9]/ {
		for (i = 2; $i ~ /^[0-9]+$/; i++)
			sum += $i
	}
	END { print sum + 0 }'
}

# run_guest KIND PATTERN CPUS: --irqchip KIND; each of the disk's interrupts
# looks like the pattern.
run_guest()
{
	new_disk disk.img
	machine_start "irq$3" -c "$3" --irqchip "$1" --nvme disk.img \
		-p "$(machine_exec "$work")"
	check "$1: the guest is up" machine_says '^saveme'
	check "$1: it is saved" ./lkvm snapshot -n "irq$3" --stop vm.snap
	machine_ends "$1: lkvm run ends with" 0
	check "$1: the file says which it is" sh -c \
		"./lkvm snapshot show --dts vm.snap | grep 'irqchip = \"$chip\"'"
	machine_restore vm.snap
	echo go >&8
	machine_ends "$1: lkvm restore ends with" 0
	same "$1: it came to its end" "$(guest_output | grep -c '^done$')" 1
	check "$1: the disk is whole" sh -c "! grep -q damaged $machine.log"
	check "$1: interrupts of the disk are $2" sh -c \
		"grep 'before nvme0q' $machine.log | grep -v '$2'; \
		[ \$? = 1 ] && grep -q '$2.*before .*nvme0q1' $machine.log"
	check "$1: they come before and after" \
		[ "$(counts before)" -gt 10 -a \
		"$(counts after)" -gt $(($(counts before) + 10)) ]
	guest_output | sed 's/^/# /' >"$machine.tap"
	cat "$machine.tap"
	rm -f vm.snap
}

# refuse_machine NAME PATTERN OPTION...: in one line, after any warning.
refuse_machine()
{
	name=$1
	pattern=$2
	shift 2
	refuse "$name" "$pattern" timeout 60 ./lkvm run -k vmlinuz -m 64 "$@"
	same "$name: in one line" "$(grep '^lkvm: ' "$tap_output" |
		grep -vc '^lkvm: warning: ')" 1
}

if grep -q GICv3 /proc/interrupts; then
	chip=gicv3
	run_guest gicv3 ' MSI .*Edge' 2
	refuse_machine "no GICv2 on this host" 'gicv2m: .* no GICv2 for guests' \
		--irqchip gicv2m
else
	chip=gicv2m
	run_guest auto ' MSI .*Edge' 2
	chip=gicv2
	run_guest gicv2 ' GIC-0 .*Level' 1
	refuse_machine "no GICv3 on this host" 'gicv3: .* no GICv3 for guests' \
		--irqchip gicv3
	refuse_machine "no ITS on this host" \
		'gicv3-its: .* no GICv3 for guests' --irqchip gicv3-its
	refuse_machine "9 vCPUs" '9 vCPUs: .* at most 8' -c 9
	refuse_machine "more memory than guest addresses" \
		'MiB of memory: .* bits of guest addresses' -m 2T
fi
refuse_machine "no such interrupt controller" 'gicv4.*gicv3-its' \
	--irqchip gicv4
tap_done
