#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test-virtio.sh - a stock kernel with every virtio device, alone and on the move
#
# Three network namespaces: the two hosts of hosts.sh, each with a bridge that
# its end of a veth pair and the guest's tap are plugged into, and lan, whose
# bridge has the other ends. So the guest's tap is on the same network wherever
# it is. What passt sends goes by way of that bridge, too. In lan there is who
# answers the guest.

if [ "$(id -u)" != 0 ]; then
	exec unshare -r "$0"
fi

. tests/lib/tap.sh
. tests/system/machine.sh
. tests/system/hosts.sh

PATH=$PWD:$PATH
name=virtio
port=4444
machine_limit=${MACHINE_LIMIT:-600}
here=east
there=west
guest=198.51.100.100
mac=02:00:00:00:00:64

# ---- the network ------------------------------------------------------------

# make_bridge HOST
make_bridge()
{
	on "$1" ./ip link set lo up &&
	on "$1" ./ip link add bridge type bridge &&
	on "$1" ./ip link set bridge up
}

# plug HOST PORT
plug()
{
	on "$1" ./ip link set "$2" master bridge &&
	on "$1" ./ip link set "$2" up
}

make_network()
{
	for host in lan east west; do
		make_host $host
	done
	make_bridge lan &&
	on lan ./ip address add 192.0.2.10/24 dev bridge &&
	on lan ./ip address add 192.0.2.11/24 dev bridge &&
	on lan ./ip address add 198.51.100.10/24 dev bridge || return
	for host in east west; do
		./ip link add $host type veth peer name to-$host &&
		./ip link set $host netns "$(cat $host/pid)" &&
		./ip link set to-$host netns "$(cat lan/pid)" &&
		plug lan to-$host &&
		make_bridge $host &&
		plug $host $host &&
		on $host ./ip tuntap add mode tap name tap0 multi_queue &&
		plug $host tap0 &&
		on $host ./ip address add "$(address $host)/24" dev bridge &&
		on $host ./ip route add default via 192.0.2.10 || return
	done
}

# ---- who answers ------------------------------------------------------------

# serve HOST ADDRESS DOES: socat in the background.
serve()
{
	on "$1" ./socat "$2" "$3" 2>>servers.err &
}

# take HOST IP: takes what is sent there, and tells its checksum.
take()
{
	serve "$1" "TCP-LISTEN:7001,bind=$2,fork,reuseaddr" \
		"SYSTEM:cat >up.$1.part; mv up.$1.part up.$1"
	serve "$1" "TCP-LISTEN:7004,bind=$2,fork,reuseaddr" \
		"SYSTEM:sha256sum <up.$1"
}

# socket HOST [KIND]: what connects to the guest there.
socket()
{
	echo "$1/lkvm/$name.${2:-vsock}"
}

serve_all()
{
	head -c 1048576 /dev/urandom >down
	serve lan TCP-LISTEN:7000,fork,reuseaddr EXEC:cat
	take lan 192.0.2.11
	serve lan TCP-LISTEN:7002,fork,reuseaddr 'EXEC:cat down'
	serve lan TCP-LISTEN:7003,fork,reuseaddr 'SYSTEM:sha256sum <down'
	on lan sh tests/system/guest/stream stream TCP-LISTEN:7100,reuseaddr \
		stream.copy 2>>servers.err &
	for host in east west; do
		mkdir -p $host/lkvm
		chmod 700 $host/lkvm
		rm -f "$(socket $host)"_5000 "$(socket $host)"_5001
		take $host 127.0.0.1
		serve $host "UNIX-LISTEN:$(socket $host)_5000,fork" EXEC:cat
		serve $host "UNIX-LISTEN:$(socket $host)_5001,fork" EXEC:'sleep 1000'
	done
}

# soon COMMAND...: it succeeds at last.
soon()
{
	for _ in $(seq 120); do
		! "$@" || return 0
		machine_runs || break
		sleep 0.5
	done
	return 1
}

# ---- what comes in ----------------------------------------------------------

# sends BYTES ADDRESS: what lan sends there arrives, and so does the answer.
sends()
{
	head -c "$1" /dev/urandom >sent
	on lan ./socat -t 60 - "$2" <sent >got || return
	is "checksum" "$(cat got)" "$(sha256sum <sent)"
}

same_sums()
{
	wc -c "$1" "$2"
	[ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]
}

# asks BYTES PORT: what is sent to the guest by the socket comes back.
asks()
{
	head -c "$1" /dev/urandom >sent
	(echo "CONNECT $2"; cat sent) |
		./socat -t 60 - "UNIX-CONNECT:$(socket "$here")" >answer || return
	head -n 1 answer | grep '^OK [0-9]*$' || return
	tail -c +$(($(head -n 1 answer | wc -c) + 1)) answer >got
	same_sums sent got
}

