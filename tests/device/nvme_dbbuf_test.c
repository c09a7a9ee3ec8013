// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe shadow doorbells
 *
 * The driver here does what the specification asks of a host: it writes the
 * new value to memory, then looks at the event index, and rings the register
 * only when the value has passed the index. So a wake-up that the controller
 * forgets to ask for shows as a command that never completes.
 */
#include "tests/device/test_nvme.h"

#include "tests/lib/block_fault.h"

FIXTURE(dbbuf)
{
	struct test_nvme t;
	struct nvme_driver *drv;
	u64 buf;
	u64 shadow_gpa;
	u64 event_gpa;
	__le32 *shadow;
	__le32 *event;
	u64 rings;
};

FIXTURE_VARIANT(dbbuf)
{
	const char *options;
};

FIXTURE_VARIANT_ADD(dbbuf, sleeping)
{
	.options = ",queues=4",
};

FIXTURE_VARIANT_ADD(dbbuf, polling)
{
	.options = ",queues=4,iothreads=2,poll-us=200",
};

static u16 dbbuf_config(struct nvme_driver *drv, u64 shadow, u64 event)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_DBBUF_CONFIG, 0);

	cmd.prp.prp1 = cpu_to_le64(shadow);
	cmd.prp.prp2 = cpu_to_le64(event);
	return nvme_driver_admin(drv, &cmd);
}

FIXTURE_SETUP(dbbuf)
{
	test_nvme_create(&self->t, 1, TEST_DISK, variant->options);
	self->drv = &self->t.drv;
	self->buf = self->t.buf;
	nvme_driver_enable(self->drv, TEST_ADMIN);
	self->shadow_gpa = nvme_driver_alloc(self->drv, 4096);
	self->event_gpa = nvme_driver_alloc(self->drv, 4096);
	self->shadow = nvme_driver_ptr(self->drv, self->shadow_gpa);
	self->event = nvme_driver_ptr(self->drv, self->event_gpa);
}

FIXTURE_TEARDOWN(dbbuf)
{
	test_nvme_destroy(&self->t);
}

#define ENTRIES	33

/* As a host has to do it. */
static void ring(struct _test_data_dbbuf *self, u32 index, u16 new, u64 doorbell)
{
	u16 old = (u16)le32_to_cpu(__atomic_load_n(&self->shadow[index],
						   __ATOMIC_RELAXED));
	__le32 le = cpu_to_le32(new);
	u16 event;

	__atomic_store_n(&self->shadow[index], le, __ATOMIC_RELEASE);
	atomic_thread_fence(memory_order_seq_cst);
	event = (u16)le32_to_cpu(__atomic_load_n(&self->event[index],
						 __ATOMIC_RELAXED));
	if ((u16)(new - event - 1) >= (u16)(new - old))
		return;
	self->rings++;
	testvm_mmio_write(self->t.vm, doorbell, new, 4);
}

static void submit(struct _test_data_dbbuf *self, u16 qid, u32 nr)
{
	struct nvme_pair *pair = &self->drv->pair[qid];
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, 1);
	u32 i;

	nvme_driver_set_rw(&cmd, 0, 1);
	cmd.prp.prp1 = cpu_to_le64(self->buf);
	for (i = 0; i < nr; i++)
		nvme_driver_queue(pair, &cmd);
	ring(self, 2 * qid, (u16)pair->tail, pair->sq_doorbell);
}

/* Waits for and consumes @nr completions. */
static bool consume(struct _test_data_dbbuf *self, u16 qid, u32 nr)
{
	struct nvme_pair *pair = &self->drv->pair[qid];
	u64 end = nvme_now_ns() + 20000000000ULL;
	struct nvme_cqe cqe;

	while (nr) {
		if (nvme_driver_reap(pair, &cqe)) {
			if (nvme_driver_status(&cqe))
				return false;
			nr--;
			ring(self, 2 * qid + 1, (u16)pair->head,
			     pair->cq_doorbell);
			continue;
		}
		if (nvme_now_ns() > end)
			return false;
		testvm_poll(self->t.vm);
	}
	return true;
}

static void pause_us(u32 us)
{
	if (us)
		usleep(us);
}

/* Random batches with random pauses: each wake-up is asked for. */
TEST_F(dbbuf, no_command_is_forgotten)
{
	struct test_random rnd;
	u64 total = 0;
	u32 i;

	nvme_driver_create_pair(self->drv, 1, ENTRIES, 1);
	nvme_driver_create_pair(self->drv, 2, ENTRIES, 2);
	ASSERT_EQ(0, dbbuf_config(self->drv, self->shadow_gpa,
				  self->event_gpa));
	test_random_init(&rnd);
	for (i = 0; i < 1500; i++) {
		u16 qid = (u16)(1 + test_random_below(&rnd, 2));
		u32 nr = 1 + (u32)test_random_below(&rnd, ENTRIES - 2);

		submit(self, qid, nr);
		ASSERT_TRUE(consume(self, qid, nr))
			TH_LOG("round %u: %u commands", i, nr);
		total += nr;
		if (!test_random_below(&rnd, 16))
			pause_us((u32)test_random_below(&rnd, 300));
	}
	/* And far fewer rings than commands. */
	EXPECT_GT(total / 3, self->rings)
		TH_LOG("%llu rings for %llu commands", self->rings, total);
}

