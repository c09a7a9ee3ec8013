/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: bitmaps in 64-bit words
 *
 * Bit n is bit n % 64 of word n / 64, the order of KVM's dirty log on a
 * little-endian machine. The atomic form is for bits that several threads
 * set; clearing and reading such a map is the owner's business.
 */
#ifndef LKVM_BASE_BITMAP_H
#define LKVM_BASE_BITMAP_H

#include <stdatomic.h>

#include "vmm/base/types.h"

#define BITMAP_WORDS(bits)	(((bits) + 63) / 64)

static inline bool bitmap_test(const u64 *map, u64 bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void bitmap_set(u64 *map, u64 bit)
{
	map[bit / 64] |= BIT_ULL(bit % 64);
}

static inline void bitmap_clear(u64 *map, u64 bit)
{
	map[bit / 64] &= ~BIT_ULL(bit % 64);
}

/*
 * Sets one bit among other setters, after the data that it stands for was
 * written. Sequentially consistent: pairs with the exchange of whoever
 * harvests the map and then reads the data. Testing the bit first to save the
 * exchange would let the test pass before the data is visible, and lose it.
 */
static inline void bitmap_set_atomic(_Atomic u64 *map, u64 bit)
{
	atomic_fetch_or(&map[bit / 64], BIT_ULL(bit % 64));
}

/* Clears one bit; other threads may change others. */
static inline void bitmap_clear_atomic(_Atomic u64 *map, u64 bit)
{
	atomic_fetch_and(&map[bit / 64], ~BIT_ULL(bit % 64));
}

/* Looks at a bit that other threads may be setting. */
static inline bool bitmap_test_atomic(_Atomic u64 *map, u64 bit)
{
	return atomic_load(&map[bit / 64]) >> (bit % 64) & 1;
}

/* The first set bit at or after @from, or @bits when there is none. */
static inline u64 bitmap_find_next(const u64 *map, u64 bits, u64 from)
{
	while (from < bits) {
		u64 word = map[from / 64] >> (from % 64);

		if (word) {
			from += (u64)__builtin_ctzll(word);
			return from < bits ? from : bits;
		}
		from = (from / 64 + 1) * 64;
	}
	return bits;
}

/* The first clear bit at or after @from, or @bits when there is none. */
static inline u64 bitmap_find_next_zero(const u64 *map, u64 bits, u64 from)
{
	while (from < bits) {
		u64 word = ~map[from / 64] >> (from % 64);

		if (word) {
			from += (u64)__builtin_ctzll(word);
			return from < bits ? from : bits;
		}
		from = (from / 64 + 1) * 64;
	}
	return bits;
}

#endif /* LKVM_BASE_BITMAP_H */
