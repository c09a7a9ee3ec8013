// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe data pointers: PRPs and SGLs in every shape, and every error
 *
 * Each shape is used for a Write and a Read of the same blocks; what is in the
 * image file and in guest memory tells whether every byte went where it should,
 * and no byte elsewhere.
 */
#include "tests/device/test_nvme.h"

#define PAGE		4096U
#define AREA		(4 * MIB)	/* where data and lists are put */

FIXTURE(dptr)
{
	struct test_nvme t;
	struct nvme_driver *drv;
	struct test_random rnd;
	u64 area;
	u8 *ptr;
};

FIXTURE_SETUP(dptr)
{
	test_nvme_create(&self->t, 1, TEST_DISK, ",queues=4,mdts=8");
	self->drv = &self->t.drv;
	nvme_driver_enable(self->drv, TEST_ADMIN);
	nvme_driver_create_pair(self->drv, 1, 16, 1);
	self->area = round_up_to(nvme_driver_alloc(self->drv, AREA + MIB),
				 65536);
	self->ptr = nvme_driver_ptr(self->drv, self->area);
	test_random_init(&self->rnd);
}

FIXTURE_TEARDOWN(dptr)
{
	test_nvme_destroy(&self->t);
}

static struct nvme_sqe rw(u8 opcode, u32 bytes)
{
	struct nvme_sqe cmd = nvme_driver_cmd(opcode, 1);

	nvme_driver_set_rw(&cmd, 8, bytes / 512);
	return cmd;
}

static u16 exec_prps(struct nvme_driver *drv, u8 opcode, u32 bytes, u64 prp1,
		     u64 prp2)
{
	struct nvme_sqe cmd = rw(opcode, bytes);

	cmd.prp.prp1 = cpu_to_le64(prp1);
	cmd.prp.prp2 = cpu_to_le64(prp2);
	return nvme_driver_exec(drv, 1, &cmd);
}

static void put_prp(u8 *list, u32 index, u64 addr)
{
	__le64 le = cpu_to_le64(addr);

	memcpy(list + index * 8, &le, sizeof(le));
}

/**
 * struct piece - where a part of the data is in guest memory
 * @addr: guest address
 * @len: bytes
 */
struct piece {
	u64 addr;
	u64 len;
};

/*
 * Writes random data from the pieces and reads it back into them; nothing but
 * the pieces may change, and the image must hold them one after the other.
 */
static bool moves(struct test_nvme *t, struct test_random *rnd,
		  const struct piece *pieces, u32 nr, struct nvme_sqe cmd)
{
	static u8 data[2 * MIB], disk[2 * MIB], before[AREA];
	u64 area = pieces[nr].addr, at = 0;
	u8 *mem = nvme_driver_ptr(&t->drv, area);
	u32 i;

	for (i = 0; i < nr; i++) {
		test_random_fill(rnd, data + at, pieces[i].len);
		memcpy(nvme_driver_ptr(&t->drv, pieces[i].addr), data + at,
		       pieces[i].len);
		at += pieces[i].len;
	}
	cmd.opcode = NVME_IO_WRITE;
	if (nvme_driver_exec(&t->drv, 1, &cmd))
		return false;
	test_nvme_peek(t, 1, 4096, disk, at);
	if (memcmp(disk, data, at))
		return false;
	for (i = 0; i < nr; i++)
		memset(nvme_driver_ptr(&t->drv, pieces[i].addr), 0xee,
		       pieces[i].len);
	memcpy(before, mem, AREA);
	cmd.opcode = NVME_IO_READ;
	if (nvme_driver_exec(&t->drv, 1, &cmd))
		return false;
	for (i = 0, at = 0; i < nr; at += pieces[i++].len) {
		if (memcmp(nvme_driver_ptr(&t->drv, pieces[i].addr), data + at,
			   pieces[i].len))
			return false;
		memset(nvme_driver_ptr(&t->drv, pieces[i].addr), 0xee,
		       pieces[i].len);
	}
	return !memcmp(before, mem, AREA);
}

/* ---- PRP ------------------------------------------------------------------------ */

TEST_F(dptr, one_page_at_any_dword)
{
	struct nvme_sqe cmd = rw(0, 512);
	u32 offset;

	for (offset = 0; offset <= PAGE - 512; offset += 100) {
		struct piece p[] = { { self->area + offset, 512 },
				     { self->area, 0 } };

		cmd.prp.prp1 = cpu_to_le64(p[0].addr);
		cmd.prp.prp2 = cpu_to_le64(~0ULL);	/* not used */
		ASSERT_TRUE(moves(&self->t, &self->rnd, p, 1, cmd))
			TH_LOG("offset %u", offset);
	}
}

