// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the tests' own random numbers
 *
 * A test can only be repeated when these hold.
 */
#include "tests/lib/harness.h"
#include "tests/lib/random.h"

TEST(same_seed_gives_same_numbers)
{
	struct test_random a, b;
	int i;

	test_random_seed(&a, 42);
	test_random_seed(&b, 42);
	for (i = 0; i < 100; i++)
		EXPECT_EQ(test_random_u64(&a), test_random_u64(&b));
}

TEST(other_seed_gives_other_numbers)
{
	struct test_random a, b;

	test_random_seed(&a, 1);
	test_random_seed(&b, 2);
	EXPECT_NE(test_random_u64(&a), test_random_u64(&b));
}

TEST(seed_comes_from_environment)
{
	struct test_random a, b;

	ASSERT_EQ(0, setenv("LKVM_SEED", "0x1234", 1));
	EXPECT_EQ(0x1234, test_random_init(&a));
	test_random_seed(&b, 0x1234);
	EXPECT_EQ(test_random_u64(&a), test_random_u64(&b));
}

TEST(numbers_stay_below_limit)
{
	struct test_random rnd;
	unsigned int seen = 0;
	int i;

	test_random_init(&rnd);
	for (i = 0; i < 1000; i++) {
		uint64_t n = test_random_below(&rnd, 7);

		ASSERT_LT(n, 7);
		seen |= 1u << n;
	}
	EXPECT_EQ(0x7f, seen);
}

TEST(fill_writes_exactly_what_was_asked)
{
	uint8_t buf[32] = { 0 };
	struct test_random rnd;
	size_t i, zeroes = 0;

	test_random_init(&rnd);
	test_random_fill(&rnd, buf, 13);
	for (i = 0; i < 13; i++)
		zeroes += buf[i] == 0;
	EXPECT_LT(zeroes, 4);
	for (i = 13; i < sizeof(buf); i++)
		EXPECT_EQ(0, buf[i]);
}

TEST_HARNESS_MAIN
