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
# ("1 4"); LKVM_GUEST_KERNEL, a kernel to use instead of Debian's, directly on
# this machine whatever its /dev/kvm is like: quick, but not the real test.

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

kernel=$(sh tests/system/kernel.sh)
image=$(sh tests/system/rootfs.sh)
temp=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-system.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM HUP

mkdir -p "$temp/stage/tests"
cp -r tests/lib tests/system "$temp/stage/tests/"
stage_program "$temp/stage" "$lkvm" lkvm
stage_copy "$temp/stage" "$kernel/vmlinuz" vmlinuz
stage_copy "$temp/stage" "$image" root.img

# The emulated processor now and then finds no page for the first instruction
# after VMRUN, where there is one, and a guest with several CPUs ends with a
# triple fault: that is not lkvm's doing, and such a test is run again.
run="sh tests/lib/run-tap.sh -t ${SYSTEM_LIMIT:-1500}"
run_emulated="$run -r 'triple fault:'"
if [ -n "${LKVM_GUEST_KERNEL:-}" ]; then
	level="direct: with the kernel $LKVM_GUEST_KERNEL"
	cp "$LKVM_GUEST_KERNEL" "$temp/stage/vmlinuz"
else
	level=$(sh tests/system/level.sh)
fi
export GUEST_CPUS="${GUEST_CPUS:-1 4}"
case $level in
direct*)
	echo "# system tests: $level"
	(cd "$temp/stage" && SYSTEM_OUT=$out $run -s "$temp/summary" "$@")
	;;
*)
	echo "# system tests: $level"
	sh tests/system/nested.sh -l "$temp/log" -o "$temp" "$temp/stage" \
		"mkdir /out/keep; SYSTEM_OUT=${out:+/out/keep} \
			GUEST_CPUS='$GUEST_CPUS' $run_emulated -s /out/summary $*" || {
		echo "not ok - the outer machine ended with exit code $?"
		tail -n 20 "$temp/log" | sed 's/^/# outer: /'
		echo "0 1 0 outer machine" >>"$temp/summary"
	}
	[ -z "$out" ] || cp -r "$temp/keep/." "$out/"
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
