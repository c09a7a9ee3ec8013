// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe admin commands while disks hang or fail
 *
 * Abort, queue deletion, Format, Set Features and reset, with I/O in flight
 * that does not end by itself.
 */
#include "tests/device/test_nvme.h"

#include "tests/lib/block_fault.h"

#define HANG(block_kind)						\
	(&(struct block_fault_plan){					\
		.action = BLOCK_FAULT_HANG, .kinds = 1u << (block_kind), \
		.first = 1 })
#define FAIL(block_kind, errno_)					\
	(&(struct block_fault_plan){					\
		.action = BLOCK_FAULT_FAIL, .kinds = 1u << (block_kind), \
		.first = 1, .result = -(errno_) })
#define COUNT(block_kind)						\
	(&(struct block_fault_plan){ .kinds = 1u << (block_kind), .first = 1 })

FIXTURE(fault)
{
	struct test_nvme t;
	struct nvme_driver *drv;
	struct block_fault *fault[2];
	struct nvme_pair *admin;
	struct nvme_pair *io;
};

FIXTURE_SETUP(fault)
{
	u32 i;

	test_nvme_create(&self->t, 2, TEST_DISK, ",queues=4,iothreads=2");
	self->drv = &self->t.drv;
	self->admin = &self->drv->pair[0];
	self->io = &self->drv->pair[1];
	nvme_driver_enable(self->drv, TEST_ADMIN);
	nvme_driver_create_pair(self->drv, 1, 64, 1);
	nvme_driver_create_pair(self->drv, 2, 64, 2);
	for (i = 0; i < 2; i++)
		self->fault[i] =
			block_fault_attach(test_ctrl(&self->t)->ns[i]->blk);
}

FIXTURE_TEARDOWN(fault)
{
	u32 i;

	for (i = 0; i < 2; i++) {
		block_fault_release(self->fault[i]);
		/* Nothing may be with the disk when the wrapper goes. */
		nvme_driver_disable(self->drv);
		block_fault_detach(self->fault[i]);
	}
	test_nvme_destroy(&self->t);
}

static u16 submit(struct nvme_driver *drv, struct nvme_pair *pair,
		  const struct nvme_sqe *cmd)
{
	u16 cid = nvme_driver_queue(pair, cmd);

	nvme_driver_ring(drv, pair);
	return cid;
}

static u16 submit_read(struct test_nvme *t, u16 qid, u32 nsid)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, nsid);
	struct nvme_pair *pair = &t->drv.pair[qid];

	nvme_driver_set_rw(&cmd, 0, 8);
	nvme_driver_set_prps(&t->drv, pair, &cmd, t->buf, 4096);
	return submit(&t->drv, pair, &cmd);
}

static u16 submit_admin(struct test_nvme *t, u8 opcode, u32 nsid, u32 cdw10)
{
	struct nvme_sqe cmd = nvme_driver_cmd(opcode, nsid);

	cmd.cdw10 = cpu_to_le32(cdw10);
	return submit(&t->drv, &t->drv.pair[0], &cmd);
}

static void wait_hanging(struct test_nvme *t, struct block_fault *fault, u32 nr)
{
	while (block_fault_hanging(fault) < nr)
		testvm_poll(t->vm);
}

/* ---- Abort ---------------------------------------------------------------------- */

TEST_F(fault, abort_ends_a_read_in_flight)
{
	struct nvme_cqe cqe;
	u16 first, second, aborter;

	block_fault_plan(self->fault[0], HANG(BLOCK_READ));
	first = submit_read(&self->t, 1, 1);
	second = submit_read(&self->t, 1, 1);
	wait_hanging(&self->t, self->fault[0], 2);
	aborter = submit_admin(&self->t, NVME_ADM_ABORT, 0,
			       1 | (u32)second << 16);
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->io, &cqe));
	EXPECT_EQ(second, le16_to_cpu(cqe.cid));
	EXPECT_EQ(SC(ABORTED), nvme_driver_status(&cqe));
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
	EXPECT_EQ(aborter, le16_to_cpu(cqe.cid));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	EXPECT_EQ(0, le32_to_cpu(cqe.dw0));
	EXPECT_TRUE(nvme_driver_quiet(self->drv, self->io, 20));

	block_fault_release(self->fault[0]);
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->io, &cqe));
	EXPECT_EQ(first, le16_to_cpu(cqe.cid));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
}

