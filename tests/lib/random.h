/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: random numbers for tests
 *
 * A test that draws at random says its seed, and runs again the same with that
 * seed: LKVM_SEED=n in the environment. Without it the seed is 1, so that a run
 * of the tests repeats; make check-long draws other seeds.
 */
#ifndef TESTS_LIB_RANDOM_H
#define TESTS_LIB_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct test_random - a stream of numbers
 * @state: the generator's state, never the same for two seeds
 */
struct test_random {
	uint64_t state;
};

uint64_t test_random_init(struct test_random *rnd);
void test_random_seed(struct test_random *rnd, uint64_t seed);
uint64_t test_random_u64(struct test_random *rnd);
uint64_t test_random_below(struct test_random *rnd, uint64_t limit);
void test_random_fill(struct test_random *rnd, void *buf, size_t len_bytes);

#endif /* TESTS_LIB_RANDOM_H */
