#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# machines_test.sh - names, locks and the commands on running machines
#
# The guest is tests/kvm's, which idles.

. "$(dirname "$0")/common.sh"
kvm_or_skip

truncate -s 1M disk other-disk

# start NAME ARGUMENT...: starts a machine and waits until its guest idles.
start()
{
	start_name=$1
	shift
	"$LKVM" run --name "$start_name" -k "$GUEST" -m 64 -c 2 --nodefaults \
		-p test=idle "$@" </dev/null >"$start_name.out" \
		2>"$start_name.err" &
	eval "pid_$start_name=$!"
	for _ in $(seq 300); do
		grep -q 'guest: idle' "$start_name.out" && return
		sleep 0.1
	done
	cat "$start_name.out" "$start_name.err"
	return 1
}

# ended NAME: waits for its end; its exit code is in $code.
ended()
{
	eval "wait \$pid_$1"
	code=$?
}

# field FILE KEY: the values of a key in JSON that lkvm has printed.
field()
{
	sed -n "s/.*\"$2\": *\"\{0,1\}\([^\",]*\).*/\1/p" "$1" | tr '\n' ' '
}

check "one machine starts" start one --nvme disk
check "two machines start" start two --nvme other-disk --json

# ---- names and locks ----------------------------------------------------------

# shellcheck disable=SC2154
refuse "busy name: one line, with the owner and the remedy" \
	"^lkvm: a machine called one is running already, PID $pid_one; .*--name" \
	"$LKVM" run --name one -k "$GUEST"
same "busy name: exit code" \
	"$("$LKVM" run --name one -k "$GUEST" 2>/dev/null; echo $?)" 1
refuse "locked image: the holder is named" \
	"nvme0: .*/disk: in use by machine \"one\" .*pid $pid_one" \
	"$LKVM" run --name three -k "$GUEST" --nvme disk
same "nothing is left of those refused" "$(left_behind | tr '\n' ' ')" \
	"one.lock one.sock two.lock two.sock "
same "the socket is the owner's" \
	"$(stat -c %a "$XDG_RUNTIME_DIR/lkvm/one.sock")" 600
same "so is its folder" "$(stat -c %a "$XDG_RUNTIME_DIR/lkvm")" 700

# ---- list ---------------------------------------------------------------------

# shellcheck disable=SC2154
{
	printf '%6s %-20s %s\n' PID NAME STATE
	printf '%6s %-20s %s\n' "$pid_one" one running "$pid_two" two running
} >wanted
"$LKVM" list >list.txt
check "list" cmp list.txt wanted
"$LKVM" list --json >list.json
same "list --json: names" "$(field list.json name)" "one two "
same "list --json: PIDs" "$(field list.json pid)" "$pid_one $pid_two "
same "list --json: states" "$(field list.json state)" "running running "

# ---- pause and resume ---------------------------------------------------------

same "pause" "$("$LKVM" pause -n one)" "Guest one paused"
same "pause again" "$("$LKVM" pause -n one)" "Guest one paused"
"$LKVM" list --json >list.json
same "one is paused" "$(field list.json state)" "paused running "
refuse "a paused machine cannot switch itself off" "resume it first" \
	"$LKVM" stop -n one
same "resume" "$("$LKVM" resume -n one)" "Guest one resumed"
same "pause all" "$("$LKVM" pause -a | tr '\n' ' ')" \
	"Guest one paused Guest two paused "
same "resume all" "$("$LKVM" resume -a | tr '\n' ' ')" \
	"Guest one resumed Guest two resumed "

# ---- stat and debug -----------------------------------------------------------

"$LKVM" stat -n one >stat.txt
check "stat: machine" grep -q '^one up [0-9]*\.[0-9]* s$' stat.txt
same "stat: a line a vCPU" "$(grep -c '^  vcpu[01]  *exits [0-9]' stat.txt)" 2
"$LKVM" stat -a --json >stat.json
same "stat --json: names" "$(field stat.json name)" "one two "
check "stat --json: exits" grep -q '"exits": *[1-9]' stat.json
"$LKVM" debug --dump -n one >dump.txt
same "debug --dump: both vCPUs" "$(grep -c '^one vcpu [01]:' dump.txt)" 2
"$LKVM" list --json >list.json
same "it runs on after a dump" "$(field list.json state)" "running running "
refuse "debug --nmi: no such vCPU" "vcpu 2: one has vCPUs 0 to 1" \
	"$LKVM" debug --nmi 2 -n one

# ---- the end ------------------------------------------------------------------

check "stop --force" "$LKVM" stop --force -n one
ended one
same "exit code of a killed machine" "$code" 5
same "only two is left" "$(left_behind | tr '\n' ' ')" "two.lock two.sock "
check "the line to paste" grep -q \
	"^  # lkvm run -k $GUEST -m 64 -c 2 --name one --nvme disk --nodefaults -p test=idle\$" \
	one.err
check "the end" grep -q '^  # KVM session ended: killed.$' one.err
check "its name and disk are free again" start one --nvme disk

kill -TERM "$pid_one"
ended one
same "exit code after SIGTERM" "$code" 143
check "a third start" start one
kill -KILL "$pid_one"
ended one 2>/dev/null
same "exit code after SIGKILL" "$code" 137
same "SIGKILL leaves files behind" "$(left_behind | tr '\n' ' ')" \
	"one.lock one.sock two.lock two.sock "
"$LKVM" list >list.txt
same "list does not show the dead" "$(wc -l <list.txt)" 2
same "and removes what is left of it" "$(left_behind | tr '\n' ' ')" \
	"two.lock two.sock "

check "stop --timeout" "$LKVM" stop --timeout 1 --all
ended two
same "exit code of two" "$code" 5
same "nothing is left" "$(left_behind)" ""

# ---- events -------------------------------------------------------------------

same "--json: all lines are objects" "$(grep -c -v '^{.*}$' two.err)" 0
same "--json: events" "$(grep -o '^{"event":"[a-z]*"' two.err |
	grep -v -e log -e state | cut -d '"' -f 4 | tr '\n' ' ')" "start end "
check "--json: start" grep -q \
	"^{\"event\":\"start\",\"name\":\"two\",\"pid\":$pid_two,\"socket\":\"$XDG_RUNTIME_DIR/lkvm/two.sock\"" \
	two.err
same "--json: states" "$(grep '"event":"state"' two.err |
	cut -d '"' -f 8 | uniq | tr '\n' ' ')" \
	"paused running pausing paused running pausing paused "
check "--json: end" grep -q \
	'^{"event":"end","reason":"killed","exit-code":5}$' two.err

tap_done