# nobody PORT: the guest does not listen there, and that is all there is to it.
nobody()
{
	echo "CONNECT $1" |
		./socat -t 60 - "UNIX-CONNECT:$(socket "$here")" >answer 2>&1
	is "answer" "$(wc -c <answer)" 0
}

# come_in WHEN: all ways into the guest.
come_in()
{
	check "$1: a port of the host leads into the guest" \
		sends 262144 "TCP:$(address "$here"):2222"
	check "$1: a connection to the guest over the tap" \
		sends 262144 "TCP:$guest:22"
	check "$1: a connection to the guest by the socket" asks 102400 1234
	check "$1: the port sends back what it gets" port_answers 102400
}

# has FILE BYTES
has()
{
	[ "$(wc -c <"$1")" -ge "$2" ]
}

# port_answers BYTES: what is sent to the guest's port comes back. There is no end
# of it: the client is to go when it has all.
port_answers()
{
	head -c "$1" /dev/urandom >sent
	: >got
	./socat -t 60 - "UNIX-CONNECT:$(socket "$here" port)" <sent >got &
	client=$!
	soon has got "$1"
	kill $client
	wait $client
	same_sums sent got
}

# paste LINES: all at once, by the terminal and hvc0.
paste()
{
	head -c $(($1 * 57)) /dev/urandom | base64 -w 76 >sent
	type_line "paste 0 $1" && says "$machine.log" 'paste 0 ready' \
		"$machine_pid" && (cat sent >&8) &&
	says "$machine.log" 'paste 0 done' "$machine_pid" &&
	is "checksum" "$(sed -n 's/^pasted \([^\r]*\).*/\1/p' "$machine.log" | tr -d '\r')" \
		"$(sha256sum <sent)"
}

# greet: the guest says something on hvc0.
greet()
{
	type_line "hello 0" &&
	says "$machine.log" '^to hvc0' "$machine_pid" &&
	type_line seen &&
	says "$machine.log" '^hello 0 done' "$machine_pid"
}

consoles()
{
	check "console: a paste of 100 KiB" paste 1800
	check "console: what the guest writes to hvc0" greet
	check "port: 1 MiB there and back" port_answers 1048576
}

# ---- memory -----------------------------------------------------------------

# rss: MiB of the host's memory that the machine has.
rss()
{
	pid=$(on "$here" ./lkvm list |
		awk -v name="$name" '$2 == name { print $1 }')
	awk '/^VmRSS:/ { print int($2 / 1024) }' "/proc/$pid/status"
}

rss_is()
{
	now=$(rss)
	echo "$now MiB, wanted $1 $2"
	test "$now" "$1" "$2"
}

# balloon OPTION...: what it takes, in MiB.
balloon()
{
	on "$here" ./lkvm balloon -n "$name" "$@" |
		sed -n 's/.*takes \([0-9]*\) MiB of.*/\1/p'
}

takes()
{
	now=$(balloon)
	echo "takes $now MiB, wanted $1"
	[ "$now" = "$1" ]
}

# stat KEY: what the guest says of its memory, in MiB.
stat_of()
{
	on "$here" ./lkvm stat -m -n "$name" |
		awk -v key="$1" '$1 == key { print int($2 / 1048576) }'
}

says_free()
{
	now=$(stat_of available-bytes)
	echo "says $now MiB, wanted $1 $2"
	test "$now" "$1" "$2"
}

reporting()
{
	check "memory: 80 MiB are used" tell fill 1 80
	used=$(rss)
	check "memory: and are not any more" tell free 2
	check "memory: free pages go back by themselves" \
		soon rss_is -le $((used - 60))
}

inflating()
{
	check "balloon: the disk fills the guest's memory" tell cache 3 110
	used=$(rss)
	same "balloon: it takes nothing" "$(balloon)" 0
	check "stat -m: the guest's memory" \
		[ "$(stat_of total-bytes)" -ge 180 -a \
			"$(stat_of total-bytes)" -le 256 ]
	# A busy guest may not have told yet what it has now.
	check "stat -m: what was freed is available" soon says_free -ge 120
	available=$(stat_of available-bytes)
	balloon --inflate 120 >/dev/null
	check "balloon: inflates" soon takes 120
	check "balloon: the host has that memory back" \
		soon rss_is -le $((256 - 120 + 16))
	check "balloon: which is less than before" rss_is -le $((used - 16))
	check "stat -m: the guest has less" soon says_free -le $((available - 90))
	balloon --deflate 80 >/dev/null
	check "balloon: deflates" soon takes 40
	check "stat -m: the guest has more" soon says_free -ge $((available - 80))
	used=$(rss)
	check "balloon: the memory is used again" tell fill 4 80
	check "balloon: so the host has less" rss_is -ge $((used + 16))
	check "balloon: it is free again" tell free 5
}