/* Fetched with one ring, none of them can end before the last is looked at. */
TEST_F(fault, limit_of_aborts)
{
	u32 i, limit, missed = 0, refused = 0;
	struct nvme_id_ctrl *id = (void *)self->t.ptr;
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_ABORT, 0);
	struct nvme_cqe cqe;

	ASSERT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
					  self->t.buf));
	limit = id->acl_0based + 1u;
	cmd.cdw10 = cpu_to_le32(1 | 0x4242u << 16);
	for (i = 0; i < limit + 3; i++)
		nvme_driver_queue(self->admin, &cmd);
	nvme_driver_ring(self->drv, self->admin);
	for (i = 0; i < limit + 3; i++) {
		ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
		if (nvme_driver_status(&cqe) == SC(ABORT_LIMIT))
			refused++;
		else
			missed += nvme_driver_status(&cqe) == 0 &&
				  le32_to_cpu(cqe.dw0) == 1;
	}
	EXPECT_EQ(limit, missed);
	EXPECT_EQ(3, refused);
	EXPECT_EQ(0, nvme_driver_admin(self->drv, &cmd));
}

/* Whoever wins, each command ends once, and the Abort tells the truth. */
TEST_F(fault, aborts_race_with_completions)
{
	u32 round, i, aborted = 0, told = 0, ended = 0;
	struct nvme_cqe cqe;

	for (round = 0; round < 200; round++) {
		u16 cid = 0;

		for (i = 0; i < 8; i++)
			cid = submit_read(&self->t, 1, 1);
		submit_admin(&self->t, NVME_ADM_ABORT, 0, 1 | (u32)cid << 16);
		for (i = 0; i < 8; i++) {
			ASSERT_TRUE(nvme_driver_wait(self->drv, self->io,
						     &cqe));
			aborted += nvme_driver_status(&cqe) == SC(ABORTED);
			ended++;
		}
		ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
		ASSERT_EQ(0, nvme_driver_status(&cqe));
		told += le32_to_cpu(cqe.dw0) == 0;
	}
	EXPECT_EQ(1600, ended);
	EXPECT_EQ(aborted, told);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, self->io, 20));
}

/* ---- deletion ---------------------------------------------------------------------- */

TEST_F(fault, deletion_ends_what_hangs)
{
	struct nvme_cqe cqe;
	u32 i;

	block_fault_plan(self->fault[0], HANG(BLOCK_READ));
	for (i = 0; i < 5; i++)
		submit_read(&self->t, 1, 1);
	wait_hanging(&self->t, self->fault[0], 5);
	submit_admin(&self->t, NVME_ADM_DELETE_SQ, 0, 1);
	/* A second one comes too late, that of the completion queue early. */
	submit_admin(&self->t, NVME_ADM_DELETE_SQ, 0, 1);
	submit_admin(&self->t, NVME_ADM_DELETE_CQ, 0, 1);
	for (i = 0; i < 3; i++) {
		u16 status;

		ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
		status = nvme_driver_status(&cqe);
		EXPECT_TRUE(status == 0 || status == SC(QID_INVALID) ||
			    status == SC(QUEUE_DELETION))
			TH_LOG("status %x", status);
	}
	for (i = 0; i < 5; i++) {
		ASSERT_TRUE(nvme_driver_reap(self->io, &cqe));
		EXPECT_EQ(SC(ABORTED_SQ_DELETED), nvme_driver_status(&cqe));
	}
}

/* ---- Format ------------------------------------------------------------------------ */

TEST_F(fault, format_waits_for_what_is_in_flight)
{
	struct nvme_cqe cqe;

	block_fault_plan(self->fault[0], HANG(BLOCK_READ));
	submit_read(&self->t, 1, 1);
	wait_hanging(&self->t, self->fault[0], 1);
	submit_admin(&self->t, NVME_ADM_FORMAT_NVM, 1, 1);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, self->admin, 50));
	EXPECT_EQ(9, test_ctrl(&self->t)->ns[0]->lba_shift);
	block_fault_release(self->fault[0]);
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->io, &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	EXPECT_EQ(12, test_ctrl(&self->t)->ns[0]->lba_shift);
}

/* What waits to run alone has addresses of the old geometry: it goes first. */
TEST_F(fault, format_comes_after_a_fused_pair_that_waits)
{
	struct nvme_sqe cmp = nvme_driver_cmd(NVME_IO_COMPARE, 1);
	struct nvme_sqe wr = nvme_driver_cmd(NVME_IO_WRITE, 1);
	struct nvme_ctrl *ctrl = test_ctrl(&self->t);
	struct nvme_cqe cqe;
	u32 i;

	block_fault_plan(self->fault[1], HANG(BLOCK_READ));
	submit_read(&self->t, 2, 2);
	wait_hanging(&self->t, self->fault[1], 1);
	cmp.flags = NVME_FUSE_FIRST;
	wr.flags = NVME_FUSE_SECOND;
	nvme_driver_set_rw(&cmp, TEST_LBAS - 1, 1);
	nvme_driver_set_rw(&wr, TEST_LBAS - 1, 1);
	nvme_driver_set_prps(self->drv, self->io, &cmp, self->t.buf, 512);
	nvme_driver_queue(self->io, &cmp);
	nvme_driver_set_prps(self->drv, self->io, &wr, self->t.buf, 512);
	nvme_driver_queue(self->io, &wr);
	nvme_driver_ring(self->drv, self->io);
	while (!ctrl->excl_freeze.active)
		testvm_poll(self->t.vm);
	submit_admin(&self->t, NVME_ADM_FORMAT_NVM, 1, 1);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, self->admin, 20));
	EXPECT_TRUE(nvme_driver_quiet(self->drv, self->io, 20));
	block_fault_plan(self->fault[0], COUNT(BLOCK_WRITE));
	block_fault_release(self->fault[1]);
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(nvme_driver_wait(self->drv, self->io, &cqe));
		EXPECT_EQ(0, nvme_driver_status(&cqe));
	}
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	EXPECT_EQ(1, block_fault_seen(self->fault[0]));
	EXPECT_EQ(12, ctrl->ns[0]->lba_shift);
}

