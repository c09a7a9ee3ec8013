#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# level.sh - prints whether this machine can run a stock kernel under KVM
#
#   direct: REASON   /dev/kvm is there, and the processor virtualizes
#   nested: REASON   anything else: an emulated outer machine is needed
#
# A /dev/kvm alone is not enough: on a processor without svm and vmx it may be
# one that emulates each instruction of a guest's kernel.

if [ "${DEB_ARCH:-$(dpkg --print-architecture)}" != \
	"$(dpkg --print-architecture)" ]; then
	echo "nested: the guests are for $DEB_ARCH, QEMU emulates such a machine"
elif ! grep -q -w -E 'svm|vmx' /proc/cpuinfo; then
	echo "nested: the processor offers no hardware virtualization" \
		"(no svm or vmx in /proc/cpuinfo), QEMU emulates one that does"
elif [ ! -e /dev/kvm ]; then
	echo "nested: there is no /dev/kvm, QEMU emulates a machine that has one"
elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	echo "nested: $(id -un) may not open /dev/kvm (group kvm may)," \
		"QEMU emulates a machine that has one"
else
	echo "direct: the processor offers hardware virtualization"
fi
