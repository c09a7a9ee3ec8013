#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test-guest.sh - a stock kernel on the built-in NVMe disk, and all the tests in
# it, with each of the numbers of processors in GUEST_CPUS
#
# What nvme-cli finds is the same on all architectures, and takes long under
# emulation: arm64 guests are asked with LKVM_LONG=1 only.

. tests/lib/tap.sh
. tests/system/machine.sh

case $(uname -m)${LKVM_LONG:-} in
aarch64) nvme_cli= ;;
*) nvme_cli=nvme-cli.sh ;;
esac

run_guest()
{
	new_disk disk.img
	rm -f second.img
	truncate -s 64M second.img
	machine_start "guest$1" -c "$1" \
		--nvme disk.img,serial=tests,ns=second.img \
		-p "$(machine_exec "CPUS=$1 SERIAL=tests sh /tests/all machine.sh \
			fio.sh $nvme_cli smartctl.sh filesystem.sh dmesg.sh")"
	machine_wait
	guest_tests "$1 cpu"
	same "$1 cpu: lkvm ends with" "$machine_code" 0
	command -v passt >/dev/null ||
		check "$1 cpu: it is said that there is no network, and why" \
			grep -q 'no network: passt is not installed' \
			"guest$1.err"
}

for cpus in $GUEST_CPUS; do
	run_guest "$cpus"
done
tap_done
