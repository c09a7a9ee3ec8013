// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the balloon: pages really go, what is no page does no harm
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "tests/lib/testvm.h"
#include "tests/lib/virtio_driver.h"
#include "virtio/balloon.h"
#include "virtio/balloon_spec.h"
#include "virtio/virtio.h"
#include "vmm/base/bitmap.h"

#define SLOT		3
#define RAM		(32 * MIB)
#define PAGE		4096ULL
#define AREA		(TESTVM_RAM + 16 * MIB)	/* pages that the tests give away */
#define RAM_END		(TESTVM_RAM + RAM)
#define FEATURES	(VIRTIO_F_VERSION_1 | BALLOON_F_STATS_VQ |	\
			 BALLOON_F_DEFLATE_ON_OOM | BALLOON_F_REPORTING)

FIXTURE(balloon)
{
	struct vm *vm;
	struct device *dev;
	struct virtio_driver drv;
	struct error err;
	u64 list;
	u64 stats;
};

FIXTURE_VARIANT(balloon)
{
	u64 features;
};

FIXTURE_VARIANT_ADD(balloon, split)
{
	.features = FEATURES,
};

FIXTURE_VARIANT_ADD(balloon, packed_event)
{
	.features = FEATURES | VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX,
};

static void driver_start(struct virtio_driver *drv, u64 features)
{
	u16 i;

	assert(virtio_driver_negotiate(drv, features));
	for (i = 0; i < BALLOON_QUEUES; i++)
		virtio_driver_queue(drv, i, 8);
	virtio_driver_ok(drv);
}

FIXTURE_SETUP(balloon)
{
	memset(&self->err, 0, sizeof(self->err));
	self->vm = testvm_create(RAM);
	self->dev = testvm_add_pci(self->vm, "balloon", 0, SLOT, NULL);
	virtio_driver_init(&self->drv, self->vm, SLOT);
	driver_start(&self->drv, variant->features);
	self->list = virtio_driver_alloc(&self->drv, 256 << 10);
	self->stats = virtio_driver_alloc(&self->drv, PAGE);
	memset(testvm_ram(self->vm, AREA, 8 * MIB), 0x5a, 8 * MIB);
}

FIXTURE_TEARDOWN(balloon)
{
	testvm_destroy(self->vm);
}

static u64 host_bytes(struct vm *vm)
{
	struct stat st;

	assert(!fstat(guest_memory_find(&vm->memory, gpa(AREA))->fd, &st));
	return (u64)st.st_blocks * 512;
}

/* Gives page numbers to a queue. */
static void give(struct virtio_driver *drv, u32 queue, u64 list,
		 const u32 *page, u32 nr)
{
	const struct virtio_buf buf = { list, nr * 4, false };
	__le32 *to = virtio_driver_ptr(drv, list, nr * 4);
	u32 i;

	for (i = 0; i < nr; i++)
		to[i] = cpu_to_le32(page[i]);
	virtio_driver_exec(&drv->vq[queue], &buf, 1, false);
}

static u8 byte_at(struct vm *vm, u64 addr)
{
	return *(u8 *)testvm_ram(vm, addr, 1);
}

/**
 * struct counter_sink - waits for one counter
 * @sink: what the device sees
 * @wanted: its name
 * @value: its value
 */
struct counter_sink {
	struct stat_sink sink;
	const char *wanted;
	u64 value;
};

static void take_counter(struct stat_sink *sink, const char *name, u64 value)
{
	struct counter_sink *c = container_of(sink, struct counter_sink, sink);

	if (!strcmp(name, c->wanted))
		c->value = value;
}

static u64 counter(struct device *dev, const char *name)
{
	struct counter_sink c = {
		.sink.counter = take_counter, .wanted = name, .value = ~0ULL,
	};

	dev->class->ops->stat(dev, &c.sink);
	return c.value;
}

