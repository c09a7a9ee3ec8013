// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe queues: wrap and phase, full completion queues, wrong doorbells,
 * turns, deletion and reset with commands in flight
 */
#include "tests/device/test_nvme.h"

#include "tests/lib/block_fault.h"

FIXTURE(queue)
{
	struct test_nvme t;
	struct nvme_driver *drv;
	struct block_fault *fault;
	u64 buf;
	u8 *ptr;
};

FIXTURE_VARIANT(queue)
{
	const char *options;
};

FIXTURE_VARIANT_ADD(queue, one_thread)
{
	.options = ",queues=4",
};

FIXTURE_VARIANT_ADD(queue, three_threads)
{
	.options = ",queues=4,iothreads=3,poll-us=50",
};

FIXTURE_SETUP(queue)
{
	test_nvme_create(&self->t, 1, TEST_DISK, variant->options);
	self->drv = &self->t.drv;
	self->buf = self->t.buf;
	self->ptr = self->t.ptr;
	self->fault = block_fault_attach(test_ctrl(&self->t)->ns[0]->blk);
	nvme_driver_enable(self->drv, TEST_ADMIN);
}

FIXTURE_TEARDOWN(queue)
{
	block_fault_release(self->fault);
	block_fault_detach(self->fault);
	test_nvme_destroy(&self->t);
}

static struct nvme_sqe read_cmd(u64 lba, u64 buf)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, 1);

	nvme_driver_set_rw(&cmd, lba, 1);
	cmd.prp.prp1 = cpu_to_le64(buf);
	return cmd;
}

static void hang(struct block_fault *fault, u32 kinds, u64 first, u64 count)
{
	struct block_fault_plan plan = {
		.action = BLOCK_FAULT_HANG,
		.kinds = kinds,
		.first = first,
		.count = count,
	};

	block_fault_plan(fault, &plan);
}

/* The threads of the controller have come as far as @nr hanging requests. */
static bool wait_hanging(struct test_nvme *t, struct block_fault *fault, u32 nr)
{
	u64 end = nvme_now_ns() + 20000000000ULL;

	while (block_fault_hanging(fault) != nr && nvme_now_ns() < end)
		testvm_poll(t->vm);
	return block_fault_hanging(fault) == nr;
}

/* ---- rings ---------------------------------------------------------------------- */

TEST_F(queue, rings_of_every_size_wrap)
{
	static const u32 sizes[] = { 2, 3, 4, 7, 64, 1000, 4096 };
	u32 i, n, got;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct nvme_pair *pair = &self->drv->pair[1];
		struct nvme_sqe cmd = read_cmd(0, self->buf);
		struct nvme_cqe cqe;
		u16 first, sent = 0;

		nvme_driver_create_pair(self->drv, 1, sizes[i], 1);
		first = pair->cid;
		for (got = 0; got < 3 * sizes[i]; ) {
			u32 batch = min_of(sizes[i] - 1, 100U);

			for (n = 0; n < batch; n++, sent++)
				nvme_driver_queue(pair, &cmd);
			nvme_driver_ring(self->drv, pair);
			for (n = 0; n < batch; n++, got++) {
				ASSERT_TRUE(nvme_driver_wait(self->drv, pair,
							     &cqe));
				ASSERT_EQ(0, nvme_driver_status(&cqe));
				ASSERT_EQ(1, le16_to_cpu(cqe.sqid));
			}
			nvme_driver_ack(self->drv, pair);
		}
		EXPECT_EQ((u16)(sent + first), pair->cid);
		EXPECT_EQ(pair->tail, pair->sq_head);
		ASSERT_EQ(0, nvme_driver_delete_queue(self->drv,
						      NVME_ADM_DELETE_SQ, 1));
		ASSERT_EQ(0, nvme_driver_delete_queue(self->drv,
						      NVME_ADM_DELETE_CQ, 1));
	}
}

/* Submission queue @qid completes to completion queue 1. */
static void create_sq_on_cq1(struct nvme_driver *drv, u16 qid, u32 entries)
{
	/* For its memory, and because identifiers are not bound to pairs. */
	if (nvme_driver_create_cq(drv, qid, entries, NVME_CREATE_CDW11_PC) ||
	    nvme_driver_create_sq(drv, qid, entries,
				  NVME_CREATE_CDW11_PC | 1 << 16))
		abort();
}

static bool wait_without_ack(struct nvme_driver *drv, struct nvme_pair *pair,
			     struct nvme_cqe *cqe)
{
	u64 end = nvme_now_ns() + 20000000000ULL;

