# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154
#
# restore.sh - fio goes on, and on, while the machine is saved and restored
#
# Says "saveme" when all is under way. When the machine has been restored, the
# console is sent the host's time; what goes on afterwards is what was begun
# before, and a whole round of everything.

# rounds: fio again and again, until /run/stop is there.
rounds()
{
	round=0
	while [ ! -e /run/stop ]; do
		round=$((round + 1))
		fio --name=verify --filename="$disk" --direct=1 --minimal \
			--output=/run/fio.$((round % 2)) --rw=randrw --bs=4k \
			--size=1m --iodepth=16 --ioengine=io_uring \
			--numjobs="$CPUS" --offset_increment=4m \
			--verify=crc32c --verify_fatal=1 --randseed=$round \
			>/run/fio.err 2>&1 || {
				touch /run/fio-failed
				break
			}
		echo $round >/run/rounds
	done
}

# wait_round N: until so many rounds are over.
wait_round()
{
	until [ "$(cat /run/rounds)" -ge "$1" ] || [ -e /run/fio-failed ]; do
		sleep 1
	done
}

echo 0 >/run/rounds
rounds &
wait_round 1
touch /root/before
(
	i=0
	while [ ! -e /run/stop ]; do
		i=$((i + 1))
		echo $i | gzip -9 | gunzip >/root/counter
	done
	echo ended >/run/loop
) &
echo saveme
read -r host_time </dev/ttyS0
guest_time=$(date +%s)
off=$((guest_time - host_time))
# It took a while to get here.
check "the wall clock is right" [ "$off" -ge -3 -a "$off" -le 60 ]
wait_round $(($(cat /run/rounds) + 2))
touch /run/stop
wait
check "fio had no error" [ ! -e /run/fio-failed ]
[ ! -e /run/fio-failed ] || sed 's/^/# /' /run/fio.err
same "other processes went on" "$(cat /run/loop)" ended
sync
check "the root file system is written" \
	[ -e /root/before -a -s /root/counter ]
same "the timer goes on" "$(sleep 1; echo slept)" slept
case $(uname -m) in
aarch64)
	same "the tree names the generation ID" "$(tr -d '\000' \
		</sys/firmware/devicetree/base/rng@40000000/compatible)" \
		microsoft,vmgenid
	;;
*)
	same "the tables name the generation ID" \
		"$(cat /sys/bus/acpi/devices/LKVM0001:00/modalias)" \
		"acpi:LKVM0001:VM_GEN_COUNTER:VMGENCTR:"
	;;
esac
