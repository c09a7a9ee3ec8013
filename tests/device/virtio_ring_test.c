// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: virtqueues, split and packed: good drivers and bad ones
 */
#include "tests/device/test_virtio_dev.h"

#define RAM	(16 * MIB)
#define BUF	(1 * MIB)
#define RAM_END	(TESTVM_RAM + RAM)

FIXTURE(ring)
{
	struct vm *vm;
	struct device *dev;
	struct test_virtio *t;
	struct virtio_driver drv;
	struct virtio_vq *vq;
	bool packed;
	bool indirect;
	u64 buf;
	u8 *ptr;
};

FIXTURE_VARIANT(ring)
{
	u64 features;
};

FIXTURE_VARIANT_ADD(ring, split)
{
	.features = RING_SPLIT,
};

FIXTURE_VARIANT_ADD(ring, split_event)
{
	.features = RING_SPLIT_EVENT,
};

FIXTURE_VARIANT_ADD(ring, packed)
{
	.features = RING_PACKED,
};

FIXTURE_VARIANT_ADD(ring, packed_event)
{
	.features = RING_PACKED_EVENT,
};

#define SELF	struct _test_data_ring

static void begin(SELF *self, u64 features, u16 size)
{
	if (!virtio_driver_negotiate(&self->drv, features))
		abort();
	virtio_driver_queue(&self->drv, 0, size);
	virtio_driver_ok(&self->drv);
	self->vq = &self->drv.vq[0];
	self->packed = features & VIRTIO_F_RING_PACKED;
	self->indirect = features & VIRTIO_F_INDIRECT_DESC;
}

FIXTURE_SETUP(ring)
{
	self->vm = testvm_create(RAM);
	self->dev = testvm_add_pci(self->vm, "test-virtio", 0, TEST_SLOT,
				   NULL);
	self->t = to_test(virtio_device_of(self->dev));
	virtio_driver_init(&self->drv, self->vm, TEST_SLOT);
	testvm_msix_enable(self->vm, TEST_SLOT, TEST_VECTORS);
	self->buf = virtio_driver_alloc(&self->drv, BUF);
	self->ptr = virtio_driver_ptr(&self->drv, self->buf, BUF);
	begin(self, variant->features, 16);
}

FIXTURE_TEARDOWN(ring)
{
	testvm_destroy(self->vm);
}

static void poll_some(SELF *self)
{
	u32 i;

	for (i = 0; i < 8; i++)
		testvm_poll(self->vm);
}

/* ---- good drivers ------------------------------------------------------------- */

#define PIECE	64

/* A chain of @out and @in buffers of the n-th place; its data from a seed. */
static int offer(SELF *self, u32 n, u32 out, u32 in, u8 seed, bool indirect)
{
	struct virtio_buf bufs[32];
	u64 at = self->buf + 8192ULL * n;
	u32 i;

	for (i = 0; i < out + in; i++) {
		/* Pieces that touch each other, and others. */
		bufs[i].addr = at;
		bufs[i].len = 1 + (seed + i * 13) % PIECE;
		bufs[i].in = i >= out;
		memset(virtio_driver_ptr(&self->drv, at, bufs[i].len),
		       bufs[i].in ? 0 : seed + i, bufs[i].len);
		at += bufs[i].len + (i & 1) * 32;
	}
	return virtio_driver_add(self->vq, bufs, out + in, indirect);
}

static u32 out_len(u32 from, u32 to, u8 seed)
{
	u32 sum = 0;

	for (; from < to; from++)
		sum += 1 + (seed + from * 13) % PIECE;
	return sum;
}

/* The answer is what was sent, as far as there was room. */
static bool answered(SELF *self, u32 n, u32 out, u32 in, u8 seed, u32 len)
{
	u64 at = self->buf + 8192ULL * n;
	u32 room = out_len(out, out + in, seed), sent = out_len(0, out, seed);
	u8 wrote[32 * PIECE], got[32 * PIECE];
	u32 i, w = 0, g = 0;

	if (len != min_of(room, sent))
		return false;
	for (i = 0; i < out + in; i++) {
		u32 bytes = 1 + (seed + i * 13) % PIECE;
		u8 *p = virtio_driver_ptr(&self->drv, at, bytes);

		memcpy(i < out ? wrote + w : got + g, p, bytes);
		*(i < out ? &w : &g) += bytes;
		at += bytes + (i & 1) * 32;
	}
	return !memcmp(wrote, got, len) && test_all(got + len, 0, room - len);
}

