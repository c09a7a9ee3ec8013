#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# packages.sh SET... - installs the Debian packages that a step needs
#
#   build    to compile lkvm
#   test     to compile and run the tests of all levels
#   lint     the checkers
#   system   to make kernels and disk images, and the emulated outer machine
#   arm64    to compile for arm64 on another machine, and to emulate one
#   debug    debuggers that open a snapshot
#   bench    what lkvm is measured beside
#
# This is the only place that names packages of the machine that one works on;
# what goes into a guest is named in tests/system/rootfs.sh. Says nothing and
# changes nothing when all are there.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh

# linux-kbuild has no package without a version: the one that goes with the
# sources.
kbuild()
{
	set -- /usr/lib/linux-kbuild-*/scripts/kernel-doc
	if [ ! -e "$1" ]; then
		apt-cache depends linux-source |
			sed -n 's/.*Depends: linux-source-/linux-kbuild-/p'
	fi
}

packages()
{
	case $1 in
	build)
		echo gcc libc6-dev make acpica-tools
		echo liburing-dev libfdt-dev libblkid-dev libjson-c-dev libxxhash-dev
		[ "$host_arch" != arm64 ] || echo zlib1g-dev libzstd-dev
		;;
	test)
		packages build
		echo linux-source xz-utils clang libclang-rt-14-dev sparse
		echo xfsprogs passt iproute2 zlib1g-dev libzstd-dev
		;;
	lint)
		echo linux-source xz-utils perl codespell shellcheck mandoc
		kbuild
		;;
	system)
		echo qemu-system-x86 e2fsprogs binutils cpio perl-base iproute2
		echo passt socat
		;;
	arm64)
		packages system
		echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-system-arm
		echo qemu-user
		;;
	debug)
		packages system
		echo gdb python3-drgn
		;;
	bench)
		packages system
		echo fio
		;;
	*)
		die "no such set of packages: $1"
		;;
	esac
}

missing()
{
	for package; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" \
			2>/dev/null) in
		installed) ;;
		*) echo "$package" ;;
		esac
	done
}

have_lists || apt_update
wanted=$(for set; do packages "$set"; done | tr ' ' '\n' | sort -u)
# shellcheck disable=SC2086
wanted=$(missing $wanted)
[ -n "$wanted" ] || exit 0

# One line for the messages.
wanted=$(echo "$wanted" | tr '\n' ' ')
echo "installing: $wanted"
export DEBIAN_FRONTEND=noninteractive
install()
{
	# shellcheck disable=SC2086
	as_root apt-get install -qq -y --no-install-recommends \
		-o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 $wanted \
		</dev/null >"$log" 2>&1
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Old lists name files that are no longer there: fetch them and try again.
install || { apt_update && install; } || {
	cat "$log" >&2
	die "cannot install: $wanted"
}
