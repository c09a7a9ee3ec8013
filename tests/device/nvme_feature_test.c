// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe Get Features and Set Features: each feature, each select, each error
 */
#include "tests/device/test_nvme.h"

#include "devices/nvme/admin_priv.h"

#define CURRENT		NVME_FEATURE_SEL_CURRENT
#define DEFAULT		NVME_FEATURE_SEL_DEFAULT
#define SAVED		NVME_FEATURE_SEL_SAVED
#define CAPABILITIES	NVME_FEATURE_SEL_CAPABILITIES

static u16 set(struct nvme_driver *drv, u32 nsid, u32 cdw10, u32 cdw11)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_SET_FEATURES, nsid);

	cmd.cdw10 = cpu_to_le32(cdw10);
	cmd.cdw11 = cpu_to_le32(cdw11);
	return nvme_driver_admin(drv, &cmd);
}

static u16 get(struct nvme_driver *drv, u32 nsid, u32 cdw10, u32 cdw11)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_GET_FEATURES, nsid);

	cmd.cdw10 = cpu_to_le32(cdw10);
	cmd.cdw11 = cpu_to_le32(cdw11);
	return nvme_driver_admin(drv, &cmd);
}

/* A value that must be there to be had: UINT64_MAX when the command fails. */
static u64 value(struct nvme_driver *drv, u8 fid, u8 sel, u32 cdw11)
{
	if (nvme_driver_get_feature(drv, fid, sel, cdw11))
		return UINT64_MAX;
	return le32_to_cpu(drv->cqe.dw0);
}

static u32 save(u8 fid)
{
	return fid | NVME_FEATURE_CDW10_SV;
}

TEST_F(nvme, unknown_features_are_refused)
{
	u32 fid, i;

	for (fid = 0; fid < 256; fid++) {
		bool there = false;

		for (i = 0; i < nvme_feature_table_nr; i++)
			there |= nvme_feature_table[i].fid == fid;
		if (there)
			continue;
		EXPECT_EQ(SC(INVALID_FIELD), get(self->drv, 0, fid, 0))
			TH_LOG("FID %02x", fid);
		EXPECT_EQ(SC(INVALID_FIELD), set(self->drv, 0, fid, 0));
		EXPECT_EQ(SC(INVALID_FIELD),
			  get(self->drv, 0, fid | CAPABILITIES << 8, 0));
	}
}

TEST_F(nvme, capabilities_are_told)
{
	static const struct {
		u8 fid;
		u32 caps;
	} want[] = {
		{ 0x01, 5 }, { 0x02, 5 }, { 0x04, 5 }, { 0x05, 7 },
		{ 0x06, 5 }, { 0x07, 4 }, { 0x08, 5 }, { 0x09, 5 },
		{ 0x0a, 5 }, { 0x0b, 5 }, { 0x0e, 4 }, { 0x16, 4 },
	};
	u32 i, sel;

	EXPECT_EQ(ARRAY_SIZE(want), nvme_feature_table_nr);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		EXPECT_EQ(want[i].caps, value(self->drv, want[i].fid,
					      CAPABILITIES, 0))
			TH_LOG("FID %02x", want[i].fid);
		for (sel = 4; sel < 8; sel++)
			EXPECT_EQ(SC(INVALID_FIELD),
				  get(self->drv, 1, want[i].fid | sel << 8, 0));
	}
}

/* One dword, plain: what is set comes back, within the mask. */
static const struct {
	u8 fid;
	u32 def;
	u32 mask;
	u32 set;
} plain[] = {
	{ NVME_FID_ARBITRATION, 6, 0xffffff07, 0x11223345 },
	{ NVME_FID_POWER, 0, 0xe0, 0x000000a0 },
	{ NVME_FID_WRITE_CACHE, 1, 1, 0 },
	{ NVME_FID_COALESCING, 0, 0xffff, 0x00001234 },
	{ NVME_FID_WRITE_ATOMICITY, 0, 1, 1 },
	{ NVME_FID_AEC, 0, 0x1ff, 0xffffffff },
};

