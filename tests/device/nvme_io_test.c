// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe I/O commands: what they do, and each status that they can have
 */
#include "tests/device/test_nvme.h"

#include "tests/lib/block_fault.h"

FIXTURE(io)
{
	struct test_nvme t;
	struct nvme_driver *drv;
	struct block *blk;
	u64 buf;
	u8 *ptr;
};

FIXTURE_VARIANT(io)
{
	const char *options;
	u32 bs;
};

FIXTURE_VARIANT_ADD(io, bs512)
{
	.options = ",queues=4",
	.bs = 512,
};

FIXTURE_VARIANT_ADD(io, bs4096_threads)
{
	.options = ",queues=4,bs=4096,iothreads=2,poll-us=20",
	.bs = 4096,
};

FIXTURE_SETUP(io)
{
	test_nvme_create(&self->t, 2, TEST_DISK, variant->options);
	self->drv = &self->t.drv;
	self->drv->block = variant->bs;
	self->buf = self->t.buf;
	self->ptr = self->t.ptr;
	nvme_driver_enable(self->drv, TEST_ADMIN);
	nvme_driver_create_pair(self->drv, 1, 32, 1);
	nvme_driver_create_pair(self->drv, 2, 32, 2);
	self->blk = test_ctrl(&self->t)->ns[0]->blk;
}

FIXTURE_TEARDOWN(io)
{
	test_nvme_destroy(&self->t);
}

#define LBAS	(TEST_DISK / variant->bs)

/* A command on blocks, without data. */
static struct nvme_sqe blocks(u8 opcode, u64 lba, u32 nr)
{
	struct nvme_sqe cmd = nvme_driver_cmd(opcode, 1);

	nvme_driver_set_rw(&cmd, lba, nr);
	return cmd;
}

static u16 exec_blocks(struct nvme_driver *drv, u8 opcode, u64 lba, u32 nr,
		       u32 flags)
{
	struct nvme_sqe cmd = blocks(opcode, lba, nr);

	cmd.cdw12 = cpu_to_le32(le32_to_cpu(cmd.cdw12) | flags);
	return nvme_driver_exec(drv, 1, &cmd);
}

#define RW(opcode, lba, nr)						\
	nvme_driver_rw(self->drv, 1, opcode, 1, lba, nr, self->buf)
#define WRITE(lba, nr)	RW(NVME_IO_WRITE, lba, nr)
#define READ(lba, nr)	RW(NVME_IO_READ, lba, nr)

/* ---- Read, Write, Flush ------------------------------------------------------------ */

TEST_F(io, read_gives_what_was_written)
{
	u8 disk[8192];

	memset(self->ptr, 0x5a, 8192);
	ASSERT_EQ(0, WRITE(16, 8192 / variant->bs));
	test_nvme_peek(&self->t, 1, 16 * variant->bs, disk, sizeof(disk));
	EXPECT_TRUE(test_all(disk, 0x5a, sizeof(disk)));
	memset(self->ptr, 0, 65536);
	ASSERT_EQ(0, READ(16, 65536 / variant->bs));
	EXPECT_TRUE(test_all(self->ptr, 0x5a, 8192));
	EXPECT_TRUE(test_all(self->ptr + 8192, 0, 65536 - 8192));
	/* Namespace 2 is another disk. */
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 2, NVME_IO_READ, 2, 16,
				    8192 / variant->bs, self->buf));
	EXPECT_TRUE(test_all(self->ptr, 0, 8192));
}

TEST_F(io, blocks_beyond_the_end)
{
	static const u8 opcodes[] = {
		NVME_IO_READ, NVME_IO_WRITE, NVME_IO_COMPARE,
		NVME_IO_WRITE_ZEROES, NVME_IO_VERIFY, NVME_IO_WRITE_UNCORR,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
		EXPECT_EQ(SC(LBA_RANGE), RW(opcodes[i], LBAS, 1));
		EXPECT_EQ(SC(LBA_RANGE), RW(opcodes[i], LBAS - 1, 2));
		EXPECT_EQ(SC(LBA_RANGE), RW(opcodes[i], ~0ULL, 2));
		EXPECT_EQ(SC(LBA_RANGE), RW(opcodes[i], 1ULL << 63, 1));
	}
	EXPECT_EQ(0, WRITE(LBAS - 1, 1));
	EXPECT_EQ(0, READ(LBAS - 1, 1));
}

