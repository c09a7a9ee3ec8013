// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe asynchronous events: requests, masking, limits, resets
 */
#include "tests/device/test_nvme.h"

#include "devices/nvme/admin_priv.h"

#define DW0(type, info, lid)	((type) | (info) << 8 | (lid) << 16)
#define DW0_NS_ATTR		DW0(2, 0, 4)
#define DW0_TEMPERATURE		DW0(1, 1, 2)
#define DW0_DOORBELL		DW0(0, 0, 1)
#define DW0_DOORBELL_VALUE	DW0(0, 1, 1)

/* Leaves an Asynchronous Event Request with the controller. */
static u16 leave(struct nvme_driver *drv)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_AER, 0);
	u16 cid = nvme_driver_queue(&drv->pair[0], &cmd);

	nvme_driver_ring(drv, &drv->pair[0]);
	return cid;
}

/* The event that comes next: UINT64_MAX when it is an error or none comes. */
static u64 event(struct nvme_driver *drv)
{
	struct nvme_cqe cqe;

	if (!nvme_driver_wait(drv, &drv->pair[0], &cqe) ||
	    nvme_driver_status(&cqe))
		return UINT64_MAX;
	return le32_to_cpu(cqe.dw0);
}

static bool quiet(struct nvme_driver *drv)
{
	return nvme_driver_quiet(drv, &drv->pair[0], 20);
}

static u16 configure(struct nvme_driver *drv, u32 aec)
{
	return nvme_driver_set_feature(drv, NVME_FID_AEC, aec);
}

/* Reads a log page, with or without Retain Asynchronous Event. */
static u16 read_log(struct nvme_driver *drv, u64 buf, u8 lid, bool retain)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_GET_LOG_PAGE,
					      NVME_NSID_ALL);

	cmd.cdw10 = cpu_to_le32(lid | 15u << 16 |
				(retain ? NVME_LOG_CDW10_RAE : 0));
	cmd.prp.prp1 = cpu_to_le64(buf);
	return nvme_driver_admin(drv, &cmd);
}

/* As the controller does it when a namespace has changed. */
static void change_ns(struct test_nvme *t, u32 nsid)
{
	struct nvme_ctrl *ctrl = test_ctrl(t);

	mutex_lock(&ctrl->pci.dev.lock);
	nvme_ns_changed(ctrl, nsid);
	mutex_unlock(&ctrl->pci.dev.lock);
}

static void post_temperature(struct test_nvme *t)
{
	nvme_driver_set_feature(&t->drv, NVME_FID_TEMPERATURE,
				NVME_TEMPERATURE);
	nvme_driver_set_feature(&t->drv, NVME_FID_TEMPERATURE,
				NVME_TEMPERATURE_WARN);
}

TEST_F(nvme, requests_wait_for_events)
{
	leave(self->drv);
	EXPECT_TRUE(quiet(self->drv));
	ASSERT_EQ(0, configure(self->drv, NVME_FEAT_AEC_NS_ATTR));
	EXPECT_TRUE(quiet(self->drv));
	change_ns(&self->t, 1);
	EXPECT_EQ(DW0_NS_ATTR, event(self->drv));
}

TEST_F(nvme, events_wait_for_requests)
{
	ASSERT_EQ(0, configure(self->drv, NVME_FEAT_AEC_NS_ATTR));
	change_ns(&self->t, 1);
	EXPECT_TRUE(quiet(self->drv));
	leave(self->drv);
	EXPECT_EQ(DW0_NS_ATTR, event(self->drv));
}

TEST_F(nvme, limit_of_requests)
{
	struct nvme_id_ctrl *id = (void *)self->ptr;
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_AER, 0);
	u32 i, limit;

	ASSERT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
					  self->buf));
	limit = id->aerl_0based + 1u;
	for (i = 0; i < limit; i++)
		leave(self->drv);
	EXPECT_TRUE(quiet(self->drv));
	EXPECT_EQ(SC(AER_LIMIT), nvme_driver_admin(self->drv, &cmd));
	/* One is answered: there is room for one more. */
	ASSERT_EQ(0, configure(self->drv, NVME_FEAT_AEC_NS_ATTR));
	change_ns(&self->t, 1);
	EXPECT_EQ(DW0_NS_ATTR, event(self->drv));
	leave(self->drv);
	EXPECT_TRUE(quiet(self->drv));
	EXPECT_EQ(SC(AER_LIMIT), nvme_driver_admin(self->drv, &cmd));
}

