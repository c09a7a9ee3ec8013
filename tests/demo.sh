#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# demo.sh [--exec COMMAND] - from nothing to a shell in a machine that lkvm runs
#
# Installs the Debian packages that are needed, builds lkvm, fetches Debian's
# cloud kernel, makes a small disk image from Debian packages, and starts
#
#	lkvm run --nvme disk.img
#
# with its root on /dev/nvme0n1: a shell prompt on your terminal. With --exec,
# or without a terminal, it runs one command in the guest ("uname -a" if none is
# given), prints what that prints, and ends with its exit code.
#
# The disk is a copy that goes away at the end.
#
# Where the processor offers no hardware virtualization, the same happens one
# level deeper, in a machine that QEMU emulates; it says so.
#
#   -c N, -m MIB    processors and memory of the guest (default 2, 256)
#   -v              show what the builds and both machines say

set -eu
cd "$(dirname "$0")/.."
. tests/lib/common.sh
. tests/system/stage.sh

usage()
{
	sed -n '4,/^$/s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

exec_command=
exec_given=
cpus=2
memory=256
verbose=
while [ $# -gt 0 ]; do
	case $1 in
	--exec)
		[ $# -ge 2 ] || usage
		exec_command=$2
		exec_given=1
		shift
		;;
	--exec=*)
		exec_command=${1#--exec=}
		exec_given=1
		;;
	-c | -m)
		[ $# -ge 2 ] || usage
		case $2 in
		'' | *[!0-9]*) usage ;;
		esac
		if [ "$1" = -c ]; then
			cpus=$2
		else
			memory=$2
		fi
		shift
		;;
	-v) verbose=1 ;;
	*) usage ;;
	esac
	shift
done
if [ -z "$exec_given" ] && ! { [ -t 0 ] && [ -t 1 ]; }; then
	exec_command='uname -a'
	exec_given=1
fi

# say MESSAGE: to the user; standard output is the guest's.
say()
{
	echo "demo: $*" >&2
}

# quietly COMMAND...: shows what it prints only if it fails.
quietly()
{
	if [ -n "$verbose" ]; then
		"$@" >&2
		return
	fi
	"$@" >"$temp/quiet" 2>&1 || {
		cat "$temp/quiet" >&2
		die "failed: $*"
	}
}

temp=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-demo.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM HUP

say "looking for the packages that are needed"
sh tests/lib/packages.sh build system >&2
say "building lkvm"
quietly make -j"$(nproc)"
say "getting Debian's cloud kernel and making a disk image"
kernel=$(sh tests/system/kernel.sh)
image=$(sh tests/system/rootfs.sh)

mkdir "$temp/stage"
stage_program "$temp/stage" build/lkvm lkvm
stage_copy "$temp/stage" "$kernel/vmlinuz" vmlinuz
stage_copy "$temp/stage" "$image" disk.img

level=$(sh tests/system/level.sh)
say "$level"

# run COMMAND: in the folder with lkvm and its files, here or one level deeper.
case $level in
direct*)
	run()
	{
		(cd "$temp/stage" && sh -c "$1")
	}
	;;
*)
	run()
	{
		sh tests/system/nested.sh ${terminal:+-t} -l "$temp/outer" \
			"$temp/stage" "$1"
	}
	;;
esac
lkvm="./lkvm run -k vmlinuz -c $cpus -m $memory --nvme disk.img"
# An emulated processor may take longer than the kernel's watchdog likes.
params='quiet panic=-1 no_timer_check nowatchdog'

if [ -z "$exec_given" ]; then
	terminal=1
	say "Ctrl-a x or \"exit\" ends the machine"
	run "$lkvm -p '$params lkvm.term=${TERM:-linux},$(stty size |
		tr ' ' ,)'"
	exit
fi

# The command's output is what stands between two marks on the console, and the
# second mark has its exit code. Perl passes every byte on as it comes.
terminal=
mark=@@$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
params="$params loglevel=1 lkvm.mark=$mark"
params="$params lkvm.exec=$(printf '%s' "$exec_command" | base64 -w 0)"
[ ${#params} -lt 1900 ] || die "the command is too long"
say "starting the guest"
{
	run "$lkvm -p '$params'" 2>"$temp/errors" </dev/null
	echo $? >"$temp/run-code"
} | perl tests/system/between.pl "$mark" "$temp/code" || :
if [ ! -s "$temp/code" ]; then
	cat "$temp/errors" >&2
	die "the guest did not get to the end of the command" \
		"(lkvm ended with $(cat "$temp/run-code"))"
fi
exit "$(cat "$temp/code")"
