/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_DIRTY_H
#define LKVM_DIRTY_H

#include "vmm/base/error.h"
#include "vmm/guest_memory.h"

/**
 * struct dirty_log - which pages were written since somebody last asked
 * @memory: the machine's memory
 * @manual: KVM leaves pages writable until they are named in a clear
 *          (KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)
 * @active: dirty_log_start() has succeeded
 * @scratch: one bit a page of the largest block, for KVM's answers
 *
 * Two sources: KVM sees what vCPUs write, &memory_block.dirty what the VMM
 * writes for its devices. A page is dirty when one of them says so.
 */
struct dirty_log {
	struct guest_memory *memory;
	bool manual;
	bool active;
	u64 *scratch;
};

int dirty_log_start(struct dirty_log *log, struct guest_memory *memory,
		    struct error *err) __must_check;
void dirty_log_stop(struct dirty_log *log);
int dirty_log_take(struct dirty_log *log, u32 block, u64 *bits, u64 *pages,
		   struct error *err) __must_check;
void dirty_log_give_back(struct dirty_log *log, u32 block, const u64 *bits);

#endif /* LKVM_DIRTY_H */
