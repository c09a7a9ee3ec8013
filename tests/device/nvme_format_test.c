// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe Format NVM: what it leaves behind, each error, abort and reset
 */
#include "tests/device/test_nvme.h"

#include "devices/nvme/admin_priv.h"

#define FORMAT(lbaf, ses)	((lbaf) | (ses) << 9)
/* So large that erasing it takes a while, and yet no disk space. */
#define HUGE_DISK		(4096 * GIB)

static struct nvme_sqe format_cmd(u32 nsid, u32 cdw10)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_FORMAT_NVM, nsid);

	cmd.cdw10 = cpu_to_le32(cdw10);
	return cmd;
}

static u16 format(struct nvme_driver *drv, u32 nsid, u32 cdw10)
{
	struct nvme_sqe cmd = format_cmd(nsid, cdw10);

	return nvme_driver_admin(drv, &cmd);
}

/* A Read or Write of one block of any size. */
static u16 rw(struct nvme_driver *drv, u8 opcode, u32 nsid, u64 lba, u64 addr,
	      u32 bytes)
{
	struct nvme_sqe cmd = nvme_driver_cmd(opcode, nsid);

	nvme_driver_set_rw(&cmd, lba, 1);
	nvme_driver_set_prps(drv, &drv->pair[1], &cmd, addr, bytes);
	return nvme_driver_exec(drv, 1, &cmd);
}

static u64 nsze(struct test_nvme *t, u32 nsid, u8 *lbads, u8 *fpi)
{
	u64 at = t->buf + TEST_BUF - 4096;
	struct nvme_id_ns *id = nvme_driver_ptr(&t->drv, at);

	if (nvme_driver_identify(&t->drv, NVME_CNS_NS, nsid, at))
		abort();
	*lbads = id->lbaf[id->flbas & 15].lbads;
	*fpi = id->fpi;
	return le64_to_cpu(id->nsze);
}

static void fill(struct test_nvme *t, u32 nsid, u8 byte)
{
	u64 lba;

	memset(t->ptr, byte, 128 * KIB);
	for (lba = 0; lba < TEST_LBAS; lba += 256)
		if (nvme_driver_rw(&t->drv, 1, NVME_IO_WRITE, nsid, lba, 256,
				   t->buf))
			abort();
}

static bool disk_is(struct test_nvme *t, u32 nsid, u8 byte)
{
	u8 buf[65536];
	u64 at;

	for (at = 0; at < TEST_DISK; at += sizeof(buf)) {
		test_nvme_peek(t, nsid, at, buf, sizeof(buf));
		if (!test_all(buf, byte, sizeof(buf)))
			return false;
	}
	return true;
}

TEST_F(nvme, everything_reads_zero_afterwards)
{
	static const u32 ses[] = {
		NVME_FORMAT_SES_NONE, NVME_FORMAT_SES_USER,
	};
	u32 i;

	nvme_driver_create_pair(self->drv, 1, 16, 1);
	fill(&self->t, 2, 0x77);
	for (i = 0; i < ARRAY_SIZE(ses); i++) {
		fill(&self->t, 1, 0x66);
		EXPECT_FALSE(disk_is(&self->t, 1, 0));
		ASSERT_EQ(0, format(self->drv, 1, FORMAT(0, ses[i])));
		EXPECT_TRUE(disk_is(&self->t, 1, 0));
	}
	EXPECT_TRUE(disk_is(&self->t, 2, 0x77));
}

TEST_F(nvme, block_size_changes)
{
	u8 lbads, fpi;

	nvme_driver_create_pair(self->drv, 1, 16, 1);
	ASSERT_EQ(0, format(self->drv, 1, FORMAT(1, 0)));
	EXPECT_EQ(TEST_DISK / 4096, nsze(&self->t, 1, &lbads, &fpi));
	EXPECT_EQ(12, lbads);
	EXPECT_EQ(NVME_FPI_SUPPORTED, fpi);
	EXPECT_EQ(TEST_LBAS, nsze(&self->t, 2, &lbads, &fpi));
	EXPECT_EQ(9, lbads);
	memset(self->ptr, 0x42, 4096);
	EXPECT_EQ(0, rw(self->drv, NVME_IO_WRITE, 1, TEST_DISK / 4096 - 1,
			self->buf, 4096));
	EXPECT_EQ(SC(LBA_RANGE), rw(self->drv, NVME_IO_WRITE, 1,
				    TEST_DISK / 4096, self->buf, 4096));
	test_nvme_peek(&self->t, 1, TEST_DISK - 4096, self->ptr + 8192, 4096);
	EXPECT_TRUE(test_all(self->ptr + 8192, 0x42, 4096));
	/* It stays so over a reset, and comes back by another format. */
	nvme_driver_enable(self->drv, TEST_ADMIN);
	EXPECT_EQ(TEST_DISK / 4096, nsze(&self->t, 1, &lbads, &fpi));
	ASSERT_EQ(0, format(self->drv, 1, FORMAT(0, 1)));
	EXPECT_EQ(TEST_LBAS, nsze(&self->t, 1, &lbads, &fpi));
	EXPECT_TRUE(disk_is(&self->t, 1, 0));
}

