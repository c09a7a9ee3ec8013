// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe Identify: each data structure and each error
 */
#include "tests/device/test_nvme.h"

#include "devices/nvme/admin_priv.h"

/* Identify with all of its parameters. */
static u16 identify(struct nvme_driver *drv, u64 buf, u32 nsid, u32 cdw10,
		    u32 cdw11)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_IDENTIFY, nsid);

	cmd.cdw10 = cpu_to_le32(cdw10);
	cmd.cdw11 = cpu_to_le32(cdw11);
	cmd.prp.prp1 = cpu_to_le64(buf);
	return nvme_driver_admin(drv, &cmd);
}

static u32 cns_cntid(u32 cns, u32 cntid)
{
	return cns | cntid << 16;
}

TEST_F(nvme, unknown_cns_are_refused)
{
	u32 cns, i, known = 0;

	for (cns = 0; cns < 256; cns++) {
		bool there = false;

		for (i = 0; i < nvme_cns_table_nr; i++)
			there |= nvme_cns_table[i].cns == cns;
		known += there;
		if (there)
			continue;
		EXPECT_EQ(SC(INVALID_FIELD),
			  identify(self->drv, self->buf, 1, cns, 0))
			TH_LOG("CNS %02x", cns);
	}
	EXPECT_EQ(13, known);
}

TEST_F(nvme, controller_tells_its_limits)
{
	struct nvme_id_ctrl *id = (void *)self->ptr;

	memset(id, 0xff, sizeof(*id));
	ASSERT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
					  self->buf));
	EXPECT_EQ(testvm_config_read(self->t.vm, TEST_SLOT, 0, 2),
		  le16_to_cpu(id->vid));
	EXPECT_EQ(testvm_config_read(self->t.vm, TEST_SLOT, 0x2c, 2),
		  le16_to_cpu(id->ssvid));
	EXPECT_EQ(0, memcmp(id->sn, "lkvm-nvme0          ", 20));
	EXPECT_EQ(0, memcmp(id->mn, "lkvm NVMe disk      ", 20));
	EXPECT_EQ(' ', id->fr[7]);
	EXPECT_EQ(nvme_driver_read32(self->drv, NVME_REG_VS),
		  le32_to_cpu(id->ver));
	EXPECT_EQ(0, le16_to_cpu(id->cntlid));
	EXPECT_EQ(NVME_CNTRLTYPE_IO, id->cntrltype);
	EXPECT_EQ(7, id->mdts);
	EXPECT_EQ(0x66, id->sqes);
	EXPECT_EQ(0x44, id->cqes);
	EXPECT_EQ(2, le32_to_cpu(id->nn));
	EXPECT_EQ(NVME_OACS_FORMAT | NVME_OACS_DBBUF, le16_to_cpu(id->oacs));
	EXPECT_EQ(NVME_ONCS_COMPARE | NVME_ONCS_WRITE_UNCORR | NVME_ONCS_DSM |
		  NVME_ONCS_WRITE_ZEROES | NVME_ONCS_SAVE_SELECT |
		  NVME_ONCS_TIMESTAMP | NVME_ONCS_VERIFY | NVME_ONCS_COPY,
		  le16_to_cpu(id->oncs));
	EXPECT_EQ(NVME_FUSES_COMPARE_WRITE, le16_to_cpu(id->fuses));
	EXPECT_EQ(7, id->vwc);
	EXPECT_EQ(1, le16_to_cpu(id->ocfs));
	EXPECT_EQ(NVME_FEAT_AEC_NS_ATTR, le32_to_cpu(id->oaes));
	EXPECT_EQ(2 * TEST_DISK, le64_to_cpu(id->tnvmcap[0]));
	EXPECT_EQ(0, id->npss_0based);
	EXPECT_EQ(0, memcmp(id->subnqn, "nqn.2014-08.org.nvmexpress:uuid:",
			    32));
	EXPECT_EQ(68, strnlen(id->subnqn, sizeof(id->subnqn)));
	EXPECT_TRUE(test_all(id->subnqn + 68, 0, sizeof(id->subnqn) - 68));
	EXPECT_TRUE(test_all(id->rsvd1024, 0, sizeof(id->rsvd1024)));
	EXPECT_TRUE(test_all(id->vs, 0, sizeof(id->vs)));
}

