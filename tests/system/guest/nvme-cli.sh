# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154
#
# nvme-cli.sh - the controller answers nvme-cli, and says and does the same
#
# Blocks are read and written by nvme-cli's own commands, which the kernel
# passes to the controller as they are.

# ---- what it says of itself -------------------------------------------------

nvme id-ctrl "$ctrl" >/run/id-ctrl
same "id-ctrl: serial number" "$(field sn </run/id-ctrl)" "$SERIAL"
check "id-ctrl: version 1.4 or later" \
	[ "$(($(field ver </run/id-ctrl)))" -ge $((0x10400)) ]
same "id-ctrl: sizes of queue entries" \
	"$(field sqes </run/id-ctrl) $(field cqes </run/id-ctrl)" "0x66 0x44"
# Compare, Write Uncorrectable, DSM, Write Zeroes, Save, Timestamp, Verify, Copy.
same "id-ctrl: optional commands" \
	"$(($(field oncs </run/id-ctrl) & 0x1df))" $((0x1df))
# Format and Doorbell Buffer Config. The bit of Namespace Attachment promises
# Namespace Management too.
same "id-ctrl: optional admin commands" \
	"$(($(field oacs </run/id-ctrl) & 0x102))" $((0x102))

nvme id-ns "$disk" >/run/id-ns
lbaf=$(($(field flbas </run/id-ns) & 0xf))
shift_bits=$(sed -n "s/^lbaf *$lbaf : .*lbads:\([0-9]*\).*in use.*/\1/p" \
	/run/id-ns)
same "id-ns: its size is the disk's" \
	"$(($(field nsze </run/id-ns) << shift_bits))" \
	"$(blockdev --getsize64 "$disk")"
same "id-ns: its block is the disk's" "$((1 << shift_bits))" \
	"$(blockdev --getss "$disk")"
same "list-ns: two namespaces" \
	"$(nvme list-ns "$ctrl" | grep -o ':0x.*' | tr '\n' ' ')" ":0x1 :0x2 "

# Without a command set nvme-cli asks for the page of the zoned one, too.
check "effects-log" nvme effects-log "$ctrl"
nvme effects-log "$ctrl" >/run/effects

# effects COMMAND: whether it is supported (1), and what it changes: contents (2),
# capabilities of namespaces (4), of the controller (16), the list of them (8).
# The bits above tell on what it acts, and how it may run beside others.
effects()
{
	value=$(awk -v name="$1" '$1 == name { v = $NF } END { print v }' \
		/run/effects)
	echo $((0x${value:-0} & 0x1f))
}

same "effects-log: Identify is supported, and changes nothing" \
	"$(effects ACS6)" 1
same "effects-log: Write changes contents" "$(effects IOCS1)" 3
same "effects-log: Read changes nothing" "$(effects IOCS2)" 1
same "effects-log: an opcode that is not there" "$(effects ACS119)" 0
check "fw-log: the slot in use has the controller's revision" grep -q \
	"$(field fr </run/id-ctrl)" <<END
$(nvme fw-log "$ctrl")
END

# ---- features ---------------------------------------------------------------

# feature ID [OPTION...]: its value, decimal.
feature()
{
	id=$1
	shift
	value=$(nvme get-feature "$ctrl" -f "$id" "$@" |
		sed -n 's/.*value: *//p')
	echo $((value))
}

queues=$(feature 7)
check "get-feature: at least a queue pair for each processor" [ \
	"$(((queues & 0xffff) + 1))" -ge "$CPUS" ]
same "get-feature: the write cache is on" "$(feature 6)" 1
check "set-feature: the write cache off" \
	nvme set-feature "$ctrl" -f 6 -v 0
same "get-feature: the write cache is off" "$(feature 6)" 0
same "get-feature: its default is still on" "$(feature 6 -s 1)" 1
check "writes without the cache" fill 61 0 64
check "set-feature: the write cache on" \
	nvme set-feature "$ctrl" -f 6 -v 1
same "get-feature: the write cache is on again" "$(feature 6)" 1
check "set-feature: a temperature threshold" \
	nvme set-feature "$ctrl" -f 4 -v 0x160
same "get-feature: the temperature threshold" "$(feature 4)" $((0x160))
check "set-feature: interrupt coalescing" \
	nvme set-feature "$ctrl" -f 8 -v 0x0103