TEST_F(balloon, inflated_pages_go_and_others_stay)
{
	u32 page[] = {
		AREA / PAGE + 9, AREA / PAGE + 2, AREA / PAGE + 1,
		AREA / PAGE + 2, AREA / PAGE + 3,
	};
	u64 before = host_bytes(self->vm);

	give(&self->drv, BALLOON_QUEUE_INFLATE, self->list, page,
	     ARRAY_SIZE(page));
	EXPECT_EQ(before - 4 * PAGE, host_bytes(self->vm));
	EXPECT_EQ(0x5a, byte_at(self->vm, AREA));
	EXPECT_EQ(0, byte_at(self->vm, AREA + PAGE));
	EXPECT_EQ(0, byte_at(self->vm, AREA + 4 * PAGE - 1));
	EXPECT_EQ(0x5a, byte_at(self->vm, AREA + 4 * PAGE));
	EXPECT_EQ(0x5a, byte_at(self->vm, AREA + 9 * PAGE - 1));
	EXPECT_EQ(0, byte_at(self->vm, AREA + 9 * PAGE));
	/* Taking them back costs nothing before they are touched. */
	before = host_bytes(self->vm);
	give(&self->drv, BALLOON_QUEUE_DEFLATE, self->list, page,
	     ARRAY_SIZE(page));
	EXPECT_EQ(before, host_bytes(self->vm));
	EXPECT_EQ(5, counter(self->dev, "pages-inflated"));
	EXPECT_EQ(4 * PAGE, counter(self->dev, "bytes-given-back"));
}

TEST_F(balloon, pages_that_are_none)
{
	u32 page[] = {
		0xffffffff, RAM_END / PAGE, RAM_END / PAGE - 1, 0xfffffffe,
		RAM_END / PAGE + 1, 0x80000000,
	};
	struct virtio_buf buf = { self->list, 7, false };

	*(u8 *)testvm_ram(self->vm, RAM_END - 1, 1) = 1;
	give(&self->drv, BALLOON_QUEUE_INFLATE, self->list, page,
	     ARRAY_SIZE(page));
	EXPECT_EQ(0, byte_at(self->vm, RAM_END - 1));
	EXPECT_EQ(5, counter(self->dev, "pages-refused"));
	/* No whole numbers, nothing to read. */
	virtio_driver_exec(&self->drv.vq[BALLOON_QUEUE_INFLATE], &buf, 1,
			   false);
	buf.in = true;
	virtio_driver_exec(&self->drv.vq[BALLOON_QUEUE_INFLATE], &buf, 1,
			   false);
	EXPECT_FALSE(virtio_driver_status(&self->drv) &
		     VIRTIO_STATUS_NEEDS_RESET);
}

TEST_F(balloon, a_list_of_any_length_is_looked_at_for_a_while_only)
{
	u32 nr = (256 << 10) / 4, i;
	u32 *page = malloc(nr * sizeof(*page));

	ASSERT_NE(NULL, page);
	for (i = 0; i < nr; i++)
		page[i] = 0xf0000000 + 2 * i;
	give(&self->drv, BALLOON_QUEUE_INFLATE, self->list, page, nr);
	EXPECT_EQ(16384, counter(self->dev, "pages-refused"));
	free(page);
}

TEST_F(balloon, pages_at_random_are_gone_exactly)
{
	u32 page[300], pages = 8 * MIB / PAGE, i, k;
	u64 gone[BITMAP_WORDS(8 * MIB / PAGE)] = { 0 };
	struct test_random rnd;

	TH_LOG("seed %llu", (unsigned long long)test_random_init(&rnd));
	for (k = 0; k < 5; k++) {
		for (i = 0; i < ARRAY_SIZE(page); i++) {
			u32 at = (u32)test_random_below(&rnd, pages);

			bitmap_set(gone, at);
			page[i] = AREA / PAGE + at;
		}
		give(&self->drv, BALLOON_QUEUE_INFLATE, self->list, page,
		     ARRAY_SIZE(page));
	}
	for (i = 0; i < pages; i++)
		ASSERT_EQ(bitmap_test(gone, i) ? 0 : 0x5a,
			  byte_at(self->vm, AREA + i * PAGE));
}

TEST_F(balloon, reported_pages_go_by_either_number_of_the_queue)
{
	const struct virtio_buf bufs[] = {
		/* Parts of pages stay. */
		{ AREA + 100, 3 * PAGE, true },
		{ AREA + MIB, MIB, true },
	};
	u64 before = host_bytes(self->vm);
	u32 queue;

	for (queue = BALLOON_QUEUE_HINT; queue < BALLOON_QUEUES; queue++) {
		memset(testvm_ram(self->vm, AREA, 2 * MIB), 0x5a, 2 * MIB);
		virtio_driver_exec(&self->drv.vq[queue], bufs, 2, false);
		EXPECT_EQ(before - 2 * PAGE - MIB, host_bytes(self->vm));
		EXPECT_EQ(0x5a, byte_at(self->vm, AREA + PAGE - 1));
		EXPECT_EQ(0, byte_at(self->vm, AREA + PAGE));
		EXPECT_EQ(0x5a, byte_at(self->vm, AREA + 3 * PAGE));
		EXPECT_EQ(0, byte_at(self->vm, AREA + 2 * MIB - 1));
	}
	/* Without statistics Linux has it where those would be. */
	virtio_driver_reset(&self->drv);
	driver_start(&self->drv, variant->features & ~BALLOON_F_STATS_VQ);
	memset(testvm_ram(self->vm, AREA, 2 * MIB), 0x5a, 2 * MIB);
	virtio_driver_exec(&self->drv.vq[BALLOON_QUEUE_STATS], bufs, 2, false);
	EXPECT_EQ(0, byte_at(self->vm, AREA + MIB));
	/* Not negotiated: nothing goes. */
	virtio_driver_reset(&self->drv);
	driver_start(&self->drv, variant->features & ~BALLOON_F_REPORTING);
	memset(testvm_ram(self->vm, AREA, 2 * MIB), 0x5a, 2 * MIB);
	virtio_driver_exec(&self->drv.vq[BALLOON_QUEUE_REPORTING], bufs, 2,
			   false);
	EXPECT_EQ(0x5a, byte_at(self->vm, AREA + MIB));
}

