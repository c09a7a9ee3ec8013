# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154
#
# fio.sh - data that was written is read back, through every queue

# run_fio NAME OPTION...: fio on the second namespace; numbers in /run/fio.
run_fio()
{
	name=$1
	shift
	fio --name="$name" --filename="$disk" --direct=1 --minimal \
		--output=/run/fio "$@"
}

# fio_kib FIELD: a number of fio's terse output, version 3, over all its jobs.
fio_kib()
{
	awk -F';' -v f="$1" '/^3;fio/ { sum += $f; errors += $5 }
		END { print errors ? "errors" : sum + 0 }' /run/fio
}

# 6 and 47 are the KiB that were read and written.
check "fio: random reads and writes, crc32c" run_fio randrw --rw=randrw \
	--bs=4k --size=4m --iodepth=16 --ioengine=io_uring \
	--verify=crc32c --verify_fatal=1 --randseed=1
check "fio: random writes, all read back, crc32c" run_fio randwrite \
	--rw=randwrite --bs=4k --size=4m --iodepth=32 --ioengine=io_uring \
	--verify=crc32c --verify_fatal=1 --randseed=2
same "fio: it read what it wrote" "$(fio_kib 6) $(fio_kib 47)" "4096 4096"
check "fio: sizes from 512 bytes to 256 KiB" run_fio sizes --rw=randwrite \
	--bsrange=512-256k --size=6m --iodepth=8 \
	--ioengine=libaio --verify=crc32c --verify_fatal=1 --randseed=3
check "fio: a job on each processor" run_fio jobs --rw=randwrite --bs=4k \
	--numjobs="$CPUS" --size=1m --offset_increment=2m --iodepth=8 \
	--ioengine=io_uring --verify=crc32c --verify_fatal=1 --randseed=4 \
	--group_reporting=0
check "fio: synchronous writes reach the disk" run_fio sync --rw=write \
	--bs=4k --size=256k --ioengine=psync --sync=dsync \
	--verify=crc32c --verify_fatal=1

# A verification that cannot fail would prove nothing.
check "fio: a pattern to spoil" run_fio spoil --rw=write --bs=4k --size=64k \
	--ioengine=psync --verify=crc32c --do_verify=0
check "one block is overwritten" fill 125 40 8
refuse "fio: the spoilt block is noticed" 'verify' run_fio spoil --rw=read \
	--bs=4k --size=64k --ioengine=psync --verify=crc32c --verify_fatal=1
