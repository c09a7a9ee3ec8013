#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# net.sh [-s SECONDS] [-r ROUNDS] - TCP into and out of a guest, under lkvm and
# QEMU
#
# Boots one kernel with one initramfs and one network card, in a network
# namespace that has nothing but this:
#
#   tap    an interface of the host; for QEMU, where there is a /dev/vhost-net,
#          also by vhost
#   user   passt, with the MTU that it offers
#
# and has the guest and this machine send each other as much as they can, and ask
# and answer (tests/bench/net_bench.c). Prints lines as guest.sh does; the rate of
# a stream is in KiB/s. CPU time is that of the monitor's process, so without
# passt's and the kernel's own threads. Which kernel: tests/bench/in-guest.sh.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh

# Not as root in a namespace of users, too.
if [ -z "${LKVM_BENCH_NETNS:-}" ]; then
	LKVM_BENCH_NETNS=1
	export LKVM_BENCH_NETNS
	flags=-n
	[ "$(id -u)" = 0 ] || flags=-rn
	unshare $flags true 2>/dev/null || {
		note "net: not measured: no network namespace can be made"
		exit 0
	}
	exec unshare $flags sh tests/bench/net.sh "$@"
fi

seconds=2
rounds=3
while getopts s:r: opt; do
	case $opt in
	s) seconds=$OPTARG ;;
	r) rounds=$OPTARG ;;
	*) exit 2 ;;
	esac
done

jobs=send:1,send:8,recv:1,recv:8,rr:1,rr:16
. tests/bench/in-guest.sh

host=10.0.2.1
guest=10.0.2.15
port=5001
case $O in
/*) bench=$O/tests/bench/net_bench ;;
*) bench=$PWD/$O/tests/bench/net_bench ;;
esac

# The program goes into the guest behind what is there already.
mkdir -p "$work/root/bin"
cp "$bench" "$work/root/bin/"
(cd "$work/root" && find . | cpio -o -H newc --quiet -R 0:0) >"$work/cpio"
cat "$initrd" "$work/cpio" >"$work/initrd"
initrd=$work/initrd
base=$append

# What passt takes for the way to the world: nothing goes there.
ip link set lo up
if ip link add world type veth peer name nowhere 2>"$work/err"; then
	ip link set nowhere up
	ip addr add 192.0.2.2/24 dev world
	ip link set world up
	ip route add default via 192.0.2.1
	kinds='user tap'
else
	note "net: without passt: $(tail -n 1 "$work/err")"
	kinds=tap
fi
if ! ip tuntap add tapbench mode tap 2>"$work/err"; then
	note "net: without tap: $(tail -n 1 "$work/err")"
	kinds=${kinds%tap}
fi

"$bench" serve 0.0.0.0 $port &
helpers=$!

# One passt serves one machine. Its socket is where its user may make one.
start_passt()
{
	chmod 777 "$work"
	rm -f "$work/passt.sock"
	passt --foreground --quiet --one-off --socket "$work/passt.sock" \
		--gateway $host --address $guest --netmask 24 -t none -u none \
		>/dev/null 2>&1 &
	helpers="$helpers $!"
	tries=100
	while [ ! -S "$work/passt.sock" ] && [ $tries -gt 0 ]; do
		sleep 0.1
		tries=$((tries - 1))
	done
}

start()
{
	case $1/$2 in
	lkvm/tap) start_lkvm --network tap,tapif=tapbench ;;
	lkvm/user)
		start_lkvm --network "user,host_ip=$host,guest_ip=$guest"
		;;
	qemu/tap) net=tap,ifname=tapbench,script=no,downscript=no,vhost=off ;;
	qemu-vhost/tap)
		net=tap,ifname=tapbench,script=no,downscript=no,vhost=on
		;;
	qemu/user)
		net=stream,server=off,addr.type=unix,addr.path=$work/passt.sock
		;;
	esac
	start_qemu -netdev "$net,id=net" \
		-device virtio-net-pci,netdev=net,romfile=
}

tap_up()
{
	ip addr flush dev tapbench
	ip addr add $host/24 dev tapbench
	ip link set tapbench up
}

round=0
while [ $round -lt "$rounds" ]; do
	for kind in $kinds; do
		monitors='lkvm qemu'
		case $kind in
		tap)
			tap_up
			mtu=1500
			[ ! -w /dev/vhost-net ] || monitors="$monitors qemu-vhost"
			;;
		user) mtu=65520 ;;
		esac
		append="$base bench.net=$guest,$mtu,$host,$port"
		for monitor in $monitors; do
			[ "$monitor/$kind" != qemu/user ] || start_passt
			measure "$monitor" "$kind"
		done
		[ "$kind" != tap ] || ip link set tapbench down
	done
	round=$((round + 1))
done
