#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# migrate.sh [-r ROUNDS] [-m MIB] - a machine moves to another process over TCP
#
# Memory full of random bytes, without a guest, beside a bare copy of the same
# bytes from one process to another (migrate_bench); then, beside QEMU, a guest
# with a large random initial RAM disk; one that idles; and one that writes to
# its memory at half the rate that the migration may send at.
#
# MIB is 8192 where memory has room for it two and a half times; the RAM disk is
# half of it, but no more than 2 GiB. Prints lines, tab-separated: what, who,
# MiB, microseconds, microseconds of CPU time of both processes, microseconds
# that the guest stood still; "-" for what is not known.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh

rounds=3
mib=${BENCH_MIGRATE_MIB:-}
while getopts r:m: opt; do
	case $opt in
	r) rounds=$OPTARG ;;
	m) mib=$OPTARG ;;
	*) exit 2 ;;
	esac
done

O=${O:-build}
guest=$O/tests/kvm/guest.elf
ticks=$(getconf CLK_TCK)
link=$((256 << 20))			# bytes a second, where the rate matters
half=$((link / 2 / 4096))		# pages a second
work=$(mktemp -d "${TMPDIR:-/var/tmp}/lkvm-bench.XXXXXX")
port=$((20000 + $$ % 10000))
pids=
cleanup()
{
	for pid in $pids; do
		kill "$pid" 2>/dev/null || :
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

if [ -z "$mib" ]; then
	mib=$(awk '/^MemAvailable:/ {
		mib = int($2 / 1024 / 2.5)
		print (mib > 8192 ? 8192 : mib)
	}' /proc/meminfo)
fi
small=$((mib / 2 > 2048 ? 2048 : mib / 2))

# wait_for COMMAND...: until it succeeds, at most 60 s.
wait_for()
{
	for _ in $(seq 600); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	die "$1: nothing came of it"
}

# listens PORT: does somebody?
listens()
{
	grep -qi ":$(printf %04x "$1") [0-9a-f:]* 0A " /proc/net/tcp
}

# cpu_us PID: microseconds of CPU time so far.
cpu_us()
{
	# The name may have blanks; what counts comes after it.
	sed 's/.*) //' "/proc/$1/stat" |
		awk -v ticks="$ticks" '{ printf "%d", ($12 + $13) * 1000000 / ticks }'
}

# times_us FILE: the same, by what times says of the children.
times_us()
{
	tail -n 1 "$1" | tr 'ms' '  ' |
		awk '{ printf "%d", (($1 + $3) * 60 + $2 + $4) * 1000000 }'
}

member()
{
	grep -o "\"$1\" *: *[0-9]*" "$work/result" | tail -n 1 |
		sed 's/.*: *//'
}

# lkvm_moves WHAT MIB BANDWIDTH PARAMETERS [INITRD]
lkvm_moves()
{
	rm -f "$work"/source* "$work"/there*
	# It ends when its guest has moved: the shell around it knows its time.
	sh -c '"$@" </dev/null >"$0.out" 2>&1 & echo $! >"$0.pid"; wait $!; times >"$0.times"' \
		"$work/source" "$O/lkvm" run --name "bench-$$" -c 1 -m "$2" \
		-k "$guest" -p "$4" ${5:+-i "$5"} --nodefaults &
	shell=$!
	wait_for grep -q "guest: idle\|guest: dirty" "$work/source.out"
	port=$((port + 1))
	"$O/lkvm" receive --listen "127.0.0.1:$port" --name "there-$$" \
		</dev/null >"$work/there.out" 2>&1 &
	there=$!
	pids="$pids $there $(cat "$work/source.pid")"
	wait_for listens $port
	sleep 1
	before=$(($(cpu_us "$(cat "$work/source.pid")") + $(cpu_us $there)))
	"$O/lkvm" migrate -n "bench-$$" --to "127.0.0.1:$port" --channels 1 \
		--bandwidth "$3" --json >"$work/result" 2>&1 ||
		die "lkvm: $(tail -n 1 "$work/result")"
	after=$(cpu_us $there)
	wait $shell || :
	after=$((after + $(times_us "$work/source.times")))
	printf '%s\tlkvm\t%s\t%s000\t%s\t%s\n' "$1" "$2" \
		"$(member elapsed-ms)" $((after - before)) "$(member downtime-us)"
	"$O/lkvm" stop -n "there-$$" --force >/dev/null 2>&1 || :
	wait $there || :
}

# qemu NAME MIB PARAMETERS INITRD OPTION...: its monitor is a pair of pipes.
qemu()
{
	qemu_monitor=$work/$1
	qemu_mib=$2
	qemu_params=$3
	qemu_initrd=$4
	shift 4
	rm -f "$qemu_monitor.in" "$qemu_monitor.out"
	mkfifo "$qemu_monitor.in" "$qemu_monitor.out"
	exec qemu-system-x86_64 -accel kvm -cpu host,-arch-capabilities \
		-M microvm -m "$qemu_mib" -display none -nodefaults \
		-serial "file:$qemu_monitor.serial" -kernel "$guest" \
		-append "$qemu_params" ${qemu_initrd:+-initrd "$qemu_initrd"} \
		-monitor "pipe:$qemu_monitor" "$@" </dev/null >/dev/null 2>&1
}

# qemu_moves WHAT MIB BANDWIDTH PARAMETERS [INITRD]
qemu_moves()
{
	rm -f "$work"/here* "$work"/there*
	port=$((port + 1))
	( qemu there "$2" "$4" "${5:-}" -incoming "tcp:127.0.0.1:$port" ) &
	there=$!
	( qemu here "$2" "$4" "${5:-}" ) &
	here=$!
	pids="$pids $here $there"
	wait_for test -p "$work/there.out" -a -p "$work/here.out"
	cat "$work/there.out" >/dev/null &
	cat "$work/here.out" >"$work/result" &
	exec 8>"$work/there.in" 9>"$work/here.in"
	wait_for grep -q "guest: idle\|guest: dirty" "$work/here.serial"
	wait_for listens $port
	sleep 1
	before=$(($(cpu_us $here) + $(cpu_us $there)))
	echo "migrate_set_parameter max-bandwidth ${3%B}B" >&9
	echo "migrate_set_parameter downtime-limit 300" >&9
	echo "migrate tcp:127.0.0.1:$port" >&9
	echo "info migrate" >&9
	wait_for grep -q "^total time" "$work/result"
	after=$(($(cpu_us $here) + $(cpu_us $there)))
	echo quit >&9
	echo quit >&8
	exec 8>&- 9>&-
	wait $here $there || :
	tr '\r' '\n' <"$work/result" | awk -v what="$1" -v mib="$2" \
		-v cpu=$((after - before)) '
		/^total time:/ { total = $3 }
		/^downtime:/ { down = $2 }
		END {
			printf "%s\tqemu\t%s\t%s000\t%s\t%s000\n", what, mib,
				total, cpu, down
		}'
}

# both WHAT MIB BANDWIDTH PARAMETERS [INITRD]: lkvm, and QEMU where it is.
both()
{
	lkvm_moves "$@"
	! command -v qemu-system-x86_64 >/dev/null || qemu_moves "$@"
}

"$O/tests/bench/migrate_bench" "$rounds" "$mib"
if ! [ -e "$guest" ] || ! [ -w /dev/kvm ]; then
	note "migrate: no guests: /dev/kvm cannot be used"
	exit 0
fi
head -c "${small}M" /dev/urandom >"$work/initrd"
round=0
while [ $round -lt "$rounds" ]; do
	both random $((small + 512)) 100G test=idle "$work/initrd"
	both idle 512 100G test=idle
	both dirty 512 "$link" "test=dirty mem=128 rate=$half"
	round=$((round + 1))
done