TEST_F(nvme, namespace_tells_its_geometry)
{
	struct nvme_id_ns *id = (void *)self->ptr;

	memset(id, 0xff, sizeof(*id));
	ASSERT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_NS, 2,
					  self->buf));
	EXPECT_EQ(TEST_LBAS, le64_to_cpu(id->nsze));
	EXPECT_EQ(TEST_LBAS, le64_to_cpu(id->ncap));
	EXPECT_EQ(TEST_LBAS, le64_to_cpu(id->nuse));
	EXPECT_EQ(TEST_DISK, le64_to_cpu(id->nvmcap[0]));
	EXPECT_EQ(0, le64_to_cpu(id->nvmcap[1]));
	EXPECT_EQ(1, id->nlbaf_0based);
	EXPECT_EQ(0, id->flbas);
	EXPECT_EQ(9, id->lbaf[0].lbads);
	EXPECT_EQ(12, id->lbaf[1].lbads);
	EXPECT_EQ(0, le16_to_cpu(id->lbaf[0].ms));
	EXPECT_TRUE(test_all(&id->lbaf[2], 0, 62 * sizeof(id->lbaf[0])));
	EXPECT_EQ(NVME_FPI_SUPPORTED, id->fpi);
	EXPECT_EQ(0, id->nsattr);
	EXPECT_EQ(0, id->mc | id->dpc | id->dps | id->nmic | id->rescap);
	EXPECT_FALSE(test_all(id->nguid, 0, sizeof(id->nguid)));
	EXPECT_FALSE(test_all(id->eui64, 0, sizeof(id->eui64)));
	EXPECT_TRUE(test_all(id->vs, 0, sizeof(id->vs)));
}

TEST_F(nvme, namespace_identifiers_differ)
{
	struct nvme_id_ns *id = (void *)self->ptr;
	u8 eui64[8], nguid[16];

	ASSERT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_NS, 1,
					  self->buf));
	memcpy(eui64, id->eui64, sizeof(eui64));
	memcpy(nguid, id->nguid, sizeof(nguid));
	ASSERT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_NS, 2,
					  self->buf));
	EXPECT_NE(0, memcmp(eui64, id->eui64, sizeof(eui64)));
	EXPECT_NE(0, memcmp(nguid, id->nguid, sizeof(nguid)));
}

/* Those that name a namespace refuse the same identifiers. */
TEST_F(nvme, bad_namespaces_are_refused)
{
	static const u8 cns[] = {
		NVME_CNS_NS, NVME_CNS_NS_DESCS, NVME_CNS_IOCS_NS,
		NVME_CNS_INDEPENDENT_NS, NVME_CNS_ALLOC_NS,
		NVME_CNS_NS_CTRL_LIST,
	};
	static const u32 bad[] = { 0, 3, 64, 65, 1024, 0xfffffffe };
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(cns); i++) {
		for (j = 0; j < ARRAY_SIZE(bad); j++)
			EXPECT_EQ(SC(INVALID_NS),
				  identify(self->drv, self->buf, bad[j],
					   cns[i], 0))
				TH_LOG("CNS %02x NSID %x", cns[i], bad[j]);
		EXPECT_EQ(0, identify(self->drv, self->buf, 1, cns[i], 0));
	}
	/* All namespaces at once: there is no namespace management. */
	EXPECT_EQ(SC(INVALID_NS), identify(self->drv, self->buf, NVME_NSID_ALL,
					   NVME_CNS_NS, 0));
	EXPECT_EQ(SC(INVALID_FIELD),
		  identify(self->drv, self->buf, NVME_NSID_ALL,
			   NVME_CNS_NS_CTRL_LIST, 0));
}

