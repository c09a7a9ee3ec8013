#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# kernel-tools.sh DIR - puts the kernel's test harness and checkpatch into DIR
#
# They come from Debian's package linux-source and are not part of the project.
# Reading the archive takes some seconds, so what is taken out of it is kept in
# the cache, per version of the package.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh

dir=$1
archive=$(find /usr/src -maxdepth 1 -name 'linux-source-*.tar.xz' |
	sort -V | tail -n 1)
[ -n "$archive" ] ||
	die "no /usr/src/linux-source-*.tar.xz: install the package linux-source"

tools=$LKVM_CACHE/kernel-tools-$(key "$archive" "$(stat -Lc '%s %Y' "$archive")")
if [ ! -d "$tools" ]; then
	mkdir -p "$LKVM_CACHE"
	temp=$(mktemp -d "$LKVM_CACHE/kernel-tools.XXXXXX")
	trap 'rm -rf "$temp"' EXIT
	xz -dc -T0 "$archive" | tar -x -C "$temp" --no-same-owner \
		--wildcards --transform 's,.*/,,' \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
		'*/scripts/const_structs.checkpatch' \
		'*/tools/testing/selftests/kselftest.h' \
		'*/tools/testing/selftests/kselftest_harness.h'
	chmod 755 "$temp"
	publish "$temp" "$tools"
fi

mkdir -p "$dir"
cp -f "$tools"/* "$dir"/
# The harness takes the type of what it compares with typeof, which clang gives
# as _Atomic for an atomic. The type of its value is what is meant; a comma makes
# a value of it.
sed -i 's/__typeof__(\(_expected\|_seen\)) __/__typeof__(((void)0, (\1))) __/' \
	"$dir/kselftest_harness.h"
# A test that its fixture's setup skips is not run, but torn down.
call='fixture_name##_##test_name(_metadata, &self, '
sed -i "s/^\(\t*\)\($call\)/\1if (!_metadata->skip) \2/" \
	"$dir/kselftest_harness.h"
