#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# migrate_test.sh - lkvm migrate and lkvm receive
#
# The guest is tests/kvm's, which idles; an initial RAM disk of random data
# makes its memory one that takes a while to send.

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"
kvm_or_skip

dd if=/dev/urandom of=initrd bs=1M count=64 2>/dev/null
truncate -s 1M disk

# start NAME: starts a machine and waits until its guest idles.
start()
{
	"$LKVM" run --name "$1" -k "$GUEST" -i initrd -m 128 --nodefaults \
		-p test=idle --nvme disk </dev/null >"$1.out" 2>"$1.err" &
	pid=$!
	for _ in $(seq 300); do
		grep -q 'guest: idle' "$1.out" && return
		sleep 0.1
	done
	cat "$1.out" "$1.err"
	return 1
}

# receive ADDRESS OPTION...: waits for a machine, in the background.
receive()
{
	rm -f there.err
	timeout 60 "$LKVM" receive --listen "$@" </dev/null >there.out \
		2>there.err &
	there=$!
	for _ in $(seq 100); do
		grep -q 'waiting for a machine' there.err && return
		sleep 0.1
	done
	cat there.err
	return 1
}

# state NAME: of a machine; nothing if it is not there.
state()
{
	"$LKVM" list | awk -v n="$1" '$2 == n { print $3 }'
}

