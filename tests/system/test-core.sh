#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test-core.sh - a snapshot of a stock kernel is a core file
#
# The outer machine has no debugger, so the notes are looked at by hand; what
# debuggers make of them is for debuggers.sh.

. tests/lib/tap.sh
. tests/system/machine.sh

# number FILE OFFSET BYTES FORMAT: what od makes of it.
number()
{
	od -An -v -t "$4$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# notes: for each note its bytes of owner and contents, type, and where its
# contents are in core.notes.
notes()
{
	od -An -v -tu4 core.notes | tr -s ' ' '\n' | sed '/^$/d' | awk '
	{ w[n++] = $1 }
	END {
		for (at = 0; at < n;) {
			name = int((w[at] + 3) / 4)
			print w[at], w[at + 1], w[at + 2], (at + 3 + name) * 4
			at += 3 + name + int((w[at + 1] + 3) / 4)
		}
	}'
}

new_disk disk.img
machine_start core -c 2 --nvme disk.img \
	-p "$(machine_exec 'sh /tests/core.sh; echo ready; sleep 1000')"
check "core: the guest is up" machine_says '^ready'
check "core: lkvm snapshot" ./lkvm snapshot -n core core.snap
check "core: the guest runs on" sh -c './lkvm list | grep -q "core.*running"'
./lkvm stop --force -n core
machine_ends "core: lkvm run ends with" 5
guest_output >core.text
if [ ! -e core.snap ]; then
	tap_done
	exit 1
fi

# The first program header has the notes, which end with the file.
dd if=core.snap of=core.notes bs=1048576 \
	skip=$(($(number core.snap 72 8 u) / 1048576)) 2>/dev/null
notes >core.list

same "core: a note with registers for each vCPU" \
	"$(grep -c '^5 336 1 ' core.list)" 2
stext=$(sed -n 's/^_stext //p' core.text)
etext=$(sed -n 's/^_etext //p' core.text)
while read -r at; do
	rip=$(number core.notes $((at + 240)) 8 x)
	check "core: a sleeping guest is in its kernel ($stext, $rip, $etext)" \
		awk -v a="x$stext" -v b="x$rip" -v c="x$etext" \
		'BEGIN { exit !(length(a) == 17 && a <= b && b < c) }'
done <<END
$(sed -n 's/^5 336 1 //p' core.list)
END

sed -n '/^vmcoreinfo begin/,/^vmcoreinfo end/p' core.text |
	sed '/^vmcoreinfo /d; /^$/d' >core.wanted
read -r _ length _ at <<END
$(grep '^11 [0-9]* 0 ' core.list)
END
dd if=core.notes bs=1 skip="${at:-0}" count="${length:-0}" 2>/dev/null >core.got
check "core: VMCOREINFO is what the kernel shows" cmp core.got core.wanted
check "core: it has the kernel's place" \
	grep -q "^SYMBOL(_stext)=$stext\$" core.got

[ -z "${SYSTEM_OUT:-}" ] || cp core.snap core.text core.got "$SYSTEM_OUT"
tap_done
