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

kernel=$(sh tests/system/kernel.sh)
image=$(sh tests/system/rootfs.sh)
temp=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-sys.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM HUP

make_stage()
{
	mkdir -p "$temp/stage/tests"
	cp -r tests/lib tests/system "$temp/stage/tests/"
	stage_program "$temp/stage" "$lkvm" lkvm
	# For tests with hosts.
	stage_tool "$temp/stage" ip
	stage_tool "$temp/stage" tc
	# For test-virtio.sh; this machine's are of no use on another one.
	[ "$DEB_ARCH" != "$(dpkg --print-architecture)" ] ||
		for program in bridge socat passt; do
			stage_program "$temp/stage" "$(PATH=$PATH:/sbin \
				command -v $program)" $program
		done
	stage_copy "$temp/stage" "$kernel/vmlinuz" vmlinuz
	stage_copy "$temp/stage" "$image" root.img
}

jobs=${SYSTEM_JOBS:-1}
run="sh tests/lib/run-tap.sh -t ${SYSTEM_LIMIT:-1500} -j $jobs -s"

# emulated TEST...: tests in an outer machine of their own. The emulated processor
# takes a page fault now and then where there is none (Documentation/testing.rst):
# then a guest or the outer machine is lost, which is not lkvm's doing, and they
# are run again.
emulated()
{
	for try in 1 2 3 4; do
		rm -rf "$temp/stage" "$temp/got"
		make_stage
		code=0
		lost=
		sh tests/system/nested.sh -l "$temp/log" -o "$temp/got" \
			"$temp/stage" "mkdir /out/keep; \
				SYSTEM_OUT=${out:+/out/keep} \
				GUEST_CPUS='$GUEST_CPUS' \
				LKVM_LONG=${LKVM_LONG:-} \
				$run /out/summary $*" >"$temp/output" 2>&1 || code=$?
		if [ "$code" = 125 ]; then
			lost="the outer machine did not get to its end"
		elif grep -q '^not ok' "$temp/output" &&
		     grep -q 'triple fault:' "$temp/output"; then
			lost="a guest was lost by a triple fault"
		fi
		if [ -z "$lost" ] || [ $try = 4 ]; then
			break
		fi
		sed 's/^/# before: /' "$temp/output"
		echo "# $*: $lost: run again"
	done
	cat "$temp/output"
	if [ "$code" = 0 ]; then
		cat "$temp/got/summary" >>"$temp/summary"
	else
		echo "not ok - the outer machine ended with exit code $code"
		tail -n 20 "$temp/log" | sed 's/^/# outer: /'
		echo "0 1 0 $*: outer machine" >>"$temp/summary"
	fi
	[ -z "$out" ] || [ ! -d "$temp/got/keep" ] ||
		cp -r "$temp/got/keep/." "$out/"
}

# each_emulated TEST...: each by a run of this script that has only that one, and
# is shown when it has ended.
each_emulated()
{
	# shellcheck disable=SC2016
	printf '%s\n' "$@" | SYSTEM_JOBS=1 xargs -P "$jobs" -I TEST sh -c '
		log=$1/log.$$
		sh tests/system/run.sh -l "$2" -s "$1/summary" ${3:+-o "$3"} \
			"$4" >"$log" 2>&1
		flock "$1/lock" cat "$log"' sh "$temp" "$lkvm" "$out" TEST
	[ "$(wc -l <"$temp/summary")" = $# ] ||
		echo "0 1 0 some of $# system tests were lost" >>"$temp/summary"
}

if [ -n "${LKVM_GUEST_KERNEL:-}" ]; then
	level="direct: with the kernel $LKVM_GUEST_KERNEL"
else
	level=$(sh tests/system/level.sh)
fi
export GUEST_CPUS="${GUEST_CPUS:-1 4}"
case $level in
direct*)
	echo "# system tests: $level"
	make_stage
	[ -z "${LKVM_GUEST_KERNEL:-}" ] ||
		cp "$LKVM_GUEST_KERNEL" "$temp/stage/vmlinuz"
	(cd "$temp/stage" && SYSTEM_OUT=$out $run "$temp/summary" "$@")
	;;
*)
	echo "# system tests: $level"
	# The emulated arm64 machine has not been lost yet: one will do for all.
	case $jobs:$DEB_ARCH in
	1:*)
		for test; do
			emulated "$test"
		done
		;;
	*:arm64) emulated "$@" ;;
	*) each_emulated "$@" ;;
	esac
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