TEST_F(nvme, all_namespaces_at_once)
{
	u8 lbads, fpi;

	nvme_driver_create_pair(self->drv, 1, 16, 1);
	fill(&self->t, 1, 1);
	fill(&self->t, 2, 2);
	ASSERT_EQ(0, format(self->drv, NVME_NSID_ALL, FORMAT(1, 1)));
	EXPECT_EQ(TEST_DISK / 4096, nsze(&self->t, 1, &lbads, &fpi));
	EXPECT_EQ(TEST_DISK / 4096, nsze(&self->t, 2, &lbads, &fpi));
	EXPECT_TRUE(disk_is(&self->t, 1, 0));
	EXPECT_TRUE(disk_is(&self->t, 2, 0));
}

TEST_F(nvme, bad_formats_are_refused)
{
	u32 i;

	nvme_driver_create_pair(self->drv, 1, 16, 1);
	fill(&self->t, 1, 9);
	for (i = 2; i < 16; i++)
		EXPECT_EQ(SC(FORMAT_INVALID), format(self->drv, 1, i));
	for (i = 1; i < 4; i++)
		EXPECT_EQ(SC(FORMAT_INVALID), format(self->drv, 1, i << 12));
	for (i = 1; i < 8; i++)
		EXPECT_EQ(SC(FORMAT_INVALID), format(self->drv, 1, i << 5));
	for (i = 2; i < 8; i++)
		EXPECT_EQ(SC(INVALID_FIELD),
			  format(self->drv, 1, FORMAT(0, i)));
	EXPECT_EQ(SC(INVALID_NS), format(self->drv, 0, 0));
	EXPECT_EQ(SC(INVALID_NS), format(self->drv, 3, 0));
	EXPECT_EQ(SC(INVALID_NS), format(self->drv, 0xfffffffe, 0));
	atomic_store(&test_ctrl(&self->t)->ns[1]->attached, false);
	EXPECT_EQ(SC(INVALID_FIELD), format(self->drv, 2, 0));
	EXPECT_TRUE(disk_is(&self->t, 1, 9));
}

TEST(read_only_namespaces_are_not_formatted)
{
	struct test_nvme t;
	u8 lbads, fpi;

	test_nvme_create(&t, 1, TEST_DISK, ",ro");
	nvme_driver_enable(&t.drv, TEST_ADMIN);
	EXPECT_EQ(SC(NS_WRITE_PROTECTED), format(&t.drv, 1, FORMAT(1, 0)));
	EXPECT_EQ(SC(NS_WRITE_PROTECTED),
		  format(&t.drv, NVME_NSID_ALL, FORMAT(1, 0)));
	EXPECT_EQ(TEST_LBAS, nsze(&t, 1, &lbads, &fpi));
	test_nvme_destroy(&t);
}

TEST_F(nvme, uncorrectable_blocks_are_forgotten)
{
	nvme_driver_create_pair(self->drv, 1, 16, 1);
	ASSERT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_WRITE_UNCORR, 1, 7,
				    1, self->buf));
	EXPECT_EQ(SC(READ_ERROR), nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1,
						 7, 1, self->buf));
	ASSERT_EQ(0, format(self->drv, 1, 0));
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 7, 1,
				    self->buf));
}

TEST_F(nvme, changes_are_told)
{
	u32 *changed = (void *)self->ptr;

	ASSERT_EQ(0, format(self->drv, 2, FORMAT(1, 0)));
	ASSERT_EQ(0, nvme_driver_get_log(self->drv, NVME_LID_CHANGED_NS, 0,
					 4096, self->buf));
	EXPECT_EQ(2, changed[0]);
	EXPECT_EQ(0, changed[1]);
}