TEST_F(dptr, two_pages_with_an_offset)
{
	struct nvme_sqe cmd = rw(0, PAGE);
	u32 offset;

	for (offset = 4; offset < PAGE; offset += 508) {
		struct piece p[] = {
			{ self->area + offset, PAGE - offset },
			{ self->area + 10 * PAGE, offset },
			{ self->area, 0 },
		};

		cmd.prp.prp1 = cpu_to_le64(p[0].addr);
		cmd.prp.prp2 = cpu_to_le64(p[1].addr);
		ASSERT_TRUE(moves(&self->t, &self->rnd, p, 2, cmd))
			TH_LOG("offset %u", offset);
	}
}

/*
 * A list of @pages scattered pages that begins @skip entries before the end of
 * a page, so that it goes on in other list pages.
 */
static bool list_moves(struct test_nvme *t, struct test_random *rnd, u64 area,
		       u32 pages, u32 skip)
{
	struct nvme_sqe cmd = rw(0, pages * PAGE);
	u64 list = area + AREA - PAGE;
	struct piece p[260];
	u32 at = 512 - skip, i;

	cmd.prp.prp1 = cpu_to_le64(area);
	cmd.prp.prp2 = cpu_to_le64(list + at * 8);
	p[0] = (struct piece){ area, PAGE };
	for (i = 1; i < pages; i++) {
		/* Backwards, so that no two adjoin. */
		p[i] = (struct piece){ area + (2 * pages - i) * PAGE, PAGE };
		if (at == 511 && i + 1 < pages) {
			put_prp(nvme_driver_ptr(&t->drv, list), at,
				list - PAGE);
			list -= PAGE;
			at = 0;
		}
		put_prp(nvme_driver_ptr(&t->drv, list), at++, p[i].addr);
	}
	p[pages] = (struct piece){ area, 0 };
	return moves(t, rnd, p, pages, cmd);
}

TEST_F(dptr, prp_lists)
{
	static const u32 pages[] = { 3, 4, 65, 66, 256 };
	static const u32 skip[] = { 512, 256, 100, 3, 2, 1 };
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(pages); i++)
		for (j = 0; j < ARRAY_SIZE(skip); j++)
			ASSERT_TRUE(list_moves(&self->t, &self->rnd,
					       self->area, pages[i], skip[j]))
				TH_LOG("%u pages, %u entries in the first list",
				       pages[i], skip[j]);
}

TEST_F(dptr, prps_with_wrong_offsets)
{
	struct nvme_driver *drv = self->drv;
	u64 a = self->area;
	u8 *list = self->ptr + 100 * PAGE;
	u32 i;

	for (i = 1; i < 4; i++)
		EXPECT_EQ(SC(PRP_INVALID_OFFSET),
			  exec_prps(drv, NVME_IO_READ, 512, a + i, 0));
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  exec_prps(drv, NVME_IO_READ, 2 * PAGE, a, a + PAGE + 4));
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  exec_prps(drv, NVME_IO_WRITE, PAGE, a + 512, a + PAGE + 512));
	/* Lists are of qwords. */
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  exec_prps(drv, NVME_IO_READ, 3 * PAGE, a, a + 100 * PAGE + 4));
	/* Entries of a list have no offset. */
	put_prp(list, 0, a + PAGE);
	put_prp(list, 1, a + 2 * PAGE + 8);
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  exec_prps(drv, NVME_IO_READ, 3 * PAGE, a, a + 100 * PAGE));
	/* Nor has the pointer to the next list. */
	put_prp(list, 510, a + PAGE);
	put_prp(list, 511, a + 102 * PAGE + 8);
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  exec_prps(drv, NVME_IO_READ, 5 * PAGE, a,
			    a + 100 * PAGE + 510 * 8));
}

