// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe Get Log Page: each page, offsets and lengths, each error
 */
#include "tests/device/test_nvme.h"

#include "devices/nvme/admin_priv.h"

/**
 * struct log_args - all that Get Log Page takes
 * @lid: page
 * @nsid: namespace
 * @offset: bytes
 * @numd: dwords less one
 * @cdw10: further bits: RAE
 * @cdw14: Offset Type, CSI
 */
struct log_args {
	u8 lid;
	u32 nsid;
	u64 offset;
	u32 numd;
	u32 cdw10;
	u32 cdw14;
};

static u16 get_log(struct nvme_driver *drv, u64 buf, const struct log_args *a)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_GET_LOG_PAGE, a->nsid);

	cmd.cdw10 = cpu_to_le32(a->lid | a->cdw10 | (a->numd & 0xffff) << 16);
	cmd.cdw11 = cpu_to_le32(a->numd >> 16);
	cmd.cdw12 = cpu_to_le32((u32)a->offset);
	cmd.cdw13 = cpu_to_le32((u32)(a->offset >> 32));
	cmd.cdw14 = cpu_to_le32(a->cdw14);
	nvme_driver_set_prps(drv, &drv->pair[0], &cmd, buf,
			     min_of(((u64)a->numd + 1) * 4, 512 * KIB));
	return nvme_driver_admin(drv, &cmd);
}

TEST_F(nvme, unknown_pages_are_refused)
{
	u32 lid, i;

	for (lid = 0; lid < 256; lid++) {
		struct log_args a = { .lid = (u8)lid, .numd = 3 };
		bool there = false;

		for (i = 0; i < nvme_log_table_nr; i++)
			there |= nvme_log_table[i].lid == lid;
		EXPECT_EQ(there ? 0 : SC(LOG_INVALID),
			  get_log(self->drv, self->buf, &a))
			TH_LOG("LID %02x", lid);
	}
}

TEST_F(nvme, supported_pages_are_told)
{
	static const u8 lids[] = { 0, 1, 2, 3, 4, 5, 0x12, 0x13 };
	struct nvme_log_supported *log = (void *)self->ptr;
	u32 i, nr = 0;

	ASSERT_EQ(0, nvme_driver_get_log(self->drv, 0, 0, 1024, self->buf));
	for (i = 0; i < ARRAY_SIZE(lids); i++)
		EXPECT_EQ(1, le32_to_cpu(log->lid[lids[i]]));
	for (i = 0; i < 256; i++)
		nr += log->lid[i] != 0;
	EXPECT_EQ(ARRAY_SIZE(lids), nr);
}

/* Every page, every offset and length that is hard: never more than asked. */
TEST_F(nvme, hostile_offsets_and_lengths)
{
	static const u64 offsets[] = {
		0, 4, 60, 64, 508, 512, 516, 1020, 1024, 1028, 4092, 4096, 4100,
		1, 2, 3, 0xffffffff, 0xfffffffc, 1ULL << 32, ~0ULL, ~3ULL,
		1ULL << 63,
	};
	static const u32 numds[] = {
		0, 1, 15, 127, 128, 1023, 1024, 0xffff, 0x10000, 0x1ffff,
		0x20000, 0x3fffffff, 0x7fffffff, 0xffffffff,
	};
	u64 buf = nvme_driver_alloc(self->drv, 768 * KIB);
	u8 *ptr = nvme_driver_ptr(self->drv, buf);
	u32 i, j, k;

	for (i = 0; i < nvme_log_table_nr; i++) {
		for (j = 0; j < ARRAY_SIZE(offsets); j++) {
			for (k = 0; k < ARRAY_SIZE(numds); k++) {
				struct log_args a = {
					.lid = nvme_log_table[i].lid,
					.offset = offsets[j],
					.numd = numds[k],
				};
				u64 len = ((u64)numds[k] + 1) * 4;
				bool ok = offsets[j] % 4 == 0 &&
					  offsets[j] <= nvme_log_table[i].size &&
					  len <= 512 * KIB;

				if (ok)
					memset(ptr, 0xa5, 768 * KIB);
				ASSERT_EQ(ok ? 0 : SC(INVALID_FIELD),
					  get_log(self->drv, buf, &a))
					TH_LOG("LID %02x offset %llx numd %x",
					       a.lid, a.offset, a.numd);
				if (!ok)
					continue;
				EXPECT_EQ(0xa5, ptr[len]);
				EXPECT_NE(0xa5, ptr[len - 1]);
			}
		}
	}
}

