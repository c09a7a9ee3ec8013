// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: random numbers for tests
 *
 * The generator is SplitMix64: one addition and two multiplications for each
 * number, any seed is as good as another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/random.h"

/**
 * test_random_init() - start with the seed that the user asked for
 * @rnd: the stream
 *
 * Prints the seed, so that a failure can be repeated.
 *
 * Return: the seed.
 */
uint64_t test_random_init(struct test_random *rnd)
{
	const char *text = getenv("LKVM_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 1;

	printf("# LKVM_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	test_random_seed(rnd, seed);
	return seed;
}

/**
 * test_random_seed() - start with a given seed
 * @rnd: the stream
 * @seed: any number
 */
void test_random_seed(struct test_random *rnd, uint64_t seed)
{
	rnd->state = seed;
}

/**
 * test_random_u64() - the next number
 * @rnd: the stream
 *
 * Return: 64 random bits.
 */
uint64_t test_random_u64(struct test_random *rnd)
{
	uint64_t z = rnd->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/**
 * test_random_below() - a number in a range
 * @rnd: the stream
 * @limit: first number that is not drawn, at least 1
 *
 * Return: a number from 0 to @limit - 1.
 */
uint64_t test_random_below(struct test_random *rnd, uint64_t limit)
{
	return test_random_u64(rnd) % limit;
}

/**
 * test_random_fill() - random bytes
 * @rnd: the stream
 * @buf: where they go
 * @len_bytes: how many
 */
void test_random_fill(struct test_random *rnd, void *buf, size_t len_bytes)
{
	uint8_t *at = buf;

	while (len_bytes) {
		uint64_t word = test_random_u64(rnd);
		size_t len = len_bytes < sizeof(word) ? len_bytes : sizeof(word);

		memcpy(at, &word, len);
		at += len;
		len_bytes -= len;
	}
}