/* Rings of every size, chains of every length, many times round. */
TEST_F(ring, chains_come_back_with_their_answer)
{
	static const u16 sizes[] = { 1, 2, 4, 8, 16, 64, 256, 3, 5, 7, 100 };
	struct test_random rnd;
	u32 s, round, len;
	u16 id;

	test_random_init(&rnd);
	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		if (!self->packed && !is_power_of_2(sizes[s]))
			continue;
		begin(self, variant->features, sizes[s]);
		for (round = 0; round < 3U * sizes[s] + 20; round++) {
			u32 max = min_of((u32)sizes[s], 20U);
			bool indirect = self->indirect && (round & 1);
			u32 nr, out;
			u8 seed = (u8)test_random_u64(&rnd);
			int want;

			if (indirect)
				max = 20;
			nr = 1 + (u32)test_random_below(&rnd, max);
			out = (u32)test_random_below(&rnd, nr + 1);
			want = offer(self, 0, out, nr - out, seed, indirect);
			ASSERT_LE(0, want);
			virtio_driver_notify(self->vq);
			ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
			ASSERT_EQ(want, id);
			ASSERT_TRUE(answered(self, 0, out, nr - out, seed,
					     len)) {
				TH_LOG("size %u round %u", sizes[s], round);
			}
		}
	}
}

struct flying {
	bool used;
	int id;
	u32 out;
	u32 in;
	u8 seed;
};

/* Several at a time, answered in another order than offered. */
TEST_F(ring, any_order)
{
	struct flying fly[16] = { 0 };
	struct test_random rnd;
	u32 round, i, len;
	u16 id;

	test_random_init(&rnd);
	self->t->keep = true;
	for (round = 0; round < 2000; round++) {
		struct flying *f = &fly[test_random_below(&rnd, 16)];

		if (!f->used) {
			f->out = (u32)test_random_below(&rnd, 4);
			f->in = 1 + (u32)test_random_below(&rnd, 3);
			f->seed = (u8)test_random_u64(&rnd);
			f->id = offer(self, (u32)(f - fly), f->out, f->in,
				      f->seed,
				      self->indirect && (round & 1));
			f->used = f->id >= 0;
			virtio_driver_notify(self->vq);
		}
		poll_some(self);
		if (self->t->kept && test_random_below(&rnd, 2))
			test_release(self->t, 0,
				     (u32)test_random_below(&rnd,
							    self->t->kept));
		while (virtio_driver_reap(self->vq, &id, &len)) {
			for (i = 0; i < 16; i++)
				if (fly[i].used && fly[i].id == id)
					break;
			ASSERT_GT(16, i);
			ASSERT_TRUE(answered(self, i, fly[i].out, fly[i].in,
					     fly[i].seed, len));
			fly[i].used = false;
		}
	}
}

/* What is put back is there again, also over the ring's end. */
TEST_F(ring, unpop)
{
	u32 round, len;
	u16 id;

	for (round = 0; round < 40; round++) {
		self->t->unpop = true;
		ASSERT_LE(0, offer(self, 0, 2, 1, (u8)round, false));
		virtio_driver_notify(self->vq);
		EXPECT_TRUE(virtio_driver_quiet(self->vq, 1));
		self->t->unpop = false;
		virtio_queue_wake(&self->t->v.queues[0]);
		ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
		ASSERT_TRUE(answered(self, 0, 2, 1, (u8)round, len));
	}
}

/* ---- notifications and interrupts ---------------------------------------------- */

static u64 signals(SELF *self)
{
	return testvm_msix_take(self->vm, TEST_SLOT, 0);
}

static void want_interrupts(SELF *self, bool on)
{
	u8 *at = self->vq->driver;

	if (self->packed)
		*(u16 *)(at + 2) = on ? VIRTQ_EVENT_ENABLE :
					VIRTQ_EVENT_DISABLE;
	else
		*(u16 *)at = on ? 0 : VIRTQ_AVAIL_F_NO_INTERRUPT;
}

TEST_F(ring, interrupts_can_be_switched_off)
{
	u32 len;
	u16 id;

	/* By event index otherwise; packed rings have both. */
	if (!self->packed && (variant->features & VIRTIO_F_EVENT_IDX))
		return;
	want_interrupts(self, true);
	offer(self, 0, 1, 1, 1, false);
	virtio_driver_notify(self->vq);
	ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
	poll_some(self);
	EXPECT_EQ(1, signals(self));
	want_interrupts(self, false);
	offer(self, 0, 1, 1, 1, false);
	virtio_driver_notify(self->vq);
	ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
	poll_some(self);
	EXPECT_EQ(0, signals(self));
}