same "get-feature: interrupt coalescing" "$(feature 8)" $((0x103))
check "set-feature: no interrupt coalescing" \
	nvme set-feature "$ctrl" -f 8 -v 0
# Linux has set it while it started.
now=$(date +%s)
stamp=$(nvme get-feature "$ctrl" -f 0xe -l 8 -b | od -An -tu8)
stamp=$(((stamp & 0xffffffffffff) / 1000))
check "get-feature: the timestamp is the time ($stamp, $now)" \
	[ $((now - stamp)) -ge -2 -a $((now - stamp)) -le 5 ]
refuse "get-feature: one that is not there" 'Invalid Field' \
	nvme get-feature "$ctrl" -f 0x1f
refuse "set-feature: one that cannot be set" \
	'Invalid Field\|Not Changeable' nvme set-feature "$ctrl" -f 0x1f -v 1

# ---- counters and errors ----------------------------------------------------

# commands_done: how many reads and writes the kernel has sent, as it counts.
commands_done()
{
	cat /sys/block/nvme0n1/stat /sys/block/nvme0n2/stat |
		awk '{ r += $1; w += $5 } END { print r + 0, w + 0 }'
}

# counters: the same as the controller counts.
counters()
{
	nvme smart-log "$ctrl" >/run/smart
	echo "$(field host_read_commands </run/smart)" \
		"$(field host_write_commands </run/smart)"
}

# difference "A B" "C D": C - A and D - B.
difference()
{
	echo "$1 $2" | awk '{ print $3 - $1, $4 - $2 }'
}

sync
kernel_before=$(commands_done)
smart_before=$(counters)
units_before=$(field "Data Units Written" </run/smart | cut -d' ' -f1)
check "4 MiB are written" fio --name=w --filename="$disk" --direct=1 \
	--rw=write --bs=64k --size=4m --ioengine=psync
check "2 MiB are read" fio --name=r --filename="$disk" --direct=1 \
	--rw=read --bs=4k --size=2m --ioengine=psync
smart_after=$(counters)
kernel_after=$(commands_done)
units_after=$(field "Data Units Written" </run/smart | cut -d' ' -f1)
same "smart-log: reads and writes, as the kernel counts them" \
	"$(difference "$smart_before" "$smart_after")" \
	"$(difference "$kernel_before" "$kernel_after")"
# 4 MiB are 8192 blocks, and a unit is a thousand of them; the disk of the root
# may add a little.
check "smart-log: data units ($units_before, $units_after)" \
	[ $((units_after - units_before)) -ge 8 -a \
	$((units_after - units_before)) -le 10 ]
same "smart-log: nothing critical" \
	"$(field critical_warning </run/smart)" 0
same "smart-log: no media errors" "$(field media_errors </run/smart)" 0

errors_before=$(field num_err_log_entries </run/smart)
refuse "admin-passthru: an opcode that is not there" \
	'Invalid Command Opcode' nvme admin-passthru "$ctrl" -o 0x77
same "smart-log: one error more" \
	"$(counters >/dev/null; field num_err_log_entries </run/smart)" \
	$((errors_before + 1))
nvme error-log "$ctrl" -e 1 >/run/error-log
same "error-log: its number" \
	"$(field error_count </run/error-log)" $((errors_before + 1))
same "error-log: it was on the admin queue" \
	"$(field sqid </run/error-log)" 0
check "error-log: its status" \
	grep -q 'status_field.*Invalid Command Opcode' /run/error-log
refuse "io-passthru: an opcode that is not there" \
	'Invalid Command Opcode' nvme io-passthru "$disk" -o 0x77 -n 2
nvme error-log "$ctrl" -e 1 >/run/error-log
check "error-log: the newest was not on the admin queue" \
	[ "$(field sqid </run/error-log)" -ge 1 ]
refuse "get-log: a page that is not there" 'Invalid Log Page' \
	nvme get-log "$ctrl" -i 0x7f -l 512
refuse "admin-passthru: delete a queue that is not there" \
	'Invalid Queue' nvme admin-passthru "$ctrl" -o 0 --cdw10=0xfff0

# ---- commands on blocks -----------------------------------------------------

blocks=$(($(blockdev --getsize64 "$disk") / 512))

check "write" fill 101 0 256
check "read gives what was written" holds 101 0 256
check "flush" nvme flush "$disk"
refuse "read beyond the end" 'LBA Out of Range' \
	nvme read "$disk" -s "$blocks" -c 0 -z 512 -d /run/beyond