TEST_F(nvme, plain_values_are_kept_until_a_reset)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(plain); i++) {
		u8 fid = plain[i].fid;

		EXPECT_EQ(plain[i].def, value(self->drv, fid, CURRENT, 0));
		EXPECT_EQ(plain[i].def, value(self->drv, fid, DEFAULT, 0));
		EXPECT_EQ(plain[i].def, value(self->drv, fid, SAVED, 0));
		EXPECT_EQ(0, set(self->drv, 0, fid, plain[i].set))
			TH_LOG("FID %02x", fid);
		EXPECT_EQ(plain[i].set & plain[i].mask,
			  value(self->drv, fid, CURRENT, 0))
			TH_LOG("FID %02x", fid);
		EXPECT_EQ(plain[i].def, value(self->drv, fid, SAVED, 0));
	}
	nvme_driver_enable(self->drv, TEST_ADMIN);
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		EXPECT_EQ(plain[i].def,
			  value(self->drv, plain[i].fid, CURRENT, 0));
}

TEST_F(nvme, saved_values_outlive_a_reset)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(plain); i++) {
		u8 fid = plain[i].fid;
		u32 want = plain[i].set & plain[i].mask;

		EXPECT_EQ(0, set(self->drv, 0, save(fid), plain[i].set));
		EXPECT_EQ(want, value(self->drv, fid, CURRENT, 0));
		EXPECT_EQ(want, value(self->drv, fid, SAVED, 0));
		EXPECT_EQ(plain[i].def, value(self->drv, fid, DEFAULT, 0));
		EXPECT_EQ(0, set(self->drv, 0, fid, plain[i].def));
	}
	nvme_driver_enable(self->drv, TEST_ADMIN);
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		EXPECT_EQ(plain[i].set & plain[i].mask,
			  value(self->drv, plain[i].fid, CURRENT, 0));
}

TEST_F(nvme, some_cannot_be_saved)
{
	static const u8 fids[] = {
		NVME_FID_QUEUES, NVME_FID_TIMESTAMP, NVME_FID_HOST_BEHAVIOR,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(fids); i++)
		EXPECT_EQ(SC(FEATURE_NOT_SAVEABLE),
			  set(self->drv, 0, save(fids[i]), 0));
}

TEST_F(nvme, controller_features_take_no_namespace)
{
	u32 i;

	for (i = 0; i < nvme_feature_table_nr; i++) {
		const struct nvme_feature *f = &nvme_feature_table[i];

		if (f->caps & NVME_FEATURE_CAP_NS_SPECIFIC)
			continue;
		EXPECT_EQ(SC(FEATURE_NOT_NS), set(self->drv, 1, f->fid, 0));
		EXPECT_EQ(SC(INVALID_NS), set(self->drv, 3, f->fid, 0));
	}
	EXPECT_EQ(0, set(self->drv, NVME_NSID_ALL, NVME_FID_COALESCING, 0));
	/* Reading one by way of a namespace does no harm. */
	EXPECT_EQ(0, get(self->drv, 1, NVME_FID_ARBITRATION, 0));
}

TEST_F(nvme, there_is_one_power_state)
{
	u32 ps;

	for (ps = 1; ps < 32; ps++)
		EXPECT_EQ(SC(INVALID_FIELD),
			  set(self->drv, 0, NVME_FID_POWER, ps));
	EXPECT_EQ(0, value(self->drv, NVME_FID_POWER, CURRENT, 0));
}