/* An interrupt when the driver's index is passed, and not before. */
TEST_F(ring, interrupts_by_event_index)
{
	u32 round, i, len;
	u16 id;

	if (!(variant->features & VIRTIO_F_EVENT_IDX))
		return;
	self->t->keep = true;
	/* The first is always told. */
	offer(self, 0, 1, 0, 1, false);
	virtio_driver_notify(self->vq);
	poll_some(self);
	test_release(self->t, 0, 0);
	poll_some(self);
	signals(self);
	ASSERT_TRUE(virtio_driver_reap(self->vq, &id, &len));
	for (round = 0; round < 40; round++) {
		u16 event = (u16)(self->vq->used + 2);

		for (i = 0; i < 4; i++)
			ASSERT_LE(0, offer(self, i, 1, 0, 1, false));
		virtio_driver_notify(self->vq);
		poll_some(self);
		ASSERT_EQ(4, self->t->kept);
		if (self->packed) {
			bool wrap = self->vq->used_wrap;

			if (event >= self->vq->size) {
				event = (u16)(event - self->vq->size);
				wrap = !wrap;
			}
			*(u16 *)self->vq->driver = event | (u16)(wrap << 15);
			*(u16 *)(self->vq->driver + 2) = VIRTQ_EVENT_DESC;
		} else {
			*(u16 *)(self->vq->driver + 4 + 2 * self->vq->size) =
				event;
		}
		for (i = 0; i < 4; i++) {
			bool wrapped = self->packed &&
				(self->vq->used + i + 1) % self->vq->size <= i;
			u64 got;

			test_release(self->t, 0, 0);
			poll_some(self);
			got = signals(self);
			/* Round the end of a packed ring one more is allowed. */
			if (i == 2 || !wrapped) {
				EXPECT_EQ(i == 2, got)
					TH_LOG("round %u, %u", round, i);
			}
		}
		for (i = 0; i < 4; i++)
			ASSERT_TRUE(virtio_driver_reap(self->vq, &id, &len));
	}
}

/* Asleep it wants to be notified. */
TEST_F(ring, notifications_are_asked_for_before_sleep)
{
	u32 round, len;
	u16 id;

	for (round = 0; round < 50; round++) {
		u16 old = self->vq->next;

		/* The sleep of a loop that does not wait is no sleep. */
		virtio_ring_arm(&self->t->v.queues[0].ring);
		ASSERT_LE(0, offer(self, 0, 1, 1, 3, false));
		EXPECT_TRUE(virtio_driver_wants_notify(self->vq, old));
		ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
		virtio_ring_disarm(&self->t->v.queues[0].ring);
		old = self->vq->next;
		ASSERT_LE(0, offer(self, 0, 1, 1, 3, false));
		EXPECT_FALSE(virtio_driver_wants_notify(self->vq, old));
		ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
	}
}

/* Without bus mastering nothing is looked at; afterwards it goes on. */
TEST_F(ring, bus_mastering)
{
	u32 len;
	u16 id;

	testvm_bus_master(self->vm, TEST_SLOT, false);
	ASSERT_LE(0, offer(self, 0, 1, 1, 9, false));
	virtio_driver_notify(self->vq);
	EXPECT_TRUE(virtio_driver_quiet(self->vq, 5));
	testvm_bus_master(self->vm, TEST_SLOT, true);
	ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
	EXPECT_TRUE(answered(self, 0, 1, 1, 9, len));
	/* Too early: the driver cannot be told. */
	self->t->keep = true;
	ASSERT_LE(0, offer(self, 0, 1, 1, 9, false));
	virtio_driver_notify(self->vq);
	poll_some(self);
	testvm_bus_master(self->vm, TEST_SLOT, false);
	test_release(self->t, 0, 0);
	testvm_bus_master(self->vm, TEST_SLOT, true);
	EXPECT_TRUE(virtio_driver_wait_status(&self->drv,
					      VIRTIO_STATUS_NEEDS_RESET,
					      VIRTIO_STATUS_NEEDS_RESET));
}

