# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# in-guest.sh - what measures in a Linux guest under several monitors share
#
# To be sourced from the project's root, after tests/lib/common.sh, by a script
# with the functions
#
#   start MONITOR WHAT   replaces the shell by that monitor with a guest, whose
#                        console is on standard input and output
#
# and the variables seconds (of each job) and jobs, of which tests/bench/guest-init
# says more.
#
# The kernel is Debian's where the processor virtualizes. Elsewhere it must be
# one that does without: LKVM_GUEST_KERNEL names it (bzImage, 64-bit user space,
# one CPU). The script ends here, with a word why, where there is none.
#
# Sets kernel, initrd, append (kernel parameters) and work, a folder that goes at
# the end.

# shellcheck disable=SC2154 # the script's
O=${O:-build}
ticks=$(getconf CLK_TCK)
job_number=$(echo "$jobs" | tr , '\n' | wc -l)
limit=$(((seconds + 2) * job_number + 60))

level=$(sh tests/system/level.sh)
if [ -n "${LKVM_GUEST_KERNEL:-}" ]; then
	kernel=$LKVM_GUEST_KERNEL
	[ -r "$kernel" ] || die "$kernel cannot be read (LKVM_GUEST_KERNEL)"
elif [ "${level%%:*}" = direct ]; then
	kernel=$(sh tests/system/kernel.sh)/vmlinuz
else
	note "guest: not measured: ${level#*: };" \
		"name a kernel that needs none by LKVM_GUEST_KERNEL"
	exit 0
fi
[ -w /dev/kvm ] || {
	note "guest: not measured: /dev/kvm cannot be used"
	exit 0
}
initrd=$(sh tests/bench/initrd.sh)
append="console=ttyS0 panic=-1 quiet printk.time=0 bench.seconds=$seconds bench.jobs=$jobs"

work=$(mktemp -d "${TMPDIR:-/var/tmp}/lkvm-bench.XXXXXX")
pid=
helpers=
# on_exit: a script may have its own.
on_exit()
{
	:
}
cleanup()
{
	# shellcheck disable=SC2086 # numbers
	[ -z "$pid$helpers" ] || kill -9 $pid $helpers 2>/dev/null || :
	on_exit
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# start_lkvm OPTION...: with the devices that these say, and no others.
start_lkvm()
{
	exec "$O/lkvm" run --name "bench-$$" -c 1 -m 512 -k "$kernel" \
		-i "$initrd" -p "$append reboot=k" --nodefaults "$@"
}

# start_qemu OPTION...: the same.
start_qemu()
{
	exec qemu-system-x86_64 -accel kvm -cpu host,-arch-capabilities -M q35 \
		-bios qboot.rom -m 512 -display none -vga none -nodefaults \
		-no-reboot -serial stdio -kernel "$kernel" -initrd "$initrd" \
		-append "$append reboot=k" "$@"
}

# Exits of the guest so far, by lkvm's own count or by the kernel's.
exits()
{
	case $1 in
	lkvm*)
		"$O/lkvm" stat --name "bench-$$" --json 2>/dev/null |
			grep -o '"exits" *: *[0-9]*' |
			awk -F: '{ n += $2 } END { print NR ? n : "-" }'
		;;
	*) cat /sys/kernel/debug/kvm/"$pid"-*/exits 2>/dev/null || echo - ;;
	esac
}

cpu_ticks()
{
	# The name may have blanks; what counts comes after it.
	sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }'
}

# follow MONITOR WHAT: reads the console, and looks at the clocks at each job.
# Prints monitor and what, the job, how much a second, CPU microseconds of the
# monitor's process for each, and exits for each, if they are known.
follow()
{
	while read -r word what job rate rest; do
		[ "$word" = BENCH ] || continue
		case $what in
		begin)
			exits_before=$(exits "$1")
			cpu_before=$(cpu_ticks)
			;;
		end)
			exits_now=$(exits "$1")
			cpu=$(($(cpu_ticks) - cpu_before))
			# A carriage return stands at the end.
			echo "$1/$2 $job ${rate%?} $cpu $exits_before $exits_now"
			;;
		failed:) note "guest: $1 on $2: $job $rate $rest" >&2 ;;
		done*) touch "$work/done" ;;
		esac
	done | awk -v ticks="$ticks" -v seconds="$seconds" '{
		n = $3 * seconds
		exits = $5 == "-" || $6 == "-" || !n ? "-" : \
			sprintf("%.2f", ($6 - $5) / n)
		printf "%s\t%s\t%d\t%.2f\t%s\n", $1, $2, $3,
			n ? $4 * 1000000 / ticks / n : 0, exits
	}'
}

# measure MONITOR WHAT: one guest, all jobs.
measure()
{
	rm -f "$work/done" "$work/console"
	mkfifo "$work/console"
	start "$1" "$2" </dev/null >"$work/console" 2>"$work/err" &
	pid=$!
	( sleep "$limit" && kill -9 "$pid" ) >/dev/null 2>&1 &
	watchdog=$!
	follow "$1" "$2" <"$work/console"
	wait "$pid" 2>/dev/null || :
	pid=
	kill "$watchdog" 2>/dev/null || :
	wait "$watchdog" 2>/dev/null || :
	[ -e "$work/done" ] ||
		note "guest: $1 on $2 did not get to its end: $(tail -n 1 "$work/err")"
}