TEST_F(io, namespaces_that_are_not_there)
{
	static const u8 opcodes[] = {
		NVME_IO_READ, NVME_IO_WRITE, NVME_IO_COMPARE,
		NVME_IO_WRITE_ZEROES, NVME_IO_VERIFY, NVME_IO_WRITE_UNCORR,
		NVME_IO_DSM, NVME_IO_COPY, NVME_IO_FLUSH,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
		struct nvme_sqe cmd = nvme_driver_cmd(opcodes[i], 0);

		EXPECT_EQ(SC(INVALID_NS), nvme_driver_exec(self->drv, 1, &cmd));
		cmd.nsid = cpu_to_le32(3);
		EXPECT_EQ(SC(INVALID_NS), nvme_driver_exec(self->drv, 1, &cmd));
		cmd.nsid = cpu_to_le32(NVME_NSID_ALL);
		EXPECT_EQ(opcodes[i] == NVME_IO_FLUSH ? 0 : SC(INVALID_NS),
			  nvme_driver_exec(self->drv, 1, &cmd));
	}
}

TEST_F(io, unknown_opcodes)
{
	u32 opcode, known = 0;

	for (opcode = 0; opcode < 256; opcode++) {
		struct nvme_sqe cmd = nvme_driver_cmd((u8)opcode, 1);

		if (nvme_cmd_find(nvme_io_cmds, nvme_io_cmds_nr,
				  (u8)opcode)) {
			known++;
			continue;
		}
		EXPECT_EQ(SC(INVALID_OPCODE),
			  nvme_driver_exec(self->drv, 1, &cmd));
	}
	EXPECT_EQ(9, known);
}

TEST_F(io, reserved_flags_and_directives)
{
	struct nvme_sqe cmd = blocks(NVME_IO_READ, 0, 1);
	u32 bit;

	cmd.prp.prp1 = cpu_to_le64(self->buf);
	for (bit = 2; bit < 6; bit++) {
		cmd.flags = (u8)BIT(bit);
		EXPECT_EQ(SC(INVALID_FIELD),
			  nvme_driver_exec(self->drv, 1, &cmd));
	}
	EXPECT_EQ(SC(INVALID_FIELD), exec_blocks(self->drv, NVME_IO_WRITE, 0,
						 1, 1U << 20));
}

/* What reaches the disk: the flags of the requests tell. */
TEST_F(io, fua_flush_and_a_disabled_cache_reach_the_disk)
{
	struct block_fault *fault = block_fault_attach(self->blk);
	struct block_fault_plan flushes = { .kinds = 1 << BLOCK_FLUSH };
	struct nvme_sqe flush = nvme_driver_cmd(NVME_IO_FLUSH, 1);
	struct nvme_sqe read = blocks(NVME_IO_READ, 0, 1);

	block_fault_plan(fault, &flushes);
	EXPECT_EQ(0, WRITE(0, 1));
	EXPECT_EQ(0, block_fault_seen(fault));
	EXPECT_EQ(0, nvme_driver_exec(self->drv, 1, &flush));
	EXPECT_EQ(1, block_fault_seen(fault));
	flush.nsid = cpu_to_le32(NVME_NSID_ALL);
	EXPECT_EQ(0, nvme_driver_exec(self->drv, 1, &flush));
	EXPECT_EQ(2, block_fault_seen(fault));
	/* FUA on a read: what is cached goes to the disk first. */
	read.prp.prp1 = cpu_to_le64(self->buf);
	read.cdw12 = cpu_to_le32(NVME_RW_CDW12_FUA);
	EXPECT_EQ(0, nvme_driver_exec(self->drv, 1, &read));
	EXPECT_EQ(3, block_fault_seen(fault));
	/* Switching the cache off flushes what it holds. */
	EXPECT_EQ(0, nvme_driver_set_feature(self->drv, NVME_FID_WRITE_CACHE,
					     0));
	EXPECT_EQ(4, block_fault_seen(fault));
	block_fault_detach(fault);
	EXPECT_EQ(0, WRITE(0, 1));
	EXPECT_TRUE(test_ctrl(&self->t)->tuning.write_through);
}

