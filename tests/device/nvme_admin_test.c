// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe admin commands: dispatch, Abort, Doorbell Buffer Config
 */
#include "tests/device/test_nvme.h"

TEST_F(nvme, unknown_opcodes_are_refused)
{
	u32 opcode, known = 0;

	for (opcode = 0; opcode < 256; opcode++) {
		struct nvme_sqe cmd = nvme_driver_cmd((u8)opcode, 0);

		if (nvme_cmd_find(nvme_admin_cmds, nvme_admin_cmds_nr,
				  (u8)opcode)) {
			known++;
			continue;
		}
		EXPECT_EQ(SC(INVALID_OPCODE),
			  nvme_driver_admin(self->drv, &cmd))
			TH_LOG("opcode %02x", opcode);
		EXPECT_NE(0, le16_to_cpu(self->drv->cqe.status) >> 1 &
			  NVME_STATUS_DNR);
	}
	EXPECT_EQ(13, known);
}

TEST_F(nvme, fused_sgl_and_reserved_flags_are_refused)
{
	static const u8 flags[] = {
		0x01, 0x02, 0x03,		/* fused */
		0x04, 0x08, 0x10, 0x20,		/* reserved */
		0x40, 0x80, 0xc0,		/* SGL */
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_IDENTIFY, 0);

		cmd.flags = flags[i];
		cmd.cdw10 = cpu_to_le32(NVME_CNS_CTRL);
		cmd.prp.prp1 = cpu_to_le64(self->buf);
		EXPECT_EQ(SC(INVALID_FIELD), nvme_driver_admin(self->drv, &cmd))
			TH_LOG("flags %02x", flags[i]);
	}
}

TEST_F(nvme, data_must_be_in_ram)
{
	static const u64 addrs[] = {
		~0xfffULL, 1ULL << 52, 0xfee00000,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(addrs); i++)
		EXPECT_EQ(SC(DATA_TRANSFER),
			  nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
					       addrs[i]))
			TH_LOG("%llx", addrs[i]);
	/* Not even in the controller's own registers. */
	EXPECT_EQ(SC(DATA_TRANSFER),
		  nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
				       self->drv->bar0));
	EXPECT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
					  self->buf));
}

TEST_F(nvme, data_may_cross_a_page)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_IDENTIFY, 0);
	u64 at = self->buf + 0xe00;

	memset(self->ptr, 0xaa, 0x3000);
	cmd.cdw10 = cpu_to_le32(NVME_CNS_CTRL);
	nvme_driver_set_prps(self->drv, &self->drv->pair[0], &cmd, at, 4096);
	ASSERT_EQ(0, nvme_driver_admin(self->drv, &cmd));
	EXPECT_TRUE(test_all(self->ptr, 0xaa, 0xe00));
	EXPECT_FALSE(test_all(self->ptr + 0xe00, 0xaa, 0x200));
	EXPECT_TRUE(test_all(self->ptr + 0x1e00, 0xaa, 0x1200));
	/* The second entry must have no offset. */
	cmd.prp.prp2 = cpu_to_le64(self->buf + 0x2010);
	EXPECT_EQ(SC(PRP_INVALID_OFFSET), nvme_driver_admin(self->drv, &cmd));
}

/* ---- Abort ---------------------------------------------------------------------- */

static struct nvme_sqe abort_cmd(u16 sqid, u16 cid)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_ABORT, 0);

	cmd.cdw10 = cpu_to_le32(sqid | (u32)cid << 16);
	return cmd;
}

static u16 run_abort(struct nvme_driver *drv, u16 sqid, u16 cid)
{
	struct nvme_sqe cmd = abort_cmd(sqid, cid);

	return nvme_driver_admin(drv, &cmd);
}

TEST_F(nvme, abort_of_nothing_says_so)
{
	static const u16 sqids[] = { 0, 1, 4, 5, 512, 513, 514, 0xffff };
	u32 i;

	nvme_driver_create_pair(self->drv, 1, 16, 1);
	for (i = 0; i < ARRAY_SIZE(sqids); i++) {
		EXPECT_EQ(0, run_abort(self->drv, sqids[i], 0x1234));
		EXPECT_EQ(1, le32_to_cpu(self->drv->cqe.dw0))
			TH_LOG("queue %u", sqids[i]);
	}
}

TEST_F(nvme, abort_ends_a_waiting_event_request)
{
	struct nvme_pair *admin = &self->drv->pair[0];
	struct nvme_sqe aer = nvme_driver_cmd(NVME_ADM_AER, 0);
	u16 first = nvme_driver_queue(admin, &aer);
	u16 second = nvme_driver_queue(admin, &aer);
	struct nvme_sqe cmd = abort_cmd(0, first);
	struct nvme_cqe cqe;
	u16 aborter;

	nvme_driver_ring(self->drv, admin);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, admin, 20));
	aborter = nvme_driver_queue(admin, &cmd);
	nvme_driver_ring(self->drv, admin);

	ASSERT_TRUE(nvme_driver_wait(self->drv, admin, &cqe));
	EXPECT_EQ(first, le16_to_cpu(cqe.cid));
	EXPECT_EQ(SC(ABORTED), nvme_driver_status(&cqe));
	ASSERT_TRUE(nvme_driver_wait(self->drv, admin, &cqe));
	EXPECT_EQ(aborter, le16_to_cpu(cqe.cid));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	EXPECT_EQ(0, le32_to_cpu(cqe.dw0));
	/* The other one waits on, and the first cannot be aborted again. */
	EXPECT_TRUE(nvme_driver_quiet(self->drv, admin, 20));
	EXPECT_EQ(0, run_abort(self->drv, 0, first));
	EXPECT_EQ(1, le32_to_cpu(self->drv->cqe.dw0));
	EXPECT_NE(first, second);
}