/* The controller waits for room, and asks to hear of it. */
TEST_F(dbbuf, a_full_completion_queue_is_waited_for)
{
	struct nvme_pair *pair = &self->drv->pair[2];
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, 1);
	u32 i, round;

	/* Submission queue 2 of 33 on completion queue 1 of 4. */
	nvme_driver_create_pair(self->drv, 1, 4, 1);
	ASSERT_EQ(0, nvme_driver_create_cq(self->drv, 2, ENTRIES,
					   NVME_CREATE_CDW11_PC));
	ASSERT_EQ(0, nvme_driver_create_sq(self->drv, 2, ENTRIES,
					   NVME_CREATE_CDW11_PC | 1 << 16));
	ASSERT_EQ(0, dbbuf_config(self->drv, self->shadow_gpa,
				  self->event_gpa));
	nvme_driver_set_rw(&cmd, 0, 1);
	cmd.prp.prp1 = cpu_to_le64(self->buf);
	for (round = 0; round < 40; round++) {
		for (i = 0; i < ENTRIES - 1; i++)
			nvme_driver_queue(pair, &cmd);
		ring(self, 4, (u16)pair->tail, pair->sq_doorbell);
		if (round % 8 == 0)
			usleep(500);
		ASSERT_TRUE(consume(self, 1, ENTRIES - 1))
			TH_LOG("round %u", round);
	}
}

TEST_F(dbbuf, queues_created_later_have_them_too)
{
	ASSERT_EQ(0, dbbuf_config(self->drv, self->shadow_gpa,
				  self->event_gpa));
	nvme_driver_create_pair(self->drv, 3, ENTRIES, 1);
	submit(self, 3, 5);
	EXPECT_TRUE(consume(self, 3, 5));
	/* A queue made anew begins at 0, as does its doorbell. */
	ASSERT_EQ(0, nvme_driver_delete_queue(self->drv, NVME_ADM_DELETE_SQ,
					      3));
	ASSERT_EQ(0, nvme_driver_delete_queue(self->drv, NVME_ADM_DELETE_CQ,
					      3));
	self->shadow[6] = cpu_to_le32(0);
	self->shadow[7] = cpu_to_le32(0);
	nvme_driver_create_pair(self->drv, 3, ENTRIES, 1);
	submit(self, 3, 7);
	EXPECT_TRUE(consume(self, 3, 7));
}

/* A queue that was in use goes on from where it is. */
TEST_F(dbbuf, a_queue_in_use_goes_on)
{
	u32 i;

	nvme_driver_create_pair(self->drv, 1, ENTRIES, 1);
	for (i = 0; i < 40; i++)
		ASSERT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 0,
					    1, self->buf));
	ASSERT_EQ(0, dbbuf_config(self->drv, self->shadow_gpa,
				  self->event_gpa));
	EXPECT_EQ(self->drv->pair[1].tail, le32_to_cpu(self->shadow[2]));
	EXPECT_EQ(self->drv->pair[1].head, le32_to_cpu(self->shadow[3]));
	submit(self, 1, 20);
	EXPECT_TRUE(consume(self, 1, 20));
	/* Other buffers, in the middle of it. */
	memcpy(self->shadow + 512, self->shadow, 2048);
	ASSERT_EQ(0, dbbuf_config(self->drv, self->event_gpa,
				  self->shadow_gpa));
}

TEST_F(dbbuf, wrong_buffers)
{
	struct nvme_driver *drv = self->drv;
	u64 s = self->shadow_gpa, e = self->event_gpa;

	EXPECT_EQ(SC(INVALID_FIELD), dbbuf_config(drv, s + 4, e));
	EXPECT_EQ(SC(INVALID_FIELD), dbbuf_config(drv, s, e + 2048));
	EXPECT_EQ(SC(INVALID_FIELD), dbbuf_config(drv, 1ULL << 40, e));
	EXPECT_EQ(SC(INVALID_FIELD), dbbuf_config(drv, s, drv->bar0));
	EXPECT_EQ(SC(INVALID_FIELD),
		  dbbuf_config(drv, TESTVM_RAM +
			       self->t.vm->config.memory_bytes, e));
	EXPECT_FALSE(test_ctrl(&self->t)->dbbuf.enabled);
}