TEST_F(dptr, prps_outside_memory)
{
	struct nvme_driver *drv = self->drv;
	u64 bad[] = { 1ULL << 40, ~0xfffULL, drv->bar0,
		      TESTVM_RAM + self->t.vm->config.memory_bytes };
	u8 *list = self->ptr + 100 * PAGE;
	u64 a = self->area;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(SC(DATA_TRANSFER),
			  exec_prps(drv, NVME_IO_READ, 512, bad[i], 0));
		EXPECT_EQ(SC(DATA_TRANSFER),
			  exec_prps(drv, NVME_IO_WRITE, 2 * PAGE, a, bad[i]));
		EXPECT_EQ(SC(DATA_TRANSFER),
			  exec_prps(drv, NVME_IO_READ, 3 * PAGE, a, bad[i]));
		put_prp(list, 0, a);
		put_prp(list, 1, bad[i]);
		EXPECT_EQ(SC(DATA_TRANSFER),
			  exec_prps(drv, NVME_IO_READ, 3 * PAGE, a,
				    a + 100 * PAGE));
		put_prp(list, 511, bad[i]);
		EXPECT_EQ(SC(DATA_TRANSFER),
			  exec_prps(drv, NVME_IO_READ, 3 * PAGE, a,
				    a + 100 * PAGE + 511 * 8));
	}
	/* The last bytes of memory are fine, the first beyond are not. */
	EXPECT_EQ(0, exec_prps(drv, NVME_IO_READ, 512, bad[3] - 512, 0));
	EXPECT_EQ(SC(DATA_TRANSFER),
		  exec_prps(drv, NVME_IO_READ, PAGE, bad[3] - 512, bad[3]));
}

TEST_F(dptr, larger_than_mdts)
{
	u64 a = self->area;

	EXPECT_EQ(SC(INVALID_FIELD),
		  exec_prps(self->drv, NVME_IO_READ, MIB + 512, a, a));
	EXPECT_EQ(SC(INVALID_FIELD),
		  exec_prps(self->drv, NVME_IO_WRITE, 2 * MIB, a, a));
}

/* ---- SGL ------------------------------------------------------------------------ */

#define TYPE(type)	((u8)((type) << 4))

static void put_sgl(u8 *at, u32 index, u8 id, u64 addr, u32 len)
{
	struct nvme_sgl sgl = {
		.addr = cpu_to_le64(addr),
		.length = cpu_to_le32(len),
		.id = id,
	};

	memcpy(at + index * sizeof(sgl), &sgl, sizeof(sgl));
}

static struct nvme_sqe sgl_cmd(u8 opcode, u32 bytes, u8 id, u64 addr, u32 len)
{
	struct nvme_sqe cmd = rw(opcode, bytes);

	cmd.flags = (u8)nvme_put(NVME_SQE_PSDT, NVME_PSDT_SGL_MPTR);
	put_sgl((u8 *)&cmd.sgl, 0, id, addr, len);
	return cmd;
}

static u16 exec_sgl(struct nvme_driver *drv, u8 opcode, u32 bytes, u8 id,
		    u64 addr, u32 len)
{
	struct nvme_sqe cmd = sgl_cmd(opcode, bytes, id, addr, len);

	return nvme_driver_exec(drv, 1, &cmd);
}

TEST_F(dptr, one_data_block_at_any_byte)
{
	u32 offset;

	for (offset = 0; offset < 9; offset++) {
		struct piece p[] = { { self->area + offset, 8 * PAGE },
				     { self->area, 0 } };

		ASSERT_TRUE(moves(&self->t, &self->rnd, p, 1,
				  sgl_cmd(0, 8 * PAGE, TYPE(NVME_SGL_DATA),
					  p[0].addr, 8 * PAGE)));
	}
}

TEST_F(dptr, psdt_10b_is_the_same_without_metadata)
{
	struct piece p[] = { { self->area, PAGE }, { self->area, 0 } };
	struct nvme_sqe cmd = sgl_cmd(0, PAGE, TYPE(NVME_SGL_DATA),
				      self->area, PAGE);

	cmd.flags = (u8)nvme_put(NVME_SQE_PSDT, NVME_PSDT_SGL_MSGL);
	EXPECT_TRUE(moves(&self->t, &self->rnd, p, 1, cmd));
	cmd.flags = (u8)nvme_put(NVME_SQE_PSDT, 3);
	EXPECT_EQ(SC(INVALID_FIELD), nvme_driver_exec(self->drv, 1, &cmd));
}

