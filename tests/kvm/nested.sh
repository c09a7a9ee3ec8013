#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# nested.sh [-s SUMMARY] [PROGRAM...] - the kvm level with full virtualization
#
# Runs the programs of the kvm level, or those that are named, in the emulated
# outer machine of tests/system/nested.sh: the same guests, but under a KVM
# that runs all of a guest on the (emulated) processor. The programs are those
# of the build folder $O.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh
. tests/system/stage.sh

build=${O:-build}
summary=
while getopts s: opt; do
	case $opt in
	s) summary=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- "$build"/tests/kvm/*_test

temp=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-kvm-nested.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM HUP

mkdir -p "$temp/stage/tests/kvm"
cp -r tests/lib "$temp/stage/tests/"
stage_program "$temp/stage" "$build/lkvm" lkvm
stage_copy "$temp/stage" "$build/tests/kvm/guest.elf" tests/kvm/guest.elf
stage_copy "$temp/stage" "$build/tests/kvm/guest-linux.elf" \
	tests/kvm/guest-linux.elf
programs=
for program; do
	name=${program##*/}
	stage_program "$temp/stage" "$program" "tests/kvm/$name"
	programs="$programs ./tests/kvm/$name"
done
sh tests/system/nested.sh -l "$temp/log" -o "$temp" "$temp/stage" \
	"sh tests/lib/run-tap.sh -p nested: -s /out/summary $programs" || {
	echo "not ok - the outer machine ended with exit code $?"
	tail -n 20 "$temp/log" | sed 's/^/# outer: /'
	echo "0 1 0 outer machine" >>"$temp/summary"
}
[ -s "$temp/summary" ] || echo "0 1 0 nested kvm level without a result" \
	>"$temp/summary"
if [ -n "$summary" ]; then
	cat "$temp/summary" >>"$summary"
else
	awk '{ p += $1; f += $2; s += $3 } END {
		printf "%d passed, %d failed, %d skipped\n", p, f, s
		exit f != 0 }' "$temp/summary"
fi
