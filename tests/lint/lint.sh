# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# lint.sh - what the checkers share; to be sourced
#
# Each checker is a TAP program that looks at the files of the tree in the
# current folder: those that git knows, and new ones that it does not ignore.
# tests/lint/self.sh shows for each that it finds what it is for.

lint_home=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/tap.sh
. "$lint_home/../lib/tap.sh"

# files PATTERN...: the files of the tree that match; all for ".".
files()
{
	git ls-files -co --exclude-standard -- "$@" | sort -u |
		while read -r file; do
			[ ! -f "$file" ] || echo "$file"
		done
}

# Without files every checker would be content.
if [ -z "$(files .)" ]; then
	echo "Bail out! git knows no files here"
	exit 1
fi

# none NAME COMMAND...: the command succeeds or not, and prints nothing. What it
# prints are complaints.
none()
{
	tap_name=$1
	shift
	"$@" >"$tap_output" 2>&1 || :
	if [ -s "$tap_output" ]; then
		tap_not_ok "$tap_name"
	else
		tap_result ok "$tap_name"
	fi
}

# code FILE: C without comments and without the contents of strings, each line
# with "FILE:LINE:" before it.
code()
{
	"${CC:-gcc}" -fpreprocessed -dD -E -x c "$1" 2>/dev/null |
		awk -v file="$1" '
			/^# [0-9]+ "/ { line = $2 - 1; next }
			{
				line++
				gsub(/\\./, "")
				gsub(/"[^"]*"/, "\"\"")
				gsub(/\047[^\047]*\047/, "0")
				print file ":" line ": " $0
			}'
}