TEST_F(io, disk_errors_become_media_errors)
{
	static const struct {
		u8 opcode;
		int res;
		u16 status;
	} cases[] = {
		{ NVME_IO_READ, -EIO, 0x281 },
		{ NVME_IO_WRITE, -EIO, 0x280 },
		{ NVME_IO_WRITE, -ENOSPC, 0x081 },
		{ NVME_IO_WRITE, -EROFS, 0x020 },
		{ NVME_IO_READ, -ENOMEM, 0x006 },
		{ NVME_IO_COMPARE, -EIO, 0x281 },
		{ NVME_IO_VERIFY, -EIO, 0x281 },
		{ NVME_IO_WRITE_ZEROES, -EIO, 0x280 },
		{ NVME_IO_FLUSH, -EIO, 0x280 },
	};
	struct block_fault *fault = block_fault_attach(self->blk);
	struct nvme_stats sum;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct block_fault_plan plan = {
			.action = BLOCK_FAULT_FAIL,
			.first = 1,
			.count = 1,
			.result = cases[i].res,
		};

		block_fault_plan(fault, &plan);
		EXPECT_EQ(cases[i].status, RW(cases[i].opcode, 8, 1))
			TH_LOG("case %u", i);
		EXPECT_EQ(0, RW(cases[i].opcode, 8, 1));
	}
	nvme_stats_sum(test_ctrl(&self->t), &sum);
	EXPECT_EQ(6, sum.media_errors);
	block_fault_detach(fault);
}

TEST_F(io, counters_are_true)
{
	struct nvme_stats sum;

	EXPECT_EQ(0, WRITE(0, 3));
	EXPECT_EQ(0, WRITE(0, 1));
	EXPECT_EQ(0, READ(0, 5));
	EXPECT_EQ(SC(LBA_RANGE), READ(LBAS, 5));
	nvme_stats_sum(test_ctrl(&self->t), &sum);
	EXPECT_EQ(2, sum.writes);
	EXPECT_EQ(4 * variant->bs / 512, sum.write_units);
	EXPECT_EQ(1, sum.reads);
	EXPECT_EQ(5 * variant->bs / 512, sum.read_units);
	EXPECT_LT(0, sum.busy_ns);
}

/* ---- Write Zeroes, Dataset Management, Verify, Write Uncorrectable ------------------- */

TEST_F(io, write_zeroes)
{
	u32 deac;

	for (deac = 0; deac < 2; deac++) {
		memset(self->ptr, 0x77, TEST_BUF);
		ASSERT_EQ(0, WRITE(0, 16));
		EXPECT_EQ(0, exec_blocks(self->drv, NVME_IO_WRITE_ZEROES, 4, 8,
					 (deac ? NVME_RW_CDW12_DEAC : 0) |
					 NVME_RW_CDW12_FUA));
		ASSERT_EQ(0, READ(0, 16));
		EXPECT_TRUE(test_all(self->ptr, 0x77, 4 * variant->bs));
		EXPECT_TRUE(test_all(self->ptr + 4 * variant->bs, 0,
				     8 * variant->bs));
		EXPECT_TRUE(test_all(self->ptr + 12 * variant->bs, 0x77,
				     4 * variant->bs));
	}
	/* There is no limit below that of the command. */
	EXPECT_EQ(0, exec_blocks(self->drv, NVME_IO_WRITE_ZEROES, 0,
				 min_of((u32)LBAS, 65536U), 0));
}

static u16 dsm(struct nvme_driver *drv, u64 buf, u32 nr, u32 cdw11)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_DSM, 1);

	cmd.cdw10 = cpu_to_le32(nr - 1);
	cmd.cdw11 = cpu_to_le32(cdw11);
	cmd.prp.prp1 = cpu_to_le64(buf);
	return nvme_driver_exec(drv, 1, &cmd);
}

