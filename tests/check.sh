#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# check.sh [STEP...] - the whole test run
#
# Installs the Debian packages that are needed, then goes through the steps in an
# order that fails early, and prints TAP as it comes. The last line is
#
#	N passed, N failed, N skipped
#
# and the exit code is 0 only if nothing failed. A step that does not get as far
# as running its tests counts as a failed test. Steps, all by default:
#
#   lint      the checkers of tests/lint
#   build     gcc, warnings are errors
#   sparse    endianness, address types, locks
#   quick     the levels unit and device
#   address   the same under AddressSanitizer and UBSan
#   thread    the same under ThreadSanitizer
#   kvm       guests of our own under /dev/kvm
#   cli       the command line
#   fuzz      each fuzzer for FUZZ_SECONDS (default 20)
#   clang     everything built by clang, warnings are errors
#   static    the static binary
#   system    a stock Debian kernel
#   arm64     the same program for arm64, in an emulated machine
#
# All that is built goes below $O (default build/check). What has not ended within
# CHECK_SECONDS (default 4800) from the beginning has failed: the sum comes anyway.

set -u
cd "$(dirname "$0")/.." || exit
. tests/lib/common.sh

O=${O:-build/check}
CHECK_SECONDS=${CHECK_SECONDS:-4800}
FUZZ_SECONDS=${FUZZ_SECONDS:-20}
export FUZZ_SECONDS WERROR=1
# Tests wait for times to be over more than they work.
export TEST_JOBS="${TEST_JOBS:-$(($(nproc) + 2))}"
# What a user has set for his own builds is not for this one.
unset CC CFLAGS LDFLAGS LIBS SAN ARCH CROSS_COMPILE W C V MAKEFLAGS

jobs=$(nproc)
summary=$(mktemp)
log=$(mktemp)
current=
trap 'rm -f "$summary" "$log"' EXIT
trap '[ -z "$current" ] || end_all "$current"; exit 130' INT TERM HUP

# passed NAME, failed NAME: one test of this script's own.
passed()
{
	echo "ok - $1"
	echo "1 0 0 $1" >>"$summary"
}

failed()
{
	echo "not ok - $1"
	echo "0 1 0 $1" >>"$summary"
}

# build NAME ARGUMENT...: make; whether it worked is a test.
build()
{
	build_name=$1
	shift
	if make -j"$jobs" "$@" </dev/null >"$log" 2>&1; then
		passed "$build_name"
	else
		sed 's/^/# /' "$log" | tail -n 60
		failed "$build_name"
		return 1
	fi
}

# run NAME ARGUMENT...: make that runs tests, and adds to the summary.
run()
{
	run_name=$1
	shift
	before=$(wc -l <"$summary")
	make --no-print-directory SUMMARY="$summary" "$@" </dev/null
	[ "$(wc -l <"$summary")" -gt "$before" ] || failed "$run_name: no result"
}

step_lint()
{
	run lint lint
}

step_build()
{
	build "build with gcc" O="$O/gcc" all tests
	run objects O="$O/gcc" lint-objects
}

step_sparse()
{
	build "sparse has no remarks" O="$O/sparse" C=1 all
}

step_quick()
{
	run unit O="$O/gcc" check-unit
	run device O="$O/gcc" check-device
}

step_address()
{
	build "build for AddressSanitizer" O="$O/address" SAN=address tests &&
		run address O="$O/address" SAN=address check-unit check-device
}

step_thread()
{
	build "build for ThreadSanitizer" O="$O/thread" SAN=thread tests &&
		run thread O="$O/thread" SAN=thread check-unit check-device
}

step_kvm()
{
	build "build for the kvm level" O="$O/gcc" all kvm-tests || return
	if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
		run kvm O="$O/gcc" check-kvm
	else
		echo "# no /dev/kvm that may be opened: in an emulated machine"
		O="$O/gcc" sh tests/system/programs.sh -s "$summary" </dev/null
	fi
}

step_cli()
{
	build "build for the command line" O="$O/gcc" all kvm-tests &&
		run cli O="$O/gcc" check-cli
}