TEST_F(nvme, disabled_events_are_not_kept)
{
	change_ns(&self->t, 1);
	post_temperature(&self->t);
	ASSERT_EQ(0, configure(self->drv, NVME_FEAT_AEC_NS_ATTR |
			       NVME_SMART_WARN_TEMPERATURE));
	leave(self->drv);
	EXPECT_TRUE(quiet(self->drv));
}

TEST_F(nvme, a_type_is_masked_until_its_log_is_read)
{
	ASSERT_EQ(0, configure(self->drv, NVME_FEAT_AEC_NS_ATTR |
			       NVME_SMART_WARN_TEMPERATURE));
	leave(self->drv);
	leave(self->drv);
	change_ns(&self->t, 1);
	EXPECT_EQ(DW0_NS_ATTR, event(self->drv));
	change_ns(&self->t, 2);
	EXPECT_TRUE(quiet(self->drv));
	/* Another type is not. */
	ASSERT_EQ(0, nvme_driver_set_feature(self->drv, NVME_FID_TEMPERATURE,
					     NVME_TEMPERATURE_WARN));
	EXPECT_TRUE(quiet(self->drv));
	/* Neither another page nor Retain unmasks it. */
	ASSERT_EQ(0, read_log(self->drv, self->buf, NVME_LID_ERROR, false));
	ASSERT_EQ(0, read_log(self->drv, self->buf, NVME_LID_CHANGED_NS, true));
	EXPECT_EQ(1, *(u32 *)(void *)self->ptr);
	EXPECT_TRUE(quiet(self->drv));
	ASSERT_EQ(0, read_log(self->drv, self->buf, NVME_LID_CHANGED_NS,
			      false));
	EXPECT_EQ(1, ((u32 *)(void *)self->ptr)[0]);
	EXPECT_EQ(2, ((u32 *)(void *)self->ptr)[1]);
	EXPECT_EQ(0, ((u32 *)(void *)self->ptr)[2]);
	/* What was queued meanwhile was told by the page. */
	EXPECT_TRUE(quiet(self->drv));
	change_ns(&self->t, 2);
	EXPECT_EQ(DW0_NS_ATTR, event(self->drv));
	ASSERT_EQ(0, read_log(self->drv, self->buf, NVME_LID_CHANGED_NS,
			      false));
	EXPECT_EQ(2, ((u32 *)(void *)self->ptr)[0]);
	EXPECT_EQ(0, ((u32 *)(void *)self->ptr)[1]);
}

TEST_F(nvme, temperature_is_told)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_SET_FEATURES, 0);
	struct nvme_cqe cqe;
	u32 i, seen = 0;

	ASSERT_EQ(0, configure(self->drv, NVME_SMART_WARN_TEMPERATURE));
	leave(self->drv);
	EXPECT_TRUE(quiet(self->drv));
	/* The event may come before or after the command that causes it. */
	cmd.cdw10 = cpu_to_le32(NVME_FID_TEMPERATURE);
	cmd.cdw11 = cpu_to_le32(NVME_TEMPERATURE);
	nvme_driver_queue(&self->drv->pair[0], &cmd);
	nvme_driver_ring(self->drv, &self->drv->pair[0]);
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(nvme_driver_wait(self->drv,
					     &self->drv->pair[0],
					     &cqe));
		EXPECT_EQ(0, nvme_driver_status(&cqe));
		seen += le32_to_cpu(cqe.dw0) == DW0_TEMPERATURE;
	}
	EXPECT_EQ(1, seen);
	leave(self->drv);
	EXPECT_TRUE(quiet(self->drv));
	/* The warning is still there: reading the page lets it be told again. */
	ASSERT_EQ(0, read_log(self->drv, self->buf, NVME_LID_SMART, false));
	EXPECT_TRUE(quiet(self->drv));
}

