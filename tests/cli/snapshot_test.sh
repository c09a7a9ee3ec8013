#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# snapshot_test.sh - lkvm snapshot, show, verify, state-schema
#
# The guest is tests/kvm's, which idles; an initial RAM disk of random data
# makes its memory one that takes a while to write.

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"
kvm_or_skip

RAM_MIB=256
dd if=/dev/urandom of=initrd bs=1M count=128 2>/dev/null
truncate -s 1M disk
mkdir to

# start COMMAND...: starts a machine called one and waits until its guest idles.
# What is given stands before lkvm.
start()
{
	rm -f one.out
	"$@" "$LKVM" run --name one -k "$GUEST" -i initrd -m $RAM_MIB \
		--nodefaults -p test=idle --nvme disk </dev/null >one.out \
		2>one.err &
	pid=$!
	for _ in $(seq 300); do
		grep -q 'guest: idle' one.out && return
		sleep 0.1
	done
	cat one.out one.err
	return 1
}

# state: of the machine.
state()
{
	"$LKVM" list | awk '$2 == "one" { print $3 }'
}

# there: all files in the folder of snapshots.
there()
{
	find to -mindepth 1 -printf '%f\n' | sort | tr '\n' ' '
}

# ---- what the command line itself refuses -------------------------------------

bad "no file" 2 "which file" snapshot -n one
bad "no machine" 2 "give --name" snapshot x.snap
bad "no such machine" 1 "no machine called nobody" snapshot -n nobody x.snap
bad "stop and pause" 2 "one of the two" snapshot -n one --stop --pause x.snap
bad "two files" 2 "show FILE" snapshot -n one x.snap y.snap
bad "three operands" 2 "" snapshot show x.snap y.snap
bad "a machine's name with show" 2 "look at a file" snapshot show -n one x.snap
bad "--dts without show" 2 "goes with show" snapshot -n one --dts x.snap
bad "show: no such file" 1 "x.snap: No such file" snapshot show x.snap
bad "show: a folder" 1 "to: not a regular file" snapshot show to
bad "show: too short" 1 "too short" snapshot show disk
bad "show: no ELF file" 1 "no ELF file" snapshot show initrd
bad "verify: no ELF file" 1 "no ELF file" snapshot verify initrd
mkfifo pipe
bad "show: a pipe" 1 "pipe: not a regular file" snapshot show pipe
rm pipe

# ---- a snapshot of a machine that runs ----------------------------------------

check "a machine starts" start env
"$LKVM" snapshot -n one to/live.snap >result 2>err
same "live: exit code" $? 0
check "live: one line" grep -q \
	"^$work/to/live.snap: $RAM_MIB.0 MiB of memory in [0-9.]* s, the guest stood still for [0-9.]* ms\$" \
	result
same "live: nothing else is said" "$(wc -l <result) $(wc -c <err)" "1 0"
same "live: the guest runs on" "$(state)" running
same "live: the owner's" "$(stat -c %a to/live.snap)" 600
check "verify" "$LKVM" snapshot verify to/live.snap
check "show" "$LKVM" snapshot show to/live.snap
"$LKVM" snapshot show to/live.snap >shown
for word in "machine" "label=one" "kernel=$GUEST" "nvme0 .*file=$work/disk" \
	"ram-low  *$RAM_MIB.0 MiB at 0x0" "LKVM .* state" "CORE .* registers" " ago$" \
	"checksums  *of headers and notes: right; of 65536 pages"; do
	check "show: $word" grep -q "$word" shown
done
"$LKVM" snapshot show --json to/live.snap >shown
check "show --json: bytes" grep -q \
	"\"bytes\": *$(stat -c %s to/live.snap)," shown
check "show --json: the disk" grep -q "\"file\": *\"$work/disk\"" shown
if command -v dtc >/dev/null; then
	"$LKVM" snapshot show --dts to/live.snap >shown
	check "show --dts: dtc takes it" dtc -q -I dts -O dtb -o shown.dtb shown
	dtc -q -I dtb -O dts shown.dtb >again
	check "show --dts: the same once more" dtc -q -I dts -O dtb \
		-o again.dtb again
	check "show --dts: is what it was" cmp shown.dtb again.dtb
else
	skip "show --dts: dtc takes it" "there is no dtc"
fi

before=$(stat -c %i to/live.snap)
check "again" "$LKVM" snapshot -n one to/live.snap
check "the older one is replaced by a new file" \
	test "$before" != "$(stat -c %i to/live.snap)"
same "and nothing else is left" "$(there)" "live.snap "

