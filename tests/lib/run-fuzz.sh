#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run-fuzz.sh SECONDS DIR - runs the fuzzers in DIR/tests/fuzz, as one TAP stream
#
# As many at once as there are processors. Each begins with what is in
# tests/fuzz/corpus/NAME and with what earlier runs found, in DIR/corpus/NAME.
# What makes one fail is kept in DIR/crash-NAME-*, and can be given to the fuzzer
# by hand. LKVM_SEED in the environment is what they draw from; without it each
# run draws anew.

set -u
seconds=$1
dir=$2

# one NAME: a line of TAP without a number, and what the fuzzer said if it failed.
one()
{
	name=$1
	log=$temp/log.$$
	mkdir -p "$dir/corpus/$name"
	set -- "$dir/corpus/$name"
	[ ! -d "tests/fuzz/corpus/$name" ] || set -- "$@" "tests/fuzz/corpus/$name"
	if "$dir/tests/fuzz/$name" -seed="${LKVM_SEED:-0}" \
		-max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
		-artifact_prefix="$dir/crash-$(echo "$name" | tr / -)-" -print_final_stats=1 \
		"$@" >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		# One that only gets through a handful finds nothing.
		if [ "${runs:-0}" -ge 100 ]; then
			echo "ok - $name: $runs inputs in $seconds s"
			return
		fi
		echo "only ${runs:-0} inputs in $seconds s" >>"$log"
	fi
	{
		echo "not ok - $name"
		tail -n 80 "$log" | sed 's/^/# /'
	} >"$log.tap"
	# In one piece, whoever else has something to say.
	flock "$temp/lock" cat "$log.tap"
}

if [ $# = 3 ]; then
	one "$3"
	exit 0
fi

temp=$(mktemp -d) || exit 2
export temp
trap 'rm -rf "$temp"' EXIT
for fuzzer in "$dir"/tests/fuzz/* "$dir"/tests/fuzz/*/*; do
	name=${fuzzer#"$dir"/tests/fuzz/}
	[ ! -e "tests/fuzz/$name.c" ] || echo "$name"
done >"$temp/names"
count=$(wc -l <"$temp/names")
if [ "$count" = 0 ]; then
	echo "1..0 # SKIP there are no fuzzers"
	exit 0
fi
xargs -P "$(nproc)" -I NAME sh "$0" "$seconds" "$dir" NAME <"$temp/names" |
	awk '/^(not )?ok - / { sub(/ok -/, "ok " ++count " -") }
	     { print; fflush() }
	     /^not ok/ { failed = 1 }
	     END { exit failed }'
failed=$?
echo "1..$count"
exit "$failed"
