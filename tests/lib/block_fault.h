/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: disks that fail on request
 *
 * Puts itself between an open disk and its back end, whoever has opened it:
 * the n-th request of a kind fails, or its n-th operation in the ring gives
 * another result than the kernel's (short, interrupted, end of file), or it
 * hangs until it is released or cancelled.
 *
 *	fault = block_fault_attach(blk);
 *	block_fault_plan(fault, &(struct block_fault_plan){
 *		.action = BLOCK_FAULT_HANG, .kinds = 1 << BLOCK_WRITE,
 *		.first = 1, .count = 1 });
 *	...
 *	block_fault_release(fault);
 *	block_fault_detach(fault);
 */
#ifndef TESTS_LIB_BLOCK_FAULT_H
#define TESTS_LIB_BLOCK_FAULT_H

#include "devices/block/block.h"

/**
 * enum block_fault_action - what happens to a request
 * @BLOCK_FAULT_NONE: nothing; it is only counted
 * @BLOCK_FAULT_FAIL: it fails with &block_fault_plan.result, undone
 * @BLOCK_FAULT_RESULT: its first operation in the ring is done, and then
 *                      &block_fault_plan.result is reported instead: a
 *                      negative errno, or at most so many bytes. Image files
 *                      and block devices only.
 * @BLOCK_FAULT_HANG: nothing happens until block_fault_release() or
 *                    block_cancel()
 */
enum block_fault_action {
	BLOCK_FAULT_NONE,
	BLOCK_FAULT_FAIL,
	BLOCK_FAULT_RESULT,
	BLOCK_FAULT_HANG,
};

/**
 * struct block_fault_plan - what shall go wrong
 * @action: see enum block_fault_action
 * @kinds: set of 1 << enum block_kind; 0 stands for all
 * @first: the first request of these kinds that is hit, counted from 1 since
 *         the plan was made
 * @count: how many are hit, 0 for all that follow
 * @repeat: BLOCK_FAULT_RESULT: every operation of the request, not the first
 * @result: see enum block_fault_action
 * @stubborn: BLOCK_FAULT_HANG: block_cancel() is of no use while this plan holds
 */
struct block_fault_plan {
	enum block_fault_action action;
	u32 kinds;
	u64 first;
	u64 count;
	bool repeat;
	int result;
	bool stubborn;
};

struct block_fault;

struct block_fault *block_fault_attach(struct block *blk);
void block_fault_detach(struct block_fault *fault);
void block_fault_plan(struct block_fault *fault,
		      const struct block_fault_plan *plan);
void block_fault_release(struct block_fault *fault);
u32 block_fault_hanging(struct block_fault *fault);
u64 block_fault_seen(struct block_fault *fault);

#endif /* TESTS_LIB_BLOCK_FAULT_H */
