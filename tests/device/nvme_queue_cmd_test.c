// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe Create and Delete I/O Queue: success and each error
 */
#include "tests/device/test_nvme.h"

/* A Create command with everything right; tests spoil one thing each. */
static struct nvme_sqe good_cq(u64 addr, u16 qid)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_CREATE_CQ, 0);

	cmd.prp.prp1 = cpu_to_le64(addr);
	cmd.cdw10 = cpu_to_le32(qid | 15u << 16);
	cmd.cdw11 = cpu_to_le32(NVME_CREATE_CDW11_PC | NVME_CCQ_CDW11_IEN |
				1u << 16);
	return cmd;
}

static struct nvme_sqe good_sq(u64 addr, u16 qid, u16 cqid)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_CREATE_SQ, 0);

	cmd.prp.prp1 = cpu_to_le64(addr);
	cmd.cdw10 = cpu_to_le32(qid | 15u << 16);
	cmd.cdw11 = cpu_to_le32(NVME_CREATE_CDW11_PC | (u32)cqid << 16);
	return cmd;
}

static u16 create(struct nvme_driver *drv, struct nvme_sqe cmd)
{
	return nvme_driver_admin(drv, &cmd);
}

static u16 with_cdw10(struct nvme_driver *drv, struct nvme_sqe cmd, u32 cdw10)
{
	cmd.cdw10 = cpu_to_le32(cdw10);
	return nvme_driver_admin(drv, &cmd);
}

static u16 with_cdw11(struct nvme_driver *drv, struct nvme_sqe cmd, u32 cdw11)
{
	cmd.cdw11 = cpu_to_le32(cdw11);
	return nvme_driver_admin(drv, &cmd);
}

static u16 del(struct nvme_driver *drv, u8 opcode, u16 qid)
{
	return nvme_driver_delete_queue(drv, opcode, qid);
}

TEST_F(nvme, identifiers_out_of_range_are_refused)
{
	static const u16 bad[] = { 0, 5, 64, 512, 513, 0x7fff, 0xffff };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(SC(QID_INVALID),
			  create(self->drv, good_cq(self->buf, bad[i])));
		EXPECT_EQ(SC(QID_INVALID),
			  create(self->drv, good_sq(self->buf, bad[i], 1)));
		EXPECT_EQ(SC(QID_INVALID),
			  del(self->drv, NVME_ADM_DELETE_CQ, bad[i]));
		EXPECT_EQ(SC(QID_INVALID),
			  del(self->drv, NVME_ADM_DELETE_SQ, bad[i]));
	}
	EXPECT_EQ(SC(QID_INVALID), del(self->drv, NVME_ADM_DELETE_CQ, 1));
	EXPECT_EQ(SC(QID_INVALID), del(self->drv, NVME_ADM_DELETE_SQ, 1));
}

TEST_F(nvme, identifiers_in_use_are_refused)
{
	ASSERT_EQ(0, create(self->drv, good_cq(self->buf, 1)));
	ASSERT_EQ(0, create(self->drv, good_sq(self->buf + 4096, 1, 1)));
	EXPECT_EQ(SC(QID_INVALID), create(self->drv, good_cq(self->buf, 1)));
	EXPECT_EQ(SC(QID_INVALID),
		  create(self->drv, good_sq(self->buf + 4096, 1, 1)));
}

TEST_F(nvme, sizes_out_of_range_are_refused)
{
	u32 mqes = nvme_get(NVME_CAP_MQES, self->drv->cap);
	struct nvme_sqe cq = good_cq(self->buf, 1);
	struct nvme_sqe sq = good_sq(self->buf, 2, 1);

	ASSERT_GE(mqes, 1023);
	EXPECT_EQ(SC(QUEUE_SIZE_INVALID), with_cdw10(self->drv, cq, 1));
	EXPECT_EQ(SC(QUEUE_SIZE_INVALID),
		  with_cdw10(self->drv, cq, 1 | (mqes + 1) << 16));
	EXPECT_EQ(SC(QUEUE_SIZE_INVALID),
		  with_cdw10(self->drv, cq, 1 | 0xffffu << 16));
	EXPECT_EQ(0, with_cdw10(self->drv, cq, 1 | mqes << 16));
	EXPECT_EQ(SC(QUEUE_SIZE_INVALID), with_cdw10(self->drv, sq, 2));
	EXPECT_EQ(SC(QUEUE_SIZE_INVALID),
		  with_cdw10(self->drv, sq, 2 | (mqes + 1) << 16));
	EXPECT_EQ(SC(QUEUE_SIZE_INVALID),
		  with_cdw10(self->drv, sq, 2 | 0xffffu << 16));
	EXPECT_EQ(0, with_cdw10(self->drv, sq, 2 | 1 << 16));
}