step_fuzz()
{
	export LKVM_SEED="${LKVM_SEED:-1}"
	build "build the fuzzers" O="$O/gcc" fuzzers &&
		run fuzz O="$O/gcc" fuzz
}

step_clang()
{
	build "build with clang" O="$O/clang" CC=clang all tests
}

step_static()
{
	build "static binary" O="$O/gcc" static || return
	if "$O/gcc/lkvm-static" version >"$log" 2>&1; then
		passed "static binary: it runs"
	else
		sed 's/^/# /' "$log"
		failed "static binary: it runs"
	fi
}

step_system()
{
	before=$(wc -l <"$summary")
	# An emulated machine keeps one processor busy. The longest, which move or
	# have virtio, come first.
	SYSTEM_JOBS=$jobs sh tests/system/run.sh -l "$O/gcc/lkvm" \
		-s "$summary" tests/system/test-[mv]*.sh \
		tests/system/test-[!mv]*.sh </dev/null
	[ "$(wc -l <"$summary")" -gt "$before" ] || failed "system: no result"
}

# foreign PROGRAM FILE: FILE runs an arm64 program that needs nothing but Linux.
foreign()
{
	: "${root:=$(sh tests/lib/sysroot.sh arm64)}"
	libs=$root/usr/lib/aarch64-linux-gnu:$root/lib/aarch64-linux-gnu
	mkdir -p "${2%/*}"
	cat >"$2" <<-END
		#!/bin/sh
		exec qemu-aarch64 -L /usr/aarch64-linux-gnu \\
			-E LD_LIBRARY_PATH=$libs "$(realpath "$1")" "\$@"
	END
	chmod +x "$2"
}

# Of the level unit, what wants a kernel for arm64 and not only QEMU's user mode:
# io_uring, KVM, loop devices, pages lent to sockets.
arm64_kernel="unit/arm64/boot_test unit/arm64/options_test unit/block_device_test
	unit/block_open_test unit/block_test unit/channel_ring unit/channel_zerocopy
	unit/cli_control unit/cli_snapshot unit/console unit/iothread"
# What is the same on any architecture, and takes minutes where it is emulated.
arm64_left="device/image_file_test device/migrate_fault_test"

# listed WORD WORDS...
listed()
{
	listed_word=$1
	shift
	for word; do
		[ "$word" != "$listed_word" ] || return 0
	done
	return 1
}

