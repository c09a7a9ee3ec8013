#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# root_test.sh - the root that is put on the kernel's command line
#
# The guest is tests/kvm's, which takes any; the event "start" tells the line.

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"
kvm_or_skip
PATH=$PATH:/usr/sbin:/sbin

# words ARGUMENT...: the words about the root that such a machine starts with.
words()
{
	rm -f events
	mkfifo events
	"$LKVM" run --json --name words -k "$GUEST" -m 64 -c 1 "$@" \
		</dev/null >/dev/null 2>events &
	line=$(grep -m 1 '"event":"start"' events)
	"$LKVM" stop --force -n words >/dev/null 2>&1
	wait $!
	echo "$line" | sed 's/.*"cmdline":"\([^"]*\)".*/\1/' | tr ' ' '\n' |
		grep '^root\|^r[ow]$\|^test=' | tr '\n' ' '
}

truncate -s 4M empty.img plain.img parted.img
mke2fs -q -F plain.img
# An MBR whose second entry is a Linux partition from sector 2048 on.
mke2fs -q -F -E offset=1048576 parted.img 2048
printf '\000\000\000\000\203\000\000\000\000\010\000\000\000\020\000\000' |
	dd of=parted.img bs=1 seek=462 conv=notrunc 2>/dev/null
printf '\125\252' | dd of=parted.img bs=1 seek=510 conv=notrunc 2>/dev/null
echo initrd >initrd

p="-p test=idle"
# shellcheck disable=SC2086 # two words
{
same "no disk" "$(words $p)" "test=idle "
same "a file system" "$(words $p --nvme plain.img)" \
	"root=/dev/nvme0n1 rw rootwait test=idle "
same "a partition" "$(words $p --nvme parted.img)" \
	"root=/dev/nvme0n1p2 rw rootwait test=idle "
same "nothing that is known" "$(words $p --nvme empty.img)" \
	"root=/dev/nvme0n1 rw rootwait test=idle "
same "write-protected" "$(words $p --nvme plain.img,ro)" \
	"root=/dev/nvme0n1 ro rootwait test=idle "
same "the first disk" "$(words $p --nvme empty.img --nvme plain.img)" \
	"root=/dev/nvme0n1 rw rootwait test=idle "

same "initrd: no disk" "$(words $p -i initrd)" "test=idle "
same "initrd: a file system" "$(words $p -i initrd --nvme plain.img)" \
	"root=/dev/nvme0n1 rw rootwait test=idle "
same "initrd: a partition" "$(words $p -i initrd --nvme parted.img)" \
	"root=/dev/nvme0n1p2 rw rootwait test=idle "
same "initrd: nothing that is known" \
	"$(words $p -i initrd --nvme empty.img)" "test=idle "
}

same "the user's root" \
	"$(words --nvme plain.img -p "test=idle root=/dev/ram0")" \
	"test=idle root=/dev/ram0 "
same "--nodefaults" "$(words --nodefaults --nvme plain.img -p test=idle)" \
	"test=idle "

tap_done
