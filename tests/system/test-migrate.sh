#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test-migrate.sh - a stock kernel goes from host to host under I/O
#
# The two hosts of hosts.sh are joined by a veth pair.

if [ "$(id -u)" != 0 ]; then
	exec unshare -r "$0"
fi

. tests/lib/tap.sh
. tests/system/machine.sh
. tests/system/hosts.sh

port=4444
delay='delay 1ms loss 0.1%'

# ---- the link ---------------------------------------------------------------

connect_hosts()
{
	./ip link add east type veth peer name west &&
	for host in east west; do
		./ip link set $host netns "$(cat $host/pid)" &&
		on $host ./ip address add "$(address $host)/24" dev $host &&
		on $host ./ip link set $host up || return
	done
}

# ---- other hops -------------------------------------------------------------

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
	whole_log "$hops"
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
