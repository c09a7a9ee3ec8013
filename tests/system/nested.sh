#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# nested.sh [-t] [-m MIB] [-o DIR] [-l LOG] STAGE COMMAND - runs in a machine
# with hardware virtualization, on a machine that has none
#
# QEMU emulates an AMD processor with SVM, or with DEB_ARCH=arm64 one with EL2,
# and boots Debian's cloud kernel, with its kvm-amd modules. There, the shell
# command runs as root with the contents of the folder STAGE as its working folder
# /work, and with /dev/kvm. Its output and its errors come out of this script's,
# apart from each other, and its exit code is this script's.
#
#   -t      the user's terminal is the command's
#   -m      memory of the outer machine (default 2048)
#   -o DIR  what the command leaves in /out is put into DIR
#   -l LOG  the outer kernel's messages go there, for when things go wrong
#
# Exit code 125: the outer machine itself did not get to the end.
#
# From the environment: OUTER_CPUS, its processors (1); for arm64 OUTER_CPU, what
# they are like, and OUTER_GIC, their interrupt controller (3).
#
# The folder STAGE is used up: the outer machine's root is made in it.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh
PATH=$PATH:/usr/sbin:/sbin

interactive=
memory=2048
out=
log=
while getopts tm:o:l: opt; do
	case $opt in
	t) interactive=1 ;;
	m) memory=$OPTARG ;;
	o) out=$OPTARG ;;
	l) log=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
stage=$1
command=$2

# add_modules DIR NAME: the module and before it what it depends on.
add_modules()
{
	[ ! -e "$1/$2.ko" ] || return 0
	file=$(find "$kernel/modules" -name "$2.ko" | head -n 1)
	[ -n "$file" ] || die "the kernel has no module $2"
	cp "$file" "$1/"
	for dependency in $(grep -ao 'depends=[a-z0-9_,-]*' "$1/$2.ko" |
		cut -d= -f2 | tr ',_' ' -'); do
		add_modules "$1" "$dependency"
	done
	echo "$2" >>"$1/order"
}

# make_root DIR: everything around /work.
make_root()
{
	for dir in dev proc sys tmp var/tmp run root out bin sbin usr/bin usr/sbin \
		modules; do
		mkdir -p "$1/$dir"
	done
	debugfs -R "dump /bin/busybox $1/bin/busybox" \
		"$(sh tests/system/rootfs.sh)" 2>/dev/null
	chmod 755 "$1/bin/busybox"
	sh tests/system/applets.sh | while read -r applet; do
		[ -e "$1/$applet" ] || ln -s /bin/busybox "$1/$applet"
	done
	rm -f "$1/sbin/init"
	cp tests/system/outer/init "$1/sbin/init"
	chmod 755 "$1/sbin/init"
	: >"$1/modules/order"
	for module in $outer_modules; do
		add_modules "$1/modules" "$module"
	done
	echo "$outer_terminals" >"$1/terminals"
	# passt is not root for longer than it must.
	mkdir "$1/etc"
	echo 'nobody:x:65534:65534:nobody:/:/bin/false' >"$1/etc/passwd"
	printf '%s\n' "$command" >"$1/command"
	if [ -n "$interactive" ]; then
		echo "${TERM:-linux}" "$(stty size)" >"$1/interactive"
	fi
}

# The programs of the stage want their libraries where they were found.
move_libraries()
{
	staged=$1/work
	if [ -d "$staged/.root" ]; then
		cp -a "$staged/.root/." "$1/"
		rm -rf "$staged/.root"
	fi
}

# arm64's KVM is built in; of ports, its machine has one, and those on PCI.
case $DEB_ARCH in
arm64)
	outer_modules="veth sch_netem tun loop"
	outer_terminals='/dev/ttyS0 /dev/ttyS1'
	;;
*)
	outer_modules="kvm-amd veth sch_netem bridge tun"
	outer_terminals='/dev/ttyS1 /dev/ttyS2'
	;;
esac

kernel=$(sh tests/system/kernel.sh)
temp=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-outer.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM HUP

mkdir "$temp/root"
mv "$stage" "$temp/root/work"
make_root "$temp/root"
move_libraries "$temp/root"
size=$(($(du -sm "$temp/root" | cut -f1) * 5 / 4 + 4096))
truncate -s "${size}M" "$temp/disk"
mke2fs -q -F -t ext4 -m 0 -d "$temp/root" \
	-E lazy_itable_init=0,lazy_journal_init=1,root_owner=0:0 "$temp/disk"
rm -rf "$temp/root"

: "${log:=$temp/log}"
limit=
if [ -z "$interactive" ]; then
	exec </dev/null
	# In our process group: what ends us ends QEMU.
	limit="timeout --foreground -k 10 ${OUTER_LIMIT:-2700}"