# port: one that nobody listens on at the moment.
port()
{
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# ---- what the command line itself refuses -------------------------------------

bad "migrate: no name" 2 "give --name" migrate --to unix:x
bad "migrate: no address" 2 "give --to" migrate -n one
bad "migrate: both" 2 "one of the two" migrate -n one --to unix:x --cancel
bad "migrate: no such machine" 1 "no machine called" migrate -n nobody --to unix:x
bad "migrate: an address without port" 2 "HOST:PORT" migrate -n one --to host
bad "migrate: a port that is none" 2 "1 to 65535" migrate -n one --to host:x
bad "migrate: port 0" 2 "1 to 65535" migrate -n one --to host:0
bad "migrate: port 65536" 2 "1 to 65535" migrate -n one --to host:65536
bad "migrate: IPv6 without brackets" 2 "brackets" migrate -n one --to ::1:44
bad "migrate: to any address" 2 "say where to" migrate -n one --to :44
bad "migrate: to standard output" 2 "say where to" migrate -n one --to -
bad "migrate: nothing behind the colon" 2 "behind the colon" \
	migrate -n one --to unix:
bad "migrate: 17 channels" 2 "channels=17" \
	migrate -n one --to unix:x --channels 17
bad "receive: no address" 2 "where from" receive
bad "receive: a command" 2 "lkvm migrate" receive --listen exec:true
bad "receive: a file" 2 "lkvm restore" receive --listen file:x
bad "receive: another kernel" 2 "part of the saved machine" \
	receive --listen unix:x -k y
bad "dry run: to a file" 2 "another host" migrate -n one --to file:x --dry-run
bad "dry run: of a cancellation" 2 "one of the two" \
	migrate -n one --cancel --dry-run
mkdir folder
bad "receive: a folder as socket" 1 "Address already in use" \
	receive --listen unix:folder
bad "receive: a folder that is not there" 1 "No such file" \
	receive --listen unix:nowhere/x

# ---- asked beforehand ----------------------------------------------------------

# dry ADDRESS OPTION...: what stops machine "one" from going there.
dry()
{
	timeout 60 "$LKVM" migrate -n one --dry-run --to "$@" >result 2>err
}

check "dry run: a machine starts" start one
check "dry run: a place for it" receive unix:s --name two
dry unix:s
same "dry run: nothing in the way: exit code" $? 0
check "dry run: it says so" grep -q "^one can move to unix:s: nothing would" \
	result
same "dry run: that is all" "$(wc -l <result)" 1
same "dry run: it runs on" "$(state one)" running
same "dry run: it is not there" "$(state two)" ""
dry unix:s --json
same "dry run: once more, as JSON: exit code" $? 0
check "dry run: JSON" grep -q '"event":"end".*"stops":0,"downtime-us":' result
check "dry run: the other side says it, too" \
	grep -q "whether two could come here; reasons against it: 0" there.err
mv disk disk.away
dry unix:s
same "dry run: no disk: exit code" $? 1
check "dry run: no disk: says which" \
	grep -q "^disk: nvme0n1: .*/disk: No such file.*--nvme 0=FILE" result
same "dry run: no disk: once" "$(grep -c disk result)" 1
check "dry run: counts the reasons" \
	grep -q "^one cannot move to unix:s: 1 reason$" result
mv disk.away disk
"$LKVM" migrate -n one --to unix:s >result 2>err
same "dry run: the listener takes it afterwards" $? 0
same "dry run: it runs there" "$(state two)" running
wait "$pid"
"$LKVM" stop -n two --force
wait "$there" 2>/dev/null

# Everything at once.
check "dry run: another machine" start one
cp disk disk.other
truncate -s 2M disk.large
check "dry run: a place for nothing of it" receive unix:s --nvme 0=disk.large \
	--dev /dev/null
dry unix:s
same "dry run: several reasons: exit code" $? 1
check "dry run: the name" grep -q "^name: a machine called one is running" \
	result
check "dry run: the disk" grep -q "^disk: .*2097152 bytes.*1048576" result
check "dry run: KVM" grep -q "^host: /dev/null:" result
check "dry run: three reasons" grep -q "cannot move to unix:s: 3 reasons" result
dry unix:s --json
check "dry run: reasons as JSON" \
	grep -q '"event":"finding","stops":true,"what":"name","text":"a machine' \
	result
check "dry run: their number as JSON" grep -q '"event":"end".*"stops":3' result
# A real one is told the first of them, and ends the listener.
"$LKVM" migrate -n one --to unix:s >result 2>err
same "a name that is taken: exit code" $? 1
wait "$there"
same "a name that is taken: the receiver ends" $? 1
"$LKVM" migrate -n one --to \
	"exec:'$LKVM' receive --listen - --name two --dev /dev/null" >result 2>err
same "no KVM: exit code" $? 1
check "no KVM: the source says so" grep -q "/dev/null: not KVM" err
same "no KVM: it runs on" "$(state one)" running

# A disk that is another one of the same size, and in use.
"$LKVM" run --name other -k "$GUEST" -m 64 --nodefaults -p test=idle \
	--nvme disk.other </dev/null >other.out 2>&1 &
other=$!
for _ in $(seq 300); do
	grep -q 'guest: idle' other.out && break
	sleep 0.1
done
check "dry run: a place with another disk" receive unix:s --name two \
	--nvme 0=disk.other
dry unix:s
same "dry run: another disk: exit code" $? 1
check "dry run: another disk: says so" \
	grep -q "^disk: nvme0n1: .*/disk.other is not the disk that the source" \
	result
check "dry run: another disk: in use" \
	grep -q "^disk: nvme0n1: .* in use by machine \"other\"" result
"$LKVM" migrate -n one --to unix:s >result 2>err
same "another disk of this size: exit code" $? 1
check "another disk of this size: the source says so" \
	grep -q "nvme0n1: .*is not the disk that the source has.*1 more" err
same "another disk of this size: it runs on" "$(state one)" running
wait "$there"
"$LKVM" stop -n other --force
wait "$other" 2>/dev/null

# A source that breaks off does not end it.
check "dry run: a place for several" receive unix:s --name two
timeout 20 python3 - <<'PY'
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("s")
s.close()
PY
"$LKVM" pause -n one >result
dry unix:s
same "dry run: paused: exit code" $? 0
same "dry run: paused: it stays so" "$(state one)" paused
"$LKVM" resume -n one >result
kill "$there"
wait "$there" 2>/dev/null
rm -f s

# Over standard input and output there is no second one.
dry "exec:'$LKVM' receive --listen - --name two 2>there.err"
same "dry run: exec: exit code" $? 0
check "dry run: exec: says so" grep -q "one can move to exec:" result
dry "exec:'$LKVM' receive --listen - 2>there.err"
same "dry run: exec, its name: exit code" $? 1
same "dry run: it has run all the while" "$(state one)" running

# A host with little memory, seen through files of its own in /proc.
cat >little <<'SH'
printf 'MemAvailable: 65536 kB\nSwapFree: 1024 kB\n' >meminfo
echo 0 >policy
mount --bind meminfo /proc/meminfo
mount --bind policy /proc/sys/vm/overcommit_memory
exec "$LKVM" "$@"
SH
if unshare -m sh little version >result 2>&1; then
	dry "exec:unshare -m sh little receive --listen - --name two 2>there.err"
	same "dry run: little memory: exit code" $? 1
	check "dry run: little memory: says so" \
		grep -q "^memory: the machine has 128 MiB.*has 65 MiB" result
	"$LKVM" migrate -n one --to \
		"exec:unshare -m sh little receive --listen - --name two" \
		>result 2>err
	same "little memory: exit code" $? 1
	check "little memory: the source says so" \
		grep -q "the machine has 128 MiB.*has 65 MiB" err
	same "little memory: it runs on" "$(state one)" running
else
	skip "little memory" "another /proc cannot be mounted here"
fi
"$LKVM" stop -n one --force
wait "$pid" 2>/dev/null

# ---- there and back ------------------------------------------------------------

check "a machine starts" start one
first=$pid
check "a place for it" receive unix:s --name two
"$LKVM" migrate -n one --to unix:s >result 2>err
same "migrate: exit code" $? 0
check "migrate: tells what it took" grep -q "^one runs at unix:s: 128.0 MiB" \
	result
check "migrate: tells of pages" \
	grep -q "^pages: [1-9][0-9]* zero, [1-9][0-9]* sent, [0-9]* of them again" \
	result
wait "$first"
same "the source has ended well" $? 0
check "the source says where it went" grep -q "one runs at unix:s now" one.err
same "it runs there" "$(state two)" running
same "and not here" "$(state one)" ""
same "the socket is gone" "$(ls s 2>/dev/null)" ""

where=127.0.0.1:$(port)
here=$there
check "a place to go back to" receive "$where" --name one
"$LKVM" migrate -n two --to "$where" --channels 4 --json >result 2>err
same "json: exit code" $? 0
check "json: the last object is the result" \
	sh -c 'tail -n 1 result | grep -q "\"event\":\"end\".*\"downtime-us\""'
for word in rounds throttle-percent sent-bytes bytes-per-second dirty-bytes \
	dirty-bytes-per-second expected-downtime-ms zero-pages sent-pages \
	resent-pages elapsed-ms; do
	check "json: the result has $word" \
		sh -c "tail -n 1 result | grep -q '\"$word\":[0-9]'"
done
wait "$here"
same "json: the source has ended well" $? 0
same "json: it runs there" "$(state one)" running
here=$there

# ---- over a command, as ssh is one ---------------------------------------------

"$LKVM" migrate -n one --to "exec:'$LKVM' receive --listen - --name three" \
	>result 2>err
same "exec: exit code" $? 0
same "exec: it runs there" "$(state three)" running
wait "$here"
same "exec: the source has ended well" $? 0

# ---- a request without connections, and a machine that is paused ---------------

python3 - "$XDG_RUNTIME_DIR/lkvm/three.sock" >result <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b'{"id":1,"command":"migrate","arguments":{"peer":"x"}}\n')
print(s.recv(4096).decode())
PY
check "no sockets with the request: it is refused" \
	grep -q 'bad-argument.*1 to 16 connected sockets' result