TEST_F(nvme, queues_must_be_contiguous)
{
	EXPECT_EQ(SC(INVALID_FIELD),
		  with_cdw11(self->drv, good_cq(self->buf, 1),
			     NVME_CCQ_CDW11_IEN));
	ASSERT_EQ(0, create(self->drv, good_cq(self->buf, 1)));
	EXPECT_EQ(SC(INVALID_FIELD),
		  with_cdw11(self->drv, good_sq(self->buf, 1, 1), 1u << 16));
}

TEST_F(nvme, queues_must_be_page_aligned_in_ram)
{
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  create(self->drv, good_cq(self->buf + 16, 1)));
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  create(self->drv, good_cq(self->buf + 2048, 1)));
	EXPECT_EQ(SC(INVALID_FIELD),
		  create(self->drv, good_cq(self->drv->bar0, 1)));
	EXPECT_EQ(SC(INVALID_FIELD), create(self->drv, good_cq(1ULL << 52, 1)));
	EXPECT_EQ(SC(INVALID_FIELD), create(self->drv, good_cq(~0xfffULL, 1)));
	/* The last page of RAM is not enough for 512 entries. */
	EXPECT_EQ(SC(INVALID_FIELD),
		  with_cdw10(self->drv,
			     good_cq(TESTVM_RAM + 64 * MIB - 4096, 1),
			     1 | 511u << 16));
	ASSERT_EQ(0, create(self->drv, good_cq(self->buf, 1)));
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  create(self->drv, good_sq(self->buf + 64, 1, 1)));
	EXPECT_EQ(SC(INVALID_FIELD),
		  create(self->drv, good_sq(self->drv->bar0, 1, 1)));
	EXPECT_EQ(0, create(self->drv, good_sq(self->buf + 4096, 1, 1)));
}

TEST_F(nvme, vectors_out_of_range_are_refused)
{
	u32 pc_ien = NVME_CREATE_CDW11_PC | NVME_CCQ_CDW11_IEN;
	struct nvme_sqe cq = good_cq(self->buf, 1);

	EXPECT_EQ(SC(VECTOR_INVALID),
		  with_cdw11(self->drv, cq, pc_ien | 5u << 16));
	EXPECT_EQ(SC(VECTOR_INVALID),
		  with_cdw11(self->drv, cq, pc_ien | 0xffffu << 16));
	EXPECT_EQ(0, with_cdw11(self->drv, cq, pc_ien | 4u << 16));
}

TEST_F(nvme, without_msix_there_is_only_vector_0)
{
	u32 pc_ien = NVME_CREATE_CDW11_PC | NVME_CCQ_CDW11_IEN;
	u32 cap = testvm_capability(self->t.vm, TEST_SLOT, 0x11);
	struct nvme_sqe cq = good_cq(self->buf, 1);

	testvm_config_write(self->t.vm, TEST_SLOT, cap + 2, 0, 2);
	EXPECT_EQ(SC(VECTOR_INVALID),
		  with_cdw11(self->drv, cq, pc_ien | 1u << 16));
	EXPECT_EQ(0, with_cdw11(self->drv, cq, pc_ien));
}

TEST_F(nvme, completion_queue_must_exist)
{
	EXPECT_EQ(SC(CQ_INVALID), create(self->drv, good_sq(self->buf, 1, 1)));
	EXPECT_EQ(SC(CQ_INVALID), create(self->drv, good_sq(self->buf, 1, 4)));
	EXPECT_EQ(SC(QID_INVALID), create(self->drv, good_sq(self->buf, 1, 0)));
	EXPECT_EQ(SC(QID_INVALID), create(self->drv, good_sq(self->buf, 1, 5)));
	EXPECT_EQ(SC(QID_INVALID),
		  create(self->drv, good_sq(self->buf, 1, 0xffff)));
}

TEST_F(nvme, entry_sizes_must_be_set)
{
	nvme_driver_disable(self->drv);
	nvme_driver_set_admin_queue(self->drv, TEST_ADMIN);
	nvme_driver_write32(self->drv, NVME_REG_CC, NVME_CC_EN |
			    nvme_put(NVME_CC_IOCQES, 4));
	ASSERT_TRUE(nvme_driver_wait_csts(self->drv, 1, 1));
	ASSERT_EQ(0, create(self->drv, good_cq(self->buf, 1)));
	EXPECT_EQ(SC(QUEUE_SIZE_INVALID),
		  create(self->drv, good_sq(self->buf + 4096, 1, 1)));

	nvme_driver_disable(self->drv);
	nvme_driver_set_admin_queue(self->drv, TEST_ADMIN);
	nvme_driver_write32(self->drv, NVME_REG_CC, NVME_CC_EN |
			    nvme_put(NVME_CC_IOSQES, 6));
	ASSERT_TRUE(nvme_driver_wait_csts(self->drv, 1, 1));
	EXPECT_EQ(SC(QUEUE_SIZE_INVALID),
		  create(self->drv, good_cq(self->buf, 1)));
}