TEST_F(nvme, temperature_thresholds)
{
	u32 under = 1u << 20, all = 0xfu << 16;
	u8 fid = NVME_FID_TEMPERATURE;
	u32 sensor, which;

	EXPECT_EQ(NVME_TEMPERATURE_WARN, value(self->drv, fid, CURRENT, 0));
	EXPECT_EQ(0, value(self->drv, fid, CURRENT, under));
	EXPECT_EQ(0, set(self->drv, 0, fid, 350));
	EXPECT_EQ(0, set(self->drv, 0, fid, under | 280));
	EXPECT_EQ(350, value(self->drv, fid, CURRENT, 0));
	EXPECT_EQ(280, value(self->drv, fid, CURRENT, under));
	EXPECT_EQ(0, set(self->drv, 0, fid, all | 351));
	EXPECT_EQ(351, value(self->drv, fid, CURRENT, 0));
	EXPECT_EQ(SC(INVALID_FIELD), get(self->drv, 0, fid, all));
	for (sensor = 1; sensor < 15; sensor++) {
		EXPECT_EQ(SC(INVALID_FIELD),
			  set(self->drv, 0, fid, sensor << 16 | 300));
		EXPECT_EQ(SC(INVALID_FIELD),
			  get(self->drv, 0, fid, sensor << 16));
	}
	for (which = 2; which < 4; which++) {
		EXPECT_EQ(SC(INVALID_FIELD),
			  set(self->drv, 0, fid, which << 20 | 300));
		EXPECT_EQ(SC(INVALID_FIELD),
			  get(self->drv, 0, fid, which << 20));
	}
}

TEST_F(nvme, error_recovery_is_of_a_namespace)
{
	u32 fid = NVME_FID_ERROR_RECOVERY;

	EXPECT_EQ(SC(INVALID_NS), get(self->drv, 0, fid, 0));
	EXPECT_EQ(SC(INVALID_NS), get(self->drv, 3, fid, 0));
	EXPECT_EQ(SC(INVALID_NS), get(self->drv, NVME_NSID_ALL, fid, 0));
	EXPECT_EQ(SC(INVALID_NS), set(self->drv, 0, fid, 5));
	EXPECT_EQ(0, set(self->drv, 2, fid, 5));
	EXPECT_EQ(0, get(self->drv, 2, fid, 0));
	EXPECT_EQ(5, le32_to_cpu(self->drv->cqe.dw0));
	EXPECT_EQ(0, get(self->drv, 1, fid, 0));
	EXPECT_EQ(0, le32_to_cpu(self->drv->cqe.dw0));
	EXPECT_EQ(0, set(self->drv, NVME_NSID_ALL, fid, 9));
	EXPECT_EQ(0, get(self->drv, 1, fid, 0));
	EXPECT_EQ(9, le32_to_cpu(self->drv->cqe.dw0));
	EXPECT_EQ(SC(INVALID_FIELD), set(self->drv, 1, fid, 1u << 16));
	atomic_store(&test_ctrl(&self->t)->ns[1]->attached, false);
	EXPECT_EQ(SC(INVALID_FIELD), get(self->drv, 2, fid, 0));
	EXPECT_EQ(SC(INVALID_FIELD), set(self->drv, 2, fid, 0));
}

TEST_F(nvme, number_of_queues)
{
	u32 fid = NVME_FID_QUEUES;

	EXPECT_EQ(0x00030003, value(self->drv, NVME_FID_QUEUES, CURRENT, 0));
	EXPECT_EQ(0, set(self->drv, 0, fid, 63 | 63u << 16));
	EXPECT_EQ(0x00030003, le32_to_cpu(self->drv->cqe.dw0));
	EXPECT_EQ(0, set(self->drv, 0, fid, 0 | 1u << 16));
	EXPECT_EQ(0x00010000, le32_to_cpu(self->drv->cqe.dw0));
	EXPECT_EQ(0x00010000, value(self->drv, NVME_FID_QUEUES, CURRENT, 0));
	EXPECT_EQ(0x00030003, value(self->drv, NVME_FID_QUEUES, DEFAULT, 0));
	EXPECT_EQ(SC(INVALID_FIELD), set(self->drv, 0, fid, 0xffff));
	EXPECT_EQ(SC(INVALID_FIELD), set(self->drv, 0, fid, 0xffff0000));
	/* What was granted is what there is. */
	EXPECT_EQ(SC(QID_INVALID),
		  nvme_driver_create_cq(self->drv, 3, 8,
					NVME_CREATE_CDW11_PC));
	nvme_driver_create_pair(self->drv, 1, 8, 1);
	EXPECT_EQ(SC(SEQUENCE), set(self->drv, 0, fid, 0));
	EXPECT_EQ(0x00010000, value(self->drv, NVME_FID_QUEUES, CURRENT, 0));
	nvme_driver_enable(self->drv, TEST_ADMIN);
	EXPECT_EQ(0x00030003, value(self->drv, NVME_FID_QUEUES, CURRENT, 0));
}