/* ---- Doorbell Buffer Config --------------------------------------------------------- */

static u16 dbbuf(struct nvme_driver *drv, u64 shadow, u64 event)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_DBBUF_CONFIG, 0);

	cmd.prp.prp1 = cpu_to_le64(shadow);
	cmd.prp.prp2 = cpu_to_le64(event);
	return nvme_driver_admin(drv, &cmd);
}

TEST_F(nvme, doorbell_buffers_must_be_pages_in_ram)
{
	u64 shadow = self->buf;
	u64 event = self->buf + 4096;

	EXPECT_EQ(SC(INVALID_FIELD), dbbuf(self->drv, shadow + 4, event));
	EXPECT_EQ(SC(INVALID_FIELD), dbbuf(self->drv, shadow, event + 2048));
	EXPECT_EQ(SC(INVALID_FIELD), dbbuf(self->drv, shadow, shadow));
	EXPECT_NE(0, dbbuf(self->drv, 1ULL << 52, event));
	EXPECT_NE(0, dbbuf(self->drv, shadow, self->drv->bar0));
	EXPECT_FALSE(test_ctrl(&self->t)->dbbuf.enabled);
	EXPECT_EQ(0, dbbuf(self->drv, shadow, event));
	EXPECT_TRUE(test_ctrl(&self->t)->dbbuf.enabled);
}

/* Rings by the shadow doorbell, and by the register when it is asked for. */
static u16 shadow_read(struct nvme_driver *drv, u32 *shadow, u32 *event,
		       u64 addr)
{
	struct nvme_pair *pair = &drv->pair[1];
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, 1);
	u32 old = pair->tail;
	struct nvme_cqe cqe;

	nvme_driver_set_rw(&cmd, 0, 1);
	nvme_driver_set_prps(drv, pair, &cmd, addr, 512);
	nvme_driver_queue(pair, &cmd);
	__atomic_store_n(&shadow[2], pair->tail, __ATOMIC_SEQ_CST);
	if ((u16)(pair->tail - __atomic_load_n(&event[2], __ATOMIC_SEQ_CST) -
		  1) < (u16)(pair->tail - old))
		nvme_driver_ring(drv, pair);
	if (!nvme_driver_wait(drv, pair, &cqe))
		return 0xffff;
	__atomic_store_n(&shadow[3], pair->head, __ATOMIC_SEQ_CST);
	return nvme_driver_status(&cqe);
}

TEST_F(nvme, doorbell_buffers_can_be_given_again)
{
	u32 round, i;

	nvme_driver_create_pair(self->drv, 1, 16, 1);
	for (round = 0; round < 4; round++) {
		u64 at = nvme_driver_alloc(self->drv, 8192);
		u32 *shadow = nvme_driver_ptr(self->drv, at);
		u32 *event = shadow + 1024;

		shadow[2] = self->drv->pair[1].tail;
		shadow[3] = self->drv->pair[1].head;
		event[2] = shadow[2];
		event[3] = shadow[3];
		ASSERT_EQ(0, dbbuf(self->drv, at, at + 4096));
		for (i = 0; i < 40; i++)
			ASSERT_EQ(0, shadow_read(self->drv, shadow, event,
						 self->buf));
	}
	/* A reset ends their use. */
	nvme_driver_enable(self->drv, TEST_ADMIN);
	EXPECT_FALSE(test_ctrl(&self->t)->dbbuf.enabled);
	nvme_driver_create_pair(self->drv, 1, 16, 1);
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 0, 1,
				    self->buf));
}

/* ---- the error log has an entry for what has failed ----------------------------------- */

TEST_F(nvme, more_is_set_where_the_error_log_has_an_entry)
{
	struct nvme_sqe cmd = nvme_driver_cmd(0xff, 7);
	struct nvme_log_error *log = (void *)self->ptr;
	u16 cid;

	EXPECT_EQ(SC(INVALID_OPCODE), nvme_driver_admin(self->drv, &cmd));
	EXPECT_NE(0, le16_to_cpu(self->drv->cqe.status) >> 1 &
		  NVME_STATUS_MORE);
	cid = le16_to_cpu(self->drv->cqe.cid);
	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_ERROR, 0, 4096,
					 self->buf));
	EXPECT_EQ(1, le64_to_cpu(log[0].error_count));
	EXPECT_EQ(0, le16_to_cpu(log[0].sqid));
	EXPECT_EQ(cid, le16_to_cpu(log[0].cid));
	EXPECT_EQ(SC(INVALID_OPCODE), le16_to_cpu(log[0].status) >> 1 & 0x7ff);
	EXPECT_EQ(7, le32_to_cpu(log[0].nsid));
	EXPECT_EQ(0xff, log[0].opcode);
	EXPECT_EQ(NVME_ERROR_LOCATION_NONE, le16_to_cpu(log[0].location));
	EXPECT_EQ(0, le64_to_cpu(log[1].error_count));
}

TEST_HARNESS_MAIN