	while (!nvme_driver_reap(pair, cqe)) {
		if (nvme_now_ns() > end)
			return false;
		testvm_poll(drv->vm);
	}
	return true;
}

/* The device fills what is free and waits; each ack lets it go on. */
TEST_F(queue, full_completion_queue)
{
	struct nvme_pair *pair = &self->drv->pair[1];
	struct nvme_sqe cmd = read_cmd(0, self->buf);
	struct nvme_cqe cqe;
	u32 i, got;

	/* A completion queue of 4, a submission queue of 64. */
	nvme_driver_create_pair(self->drv, 1, 4, 1);
	create_sq_on_cq1(self->drv, 2, 64);
	for (i = 0; i < 60; i++)
		nvme_driver_queue(&self->drv->pair[2], &cmd);
	nvme_driver_ring(self->drv, &self->drv->pair[2]);
	for (got = 0; got < 60; ) {
		u32 n = min_of(3U, 60 - got);

		for (i = 0; i < n; i++, got++) {
			ASSERT_TRUE(wait_without_ack(self->drv, pair, &cqe));
			ASSERT_EQ(0, nvme_driver_status(&cqe));
		}
		/* Three fit; more must not come before there is room. */
		if (got == 3) {
			EXPECT_TRUE(nvme_driver_quiet(self->drv, pair, 20));
			EXPECT_EQ(0, block_fault_hanging(self->fault));
		}
		nvme_driver_ack(self->drv, pair);
	}
	EXPECT_EQ(60, got);
}

TEST_F(queue, several_submission_queues_share_a_completion_queue)
{
	struct nvme_pair *pair = &self->drv->pair[1];
	u32 per_queue[5] = { 0 }, i, q;
	struct nvme_cqe cqe;

	nvme_driver_create_pair(self->drv, 1, 64, 1);
	for (q = 2; q <= 4; q++)
		create_sq_on_cq1(self->drv, (u16)q, 16);
	for (q = 1; q <= 4; q++) {
		for (i = 0; i < 15; i++) {
			struct nvme_sqe cmd = read_cmd(i, self->buf);

			nvme_driver_queue(&self->drv->pair[q], &cmd);
		}
		nvme_driver_ring(self->drv, &self->drv->pair[q]);
	}
	for (i = 0; i < 60; i++) {
		ASSERT_TRUE(nvme_driver_wait(self->drv, pair, &cqe));
		ASSERT_EQ(0, nvme_driver_status(&cqe));
		ASSERT_GE(4, le16_to_cpu(cqe.sqid));
		per_queue[le16_to_cpu(cqe.sqid)]++;
	}
	for (q = 1; q <= 4; q++)
		EXPECT_EQ(15, per_queue[q]);
	EXPECT_EQ(SC(QUEUE_DELETION),
		  nvme_driver_delete_queue(self->drv, NVME_ADM_DELETE_CQ, 1));
}

/* A long queue does not starve a short one: bursts take turns. */
TEST_F(queue, queues_take_turns)
{
	struct nvme_sqe cmd = read_cmd(0, self->buf);
	struct nvme_pair *pair = &self->drv->pair[1];
	u32 i, before_short = 0;
	struct nvme_cqe cqe;

	nvme_driver_create_pair(self->drv, 1, 1024, 1);
	create_sq_on_cq1(self->drv, 2, 16);
	/* Bursts of 4. */
	ASSERT_EQ(0, nvme_driver_set_feature(self->drv, NVME_FID_ARBITRATION,
					     2));
	/* Both become visible while the loop is frozen. */
	mutex_lock(&self->t.dev->lock);
	nvme_freeze_start(&test_ctrl(&self->t)->format_freeze);
	mutex_unlock(&self->t.dev->lock);
	while (!nvme_freeze_done(&test_ctrl(&self->t)->format_freeze))
		usleep(100);
	for (i = 0; i < 500; i++)
		nvme_driver_queue(pair, &cmd);
	nvme_driver_ring(self->drv, pair);
	nvme_driver_queue(&self->drv->pair[2], &cmd);
	nvme_driver_ring(self->drv, &self->drv->pair[2]);
	nvme_freeze_end(&test_ctrl(&self->t)->format_freeze);
	for (i = 0; i < 501; i++) {
		ASSERT_TRUE(nvme_driver_wait(self->drv, pair, &cqe));
		if (le16_to_cpu(cqe.sqid) == 2)
			before_short = i;
	}
	nvme_driver_ack(self->drv, pair);
	EXPECT_GT(100, before_short);
}

