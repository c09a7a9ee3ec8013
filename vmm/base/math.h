/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: checked arithmetic on ranges
 *
 * Ranges that come from a guest, a file or a peer are tested by subtraction,
 * never by a sum that could wrap. This is the one place where it is done.
 */
#ifndef LKVM_BASE_MATH_H
#define LKVM_BASE_MATH_H

#include "vmm/base/types.h"

#define min_of(a, b) __extension__({					\
	__typeof__(a) __a = (a);					\
	__typeof__(b) __b = (b);					\
	__a < __b ? __a : __b; })
#define max_of(a, b) __extension__({					\
	__typeof__(a) __c = (a);					\
	__typeof__(b) __d = (b);					\
	__c > __d ? __c : __d; })

/* True when [offset, offset + len) lies within [0, size). Nothing wraps. */
static inline bool range_fits(u64 offset, u64 len, u64 size)
{
	return offset <= size && len <= size - offset;
}

/* True when [start, start + len) lies within [base, base + size). */
static inline bool range_within(u64 start, u64 len, u64 base, u64 size)
{
	return start >= base && range_fits(start - base, len, size);
}

/*
 * True when [a, a + a_len) and [b, b + b_len) have a byte in common; the
 * ranges may end at 2^64 but not wrap over it.
 */
static inline bool ranges_overlap(u64 a, u64 a_len, u64 b, u64 b_len)
{
	return a < b ? b - a < a_len && b_len : a - b < b_len && a_len;
}

static inline bool is_power_of_2(u64 v)
{
	return v && !(v & (v - 1));
}

/* @align is a power of two. round_up() wraps for values near 2^64. */
static inline u64 round_down_to(u64 v, u64 align)
{
	return v & ~(align - 1);
}

static inline u64 round_up_to(u64 v, u64 align)
{
	return (v + align - 1) & ~(align - 1);
}

static inline bool is_aligned(u64 v, u64 align)
{
	return !(v & (align - 1));
}

static inline u64 div_round_up(u64 v, u64 by)
{
	return v / by + !!(v % by);
}

#endif /* LKVM_BASE_MATH_H */
