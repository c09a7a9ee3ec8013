#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# programs.sh [-s SUMMARY] PROGRAM... - runs test programs in the outer machine
#
# For those of another architecture: with DEB_ARCH set, the emulated machine of
# nested.sh is one that can run them. They print TAP and need nothing but
# themselves and the files of tests/golden.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh
. tests/system/stage.sh

summary=
while getopts s: opt; do
	case $opt in
	s) summary=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))

temp=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-programs.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM HUP

mkdir -p "$temp/stage/tests" "$temp/stage/programs"
cp -r tests/lib tests/golden "$temp/stage/tests/"
programs=
for program; do
	name=${program##*/tests/}
	mkdir -p "$temp/stage/programs/$(dirname "$name")"
	stage_program "$temp/stage" "$program" "programs/$name"
	programs="$programs ./programs/$name"
done
sh tests/system/nested.sh -l "$temp/log" -o "$temp" "$temp/stage" \
	"sh tests/lib/run-tap.sh -p $DEB_ARCH: -s /out/summary $programs" || {
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
