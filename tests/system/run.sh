#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh [-l LKVM] [-s SUMMARY] [-o DIR] [TEST...] - the system tests
#
# Runs tests/system/test-*.sh, or those that are named, with a stock Debian
# kernel. They run on this machine if its processor can run it, else in the
# emulated outer machine (nested.sh); it says which. The tests print TAP;
# SUMMARY is as run-tap.sh writes it. With -o, what is worth keeping for a look
# with other tools is put into DIR: a test finds its name in SYSTEM_OUT.
#
# From the environment: GUEST_CPUS, the numbers of processors to test with
# ("1 4"); SYSTEM_JOBS, how many tests run at once (1); LKVM_LONG=1, for all that
# takes long under emulation; LKVM_GUEST_KERNEL, a kernel to use instead of
# Debian's, directly on this machine whatever its /dev/kvm is like: quick, but not
# the real test.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh
. tests/system/stage.sh

lkvm=${O:-build}/lkvm
summary=
out=
while getopts l:s:o: opt; do
	case $opt in
	l) lkvm=$OPTARG ;;
	s) summary=$OPTARG ;;
	o) out=$(realpath "$OPTARG") ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- tests/system/test-*.sh
[ -x "$lkvm" ] || die "no $lkvm: run make"

temp=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-sys.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM HUP

# units TEST...: what has an emulated machine of its own, a line each: a test, and
# what is to be in the environment. A test that asks for numbers of processors is
# one unit for each of them; and a test may say itself what it wants, once or more
# often, in comments that begin with "outer machine:".
units()
{
	for test; do
		if grep -q '^# outer machine: ' "$test"; then
			sed -n "s|^# outer machine: |$test |p" "$test"
		elif grep -q GUEST_CPUS "$test"; then
			for cpus in $GUEST_CPUS; do
				echo "$test GUEST_CPUS=$cpus"
			done
		else
			echo "$test"
		fi
	done
}

jobs=${SYSTEM_JOBS:-1}
if [ -n "${LKVM_GUEST_KERNEL:-}" ]; then
	level="direct: with the kernel $LKVM_GUEST_KERNEL"
else
	level=$(sh tests/system/level.sh)
fi
export GUEST_CPUS="${GUEST_CPUS:-1 4}"
case $level in
direct*)
	echo "# system tests: $level"
	stage_system "$temp/stage" "$lkvm"
	[ -z "${LKVM_GUEST_KERNEL:-}" ] ||
		cp "$LKVM_GUEST_KERNEL" "$temp/stage/vmlinuz"
	(cd "$temp/stage" && SYSTEM_OUT=$out sh tests/lib/run-tap.sh \
		-t "${SYSTEM_LIMIT:-1500}" -j "$jobs" -s "$temp/summary" "$@")
	;;
*)
	echo "# system tests: $level"
	units "$@" >"$temp/units"
	# Before two of them do it at the same time.
	sh tests/system/kernel.sh >/dev/null
	sh tests/system/rootfs.sh >/dev/null
	xargs -P "$jobs" -L 1 sh tests/system/unit.sh -l "$lkvm" \
		-s "$temp/summary" ${out:+-o "$out"} <"$temp/units" || :
	[ "$(wc -l <"$temp/summary")" = "$(wc -l <"$temp/units")" ] ||
		echo "0 1 0 some system tests were lost" >>"$temp/summary"
	;;
esac
[ -s "$temp/summary" ] || echo "0 1 0 system tests without a result" \
	>"$temp/summary"
if [ -n "$summary" ]; then
	cat "$temp/summary" >>"$summary"
else
	awk '{ p += $1; f += $2; s += $3 } END {
		printf "%d passed, %d failed, %d skipped\n", p, f, s
		exit f != 0 }' "$temp/summary"
fi