/* Commands that are in flight see the old format, later ones the new. */
TEST_F(nvme, format_under_load)
{
	struct nvme_pair *pair = &self->drv->pair[1];
	struct nvme_pair *admin = &self->drv->pair[0];
	struct nvme_sqe cmd, fmt;
	struct nvme_cqe cqe;
	u32 round, i, nr;

	nvme_driver_create_pair(self->drv, 1, 256, 1);
	for (round = 0; round < 30; round++) {
		fmt = format_cmd(1, FORMAT(round & 1, 0));
		for (i = 0; i < 100; i++) {
			cmd = nvme_driver_cmd(NVME_IO_WRITE, 1);
			nvme_driver_set_rw(&cmd, TEST_LBAS - 1 - i, 1);
			nvme_driver_set_prps(self->drv, pair, &cmd, self->buf,
					     4096);
			nvme_driver_queue(pair, &cmd);
			if (i == 50) {
				nvme_driver_ring(self->drv, pair);
				nvme_driver_queue(admin, &fmt);
				nvme_driver_ring(self->drv, admin);
			}
		}
		nvme_driver_ring(self->drv, pair);
		ASSERT_TRUE(nvme_driver_wait(self->drv, admin, &cqe));
		ASSERT_EQ(0, nvme_driver_status(&cqe));
		for (nr = 0; nr < 100; nr++) {
			u16 status;

			ASSERT_TRUE(nvme_driver_wait(self->drv, pair, &cqe));
			status = nvme_driver_status(&cqe);
			ASSERT_TRUE(status == 0 || status == SC(LBA_RANGE) ||
				    status == SC(FORMAT_IN_PROGRESS))
				TH_LOG("status %x", status);
		}
		/* The image has not grown. */
		EXPECT_EQ(TEST_DISK,
			  block_info(test_ctrl(&self->t)->ns[0]->blk)->size);
	}
}

/* ---- a format that takes its time --------------------------------------------------- */

static u16 start(struct test_nvme *t, u32 nsid)
{
	struct nvme_sqe cmd = format_cmd(nsid, FORMAT(1, 1));
	u16 cid;

	cid = nvme_driver_queue(&t->drv.pair[0], &cmd);
	nvme_driver_ring(&t->drv, &t->drv.pair[0]);
	while (!atomic_load(&test_ctrl(t)->ns[nsid - 1]->formatting))
		testvm_poll(t->vm);
	return cid;
}