TEST_F(nvme, alignment_follows_the_page_size)
{
	const u64 at = TESTVM_RAM + 8 * MIB;

	nvme_driver_disable(self->drv);
	self->drv->page = 16384;
	self->drv->arena_next = round_up_to(self->drv->arena_next, 16384);
	nvme_driver_set_admin_queue(self->drv, TEST_ADMIN);
	nvme_driver_write32(self->drv, NVME_REG_CC, NVME_CC_EN |
			    nvme_put(NVME_CC_MPS, 2) |
			    nvme_put(NVME_CC_IOSQES, 6) |
			    nvme_put(NVME_CC_IOCQES, 4));
	ASSERT_TRUE(nvme_driver_wait_csts(self->drv, 1, 1));
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  create(self->drv, good_cq(at + 4096, 1)));
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  create(self->drv, good_cq(at + 8192, 1)));
	EXPECT_EQ(0, create(self->drv, good_cq(at + 16384, 1)));
}

TEST_F(nvme, completion_queue_in_use_cannot_go)
{
	nvme_driver_create_pair(self->drv, 1, 16, 1);
	ASSERT_EQ(0, create(self->drv, good_sq(self->buf, 2, 1)));
	EXPECT_EQ(SC(QUEUE_DELETION), del(self->drv, NVME_ADM_DELETE_CQ, 1));
	EXPECT_EQ(0, del(self->drv, NVME_ADM_DELETE_SQ, 1));
	EXPECT_EQ(SC(QUEUE_DELETION), del(self->drv, NVME_ADM_DELETE_CQ, 1));
	EXPECT_EQ(0, del(self->drv, NVME_ADM_DELETE_SQ, 2));
	EXPECT_EQ(0, del(self->drv, NVME_ADM_DELETE_CQ, 1));
	EXPECT_EQ(SC(QID_INVALID), del(self->drv, NVME_ADM_DELETE_CQ, 1));
}

TEST_F(nvme, queues_come_and_go)
{
	u32 round, qid;

	for (round = 0; round < 20; round++) {
		for (qid = 1; qid <= 4; qid++)
			nvme_driver_create_pair(self->drv, (u16)qid, 8,
						qid % TEST_VECTORS);
		for (qid = 1; qid <= 4; qid++)
			EXPECT_EQ(0, nvme_driver_rw(self->drv, (u16)qid,
						    NVME_IO_READ, 1, qid, 4,
						    self->buf));
		for (qid = 1; qid <= 4; qid++) {
			EXPECT_EQ(0, del(self->drv, NVME_ADM_DELETE_SQ,
					 (u16)qid));
			EXPECT_EQ(0, del(self->drv, NVME_ADM_DELETE_CQ,
					 (u16)qid));
		}
	}
}

/* What is in flight ends before the answer to the deletion. */
TEST_F(nvme, deletion_ends_what_is_in_flight)
{
	struct nvme_pair *admin = &self->drv->pair[0];
	struct nvme_pair *pair = &self->drv->pair[1];
	struct nvme_sqe kill = nvme_driver_cmd(NVME_ADM_DELETE_SQ, 0);
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, 1);
	u32 i, ended = 0, fetched;
	struct nvme_cqe cqe;

	nvme_driver_create_pair(self->drv, 1, 64, 1);
	for (i = 0; i < 60; i++) {
		nvme_driver_set_rw(&cmd, 0, 256);
		nvme_driver_set_prps(self->drv, pair, &cmd, self->buf,
				     256 * 512);
		nvme_driver_queue(pair, &cmd);
	}
	nvme_driver_ring(self->drv, pair);
	kill.cdw10 = cpu_to_le32(1);
	nvme_driver_queue(admin, &kill);
	nvme_driver_ring(self->drv, admin);
	ASSERT_TRUE(nvme_driver_wait(self->drv, admin, &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	while (nvme_driver_reap(pair, &cqe)) {
		u16 status = nvme_driver_status(&cqe);

		EXPECT_TRUE(status == 0 || status == SC(ABORTED_SQ_DELETED));
		ended++;
	}
	fetched = ended ? pair->sq_head : 0;
	EXPECT_EQ(fetched, ended);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, pair, 30));
}

TEST_HARNESS_MAIN