TEST_F(nvme, vector_configuration)
{
	u32 fid = NVME_FID_VECTOR, cd = 1u << 16, iv;

	for (iv = 0; iv < TEST_VECTORS; iv++)
		EXPECT_EQ(iv, value(self->drv, NVME_FID_VECTOR, CURRENT, iv));
	EXPECT_EQ(0, set(self->drv, 0, fid, 3 | cd));
	EXPECT_EQ(3 | cd, value(self->drv, NVME_FID_VECTOR, CURRENT, 3));
	EXPECT_EQ(2, value(self->drv, NVME_FID_VECTOR, CURRENT, 2));
	EXPECT_EQ(0, set(self->drv, 0, fid, 3));
	EXPECT_EQ(3, value(self->drv, NVME_FID_VECTOR, CURRENT, 3));
	EXPECT_EQ(SC(INVALID_FIELD), set(self->drv, 0, fid, TEST_VECTORS));
	EXPECT_EQ(SC(INVALID_FIELD), get(self->drv, 0, fid, TEST_VECTORS));
	EXPECT_EQ(SC(INVALID_FIELD), get(self->drv, 0, fid, 0xffff));
}

/* ---- features with data ---------------------------------------------------------- */

static u16 get_data(struct nvme_driver *drv, u8 fid, u8 sel, u64 addr)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_GET_FEATURES, 0);

	cmd.cdw10 = cpu_to_le32(fid | (u32)sel << 8);
	cmd.prp.prp1 = cpu_to_le64(addr);
	return nvme_driver_admin(drv, &cmd);
}

static u16 set_data(struct nvme_driver *drv, u8 fid, u64 addr)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_SET_FEATURES, 0);

	cmd.cdw10 = cpu_to_le32(fid);
	cmd.prp.prp1 = cpu_to_le64(addr);
	return nvme_driver_admin(drv, &cmd);
}

static u64 timestamp_ms(const struct nvme_timestamp *ts)
{
	u64 ms = 0;

	memcpy(&ms, ts->ms, sizeof(ts->ms));
	return ms;
}

TEST_F(nvme, timestamp_runs)
{
	struct nvme_timestamp *ts = (void *)self->ptr;
	u64 then = 0x018abcdef012ULL;
	u8 fid = NVME_FID_TIMESTAMP;
	u64 got;

	memset(self->ptr, 0xee, 64);
	ASSERT_EQ(0, get_data(self->drv, fid, CURRENT, self->buf));
	EXPECT_EQ(0, ts->attr);
	EXPECT_LT(timestamp_ms(ts), 60000);
	EXPECT_TRUE(test_all(self->ptr + 8, 0xee, 56));

	memcpy(ts->ms, &then, sizeof(ts->ms));
	ts->attr = 0xff;
	ASSERT_EQ(0, set_data(self->drv, fid, self->buf));
	usleep(20000);
	memset(self->ptr, 0, 8);
	ASSERT_EQ(0, get_data(self->drv, fid, CURRENT, self->buf));
	EXPECT_EQ(NVME_TIMESTAMP_ORIGIN_SET << 1, ts->attr);
	got = timestamp_ms(ts);
	EXPECT_GE(got, then + 20);
	EXPECT_LT(got, then + 60000);

	ASSERT_EQ(0, get_data(self->drv, fid, DEFAULT, self->buf));
	EXPECT_EQ(0, timestamp_ms(ts));
	nvme_driver_enable(self->drv, TEST_ADMIN);
	ASSERT_EQ(0, get_data(self->drv, fid, CURRENT, self->buf));
	EXPECT_EQ(0, ts->attr);
	EXPECT_LT(timestamp_ms(ts), 60000);
}

TEST_F(nvme, timestamp_wraps_at_48_bits)
{
	struct nvme_timestamp *ts = (void *)self->ptr;

	memset(ts->ms, 0xff, sizeof(ts->ms));
	ASSERT_EQ(0, set_data(self->drv, NVME_FID_TIMESTAMP, self->buf));
	usleep(5000);
	ASSERT_EQ(0, get_data(self->drv, NVME_FID_TIMESTAMP, CURRENT,
			      self->buf));
	EXPECT_LT(timestamp_ms(ts), 60000);
	EXPECT_EQ(0, ts->rsvd7);
}