TEST_F(nvme, inactive_namespace_is_zeroes)
{
	struct nvme_ctrl *ctrl = test_ctrl(&self->t);

	atomic_store(&ctrl->ns[1]->attached, false);
	memset(self->ptr, 0xff, 4096);
	EXPECT_EQ(0, identify(self->drv, self->buf, 2, NVME_CNS_NS, 0));
	EXPECT_TRUE(test_all(self->ptr, 0, 4096));
	memset(self->ptr, 0xff, 4096);
	EXPECT_EQ(0, identify(self->drv, self->buf, 2, NVME_CNS_INDEPENDENT_NS,
			      0));
	EXPECT_TRUE(test_all(self->ptr, 0, 4096));
	EXPECT_EQ(SC(INVALID_FIELD),
		  identify(self->drv, self->buf, 2, NVME_CNS_NS_DESCS, 0));
	/* It is allocated all the same. */
	EXPECT_EQ(0, identify(self->drv, self->buf, 2, NVME_CNS_ALLOC_NS, 0));
	EXPECT_FALSE(test_all(self->ptr, 0, 4096));
	/* No controller is attached to it. */
	EXPECT_EQ(0, identify(self->drv, self->buf, 2, NVME_CNS_NS_CTRL_LIST,
			      0));
	EXPECT_TRUE(test_all(self->ptr, 0, 4096));
}

TEST_F(nvme, namespace_lists_begin_above_nsid)
{
	static const u8 cns[] = {
		NVME_CNS_NS_LIST, NVME_CNS_IOCS_NS_LIST, NVME_CNS_ALLOC_NS_LIST,
	};
	struct nvme_ns_list *list = (void *)self->ptr;
	u32 i, after;

	for (i = 0; i < ARRAY_SIZE(cns); i++) {
		for (after = 0; after < 4; after++) {
			u32 n = 0;

			ASSERT_EQ(0, identify(self->drv, self->buf, after,
					      cns[i], 0));
			if (after < 1)
				EXPECT_EQ(1, le32_to_cpu(list->nsid[n++]));
			if (after < 2)
				EXPECT_EQ(2, le32_to_cpu(list->nsid[n++]));
			EXPECT_TRUE(test_all(&list->nsid[n], 0,
					     4096 - 4 * n));
		}
		EXPECT_EQ(0, identify(self->drv, self->buf, 0xfffffffd,
				      cns[i], 0));
		EXPECT_EQ(SC(INVALID_NS), identify(self->drv, self->buf,
						   0xfffffffe, cns[i], 0));
		EXPECT_EQ(SC(INVALID_NS), identify(self->drv, self->buf,
						   0xffffffff, cns[i], 0));
	}
}

TEST_F(nvme, lists_tell_attached_from_allocated)
{
	struct nvme_ns_list *list = (void *)self->ptr;

	atomic_store(&test_ctrl(&self->t)->ns[0]->attached, false);
	ASSERT_EQ(0, identify(self->drv, self->buf, 0, NVME_CNS_NS_LIST, 0));
	EXPECT_EQ(2, le32_to_cpu(list->nsid[0]));
	EXPECT_EQ(0, le32_to_cpu(list->nsid[1]));
	ASSERT_EQ(0, identify(self->drv, self->buf, 0, NVME_CNS_ALLOC_NS_LIST,
			      0));
	EXPECT_EQ(1, le32_to_cpu(list->nsid[0]));
	EXPECT_EQ(2, le32_to_cpu(list->nsid[1]));
}

TEST_F(nvme, descriptors_hold_each_identifier)
{
	const struct nvme_ns *ns = test_ctrl(&self->t)->ns[0];
	const u8 *p = self->ptr;

	ASSERT_EQ(0, identify(self->drv, self->buf, 1, NVME_CNS_NS_DESCS, 0));
	EXPECT_EQ(NVME_NIDT_EUI64, p[0]);
	EXPECT_EQ(8, p[1]);
	EXPECT_EQ(0, memcmp(p + 4, ns->eui64, 8));
	p += 12;
	EXPECT_EQ(NVME_NIDT_NGUID, p[0]);
	EXPECT_EQ(16, p[1]);
	EXPECT_EQ(0, memcmp(p + 4, ns->nguid, 16));
	p += 20;
	EXPECT_EQ(NVME_NIDT_UUID, p[0]);
	EXPECT_EQ(16, p[1]);
	EXPECT_EQ(0, memcmp(p + 4, ns->uuid, 16));
	p += 20;
	EXPECT_EQ(NVME_NIDT_CSI, p[0]);
	EXPECT_EQ(1, p[1]);
	EXPECT_EQ(NVME_CSI_NVM, p[4]);
	p += 5;
	EXPECT_TRUE(test_all(p, 0, 4096 - 57));
}

