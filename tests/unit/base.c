// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vmm/base: ranges, bitmaps, lists, errors, log
 */
#include <string.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/error.h"
#include "vmm/base/list.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"

TEST(range_fits_does_not_wrap)
{
	EXPECT_TRUE(range_fits(0, 0, 0));
	EXPECT_TRUE(range_fits(10, 0, 10));
	EXPECT_TRUE(range_fits(4, 6, 10));
	EXPECT_FALSE(range_fits(4, 7, 10));
	EXPECT_FALSE(range_fits(11, 0, 10));
	EXPECT_FALSE(range_fits(8, UINT64_MAX, 10));
	EXPECT_FALSE(range_fits(UINT64_MAX, 1, 10));
	EXPECT_TRUE(range_fits(1, UINT64_MAX - 1, UINT64_MAX));
	EXPECT_FALSE(range_fits(2, UINT64_MAX - 1, UINT64_MAX));
}

TEST(range_within_does_not_wrap)
{
	EXPECT_TRUE(range_within(0x1000, 0x1000, 0x1000, 0x1000));
	EXPECT_FALSE(range_within(0xfff, 1, 0x1000, 0x1000));
	EXPECT_FALSE(range_within(0x1fff, 2, 0x1000, 0x1000));
	EXPECT_FALSE(range_within(0x1800, UINT64_MAX - 0x1000, 0x1000, 0x1000));
}

static bool overlap_by_bytes(u64 a, u64 a_len, u64 b, u64 b_len)
{
	u64 i, j;

	for (i = 0; i < a_len; i++)
		for (j = 0; j < b_len; j++)
			if (a + i == b + j)
				return true;
	return false;
}

TEST(ranges_overlap_as_their_bytes_do)
{
	u64 a, al, b, bl;

	for (a = 0; a < 5; a++)
		for (al = 0; al < 4; al++)
			for (b = 0; b < 5; b++)
				for (bl = 0; bl < 4; bl++)
					ASSERT_EQ(overlap_by_bytes(a, al, b, bl),
						  ranges_overlap(a, al, b, bl));
	EXPECT_TRUE(ranges_overlap(UINT64_MAX - 3, 4, UINT64_MAX, 1));
	EXPECT_FALSE(ranges_overlap(UINT64_MAX - 3, 3, UINT64_MAX, 1));
}

TEST(bitmap_find_finds_what_was_set)
{
	struct test_random rnd;
	u64 map[4], bit, expect;
	int round, i;

	test_random_init(&rnd);
	for (round = 0; round < 100; round++) {
		bool set[200] = { false };

		memset(map, 0, sizeof(map));
		for (i = 0; i < 8; i++) {
			bit = test_random_below(&rnd, 200);
			bitmap_set(map, bit);
			set[bit] = true;
		}
		for (bit = 0; bit < 200; bit++) {
			ASSERT_EQ(set[bit], bitmap_test(map, bit));
			for (expect = bit; expect < 200 && !set[expect];)
				expect++;
			ASSERT_EQ(expect, bitmap_find_next(map, 200, bit));
			for (expect = bit; expect < 200 && set[expect];)
				expect++;
			ASSERT_EQ(expect,
				  bitmap_find_next_zero(map, 200, bit));
		}
	}
}

struct item {
	int n;
	struct list link;
};

TEST(list_keeps_order)
{
	struct item items[4], *pos, *tmp;
	struct list head;
	int i, expect = 0;

	list_init(&head);
	EXPECT_TRUE(list_is_empty(&head));
	for (i = 0; i < 4; i++) {
		items[i].n = i;
		list_add_tail(&head, &items[i].link);
	}
	list_for_each_entry_safe(pos, tmp, &head, link) {
		EXPECT_EQ(expect++, pos->n);
		if (pos->n % 2)
			list_del(&pos->link);
	}
	EXPECT_EQ(4, expect);
	list_add_head(&head, &items[3].link);
	EXPECT_EQ(&items[3].link, list_pop(&head));
	EXPECT_EQ(&items[0].link, list_pop(&head));
	EXPECT_EQ(&items[2].link, list_pop(&head));
	EXPECT_EQ(NULL, list_pop(&head));
}

TEST(error_prefix_puts_context_in_front)
{
	struct error err = ERROR_INIT;

	EXPECT_EQ(-EINVAL, error_set(&err, -EINVAL, "size %u is below 2", 1));
	EXPECT_EQ(-EINVAL, error_prefix(&err, "queue %d", 3));
	EXPECT_EQ(-EINVAL, error_prefix(&err, "nvme0"));
	EXPECT_STREQ("nvme0: queue 3: size 1 is below 2", err.text);
	EXPECT_EQ(-EINVAL, err.code);
	EXPECT_EQ(-EIO, error_set(NULL, -EIO, "nobody reads this"));
}

TEST(error_text_is_cut_not_overrun)
{
	struct error err = ERROR_INIT;
	char longest[1000];
	int i;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	error_set(&err, -EIO, "%s", longest);
	EXPECT_EQ(sizeof(err.text) - 1, strlen(err.text));
	for (i = 0; i < 5; i++)
		error_prefix(&err, "context");
	EXPECT_EQ(0, strncmp(err.text, "context: context: ", 18));
	EXPECT_EQ(sizeof(err.text) - 1, strlen(err.text));
}

static int sunk;
static char last[600];

static void sink(enum log_level level, const char *line)
{
	sunk++;
	snprintf(last, sizeof(last), "%d %s", (int)level, line);
}

TEST(log_goes_to_the_sink_up_to_its_level)
{
	log_info("nobody listens yet");
	log_set_sink(sink, LOG_WARNING);
	log_info("too quiet");
	EXPECT_EQ(0, sunk);
	log_warning("disk %s is slow", "a.img");
	EXPECT_EQ(1, sunk);
	EXPECT_STREQ("1 disk a.img is slow", last);
}

TEST(log_limit_lets_five_of_a_burst_through)
{
	int i;

	log_set_sink(sink, LOG_DEBUG);
	for (i = 0; i < 100; i++)
		log_limited(LOG_DEBUG, "the guest did %d", i);
	EXPECT_EQ(5, sunk);
}

TEST_HARNESS_MAIN
