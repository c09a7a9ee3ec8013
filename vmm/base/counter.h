/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: counters that one thread writes and any thread reads
 *
 * A reader sees each value whole, some time after it was written.
 */
#ifndef LKVM_COUNTER_H
#define LKVM_COUNTER_H

#include <stdatomic.h>

#include "vmm/base/types.h"

/* By the only thread that writes it, so no read-modify-write is needed. */
static inline void counter_add(_Atomic u64 *counter, u64 more)
{
	u64 now = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, now + more, memory_order_relaxed);
}

#endif /* LKVM_COUNTER_H */
