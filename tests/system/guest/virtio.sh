# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154
#
# virtio.sh - every virtio device at work, also while the machine moves
#
# eth0 is a card of passt's, eth1 one on a bridge that the hosts share. In the
# network somebody sends back what he gets, at port 7000; takes it at 7001, and
# tells its checksum at 7004; sends a file at 7002, and its checksum at 7003. At
# CID 2, port 5000, the host sends back what it gets, and this guest does so at
# its port 1234 for sockets; it sends a checksum at port 22. Its port "echo" of the
# second virtio console sends back what comes, too. The first one is hvc0, which the
# terminal types on.
#
# Few processes are started: each is a chance that the emulated processor is lost
# (Documentation/testing.rst).
#
# Over passt nothing goes both ways at a time: Debian 12's sends some of it twice
# to the guest then (its own --pcap shows it), and does not tell the guest of the
# other side's end when the guest has come to its own.
#
# Says "tried" when all was tried by itself, and then does what it is told on hvc0,
# a line for each:
#
#	busy N		disks and a connection are used all the time from here on
#	hop N		it has just moved, or was restored
#	fill N MIB	memory is used
#	cache N MIB	memory is used for what was read from the disk
#	free N		and is not any more, neither of them
#	paste N LINES	so many lines follow, and their checksum is told
#	hello N		hvc0 has something to say; a line more when it was seen
#	stop N		the connection that lasts comes to its end
#	end		the last checks
#
# It answers "WORD N done".

# In the order in which they need each other.
modules='virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev
	virtio_pci failover net_failover virtio_net virtio_blk virtio-rng
	virtio_balloon vsock vmw_vsock_virtio_transport_common
	vmw_vsock_virtio_transport virtio_console'

own=198.51.100.100/24
near=198.51.100.10
# The second is the gateway, behind which passt has the host itself.
far=192.0.2.11
host=192.0.2.10

# echoes BYTES ADDRESS: what is sent there, in socat's words, comes back.
echoes()
{
	head -c "$1" /dev/urandom >/run/sent
	socat -t 60 - "$2" </run/sent >/run/got || return
	same_sums /run/sent /run/got
}

# sends BYTES ADDRESS: what is sent there arrives; ADDRESS is without the port.
sends()
{
	head -c "$1" /dev/urandom >/run/sent.up
	socat -u - "TCP:$2:7001" </run/sent.up || return
	sent=$(sha256sum </run/sent.up)
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		got=$(socat -u "TCP:$2:7004" -)
		[ "$sent" != "$got" ] || return 0
		sleep 1
	done
	echo "sent $sent, got $got"
	return 1
}

# gets ADDRESS: what is sent from there arrives.
gets()
{
	socat -u "TCP:$1:7003" - >/run/sum.down || return
	sum=$(socat -u "TCP:$1:7002" - | sha256sum)
	echo "sent $(cat /run/sum.down), got $sum"
	[ "$sum" = "$(cat /run/sum.down)" ]
}

same_sums()
{
	sum=$(sha256sum <"$1")
	echo "$(wc -c <"$1") bytes $sum"
	echo "$(wc -c <"$2") bytes $(sha256sum <"$2")"
	[ "$sum" = "$(sha256sum <"$2")" ]
}

# ---- cards ------------------------------------------------------------------

dhcp()
{
	udhcpc -f -n -q -i eth0 -t 20 -T 1 -A 1 -s /tests/udhcpc
}

# ip_of CARD: its IPv4 address.
ip_of()
{
	ip -4 address show dev "$1" | sed -n 's/.* inet \([0-9.]*\).*/\1/p'
}

# features CARD BIT...: those were negotiated.
features()
{
	file=/sys/class/net/$1/device/features
	cat "$file"
	shift
	for bit; do
		[ "$(cut -c $((bit + 1)) "$file")" = 1 ] || return
	done
}

