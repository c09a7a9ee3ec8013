#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# golden_test.sh - machines go on from images of all versions of the format
#
# tests/golden/make.sh made them; their guest writes to its serial port as soon
# as it goes on. They are of one processor each: another one may lack a feature
# that the guest was told of, and then the restore is refused by its name.

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"
golden=$OLDPWD/tests/golden
kvm_or_skip

# goes_on IMAGE: restores it and waits for its guest.
goes_on()
{
	rm -f out
	"$LKVM" restore --name golden "$1" </dev/null >out 2>err &
	restored=$!
	for _ in $(seq 300); do
		[ ! -s out ] || break
		kill -0 "$restored" 2>/dev/null || break
		sleep 0.1
	done
	"$LKVM" stop -n golden --force >stopped 2>&1
	wait "$restored"
	[ -s out ] || { cat err && return 1; }
}

for packed in "$golden"/image-*.gz; do
	name=${packed##*/}
	gzip -dc "$packed" >image
	check "$name: is whole" "$LKVM" snapshot verify image
	goes_on image >why
	code=$?
	if grep -q -e "of another architecture" -e "CPUID" -e "CPU lacks" why; then
		skip "$name: goes on" "$(head -n 1 why)"
		continue
	fi
	same "$name: goes on" "$code $(cat why)" "0 "
done
same "nothing is left behind" "$(left_behind)" ""
tap_done
