# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# core.sh - what the kernel says of itself, for comparison with a snapshot

sed -n 's/^\([0-9a-f]*\) . \(_stext\|_etext\)$/\2 \1/p' /proc/kallsyms
# The note that the kernel shows here is followed by zeros.
echo "vmcoreinfo begin"
head -c 65536 /proc/kcore | tr '\000' '\n' | sed -n '/^OSRELEASE=/,/^$/p'
echo "vmcoreinfo end"