TEST(namespace_is_busy_meanwhile)
{
	struct nvme_sqe abort = nvme_driver_cmd(NVME_ADM_ABORT, 0);
	struct nvme_ctrl_list *list;
	struct nvme_sqe detach;
	struct nvme_cqe cqe;
	struct test_nvme t;
	u8 lbads, fpi;
	u16 cid;

	test_nvme_create(&t, 2, HUGE_DISK, "");
	nvme_driver_enable(&t.drv, TEST_ADMIN);
	nvme_driver_create_pair(&t.drv, 1, 16, 1);
	cid = start(&t, 1);
	EXPECT_EQ(SC(FORMAT_IN_PROGRESS),
		  rw(&t.drv, NVME_IO_READ, 1, 0, t.buf, 512));
	EXPECT_EQ(0, rw(&t.drv, NVME_IO_READ, 2, 0, t.buf, 512));
	EXPECT_EQ(SC(FORMAT_IN_PROGRESS), format(&t.drv, 1, 0));
	EXPECT_EQ(SC(FORMAT_IN_PROGRESS), format(&t.drv, NVME_NSID_ALL, 0));
	list = (void *)t.ptr;
	list->nr = cpu_to_le16(1);
	detach = nvme_driver_cmd(NVME_ADM_NS_ATTACHMENT, 1);
	detach.cdw10 = cpu_to_le32(NVME_ATTACH_SEL_DETACH);
	detach.prp.prp1 = cpu_to_le64(t.buf);
	EXPECT_EQ(SC(FORMAT_IN_PROGRESS), nvme_driver_admin(&t.drv, &detach));
	nsze(&t, 1, &lbads, &fpi);
	EXPECT_GT(fpi & NVME_FPI_REMAINING, 0);
	EXPECT_LE(fpi & NVME_FPI_REMAINING, 100);

	/* Abort: the format ends first, then the Abort says that it worked. */
	abort.cdw10 = cpu_to_le32((u32)cid << 16);
	nvme_driver_queue(&t.drv.pair[0], &abort);
	nvme_driver_ring(&t.drv, &t.drv.pair[0]);
	ASSERT_TRUE(nvme_driver_wait(&t.drv, &t.drv.pair[0], &cqe));
	EXPECT_EQ(cid, le16_to_cpu(cqe.cid));
	EXPECT_EQ(SC(ABORTED), nvme_driver_status(&cqe));
	ASSERT_TRUE(nvme_driver_wait(&t.drv, &t.drv.pair[0], &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	EXPECT_EQ(0, le32_to_cpu(cqe.dw0));
	/* The namespace is there again, in its new format. */
	EXPECT_EQ(HUGE_DISK / 4096, nsze(&t, 1, &lbads, &fpi));
	EXPECT_EQ(NVME_FPI_SUPPORTED, fpi);
	EXPECT_EQ(0, rw(&t.drv, NVME_IO_READ, 1, 0, t.buf, 4096));
	test_nvme_destroy(&t);
}

/* Two long ones at once, and I/O and fused commands to a third namespace. */
TEST(two_formats_and_others_share_the_controller)
{
	struct nvme_pair *io;
	struct nvme_cqe cqe;
	struct test_nvme t;
	u32 i;

	test_nvme_create(&t, 3, HUGE_DISK, "");
	nvme_driver_enable(&t.drv, TEST_ADMIN);
	nvme_driver_create_pair(&t.drv, 1, 16, 1);
	io = &t.drv.pair[1];
	start(&t, 1);
	start(&t, 2);
	for (i = 0; i < 50; i++) {
		struct nvme_sqe cmp = nvme_driver_cmd(NVME_IO_COMPARE, 3);
		struct nvme_sqe wr = nvme_driver_cmd(NVME_IO_WRITE, 3);

		ASSERT_EQ(0, rw(&t.drv, NVME_IO_READ, 3, i, t.buf, 512));
		memset(t.ptr, 0, 512);
		cmp.flags = NVME_FUSE_FIRST;
		wr.flags = NVME_FUSE_SECOND;
		nvme_driver_set_rw(&cmp, 0, 1);
		nvme_driver_set_rw(&wr, 0, 1);
		nvme_driver_set_prps(&t.drv, io, &cmp, t.buf, 512);
		nvme_driver_queue(io, &cmp);
		nvme_driver_set_prps(&t.drv, io, &wr, t.buf, 512);
		nvme_driver_queue(io, &wr);
		nvme_driver_ring(&t.drv, io);
		ASSERT_TRUE(nvme_driver_wait(&t.drv, io, &cqe));
		ASSERT_EQ(0, nvme_driver_status(&cqe));
		ASSERT_TRUE(nvme_driver_wait(&t.drv, io, &cqe));
		ASSERT_EQ(0, nvme_driver_status(&cqe));
	}
	EXPECT_TRUE(atomic_load(&test_ctrl(&t)->ns[0]->formatting));
	EXPECT_TRUE(atomic_load(&test_ctrl(&t)->ns[1]->formatting));
	test_nvme_destroy(&t);
}

TEST(reset_ends_it)
{
	struct test_nvme t;
	u8 lbads, fpi;

	test_nvme_create(&t, 1, HUGE_DISK, "");
	nvme_driver_enable(&t.drv, TEST_ADMIN);
	start(&t, 1);
	nvme_driver_enable(&t.drv, TEST_ADMIN);
	EXPECT_FALSE(atomic_load(&test_ctrl(&t)->ns[0]->formatting));
	nvme_driver_create_pair(&t.drv, 1, 16, 1);
	nsze(&t, 1, &lbads, &fpi);
	EXPECT_EQ(0, rw(&t.drv, NVME_IO_READ, 1, 0, t.buf, 1u << lbads));
	test_nvme_destroy(&t);
}

TEST(end_of_machine_ends_it)
{
	struct test_nvme t;

	test_nvme_create(&t, 1, HUGE_DISK, "");
	nvme_driver_enable(&t.drv, TEST_ADMIN);
	start(&t, 1);
	test_nvme_destroy(&t);
}

TEST_HARNESS_MAIN