TEST_F(nvme, bad_doorbells_are_told)
{
	struct nvme_log_error *log = (void *)self->ptr;
	struct nvme_pair *pair = &self->drv->pair[1];

	leave(self->drv);
	leave(self->drv);
	nvme_driver_create_pair(self->drv, 1, 16, 1);
	/* Of a queue that is not there. */
	testvm_mmio_write(self->t.vm, pair->sq_doorbell + 8, 1, 4);
	EXPECT_EQ(DW0_DOORBELL, event(self->drv));
	ASSERT_EQ(0, read_log(self->drv, self->buf, NVME_LID_ERROR, false));
	EXPECT_EQ(0xffff, le16_to_cpu(log[0].sqid));
	EXPECT_EQ(0xffff, le16_to_cpu(log[0].cid));
	/* Past the end of a queue. */
	testvm_mmio_write(self->t.vm, pair->sq_doorbell, 16, 4);
	EXPECT_EQ(DW0_DOORBELL_VALUE, event(self->drv));
	ASSERT_EQ(0, read_log(self->drv, self->buf, NVME_LID_ERROR, false));
	/* The queue works on. */
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 0, 1,
				    self->buf));
	EXPECT_EQ(0, nvme_driver_read32(self->drv, NVME_REG_CSTS) &
		  NVME_CSTS_CFS);
}

TEST_F(nvme, reset_forgets_requests_and_events)
{
	ASSERT_EQ(0, configure(self->drv, NVME_FEAT_AEC_NS_ATTR));
	leave(self->drv);
	leave(self->drv);
	EXPECT_TRUE(quiet(self->drv));
	nvme_driver_enable(self->drv, TEST_ADMIN);
	ASSERT_EQ(0, configure(self->drv, NVME_FEAT_AEC_NS_ATTR));
	change_ns(&self->t, 1);
	/* Those that waited are gone with their queue. */
	EXPECT_TRUE(quiet(self->drv));
	nvme_driver_enable(self->drv, TEST_ADMIN);
	/* So is the event, but not what the page says. */
	ASSERT_EQ(0, configure(self->drv, NVME_FEAT_AEC_NS_ATTR));
	leave(self->drv);
	EXPECT_TRUE(quiet(self->drv));
	ASSERT_EQ(0, read_log(self->drv, self->buf, NVME_LID_CHANGED_NS,
			      false));
	EXPECT_EQ(1, *(u32 *)(void *)self->ptr);
}

/* With a full completion queue the answer waits, and is not lost. */
TEST_F(nvme, events_wait_for_room)
{
	struct nvme_pair *admin = &self->drv->pair[0];
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_GET_FEATURES, 0);
	struct nvme_cqe cqe;
	u32 i, events = 0, others = 0;

	nvme_driver_enable(self->drv, 4);
	ASSERT_EQ(0, configure(self->drv, NVME_FEAT_AEC_NS_ATTR));
	leave(self->drv);
	EXPECT_TRUE(quiet(self->drv));
	/* Three entries fill it; they are not given back yet. */
	cmd.cdw10 = cpu_to_le32(NVME_FID_ARBITRATION);
	for (i = 0; i < 3; i++) {
		nvme_driver_queue(admin, &cmd);
		nvme_driver_ring(self->drv, admin);
		while (!nvme_driver_reap(admin, &cqe))
			testvm_poll(self->t.vm);
	}
	change_ns(&self->t, 1);
	EXPECT_TRUE(quiet(self->drv));
	nvme_driver_ack(self->drv, admin);
	EXPECT_EQ(DW0_NS_ATTR, event(self->drv));
	/* And the queue serves commands as before. */
	leave(self->drv);
	ASSERT_EQ(0, read_log(self->drv, self->buf, NVME_LID_CHANGED_NS,
			      false));
	change_ns(&self->t, 2);
	for (i = 0; i < 20; i++) {
		nvme_driver_queue(admin, &cmd);
		nvme_driver_ring(self->drv, admin);
		ASSERT_TRUE(nvme_driver_wait(self->drv, admin, &cqe));
		if (le32_to_cpu(cqe.dw0) == DW0_NS_ATTR)
			events++;
		else
			others++;
	}
	while (others < 20) {
		ASSERT_TRUE(nvme_driver_wait(self->drv, admin, &cqe));
		others++;
	}
	EXPECT_EQ(1, events);
}

TEST_HARNESS_MAIN
