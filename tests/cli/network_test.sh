#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# network_test.sh - network cards: what is asked for badly, and helpers that fail
#
# A passt of our own stands in for the real one where its end is what matters.

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"
kvm_or_skip

mkdir bin

# net NAME CODE PATTERN OPTIONS: lkvm refuses that card.
net()
{
	bad "$1" "$2" "$3" run --name net -k "$GUEST" -m 64 -c 1 \
		--network "$4"
}

# fake_passt SCRIPT: what is found as passt from now on.
fake_passt()
{
	printf '#!/bin/sh\n%s\n' "$1" >bin/passt
	chmod +x bin/passt
}

# start_card PATTERN WORD...: runs the guest until it has said that; its
# messages so far are in err.now, its counters in counters.
start_card()
{
	start_pattern=$1
	shift
	PATH="$work/bin:$PATH" "$LKVM" run --name net -k "$GUEST" -m 64 -c 1 \
		-p test=idle "$@" </dev/null >out 2>err &
	card_pid=$!
	for _ in $(seq 200); do
		! grep -q -e "$start_pattern" err || break
		sleep 0.05
	done
	"$LKVM" stat -n net >counters 2>&1
	cp err err.now
}

# refuse_text TEXT FILE...: that is in none of the files.
refuse_text()
{
	! grep -q -e "$@"
}

stop_card()
{
	"$LKVM" stop -n net --force >/dev/null 2>&1
	wait "$card_pid"
}

# ---- words ----------------------------------------------------------------------

net "mode that is none" 2 "mode" mode=frob
net "MAC of a group" 2 "network: guest_mac: MAC address 03:.* is that of a group" \
	mode=user,guest_mac=03:15:15:15:15:15
net "MAC of nobody" 2 "network: guest_mac: MAC address 00:.* is that of nobody" \
	mode=user,guest_mac=00:00:00:00:00:00
net "MAC that is none" 2 "network: guest_mac: \"02:15\" is no MAC address" \
	mode=user,guest_mac=02:15
net "MAC with more behind" 2 "is no MAC address" \
	mode=user,guest_mac=02:15:15:15:15:15:15
net "MAC in words" 2 "is no MAC address" mode=user,guest_mac=xx:yy
net "MAC of the host's end" 2 "network: host_mac: MAC address ff:.* of a group" \
	mode=tap,host_mac=ff:ff:ff:ff:ff:ff
net "no pairs of queues" 2 "mq=0: out of range, give 1 to 8" mode=tap,mq=0
net "too many pairs of queues" 2 "mq=9: out of range" mode=tap,mq=9
for key in mq=2 fd=5 tapif=tap0 script=none downscript=none; do
	net "passt and $key" 2 "network: mode=user: .* belong to mode=tap" \
		"mode=user,$key"
done
net "a forwarded port with a tap" 2 \
	"network: mode=tap: hostfwd= and guest_ip= belong to mode=user" \
	mode=tap,hostfwd=tcp::2222-:22
net "a guest's address with a tap" 2 "network: mode=tap: .* belong to mode=user" \
	mode=tap,guest_ip=192.168.33.15
net "a descriptor and a name" 2 "network: fd=5: is one open interface" \
	mode=tap,fd=5,tapif=tap0
net "vhost" 2 "network: vhost=1: " mode=tap,vhost
net "other transport" 2 "trans=mmio: give pci" mode=tap,trans=mmio
net "MTU too small" 2 "network: mtu=40: is below 68" mode=tap,mtu=40
net "MTU too large" 2 "mtu=65536: out of range" mode=tap,mtu=65536
net "gateway that is none" 2 "network: host_ip=nowhere: is no IPv4 address" \
	mode=user,host_ip=nowhere
net "address of a tap that is none" 2 "network: host_ip=1: is no IPv4 address" \
	mode=tap,host_ip=1
net "name of an interface too long" 2 "network: tapif=xxxxxxxxxxxxxxxx: " \
	mode=tap,tapif=xxxxxxxxxxxxxxxx
net "descriptor that is none" 1 "network0: fd=77: is no open tap interface" \
	mode=tap,fd=77
bad "too many cards" 2 "a machine has at most 8 of them" run -k "$GUEST" \
	-n none -n none -n none -n none -n none -n none -n none -n none -n none

# ---- ports ----------------------------------------------------------------------

fake_passt 'exec sleep 60'
PATH="$work/bin:$PATH"
for rule in tcp sctp:1-2 tcp:22 tcp::0-:22 tcp::65536-:22 tcp::22-:0 \
	tcp::-:22 tcp::22-: tcp::x-:22 tcp::123456-:1; do
	net "port that cannot be: $rule" 2 "network: hostfwd=$rule: write" \
		"mode=user,hostfwd=$rule"