TEST_F(fault, format_that_waits_can_be_aborted)
{
	struct nvme_cqe cqe;
	u16 cid;

	block_fault_plan(self->fault[0], HANG(BLOCK_READ));
	submit_read(&self->t, 1, 1);
	wait_hanging(&self->t, self->fault[0], 1);
	cid = submit_admin(&self->t, NVME_ADM_FORMAT_NVM, 1, 1);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, self->admin, 20));
	submit_admin(&self->t, NVME_ADM_ABORT, 0, (u32)cid << 16);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, self->admin, 20));
	block_fault_release(self->fault[0]);
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
	EXPECT_EQ(cid, le16_to_cpu(cqe.cid));
	EXPECT_EQ(SC(ABORTED), nvme_driver_status(&cqe));
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	EXPECT_EQ(0, le32_to_cpu(cqe.dw0));
	/* Nothing was begun: the namespace is as it was. */
	EXPECT_EQ(9, test_ctrl(&self->t)->ns[0]->lba_shift);
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->io, &cqe));
	block_fault_plan(self->fault[0], COUNT(BLOCK_READ));
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 0, 8,
				    self->t.buf));
}

TEST_F(fault, others_go_on_while_one_is_erased)
{
	struct nvme_cqe cqe;

	block_fault_plan(self->fault[0], HANG(BLOCK_WRITE_ZEROES));
	submit_admin(&self->t, NVME_ADM_FORMAT_NVM, 1, 0);
	wait_hanging(&self->t, self->fault[0], 1);
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 2, 0, 8,
				    self->t.buf));
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 2, NVME_IO_READ, 2, 0, 8,
				    self->t.buf));
	EXPECT_EQ(SC(FORMAT_IN_PROGRESS),
		  nvme_driver_rw(self->drv, 2, NVME_IO_READ, 1, 0, 8,
				 self->t.buf));
	/* Another format begins between two pieces of the first. */
	submit_admin(&self->t, NVME_ADM_FORMAT_NVM, 2, 0);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, self->admin, 20));
	block_fault_release(self->fault[0]);
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 2, NVME_IO_READ, 1, 0, 8,
				    self->t.buf));
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 2, NVME_IO_READ, 2, 0, 8,
				    self->t.buf));
}

TEST_F(fault, failed_format_leaves_a_namespace)
{
	static const struct {
		u32 kind;
		int error;
		u16 status;
	} cases[] = {
		{ BLOCK_WRITE_ZEROES, EIO, 0x280 },
		{ BLOCK_WRITE_ZEROES, ENOSPC, 0x081 },
		{ BLOCK_FLUSH, EIO, 0x280 },
	};
	struct nvme_cqe cqe;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		block_fault_plan(self->fault[0],
				 FAIL(cases[i].kind, cases[i].error));
		submit_admin(&self->t, NVME_ADM_FORMAT_NVM, 1, i & 1);
		ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
		EXPECT_EQ(cases[i].status, nvme_driver_status(&cqe));
		EXPECT_FALSE(atomic_load(&test_ctrl(&self->t)->ns[0]->formatting));
		EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 0,
					    1, self->t.buf));
	}
}

/* A pause does not wait for ever: the format begins again at resume. */
TEST_F(fault, format_begins_again_after_a_pause)
{
	const struct device_ops *ops = self->t.dev->class->ops;
	struct error err = ERROR_INIT;
	struct nvme_cqe cqe;

	block_fault_plan(self->fault[0], HANG(BLOCK_WRITE_ZEROES));
	submit_admin(&self->t, NVME_ADM_FORMAT_NVM, 1, 1);
	wait_hanging(&self->t, self->fault[0], 1);
	ASSERT_EQ(0, ops->quiesce(self->t.dev, &err))
		TH_LOG("%s", err.text);
	EXPECT_EQ(0, block_fault_hanging(self->fault[0]));
	EXPECT_EQ(0, test_ctrl(&self->t)->admin.inflight);
	EXPECT_FALSE(nvme_driver_reap(self->admin, &cqe));
	block_fault_plan(self->fault[0], COUNT(BLOCK_WRITE_ZEROES));
	ops->resume(self->t.dev);
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	EXPECT_EQ(1, block_fault_seen(self->fault[0]));
	EXPECT_EQ(12, test_ctrl(&self->t)->ns[0]->lba_shift);
	EXPECT_FALSE(atomic_load(&test_ctrl(&self->t)->ns[0]->formatting));
}