/* What is written is marked, the ring as well. */
TEST_F(ring, writes_are_marked_dirty)
{
	struct memory_block *block = &self->vm->memory.blocks[0];
	const struct virtio_buf bufs[] = {
		{ self->buf, 8192, false },
		{ self->buf + 65536, 8192, true },
	};
	u64 page = (self->buf + 65536 - TESTVM_RAM) / 4096;
	u64 ring = ((self->packed ? self->vq->desc_gpa :
				    self->vq->device_gpa) - TESTVM_RAM) / 4096;

	ASSERT_EQ(0, guest_memory_track_start(&self->vm->memory));
	virtio_driver_exec(self->vq, bufs, 2, false);
	EXPECT_TRUE(block->dirty[page / 64] >> page % 64 & 1);
	EXPECT_TRUE(block->dirty[(page + 1) / 64] >> (page + 1) % 64 & 1);
	EXPECT_FALSE(block->dirty[(page + 2) / 64] >> (page + 2) % 64 & 1);
	EXPECT_TRUE(block->dirty[ring / 64] >> ring % 64 & 1);
	page = (self->buf - TESTVM_RAM) / 4096;
	EXPECT_FALSE(block->dirty[page / 64] >> page % 64 & 1);
	guest_memory_track_stop(&self->vm->memory);
}

/* Saved at every place of the ring, and gone on from there. */
TEST_F(ring, state_survives_everywhere)
{
	u32 round, len;
	u16 id;

	for (round = 0; round < 70; round++) {
		ASSERT_LE(0, offer(self, 0, 2, 1, (u8)round, false));
		virtio_driver_notify(self->vq);
		ASSERT_EQ(0, test_quiesce(self->dev));
		ASSERT_EQ(0, test_save_load(self->dev));
		EXPECT_EQ(self->t->starts, self->t->stops);
		self->dev->class->ops->resume(self->dev);
		ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
		ASSERT_TRUE(answered(self, 0, 2, 1, (u8)round, len));
	}
}

/* ---- bad drivers ----------------------------------------------------------------- */

/* One raw descriptor of the ring or a table. */
static void put_desc(SELF *self, void *table, u32 at, u64 addr, u32 len,
		     u16 flags, u16 next)
{
	if (self->packed) {
		struct virtq_packed_desc *d = table;

		d[at] = (struct virtq_packed_desc){
			.addr = cpu_to_le64(addr), .len = cpu_to_le32(len),
			.flags = cpu_to_le16(flags),
		};
	} else {
		struct virtq_desc *d = table;

		d[at] = (struct virtq_desc){
			.addr = cpu_to_le64(addr), .len = cpu_to_le32(len),
			.flags = cpu_to_le16(flags),
			.next = cpu_to_le16(next),
		};
	}
}

static void put_ring(SELF *self, u32 at, u64 addr, u32 len, u16 flags, u16 next)
{
	put_desc(self, self->vq->desc, at, addr, len,
		 flags | (self->packed ? VIRTQ_DESC_F_AVAIL : 0), next);
}

/* Publishes entry @head of a fresh ring; the device must ask for a reset. */
static bool is_refused(SELF *self, u16 head, u16 idx)
{
	u64 features = self->drv.features;
	bool refused;

	if (!self->packed) {
		*(u16 *)(self->vq->driver + 4) = head;
		*(u16 *)(self->vq->driver + 2) = idx;
	}
	virtio_driver_notify(self->vq);
	refused = virtio_driver_wait_status(&self->drv,
					    VIRTIO_STATUS_NEEDS_RESET,
					    VIRTIO_STATUS_NEEDS_RESET);
	refused &= virtio_driver_quiet(self->vq, 1);
	refused &= testvm_msix_take(self->vm, TEST_SLOT, 2) == 1;
	/* Only a reset helps, and it does. */
	begin(self, features, 16);
	virtio_driver_write(&self->drv, VIRTIO_REG_CONFIG_VECTOR, 2, 2);
	offer(self, 0, 1, 1, 5, false);
	virtio_driver_notify(self->vq);
	{
		u32 len;
		u16 id;

		refused &= virtio_driver_wait(self->vq, &id, &len);
	}
	begin(self, features, 16);
	virtio_driver_write(&self->drv, VIRTIO_REG_CONFIG_VECTOR, 2, 2);
	return refused;
}

struct bad_buf {
	u64 addr;
	u32 len;
};