static void put_range(u8 *at, u32 index, u64 slba, u32 nlb)
{
	struct nvme_dsm_range range = {
		.slba = cpu_to_le64(slba),
		.nlb = cpu_to_le32(nlb),
	};

	memcpy(at + index * sizeof(range), &range, sizeof(range));
}

TEST_F(io, dataset_management)
{
	u8 *ranges = self->ptr + 128 * KIB;
	u64 at = self->buf + 128 * KIB;
	u32 page = 4096 / variant->bs, i;

	memset(self->ptr, 0x77, 65536);
	ASSERT_EQ(0, WRITE(0, 65536 / variant->bs));
	for (i = 0; i < 256; i++)
		put_range(ranges, i, 2 * (i % 8) * page, i < 8 ? page : 0);
	/* Hints alone change nothing. */
	EXPECT_EQ(0, dsm(self->drv, at, 256,
			 NVME_DSM_CDW11_IDR | NVME_DSM_CDW11_IDW));
	ASSERT_EQ(0, READ(0, 65536 / variant->bs));
	EXPECT_TRUE(test_all(self->ptr, 0x77, 65536));
	EXPECT_EQ(0, dsm(self->drv, at, 256, NVME_DSM_CDW11_AD));
	ASSERT_EQ(0, READ(0, 65536 / variant->bs));
	for (i = 0; i < 16; i++)
		EXPECT_TRUE(test_all(self->ptr + i * 4096, i & 1 ? 0x77 : 0,
				     4096));
	/* All ranges are checked before one is deallocated. */
	ASSERT_EQ(0, WRITE(0, 8));
	put_range(ranges, 0, 0, 8);
	put_range(ranges, 1, LBAS, 1);
	EXPECT_EQ(SC(LBA_RANGE), dsm(self->drv, at, 2, NVME_DSM_CDW11_AD));
	put_range(ranges, 1, ~0ULL, 0xffffffff);
	EXPECT_EQ(SC(LBA_RANGE), dsm(self->drv, at, 2, NVME_DSM_CDW11_AD));
	EXPECT_EQ(SC(PRP_INVALID_OFFSET), dsm(self->drv, at + 1, 1, 4));
	EXPECT_EQ(SC(DATA_TRANSFER), dsm(self->drv, 1ULL << 44, 1, 4));
}

TEST_F(io, verify_reads_everything)
{
	struct block_fault *fault = block_fault_attach(self->blk);
	struct block_fault_plan reads = { .kinds = 1 << BLOCK_READ };

	block_fault_plan(fault, &reads);
	EXPECT_EQ(0, exec_blocks(self->drv, NVME_IO_VERIFY, 0,
				 MIB / variant->bs, 0));
	EXPECT_EQ(MIB / NVME_SCRATCH_BYTES, block_fault_seen(fault));
	block_fault_detach(fault);
}

TEST_F(io, uncorrectable_blocks_fail_until_they_are_written)
{
	ASSERT_EQ(0, exec_blocks(self->drv, NVME_IO_WRITE_UNCORR, 10, 4, 0));
	EXPECT_EQ(SC(READ_ERROR), READ(10, 1));
	EXPECT_EQ(SC(READ_ERROR), READ(0, 11));
	EXPECT_EQ(SC(READ_ERROR), READ(13, 8));
	EXPECT_EQ(SC(READ_ERROR), RW(NVME_IO_COMPARE, 13, 1));
	EXPECT_EQ(SC(READ_ERROR), exec_blocks(self->drv, NVME_IO_VERIFY, 8, 8,
					      0));
	EXPECT_EQ(0, READ(0, 10));
	EXPECT_EQ(0, READ(14, 2));
	/* A write in the middle heals what it writes. */
	EXPECT_EQ(0, WRITE(11, 2));
	EXPECT_EQ(0, READ(11, 2));
	EXPECT_EQ(SC(READ_ERROR), READ(10, 1));
	EXPECT_EQ(SC(READ_ERROR), READ(13, 1));
	EXPECT_EQ(0, exec_blocks(self->drv, NVME_IO_WRITE_ZEROES, 0, 16, 0));
	EXPECT_EQ(0, READ(0, 16));
	EXPECT_EQ(0, test_ctrl(&self->t)->ns[0]->unc_nr);
}

