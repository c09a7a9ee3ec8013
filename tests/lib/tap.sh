# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# tap.sh - TAP for tests that are shell scripts; to be sourced
#
# Runs under dash and under busybox, on the host and in guests.

tap_count=0
tap_failed=0
tap_output=$(mktemp)

# tap_result WORD NAME: one line of the result.
tap_result()
{
	tap_count=$((tap_count + 1))
	echo "$1 $tap_count - $2"
}

# tap_not_ok NAME: a failed test; $tap_output has why.
tap_not_ok()
{
	tap_failed=$((tap_failed + 1))
	tap_result "not ok" "$1"
	sed 's/^/# /' "$tap_output"
}

# check NAME COMMAND...: the command succeeds.
check()
{
	tap_name=$1
	shift
	if "$@" >"$tap_output" 2>&1; then
		tap_result ok "$tap_name"
	else
		echo "exit code $? of: $*" >>"$tap_output"
		tap_not_ok "$tap_name"
	fi
}

# refuse NAME PATTERN COMMAND...: the command fails, and says why.
refuse()
{
	tap_name=$1
	tap_pattern=$2
	shift 2
	if "$@" >"$tap_output" 2>&1; then
		echo "should have failed: $*" >>"$tap_output"
		tap_not_ok "$tap_name"
	elif grep -q -e "$tap_pattern" "$tap_output"; then
		tap_result ok "$tap_name"
	else
		echo "does not say \"$tap_pattern\": $*" >>"$tap_output"
		tap_not_ok "$tap_name"
	fi
}

# same NAME GOT WANTED: two texts are the same.
same()
{
	if [ "$2" = "$3" ]; then
		tap_result ok "$1"
	else
		printf 'got:    %s\nwanted: %s\n' "$2" "$3" >"$tap_output"
		tap_not_ok "$1"
	fi
}

# skip NAME REASON: what cannot be tried here.
skip()
{
	tap_result ok "$1 # SKIP $2"
}

# tap_done: the plan. Succeeds when all tests did.
tap_done()
{
	rm -f "$tap_output"
	echo "1..$tap_count"
	[ "$tap_failed" = 0 ]
}
