# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154
#
# migrate.sh - fio goes on, and on, while the machine goes from host to host
#
# Says "moveme" when all is under way, and then does what it is told on the
# console, a line for each:
#
#	hop N TIME	it has just moved, and that is the host's time
#	count		fio rests, and the controller's counters are looked at
#	reset		the controller is reset, under I/O
#	unplug		each processor but the first goes and comes again
#	event		the controller has something to tell by itself
#	end		the last checks
#
# It answers "WORD N done". What is wrong after a hop is collected and told at
# the end. Few processes are started: under emulation each takes a while.

fio_kib=8192
trouble=

wrong()
{
	echo "# $*"
	trouble="$trouble$* "
}

# ---- what goes on all the time ----------------------------------------------

# verify_through_cache N: what is written is read back, and then again, past
# the kernel's cache: closing the disk has emptied that.
verify_through_cache()
{
	fio --name=nvme-verify --filename="$disk" --size=${fio_kib}k \
		--rw=randwrite --bs=4k --iodepth=16 --numjobs=1 --direct=0 \
		--ioengine=io_uring --verify=crc32c --verify_fatal=1 \
		--randseed="$1" --minimal &&
	fio --name=nvme-again --filename="$disk" --size=${fio_kib}k \
		--rw=randwrite --bs=4k --iodepth=16 --direct=1 \
		--ioengine=io_uring --verify=crc32c --verify_fatal=1 \
		--randseed="$1" --verify_only --minimal
}

# verify_directly N: all sizes, on the disk of the other controller.
verify_directly()
{
	fio --name=nvme-direct --filename=/dev/nvme1n1 --size=4m --rw=randwrite \
		--bsrange=512-64k --iodepth=8 --direct=1 --ioengine=io_uring \
		--verify=crc32c --verify_fatal=1 --randseed="$1" --minimal
}

# rounds FUNCTION: one after the other, until /run/stop is there. The number of
# the last one is in /run/FUNCTION.
rounds()
{
	round=$(cat "/run/$1")
	while [ ! -e /run/stop ]; do
		round=$((round + 1))
		"$1" $round >/run/"$1".out 2>&1 || {
			cp /run/"$1".out "/run/failed.$1"
			break
		}
		echo $round >"/run/$1"
	done
}

start_fio()
{
	rm -f /run/stop
	rounds verify_through_cache &
	fio_jobs=$!
	rounds verify_directly &
	fio_jobs="$fio_jobs $!"
}

stop_fio()
{
	touch /run/stop
	# shellcheck disable=SC2086
	wait $fio_jobs
	sync
}

# ---- counters ---------------------------------------------------------------

# kernel_counts: writes, sectors and flushes that the first controller was sent.
# A flush by itself may be among the writes.
kernel_counts()
{
	cat /sys/block/nvme0n*/stat | awk '{ w += $5; s += $7; f += $16 }
		END { print w + 0, s + 0, f + 0 }'
}

# smart_counts: writes and units of a thousand blocks, as the controller counts.
smart_counts()
{
	nvme smart-log "$ctrl" | awk -F: '
		/^host_write_commands/ { w = $2 }
		/^Data Units Written/ { split($2, u, " ") }
		END { print w + 0, u[1] + 0 }'
}

# both_counts: the kernel's and the controller's, with nothing between.
both_counts()
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		sync
		kernel=$(kernel_counts)
		smart=$(smart_counts)
		[ "$kernel" != "$(kernel_counts)" ] || break
	done
	echo "$kernel $smart"
}

# same_counts NAME "BEFORE" "AFTER": both have counted the same meanwhile.
same_counts()
{
	# shellcheck disable=SC2086
	set -- "$1" $2 $3
	most=$(($7 - $2))
	least=$((most - $9 + $4))
	check "$1: writes (${10} - $5, $least to $most)" \
		[ $((${10} - $5)) -ge $least -a $((${10} - $5)) -le $most ]
	# The units are rounded at both ends.
	units=$((($8 - $3) / 1000))
	check "$1: data units (${11} - $6, $units)" \
		[ $((${11} - $6 - units)) -ge -1 -a $((${11} - $6 - units)) -le 1 ]
}