/* ---- doorbells -------------------------------------------------------------------- */

/* What the next asynchronous event says: type, info and log page. */
static u32 take_event(struct nvme_driver *drv)
{
	struct nvme_pair *admin = &drv->pair[0];
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_AER, 0);
	struct nvme_cqe cqe;
	u64 log = drv->arena_end - 8192;

	nvme_driver_queue(admin, &cmd);
	nvme_driver_ring(drv, admin);
	if (!nvme_driver_wait(drv, admin, &cqe))
		return ~0U;
	nvme_driver_ack(drv, admin);
	/* So that the next of its type can come. */
	nvme_driver_get_log(drv, NVME_LID_ERROR, 0, 64, log);
	return le32_to_cpu(cqe.dw0);
}

#define BAD_REGISTER	0x010000U
#define BAD_VALUE	0x010100U

TEST_F(queue, wrong_doorbells_become_events)
{
	struct nvme_driver *drv = self->drv;
	struct nvme_pair *pair = &drv->pair[1];
	struct nvme_sqe cmd = read_cmd(0, self->buf);
	struct nvme_cqe cqe;

	nvme_driver_create_pair(drv, 1, 16, 1);
	/* Queues that are not there. */
	nvme_driver_write32(drv, NVME_DOORBELL_SQ(2, 4), 1);
	EXPECT_EQ(BAD_REGISTER, take_event(drv));
	nvme_driver_write32(drv, NVME_DOORBELL_CQ(2, 4), 1);
	EXPECT_EQ(BAD_REGISTER, take_event(drv));
	nvme_driver_write32(drv, NVME_DOORBELL_SQ(600, 4), 1);
	EXPECT_EQ(BAD_REGISTER, take_event(drv));
	nvme_driver_write32(drv, NVME_BAR_SIZE - 4, 1);
	EXPECT_EQ(BAD_REGISTER, take_event(drv));
	/* Values that cannot be. */
	nvme_driver_write32(drv, pair->sq_doorbell - drv->bar0, 16);
	EXPECT_EQ(BAD_VALUE, take_event(drv));
	nvme_driver_write32(drv, pair->sq_doorbell - drv->bar0, 0xffff);
	EXPECT_EQ(BAD_VALUE, take_event(drv));
	nvme_driver_write32(drv, pair->cq_doorbell - drv->bar0, 16);
	EXPECT_EQ(BAD_VALUE, take_event(drv));
	/* Nothing was posted that could be consumed. */
	nvme_driver_write32(drv, pair->cq_doorbell - drv->bar0, 1);
	EXPECT_EQ(BAD_VALUE, take_event(drv));
	/* All of that has changed nothing. */
	nvme_driver_queue(pair, &cmd);
	nvme_driver_ring(drv, pair);
	ASSERT_TRUE(nvme_driver_wait(drv, pair, &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	nvme_driver_write32(drv, pair->cq_doorbell - drv->bar0, 2);
	EXPECT_EQ(BAD_VALUE, take_event(drv));
	nvme_driver_ack(drv, pair);
	EXPECT_EQ(0, nvme_driver_read32(drv, NVME_REG_CSTS) & NVME_CSTS_CFS);
}

/* Only dwords are doorbells, and reads give nothing. */
TEST_F(queue, odd_accesses)
{
	struct nvme_driver *drv = self->drv;
	struct nvme_pair *pair = &drv->pair[1];
	struct nvme_sqe cmd = read_cmd(0, self->buf);
	struct nvme_cqe cqe;

	nvme_driver_create_pair(drv, 1, 16, 1);
	nvme_driver_queue(pair, &cmd);
	testvm_mmio_write(self->t.vm, pair->sq_doorbell, 1, 1);
	testvm_mmio_write(self->t.vm, pair->sq_doorbell, 1, 2);
	testvm_mmio_write(self->t.vm, pair->sq_doorbell, 1, 8);
	EXPECT_TRUE(nvme_driver_quiet(drv, pair, 20));
	EXPECT_EQ(0, testvm_mmio_read(self->t.vm, pair->sq_doorbell, 4));
	nvme_driver_ring(drv, pair);
	EXPECT_TRUE(nvme_driver_wait(drv, pair, &cqe));
	nvme_driver_ack(drv, pair);
}

/* Dwords that are not on a doorbell's boundary. */
TEST_F(queue, unaligned_doorbells)
{
	nvme_driver_write32(self->drv, NVME_DOORBELLS + 2, 1);
	EXPECT_EQ(BAD_REGISTER, take_event(self->drv));
}

/* ---- with commands in flight ------------------------------------------------------- */

static void submit_hanging(struct test_nvme *t, struct block_fault *fault,
			   struct nvme_driver *drv, u64 buf, u32 nr)
{
	struct nvme_pair *pair = &drv->pair[1];
	u32 i;

	hang(fault, 1 << BLOCK_READ, 1, 0);
	for (i = 0; i < nr; i++) {
		struct nvme_sqe cmd = read_cmd(i, buf + i * 512);

		nvme_driver_queue(pair, &cmd);
	}
	nvme_driver_ring(drv, pair);
	if (!wait_hanging(t, fault, nr))
		abort();
}

TEST_F(queue, deleting_a_queue_ends_its_commands)
{
	struct nvme_pair *pair = &self->drv->pair[1];
	struct nvme_cqe cqe;
	u32 i;

	nvme_driver_create_pair(self->drv, 1, 64, 1);
	submit_hanging(&self->t, self->fault, self->drv, self->buf, 20);
	ASSERT_EQ(0, nvme_driver_delete_queue(self->drv, NVME_ADM_DELETE_SQ,
					      1));
	/* They have all ended before the deletion did. */
	for (i = 0; i < 20; i++) {
		ASSERT_TRUE(nvme_driver_reap(pair, &cqe));
		EXPECT_EQ(SC(ABORTED_SQ_DELETED), nvme_driver_status(&cqe));
		EXPECT_EQ(0, le16_to_cpu(cqe.status) >> 1 & NVME_STATUS_DNR);
	}
	EXPECT_EQ(0, block_fault_hanging(self->fault));
	EXPECT_EQ(0, nvme_driver_delete_queue(self->drv, NVME_ADM_DELETE_CQ,
					      1));
	EXPECT_EQ(SC(QID_INVALID),
		  nvme_driver_delete_queue(self->drv, NVME_ADM_DELETE_SQ, 1));
}

static u16 abort_cmd(struct nvme_driver *drv, u16 sqid, u16 cid)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_ABORT, 0);

	cmd.cdw10 = cpu_to_le32(sqid | (u32)cid << 16);
	return nvme_driver_admin(drv, &cmd);
}