TEST_F(balloon, poisoned_pages_keep_their_poison)
{
	const struct virtio_buf buf = { AREA, MIB, true };

	virtio_driver_reset(&self->drv);
	driver_start(&self->drv, variant->features | BALLOON_F_PAGE_POISON);
	testvm_mmio_write(self->vm, self->drv.config + 12, 0x5a5a5a5a, 4);
	virtio_driver_exec(&self->drv.vq[BALLOON_QUEUE_REPORTING], &buf, 1,
			   false);
	EXPECT_EQ(0x5a, byte_at(self->vm, AREA));
	testvm_mmio_write(self->vm, self->drv.config + 12, 0, 4);
	virtio_driver_exec(&self->drv.vq[BALLOON_QUEUE_REPORTING], &buf, 1,
			   false);
	EXPECT_EQ(0, byte_at(self->vm, AREA));
}

TEST_F(balloon, what_goes_is_dirty)
{
	struct memory_block *b;
	u32 page = AREA / PAGE + 5;

	ASSERT_EQ(0, guest_memory_track_start(&self->vm->memory));
	give(&self->drv, BALLOON_QUEUE_INFLATE, self->list, &page, 1);
	b = guest_memory_find(&self->vm->memory, gpa(AREA));
	page -= TESTVM_RAM / PAGE;
	EXPECT_TRUE(bitmap_test_atomic(b->dirty, page));
	EXPECT_FALSE(bitmap_test_atomic(b->dirty, page + 1));
}

TEST_F(balloon, the_host_says_how_much)
{
	struct balloon_info info;
	u64 cfg = self->drv.config;

	ASSERT_EQ(0, balloon_set(self->vm, 5 * MIB + 1, &self->err));
	EXPECT_EQ(5 * MIB / PAGE, testvm_mmio_read(self->vm, cfg, 4));
	EXPECT_EQ(VIRTIO_ISR_CONFIG,
		  testvm_mmio_read(self->vm, self->drv.isr, 1));
	/* It is not the driver who says it. */
	testvm_mmio_write(self->vm, cfg, 1, 4);
	testvm_mmio_write(self->vm, cfg + 4, 3 * MIB / PAGE, 4);
	ASSERT_EQ(0, balloon_get(self->vm, &info, &self->err));
	EXPECT_EQ(5 * MIB, info.target);
	EXPECT_EQ(3 * MIB, info.actual);
	EXPECT_EQ(-EINVAL, balloon_set(self->vm, RAM + 1, &self->err));
	EXPECT_EQ(0, balloon_set(self->vm, RAM, &self->err));
	/* Another driver: what is wanted stays, what was given does not. */
	virtio_driver_reset(&self->drv);
	ASSERT_EQ(0, balloon_get(self->vm, &info, &self->err));
	EXPECT_EQ(RAM, info.target);
	EXPECT_EQ(0, info.actual);
}

static void offer_stats(struct virtio_driver *drv, u64 addr, u32 nr, u64 value)
{
	const struct virtio_buf buf = {
		addr, nr * sizeof(struct balloon_stat), false,
	};
	struct balloon_stat *s = virtio_driver_ptr(drv, addr, buf.len);
	u32 i;

	for (i = 0; i < nr; i++)
		s[i] = (struct balloon_stat){
			.tag = cpu_to_le16((u16)(i * 3)),
			.val = cpu_to_le64(value + i),
		};
	virtio_driver_add(&drv->vq[BALLOON_QUEUE_STATS], &buf, 1, false);
	virtio_driver_notify(&drv->vq[BALLOON_QUEUE_STATS]);
}

