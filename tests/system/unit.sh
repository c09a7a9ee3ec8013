#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# unit.sh -l LKVM -s SUMMARY [-o DIR] TEST [NAME=VALUE...] - a system test in an
# emulated outer machine of its own
#
# What it prints comes at its end; SUMMARY and DIR are as run.sh has them. The
# names and values are for the environments of nested.sh and of the test.
#
# What becomes of a machine by QEMU's emulation is not lkvm's doing: then the test
# is run again (Documentation/testing.rst).

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh
. tests/system/stage.sh

out=
while getopts l:s:o: opt; do
	case $opt in
	l) lkvm=$OPTARG ;;
	s) summary=$OPTARG ;;
	o) out=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
test=$1
shift

temp=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-unit.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM HUP

# run_once [NAME=VALUE...]: its exit code is in code; lost is why that says
# nothing of lkvm.
run_once()
{
	rm -rf "$temp/stage" "$temp/got"
	stage_system "$temp/stage" "$lkvm"
	code=0
	lost=
	env "$@" sh tests/system/nested.sh -l "$temp/log" -o "$temp/got" \
		"$temp/stage" "mkdir /out/keep; \
			SYSTEM_OUT=${out:+/out/keep} \
			GUEST_CPUS='${GUEST_CPUS:-}' \
			LKVM_LONG=${LKVM_LONG:-} \
			env $* sh tests/lib/run-tap.sh \
			-t ${SYSTEM_LIMIT:-1500} -s /out/summary $test" \
		>"$temp/output" 2>&1 || code=$?
	if [ "$code" = 125 ]; then
		lost="the outer machine did not get to its end"
	elif grep -q '^not ok' "$temp/output" &&
	     grep -q 'triple fault:' "$temp/output"; then
		lost="a guest was lost by a triple fault"
	fi
}

{
	[ $# = 0 ] || echo "# with $*"
	for try in 1 2 3; do
		run_once "$@"
		if [ -z "$lost" ] || [ $try = 3 ]; then
			break
		fi
		sed 's/^/# before: /' "$temp/output"
		echo "# $test: $lost: run again"
	done
	cat "$temp/output"
	if [ "$code" = 0 ]; then
		cat "$temp/got/summary" >>"$summary"
	else
		echo "not ok - the outer machine ended with exit code $code"
		tail -n 20 "$temp/log" | sed 's/^/# outer: /'
		echo "0 1 0 $test $*: outer machine" >>"$summary"
	fi
	[ -z "$out" ] || [ ! -d "$temp/got/keep" ] ||
		cp -r "$temp/got/keep/." "$out/"
} >"$temp/said" 2>&1
# One after the other, however many run.
flock "$summary" cat "$temp/said"
