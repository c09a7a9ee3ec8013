#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# virtio_test.sh - sockets, consoles and the balloon of machines that run
#
# The guest is tests/kvm's, which idles and has no drivers for them.

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"
kvm_or_skip

# start NAME ARGUMENT...: starts a machine and waits until its guest idles.
start()
{
	start_name=$1
	shift
	"$LKVM" run --name "$start_name" -k "$GUEST" -m 64 -c 1 --nodefaults \
		-p test=idle "$@" </dev/null >"$start_name.out" \
		2>"$start_name.err" &
	pid=$!
	for _ in $(seq 300); do
		grep -q 'guest: idle' "$start_name.out" && return
		sleep 0.1
	done
	cat "$start_name.out" "$start_name.err"
	return 1
}

# ends NAME: ends a machine and waits for it.
ends()
{
	"$LKVM" stop -n "$1" --force && ! wait "$pid"
}

socket=$XDG_RUNTIME_DIR/lkvm/one.vsock

# Few, as a login shell has it.
prlimit --pid $$ --nofile=256:
check "a machine starts" start one --vsock 3 --balloon

# ---- sockets ------------------------------------------------------------------

same "the socket is the owner's" "$(stat -c %a "$socket")" 600
refuse "another machine at the same path" \
	"vsock0: path=$socket: another program listens there; name another one" \
	"$LKVM" run --name two -k "$GUEST" --vsock "3,path=$socket"
check "and the socket is still there" test -S "$socket"
# Each of the guest's sockets takes one.
prlimit --pid "$pid" --nofile -o HARD --noheadings | tr -d ' ' >hard
same "more descriptors than a login shell has" \
	"$(sed -n 's/^Max open files *//p' "/proc/$pid/limits" | cut -d ' ' -f 1)" \
	"$(echo 65536 | sort -n - hard | head -n 1)"

# ---- balloon ------------------------------------------------------------------

takes()
{
	"$LKVM" balloon -n one "$@" >said 2>&1
	sed 's/^one: the balloon //' said
}
same "balloon: it takes nothing" "$(takes)" \
	"takes 0 MiB of 64 MiB, and is to take 0 MiB"
same "balloon: inflate" "$(takes -i 20)" \
	"takes 0 MiB of 64 MiB, and is to take 20 MiB"
same "balloon: once more" "$(takes --inflate 10M)" \
	"takes 0 MiB of 64 MiB, and is to take 30 MiB"
same "balloon: deflate" "$(takes -d 25)" \
	"takes 0 MiB of 64 MiB, and is to take 5 MiB"
same "balloon: deflate by more than there is" "$(takes --deflate 25)" \
	"takes 0 MiB of 64 MiB, and is to take 0 MiB"
same "balloon: size" "$(takes --size 8192K)" \
	"takes 0 MiB of 64 MiB, and is to take 8 MiB"
refuse "balloon: more than all" \
	"one has 64 MiB of memory, a balloon cannot take 65 MiB" \
	"$LKVM" balloon -n one --size 65
same "balloon: and that changes nothing" "$(takes)" \
	"takes 0 MiB of 64 MiB, and is to take 8 MiB"
refuse "stat -m: a guest without a driver" "has no driver for the balloon" \
	"$LKVM" stat -m -n one

# ---- the end ------------------------------------------------------------------

check "it ends" ends one
check "nothing is left" test ! -e "$socket"

check "a machine without them" start one
refuse "balloon: there is none" "one has no balloon; start it with --balloon" \
	"$LKVM" balloon -n one -i 1
refuse "stat -m: there is none" "one has no balloon; start it with --balloon" \
	"$LKVM" stat -n one --memory
check "it ends as well" ends one

# ---- consoles and ports -----------------------------------------------------------

# What the guest writes to its serial port is shown as well: start sees it.
check "a machine with ports" start one --console virtio \
	--virtio-console "agent,path=ga,port=log,path=log"
same "their sockets are the owner's" "$(stat -c %a ga log | tr '\n' ' ')" \
	"600 600 "
check "the console is a device of its own" grep -q -e \
	"--virtio-console agent,path=ga,port=log,path=log --virtio-console console=on" \
	one.err
refuse "another machine at the same path" \
	"virtio-console0: path=$work/log: another program listens there; name another one" \
	"$LKVM" run --name two -k "$GUEST" --virtio-console \
	"a,path=$work/other,port=b,path=$work/log"
check "and nothing of it is left" test ! -e other
check "it is saved" "$LKVM" snapshot -n one --stop console.snap
wait "$pid"
check "its sockets are gone" test ! -e ga -a ! -e log

touch ga
refuse "restore: a path is taken" \
	"virtio-console0: path=$work/ga: is there already; name another one or remove it" \
	"$LKVM" restore console.snap
rm ga
refuse "restore: a port's name is fixed" \
	"virtio-console0: virtio-console: port: the guest has seen it, so it is fixed for the life of the machine" \
	"$LKVM" restore --virtio-console 0=port=other console.snap
refuse "restore: one path of two" \
	"virtio-console0: port=log: name its socket with path=" \
	"$LKVM" restore --virtio-console 0=path=new console.snap
"$LKVM" restore --name one --virtio-console 0=path=new,path=new2 \
	console.snap </dev/null >one.out 2>one.err &
pid=$!
for _ in $(seq 100); do
	[ "$("$LKVM" list --json 2>/dev/null | grep -c running)" = 1 ] && break
	sleep 0.1
done
check "restore: at other paths" test -S new -a -S new2 -a ! -e ga
check "it ends" ends one
check "and nothing is left" test ! -e new -a ! -e new2

"$LKVM" run --name one -k "$GUEST" -m 64 -c 1 -n none --console hv --json \
	-p test=idle </dev/null >one.out 2>one.err &
pid=$!
for _ in $(seq 100); do
	grep -q '"event": *"start"' one.err && break
	sleep 0.1
done
check "the kernel is told of it" grep -q 'console=hvc0' one.err
check "and of no other one" sh -c '! grep -q console=ttyS0 one.err'
check "it ends as well" ends one

# ---- machines that are killed -------------------------------------------------------

check "one that is going to be killed" start one --vsock 3
kill -9 "$pid"
wait "$pid" 2>/dev/null
check "it leaves its socket" test -S "$socket"
check "the next one is not kept from starting" start one --vsock 3
check "and ends" ends one
same "nothing is left of either" "$(left_behind)" ""

tap_done