/* Random pieces in random order, in segments of random sizes. */
TEST_F(dptr, random_sgls)
{
	u32 round;

	for (round = 0; round < 100; round++) {
		u32 nr = 1 + (u32)test_random_below(&self->rnd, 40);
		u32 left = (1 + (u32)test_random_below(&self->rnd, 256)) * 512;
		u32 bytes = left, i, in_seg = 0, seg_len;
		u64 seg = self->area + AREA - 64 * PAGE;
		struct nvme_sqe cmd = rw(0, bytes);
		struct piece p[42];

		for (i = 0; i < nr; i++) {
			u32 len = i + 1 == nr ? left :
				  (u32)test_random_below(&self->rnd, left + 1);

			p[i].addr = self->area + i * 65536 +
				    test_random_below(&self->rnd, 1000);
			if (len > 60000 && i + 1 < nr)
				len = 60000;
			p[i].len = len;
			left -= len;
		}
		if (p[nr - 1].len > 60000)
			continue;
		p[nr] = (struct piece){ self->area, 0 };
		cmd.flags = (u8)nvme_put(NVME_SQE_PSDT, NVME_PSDT_SGL_MPTR);
		seg_len = 1 + (u32)test_random_below(&self->rnd, nr);
		put_sgl((u8 *)&cmd.sgl, 0,
			TYPE(seg_len == nr ? NVME_SGL_LAST_SEGMENT :
			     NVME_SGL_SEGMENT), seg,
			(seg_len + (seg_len < nr)) * 16);
		for (i = 0; i < nr; i++) {
			if (in_seg == seg_len) {
				u32 rest = nr - i;
				u32 next = 1 + (u32)
					test_random_below(&self->rnd, rest);

				put_sgl(nvme_driver_ptr(self->drv, seg), in_seg,
					TYPE(next == rest ?
					     NVME_SGL_LAST_SEGMENT :
					     NVME_SGL_SEGMENT), seg + PAGE,
					(next + (next < rest)) * 16);
				seg += PAGE;
				seg_len = next;
				in_seg = 0;
			}
			put_sgl(nvme_driver_ptr(self->drv, seg), in_seg++,
				TYPE(NVME_SGL_DATA), p[i].addr, (u32)p[i].len);
		}
		ASSERT_TRUE(moves(&self->t, &self->rnd, p, nr, cmd))
			TH_LOG("round %u: %u pieces, %u bytes", round, nr,
			       bytes);
	}
}

TEST_F(dptr, bit_buckets_swallow_reads)
{
	u8 *list = self->ptr + MIB;
	u64 a = self->area;

	memset(self->ptr, 0x11, 512);
	memset(self->ptr + 512, 0x22, 512);
	memset(self->ptr + 1024, 0x33, 512);
	ASSERT_EQ(0, exec_prps(self->drv, NVME_IO_WRITE, 1536, a, 0));
	memset(self->ptr, 0, PAGE);
	put_sgl(list, 0, TYPE(NVME_SGL_DATA), a, 512);
	put_sgl(list, 1, TYPE(NVME_SGL_BIT_BUCKET), 0, 512);
	put_sgl(list, 2, TYPE(NVME_SGL_DATA), a + 512, 512);
	EXPECT_EQ(0, exec_sgl(self->drv, NVME_IO_READ, 1536,
			      TYPE(NVME_SGL_LAST_SEGMENT), a + MIB, 48));
	EXPECT_TRUE(test_all(self->ptr, 0x11, 512));
	EXPECT_TRUE(test_all(self->ptr + 512, 0x33, 512));
	EXPECT_TRUE(test_all(self->ptr + 1024, 0, 512));
	/* A write takes nothing out of them. */
	EXPECT_EQ(0, exec_sgl(self->drv, NVME_IO_WRITE, 1024,
			      TYPE(NVME_SGL_LAST_SEGMENT), a + MIB, 48));
	EXPECT_EQ(0, exec_sgl(self->drv, NVME_IO_READ, 512,
			      TYPE(NVME_SGL_BIT_BUCKET), 0, MIB));
}

TEST_F(dptr, sgls_longer_and_shorter_than_the_data)
{
	u64 a = self->area;

	EXPECT_EQ(0, exec_sgl(self->drv, NVME_IO_READ, 512, 0, a, PAGE));
	EXPECT_EQ(SC(SGL_DATA_LENGTH),
		  exec_sgl(self->drv, NVME_IO_READ, PAGE, 0, a, PAGE - 1));
	EXPECT_EQ(SC(SGL_DATA_LENGTH),
		  exec_sgl(self->drv, NVME_IO_WRITE, PAGE, 0, a, 0));
}