/* Against a bitmap: marks and writes of random ranges. */
TEST_F(io, uncorrectable_ranges_are_exact)
{
	bool bad[64] = { 0 };
	struct test_random rnd;
	u32 round, i;

	test_random_init(&rnd);
	for (round = 0; round < 300; round++) {
		u32 lba = (u32)test_random_below(&rnd, 60);
		u32 nr = 1 + (u32)test_random_below(&rnd, 4);
		bool mark = test_random_below(&rnd, 2);

		ASSERT_EQ(0, mark ? exec_blocks(self->drv,
						NVME_IO_WRITE_UNCORR, lba, nr,
						0) : WRITE(lba, nr));
		for (i = lba; i < lba + nr; i++)
			bad[i] = mark;
		for (i = 0; i < 64; i++)
			ASSERT_EQ(bad[i],
				  nvme_unc_hit(test_ctrl(&self->t)->ns[0], i,
					       1))
				TH_LOG("round %u: block %u", round, i);
	}
}

TEST_F(io, too_many_uncorrectable_ranges)
{
	u32 i;

	for (i = 0; i < NVME_UNC_RANGES_MAX; i++)
		ASSERT_EQ(0, exec_blocks(self->drv, NVME_IO_WRITE_UNCORR,
					 2 * i, 1, 0));
	EXPECT_EQ(SC(INTERNAL), exec_blocks(self->drv, NVME_IO_WRITE_UNCORR,
					    2 * i, 1, 0));
	/* One that joins two makes room. */
	EXPECT_EQ(0, exec_blocks(self->drv, NVME_IO_WRITE_UNCORR, 1, 1, 0));
	EXPECT_EQ(0, exec_blocks(self->drv, NVME_IO_WRITE_UNCORR, 2 * i, 1, 0));
	EXPECT_EQ(SC(READ_ERROR), READ(2 * i, 1));
}

/* ---- Compare, fused ------------------------------------------------------------------ */

TEST_F(io, compare)
{
	struct test_random rnd;
	u32 i, nr = 65536 / variant->bs;

	test_random_init(&rnd);
	test_random_fill(&rnd, self->ptr, TEST_BUF);
	ASSERT_EQ(0, WRITE(0, nr));
	EXPECT_EQ(0, RW(NVME_IO_COMPARE, 0, nr));
	for (i = 0; i < 20; i++) {
		u32 at = (u32)test_random_below(&rnd, 65536);

		self->ptr[at] ^= 1;
		EXPECT_EQ(SC(COMPARE_FAILURE), RW(NVME_IO_COMPARE, 0, nr));
		self->ptr[at] ^= 1;
	}
	EXPECT_EQ(0, RW(NVME_IO_COMPARE, 0, nr));
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  nvme_driver_rw(self->drv, 1, NVME_IO_COMPARE, 1, 0, 1,
				 self->buf + 2));
}

/* @ring_between: the two come with two doorbell writes. */
static void fused(struct nvme_driver *drv, const struct nvme_sqe *first,
		  const struct nvme_sqe *second, bool ring_between,
		  u16 status[2])
{
	struct nvme_pair *pair = &drv->pair[1];
	struct nvme_cqe cqe;
	u16 cids[2];
	u32 i;

	cids[0] = nvme_driver_queue(pair, first);
	if (ring_between) {
		nvme_driver_ring(drv, pair);
		nvme_driver_wait(drv, pair, &cqe);
		nvme_driver_ack(drv, pair);
		status[0] = nvme_driver_status(&cqe);
		cids[1] = nvme_driver_queue(pair, second);
		nvme_driver_ring(drv, pair);
		nvme_driver_wait(drv, pair, &cqe);
		status[1] = nvme_driver_status(&cqe);
		nvme_driver_ack(drv, pair);
		return;
	}
	cids[1] = nvme_driver_queue(pair, second);
	nvme_driver_ring(drv, pair);
	for (i = 0; i < 2; i++) {
		nvme_driver_wait(drv, pair, &cqe);
		/* In their order. */
		if (le16_to_cpu(cqe.cid) != cids[i])
			abort();
		status[i] = nvme_driver_status(&cqe);
	}
	nvme_driver_ack(drv, pair);
}