refuse "write across the end" 'LBA Out of Range' fill 101 $((blocks - 1)) 2

check "write-zeroes" nvme write-zeroes "$disk" -s 16 -c 31
check "write-zeroes: the blocks are zero" holds 000 16 32
check "write-zeroes: the blocks before are not" holds 101 0 16
check "write-zeroes: the blocks behind are not" holds 101 48 208
check "write-zeroes with deallocation" \
	nvme write-zeroes "$disk" -s 64 -c 7 -d
check "write-zeroes with deallocation: the blocks are zero" holds 000 64 8

check "dsm: deallocate two ranges" \
	nvme dsm "$disk" -d -s 128,192 -b 32,16
check "dsm: the first range reads as zero" holds 000 128 32
check "dsm: the second range reads as zero" holds 000 192 16
check "dsm: what is between is not" holds 101 160 32

check "compare: write what to compare with" fill 102 0 8
check "compare: the same" \
	nvme compare "$disk" -s 0 -c 7 -z 4096 -d /run/fill
refuse "compare: not the same" 'Compare Failure' \
	nvme compare "$disk" -s 8 -c 7 -z 4096 -d /run/fill
check "compare has changed nothing" holds 101 8 8

check "verify" nvme verify "$disk" -s 0 -c 7
check "write-uncor" nvme write-uncor "$disk" -s 8 -c 0
refuse "write-uncor: the block cannot be read" 'Unrecovered Read Error' \
	nvme read "$disk" -s 8 -c 0 -z 512 -d /run/uncor
refuse "write-uncor: the block does not verify" 'Unrecovered Read Error' \
	nvme verify "$disk" -s 8 -c 0
check "write-uncor: its neighbours can be read" holds 102 0 8
check "write-uncor: a write mends it" fill 103 8 1
check "write-uncor: the block is back" holds 103 8 1

check "copy: two ranges behind each other" \
	nvme copy "$disk" -d 512 -s 0,8 -b 7,0
check "copy: the first is there" holds 102 512 8
check "copy: the second is there" holds 103 520 1

# ---- format, namespaces, reset ----------------------------------------------

formats=$(sed -n 's/^lbaf *\([0-9]*\) : ms:0 *lbads:\([0-9]*\).*/\1:\2/p' \
	/run/id-ns)
for format in $formats $lbaf:$shift_bits; do
	size=$((1 << ${format#*:}))
	check "format: to blocks of $size bytes" \
		nvme format "$disk" -l "${format%:*}" -f
	same "format: the kernel sees it" "$(blockdev --getss "$disk")" "$size"
	rm -f /run/formatted
	nvme read "$disk" -s 0 -c 0 -z "$size" -d /run/formatted
	same "format: nothing is left of what was there" \
		"$(tr -d '\000' </run/formatted | wc -c)" 0
	head -c "$size" /dev/zero | tr '\000' x >/run/formatted
	check "format: write a block of $size bytes" \
		nvme write "$disk" -s 0 -c 0 -z "$size" -d /run/formatted
done
refuse "format: a format that is not there" 'Invalid Format' \
	nvme format "$disk" -l 15 -f

check "ns-rescan" nvme ns-rescan "$ctrl"
check "ns-rescan: the namespace is still there" [ -b "$disk" ]
cntlid=$(field cntlid </run/id-ctrl)
check "detach-ns" nvme detach-ns "$ctrl" -n 2 -c "$cntlid"
nvme ns-rescan "$ctrl"
refuse "detach-ns: the namespace is gone" . ls "$disk"
same "detach-ns: it is not listed" \
	"$(nvme list-ns "$ctrl" | grep -o ':0x.*')" ":0x1"
check "attach-ns" nvme attach-ns "$ctrl" -n 2 -c "$cntlid"
nvme ns-rescan "$ctrl"
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ -b "$disk" ] || sleep 0.2
done
check "attach-ns: the namespace is back" [ -b "$disk" ]

check "a pattern that the reset must not touch" fill 104 0 64
check "reset" nvme reset "$ctrl"
check "reset: the pattern is there" holds 104 0 64
same "reset: the features are as at power-on" "$(feature 8)" 0
same "reset: the kernel has all its queues again" \
	"$(grep -c 'nvme0q[1-9]' /proc/interrupts)" "$CPUS"
sync
echo 3 >/proc/sys/vm/drop_caches
check "reset: the root disk can be read" sha256sum /usr/bin/fio
