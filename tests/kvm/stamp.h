/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: stamped blocks
 *
 * A stamped block (a disk block or a page of memory) says who wrote it, where
 * it belongs and how often it has been written: a header, then filler that
 * follows from the header, so every byte of the block can be checked from
 * five numbers. Guest and host share this file: the guest stamps and checks,
 * and after the machine has ended the driver checks the disk image again.
 *
 * A block that was never stamped has generation 0 and is all zeros.
 *
 * Plain C without a library, so that it compiles freestanding.
 */
#ifndef TESTS_KVM_STAMP_H
#define TESTS_KVM_STAMP_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAMP_MAGIC		0x706d7473206d766bull	/* "kvm stmp" */
/* The space number of memory pages; disks use STAMP_SPACE_DISK. */
#define STAMP_SPACE_MEMORY	0xffffffffu
#define STAMP_SPACE_DISK(ctrl, nsid)	((uint32_t)(ctrl) << 16 | (nsid))

/**
 * struct stamp - the header of a stamped block, native (little) endian
 * @magic:	STAMP_MAGIC
 * @seed:	the run's seed
 * @where:	logical block address, or page number
 * @space:	which disk, or memory
 * @gen:	generation: 1 for the first write
 * @check:	stamp_hash() of the fields above
 */
struct stamp {
	uint64_t magic;
	uint64_t seed;
	uint64_t where;
	uint32_t space;
	uint32_t gen;
	uint64_t check;
};

static_assert(sizeof(struct stamp) == 40, "stamp header");

/**
 * stamp_mix - a 64-bit finalizer in which each input bit reaches all others
 * @x: any value
 *
 * Return: the mixed value; a bijection, so different values stay different.
 */
static inline uint64_t stamp_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/**
 * stamp_hash - what identifies one generation of one block
 * @s: header; @s->check is not looked at
 *
 * Return: the hash, never 0 (it starts the filler).
 */
static inline uint64_t stamp_hash(const struct stamp *s)
{
	uint64_t h = stamp_mix(s->seed + 0x9e3779b97f4a7c15ull);

	h = stamp_mix(h ^ s->where);
	h = stamp_mix(h ^ ((uint64_t)s->space << 32 | s->gen));
	return h ? h : 1;
}

/**
 * stamp_next - step of the filler
 * @x: the word before
 *
 * Return: the next word.
 */
static inline uint64_t stamp_next(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ (x << 17);
}

/**
 * stamp_fill - write a stamped block
 * @block:	the block, 8-byte aligned
 * @len:	its size in bytes, a multiple of 8, at least the header's size
 * @s:		seed, where, space and gen are set; the rest is set here
 */
static inline void stamp_fill(void *block, size_t len, struct stamp *s)
{
	uint64_t *w = block;
	uint64_t x;
	size_t i;

	s->magic = STAMP_MAGIC;
	s->check = stamp_hash(s);
	w[0] = s->magic;
	w[1] = s->seed;
	w[2] = s->where;
	w[3] = (uint64_t)s->gen << 32 | s->space;
	w[4] = s->check;
	x = s->check;
	for (i = sizeof(*s) / 8; i < len / 8; i++) {
		x = stamp_next(x);
		w[i] = x;
	}
}

/**
 * stamp_diff - compare a block with what it should hold
 * @block:	the block, 8-byte aligned
 * @len:	its size in bytes, as for stamp_fill()
 * @s:		what is expected; generation 0 expects zeros
 *
 * Return: @len if the block is right, else the offset of the first 8-byte
 * word that is wrong.
 */
static inline size_t stamp_diff(const void *block, size_t len, struct stamp *s)
{
	const uint64_t *w = block;
	const bool zero = !s->gen;
	uint64_t x, head[5];
	size_t i;

	s->magic = STAMP_MAGIC;
	s->check = stamp_hash(s);
	head[0] = s->magic;
	head[1] = s->seed;
	head[2] = s->where;
	head[3] = (uint64_t)s->gen << 32 | s->space;
	head[4] = s->check;
	x = s->check;
	for (i = 0; i < len / 8; i++) {
		if (i >= 5)
			x = stamp_next(x);
		if (w[i] != (zero ? 0 : i < 5 ? head[i] : x))
			return i * 8;
	}
	return len;
}

/**
 * stamp_sum - fold one block's generation into a sum over a whole disk
 * @sum:	sum so far, 0 to start with
 * @where:	block address
 * @gen:	its generation
 *
 * Order does not matter, so CPUs can sum their own parts.
 *
 * Return: the new sum.
 */
static inline uint64_t stamp_sum(uint64_t sum, uint64_t where, uint32_t gen)
{
	return gen ? sum + stamp_mix(where << 32 ^ gen) : sum;
}

#endif