TEST_F(ring, buffers_that_are_not_in_ram)
{
	const struct bad_buf bad[] = {
		{ RAM_END, 1 }, { RAM_END - 1, 2 }, { UINT64_MAX, 1 },
		{ UINT64_MAX - 10, 100 }, { UINT64_MAX, UINT32_MAX },
		{ 0xfee00000, 4 }, { TESTVM_RAM, UINT32_MAX }, { 1ULL << 63, 16 },
		{ TESTVM_RAM + 4096, 0 },
	};
	u32 i;

	virtio_driver_write(&self->drv, VIRTIO_REG_CONFIG_VECTOR, 2, 2);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		put_ring(self, 0, bad[i].addr, bad[i].len, 0, 0);
		EXPECT_TRUE(is_refused(self, 0, 1))
			TH_LOG("read %u", i);
		put_ring(self, 0, bad[i].addr, bad[i].len, VIRTQ_DESC_F_WRITE,
			 0);
		EXPECT_TRUE(is_refused(self, 0, 1))
			TH_LOG("write %u", i);
		/* As the second of a chain. */
		put_ring(self, 1, bad[i].addr, bad[i].len, 0, 0);
		put_ring(self, 0, self->buf, 8, VIRTQ_DESC_F_NEXT, 1);
		EXPECT_TRUE(is_refused(self, 0, 1))
			TH_LOG("second %u", i);
	}
}

TEST_F(ring, chains_without_an_end)
{
	u32 i;

	virtio_driver_write(&self->drv, VIRTIO_REG_CONFIG_VECTOR, 2, 2);
	/* To itself; in a packed ring all entries have a next one. */
	for (i = 0; i < 16; i++)
		put_ring(self, i, self->buf, 8, VIRTQ_DESC_F_NEXT, 0);
	EXPECT_TRUE(is_refused(self, 0, 1));
	for (i = 0; i < 16; i++)
		put_ring(self, i, self->buf, 8, VIRTQ_DESC_F_NEXT,
			 (u16)((i + 1) % 16));
	EXPECT_TRUE(is_refused(self, 3, 1));
	if (self->packed)
		return;
	/* An entry that is not there: the head, and the next. */
	EXPECT_TRUE(is_refused(self, 16, 1));
	EXPECT_TRUE(is_refused(self, 0xffff, 1));
	put_ring(self, 0, self->buf, 8, VIRTQ_DESC_F_NEXT, 16);
	EXPECT_TRUE(is_refused(self, 0, 1));
	/* More chains than entries. */
	put_ring(self, 0, self->buf, 8, 0, 0);
	EXPECT_TRUE(is_refused(self, 0, 17));
	EXPECT_TRUE(is_refused(self, 0, 0xffff));
}

TEST_F(ring, writable_before_readable)
{
	virtio_driver_write(&self->drv, VIRTIO_REG_CONFIG_VECTOR, 2, 2);
	put_ring(self, 1, self->buf, 8, 0, 0);
	put_ring(self, 0, self->buf + 4096, 8,
		 VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 1);
	EXPECT_TRUE(is_refused(self, 0, 1));
}

TEST_F(ring, bad_tables)
{
	u64 table_gpa = self->buf + 65536;
	u8 *table = self->ptr + 65536;
	u16 flags = VIRTQ_DESC_F_INDIRECT;
	static const u32 lens[] = {
		0, 1, 15, 17, 31, 16 * (VIRTIO_CHAIN_MAX + 1), UINT32_MAX,
		UINT32_MAX & ~15U,
	};
	u32 i;

	virtio_driver_write(&self->drv, VIRTIO_REG_CONFIG_VECTOR, 2, 2);
	put_desc(self, table, 0, self->buf, 8, 0, 0);
	if (!self->indirect) {
		put_ring(self, 0, table_gpa, 16, flags, 0);
		EXPECT_TRUE(is_refused(self, 0, 1));
		return;
	}
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		put_ring(self, 0, table_gpa, lens[i], flags, 0);
		EXPECT_TRUE(is_refused(self, 0, 1))
			TH_LOG("length %u", lens[i]);
	}
	/* Not in RAM, or not all of it. */
	put_ring(self, 0, RAM_END, 16, flags, 0);
	EXPECT_TRUE(is_refused(self, 0, 1));
	put_ring(self, 0, RAM_END - 16, 32, flags, 0);
	EXPECT_TRUE(is_refused(self, 0, 1));
	put_ring(self, 0, UINT64_MAX - 15, 32, flags, 0);
	EXPECT_TRUE(is_refused(self, 0, 1));
	/* With a next one. */
	put_ring(self, 1, self->buf, 8, 0, 0);
	put_ring(self, 0, table_gpa, 16, flags | VIRTQ_DESC_F_NEXT, 1);
	EXPECT_TRUE(is_refused(self, 0, 1));
	/* A table in a table. */
	put_desc(self, table, 0, table_gpa, 16, flags, 0);
	put_ring(self, 0, table_gpa, 16, flags, 0);
	EXPECT_TRUE(is_refused(self, 0, 1));
	/* A table that never ends. */
	put_desc(self, table, 0, self->buf, 8, VIRTQ_DESC_F_NEXT, 0);
	put_ring(self, 0, table_gpa, 16, flags, 0);
	if (!self->packed)
		EXPECT_TRUE(is_refused(self, 0, 1));
	/* A bad buffer in a table, and a next one beyond it. */
	put_desc(self, table, 0, RAM_END, 8, 0, 0);
	put_ring(self, 0, table_gpa, 16, flags, 0);
	EXPECT_TRUE(is_refused(self, 0, 1));
	put_desc(self, table, 0, self->buf, 8, VIRTQ_DESC_F_NEXT, 5);
	put_ring(self, 0, table_gpa, 32, flags, 0);
	put_desc(self, table, 1, self->buf, 0, 0, 0);
	EXPECT_TRUE(is_refused(self, 0, 1));
}