# arm64_places: where each program of the levels unit and device can run.
arm64_places()
{
	in_user=
	in_machine=
	for source in tests/unit/*.c tests/unit/arm64/*.c tests/device/*.c \
		tests/device/arm64/*.c; do
		name=${source#tests/}
		name=${name%.c}
		# shellcheck disable=SC2086
		if listed "$name" $arm64_left; then
			echo "# arm64: tests/$name is left to the native run"
		elif [ "$name" = unit/golden_image ] &&
			! ls tests/golden/image-arm64-* >/dev/null 2>&1; then
			echo "# arm64: tests/$name: there is no image yet"
			echo "0 0 1 arm64: $name: no image yet" >>"$summary"
		elif [ "${name%%/*}" = device ] || listed "$name" $arm64_kernel; then
			in_machine="$in_machine $arm64/tests/$name"
		else
			foreign "$arm64/tests/$name" "$arm64/foreign/tests/$name"
			in_user="$in_user $arm64/foreign/tests/$name"
		fi
	done
}

# Some of these wait more than they work.
arm64_in_machine()
{
	# shellcheck disable=SC2086
	DEB_ARCH=arm64 sh tests/system/programs.sh -j 2 -s "$summary" \
		$in_machine </dev/null
}

arm64_kvm()
{
	# shellcheck disable=SC2086
	DEB_ARCH=arm64 sh tests/system/programs.sh -s "$summary" $programs \
		</dev/null
}

# side_by_side A B: what A prints comes when both have ended.
side_by_side()
{
	"$1" >"$log" 2>&1 &
	"$2"
	wait
	cat "$log"
}

# Built for arm64, and run in an emulated machine: the levels unit and device, of
# the level kvm what is soon done, and a stock kernel on the NVMe disk: fio, save
# and restore, twenty hops under fio, and its ends.
step_arm64()
{
	if ! sh tests/lib/packages.sh arm64 </dev/null >"$log" 2>&1; then
		sed 's/^/# /' "$log"
		echo "# arm64: no cross compiler or no QEMU here: left out"
		echo "0 0 1 arm64: no cross compiler or no QEMU" >>"$summary"
		return
	fi
	arm64="$O/arm64"
	programs=
	for name in arm64/machine end console guest snapshot restore \
		migrate; do
		programs="$programs $arm64/tests/kvm/${name}_test"
	done
	# shellcheck disable=SC2086
	build "build for arm64" O="$arm64" ARCH=arm64 \
		CROSS_COMPILE=aarch64-linux-gnu- all tests $programs || return
	foreign "$arm64/lkvm" "$arm64/foreign/lkvm"
	LKVM="$arm64/foreign/lkvm" LKVM_ARCH=arm64 sh tests/lib/run-tap.sh \
		-p arm64: -s "$summary" tests/cli/man_test.sh </dev/null
	arm64_places
	# shellcheck disable=SC2086
	sh tests/lib/run-tap.sh -j "$jobs" -p arm64: -s "$summary" $in_user \
		</dev/null
	# Before two do it at the same time.
	DEB_ARCH=arm64 sh tests/system/rootfs.sh >/dev/null
	side_by_side arm64_in_machine arm64_kvm
	before=$(wc -l <"$summary")
	# The longest first.
	DEB_ARCH=arm64 SYSTEM_JOBS=$jobs sh tests/system/run.sh \
		-l "$arm64/lkvm" -s "$summary" tests/system/test-migrate.sh \
		tests/system/test-restore.sh tests/system/test-end.sh \
		tests/system/arm64-irqchip.sh tests/system/arm64-options.sh \
		tests/system/test-guest.sh </dev/null
	[ "$(wc -l <"$summary")" -gt "$before" ] || failed "arm64: no result"
}

# end_all PID: ends that process and all that it has started.
end_all()
{
	# shellcheck disable=SC2046
	kill $(sed 's/(.*)/()/' /proc/[0-9]*/stat 2>/dev/null |
		awk -v top="$1" '
			{ parent[$1] = $4 }
			END {
				for (pid in parent) {
					for (p = pid; p in parent; p = parent[p]) {
						if (p == top) {
							print pid
							break
						}
					}
				}
			}') 2>/dev/null
}

time_is_over()
{
	[ "$(date +%s)" -ge $((begin + CHECK_SECONDS)) ]
}

# guard PID: ends it when the time is over.
guard()
{
	until time_is_over; do
		sleep 5
	done >/dev/null 2>&1
	end_all "$1"
}

# do_step NAME: in a shell of its own.
do_step()
{
	if time_is_over; then
		failed "$1: no time was left"
		return
	fi
	"step_$1" &
	current=$!
	guard $current &
	watch=$!
	wait $current
	current=
	kill $watch 2>/dev/null
	wait $watch 2>/dev/null
	! time_is_over ||
		failed "$1: not done $CHECK_SECONDS s after the beginning"
}

[ $# -gt 0 ] ||
	set -- lint build sparse quick address thread kvm cli fuzz clang static system arm64

begin=$(date +%s)
sh tests/lib/packages.sh test lint system </dev/null ||
	failed "packages could not be installed"
for step; do
	start=$(date +%s)
	echo "# ---- $step"
	do_step "$step"
	echo "# $step: $(($(date +%s) - start)) s"
done

echo "# all: $(($(date +%s) - begin)) s"
awk '$2 { print "# failed: " $4, $5, $6, $7, $8, $9 }' "$summary"
awk '{ p += $1; f += $2; s += $3 }
     END { printf "%d passed, %d failed, %d skipped\n", p, f, s
	   exit f || !p }' "$summary"