/* Waits until tag 0 has a value; the clock makes the news old first. */
static bool stats_become(struct vm *vm, u64 value, struct balloon_stats *stats)
{
	struct error err;
	u32 i;

	for (i = 0; i < 300; i++) {
		if (!balloon_stats(vm, stats, &err) && stats->value[0] == value)
			return true;
		usleep(10000);
	}
	return false;
}

TEST_F(balloon, statistics_are_asked_for)
{
	struct virtio_vq *vq = &self->drv.vq[BALLOON_QUEUE_STATS];
	const struct device_ops *ops = self->dev->class->ops;
	struct balloon_stats stats;
	void *state;
	u64 round;
	u32 len;
	u16 id;

	EXPECT_EQ(-EOPNOTSUPP, balloon_stats(self->vm, &stats, &self->err));
	/* Tags 0, 3, 6 and 9 are known, 12 is not. */
	offer_stats(&self->drv, self->stats, 5, 1000);
	ASSERT_TRUE(stats_become(self->vm, 1000, &stats));
	EXPECT_EQ(BIT(0) | BIT(3) | BIT(6) | BIT(9), stats.known);
	EXPECT_EQ(1003, stats.value[9]);
	EXPECT_GE(1000, stats.age_ms);
	for (round = 2; round < 5; round++) {
		/* The buffer comes back when somebody wants news. */
		EXPECT_TRUE(virtio_driver_quiet(vq, 20));
		usleep(250000);
		ASSERT_EQ(0, balloon_stats(self->vm, &stats, &self->err));
		ASSERT_TRUE(virtio_driver_wait(vq, &id, &len));
		EXPECT_EQ(0, len);
		offer_stats(&self->drv, self->stats, 1, round * 1000);
		ASSERT_TRUE(stats_become(self->vm, round * 1000, &stats));
	}
	/* A buffer that waits does not keep the machine from its pause. */
	ASSERT_EQ(0, ops->quiesce(self->dev, &self->err));
	state = testvm_save(self->dev);
	ASSERT_EQ(0, testvm_load(self->dev, state, &self->err));
	free(state);
	ops->resume(self->dev);
	ASSERT_TRUE(stats_become(self->vm, 4000, &stats));
	usleep(250000);
	ASSERT_EQ(0, balloon_stats(self->vm, &stats, &self->err));
	EXPECT_TRUE(virtio_driver_wait(vq, &id, &len));
}

TEST_F(balloon, state_survives)
{
	const struct device_ops *ops = self->dev->class->ops;
	struct balloon_info info;
	u32 page = AREA / PAGE;
	void *state, *again;

	ASSERT_EQ(0, balloon_set(self->vm, 7 * MIB, &self->err));
	testvm_mmio_write(self->vm, self->drv.config + 4, 9, 4);
	give(&self->drv, BALLOON_QUEUE_INFLATE, self->list, &page, 1);
	ASSERT_EQ(0, ops->quiesce(self->dev, &self->err));
	state = testvm_save(self->dev);
	ASSERT_EQ(0, balloon_set(self->vm, 0, &self->err));
	ASSERT_EQ(0, testvm_load(self->dev, state, &self->err));
	again = testvm_save(self->dev);
	EXPECT_EQ(0, memcmp(state, again, self->dev->class->state->size));
	ops->resume(self->dev);
	ASSERT_EQ(0, balloon_get(self->vm, &info, &self->err));
	EXPECT_EQ(7 * MIB, info.target);
	EXPECT_EQ(9 * PAGE, info.actual);
	page++;
	give(&self->drv, BALLOON_QUEUE_INFLATE, self->list, &page, 1);
	EXPECT_EQ(0, byte_at(self->vm, AREA + PAGE));
	free(state);
	free(again);
}

TEST_F(balloon, a_reset_while_pages_go)
{
	const struct virtio_buf buf = { AREA, 4 * MIB, true };
	u32 i, k;

	for (i = 0; i < 20; i++) {
		for (k = 0; k < 8; k++)
			virtio_driver_add(&self->drv.vq[
					BALLOON_QUEUE_REPORTING], &buf, 1,
					false);
		virtio_driver_notify(&self->drv.vq[BALLOON_QUEUE_REPORTING]);
		virtio_driver_reset(&self->drv);
		driver_start(&self->drv, variant->features);
	}
	memset(testvm_ram(self->vm, AREA, MIB), 0x5a, MIB);
	virtio_driver_exec(&self->drv.vq[BALLOON_QUEUE_REPORTING], &buf, 1,
			   false);
	EXPECT_EQ(0, byte_at(self->vm, AREA));
}

TEST_HARNESS_MAIN