/* Values that cannot be are ignored, reported once, and harmless. */
TEST_F(dbbuf, hostile_values)
{
	static const u32 bad[] = { ENTRIES, 0xffff, 0x10000, 0xffffffff };
	struct nvme_driver *drv = self->drv;
	struct nvme_pair *pair = &drv->pair[1];
	u32 i;

	nvme_driver_create_pair(drv, 1, ENTRIES, 1);
	ASSERT_EQ(0, dbbuf_config(drv, self->shadow_gpa, self->event_gpa));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct nvme_sqe aer = nvme_driver_cmd(NVME_ADM_AER, 0);
		struct nvme_cqe cqe;

		__atomic_store_n(&self->shadow[3], cpu_to_le32(bad[i]),
				 __ATOMIC_SEQ_CST);
		__atomic_store_n(&self->shadow[2], cpu_to_le32(bad[i]),
				 __ATOMIC_SEQ_CST);
		testvm_mmio_write(self->t.vm, pair->sq_doorbell, 1, 4);
		nvme_driver_queue(&drv->pair[0], &aer);
		nvme_driver_ring(drv, &drv->pair[0]);
		ASSERT_TRUE(nvme_driver_wait(drv, &drv->pair[0], &cqe));
		EXPECT_EQ(0x010100, le32_to_cpu(cqe.dw0));
		nvme_driver_get_log(drv, NVME_LID_ERROR, 0, 64, self->buf);
		__atomic_store_n(&self->shadow[2], cpu_to_le32(pair->tail),
				 __ATOMIC_SEQ_CST);
		__atomic_store_n(&self->shadow[3], cpu_to_le32(pair->head),
				 __ATOMIC_SEQ_CST);
		testvm_mmio_write(self->t.vm, pair->sq_doorbell, 1, 4);
		submit(self, 1, 1);
		EXPECT_TRUE(consume(self, 1, 1));
	}
}

/* BAR 0 moves: the ioeventfds follow. */
TEST_F(dbbuf, registers_move)
{
	u64 old = testvm_bar(self->t.vm, TEST_SLOT, 0), now = old + MIB;
	struct nvme_pair *pair = &self->drv->pair[1];

	nvme_driver_create_pair(self->drv, 1, ENTRIES, 1);
	ASSERT_EQ(0, dbbuf_config(self->drv, self->shadow_gpa,
				  self->event_gpa));
	testvm_config_write(self->t.vm, TEST_SLOT, 0x10, (u32)now, 4);
	testvm_config_write(self->t.vm, TEST_SLOT, 0x14, (u32)(now >> 32), 4);
	ASSERT_EQ(now, testvm_bar(self->t.vm, TEST_SLOT, 0));
	EXPECT_EQ(now + NVME_DOORBELL_SQ(1, 4),
		  test_ctrl(&self->t)->sq_db[1].event.addr);
	EXPECT_NE(NULL, test_ctrl(&self->t)->sq_db[1].event.bus);
	pair->sq_doorbell += now - old;
	pair->cq_doorbell += now - old;
	self->drv->bar0 = now;
	self->drv->pair[0].sq_doorbell += now - old;
	self->drv->pair[0].cq_doorbell += now - old;
	submit(self, 1, 9);
	EXPECT_TRUE(consume(self, 1, 9));
	nvme_driver_disable(self->drv);
	EXPECT_EQ(NULL, test_ctrl(&self->t)->sq_db[1].event.bus);
	EXPECT_FALSE(test_ctrl(&self->t)->dbbuf.enabled);
}

/* With the pin each head must be heard of, or its level would stay. */
TEST_F(dbbuf, the_pin_follows_shadow_heads)
{
	u32 cap = testvm_capability(self->t.vm, TEST_SLOT, 0x11);
	u32 gsi = testvm_intx_gsi(TEST_SLOT), i;
	u64 end;

	testvm_config_write(self->t.vm, TEST_SLOT, cap + 2, 0, 2);
	nvme_driver_create_pair(self->drv, 1, ENTRIES, 0);
	ASSERT_EQ(0, dbbuf_config(self->drv, self->shadow_gpa,
				  self->event_gpa));
	for (i = 0; i < 100; i++) {
		submit(self, 1, 3);
		end = nvme_now_ns() + 20000000000ULL;
		while (!irq_gsi_level(&self->t.vm->irq, gsi) &&
		       nvme_now_ns() < end)
			testvm_poll(self->t.vm);
		ASSERT_TRUE(irq_gsi_level(&self->t.vm->irq, gsi));
		ASSERT_TRUE(consume(self, 1, 3));
		while (irq_gsi_level(&self->t.vm->irq, gsi) &&
		       nvme_now_ns() < end)
			testvm_poll(self->t.vm);
		ASSERT_FALSE(irq_gsi_level(&self->t.vm->irq, gsi))
			TH_LOG("round %u", i);
	}
}

TEST_HARNESS_MAIN
