// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: guest memory into an image while somebody writes to it
 */
#include <elf.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "migration/memory_save.h"
#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/math.h"

#define LOW	(24 * MIB)
#define HIGH	(10 * MIB)
#define ROOM	(64 * MIB)

FIXTURE(save) {
	struct error err;
	struct test_random rnd;
	struct guest_memory memory;
	struct guest_gate gate;
	u8 *medium;
	struct channel *ch;
	struct image *image;
	struct memory_save ms;
	struct dirty_log log;
};

static int add(struct guest_memory *memory, const char *name, u64 at, u64 size,
	       struct error *err)
{
	struct memory_request req = {
		.name = name, .gpa = gpa(at), .size = size, .fd = -1,
	};

	return guest_memory_add(memory, &req, err);
}

FIXTURE_SETUP(save)
{
	struct error *err = &self->err;

	memset(err, 0, sizeof(*err));
	test_random_init(&self->rnd);
	ASSERT_EQ(0, guest_memory_init(&self->memory, -1));
	ASSERT_EQ(0, add(&self->memory, "low", 0, LOW, err));
	ASSERT_EQ(0, add(&self->memory, "high", 4 * GIB, HIGH, err));
	guest_gate_init(&self->gate, &self->memory);
	test_random_fill(&self->rnd, self->memory.blocks[0].host + MIB,
			 8 * MIB);
	self->medium = calloc(1, ROOM);
	ASSERT_EQ(0, channel_memory_open(self->medium, ROOM, &self->ch, err));
	ASSERT_EQ(0, image_create(self->ch, EM_X86_64, &self->image, err));
	ASSERT_EQ(0, memory_save_init(&self->ms, self->image, &self->memory, 4,
				      err));
	ASSERT_EQ(0, dirty_log_start(&self->log, &self->memory, err));
}

FIXTURE_TEARDOWN(save)
{
	dirty_log_stop(&self->log);
	memory_save_destroy(&self->ms);
	image_free(self->image);
	channel_close(self->ch);
	free(self->medium);
	guest_memory_destroy(&self->memory);
}

static bool same_as_memory(const struct guest_memory *memory,
			   const struct image *image, const u8 *medium)
{
	u32 i;

	for (i = 0; i < memory->nr; i++)
		if (memcmp(memory->blocks[i].host,
			   medium + image->blocks[i].pos,
			   memory->blocks[i].size))
			return false;
	return true;
}

TEST_F(save, one_round_puts_everything)
{
	ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
	EXPECT_TRUE(same_as_memory(&self->memory, self->image, self->medium));
	EXPECT_EQ(LOW + HIGH, self->ms.progress.total);
	EXPECT_EQ(LOW + HIGH, atomic_load(&self->ms.progress.done));
}

/**
 * struct writer - a device that writes guest memory meanwhile
 * @gate: its door to memory
 * @rnd: what it writes, and where
 * @stop: it is enough
 */
struct writer {
	struct guest_gate *gate;
	struct test_random rnd;
	_Atomic bool stop;
};

static void *write_on(void *arg)
{
	struct writer *w = arg;
	u8 buf[600];

	while (!atomic_load(&w->stop)) {
		u64 at = test_random_below(&w->rnd, LOW - sizeof(buf));

		test_random_fill(&w->rnd, buf, sizeof(buf));
		if (test_random_below(&w->rnd, 4) == 0)
			memset(buf, 0, sizeof(buf));
		if (guest_write(w->gate, gpa(at), buf, sizeof(buf)))
			abort();
		/* A device, not a hog: rounds are to make progress. */
		usleep(100);
	}
	return NULL;
}

TEST_F(save, what_is_written_meanwhile_is_put_again)
{
	struct writer w = { .gate = &self->gate, .rnd = self->rnd };
	pthread_t thread;
	u64 pages, sum = 0;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, write_on, &w));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
		ASSERT_EQ(0, memory_save_take(&self->ms, &self->log, &pages,
					      &self->err));
		sum += pages;
	}
	atomic_store(&w.stop, true);
	pthread_join(thread, NULL);
	EXPECT_LT(0, sum);
	ASSERT_EQ(0, memory_save_take(&self->ms, &self->log, &pages,
				      &self->err));
	ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
	EXPECT_TRUE(same_as_memory(&self->memory, self->image, self->medium));
	ASSERT_EQ(0, memory_save_take(&self->ms, &self->log, &pages,
				      &self->err));
	EXPECT_EQ(0, pages);
	/* And the checksums are those of the last contents. */
	ASSERT_EQ(0, image_commit(self->image, &self->err));
}