static struct nvme_sqe half(u8 opcode, u64 lba, u32 nr, u64 buf, u8 fuse)
{
	struct nvme_sqe cmd = blocks(opcode, lba, nr);

	cmd.prp.prp1 = cpu_to_le64(buf);
	cmd.flags = fuse;
	return cmd;
}

TEST_F(io, compare_and_write)
{
	struct nvme_sqe c = half(NVME_IO_COMPARE, 4, 1, self->buf, 1);
	struct nvme_sqe w = half(NVME_IO_WRITE, 4, 1, self->buf + 4096, 2);
	u16 s[2];

	memset(self->ptr, 0, 4096);
	memset(self->ptr + 4096, 0x31, 4096);
	fused(self->drv, &c, &w, false, s);
	EXPECT_EQ(0, s[0]);
	EXPECT_EQ(0, s[1]);
	/* Now the comparison fails, and nothing is written. */
	memset(self->ptr + 4096, 0x32, 4096);
	fused(self->drv, &c, &w, false, s);
	EXPECT_EQ(SC(COMPARE_FAILURE), s[0]);
	EXPECT_EQ(SC(ABORTED_FUSED_FAILED), s[1]);
	ASSERT_EQ(0, READ(4, 1));
	EXPECT_TRUE(test_all(self->ptr, 0x31, variant->bs));
	/* Another command goes on as if nothing had been. */
	EXPECT_EQ(0, READ(0, 8));
}

TEST_F(io, wrong_pairs)
{
	struct nvme_sqe c = half(NVME_IO_COMPARE, 4, 1, self->buf, 1);
	struct nvme_sqe w = half(NVME_IO_WRITE, 4, 1, self->buf, 2);
	struct nvme_sqe other = half(NVME_IO_WRITE, 5, 1, self->buf, 2);
	struct nvme_sqe far = half(NVME_IO_WRITE, LBAS, 1, self->buf, 2);
	struct nvme_sqe read = half(NVME_IO_READ, 4, 1, self->buf, 0);
	struct nvme_sqe bad = half(NVME_IO_READ, 4, 1, self->buf, 3);
	u16 s[2];

	memset(self->ptr, 0, 4096);
	fused(self->drv, &c, &other, false, s);
	EXPECT_EQ(SC(INVALID_FIELD), s[0]);
	EXPECT_EQ(SC(ABORTED_FUSED_FAILED), s[1]);
	fused(self->drv, &c, &far, false, s);
	EXPECT_EQ(SC(ABORTED_FUSED_FAILED), s[0]);
	EXPECT_EQ(SC(LBA_RANGE), s[1]);
	fused(self->drv, &c, &read, false, s);
	EXPECT_EQ(SC(ABORTED_FUSED_MISSING), s[0]);
	EXPECT_EQ(0, s[1]);
	fused(self->drv, &c, &c, false, s);
	EXPECT_EQ(SC(ABORTED_FUSED_MISSING), s[0]);
	EXPECT_EQ(SC(ABORTED_FUSED_MISSING), s[1]);
	fused(self->drv, &w, &c, false, s);
	EXPECT_EQ(SC(ABORTED_FUSED_MISSING), s[0]);
	EXPECT_EQ(SC(ABORTED_FUSED_MISSING), s[1]);
	fused(self->drv, &bad, &read, false, s);
	EXPECT_EQ(SC(INVALID_FIELD), s[0]);
	EXPECT_EQ(0, s[1]);
	/* Not with one doorbell write. */
	fused(self->drv, &c, &w, true, s);
	EXPECT_EQ(SC(ABORTED_FUSED_MISSING), s[0]);
	EXPECT_EQ(SC(ABORTED_FUSED_MISSING), s[1]);
	fused(self->drv, &c, &w, false, s);
	EXPECT_EQ(0, s[0] | s[1]);
}

/*
 * Two queues on two threads count up one block with Compare and Write: no
 * count is lost, so no other write came between.
 */