TEST_F(nvme, parts_make_the_whole)
{
	u8 whole[4096];
	u32 i, at;

	for (i = 0; i < nvme_log_table_nr; i++) {
		const struct nvme_log *row = &nvme_log_table[i];

		/* These change by being looked at. */
		if (row->lid == NVME_LID_SMART)
			continue;
		ASSERT_LE(row->size, sizeof(whole));
		ASSERT_EQ(0, nvme_driver_get_log(self->drv, row->lid, 0,
						 row->size, self->buf));
		memcpy(whole, self->ptr, row->size);
		for (at = 0; at < row->size; at += 52) {
			u32 n = min_of(row->size - at, 52U);

			ASSERT_EQ(0, nvme_driver_get_log(self->drv, row->lid,
							 at, n, self->buf));
			ASSERT_EQ(0, memcmp(whole + at, self->ptr, n))
				TH_LOG("LID %02x at %u", row->lid, at);
		}
	}
}

TEST_F(nvme, index_offsets_are_refused)
{
	struct log_args a = {
		.lid = NVME_LID_ERROR, .numd = 15, .cdw14 = 1u << 23,
	};

	EXPECT_EQ(SC(INVALID_FIELD), get_log(self->drv, self->buf, &a));
}

TEST_F(nvme, data_outside_ram_is_refused)
{
	struct log_args a = { .lid = NVME_LID_EFFECTS, .numd = 1023 };

	EXPECT_EQ(SC(DATA_TRANSFER), get_log(self->drv, 1ULL << 52, &a));
}

/* ---- 01 ---------------------------------------------------------------------------- */

static void fail_once(struct nvme_driver *drv, u32 nsid)
{
	struct nvme_sqe cmd = nvme_driver_cmd(0xfe, nsid);

	nvme_driver_admin(drv, &cmd);
}

TEST_F(nvme, error_log_keeps_the_newest)
{
	struct nvme_log_error *log = (void *)self->ptr;
	u32 i;

	for (i = 1; i <= NVME_ERRORS_MAX + 10; i++)
		fail_once(self->drv, i);
	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_ERROR, 0,
					 NVME_ERRORS_MAX * 64, self->buf));
	for (i = 0; i < NVME_ERRORS_MAX; i++) {
		EXPECT_EQ(NVME_ERRORS_MAX + 10 - i,
			  le64_to_cpu(log[i].error_count));
		EXPECT_EQ(NVME_ERRORS_MAX + 10 - i, le32_to_cpu(log[i].nsid));
		EXPECT_EQ(1, log[i].version);
	}
	/* A reset does not clear it. */
	nvme_driver_enable(self->drv, TEST_ADMIN);
	memset(self->ptr, 0, 64);
	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_ERROR, 0, 64,
					 self->buf));
	EXPECT_EQ(NVME_ERRORS_MAX + 10, le64_to_cpu(log[0].error_count));
}

TEST_F(nvme, error_log_tells_of_io)
{
	struct nvme_log_error *log = (void *)self->ptr;
	u64 lba = TEST_LBAS - 1;

	nvme_driver_create_pair(self->drv, 3, 16, 3);
	EXPECT_EQ(SC(LBA_RANGE), nvme_driver_rw(self->drv, 3, NVME_IO_READ, 2,
						lba, 2, self->buf));
	EXPECT_NE(0, le16_to_cpu(self->drv->cqe.status) >> 1 &
		  NVME_STATUS_MORE);
	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_ERROR, 0, 64,
					 self->buf));
	EXPECT_EQ(3, le16_to_cpu(log[0].sqid));
	EXPECT_EQ(lba, le64_to_cpu(log[0].lba));
	EXPECT_EQ(2, le32_to_cpu(log[0].nsid));
	EXPECT_EQ(NVME_IO_READ, log[0].opcode);
	EXPECT_EQ(SC(LBA_RANGE), le16_to_cpu(log[0].status) >> 1 & 0x7ff);
}

