# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# machine.sh - to start guests and see what becomes of them; to be sourced
#
# The tests that source it run in a folder with lkvm, vmlinuz and root.img: on
# the machine itself, or in the emulated outer machine, where busybox has to do
# for all tools. From here on they are in a folder of their own below that, with
# links to all of it: two tests may run at once.

# Up to this many seconds for anything that a guest does as a whole.
machine_limit=${MACHINE_LIMIT:-300}
machine_mark=@@$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' ')
# On a busy host a processor may not run for long, and an arm64 guest's clock is
# put forward when it was saved, of which its kernel has no way to be told: it is
# not to take either for a hang.
machine_patience='rcupdate.rcu_cpu_stall_timeout=150 watchdog_thresh=60'
machine_params='quiet loglevel=1 panic=-1 no_timer_check iomem=relaxed'
machine_params="$machine_params $machine_patience"

# Its name is short: a socket's path has room for 107 characters.
machine_dir=${0##*/test-}
machine_dir=$PWD/${machine_dir%.sh}.dir
mkdir -p "$machine_dir"
for file in "$PWD"/*; do
	case $file in
	*.dir) ;;
	*) ln -sf "$file" "$machine_dir/" ;;
	esac
done
cd "$machine_dir" || exit

# new_disk FILE: a fresh root disk.
new_disk()
{
	rm -f "$1"
	cp root.img "$1"
}

# machine_start NAME OPTION...: starts a machine in the background. It reads its
# console from the fifo NAME.in, and writes it to NAME.log. Its own name is that
# up to a dot. The words in machine_host stand before the command.
machine_start()
{
	machine=$1
	shift
	rm -f "$machine.in" "$machine.log"
	mkfifo "$machine.in"
	# shellcheck disable=SC2086
	timeout "$machine_limit" ${machine_host:-} ./lkvm run \
		--name "${machine%%.*}" -k vmlinuz -m 256 "$@" \
		<"$machine.in" >"$machine.log" 2>"$machine.err" &
	machine_pid=$!
	# Held open, or the console would see the end of its input.
	exec 8>"$machine.in"
}

# machine_restore OPTION...: the machine goes on; as machine_start.
machine_restore()
{
	# shellcheck disable=SC2086
	timeout "$machine_limit" ${machine_host:-} ./lkvm restore "$@" \
		<"$machine.in" >>"$machine.log" 2>>"$machine.err" &
	machine_pid=$!
	exec 8>"$machine.in"
}

# machine_exec COMMAND: the kernel parameters that make the guest run it.
machine_exec()
{
	echo "$machine_params lkvm.mark=$machine_mark" \
		"lkvm.exec=$(printf '%s' "$1" | base64 | tr -d '\n')"
}

# machine_says TEXT: waits until the console has it.
machine_says()
{
	waited=0
	alive=1
	until grep -q -e "$1" "$machine.log"; do
		if [ -z "$alive" ] || [ "$waited" -gt "$machine_limit" ]; then
			machine_trouble "did not say \"$1\""
			return 1
		fi
		sleep 1
		waited=$((waited + 1))
		# One look more after its end.
		machine_runs || alive=
	done
}

# machine_runs: whether it has not ended; one that nobody waited for has.
machine_runs()
{
	grep -q '^State:[^Z]*$' "/proc/$machine_pid/status" 2>/dev/null
}

# machine_wait: waits for its end. Its exit code is in machine_code, 124 if it
# did not end in time.
machine_wait()
{
	wait "$machine_pid"
	# For the script that sources this one.
	# shellcheck disable=SC2034
	machine_code=$?
	exec 8>&-
}

# machine_ends NAME CODE: waits for its end, and it must be this one.
machine_ends()
{
	machine_wait
	same "$1" "$machine_code" "$2"
	[ "$machine_code" = "$2" ] || machine_trouble "ended with $machine_code"
}

# machine_trouble WHY: what is known of a machine that did not do as told.
machine_trouble()
{
	echo "# $machine: $1"
	sed 's/^/# stderr: /' "$machine.err"
	tail -n 30 "$machine.log" | tr -d '\r' | sed 's/^/# console: /'
}

# guest_output: what the command in the guest printed.
guest_output()
{
	tr -d '\r' <"$machine.log" |
		sed -n "/$machine_mark begin\$/,\$p" |
		sed "1d; /^$machine_mark end/,\$d"
}

# guest_code: the exit code of the command in the guest, or nothing.
guest_code()
{
	tr -d '\r' <"$machine.log" |
		sed -n "s/^$machine_mark end \([0-9]*\)\$/\1/p"
}

# guest_tests TITLE: takes over the results of tests that ran in the guest.
guest_tests()
{
	guest_output >"$machine.tap"
	while read -r line; do
		case $line in
		"ok "*)
			tap_result ok "$1: ${line#* - }"
			;;
		"not ok "*)
			tap_failed=$((tap_failed + 1))
			tap_result "not ok" "$1: ${line#* - }"
			;;
		1..*)
			guest_plan=${line#1..}
			;;
		*)
			echo "$line"
			;;
		esac
	done <"$machine.tap"
	same "$1: as many results as planned" \
		"$(grep -c '^ok \|^not ok ' "$machine.tap")" \
		"${guest_plan:-a plan}"
	[ -n "$(guest_code)" ] || machine_trouble "the tests did not end"
}
