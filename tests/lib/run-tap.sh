#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run-tap.sh [-t SECONDS] [-j JOBS] [-s SUMMARY] [-p PREFIX] PROGRAM... - runs TAP
# programs
#
# Shows what each program prints as it comes, and then adds up what it said. With
# -j so many run at once, and each is shown when it has ended.
# One line for each program goes to the file SUMMARY: passed, failed and skipped
# tests, and its name. Without -s the sum is printed as the last line, and the
# exit code tells whether all passed.
#
# A program that ends without a plan, says fewer or more than it planned, says
# nothing at all, does not end, or ends with an error although all its tests
# passed, counts as one more failed test.

set -u

limit=600
jobs=1
summary=
prefix=
while getopts t:j:s:p: opt; do
	case $opt in
	t) limit=$OPTARG ;;
	j) jobs=$OPTARG ;;
	s) summary=$OPTARG ;;
	p) prefix=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))

temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM
sums=${summary:-$temp/summary}

# all_at_once PROGRAM...: each by a run of this script that has only that one. A
# folder is the lock, because busybox has no flock.
all_at_once()
{
	# shellcheck disable=SC2016
	printf '%s\n' "$@" | xargs -P "$jobs" -I PROGRAM sh -c '
		log=$1/log.$$
		sh "$2" -t "$3" -s "$4" -p "$5" "$6" >"$log" 2>&1
		until mkdir "$1/lock" 2>/dev/null; do
			sleep 0.1
		done
		cat "$log"
		rmdir "$1/lock"' \
		sh "$temp" "$0" "$limit" "$sums" "$prefix" PROGRAM
}

if [ "$jobs" -gt 1 ]; then
	touch "$sums"
	before=$(wc -l <"$sums")
	all_at_once "$@"
	if [ $(($(wc -l <"$sums") - before)) != $# ]; then
		echo "not ok - some of $# programs were lost"
		echo "0 1 0 some of $# programs were lost" >>"$sums"
	fi
	set --
fi

for program; do
	name=$prefix$program
	start=$(date +%s)
	echo "# $name"
	{
		timeout -k 10 "$limit" "$program" </dev/null 2>&1
		echo $? >"$temp/code"
	} | tee "$temp/log"
	code=$(cat "$temp/code" 2>/dev/null || echo 255)
	awk -v code="$code" -v name="$name" -v limit="$limit" -v sums="$sums" '
		/^ok( |$)/ {
			seen++
			if (toupper($0) ~ /# SKIP/)
				skipped++
			else
				passed++
			next
		}
		/^not ok/ { seen++; failed++; next }
		/^1\.\.[0-9]+/ {
			plans++
			plan = substr($1, 4) + 0
			if (plan == 0 && toupper($0) ~ /# SKIP/) {
				skipped++
				whole = 1
			}
			next
		}
		/^Bail out!/ { bail = 1 }
		END {
			if (code == 124 || code == 137)
				why = "was killed, or did not end within " limit " s"
			else if (bail)
				why = "gave up"
			else if (plans != 1)
				why = "printed " plans + 0 " plans instead of one"
			else if (seen + 0 != plan)
				why = "planned " plan " tests and reported " seen + 0
			else if (plan == 0 && !whole)
				why = "has no tests"
			else if (code != 0 && !failed)
				why = "ended with exit code " code
			if (why) {
				failed++
				print "not ok - " name ": " why
			}
			print passed + 0, failed + 0, skipped + 0, name >>sums
		}' "$temp/log"
	rm -f "$temp/code"
	note=$(($(date +%s) - start))
	[ "$note" -lt 5 ] || echo "# $name took $note s"
done

[ -z "$summary" ] || exit 0
awk '{ p += $1; f += $2; s += $3 }
     END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f || !NR }' \
	"$sums"
