#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# debuggers.sh [-l LKVM] - a snapshot of a stock kernel in drgn and gdb
#
# Takes the snapshot of test-core.sh, and opens it with the kernel's debug
# symbols. These are 300 MB to fetch and 600 MB to keep, so this is for "make
# check-long". Prints TAP.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh

lkvm=${O:-build}/lkvm
while getopts l: opt; do
	case $opt in
	l) lkvm=$OPTARG ;;
	*) exit 2 ;;
	esac
done

# symbols: prints the path of vmlinux with debug symbols.
symbols()
{
	kernel=$(sh tests/system/kernel.sh)
	name=$(basename "$kernel")
	package=${name#kernel-}
	package=${package%%_*}-dbg
	file=$LKVM_CACHE/vmlinux-$name
	if [ ! -e "$file" ]; then
		deb=$(fetch_debs "$LKVM_CACHE/debs" "$package")
		dpkg-deb --fsys-tarfile "$deb" | tar -x -O --wildcards \
			'./usr/lib/debug/boot/vmlinux-*' >"$temp/vmlinux"
		publish "$temp/vmlinux" "$file"
		rm -f "$deb"
	fi
	echo "$file"
}

sh tests/lib/packages.sh debug </dev/null
temp=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-debuggers.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM HUP
vmlinux=$(symbols)
mkdir "$temp/out"
sh tests/system/run.sh -l "$lkvm" -o "$temp/out" tests/system/test-core.sh \
	>"$temp/run" || { cat "$temp/run"; die "no snapshot to look at"; }

set +e
. tests/lib/tap.sh
release=$(sed -n 's/^OSRELEASE=//p' "$temp/out/core.got")

drgn -q -c "$temp/out/core.snap" -s "$vmlinux" \
	tests/system/debuggers.py >"$temp/drgn" 2>&1
same "drgn: release of the kernel" \
	"$(sed -n 's/^release //p' "$temp/drgn")" "$release"
same "drgn: CPUs" "$(sed -n 's/^cpus //p' "$temp/drgn")" 2
same "drgn: the first process" "$(sed -n 's/^1 //p' "$temp/drgn")" init
check "drgn: the guest's command sleeps in the kernel" \
	grep -q '^sleep .*nanosleep' "$temp/drgn"
sed 's/^/# drgn: /' "$temp/drgn"

gdb -q -batch -ex 'info threads' "$vmlinux" "$temp/out/core.snap" \
	>"$temp/gdb" 2>&1
same "gdb: a thread for each vCPU" "$(grep -c ' LWP [12] ' "$temp/gdb")" 2
check "gdb: no note is taken for another" \
	sh -c "! grep -i 'warning.*note\|Section.*too small' '$temp/gdb'"
sed 's/^/# gdb: /' "$temp/gdb"
tap_done
