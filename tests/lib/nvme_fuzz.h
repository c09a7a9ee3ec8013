/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a hostile NVMe driver that runs a program
 *
 * A program is a list of steps, each one byte for what to do and what follows
 * it:
 *
 *   command    a submission queue entry, sparse: a mask says which of its
 *              dwords the input gives; addresses are bent into guest memory
 *              most of the time, because random ones all end the same way
 *   memory     bytes into guest memory: lists, segments, ranges
 *   doorbell   any value to any doorbell
 *   register   any value to any register (admin programs)
 *   shadow     a value into the shadow doorbells, with or without a ring
 *   consume    take completions and tell the controller, or not
 *   pause      quiesce, save, check and load the state, resume
 *   wait       let the controller's threads catch up
 *
 * Whatever the program did, the controller must be usable after a reset; that
 * is checked at the end. The disks are of the kind that stores nothing.
 */
#ifndef TESTS_LIB_NVME_FUZZ_H
#define TESTS_LIB_NVME_FUZZ_H

#include <stddef.h>

#include "vmm/base/types.h"

/**
 * enum nvme_fuzz_kind - where commands go
 * @NVME_FUZZ_IO: to I/O queues
 * @NVME_FUZZ_ADMIN: to the admin queue; registers are written too
 */
enum nvme_fuzz_kind {
	NVME_FUZZ_IO,
	NVME_FUZZ_ADMIN,
};

void nvme_fuzz_run(const u8 *data, size_t size, enum nvme_fuzz_kind kind);

#endif /* TESTS_LIB_NVME_FUZZ_H */
