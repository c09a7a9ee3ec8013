/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_MEMORY_SAVE_H
#define LKVM_MEMORY_SAVE_H

#include "migration/image.h"
#include "vmm/dirty.h"
#include "vmm/guest_memory.h"

#define MEMORY_SAVE_THREADS_MAX	16

/**
 * struct memory_count - pages that were put, over all rounds
 * @sent: with data
 * @again: those of them that had been put before
 * @zero: of zeros
 */
struct memory_count {
	_Atomic u64 sent;
	_Atomic u64 again;
	_Atomic u64 zero;
};

/**
 * struct memory_save - guest memory on its way into an image
 * @image: where to; its blocks are those of @memory in the same order
 * @memory: where from
 * @threads: how many put pages, 1 to MEMORY_SAVE_THREADS_MAX
 * @bits: per block, one bit a page that is still to be put
 * @count: what was put
 * @progress: bytes put, over all rounds; @total grows with each round
 */
struct memory_save {
	struct image *image;
	struct guest_memory *memory;
	u32 threads;
	u64 *bits[MEMORY_BLOCKS_MAX];
	struct memory_count count;
	struct image_progress progress;
};

int memory_save_init(struct memory_save *ms, struct image *image,
		     struct guest_memory *memory, u32 threads,
		     struct error *err) __must_check;
void memory_save_destroy(struct memory_save *ms);
int memory_save_round(struct memory_save *ms, struct error *err) __must_check;
int memory_save_take(struct memory_save *ms, struct dirty_log *log,
		     u64 *pages, struct error *err) __must_check;

#endif /* LKVM_MEMORY_SAVE_H */
