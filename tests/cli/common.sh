# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# common.sh - what the tests of the command line share; to be sourced
#
# LKVM names the program, GUEST the guest of tests/kvm. Each test has a folder
# of its own, in which lkvm keeps its sockets, too, and which is empty at the
# end but for what the test itself has put there.

cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh

LKVM=$(realpath "${LKVM:-build/lkvm}")
GUEST=$(realpath "${GUEST:-build/tests/kvm/guest.elf}")
export LKVM GUEST
work=$(mktemp -d)
export XDG_RUNTIME_DIR="$work/run"
mkdir "$XDG_RUNTIME_DIR"
cd "$work" || exit

# Whatever still runs belongs to this test, by its name and its folder.
cleanup()
{
	"$LKVM" stop --all --force >/dev/null 2>&1
	rm -rf "$work" "$tap_output"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# kvm_or_skip: ends the test when no machine can run here.
kvm_or_skip()
{
	if ! [ -r /dev/kvm ] || ! [ -w /dev/kvm ]; then
		echo "1..0 # SKIP /dev/kvm is not there or may not be opened"
		exit 0
	fi
}

# as_nobody COMMAND...: without privileges; needs to be root.
as_nobody()
{
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# left_behind: the sockets and locks that are there.
left_behind()
{
	ls -A "$XDG_RUNTIME_DIR/lkvm" 2>/dev/null
}

# bad NAME CODE PATTERN ARGUMENT...: lkvm refuses that with this exit code, one
# line on standard error that has PATTERN in it and nothing on standard output,
# and leaves nothing behind.
bad()
{
	bad_name=$1
	bad_code=$2
	bad_pattern=$3
	shift 3
	timeout 30 "$LKVM" "$@" </dev/null >out 2>err
	bad_got=$?
	{
		echo "lkvm $*" | cut -c 1-200
		echo "exit code $bad_got, wanted $bad_code"
		echo "wanted in the message: $bad_pattern"
		cut -c 1-600 err
		left_behind
	} >"$tap_output"
	if [ "$bad_got" = "$bad_code" ] && [ ! -s out ] &&
	   [ "$(wc -l <err)" = 1 ] && grep -q -e "$bad_pattern" err &&
	   [ -z "$(left_behind)" ]; then
		tap_result ok "$bad_name"
	else
		tap_not_ok "$bad_name"
	fi
}