same "no sockets with the request: it runs on" "$(state three)" running

"$LKVM" pause -n three >result
check "a place for a paused machine" receive unix:s --name five
"$LKVM" migrate -n three --to unix:s >result 2>err
same "paused: exit code" $? 0
same "paused: it is there, and paused" "$(state five)" paused
check "a place to go back to, paused" receive unix:p --name three
"$LKVM" migrate -n five --to unix:p >result 2>err
same "paused: exit code of the way back" $? 0
same "paused: it is back, and paused" "$(state three)" paused
"$LKVM" resume -n three >result
same "paused: it runs when it is resumed" "$(state three)" running

# ---- to a file -----------------------------------------------------------------

"$LKVM" migrate -n three --to file:snap >result 2>err
same "file: exit code" $? 0
check "file: it is a snapshot" "$LKVM" snapshot verify snap
same "file: it stays here" "$(state three)" running

# ---- what goes wrong -----------------------------------------------------------

"$LKVM" migrate -n three --to 127.0.0.1:"$(port)" >result 2>err
same "nobody listens: exit code" $? 1
check "nobody listens: says so" grep -q "does 'lkvm receive' listen" err
same "nobody listens: it runs on" "$(state three)" running

check "a place where its name is taken" receive unix:s
"$LKVM" migrate -n three --to unix:s >result 2>err
same "the name is taken: exit code" $? 1
check "the name is taken: the source says so" \
	grep -q "a machine called three is running already" err