/* A table of more pieces than the device can take, each in another page. */
TEST_F(ring, more_pieces_than_the_device_takes)
{
	u64 table_gpa = self->buf + 65536;
	u32 i;

	if (!self->indirect)
		return;
	virtio_driver_write(&self->drv, VIRTIO_REG_CONFIG_VECTOR, 2, 2);
	for (i = 0; i <= TEST_IOVS; i++)
		put_desc(self, self->ptr + 65536, i,
			 self->buf + 128 * 1024 + 16 * i, 8,
			 i < TEST_IOVS && !self->packed ? VIRTQ_DESC_F_NEXT : 0,
			 (u16)(i + 1));
	put_ring(self, 0, table_gpa, 16 * (TEST_IOVS + 1),
		 VIRTQ_DESC_F_INDIRECT, 0);
	EXPECT_TRUE(is_refused(self, 0, 1));
}

/* Chains offered again before they came back. */
TEST_F(ring, more_chains_than_entries)
{
	u32 i;

	if (self->packed)
		return;
	virtio_driver_write(&self->drv, VIRTIO_REG_CONFIG_VECTOR, 2, 2);
	self->t->keep = true;
	put_ring(self, 0, self->buf, 8, 0, 0);
	for (i = 0; i < 16; i++)
		*(u16 *)(self->vq->driver + 4 + 2 * i) = 0;
	*(u16 *)(self->vq->driver + 2) = 16;
	virtio_driver_notify(self->vq);
	poll_some(self);
	ASSERT_EQ(16, self->t->kept);
	*(u16 *)(self->vq->driver + 2) = 17;
	virtio_driver_notify(self->vq);
	EXPECT_TRUE(virtio_driver_wait_status(&self->drv,
					      VIRTIO_STATUS_NEEDS_RESET,
					      VIRTIO_STATUS_NEEDS_RESET));
	EXPECT_EQ(0, self->t->kept);
}

/* Noise: whatever a ring holds, the device lives and can be reset. */
TEST_F(ring, noise)
{
	struct test_random rnd;
	u32 round, i;

	test_random_init(&rnd);
	for (round = 0; round < 400; round++) {
		test_random_fill(&rnd, self->vq->desc, 16 * 16);
		for (i = 0; i < 16; i++) {
			u64 *addr = (u64 *)(self->vq->desc + 16 * i);

			/* Often in RAM, often short. */
			if (test_random_below(&rnd, 4)) {
				*addr = TESTVM_RAM + *addr % RAM;
				*(u32 *)(addr + 1) %= 8192;
			}
		}
		test_random_fill(&rnd, self->vq->driver, 40);
		*(u16 *)(self->vq->driver + 2) =
			(u16)test_random_below(&rnd, 20);
		virtio_driver_notify(self->vq);
		poll_some(self);
		begin(self, variant->features, 16);
		self->drv.arena_next = self->buf + BUF;
	}
	offer(self, 0, 1, 1, 5, false);
	virtio_driver_notify(self->vq);
	{
		u32 len;
		u16 id;

		EXPECT_TRUE(virtio_driver_wait(self->vq, &id, &len));
	}
}

TEST_HARNESS_MAIN