TEST_F(dptr, wrong_sgl_descriptors)
{
	u8 *list = self->ptr + MIB;
	u64 a = self->area, l = a + MIB;
	u32 type, sub;

	for (type = 0; type < 16; type++) {
		for (sub = 0; sub < 16; sub++) {
			if (type <= NVME_SGL_LAST_SEGMENT && !sub)
				continue;
			EXPECT_EQ(SC(SGL_INVALID_TYPE),
				  exec_sgl(self->drv, NVME_IO_READ, 512,
					   (u8)(type << 4 | sub), a, 512));
		}
	}
	/* Segments are of whole descriptors, one at least. */
	EXPECT_EQ(SC(SGL_INVALID_SEGMENT),
		  exec_sgl(self->drv, NVME_IO_READ, 512,
			   TYPE(NVME_SGL_LAST_SEGMENT), l, 0));
	EXPECT_EQ(SC(SGL_INVALID_SEGMENT),
		  exec_sgl(self->drv, NVME_IO_READ, 512,
			   TYPE(NVME_SGL_SEGMENT), l, 24));
	/* A segment descriptor stands last. */
	put_sgl(list, 0, TYPE(NVME_SGL_LAST_SEGMENT), l + PAGE, 16);
	put_sgl(list, 1, TYPE(NVME_SGL_DATA), a, 512);
	EXPECT_EQ(SC(SGL_INVALID_SEGMENT),
		  exec_sgl(self->drv, NVME_IO_READ, 512,
			   TYPE(NVME_SGL_SEGMENT), l, 32));
	/* And not in a last segment. */
	put_sgl(list, 0, TYPE(NVME_SGL_DATA), a, 256);
	put_sgl(list, 1, TYPE(NVME_SGL_LAST_SEGMENT), l + PAGE, 16);
	put_sgl(list + PAGE, 0, TYPE(NVME_SGL_DATA), a, 256);
	EXPECT_EQ(0, exec_sgl(self->drv, NVME_IO_READ, 512,
			      TYPE(NVME_SGL_SEGMENT), l, 32));
	EXPECT_EQ(SC(SGL_INVALID_SEGMENT),
		  exec_sgl(self->drv, NVME_IO_READ, 512,
			   TYPE(NVME_SGL_LAST_SEGMENT), l, 32));
}

TEST_F(dptr, sgls_without_end_or_memory)
{
	u8 *list = self->ptr + MIB;
	u64 a = self->area, l = a + MIB;
	u32 i;

	/* A segment that is followed by itself. */
	put_sgl(list, 0, TYPE(NVME_SGL_SEGMENT), l, 16);
	EXPECT_EQ(SC(SGL_INVALID_COUNT),
		  exec_sgl(self->drv, NVME_IO_READ, 512,
			   TYPE(NVME_SGL_SEGMENT), l, 16));
	/* More pieces than we have vectors. */
	for (i = 0; i < 1024; i++)
		put_sgl(list, i, TYPE(NVME_SGL_DATA), a + 8 * i, 4);
	EXPECT_EQ(SC(SGL_INVALID_COUNT),
		  exec_sgl(self->drv, NVME_IO_READ, PAGE,
			   TYPE(NVME_SGL_LAST_SEGMENT), l, 1024 * 16));
	EXPECT_EQ(SC(DATA_TRANSFER),
		  exec_sgl(self->drv, NVME_IO_READ, 512,
			   TYPE(NVME_SGL_LAST_SEGMENT), 1ULL << 44, 16));
	memset(list, 0, PAGE);
	EXPECT_EQ(SC(SGL_INVALID_COUNT),
		  exec_sgl(self->drv, NVME_IO_READ, 512,
			   TYPE(NVME_SGL_SEGMENT), l, 0xfffffff0));
	EXPECT_EQ(SC(DATA_TRANSFER),
		  exec_sgl(self->drv, NVME_IO_WRITE, 512, 0,
			   self->drv->bar0, 512));
	EXPECT_EQ(SC(DATA_TRANSFER),
		  exec_sgl(self->drv, NVME_IO_READ, 512, 0, ~0ULL, 512));
}

/* ---- pages of another size --------------------------------------------------------- */

TEST_F(dptr, pages_of_64_kib)
{
	struct nvme_driver *drv = self->drv;
	u64 a = self->area;
	u8 *list = self->ptr + MIB;
	struct nvme_sqe cmd = rw(0, 3 * 65536);
	struct piece p[] = {
		{ a + 512, 65536 - 512 }, { a + 4 * 65536, 65536 },
		{ a + 6 * 65536, 65536 }, { a + 8 * 65536, 512 }, { a, 0 },
	};

	nvme_driver_disable(drv);
	nvme_driver_init(drv, self->t.vm, TEST_SLOT);
	drv->arena_next = a + AREA;	/* what is ours stays ours */
	drv->page = 65536;
	nvme_driver_enable(drv, TEST_ADMIN);
	nvme_driver_create_pair(drv, 1, 16, 1);
	put_prp(list, 0, p[1].addr);
	put_prp(list, 1, p[2].addr);
	put_prp(list, 2, p[3].addr);
	cmd.prp.prp1 = cpu_to_le64(p[0].addr);
	cmd.prp.prp2 = cpu_to_le64(a + MIB);
	EXPECT_TRUE(moves(&self->t, &self->rnd, p, 4, cmd));
	EXPECT_EQ(SC(PRP_INVALID_OFFSET),
		  exec_prps(drv, NVME_IO_READ, 65536 + 512, a, a + 65536 + 4096));
}

TEST_HARNESS_MAIN