fi
# Our own standard error may be a file that cannot be opened a second time.
mkfifo "$temp/errors"

# No XSAVE: the emulated SVM does not intercept XSETBV, so KVM would not know
# the guest's XCR0, set its own, and the guest would lose vector registers.
# The crypto self-tests are long under emulation, and have hung.
# The clock is the HPET from the start, as it is with several processors. The rate
# of a TSC is measured twice, seconds apart, and KVM keeps the first figure for its
# guests: where that was the higher one, their TSCs are made to catch up at each
# entry, and timers do not come any more (tsc_early_khz= with half a percent too
# much shows it).
emulated_amd64()
{
	$limit qemu-system-x86_64 -accel tcg,thread=multi \
		-cpu EPYC,+svm,+npt,-xsave -smp "${OUTER_CPUS:-1}" -m "$memory" \
		-display none -vga none -nodefaults -no-reboot \
		-pidfile "$temp/pid" \
		-kernel "$kernel/vmlinuz" -append "console=ttyS0 panic=-1 quiet \
			mitigations=off no_timer_check tsc=unstable \
			cryptomgr.notests \
			softlockup_panic=1 watchdog_thresh=30 \
			root=/dev/nvme0n1 rw" \
		-drive "if=none,id=disk,file=$temp/disk,format=raw,cache=unsafe" \
		-device nvme,drive=disk,serial=outer \
		-serial "file:$log" \
		-chardev stdio,id=output,signal=off -serial chardev:output \
		-chardev "file,id=errors,path=$temp/errors" \
		-serial chardev:errors
}

# Vectors of variable length and the architecture's way to sign pointers take
# long to emulate.
emulated_arm64()
{
	$limit qemu-system-aarch64 -accel tcg,thread=multi \
		-M "virt,virtualization=on,gic-version=${OUTER_GIC:-3}" \
		-cpu "${OUTER_CPU:-max,pauth-impdef=on,sve=off,sme=off,lpa2=off}" \
		-smp "${OUTER_CPUS:-1}" -m "$memory" -display none -nodefaults -no-reboot \
		-pidfile "$temp/pid" \
		-kernel "$kernel/vmlinuz" -append "console=ttyAMA0 panic=-1 quiet \
			mitigations=off cryptomgr.notests \
			softlockup_panic=1 watchdog_thresh=30 \
			root=/dev/nvme0n1 rw" \
		-drive "if=none,id=disk,file=$temp/disk,format=raw,cache=unsafe" \
		-device nvme,drive=disk,serial=outer \
		-serial "file:$log" \
		-chardev stdio,id=output,signal=off \
		-device pci-serial,chardev=output \
		-chardev "file,id=errors,path=$temp/errors" \
		-device pci-serial,chardev=errors
}

# hangs: a processor of the emulated kernel does not come back, as it says again
# and again, or nothing is heard of its init any more.
hangs()
{
	[ "$(grep -c 'BUG: soft lockup' "$log")" -ge 3 ] ||
		[ -n "$(find "$log" -mmin +4)" ]
}

# give_up: ends QEMU when its machine hangs.
give_up()
{
	until hangs; do
		sleep 5
	done >/dev/null 2>&1
	echo "${0##*/}: a processor of the outer machine hangs" >&2
	kill "$(cat "$temp/pid")"
}

emulate()
{
	cat "$temp/errors" >&2 &
	errors=$!
	: >"$log"
	give_up &
	watch=$!
	emulated=0
	case $DEB_ARCH in
	arm64) emulated_arm64 ;;
	*) emulated_amd64 ;;
	esac 2>"$temp/qemu" || emulated=$?
	kill "$watch" 2>/dev/null
	wait "$watch" 2>/dev/null
	# QEMU may have failed before it opened its end.
	: <>"$temp/errors"
	wait "$errors"
	[ "$emulated" = 0 ] || cat "$temp/qemu" >&2
	return "$emulated"
}

# The emulated kernel hangs now and then before it reaches its init, on which
# it gives up after a minute: nothing of ours has run then, so it may try again.
for try in 1 2 3; do
	emulate || break
	! grep -q '^outer: begun' "$log" || break
	echo "${0##*/}: try $try: the outer machine hung before its init" >&2
done

code=$(debugfs -R 'cat /out/code' "$temp/disk" 2>/dev/null)
if [ -n "$out" ]; then
	mkdir -p "$out"
	debugfs -R "rdump /out $temp" "$temp/disk" >/dev/null 2>&1
	[ ! -d "$temp/out" ] || cp -r "$temp/out/." "$out/"
fi
if [ -z "$code" ]; then
	tail -n 20 "$log" >&2 || :
	echo "${0##*/}: the outer machine did not get to the end" >&2
	exit 125
fi
exit "$code"
