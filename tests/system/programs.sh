#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# programs.sh [-j JOBS] [-s SUMMARY] [PROGRAM...] - runs test programs in the
# outer machine, JOBS at once
#
# Those that are named, or all of the kvm level, run in the emulated machine of
# nested.sh: under a KVM that runs all of a guest on the (emulated) processor;
# or, with DEB_ARCH set, on a processor of another architecture. They are
# $O/tests/LEVEL/NAME, and find there what they need: those of the kvm level lkvm
# and the guest, the others the files of tests/golden and the documents.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh
. tests/system/stage.sh

build=${O:-build}
summary=
jobs=1
while getopts j:s: opt; do
	case $opt in
	j) jobs=$OPTARG ;;
	s) summary=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- "$build"/tests/kvm/*_test "$build"/tests/kvm/*/*_test

prefix=nested
[ "$DEB_ARCH" = "$(dpkg --print-architecture)" ] || prefix=$DEB_ARCH

temp=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-programs.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM HUP

# stage_guests FOLDER: lkvm, and the guests for it, once.
stage_guests()
{
	[ ! -e "$temp/stage/lkvm" ] || return 0
	stage_program "$temp/stage" "$1/lkvm" lkvm
	for guest in "$1"/tests/kvm/guest*.elf "$1"/tests/kvm/guest*.img; do
		[ ! -e "$guest" ] || stage_copy "$temp/stage" "$guest" \
			"tests/kvm/${guest##*/}"
	done
}

mkdir -p "$temp/stage/tests/kvm"
cp -r tests/lib tests/golden "$temp/stage/tests/"
cp -r Documentation "$temp/stage/"
programs=
for program; do
	name=tests/${program##*/tests/}
	mkdir -p "$temp/stage/$(dirname "$name")"
	stage_program "$temp/stage" "$program" "$name"
	programs="$programs ./$name"
	case $name in
	tests/kvm/*) stage_guests "${program%/tests/*}" ;;
	esac
done
settings=
for setting in LKVM_LONG LKVM_SEED; do
	eval "value=\${$setting:-}"
	# shellcheck disable=SC2154
	[ -z "$value" ] || settings="$settings $setting=$value"
done
sh tests/system/nested.sh -l "$temp/log" -o "$temp" "$temp/stage" \
	"$settings sh tests/lib/run-tap.sh -j $jobs -p $prefix: -s /out/summary $programs" || {
	echo "not ok - the outer machine ended with exit code $?"
	tail -n 20 "$temp/log" | sed 's/^/# outer: /'
	echo "0 1 0 outer machine" >>"$temp/summary"
}
[ -s "$temp/summary" ] || echo "0 1 0 programs without a result" \
	>"$temp/summary"
if [ -n "$summary" ]; then
	cat "$temp/summary" >>"$summary"
else
	awk '{ p += $1; f += $2; s += $3 } END {
		printf "%d passed, %d failed, %d skipped\n", p, f, s
		exit f != 0 }' "$temp/summary"
fi
