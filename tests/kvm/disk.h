/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what is on the disks after the guest has ended
 */
#ifndef TESTS_KVM_DISK_H
#define TESTS_KVM_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct machine;

/**
 * struct disk_report - what a line "guest: disk ..." says of a namespace
 * @ctrl:       number of the controller
 * @nsid:       number of the namespace
 * @block_size: bytes
 * @written:    blocks that hold a stamp
 * @sum:        stamp_sum() over them
 */
struct disk_report {
	unsigned int ctrl;
	unsigned int nsid;
	unsigned int block_size;
	unsigned long long written;
	unsigned long long sum;
};

bool disk_check(const char *path, const struct disk_report *want, uint64_t seed);
bool disk_stamps_check(const char *path, const struct disk_report *want,
		       uint64_t seed);
int disks_check(const struct machine *m, uint64_t seed);

#endif /* TESTS_KVM_DISK_H */