TEST_F(io, compare_and_write_is_atomic)
{
	u64 old[2] = { self->buf, self->buf + 8192 };
	u64 count[2] = { 0 }, tries = 0, expected;
	bool busy[2] = { false }, done = false;
	u32 q, got[2] = { 0 };
	struct nvme_cqe cqe;
	u16 first_status[2] = { 0 };

	memset(self->ptr, 0, 16384);
	ASSERT_EQ(0, WRITE(0, 1));
	while (!done) {
		done = true;
		for (q = 0; q < 2; q++) {
			struct nvme_pair *pair = &self->drv->pair[q + 1];
			u64 *cmp = nvme_driver_ptr(self->drv, old[q]);
			u64 *new = cmp + 512;
			struct nvme_sqe c, w;

			if (busy[q] && nvme_driver_reap(pair, &cqe)) {
				nvme_driver_ack(self->drv, pair);
				if (!got[q])
					first_status[q] =
						nvme_driver_status(&cqe);
				if (++got[q] == 2) {
					busy[q] = false;
					if (!first_status[q])
						count[q]++;
					/* Try the next number in any case. */
					*cmp = count[0] + count[1];
				}
			}
			if (!busy[q] && count[q] < 100 && tries < 20000) {
				*new = *cmp + 1;
				c = half(NVME_IO_COMPARE, 0, 1, old[q], 1);
				w = half(NVME_IO_WRITE, 0, 1, old[q] + 4096, 2);
				nvme_driver_queue(pair, &c);
				nvme_driver_queue(pair, &w);
				nvme_driver_ring(self->drv, pair);
				busy[q] = true;
				got[q] = 0;
				tries++;
			}
			done &= !busy[q];
		}
		testvm_poll(self->t.vm);
	}
	expected = count[0] + count[1];
	ASSERT_EQ(0, READ(0, 1));
	EXPECT_EQ(expected, *(u64 *)(void *)self->ptr);
	EXPECT_LT(50, expected);
}

/* ---- Copy --------------------------------------------------------------------------- */

static void put_copy(u8 *at, u32 index, u64 slba, u32 nlb)
{
	struct nvme_copy_range range = {
		.slba = cpu_to_le64(slba),
		.nlb_0based = cpu_to_le16((u16)(nlb - 1)),
	};

	memcpy(at + index * sizeof(range), &range, sizeof(range));
}

static u16 copy(struct nvme_driver *drv, u64 buf, u32 nr, u64 sdlba, u32 flags)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_COPY, 1);

	cmd.cdw10 = cpu_to_le32((u32)sdlba);
	cmd.cdw11 = cpu_to_le32((u32)(sdlba >> 32));
	cmd.cdw12 = cpu_to_le32((nr - 1) | flags);
	cmd.prp.prp1 = cpu_to_le64(buf);
	return nvme_driver_exec(drv, 1, &cmd);
}

TEST_F(io, copy_gathers_its_ranges)
{
	u8 *ranges = self->ptr + 128 * KIB;
	u64 at = self->buf + 128 * KIB;
	u8 data[16 * 4096];
	struct test_random rnd;
	u32 i;

	test_random_init(&rnd);
	test_random_fill(&rnd, data, sizeof(data));
	memcpy(self->ptr, data, sizeof(data));
	ASSERT_EQ(0, WRITE(0, 16));
	for (i = 0; i < 8; i++)
		put_copy(ranges, i, 2 * i, 2 - i % 2);
	ASSERT_EQ(0, copy(self->drv, at, 8, 100, NVME_COPY_CDW12_FUA));
	ASSERT_EQ(0, READ(100, 12));
	for (i = 0; i < 12; i++) {
		u32 from = i / 3 * 4 + i % 3;

		EXPECT_EQ(0, memcmp(self->ptr + i * variant->bs,
				    data + from * variant->bs, variant->bs))
			TH_LOG("block %u", i);
	}
}

TEST_F(io, copy_in_pieces)
{
	u32 nr = MIB / variant->bs;
	u64 at = self->buf + 128 * KIB;

	memset(self->ptr, 0x41, 65536);
	ASSERT_EQ(0, WRITE(nr - 4, 4));
	put_copy(self->ptr + 128 * KIB, 0, 0, nr);
	ASSERT_EQ(0, copy(self->drv, at, 1, 2 * nr, 0));
	ASSERT_EQ(0, READ(3 * nr - 4, 4));
	EXPECT_TRUE(test_all(self->ptr, 0x41, 4 * variant->bs));
}