TEST_F(queue, abort_ends_a_command_that_hangs)
{
	struct nvme_pair *pair = &self->drv->pair[1];
	struct nvme_sqe cmd = read_cmd(0, self->buf);
	struct nvme_cqe cqe;
	u16 cid;

	nvme_driver_create_pair(self->drv, 1, 16, 1);
	hang(self->fault, 1 << BLOCK_READ, 2, 1);
	nvme_driver_queue(pair, &cmd);
	cid = nvme_driver_queue(pair, &cmd);
	nvme_driver_ring(self->drv, pair);
	ASSERT_TRUE(wait_hanging(&self->t, self->fault, 1));
	ASSERT_TRUE(nvme_driver_wait(self->drv, pair, &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	ASSERT_EQ(0, abort_cmd(self->drv, 1, cid));
	EXPECT_EQ(0, le32_to_cpu(self->drv->cqe.dw0));
	ASSERT_TRUE(nvme_driver_wait(self->drv, pair, &cqe));
	EXPECT_EQ(cid, le16_to_cpu(cqe.cid));
	EXPECT_EQ(SC(ABORTED), nvme_driver_status(&cqe));
	nvme_driver_ack(self->drv, pair);
	/* Once more: it is not there any more. */
	ASSERT_EQ(0, abort_cmd(self->drv, 1, cid));
	EXPECT_EQ(1, le32_to_cpu(self->drv->cqe.dw0));
}

TEST_F(queue, reset_with_commands_in_flight)
{
	u32 round;

	for (round = 0; round < 10; round++) {
		struct nvme_sqe cmd = read_cmd(0, self->buf);
		struct nvme_cqe cqe;

		nvme_driver_create_pair(self->drv, 1, 64, 1);
		submit_hanging(&self->t, self->fault, self->drv, self->buf,
			       30);
		nvme_driver_enable(self->drv, TEST_ADMIN);
		EXPECT_EQ(0, block_fault_hanging(self->fault));
		/* Nothing of the old queue is left. */
		hang(self->fault, 1 << BLOCK_READ, 1000000, 1);
		nvme_driver_create_pair(self->drv, 1, 64, 1);
		EXPECT_TRUE(nvme_driver_quiet(self->drv, &self->drv->pair[1],
					      2));
		nvme_driver_queue(&self->drv->pair[1], &cmd);
		nvme_driver_ring(self->drv, &self->drv->pair[1]);
		ASSERT_TRUE(nvme_driver_wait(self->drv, &self->drv->pair[1],
					     &cqe));
		EXPECT_EQ(0, nvme_driver_status(&cqe));
		nvme_driver_ack(self->drv, &self->drv->pair[1]);
		nvme_driver_enable(self->drv, TEST_ADMIN);
	}
}

/* The write that asks for a reset returns at once, whatever is in flight. */
TEST_F(queue, enabled_again_before_it_is_disabled)
{
	struct nvme_driver *drv = self->drv;

	nvme_driver_create_pair(drv, 1, 64, 1);
	submit_hanging(&self->t, self->fault, drv, self->buf, 5);
	nvme_driver_write32(drv, NVME_REG_CC, 0);
	/* It ends on the main loop, which is us. */
	EXPECT_TRUE(test_ctrl(&self->t)->resetting);
	EXPECT_EQ(NVME_CSTS_RDY, nvme_driver_read32(drv, NVME_REG_CSTS));
	/* Both happen, in order. */
	nvme_driver_set_admin_queue(drv, TEST_ADMIN);
	nvme_driver_write32(drv, NVME_REG_CC, NVME_CC_EN |
			    nvme_put(NVME_CC_IOSQES, NVME_SQE_SHIFT) |
			    nvme_put(NVME_CC_IOCQES, NVME_CQE_SHIFT));
	EXPECT_TRUE(nvme_driver_wait_csts(drv, NVME_CSTS_RDY, NVME_CSTS_RDY));
	while (test_ctrl(&self->t)->resetting)
		testvm_poll(self->t.vm);
	EXPECT_EQ(NVME_CSTS_RDY, nvme_driver_read32(drv, NVME_REG_CSTS));
	EXPECT_EQ(0, nvme_driver_identify(drv, NVME_CNS_CTRL, 0, self->buf));
}

static u16 delete_pair(struct nvme_driver *drv, u16 qid)
{
	u16 status;

	status = nvme_driver_delete_queue(drv, NVME_ADM_DELETE_SQ, qid);
	if (status)
		return status;
	return nvme_driver_delete_queue(drv, NVME_ADM_DELETE_CQ, qid);
}

/*
 * Random work on all queues, with resets and deletions in between. On a slow
 * machine none of it may be done before its queue goes; one command a round is
 * waited for.
 */
TEST_F(queue, storm)
{
	struct nvme_sqe first = read_cmd(0, self->buf);
	struct nvme_driver *drv = self->drv;
	u32 round, q, i, done = 0;
	struct test_random rnd;
	struct nvme_cqe cqe;

	test_random_init(&rnd);
	for (round = 0; round < 60; round++) {
		for (q = 1; q <= 4; q++)
			nvme_driver_create_pair(drv, (u16)q, 33, q);
		nvme_driver_queue(&drv->pair[1], &first);
		nvme_driver_ring(drv, &drv->pair[1]);
		ASSERT_TRUE(nvme_driver_wait(drv, &drv->pair[1], &cqe));
		ASSERT_EQ(0, nvme_driver_status(&cqe));
		for (i = 0; i < 200; i++) {
			struct nvme_pair *pair;
			struct nvme_sqe cmd;

			q = 1 + (u32)test_random_below(&rnd, 4);
			pair = &drv->pair[q];
			cmd = read_cmd(test_random_below(&rnd, 100),
				       self->buf);
			if (test_random_below(&rnd, 2))
				cmd.opcode = NVME_IO_VERIFY;
			while (nvme_driver_reap(pair, &cqe)) {
				ASSERT_EQ(0, nvme_driver_status(&cqe));
				done++;
			}
			nvme_driver_ack(drv, pair);
			if ((pair->tail + 1) % 33 == pair->sq_head ||
			    (pair->tail + 2) % 33 == pair->head % 33)
				continue;
			nvme_driver_queue(pair, &cmd);
			nvme_driver_ring(drv, pair);
		}
		if (test_random_below(&rnd, 2)) {
			for (q = 1; q <= 4; q++)
				ASSERT_EQ(0, delete_pair(drv, (u16)q));
			continue;
		}
		drv->arena_next = self->buf + TEST_BUF;
		nvme_driver_enable(drv, TEST_ADMIN);
	}
	TH_LOG("%u of the others were done before their queue went", done);
}

TEST_HARNESS_MAIN
