# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
#
# hosts.sh - hosts that a machine moves between; to be sourced
#
# A host is a network namespace and a folder of its own for control sockets, so
# that a machine keeps its name. They share the disks. What each lkvm writes to
# its standard output is kept apart: so one sees who had the console, and all of
# it together is what the guest has said.
#
# Needs tap.sh and machine.sh. Who sources it sets name, the machine's; here and
# there, the hosts; port, where a machine is waited for; and makes the namespaces
# see each other.

# ---- the hosts --------------------------------------------------------------

# address HOST
address()
{
	case $1 in
	east) echo 192.0.2.1 ;;
	west) echo 192.0.2.2 ;;
	esac
}

other()
{
	case $1 in
	east) echo west ;;
	west) echo east ;;
	esac
}

# at HOST: the words before a command that runs there.
at()
{
	echo "env XDG_RUNTIME_DIR=$PWD/$1 nsenter -t $(cat "$1/pid") -n -F"
}

# on HOST COMMAND...
on()
{
	on_host=$1
	shift
	$(at "$on_host") "$@"
}

# A namespace lives as long as a process in it.
make_host()
{
	mkdir -p "$1"
	chmod 700 "$1"
	unshare -n sleep 10000 &
	echo $! >"$1/pid"
	while [ "$(readlink "/proc/$!/ns/net")" = \
		"$(readlink /proc/self/ns/net)" ]; do
		sleep 0.1
	done
}

# With all that runs there; a number may be that of another process by now.
remove_hosts()
{
	for host in */pid; do
		[ -e "$host" ] || continue
		space=$(readlink "/proc/$(cat "$host")/ns/net") || continue
		[ "$space" != "$(readlink /proc/self/ns/net)" ] || continue
		for process in /proc/[0-9]*; do
			[ "$(readlink "$process/ns/net")" != "$space" ] ||
				kill "${process#/proc/}"
		done
		rm "$host"
	done 2>/dev/null
}

# link COMMAND [OPTION...]: how each sends to the other, by the interface that has
# the host's name.
link()
{
	command=$1
	shift
	for host in east west; do
		on $host ./tc qdisc "$command" dev $host root netem "$@" ||
			return
	done
}

# ---- one hop ----------------------------------------------------------------

# says FILE TEXT PID: waits until the process has written that to the file. Each
# of them has its time limit.
says()
{
	alive=1
	until grep -q -e "$2" "$1"; do
		if [ -z "$alive" ]; then
			echo "$1: does not say \"$2\""
			return 1
		fi
		sleep 0.2
		# One look more after its end.
		grep -q '^State:[^Z]*$' "/proc/$3/status" 2>/dev/null || alive=
	done
}

# type_line LINE: on the guest's console; nobody may be there to read it.
type_line()
{
	(echo "$1" >&8)
}

# tell WORD N [REST]: has the guest do something.
tell()
{
	type_line "$*" &&
	says "$machine.log" "^$1 $2 done" "$machine_pid"
}

# receive HOST N: lkvm receive in the background, for the hop N, with the words in
# receive_options.
receive()
{
	next=$name.$2
	rm -f "$next.in"
	mkfifo "$next.in"
	# shellcheck disable=SC2086
	on "$1" timeout "$machine_limit" ./lkvm receive ${receive_options:-} \
		--listen "$(address "$1"):$port" \
		<"$next.in" >"$next.log" 2>"$next.err" &
	next_pid=$!
	exec 9>"$next.in"
	says "$next.err" 'waiting for a machine' "$next_pid"
}

# state HOST: of the machine there; nothing if there is none.
state()
{
	on "$1" ./lkvm list | awk -v name="$name" '$2 == name { print $3 }'
}

# migrate OPTION...: to where it is waited for; what it says is in the file hop.
# Where processors are emulated, little is sent in the time that a guest may stand
# still for: it is given more, or it would go round and round.
migrate()
{
	on "$here" ./lkvm migrate -n "$name" --to "$(address "$there"):$port" \
		--downtime 1000 "$@" >hop 2>hop.err
}

# is NAME GOT WANTED
is()
{
	[ "$2" = "$3" ] || {
		echo "$1: $2 instead of $3"
		return 1
	}
}

# taken_over: hop has succeeded; the machine is there, and not here any more.
taken_over()
{
	grep "$name runs at" hop || return
	wait "$machine_pid"
	is "exit code of the source" $? 0 &&
	grep -q "$name runs at $(address "$there"):$port now" "$machine.err" &&
	grep -q "$name was handed over and runs" "$next.err" &&
	is "state at the source" "$(state "$here")" "" &&
	is "state at the destination" "$(state "$there")" running || return
	exec 8>&9 9>&-
	machine=$next
	machine_pid=$next_pid
	here=$there
	there=$(other "$here")
}

# arrived N: so the guest says, too.
arrived()
{
	taken_over && tell hop "$1" "$(date +%s)"
}

# hop N OPTION...
hop()
{
	number=$1
	shift
	receive "$there" "$number" && migrate "$@" && arrived "$number"
}

# whole_log HOPS: what all of them wrote is what the guest has said.
whole_log()
{
	for part in $(seq 0 "$1"); do
		[ ! -e "$name.$part.log" ] || cat "$name.$part.log"
	done >"$name.log"
	machine=$name
}

# Something went wrong: what is known, and no machine is left.
give_up()
{
	machine_trouble "did not get to its end"
	sed 's/^/# destination: /' "$next.err"
	for host in east west; do
		on $host ./lkvm stop --force -n "$name"
	done
}
