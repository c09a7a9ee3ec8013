#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# netns_test.sh - a machine moves between two hosts
#
# The hosts are two network namespaces with a pair of veth devices between them,
# slow and lossy where the kernel has netem. The guest is tests/kvm's that stamps
# and checks its memory and its disk all the time.

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"
kvm_or_skip

one=lkvm-$$-a
two=lkvm-$$-b

# on HOST COMMAND...: run it there.
on()
{
	on_host=$1
	shift
	ip netns exec "$on_host" "$@"
}

remove_hosts()
{
	cleanup
	ip netns del "$one" 2>/dev/null
	ip netns del "$two" 2>/dev/null
}

make_hosts()
{
	ip netns add "$one" && ip netns add "$two" &&
		ip -n "$one" link add eth type veth peer name eth netns "$two" &&
		ip -n "$one" addr add 10.99.0.1/24 dev eth &&
		ip -n "$two" addr add 10.99.0.2/24 dev eth &&
		ip -n "$one" link set eth up && ip -n "$two" link set eth up
}

if ! command -v ip >/dev/null || ! make_hosts >"$tap_output" 2>&1; then
	sed 's/^/# /' "$tap_output"
	remove_hosts
	echo "1..0 # SKIP network namespaces and veth need root, iproute2 and a kernel that has them"
	exit 0
fi
trap remove_hosts EXIT

# wait_for SECONDS PATTERN FILE: until a line of it is there.
wait_for()
{
	for _ in $(seq $(($1 * 10))); do
		grep -q "$2" "$3" 2>/dev/null && return
		sleep 0.1
	done
	tail -n 5 "$3"
	return 1
}

# receive HOST ADDRESS NAME: waits for a machine there.
receive()
{
	rm -f "$3.in"
	mkfifo "$3.in"
	on "$1" "$LKVM" receive --listen "$2:4444" --name "$3" <>"$3.in" \
		>"$3.out" 2>"$3.err" &
	there=$!
	wait_for 10 'waiting for a machine' "$3.err"
}

truncate -s 8M disk
mkfifo m0.in
on "$one" "$LKVM" run --name m0 -k "$GUEST" -c 2 -m 32 --nodefaults \
	--debug-exit -p 'test=stamp cpus=2 beat=20 seed=9' --nvme disk <>m0.in \
	>m0.out 2>m0.err &
here=$!
check "a machine runs" wait_for 30 'guest: beat' m0.out

# ---- there and back ------------------------------------------------------------

for round in 1 2 3 4; do
	if [ $((round % 2)) = 1 ]; then
		from=$one to=$two address=10.99.0.2
	else
		from=$two to=$one address=10.99.0.1
	fi
	if [ "$round" = 3 ]; then
		if on "$one" tc qdisc add dev eth root netem delay 2ms \
			loss 0.2% 2>"$tap_output"; then
			check "the link is slow and lossy" true
		else
			skip "the link is slow and lossy" \
				"the kernel has no netem: $(head -n 1 "$tap_output")"
		fi
	fi
	check "move $round: a place for it" receive "$to" "$address" "m$round"
	check "move $round" on "$from" "$LKVM" migrate -n "m$((round - 1))" \
		--to "$address:4444" --channels "$round"
	wait "$here"
	same "move $round: the source has ended well" $? 0
	check "move $round: the guest goes on" wait_for 30 'guest: beat' \
		"m$round.out"
	here=$there
done

# ---- the link goes down --------------------------------------------------------

check "link down: a place for it" receive "$two" 10.99.0.2 lost
on "$one" "$LKVM" migrate -n m4 --to 10.99.0.2:4444 --bandwidth 2M >result 2>err &
client=$!
sleep 2
start=$(date +%s)
ip -n "$two" link set eth down
wait "$client"
same "link down: the command fails" $? 1
took=$(($(date +%s) - start))
echo "# the source noticed after $took s"
check "link down: within a minute" [ "$took" -lt 60 ]
same "link down: one line" "$(grep -c . err)" 1
wait "$there"
same "link down: the receiver ends" $? 1
took=$(($(date +%s) - start))
echo "# the receiver noticed after $took s"
check "link down: within a minute, too" [ "$took" -lt 60 ]
same "link down: it runs on" "$("$LKVM" list | awk '$2 == "m4" { print $3 }')" \
	running
: >m4.out
check "link down: the guest goes on" wait_for 30 'guest: beat' m4.out

# What the guest says at its end: it has checked everything.
printf '\004' >m4.in
wait "$here"
same "memory and disk are right" $? 80

same "nothing is left behind" "$(left_behind)" ""
tap_done