TEST_F(nvme, command_sets_other_than_nvm_are_refused)
{
	static const u8 cns[] = {
		NVME_CNS_IOCS_NS, NVME_CNS_IOCS_CTRL, NVME_CNS_IOCS_NS_LIST,
	};
	u32 i, csi;

	for (i = 0; i < ARRAY_SIZE(cns); i++) {
		for (csi = 1; csi < 256; csi++)
			EXPECT_EQ(SC(IOCS_INVALID),
				  identify(self->drv, self->buf, 1, cns[i],
					   csi << 24));
		EXPECT_EQ(0, identify(self->drv, self->buf, 1, cns[i], 0));
	}
}

TEST_F(nvme, controller_lists_begin_at_cntid)
{
	struct nvme_ctrl_list *list = (void *)self->ptr;
	static const u8 cns[] = { NVME_CNS_CTRL_LIST, NVME_CNS_NS_CTRL_LIST };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cns); i++) {
		ASSERT_EQ(0, identify(self->drv, self->buf, 1, cns[i], 0));
		EXPECT_EQ(1, le16_to_cpu(list->nr));
		EXPECT_EQ(0, le16_to_cpu(list->cntlid[0]));
		ASSERT_EQ(0, identify(self->drv, self->buf, 1,
				      cns_cntid(cns[i], 1), 0));
		EXPECT_TRUE(test_all(list, 0, sizeof(*list)));
	}
}

TEST_F(nvme, command_set_combinations)
{
	struct nvme_id_iocs *id = (void *)self->ptr;
	static const u32 own[] = { 0, 0xffff };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(own); i++) {
		memset(id, 0xff, sizeof(*id));
		ASSERT_EQ(0, identify(self->drv, self->buf, 0,
				      cns_cntid(NVME_CNS_IOCS, own[i]), 0));
		EXPECT_EQ(1, le64_to_cpu(id->vector[0]));
		EXPECT_TRUE(test_all(&id->vector[1], 0, 4096 - 8));
	}
	EXPECT_EQ(SC(CNTLID_INVALID),
		  identify(self->drv, self->buf, 0,
			   cns_cntid(NVME_CNS_IOCS, 1), 0));
}

TEST(read_only_namespaces_say_so)
{
	struct nvme_id_ns_independent *ind;
	struct nvme_id_ns *id;
	struct test_nvme t;

	test_nvme_create(&t, 1, TEST_DISK, ",ro,bs=4096");
	nvme_driver_enable(&t.drv, TEST_ADMIN);
	id = (void *)t.ptr;
	ind = (void *)t.ptr;
	ASSERT_EQ(0, nvme_driver_identify(&t.drv, NVME_CNS_NS, 1, t.buf));
	EXPECT_EQ(NVME_NSATTR_WRITE_PROTECTED, id->nsattr);
	EXPECT_EQ(1, id->flbas);
	EXPECT_EQ(TEST_DISK / 4096, le64_to_cpu(id->nsze));
	ASSERT_EQ(0, nvme_driver_identify(&t.drv, NVME_CNS_INDEPENDENT_NS, 1,
					  t.buf));
	EXPECT_EQ(NVME_NSATTR_WRITE_PROTECTED, ind->nsattr);
	EXPECT_EQ(NVME_NSTAT_READY, ind->nstat);
	test_nvme_destroy(&t);
}

TEST(names_come_from_options)
{
	struct nvme_id_ctrl *id;
	struct test_nvme t;

	test_nvme_create(&t, 1, TEST_DISK, ",serial=S123,model=A model");
	nvme_driver_enable(&t.drv, TEST_ADMIN);
	id = (void *)t.ptr;
	ASSERT_EQ(0, nvme_driver_identify(&t.drv, NVME_CNS_CTRL, 0, t.buf));
	EXPECT_EQ(0, memcmp(id->sn, "S123                ", 20));
	EXPECT_EQ(0, memcmp(id->mn, "A model             ", 20));
	EXPECT_EQ(' ', id->mn[39]);
	test_nvme_destroy(&t);
}

TEST_HARNESS_MAIN