/* ---- 02 ---------------------------------------------------------------------------- */

static u16 smart(struct nvme_driver *drv, u32 nsid, u64 buf)
{
	struct log_args a = {
		.lid = NVME_LID_SMART, .nsid = nsid, .numd = 127,
	};

	return get_log(drv, buf, &a);
}

TEST_F(nvme, smart_counts_what_was_done)
{
	struct nvme_log_smart *log = (void *)self->ptr;
	u64 data = self->buf + 8192;
	u32 i;

	nvme_driver_create_pair(self->drv, 1, 16, 1);
	ASSERT_EQ(0, smart(self->drv, NVME_NSID_ALL, self->buf));
	EXPECT_EQ(0, le64_to_cpu(log->host_reads[0]));
	EXPECT_EQ(0, le64_to_cpu(log->data_units_read[0]));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 0,
					    201, data));
	for (i = 0; i < 7; i++)
		ASSERT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_WRITE, 2, 0,
					    100, data));
	fail_once(self->drv, 0);
	fail_once(self->drv, 0);
	ASSERT_EQ(0, smart(self->drv, NVME_NSID_ALL, self->buf));
	EXPECT_EQ(10, le64_to_cpu(log->host_reads[0]));
	EXPECT_EQ(7, le64_to_cpu(log->host_writes[0]));
	EXPECT_EQ(3, le64_to_cpu(log->data_units_read[0]));	/* 2010 */
	EXPECT_EQ(1, le64_to_cpu(log->data_units_written[0]));	/* 700 */
	EXPECT_EQ(2, le64_to_cpu(log->error_entries[0]));
	EXPECT_EQ(1, le64_to_cpu(log->power_cycles[0]));
	EXPECT_EQ(0, le64_to_cpu(log->media_errors[0]));
	EXPECT_EQ(0, log->critical_warning);
	EXPECT_EQ(NVME_TEMPERATURE,
		  log->temperature[0] | log->temperature[1] << 8);
	EXPECT_EQ(100, log->avail_spare);
	EXPECT_EQ(0, log->percent_used);
	EXPECT_TRUE(test_all(log->rsvd232, 0, sizeof(log->rsvd232)));
}

TEST_F(nvme, smart_is_of_the_controller)
{
	EXPECT_EQ(0, smart(self->drv, 0, self->buf));
	EXPECT_EQ(0, smart(self->drv, NVME_NSID_ALL, self->buf));
	EXPECT_EQ(SC(INVALID_FIELD), smart(self->drv, 1, self->buf));
	EXPECT_EQ(SC(INVALID_NS), smart(self->drv, 3, self->buf));
}

TEST_F(nvme, smart_warns_of_temperature)
{
	struct nvme_log_smart *log = (void *)self->ptr;

	ASSERT_EQ(0, nvme_driver_set_feature(self->drv, NVME_FID_TEMPERATURE,
					     NVME_TEMPERATURE));
	ASSERT_EQ(0, smart(self->drv, 0, self->buf));
	EXPECT_EQ(NVME_SMART_WARN_TEMPERATURE, log->critical_warning);
	ASSERT_EQ(0, nvme_driver_set_feature(self->drv, NVME_FID_TEMPERATURE,
					     NVME_TEMPERATURE + 1));
	ASSERT_EQ(0, smart(self->drv, 0, self->buf));
	EXPECT_EQ(0, log->critical_warning);
	ASSERT_EQ(0, nvme_driver_set_feature(self->drv, NVME_FID_TEMPERATURE,
					     1u << 20 | NVME_TEMPERATURE));
	ASSERT_EQ(0, smart(self->drv, 0, self->buf));
	EXPECT_EQ(NVME_SMART_WARN_TEMPERATURE, log->critical_warning);
}

/* ---- 03, 05, 12, 13 ------------------------------------------------------------------- */