TEST_F(io, wrong_copies)
{
	u8 *ranges = self->ptr + 128 * KIB;
	u64 at = self->buf + 128 * KIB;
	u32 i;

	put_copy(ranges, 0, LBAS - 1, 2);
	EXPECT_EQ(SC(LBA_RANGE), copy(self->drv, at, 1, 0, 0));
	put_copy(ranges, 0, 0, 2);
	EXPECT_EQ(SC(LBA_RANGE), copy(self->drv, at, 1, LBAS - 1, 0));
	EXPECT_EQ(SC(LBA_RANGE), copy(self->drv, at, 1, ~0ULL, 0));
	put_copy(ranges, 0, 0, 65536);
	EXPECT_EQ(SC(COMMAND_SIZE_LIMIT), copy(self->drv, at, 1, 0, 0));
	for (i = 0; i < 33; i++)
		put_copy(ranges, i, 0, 2000);
	EXPECT_EQ(SC(COMMAND_SIZE_LIMIT), copy(self->drv, at, 33, 0, 0));
	EXPECT_EQ(SC(COMMAND_SIZE_LIMIT), copy(self->drv, at, 129, 0, 0));
	EXPECT_EQ(SC(INVALID_FIELD), copy(self->drv, at, 1, 0, 1U << 8));
	EXPECT_EQ(SC(INVALID_FIELD), copy(self->drv, at, 1, 0, 1U << 20));
	EXPECT_EQ(SC(DATA_TRANSFER), copy(self->drv, 1ULL << 44, 1, 0, 0));
	/* An uncorrectable source: the result names the range. */
	ASSERT_EQ(0, exec_blocks(self->drv, NVME_IO_WRITE_UNCORR, 50, 1, 0));
	put_copy(ranges, 0, 0, 2);
	put_copy(ranges, 1, 50, 2);
	EXPECT_EQ(SC(READ_ERROR), copy(self->drv, at, 2, 100, 0));
	EXPECT_EQ(1, le32_to_cpu(self->drv->cqe.dw0));
}

/* More of them than there are buffers. */
TEST_F(io, many_verifies_take_turns)
{
	struct nvme_pair *pair = &self->drv->pair[1];
	struct nvme_sqe cmd = blocks(NVME_IO_VERIFY, 0, MIB / variant->bs);
	struct nvme_cqe cqe;
	u32 i;

	for (i = 0; i < 31; i++)
		nvme_driver_queue(pair, &cmd);
	nvme_driver_ring(self->drv, pair);
	for (i = 0; i < 31; i++) {
		ASSERT_TRUE(nvme_driver_wait(self->drv, pair, &cqe));
		EXPECT_EQ(0, nvme_driver_status(&cqe));
	}
	nvme_driver_ack(self->drv, pair);
}

/* ---- write protection ------------------------------------------------------------------ */

TEST(a_read_only_namespace_says_so)
{
	static const u8 writers[] = {
		NVME_IO_WRITE, NVME_IO_WRITE_ZEROES, NVME_IO_WRITE_UNCORR,
		NVME_IO_DSM, NVME_IO_COPY,
	};
	struct test_nvme t;
	u32 i;

	test_nvme_create(&t, 1, TEST_DISK, ",ro");
	nvme_driver_enable(&t.drv, TEST_ADMIN);
	nvme_driver_create_pair(&t.drv, 1, 16, 1);
	for (i = 0; i < ARRAY_SIZE(writers); i++)
		EXPECT_EQ(SC(NS_WRITE_PROTECTED),
			  nvme_driver_rw(&t.drv, 1, writers[i], 1, 0, 1,
					 t.buf));
	EXPECT_EQ(0, nvme_driver_rw(&t.drv, 1, NVME_IO_READ, 1, 0, 1, t.buf));
	EXPECT_EQ(0, nvme_driver_rw(&t.drv, 1, NVME_IO_COMPARE, 1, 0, 1,
				    t.buf));
	test_nvme_destroy(&t);
}

TEST_HARNESS_MAIN
