#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# restore_test.sh - images that are bad, options that do not fit
#
# Whatever is wrong: one line that says what, and nothing is left behind.

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"
kvm_or_skip

truncate -s 1M disk disk2 other
"$LKVM" run --name one -k "$GUEST" -m 32 -c 1 --nodefaults -p test=idle \
	--nvme disk,serial=S1,ns=disk2 --debug-exit </dev/null >out 2>err &
for _ in $(seq 300); do
	grep -q 'guest: idle' out && break
	sleep 0.1
done
check "a machine is saved" "$LKVM" snapshot -n one --stop vm.snap
wait
size=$(stat -c %s vm.snap)

# ---- options --------------------------------------------------------------------

bad "no file" 2 "name the image: lkvm restore FILE" restore
bad "two files" 2 "one word too many" restore vm.snap vm.snap
bad "unknown option" 2 "no option --gui" restore --gui vm.snap
bad "number of CPUs" 2 "the number of CPUs is part of the saved machine" \
	restore -c 2 vm.snap
bad "memory" 2 "the size of memory is part of the saved machine" \
	restore --mem=64 vm.snap
bad "clock" 2 "clock=now" restore --clock now vm.snap
bad "device without number" 2 "as in --nvme 0=FILE" \
	restore --nvme other vm.snap
bad "port without number" 2 "as in --virtio-console 0=path=FILE" \
	restore --virtio-console path=other vm.snap
bad "device without value" 2 "as in --nvme 0=FILE" restore --nvme 0= vm.snap
bad "device number too high" 2 "at most 32 of them" \
	restore --nvme 32=other vm.snap
bad "device that is not there" 1 "the saved machine has no nvme1" \
	restore --nvme 1=other vm.snap
bad "serial number" 1 "nvme0: nvme: serial: the guest has seen it" \
	restore --nvme 0=disk,serial=S2 vm.snap
bad "queues" 1 "queues: the guest has seen it" \
	restore --nvme 0=queues=3 vm.snap
bad "unknown option of a device" 1 "no such option" \
	restore --nvme 0=disk,color=red vm.snap
bad "serial port that is not there" 1 "the saved machine has no ttyS2" \
	restore --tty 2 vm.snap
bad "bad name" 1 "name" restore --name ../x vm.snap
bad "no KVM" 1 "/dev/null" restore --dev /dev/null vm.snap
bad "no hugetlbfs" 1 "is not a hugetlbfs" \
	restore --hugetlbfs "$work" vm.snap

# ---- files ----------------------------------------------------------------------

bad "no such file" 1 "none.snap: No such file" restore none.snap
bad "a folder" 1 "$work: not a regular file" restore "$work"
mkfifo pipe
bad "a pipe" 1 "pipe: not a regular file" restore pipe
bad "something else" 1 "not an image of lkvm" restore "$LKVM"
: >empty
bad "an empty file" 1 "not an image of lkvm (too short)" restore empty
for cut in 1 4096 100000 $((size - 4096)); do
	head -c $((size - cut)) vm.snap >cut.snap
	bad "$cut bytes cut off" 1 "cut.snap: " restore cut.snap
done
cp vm.snap long.snap
echo >>long.snap
bad "a byte more" 1 "long.snap: " restore long.snap

# flipped OFFSET: a copy with one bit changed there.
flipped()
{
	cp --sparse=always vm.snap flipped.snap
	flip_byte=$(od -An -tu1 -j "$1" -N 1 vm.snap)
	# shellcheck disable=SC2059 # the format is the byte
	printf "$(printf '\\%03o' $((flip_byte ^ 16)))" |
		dd of=flipped.snap bs=1 seek="$1" conv=notrunc status=none
}

for at in 0 4 18 40 64 100 $((size - 1)) $((size - 30)) $((size - 60)); do
	flipped "$at"
	bad "bit flipped at $at" 1 "flipped.snap: " restore flipped.snap
done
# The notes begin behind memory; the state of devices is among them.
notes=$(LC_ALL=C grep -abo 'lkvm,state-v1' vm.snap | cut -d : -f 1 | head -n 1)
flipped $((notes + 3))
bad "bit flipped in the state" 1 "checksum error in its notes" \
	restore flipped.snap
kernel=$(LC_ALL=C grep -abo 'guest: idle' vm.snap | cut -d : -f 1 | head -n 1)
flipped "$kernel"
bad "bit flipped in memory, with --verify" 1 \
	"checksum error in ram-low at guest address 0x" \
	restore --verify flipped.snap
rm -f flipped.snap cut.snap long.snap

# ---- disks and names ----------------------------------------------------------------

mv disk2 away
bad "missing disk" 1 "nvme0n2: its disk .*/disk2 is not there" restore vm.snap
mv away disk2
bad "another number of namespaces" 1 "nvme0" \
	restore --nvme 0=disk,ns=disk2,ns=other vm.snap

# up NAME: waits until a machine answers.
up()
{
	for _ in $(seq 300); do
		"$LKVM" stat -n "$1" >/dev/null 2>&1 && return
		sleep 0.1
	done
	cat out err
	return 1
}

"$LKVM" restore --json vm.snap </dev/null >out 2>err &
pid=$!
check "restored machine answers" up one
check "its image is told" grep -q '"image":"vm.snap"' err
refuse "busy name: the remedy is named" "called one is running already.*--name" \
	"$LKVM" restore vm.snap
refuse "locked disk: the holder is named" \
	"nvme0: .*/disk: in use by .*pid $pid" \
	"$LKVM" restore --name two vm.snap
same "nothing is left of those refused" "$(left_behind | tr '\n' ' ')" \
	"one.lock one.sock "
check "a restored machine is saved over its image" \
	"$LKVM" snapshot -n one --stop vm.snap
wait "$pid"
same "exit code of a machine that was saved" "$?" 0

"$LKVM" restore --paused --name two --clock saved --tty 0 \
	vm.snap </dev/null >out 2>err &
pid=$!
check "restored under another name" up two
same "it is paused" \
	"$("$LKVM" list --json | sed -n 's/.*"state": *"\([a-z]*\)".*/\1/p')" \
	paused
check "its terminal is told" grep -q 'ttyS0 is connected to /dev/pts/' err
check "it is resumed" "$LKVM" resume -n two
check "it is ended" "$LKVM" stop -n two --force
wait "$pid"
same "nothing is left behind" "$(left_behind)" ""

# ---- a reboot after the restore -------------------------------------------------------

# says TEXT: waits until the console has it.
says()
{
	for _ in $(seq 300); do
		grep -q "$1" out && return
		sleep 0.1
	done
	cat out err
	return 1
}

# The guest resets the machine when its input ends.
cp "$GUEST" kernel
"$LKVM" run --name three -k kernel -m 32 -c 1 --nodefaults --reboot restart \
	-p test=serial-echo,reset </dev/zero >out 2>err &
check "a guest waits for input" says 'guest: start serial-echo'
check "it is saved" "$LKVM" snapshot -n three --stop three.snap
wait

# reboots: restores it and sends it an EOT; its process is in $pid.
reboots()
{
	printf '\004' | "$LKVM" restore three.snap >out 2>err &
	pid=$!
}

reboots
check "reboot: the kernel is started anew" says 'guest: up after'
"$LKVM" stop --force -n three
wait "$pid"
rm kernel
reboots
wait "$pid"
same "reboot without the kernel: exit code" "$?" 1
check "reboot without the kernel: it is named" \
	grep -q "three: .*$work/kernel: No such file" err
same "reboot: nothing is left behind" "$(left_behind)" ""

tap_done