# ---- what the console asks for ----------------------------------------------

# hop N TIME: all is as it was.
hop()
{
	now=$(date +%s)
	off=$((now - $2))
	if [ $off -lt -3 ] || [ $off -gt 60 ]; then
		wrong "hop $1: the wall clock is $off s off"
	fi
	read -r up _ </proc/uptime
	[ "${up%.*}" -ge "$last_up" ] ||
		wrong "hop $1: the uptime was $last_up and is $up"
	last_up=${up%.*}
	counted=$(smart_counts)
	if [ "${counted% *}" -lt "${last_counted% *}" ] ||
	   [ "${counted#* }" -lt "${last_counted#* }" ]; then
		wrong "hop $1: counters $counted after $last_counted"
	fi
	last_counted=$counted
	[ "$(echo /run/failed.*)" = '/run/failed.*' ] ||
		wrong "hop $1: fio has failed"
	head -c 100000 /dev/urandom >"/root/hops/$1"
	sha256sum "/root/hops/$1" >>/root/sums
}

count()
{
	stop_fio
	same_counts "count $1" "$counts" "$(both_counts)"
	same "count $1: the disk was written what fio wrote, in sectors" \
		"$(awk '{ print $7 }' "/sys/block/$disk_name/stat")" \
		$(($(cat /run/verify_through_cache) * fio_kib * 2))
	start_fio
}

# The kernel sends again what it had sent and was not answered.
reset()
{
	nvme reset "$ctrl" || wrong "reset $1: failed"
}

# A processor takes its queue with it, and what it was running.
unplug()
{
	for online in /sys/devices/system/cpu/cpu[1-9]*/online; do
		echo 0 >"$online" || wrong "unplug $1: ${online%/online} stays"
		echo 1 >"$online"
	done
	[ "$(nproc)" = "$CPUS" ] || wrong "unplug $1: $(nproc) processors"
}

# The kernel tells programs of each event that a request of its was answered with.
event()
{
	rm -f /run/aen
	nvme set-feature "$ctrl" -f 11 -v 0x102 >/run/set
	nvme set-feature "$ctrl" -f 4 -v 0x100 >>/run/set
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ ! -e /run/aen ] || break
		sleep 1
	done
	[ "$(cat /run/aen)" = 0x020101 ] ||
		wrong "event $1: got \"$(cat /run/aen)\""
	# Reading the page makes way for the next event.
	nvme set-feature "$ctrl" -f 4 -v 0x180 >>/run/set
	smart_counts >/run/set
}

start()
{
	for job in verify_through_cache verify_directly; do
		echo 0 >/run/$job
	done
	mkdir /root/hops
	last_up=0 last_counted='0 0'
	# shellcheck disable=SC2016
	uevent sh -c '[ -z "$NVME_AEN" ] || echo "$NVME_AEN" >/run/aen' &
	uevents=$!
	counts=$(both_counts)
	start_fio
	until [ "$(cat /run/verify_through_cache)" -ge 1 ] &&
	      [ "$(cat /run/verify_directly)" -ge 1 ]; do
		[ "$(echo /run/failed.*)" = '/run/failed.*' ] || break
		sleep 1
	done
}

follow()
{
	while read -r word n rest; do
		case $word in
		end) break ;;
		hop | count | reset | unplug | event) "$word" "$n" "$rest" ;;
		esac
		echo "$word $n done"
	done
}

start
echo moveme
follow </dev/ttyS0
stop_fio
kill $uevents

same "nothing went wrong on the way" "$trouble" ""
for job in verify_through_cache verify_directly; do
	check "$job: fio had no error" [ ! -e /run/failed.$job ]
	[ ! -e /run/failed.$job ] || sed 's/^/# /' /run/failed.$job
	echo "# $job: $(cat /run/$job) rounds"
done
check "fio went on" [ "$(cat /run/verify_directly)" -ge 3 ]
same "a file for each hop" "$(wc -l </root/sums)" "$HOPS"
sync
echo 3 >/proc/sys/vm/drop_caches
check "the files are as they were written" sha256sum -c /root/sums
mount -o remount,ro /
check "fsck finds nothing wrong with the root" e2fsck -f -n /dev/nvme0n1