cards()
{
	check "an address by DHCP" dhcp
	same "it is the host's" "$(ip_of eth0)" 192.0.2.1
	check "a static address" ip address add "$own" dev eth1
	ip link set eth1 up
	# Checksums and TSO of both directions, announcements, several queues.
	check "the tap has offloads" features eth1 0 1 7 11 21 22
	same "a pair of queues for each processor" \
		"$(find /sys/class/net/eth1/queues -name 'tx-*' | wc -l)" "$CPUS"
	check "1 MiB over passt" sends 1048576 $far
	check "1 MiB back over passt" gets $far
	check "256 KiB over passt, to the host itself" sends 262144 $host
	check "2 MiB there and back over the tap" echoes 2097152 TCP:$near:7000
	check "both cards at a time" at_a_time
	socat TCP-LISTEN:22,fork,reuseaddr EXEC:sha256sum &
}

at_a_time()
{
	echoes 262144 TCP:$near:7000 >/run/at_a_time &
	sends 262144 $far || return
	wait $! || {
		cat /run/at_a_time
		return 1
	}
}

# ---- disks ------------------------------------------------------------------

# verify FILE N: what is written is read back.
verify()
{
	fio --name=verify --filename="$1" --direct=1 --rw=randwrite --bs=4k \
		--size=1m --iodepth=16 --ioengine=io_uring --verify=crc32c \
		--verify_fatal=1 --randseed="$2" --minimal
}

both_disks()
{
	verify "$disk" 1 >/run/nvme.out 2>&1 &
	verify /dev/vda 2 || return
	wait $! || {
		cat /run/nvme.out
		return 1
	}
}

# The second time past the kernel's cache.
files_are_right()
{
	(cd /mnt && sha256sum -c /root/sums) || return
	umount /mnt && e2fsck -f -n /dev/vda && mount -t ext4 /dev/vda /mnt &&
	(cd /mnt && sha256sum -c /root/sums)
}

disks()
{
	check "fio on both disks" both_disks
	check "sizes from 512 bytes to 64 KiB" fio --name=sizes \
		--filename=/dev/vda --direct=1 --rw=randwrite \
		--bsrange=512-64k --size=1m --iodepth=8 --ioengine=libaio \
		--verify=crc32c --verify_fatal=1 --randseed=3 --minimal
	same "queues for all processors" \
		"$(find /sys/block/vda/mq -mindepth 1 -maxdepth 1 | wc -l)" \
		"$CPUS"
	check "blkdiscard" blkdiscard -f /dev/vda
	check "mkfs" mkfs.ext4 -q -F /dev/vda
	check "mount" mount -t ext4 -o discard /dev/vda /mnt
	for i in 1 2 3 4; do
		head -c "${i}00001" /dev/urandom >"/mnt/random$i"
	done
	(cd /mnt && sha256sum random*) >/root/sums
	check "the files are as they were written" files_are_right
}

# ---- the small ones ---------------------------------------------------------

# random_bytes: that cannot be pressed, and are others each time.
random_bytes()
{
	head -c 2048 /dev/hwrng >/run/random.1 &&
	head -c 2048 /dev/hwrng >/run/random.2 &&
	[ "$(cat /run/random.1 /run/random.2 | gzip -9 | wc -c)" -ge 4096 ]
}

rng()
{
	same "the kernel's source of entropy" \
		"$(cat /sys/class/misc/hw_random/rng_current)" virtio_rng.0
	check "random bytes" random_bytes
}

# hold: a connection to the host that nothing is sent on.
hold()
{
	socat -u VSOCK-CONNECT:2:5001 - >/run/held 2>/run/held.err &
	held=$!
}

was_reset()
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -e "/proc/$held" ] || break
		sleep 1
	done
	cat /run/held.err
	# Which of both depends on what the program was at.
	grep -q 'reset by peer\|not connected' /run/held.err
}

vsock()
{
	check "100 KiB there and back" echoes 102400 VSOCK-CONNECT:2:5000
	refuse "a port where nobody listens" 'onnection' \
		socat - VSOCK-CONNECT:2:4999
	socat VSOCK-LISTEN:1234,fork,reuseaddr EXEC:cat &
	hold
}

# port NAME: the device of a virtio console's port; udev would make a link to it.
port()
{
	for dir in /sys/class/virtio-ports/*; do
		[ "$(cat "$dir/name" 2>/dev/null)" != "$1" ] ||
			echo "/dev/${dir##*/}"
	done
}