done
net "port of an address that is none" 2 \
	"network: hostfwd=.*: \"1.2.3\" is no IP address" \
	mode=user,hostfwd=tcp:1.2.3:2222-:22
net "port of an address that is not ours" 1 \
	"network0: hostfwd=.*: TCP port 2222 of this host: Cannot assign" \
	mode=user,hostfwd=tcp:203.0.113.7:2222-:22
net "address that is none" 2 "network: guest_ip=1.2: is no IPv4 address" \
	mode=user,guest_ip=1.2
if command -v perl >/dev/null; then
	perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 1,
		LocalAddr => "127.0.0.1"); open F, ">", "port";
		print F $s->sockport; close F; rename "port", "port.is";
		sleep 30' &
	listener=$!
	while [ ! -s port.is ]; do
		sleep 0.1
	done
	net "port in use" 1 \
		"network0: hostfwd=.*: TCP port $(cat port.is) of this host: Address already in use" \
		"mode=user,hostfwd=tcp:127.0.0.1:$(cat port.is)-:22"
	kill "$listener"
fi

# ---- interfaces -----------------------------------------------------------------

if [ "$(id -u)" = 0 ] && [ -c /dev/net/tun ]; then
	bad "interface of the wrong kind" 1 "network0: tap interface lo: " \
		run -k "$GUEST" -m 64 -c 1 --network tap,tapif=lo
	bad "script that is not there" 1 "network0: /nowhere: No such file" \
		run -k "$GUEST" -m 64 -c 1 --network tap,script=/nowhere
	# shellcheck disable=SC2016 # for the script
	printf '#!/bin/sh\necho "no bridge for $1"\nexit 3\n' >script
	chmod +x script
	bad "script that fails" 1 \
		"network0: /.*/script: exit code 3: no bridge for tap[0-9]" \
		run -k "$GUEST" -m 64 -c 1 --network tap,script=script
fi

# ---- passt ----------------------------------------------------------------------

# one_line PATTERN: the machine has said exactly one line more than usual.
one_line()
{
	[ "$(grep -c -v '^  # lkvm run' err.now)" = 1 ] &&
		grep -q -e "$1" err.now && grep -q network0 counters
}

no_card()
{
	! grep -q network counters
}

is_gone()
{
	for _ in $(seq 50); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# shellcheck disable=SC2016 # for the script
fake_passt 'echo $$ >pid; echo "here I am" >&2; exec sleep 60'
start_card "# lkvm run" --network user
while [ ! -s pid ]; do
	sleep 0.1
done
check "a card has counters" grep -q "network0.*rx-frames" counters
check "passt does not write to the terminal" refuse_text "here I am" out err
kill -9 "$(cat pid)"
for _ in $(seq 100); do
	! grep -q "passt has ended" err || break
	sleep 0.05
done
cp err err.now
check "passt is killed: one line, and the machine runs on" one_line \
	"^lkvm: warning: network0: passt has ended (signal 9); the guest's link is down"
"$LKVM" list >machines
check "the machine is still there" grep -q "net.*running" machines
stop_card

rm pid
start_card "# lkvm run" --network user
while [ ! -s pid ]; do
	sleep 0.1
done
stop_card
check "passt ends with its machine" is_gone "$(cat pid)"

fake_passt 'echo "first"; echo "External interface not usable" >&2; exit 1'
start_card "passt has ended" --network user
check "passt gives up: one line says why" one_line \
	"network0: passt has ended (External interface not usable); the guest's link is down"
stop_card

fake_passt 'exit 1'
start_card "passt has ended"
check "the default card is one of passt's" one_line \
	"network0: passt has ended (exit code 1)"
check "and stands in the line to paste" grep -q -e \
	"--network mode=user,optional" err.now
stop_card
start_card "# lkvm run" --network none
check "no card with mode=none" no_card
stop_card
start_card "# lkvm run" --nodefaults
check "no card with --nodefaults" no_card
stop_card

# Nothing is found as passt from here on.
real=$LKVM
mkdir empty
printf '#!/bin/sh\nPATH=%s exec %s "$@"\n' "$work/empty" "$real" >lkvm
chmod +x lkvm
LKVM=$work/lkvm
net "no passt, and it was asked for" 1 \
	"network0: passt is not installed (apt-get install passt)" mode=user
start_card "# lkvm run"
check "no passt, and nobody asked: one line" grep -q \
	"^  # no network: passt is not installed (apt-get install passt)" err.now
check "and no card" no_card
stop_card
start_card "# lkvm run" --network user,optional
check "no passt, and a card that may do without: one line" one_line \
	"network0: passt is not installed.*; the guest has no network"
stop_card
LKVM=$real
tap_done
