// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe Namespace Attachment: success, each error, and what it does
 */
#include "tests/device/test_nvme.h"

#include "devices/nvme/admin_priv.h"

#define ATTACH	NVME_ATTACH_SEL_ATTACH
#define DETACH	NVME_ATTACH_SEL_DETACH

static u16 run(struct test_nvme *t, u32 nsid, u32 sel)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_NS_ATTACHMENT, nsid);

	cmd.cdw10 = cpu_to_le32(sel);
	cmd.prp.prp1 = cpu_to_le64(t->buf);
	return nvme_driver_admin(&t->drv, &cmd);
}

/* The list that names our controller. */
static struct nvme_ctrl_list *list_of_us(struct test_nvme *t)
{
	struct nvme_ctrl_list *list = (void *)t->ptr;

	memset(list, 0, sizeof(*list));
	list->nr = cpu_to_le16(1);
	return list;
}

/* OACS bit 3 would promise Namespace Management too, and room for it. */
TEST_F(nvme, attachment_is_told_by_the_effects_log_alone)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_NS_MANAGEMENT, 1);
	struct nvme_id_ctrl *id = (void *)self->ptr;
	struct nvme_log_effects *log = (void *)(self->ptr + 4096);

	ASSERT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
					  self->buf));
	EXPECT_EQ(0, le16_to_cpu(id->oacs) & NVME_OACS_NS_MANAGEMENT);
	EXPECT_TRUE(test_all(id->unvmcap, 0, sizeof(id->unvmcap)));
	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_EFFECTS, 0, 4096,
					 self->buf + 4096));
	EXPECT_EQ(1, le32_to_cpu(log->acs[NVME_ADM_NS_ATTACHMENT]) & 1);
	EXPECT_EQ(0, le32_to_cpu(log->acs[NVME_ADM_NS_MANAGEMENT]));
	cmd.prp.prp1 = cpu_to_le64(self->buf);
	EXPECT_EQ(SC(INVALID_OPCODE), nvme_driver_admin(self->drv, &cmd));
}

TEST_F(nvme, detached_namespace_is_gone_and_comes_back)
{
	struct nvme_ns_list *ids = (void *)(self->ptr + 4096);
	u64 data = self->buf + 8192;

	list_of_us(&self->t);
	nvme_driver_create_pair(self->drv, 1, 16, 1);
	memset(self->ptr + 8192, 0x3c, 512);
	ASSERT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_WRITE, 2, 5, 1,
				    data));
	EXPECT_EQ(0, run(&self->t, 2, DETACH));
	EXPECT_EQ(SC(INVALID_FIELD),
		  nvme_driver_rw(self->drv, 1, NVME_IO_READ, 2, 5, 1, data));
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 5, 1,
				    data));
	ASSERT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_NS_LIST, 0,
					  self->buf + 4096));
	EXPECT_EQ(1, le32_to_cpu(ids->nsid[0]));
	EXPECT_EQ(0, le32_to_cpu(ids->nsid[1]));

	EXPECT_EQ(0, run(&self->t, 2, ATTACH));
	ASSERT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_NS_LIST, 0,
					  self->buf + 4096));
	EXPECT_EQ(2, le32_to_cpu(ids->nsid[1]));
	memset(self->ptr + 8192, 0, 512);
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 2, 5, 1,
				    data));
	EXPECT_TRUE(test_all(self->ptr + 8192, 0x3c, 512));
}

TEST_F(nvme, attachment_outlives_a_reset)
{
	list_of_us(&self->t);
	ASSERT_EQ(0, run(&self->t, 1, DETACH));
	nvme_driver_enable(self->drv, TEST_ADMIN);
	EXPECT_EQ(SC(NS_NOT_ATTACHED), run(&self->t, 1, DETACH));
	EXPECT_EQ(0, run(&self->t, 1, ATTACH));
}