check "pause" "$LKVM" snapshot -n one --pause to/paused.snap
same "pause: the guest runs on" "$(state)" running
check "a machine is paused" "$LKVM" pause -n one
"$LKVM" snapshot -n one to/paused.snap >result
check "paused: is told" grep -q "one stays paused" result
same "paused: stays so" "$(state)" paused
check "resumed" "$LKVM" resume -n one
check "paused: verify" "$LKVM" snapshot verify to/paused.snap
# shellcheck disable=SC2016 # for the inner shell
check "from another folder" sh -c 'cd to && "$LKVM" snapshot -n one here.snap'
check "the file is there" test -s to/here.snap

"$LKVM" snapshot -n one --json to/here.snap >result 2>err
same "--json: all lines are events" \
	"$(grep -cv '^{"event":"[a-z]*",.*}$' result)" 0
check "--json: the end" grep -q \
	"^{\"event\":\"end\",\"path\":\"$work/to/here.snap\",\"memory-bytes\":268435456,\"done-bytes\":[0-9]*,\"rounds\":[0-9]*,\"pause-us\":[0-9]*,\"elapsed-ms\":[0-9]*}\$" \
	result
same "--json: and nothing else" "$(wc -c <err)" 0
"$LKVM" snapshot verify --json to/here.snap >result
same "verify --json: all lines are events" \
	"$(grep -cv '^{"event":"[a-z]*",.*}$' result)" 0
check "verify --json: the end" grep -q \
	'^{"event":"end","memory-bytes":268435456,' result
