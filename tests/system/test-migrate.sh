#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test-migrate.sh - a stock kernel goes from host to host under I/O
#
# Two network namespaces, joined by a veth pair, are the hosts; each has its own
# folder for control sockets, so that a machine keeps its name. They share the
# disks. What each lkvm writes to its standard output is kept apart: so one sees
# who had the console, and all of it together is what the guest has said.

if [ "$(id -u)" != 0 ]; then
	exec unshare -r "$0"
fi

. tests/lib/tap.sh
. tests/system/machine.sh

port=4444
delay='delay 1ms loss 0.1%'

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

connect_hosts()
{
	./ip link add east type veth peer name west &&
	for host in east west; do
		./ip link set $host netns "$(cat $host/pid)" &&
		on $host ./ip address add "$(address $host)/24" dev $host &&
		on $host ./ip link set $host up || return
	done
}

# link COMMAND [OPTION...]: how each sends to the other.
link()
{
	command=$1
	shift
	for host in east west; do
		on $host ./tc qdisc "$command" dev $host root netem "$@" ||
			return
	done
}

remove_hosts()
{
	for host in east west; do
		[ ! -e $host/pid ] || kill "$(cat $host/pid)"
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

# receive HOST N: lkvm receive in the background, for the hop N.
receive()
{
	next=$name.$2
	rm -f "$next.in"
	mkfifo "$next.in"
	on "$1" timeout "$machine_limit" ./lkvm receive \
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
migrate()
{
	on "$here" ./lkvm migrate -n "$name" --to "$(address "$there"):$port" \
		"$@" >hop 2>hop.err
}

# is NAME GOT WANTED
is()
{
	[ "$2" = "$3" ] || {
		echo "$1: $2 instead of $3"
		return 1
	}
}

# arrived N: hop has succeeded; the machine is there, and not here any more.
arrived()
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
	tell hop "$1" "$(date +%s)"
}

# hop N OPTION...
hop()
{
	number=$1
	shift
	receive "$there" "$number" && migrate "$@" && arrived "$number"
}

# hop_while N WORD: the guest does that while it goes: "reset" of a controller,
# "unplug" of processors.
hop_while()
{
	receive "$there" "$1" || return
	migrate --bandwidth 40M &
	migrating=$!
	sleep 0.5
	type_line "$2 $1"
	wait $migrating
	is "exit code of lkvm migrate" $? 0 && arrived "$1" &&
	cat "$name".*.log | grep "^$2 $1 done"
}

# broken N: the link breaks on the way after the hop N, and the user gives it up.
broken()
{
	receive "$there" "$1.broken" || return
	migrate --bandwidth 10M &
	migrating=$!
	sleep 1
	on "$here" ./ip link set "$here" down &&
	sleep 1 &&
	on "$here" ./lkvm migrate -n "$name" --cancel &&
	on "$here" ./ip link set "$here" up || return
	wait $migrating
	is "exit code of lkvm migrate" $? 1 || return
	wait "$next_pid"
	is "exit code of lkvm receive" $? 1 &&
	is "state at the source" "$(state "$here")" running &&
	is "state at the destination" "$(state "$there")" "" || return
	exec 9>&-
	tell reset "$1"
}

# ---- the way ----------------------------------------------------------------

# way CPUS: one line for each thing to do, and what to do it with. What links and
# users do to a migration is the same on all architectures: on arm64 only what the
# guest has to do with it, and all with LKVM_LONG=1.
way()
{
	case $(uname -m)${LKVM_LONG:-}:$1 in
	aarch64:1)
		echo event 0
		for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			case $n in
			3 | 13) echo hop $n --channels 4 ;;
			5) printf '%s 5\n' hop count ;;
			6 | 11 | 17) echo hop_while $n reset ;;
			*) echo hop $n ;;
			esac
		done
		echo event 20
		;;
	aarch64:*)
		cat <<-END
			hop 1
			hop 2 --channels 4
			count 2
			hop_while 3 reset
			hop_while 4 unplug
			event 4
		END
		;;
	*:1)
		cat <<-END
			event 0
			hop 1
			hop 2 --channels 1
			hop 3 --channels 4
			event 3
			hop 4
			hop 5
			count 5
			link add $delay
			hop 6
			hop 7 --channels 4
			link del
			hop_while 8 reset
			hop 9
			reset 9
			hop 10
			hop_while 11 reset
			event 11
			broken 11
			hop 12
			hop_while 13 reset
			hop 14
			reset 14
			hop 15
			hop 16
			hop_while 17 reset
			hop 18
			hop 19
			hop 20
			event 20
		END
		;;
	*)
		cat <<-END
			hop 1
			hop 2 --channels 4
			event 2
			count 2
			hop_while 3 reset
			hop 4
			reset 4
			hop_while 5 unplug
			hop 6
			event 6
		END
		;;
	esac
}

do_step()
{
	case $1 in
	hop | hop_while | broken | link) "$@" ;;
	*) tell "$@" ;;
	esac
}

# The last hop's, for a reader.
tell_figures()
{
	sed -n "s/^$name runs at/# moved to/p" hop
	: >hop
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

run_guest()
{
	name=move$1
	here=east
	there=west
	next=$name.0
	way "$1" >steps
	hops=$(grep -c '^hop' steps)
	new_disk disk.img
	rm -f second.img third.img
	truncate -s 64M second.img third.img
	machine_host=$(at $here)
	machine_start "$name.0" -c "$1" \
		--nvme disk.img,serial=tests,ns=second.img --nvme third.img \
		-p "$(machine_exec "CPUS=$1 SERIAL=tests \
			HOPS=$hops sh /tests/all migrate.sh dmesg.sh")"
	failed=$tap_failed
	check "$1 cpu: fio is under way" machine_says '^moveme'
	while read -r step <&7 && [ "$failed" = "$tap_failed" ]; do
		# shellcheck disable=SC2086
		check "$1 cpu: $step" do_step $step
		tell_figures
	done 7<steps
	if [ "$failed" = "$tap_failed" ]; then
		type_line end
	else
		give_up
	fi
	machine_wait
	same "$1 cpu: the last lkvm ends with" "$machine_code" 0
	# What all of them wrote is what the guest has said.
	for part in $(seq 0 "$hops"); do
		[ ! -e "$name.$part.log" ] || cat "$name.$part.log"
	done >"$name.log"
	machine=$name
	guest_tests "$1 cpu"
}

trap remove_hosts EXIT
: >hop
make_host east
make_host west
check "the hosts are connected" connect_hosts
for cpus in $GUEST_CPUS; do
	run_guest "$cpus"
done
tap_done