TEST_F(nvme, state_must_change)
{
	list_of_us(&self->t);
	EXPECT_EQ(SC(NS_ALREADY_ATTACHED), run(&self->t, 1, ATTACH));
	EXPECT_EQ(0, run(&self->t, 1, DETACH));
	EXPECT_EQ(SC(NS_NOT_ATTACHED), run(&self->t, 1, DETACH));
	EXPECT_EQ(0, run(&self->t, 1, ATTACH));
	EXPECT_EQ(SC(NS_ALREADY_ATTACHED), run(&self->t, 1, ATTACH));
}

TEST_F(nvme, bad_namespaces_and_selections_are_refused)
{
	static const u32 bad[] = { 0, 3, 64, 65, 0xfffffffe, 0xffffffff };
	u32 i;

	list_of_us(&self->t);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(SC(INVALID_NS), run(&self->t, bad[i], ATTACH));
		EXPECT_EQ(SC(INVALID_NS), run(&self->t, bad[i], DETACH));
	}
	for (i = 2; i < 16; i++)
		EXPECT_EQ(SC(INVALID_FIELD), run(&self->t, 1, i));
	EXPECT_EQ(SC(NS_ALREADY_ATTACHED), run(&self->t, 1, ATTACH));
}

TEST_F(nvme, bad_controller_lists_are_refused)
{
	struct nvme_ctrl_list *list = list_of_us(&self->t);
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_NS_ATTACHMENT, 1);
	static const u16 nrs[] = { 0, 2, 2047, 2048, 0xffff };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(nrs); i++) {
		list->nr = cpu_to_le16(nrs[i]);
		EXPECT_EQ(SC(CTRL_LIST_INVALID), run(&self->t, 1, DETACH));
	}
	list->nr = cpu_to_le16(1);
	list->cntlid[0] = cpu_to_le16(1);
	EXPECT_EQ(SC(CTRL_LIST_INVALID), run(&self->t, 1, DETACH));
	list->cntlid[0] = cpu_to_le16(0xffff);
	EXPECT_EQ(SC(CTRL_LIST_INVALID), run(&self->t, 1, DETACH));
	cmd.cdw10 = cpu_to_le32(DETACH);
	cmd.prp.prp1 = cpu_to_le64(1ULL << 52);
	EXPECT_EQ(SC(DATA_TRANSFER), nvme_driver_admin(self->drv, &cmd));
	EXPECT_TRUE(atomic_load(&test_ctrl(&self->t)->ns[0]->attached));
}

TEST_F(nvme, changes_are_told)
{
	struct nvme_pair *admin = &self->drv->pair[0];
	struct nvme_sqe aer = nvme_driver_cmd(NVME_ADM_AER, 0);
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_NS_ATTACHMENT, 2);
	u32 *changed = (void *)(self->ptr + 4096);
	struct nvme_cqe cqe;
	u32 i, events = 0;

	list_of_us(&self->t);
	ASSERT_EQ(0, nvme_driver_set_feature(self->drv, NVME_FID_AEC,
					     NVME_FEAT_AEC_NS_ATTR));
	nvme_driver_queue(admin, &aer);
	cmd.cdw10 = cpu_to_le32(DETACH);
	cmd.prp.prp1 = cpu_to_le64(self->buf);
	nvme_driver_queue(admin, &cmd);
	nvme_driver_ring(self->drv, admin);
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(nvme_driver_wait(self->drv, admin, &cqe));
		EXPECT_EQ(0, nvme_driver_status(&cqe));
		events += le32_to_cpu(cqe.dw0) == 0x040002;
	}
	EXPECT_EQ(1, events);
	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_CHANGED_NS, 0,
					 4096, self->buf + 4096));
	EXPECT_EQ(2, changed[0]);
	EXPECT_TRUE(test_all(&changed[1], 0, 4092));
	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_CHANGED_NS, 0,
					 4096, self->buf + 4096));
	EXPECT_TRUE(test_all(changed, 0, 4096));
}

TEST_HARNESS_MAIN