rm to/*

# ---- bad targets --------------------------------------------------------------

# target NAME PATTERN FILE: refused with one line, and the guest runs on.
target()
{
	"$LKVM" snapshot -n one "$3" >result 2>err </dev/null
	target_code=$?
	{
		cat err
		echo "exit code $target_code, wanted: $2"
	} >"$tap_output"
	if [ "$target_code" = 1 ] && [ ! -s result ] &&
	   [ "$(wc -l <err)" = 1 ] && grep -q -e "$2" err &&
	   [ "$(state)" = running ]; then
		tap_result ok "$1"
	else
		tap_not_ok "$1"
	fi
}

target "a folder" "not a regular file" to
target "a name of no file" "a file's name is needed" to/
target "no such folder" "No such file or directory" nowhere/x.snap
target "a file as a folder" "Not a directory" disk/x.snap
mkfifo to/pipe
target "a pipe" "not a regular file" to/pipe
ln -s live.snap to/link
target "a link" "not a regular file" to/link
target "a device" "not a regular file" /dev/null
target "the machine's own disk" "is not a snapshot; .*--force" disk
same "the disk is what it was" "$(stat -c %s disk)" 1048576
target "a text file" "is not a snapshot; .*--force" one.err
target "a folder of the kernel's" "x.snap" /proc/x.snap
rm to/*
same "nothing is left" "$(there)" ""
echo text >to/text
check "--force replaces it" "$LKVM" snapshot -n one --force to/text
check "by a snapshot" "$LKVM" snapshot verify to/text
: >to/empty
check "an empty file is replaced" "$LKVM" snapshot -n one to/empty

# ---- altered files ------------------------------------------------------------

# A byte of the last page of memory, which the initial RAM disk is in or near.
cp to/text to/bad
printf '\125\252\125' | dd of=to/bad bs=1 conv=notrunc 2>/dev/null \
	seek=$((2 * 1048576 + 192 * 1048576))
refuse "verify: altered memory" \
	"checksum error in ram-low at guest address 0xc000000" \
	"$LKVM" snapshot verify to/bad
check "which show does not look at" "$LKVM" snapshot show to/bad
size=$(stat -c %s to/text)
for cut in 1 69 4096 1048576; do
	cp --reflink=auto to/text to/bad
	truncate -s $((size - cut)) to/bad
	refuse "show: cut by $cut bytes" "bad: \(.*truncated\|no valid commit\)" \
		"$LKVM" snapshot show to/bad
done
cp to/text to/bad
echo >>to/bad
refuse "show: a byte too many" "truncated or grown" \
	"$LKVM" snapshot show to/bad
rm to/bad

# ---- given up -----------------------------------------------------------------

# give_up SIGNAL CODE: in the middle; the machine is held so that it is.
give_up()
{
	cp --preserve=all to/text to/given-up
	given_up_inode=$(stat -c %i to/given-up)
	env --default-signal="$1" "$LKVM" snapshot -n one to/given-up \
		>result 2>err &
	given_up_pid=$!
	sleep 0.03
	kill -STOP "$pid"
	kill -"$1" "$given_up_pid"
	sleep 0.2
	kill -CONT "$pid"
	wait "$given_up_pid"
	same "$1: exit code" $? "$2"
	check "$1: says so" grep -q \
		"^lkvm: one: the snapshot was given up: by 'snapshot-cancel'\$" err
	same "$1: the guest runs on" "$(state)" running
	same "$1: the older file is left" "$(stat -c %i to/given-up)" \
		"$given_up_inode"
	rm to/given-up
	same "$1: and no other" "$(there)" "empty text "
}

give_up INT 130
give_up TERM 143

# Without a word: whoever kills it need not ask.
"$LKVM" snapshot -n one to/killed >result 2>err &
killed=$!
sleep 0.03
kill -STOP "$pid"
kill -KILL "$killed"
kill -CONT "$pid"
wait "$killed" 2>/dev/null
for _ in $(seq 100); do
	"$LKVM" snapshot -n one to/after >result 2>err && break
	sleep 0.1
done
check "after a client was killed there is room for another" test -s to/after
same "and of the first nothing is left" "$(there)" \
	"after empty text "

# The machine ends in the middle.
"$LKVM" snapshot -n one to/ended >result 2>err &
ended=$!
sleep 0.03
kill -STOP "$pid"
"$LKVM" stop -n one --force >/dev/null 2>&1 &
stopping=$!
sleep 0.2
kill -CONT "$pid"
wait "$ended"
same "the machine ends: exit code" $? 1
check "the machine ends: is told" grep -q "the machine has ended" err
wait "$pid"
same "the machine ends: its exit code" $? 5
wait "$stopping"
same "the machine ends: no file" "$(there)" \
	"after empty text "
same "and nothing else" "$(left_behind)" ""
rm to/*

# ---- no room ------------------------------------------------------------------

# shellcheck disable=SC2016 # for the inner shell
limited='ulimit -f $((257 * 2048)); exec "$@"'
check "a machine that may not write large files" start sh -c "$limited" sh
target "a file too large" "File too large" to/large
same "nothing is left of it" "$(there)" ""
check "that machine ends" "$LKVM" stop -n one --force
wait "$pid"

# shellcheck disable=SC2016 # likewise
small='mkdir small full && mount -t tmpfs -o size=8m none small &&
	mount -t tmpfs -o ro none full && exec "$@"'
if unshare -m true 2>/dev/null; then
	check "a machine that sees a small disk" start unshare -m \
		sh -c "$small" sh
	target "no room" "No space left on device" small/x.snap
	target "a read-only folder" "Read-only file system" full/x.snap
	same "nothing is left of it" "$(ls -A "/proc/$pid/root$work/small")" ""
	check "elsewhere there is room" "$LKVM" snapshot -n one to/x.snap
else
	skip "no room" "mount namespaces need privileges"
	check "a machine" start env
	mkdir full
	chmod 555 full
	target "a read-only folder" "Permission denied" full/x.snap
fi

# ---- saved and ended ----------------------------------------------------------

"$LKVM" snapshot -n one --stop to/x.snap >result 2>err
same "stop: exit code" $? 0
check "stop: is told" grep -q "x.snap: .*, one has ended\$" result
same "stop: the machine is gone" "$(left_behind)" ""
wait "$pid"
same "stop: its exit code" $? 0
check "stop: it says where it went" grep -q \
	"^  # one was saved to $work/to/x.snap\$" one.err
check "stop: verify" "$LKVM" snapshot verify to/x.snap

# ---- the terminal -------------------------------------------------------------

if command -v script >/dev/null; then
	script -qec "'$LKVM' snapshot verify to/x.snap" /dev/null >shown </dev/null
	check "on a terminal there is a bar" grep -q \
		'0 %  [0-9.]* .*B of 256.0 MiB  .*/s  [0-9:]* left' shown
	check "on a terminal a line says how it went" grep -q \
		"all checksums of $RAM_MIB.0 MiB of memory are right" shown
else
	skip "on a terminal there is a bar" "there is no script"
fi

# ---- state-schema -------------------------------------------------------------

"$LKVM" state-schema >shown
same "state-schema: tables" "$(sed -n 's/^# //p' shown | grep -c -x -e nvme \
	-e cpu -e machine -e serial)" 4
sed -n 's/^# //p' shown >tables
while read -r table; do
	sed 1d "$OLDPWD/tests/golden/state-x86-64/$table.txt" >golden
	"$LKVM" state-schema "$table" </dev/null >schema
	sed -i 1d schema
	check "state-schema: $table is the one that was agreed" \
		diff -u golden schema
done <tables
bad "state-schema: no such table" 2 "no state table x; there is: acpi-pm," \
	state-schema x

tap_done