# ---- on the move ------------------------------------------------------------

# goes_on: the connection that lasts has bytes for us.
goes_on()
{
	before=$(wc -c <stream.copy)
	soon more_than "$before"
}

more_than()
{
	now=$(wc -c <stream.copy)
	echo "$now bytes after $1"
	[ "$now" -gt $(($1 + 65536)) ]
}

# port_there: both hosts have the same files, so each has a socket of its own.
port_there()
{
	receive_options="--virtio-console 0=path=$(socket "$there" port)"
}

move()
{
	port_there
	check "hop $*" hop "$@"
	sed -n "s/^$name runs at/# moved to/p" hop
	check "hop $1: the connection goes on" goes_on
	come_in "hop $1"
	check "hop $1: the balloon takes what it took" takes 40
}

save_and_restore()
{
	check "it is saved" on "$here" ./lkvm snapshot -n "$name" --stop vm.snap
	machine_ends "lkvm ends with" 0
	machine_host=$(at "$here")
	machine_restore vm.snap
	check "it goes on" tell hop 3
	come_in restored
	check "restored: the connection goes on" goes_on
	check "restored: the balloon takes what it took" takes 40
}

finish()
{
	touch stream/stop
	check "the connection comes to its end" tell stop 6
	for _ in $(seq 30); do
		[ ! -e stream/got ] || [ ! -e stream/sent ] || break
		sleep 1
	done
	cat "$name".*.log | tr -d '\r' >stream.said
	same "all that the guest has sent has come" "$(cat stream/got)" \
		"$(sed -n 's/^stream sent //p' stream.said)"
	same "all that was sent to the guest has come" "$(cat stream/sent)" \
		"$(sed -n 's/^stream got //p' stream.said)"
	echo "# sent and got: $(cat stream/got stream/sent | cut -d ' ' -f 1 |
		tr '\n' ' ')bytes"
}

# known: lan's bridge has seen the guest's address where it is now.
known()
{
	on lan ./bridge fdb show | grep "^$mac"
	on lan ./bridge fdb show dev "to-$here" | grep -q "^$mac"
}

# The guest has nothing to send then: who else could have told the bridge.
move_quietly()
{
	receive "$there" 4 && migrate && taken_over || return
	soon known && tell hop 4
}

quiet_move()
{
	port_there
	check "hop 4: the guest's new place is announced" move_quietly
	come_in "hop 4"
}

# steps COMMAND...: one after the other, as long as all goes well.
steps()
{
	for step; do
		[ "$tap_failed" = 0 ] || break
		# shellcheck disable=SC2086
		$step
		read -r up _ </proc/uptime
		echo "# $step: done at $up s"
	done
}

trap remove_hosts EXIT
rm -rf stream stream.copy
: >stream.copy
: >hop
next=$name.0
check "the network is made" make_network
serve_all
new_disk disk.img
rm -f second.img vda.img vdb.img vm.snap*
truncate -s 32M second.img
truncate -s 32M vda.img
truncate -s 128M vdb.img
machine_host=$(at $here)
# Debian's driver of hvc0 is a module: until it is loaded there is ttyS0.
machine_params="$machine_params console=ttyS0 console=hvc0"
machine_start "$name.0" -c 2 --nvme disk.img,serial=tests,ns=second.img \
	--disk vda.img --disk vdb.img --balloon --vsock 3 \
	--network user,hostfwd=tcp::2222-:22 \
	--network "tap,tapif=tap0,mq=2,guest_mac=$mac" \
	--console virtio --virtio-console "echo,path=$(socket $here port)" \
	-p "$(machine_exec "CPUS=2 sh /tests/all virtio.sh dmesg.sh")"
check "all devices were tried" machine_says '^tried'
check "a port of the guest where nobody listens" nobody 4321
come_in start
steps consoles reporting inflating 'check busy tell busy 0' 'move 1' 'move 2 --channels 4' save_and_restore finish \
	quiet_move
if [ "$tap_failed" = 0 ]; then
	type_line end
else
	give_up
fi
machine_wait
same "the last lkvm ends with" "$machine_code" 0
whole_log 4
guest_tests "guest"
tap_done