TEST_F(nvme, firmware_slot_1_is_active)
{
	struct nvme_log_fw_slot *log = (void *)self->ptr;
	struct nvme_id_ctrl *id = (void *)(self->ptr + 4096);

	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_FW_SLOT, 0, 512,
					 self->buf));
	ASSERT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
					  self->buf + 4096));
	EXPECT_EQ(1, log->afi);
	EXPECT_EQ(0, memcmp(log->frs[0], id->fr, 8));
	EXPECT_TRUE(test_all(log->frs[1], 0, 6 * 8));
	EXPECT_EQ(3, id->frmw);
}

/* A command is supported exactly when the log says so. */
TEST_F(nvme, effects_are_those_of_the_tables)
{
	struct nvme_log_effects *log = (void *)self->ptr;
	u32 i;

	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_EFFECTS, 0, 4096,
					 self->buf));
	for (i = 0; i < 256; i++) {
		const struct nvme_cmd *cmd;

		cmd = nvme_cmd_find(nvme_admin_cmds, nvme_admin_cmds_nr,
				    (u8)i);
		EXPECT_EQ(!!cmd, le32_to_cpu(log->acs[i]) & 1);
		cmd = nvme_cmd_find(nvme_io_cmds, nvme_io_cmds_nr, (u8)i);
		EXPECT_EQ(!!cmd, le32_to_cpu(log->iocs[i]) & 1);
	}
	EXPECT_EQ(0x00110007, le32_to_cpu(log->acs[NVME_ADM_FORMAT_NVM]));
	EXPECT_EQ(0x00110009, le32_to_cpu(log->acs[NVME_ADM_NS_ATTACHMENT]));
	EXPECT_EQ(0x00100003, le32_to_cpu(log->iocs[NVME_IO_WRITE]));
	EXPECT_EQ(0x00100001, le32_to_cpu(log->iocs[NVME_IO_READ]));
	EXPECT_TRUE(test_all(log->rsvd2048, 0, sizeof(log->rsvd2048)));
}

/* As a host asks that knows of several: admin commands are the same in each. */
TEST_F(nvme, effects_of_another_command_set_have_no_io_commands)
{
	struct log_args a = { .lid = NVME_LID_EFFECTS, .numd = 1023 };
	struct nvme_log_effects *log = (void *)self->ptr;
	__le32 acs[256];
	u32 csi;

	ASSERT_EQ(0, get_log(self->drv, self->buf, &a));
	memcpy(acs, log->acs, sizeof(acs));
	EXPECT_FALSE(test_all(log->iocs, 0, sizeof(log->iocs)));
	for (csi = 1; csi < 256; csi++) {
		a.cdw14 = csi << 24;
		memset(self->ptr, 0xa5, 4096);
		ASSERT_EQ(0, get_log(self->drv, self->buf, &a));
		EXPECT_EQ(0, memcmp(acs, log->acs, sizeof(acs)));
		EXPECT_TRUE(test_all(log->iocs, 0, sizeof(log->iocs)))
			TH_LOG("CSI %u", csi);
	}
}

TEST_F(nvme, feature_effects_are_those_of_the_table)
{
	struct nvme_log_fid_effects *log = (void *)self->ptr;
	u32 i, nr = 0;

	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_FID_EFFECTS, 0,
					 1024, self->buf));
	for (i = 0; i < nvme_feature_table_nr; i++)
		EXPECT_EQ(nvme_feature_table[i].effects,
			  le32_to_cpu(log->fid[nvme_feature_table[i].fid]));
	for (i = 0; i < 256; i++)
		nr += le32_to_cpu(log->fid[i]) & 1;
	EXPECT_EQ(nvme_feature_table_nr, nr);
	EXPECT_EQ(0x00100001, le32_to_cpu(log->fid[NVME_FID_ERROR_RECOVERY]));
	EXPECT_EQ(0x00200001, le32_to_cpu(log->fid[NVME_FID_WRITE_CACHE]));
	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_MI_EFFECTS, 0,
					 4096, self->buf));
	EXPECT_TRUE(test_all(self->ptr, 0, 4096));
}

TEST_HARNESS_MAIN
