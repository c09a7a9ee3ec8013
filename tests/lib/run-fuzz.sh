#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run-fuzz.sh SECONDS DIR - runs the fuzzers in DIR/tests/fuzz, as one TAP stream
#
# Each begins with what is in tests/fuzz/corpus/NAME and with what earlier runs
# found, in DIR/corpus/NAME. What makes one fail is kept in DIR/crash-NAME-*,
# and can be given to the fuzzer by hand. LKVM_SEED in the environment is what
# they draw from; without it each run draws anew.

set -u
seconds=$1
dir=$2
count=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

for fuzzer in "$dir"/tests/fuzz/* "$dir"/tests/fuzz/*/*; do
	name=${fuzzer#"$dir"/tests/fuzz/}
	[ -e "tests/fuzz/$name.c" ] || continue
	count=$((count + 1))
	mkdir -p "$dir/corpus/$name"
	set -- "$dir/corpus/$name"
	[ ! -d "tests/fuzz/corpus/$name" ] || set -- "$@" "tests/fuzz/corpus/$name"
	if "$fuzzer" -seed="${LKVM_SEED:-0}" \
		-max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
		-artifact_prefix="$dir/crash-$(echo "$name" | tr / -)-" -print_final_stats=1 \
		"$@" >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		# One that only gets through a handful finds nothing.
		if [ "${runs:-0}" -ge 100 ]; then
			echo "ok $count - $name: $runs inputs in $seconds s"
			continue
		fi
		echo "only ${runs:-0} inputs in $seconds s" >>"$log"
	fi
	failed=$((failed + 1))
	echo "not ok $count - $name"
	tail -n 80 "$log" | sed 's/^/# /'
done

if [ "$count" = 0 ]; then
	echo "1..0 # SKIP there are no fuzzers"
	exit 0
fi
echo "1..$count"
[ "$failed" = 0 ]