same "the name is taken: it runs on" "$(state three)" running
wait "$there"
same "the name is taken: the receiver ends" $? 1

check "a place with another disk" receive unix:s --name four --nvme 0=initrd
"$LKVM" migrate -n three --to unix:s >result 2>err
same "another disk: exit code" $? 1
check "another disk: the source says so" grep -q "nvme0" err
same "another disk: it runs on" "$(state three)" running
same "another disk: it is not there" "$(state four)" ""

check "a slow place" receive unix:s --name four
"$LKVM" migrate -n three --to unix:s --bandwidth 1M >result 2>err &
client=$!
sleep 1
same "cancel: it runs meanwhile" "$(state three)" running
"$LKVM" migrate -n three --cancel
same "cancel: exit code" $? 0
wait $client
same "cancel: the client fails" $? 1
check "cancel: the client says so" grep -q "given up" err
same "cancel: it runs on" "$(state three)" running
wait "$there"
same "cancel: the receiver ends" $? 1

check "a place, and Ctrl-C" receive unix:s --name four
timeout -s INT 1 "$LKVM" migrate -n three --to unix:s --bandwidth 1M \
	>result 2>err
same "Ctrl-C: it runs on" "$(state three)" running
wait "$there"

check "a place, and too little time" receive unix:s --name four
"$LKVM" migrate -n three --to unix:s --bandwidth 1M --timeout 1 >result 2>err
same "timeout: exit code" $? 1
check "timeout: says so" grep -q "time allowed has passed" err
same "timeout: it runs on" "$(state three)" running
wait "$there"

check "a place that is killed" receive unix:s --name four
"$LKVM" migrate -n three --to unix:s --bandwidth 1M >result 2>err &
client=$!
sleep 1
kill -9 "$(pgrep -P "$there")"
wait "$there" 2>/dev/null
wait $client
same "killed: exit code" $? 1
same "killed: it runs on" "$(state three)" running
# What a killed one leaves is recognised.
rm -f s

check "who talks nonsense is sent away" receive unix:s --name four
python3 -c 'import socket
s = socket.socket(socket.AF_UNIX)
s.connect("s")
s.sendall(b"GET / HTTP/1.0\r\n\r\n" * 10)
s.recv(100)'
"$LKVM" migrate -n three --to unix:s >result 2>err
same "nonsense: the next one is welcome" $? 0
same "nonsense: it runs there" "$(state four)" running
"$LKVM" stop -n four --force
wait "$there"

same "nothing is left behind" "$(left_behind)" ""
tap_done