TEST_F(save, what_is_given_back_is_taken_again)
{
	u64 bits[LOW / 4096 / 64] = { 0 }, pages;

	ASSERT_EQ(0, guest_write(&self->gate, gpa(5 * 4096), "x", 1));
	ASSERT_EQ(0, dirty_log_take(&self->log, 0, bits, &pages, &self->err));
	EXPECT_EQ(1, pages);
	EXPECT_EQ(1U << 5, bits[0]);
	dirty_log_give_back(&self->log, 0, bits);
	bits[0] = 0;
	ASSERT_EQ(0, dirty_log_take(&self->log, 0, bits, &pages, &self->err));
	EXPECT_EQ(1, pages);
	EXPECT_EQ(1U << 5, bits[0]);
}

TEST_F(save, cancelling_ends_a_round_and_keeps_the_bits)
{
	struct channel_control control;
	u64 pages;

	ASSERT_EQ(0, channel_control_init(&control, &self->err));
	self->ch->control = &control;
	channel_control_cancel(&control);
	EXPECT_EQ(-ECANCELED, memory_save_round(&self->ms, &self->err));
	self->ch->control = NULL;
	ASSERT_EQ(0, memory_save_take(&self->ms, &self->log, &pages,
				      &self->err));
	EXPECT_LT(0, pages);
	ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
	EXPECT_TRUE(same_as_memory(&self->memory, self->image, self->medium));
	channel_control_destroy(&control);
}

/* Pages of the host behind a block. */
static u64 pages_behind(const struct memory_block *b)
{
	struct stat st;

	return fstat(b->fd, &st) ? 0 : (u64)st.st_blocks / 8;
}

TEST_F(save, memory_that_was_never_touched_costs_nothing)
{
	struct memory_block *high = &self->memory.blocks[1];
	u64 before, pages = HIGH / MEMORY_PAGE_SIZE;

	EXPECT_EQ(pages, memory_block_data(high, 0, pages));
	memset(high->host + 5 * MIB + 12345, 1, 100);
	before = pages_behind(high);
	/* A huge page at most. */
	EXPECT_LE(1, before);
	EXPECT_GE(512, before);
	EXPECT_LE(5 * MIB / MEMORY_PAGE_SIZE - 512,
		  memory_block_data(high, 0, pages));
	EXPECT_GE(5 * MIB / MEMORY_PAGE_SIZE + 3,
		  memory_block_data(high, 0, pages));
	EXPECT_EQ(17, memory_block_data(high, 3, 17));
	ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
	EXPECT_GE(before + 64, pages_behind(high));
	EXPECT_EQ(true, same_as_memory(&self->memory, self->image,
				       self->medium));
}

/* Single pages, runs, gaps of zeros around the least that makes a hole. */
TEST_F(save, whatever_the_pattern_of_zeros)
{
	u8 *low = self->memory.blocks[0].host;
	u64 page, pages = LOW / MEMORY_PAGE_SIZE, n;
	u32 round;

	for (round = 0; round < 5; round++) {
		for (page = 0; page < pages; page += n) {
			n = 1 + test_random_below(&self->rnd, 20);
			n = min_of(n, pages - page);
			memset(low + page * MEMORY_PAGE_SIZE,
			       test_random_below(&self->rnd, 2) ?
			       (int)page | 1 : 0, n * MEMORY_PAGE_SIZE);
		}
		for (page = 0; page < pages; page++)
			bitmap_set(self->ms.bits[0], page);
		ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
		ASSERT_EQ(true, same_as_memory(&self->memory, self->image,
					       self->medium));
		for (page = 0; page < pages; page++)
			ASSERT_EQ(image_sum(low + page * IMAGE_PAGE,
					    IMAGE_PAGE),
				  le64_to_cpu(self->image->blocks[0]
					      .sums[page]));
	}
}

TEST_HARNESS_MAIN