TEST_F(fault, pause_ends_a_format_that_is_being_aborted)
{
	const struct device_ops *ops = self->t.dev->class->ops;
	struct error err = ERROR_INIT;
	struct nvme_cqe cqe;
	u16 cid;

	block_fault_plan(self->fault[0], HANG(BLOCK_WRITE_ZEROES));
	cid = submit_admin(&self->t, NVME_ADM_FORMAT_NVM, 1, 1);
	wait_hanging(&self->t, self->fault[0], 1);
	submit_admin(&self->t, NVME_ADM_ABORT, 0, (u32)cid << 16);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, self->admin, 20));
	ASSERT_EQ(0, ops->quiesce(self->t.dev, &err))
		TH_LOG("%s", err.text);
	ops->resume(self->t.dev);
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
	EXPECT_EQ(cid, le16_to_cpu(cqe.cid));
	EXPECT_EQ(SC(ABORTED), nvme_driver_status(&cqe));
	ASSERT_TRUE(nvme_driver_wait(self->drv, self->admin, &cqe));
	EXPECT_EQ(0, le32_to_cpu(cqe.dw0));
}

TEST_F(fault, reset_while_format_waits)
{
	block_fault_plan(self->fault[0], HANG(BLOCK_READ));
	submit_read(&self->t, 1, 1);
	wait_hanging(&self->t, self->fault[0], 1);
	submit_admin(&self->t, NVME_ADM_FORMAT_NVM, 1, 1);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, self->admin, 20));
	/* The reset cancels the read, and with it everything goes on. */
	nvme_driver_enable(self->drv, TEST_ADMIN);
	EXPECT_FALSE(atomic_load(&test_ctrl(&self->t)->ns[0]->formatting));
	EXPECT_EQ(9, test_ctrl(&self->t)->ns[0]->lba_shift);
	nvme_driver_create_pair(self->drv, 1, 64, 1);
	block_fault_plan(self->fault[0], COUNT(BLOCK_READ));
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 0, 1,
				    self->t.buf));
}

/* ---- Set Features: Volatile Write Cache ---------------------------------------------- */

TEST_F(fault, write_cache_off_flushes_all_disks)
{
	block_fault_plan(self->fault[0], COUNT(BLOCK_FLUSH));
	block_fault_plan(self->fault[1], COUNT(BLOCK_FLUSH));
	EXPECT_EQ(0, nvme_driver_set_feature(self->drv, NVME_FID_WRITE_CACHE,
					     0));
	EXPECT_EQ(1, block_fault_seen(self->fault[0]));
	EXPECT_EQ(1, block_fault_seen(self->fault[1]));
	EXPECT_EQ(0, nvme_driver_set_feature(self->drv, NVME_FID_WRITE_CACHE,
					     1));
	EXPECT_EQ(1, block_fault_seen(self->fault[0]));
	block_fault_plan(self->fault[1], FAIL(BLOCK_FLUSH, EIO));
	EXPECT_EQ(SC(WRITE_FAULT),
		  nvme_driver_set_feature(self->drv, NVME_FID_WRITE_CACHE, 0));
	EXPECT_EQ(0x280, SC(WRITE_FAULT));
}

TEST_F(fault, reset_while_the_cache_is_flushed)
{
	block_fault_plan(self->fault[0], HANG(BLOCK_FLUSH));
	submit_admin(&self->t, NVME_ADM_SET_FEATURES, 0, NVME_FID_WRITE_CACHE);
	wait_hanging(&self->t, self->fault[0], 1);
	nvme_driver_write32(self->drv, NVME_REG_CC, 0);
	testvm_poll(self->t.vm);
	block_fault_release(self->fault[0]);
	EXPECT_TRUE(nvme_driver_wait_csts(self->drv, NVME_CSTS_RDY, 0));
	EXPECT_TRUE(nvme_driver_quiet(self->drv, self->admin, 20));
	nvme_driver_enable(self->drv, TEST_ADMIN);
	EXPECT_EQ(0, nvme_driver_get_feature(self->drv, NVME_FID_WRITE_CACHE,
					     0, 0));
	EXPECT_EQ(1, le32_to_cpu(self->drv->cqe.dw0));
}

TEST_HARNESS_MAIN