TEST_F(nvme, host_behavior_is_kept)
{
	struct nvme_host_behavior *host = (void *)self->ptr;
	u8 fid = NVME_FID_HOST_BEHAVIOR;
	u32 i;

	memset(self->ptr, 0xff, 4096);
	ASSERT_EQ(0, get_data(self->drv, fid, CURRENT, self->buf));
	EXPECT_TRUE(test_all(host, 0, sizeof(*host)));
	EXPECT_EQ(0xff, self->ptr[512]);
	host->acre = 1;
	host->lbafee = 1;
	ASSERT_EQ(0, set_data(self->drv, fid, self->buf));
	memset(self->ptr, 0xff, 512);
	ASSERT_EQ(0, get_data(self->drv, fid, CURRENT, self->buf));
	EXPECT_EQ(1, host->acre);
	EXPECT_EQ(0, host->etdas);
	EXPECT_EQ(1, host->lbafee);
	EXPECT_TRUE(test_all(host->rsvd3, 0, sizeof(host->rsvd3)));
	for (i = 0; i < 3; i++) {
		memset(host, 0, sizeof(*host));
		self->ptr[i] = 2;
		EXPECT_EQ(SC(INVALID_FIELD),
			  set_data(self->drv, fid, self->buf));
	}
	ASSERT_EQ(0, get_data(self->drv, fid, CURRENT, self->buf));
	EXPECT_EQ(1, host->acre);
	nvme_driver_enable(self->drv, TEST_ADMIN);
	ASSERT_EQ(0, get_data(self->drv, fid, CURRENT, self->buf));
	EXPECT_EQ(0, host->acre);
}

TEST_F(nvme, data_outside_ram_is_refused)
{
	u64 bad = 1ULL << 52;

	EXPECT_EQ(SC(DATA_TRANSFER),
		  set_data(self->drv, NVME_FID_TIMESTAMP, bad));
	EXPECT_EQ(SC(DATA_TRANSFER),
		  get_data(self->drv, NVME_FID_TIMESTAMP, CURRENT, bad));
	EXPECT_EQ(SC(DATA_TRANSFER),
		  set_data(self->drv, NVME_FID_HOST_BEHAVIOR, bad));
}

/* ---- what values do --------------------------------------------------------------------- */

TEST_F(nvme, values_reach_the_loops)
{
	struct nvme_tuning *tuning = &test_ctrl(&self->t)->tuning;

	EXPECT_EQ(64, atomic_load(&tuning->burst));
	EXPECT_FALSE(atomic_load(&tuning->write_through));
	ASSERT_EQ(0, set(self->drv, 0, NVME_FID_ARBITRATION, 2));
	EXPECT_EQ(4, atomic_load(&tuning->burst));
	ASSERT_EQ(0, set(self->drv, 0, NVME_FID_COALESCING, 0x0307));
	EXPECT_EQ(8, atomic_load(&tuning->coalesce_entries));
	EXPECT_EQ(300000, atomic_load(&tuning->coalesce_ns));
	ASSERT_EQ(0, set(self->drv, 0, NVME_FID_VECTOR, 2 | 1u << 16));
	EXPECT_EQ(4, atomic_load(&tuning->no_coalesce[0]));
	ASSERT_EQ(0, set(self->drv, 0, NVME_FID_WRITE_CACHE, 0));
	EXPECT_TRUE(atomic_load(&tuning->write_through));
	ASSERT_EQ(0, set(self->drv, 0, NVME_FID_WRITE_CACHE, 1));
	EXPECT_FALSE(atomic_load(&tuning->write_through));
	nvme_driver_enable(self->drv, TEST_ADMIN);
	EXPECT_EQ(64, atomic_load(&tuning->burst));
	EXPECT_EQ(0, atomic_load(&tuning->coalesce_ns));
}

TEST_HARNESS_MAIN
