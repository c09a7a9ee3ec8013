#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# make.sh - a golden image of the format's version as it is now
#
# Saves a tiny machine (6 MiB, two CPUs, all default devices, an NVMe controller
# that stores nothing) whose guest is tests/bench/ARCH/again.S: it writes a byte
# to its serial port whenever it finds that time has passed, so that a machine
# that goes on from the image shows it. The image becomes
# tests/golden/image-ARCH-VERSION.gz, which never changes again: one that is
# there is not replaced. Needs /dev/kvm.
#
# When IMAGE_VERSION (migration/image.h) becomes another one, run this once and
# commit the file. The tests read, verify and restore all that are there.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh

O=${O:-build}
make -s O="$O" "$O/lkvm" "$O/tests/bench/again.elf"
lkvm=$(realpath "$O/lkvm")
work=$(mktemp -d)
export XDG_RUNTIME_DIR="$work"
pid=
cleanup()
{
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || :
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

cp "$O/tests/bench/again.elf" "$work/guest.elf"
"$lkvm" run --name golden -c 2 -m 6 -k "$work/guest.elf" --nodefaults \
	--nvme null:1G,serial=golden,queues=2 </dev/null >"$work/out" 2>&1 &
pid=$!
for _ in $(seq 200); do
	[ ! -s "$work/out" ] || break
	sleep 0.1
done
[ -s "$work/out" ] || die "the guest does not start"
"$lkvm" snapshot -n golden --stop "$work/image" >/dev/null
wait "$pid"
pid=

# "by  lkvm 0.1.0, format 1, ARCH"
name=$("$lkvm" snapshot show "$work/image" |
	sed -n 's/^ *by .*format \([0-9]*\), \(.*\)$/image-\2-\1.gz/p')
[ -n "$name" ] || die "the image does not say what it is"
[ ! -e "tests/golden/$name" ] ||
	die "tests/golden/$name is there, and never changes"
gzip -9n <"$work/image" >"tests/golden/$name"
note "tests/golden/$name: $(stat -c %s "tests/golden/$name") bytes"