# A program of the host that goes is the end of what it has said.
console()
{
	same "the console that the terminal types on" \
		"$(sed 's/.* //' /sys/class/tty/console/active)" hvc0
	# Held open: its driver forgets the settings when nobody has it.
	exec 7<>/dev/hvc0
	check "it is not to send back what is typed" stty -F /dev/hvc0 -echo
	echo_port=$(port echo)
	check "a port with a name" [ -c "$echo_port" ]
	# Held open, too: what has come is thrown away when its last user closes it,
	# as each cat does that finds nobody at the other end.
	(
		exec 6<>"$echo_port"
		while :; do
			cat <&6 >&6
			sleep 1
		done
	) &
}

# ---- what goes on all the time ----------------------------------------------

# rounds NAME FILE: fio again and again, until /run/stop is there.
rounds()
{
	round=0
	while [ ! -e /run/stop ]; do
		round=$((round + 1))
		verify "$2" $round >"/run/fio.$1" 2>&1 || {
			cp "/run/fio.$1" "/run/failed.$1"
			break
		}
		echo $round >"/run/rounds.$1"
		sleep 2
	done
}

# ---- what the console asks for ----------------------------------------------

busy()
{
	echo 0 >/run/rounds.vda
	echo 0 >/run/rounds.nvme
	rounds vda /mnt/fio &
	jobs=$!
	rounds nvme "$disk" &
	jobs="$jobs $!"
	sh /tests/stream /run/stream TCP:$near:7100 &
	stream=$!
}

hop()
{
	check "hop $1: sockets of the host were reset" was_reset
	hold
	check "hop $1: the host answers" echoes 102400 VSOCK-CONNECT:2:5000
	check "hop $1: an address by DHCP" dhcp
	check "hop $1: passt" sends 262144 $far
	check "hop $1: tap" echoes 262144 TCP:$near:7000
	check "hop $1: random bytes" random_bytes
	same "hop $1: fio has not failed" "$(echo /run/failed.*)" '/run/failed.*'
}

fill()
{
	head -c "${2}m" /dev/zero >/run/memory
}

cache()
{
	dd if=/dev/vdb of=/dev/null bs=1M count="$2" 2>/dev/null
}

free()
{
	rm -f /run/memory
	echo 3 >/proc/sys/vm/drop_caches
}

paste()
{
	echo "paste $1 ready"
	echo "pasted $(head -n "$2" | sha256sum)"
}

# Both consoles come to one terminal: nothing more is said before this was seen.
hello()
{
	echo "to hvc0" >&7
	read -r _
}

stop()
{
	touch /run/stream/stop
	wait "$stream"
	echo "stream sent $(cat /run/stream/sent)"
	echo "stream got $(cat /run/stream/got)"
}

follow()
{
	while read -r word n rest; do
		case $word in
		end) break ;;
		busy | hop | fill | cache | free | paste | hello | stop)
			"$word" "$n" "$rest"
			;;
		esac
		echo "$word $n done"
	done
}

# Where they are built in there is nothing to load.
load_drivers()
{
	for module in $modules; do
		insmod "/lib/modules/$module.ko"
	done
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ ! -e /sys/class/net/eth1 ] || [ ! -b /dev/vdb ] || return 0
		sleep 1
	done
	return 1
}

check "the devices have drivers" load_drivers
for part in cards disks rng vsock console; do
	$part
	read -r up _ </proc/uptime
	echo "# $part: done after $up s"
done
echo tried
follow <&7

touch /run/stop
# shellcheck disable=SC2086
wait $jobs
for job in vda nvme; do
	check "$job: fio had no error" [ ! -e /run/failed.$job ]
	[ ! -e /run/failed.$job ] || sed 's/^/# /' /run/failed.$job
	check "$job: fio went on" [ "$(cat /run/rounds.$job)" -ge 3 ]
done
rm -f /mnt/fio
check "the files are as they were written" files_are_right
umount /mnt
check "fsck finds nothing wrong" e2fsck -f -n /dev/vda
