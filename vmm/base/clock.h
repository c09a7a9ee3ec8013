/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the clock that only goes forward
 */
#ifndef LKVM_CLOCK_H
#define LKVM_CLOCK_H

#include <time.h>

#include "vmm/base/types.h"

/* CLOCK_MONOTONIC in nanoseconds: for how long things take, and deadlines. */
static inline u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

/* The same in milliseconds. */
static inline u64 now_ms(void)
{
	return now_ns() / 1000000;
}

#endif /* LKVM_CLOCK_H */
