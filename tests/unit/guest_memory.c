// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vmm/guest_memory.c without KVM
 */
#include <string.h>
#include <sys/mman.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/math.h"
#include "vmm/guest_memory.h"

#define LOW	(1 * MIB)
#define HOLE	(4 * MIB)
#define HIGH	(1 * MIB)

FIXTURE(memory) {
	struct guest_memory memory;
	struct guest_gate gate;
	struct error err;
};

static int add(struct guest_memory *memory, const char *name, u64 addr,
	       u64 size, bool readonly, struct error *err)
{
	struct memory_request req = {
		.name = name,
		.gpa = gpa(addr),
		.size = size,
		.fd = -1,
		.readonly = readonly,
	};

	return guest_memory_add(memory, &req, err);
}

/* RAM at 0 to 1 MiB, 1 to 2 MiB (its neighbour) and 4 to 5 MiB, ROM at 8. */
FIXTURE_SETUP(memory)
{
	memset(&self->err, 0, sizeof(self->err));
	ASSERT_EQ(0, guest_memory_init(&self->memory, -1));
	guest_gate_init(&self->gate, &self->memory);
	ASSERT_EQ(0, add(&self->memory, "high", HOLE, HIGH, false, &self->err));
	ASSERT_EQ(0, add(&self->memory, "low", 0, LOW, false, &self->err));
	ASSERT_EQ(0, add(&self->memory, "next", LOW, LOW, false, &self->err));
	ASSERT_EQ(0, add(&self->memory, "rom", 8 * MIB, LOW, true, &self->err));
}

FIXTURE_TEARDOWN(memory)
{
	guest_memory_destroy(&self->memory);
}

TEST_F(memory, blocks_are_sorted_and_overlap_is_refused)
{
	EXPECT_STREQ("low", self->memory.blocks[0].name);
	EXPECT_STREQ("high", self->memory.blocks[2].name);
	EXPECT_EQ(-EEXIST, add(&self->memory, "x", HOLE + HIGH - 4096, 8192,
			       false, &self->err));
	EXPECT_STREQ("memory x overlaps high", self->err.text);
	EXPECT_EQ(-EINVAL, add(&self->memory, "x", HOLE + 1, 4096, false,
			       &self->err));
	EXPECT_EQ(-EINVAL, add(&self->memory, "x", 64 * MIB, 0, false,
			       &self->err));
	EXPECT_EQ(-EINVAL, add(&self->memory, "x", ~0xfffULL, 8192, false,
			       &self->err));
	EXPECT_EQ(3 * MIB, guest_memory_size(&self->memory));
}

TEST_F(memory, what_was_written_is_read_across_blocks)
{
	u8 out[8192], in[8192];
	struct test_random rnd;

	test_random_init(&rnd);
	test_random_fill(&rnd, out, sizeof(out));
	ASSERT_EQ(0, guest_write(&self->gate, gpa(LOW - 5000), out,
				 sizeof(out)));
	ASSERT_EQ(0, guest_read(&self->gate, gpa(LOW - 5000), in, sizeof(in)));
	EXPECT_EQ(0, memcmp(in, out, sizeof(in)));
}

TEST_F(memory, a_range_that_leaves_memory_is_refused_whole)
{
	u8 buf[64], before[64];

	memset(buf, 0xaa, sizeof(buf));
	ASSERT_EQ(0, guest_read(&self->gate, gpa(2 * MIB - 32), before, 32));
	EXPECT_EQ(-EFAULT, guest_write(&self->gate, gpa(2 * MIB - 32), buf,
				       sizeof(buf)));
	ASSERT_EQ(0, guest_read(&self->gate, gpa(2 * MIB - 32), buf, 32));
	EXPECT_EQ(0, memcmp(buf, before, 32));
	EXPECT_EQ(-EFAULT, guest_read(&self->gate, gpa(3 * MIB), buf, 1));
	EXPECT_EQ(-EFAULT, guest_read(&self->gate, gpa(UINT64_MAX - 3), buf, 8));
}

TEST_F(memory, rom_is_read_but_not_written)
{
	u32 iov_nr = 0;
	struct iovec iov[1];
	u8 byte;

	EXPECT_EQ(0, guest_read(&self->gate, gpa(8 * MIB), &byte, 1));
	EXPECT_EQ(-EFAULT, guest_write(&self->gate, gpa(8 * MIB), &byte, 1));
	EXPECT_EQ(-EFAULT, guest_map(&self->gate, gpa(8 * MIB), 1, GUEST_WRITES,
				     iov, 1, &iov_nr));
	EXPECT_EQ(0, guest_map(&self->gate, gpa(8 * MIB), 1, GUEST_READS, iov,
			       1, &iov_nr));
	EXPECT_EQ(NULL, guest_ptr(&self->gate, gpa(8 * MIB), 1, GUEST_WRITES));
	EXPECT_FALSE(guest_is_memory(&self->memory, gpa(8 * MIB), 1));
	EXPECT_TRUE(guest_is_memory(&self->memory, gpa(0), 2 * MIB));
	EXPECT_FALSE(guest_is_memory(&self->memory, gpa(0), 2 * MIB + 1));
}

TEST_F(memory, a_closed_gate_refuses_all)
{
	struct iovec iov[1];
	u32 iov_nr = 0;
	u8 byte = 0;

	guest_gate_close(&self->gate, GATE_NO_BUS_MASTER);
	guest_gate_close(&self->gate, GATE_PAUSED);
	guest_gate_open(&self->gate, GATE_PAUSED);
	EXPECT_EQ(-EACCES, guest_read(&self->gate, gpa(0), &byte, 1));
	EXPECT_EQ(-EACCES, guest_write(&self->gate, gpa(0), &byte, 1));
	EXPECT_EQ(-EACCES, guest_map(&self->gate, gpa(0), 1, GUEST_READS, iov,
				     1, &iov_nr));
	EXPECT_EQ(NULL, guest_ptr(&self->gate, gpa(0), 1, GUEST_READS));
	guest_gate_open(&self->gate, GATE_NO_BUS_MASTER);
	EXPECT_EQ(0, guest_read(&self->gate, gpa(0), &byte, 1));
}

TEST_F(memory, map_joins_what_touches_and_undoes_what_fails)
{
	struct iovec iov[2];
	u32 nr = 0;

	ASSERT_EQ(0, guest_map(&self->gate, gpa(0x1000), 0x1000, GUEST_READS,
			       iov, 2, &nr));
	ASSERT_EQ(0, guest_map(&self->gate, gpa(0x2000), 0x1000, GUEST_READS,
			       iov, 2, &nr));
	EXPECT_EQ(1, nr);
	EXPECT_EQ(0x2000, iov[0].iov_len);
	ASSERT_EQ(0, guest_map(&self->gate, gpa(2 * MIB - 0x2000), 0x1000,
			       GUEST_READS, iov, 2, &nr));
	EXPECT_EQ(2, nr);
	EXPECT_EQ(-ENOSPC, guest_map(&self->gate, gpa(0x10000), 1, GUEST_READS,
				     iov, 2, &nr));
	/* It touches the last one, but runs out of memory on the way. */
	EXPECT_EQ(-EFAULT, guest_map(&self->gate, gpa(2 * MIB - 0x1000),
				     2 * MIB, GUEST_READS, iov, 2, &nr));
	EXPECT_EQ(2, nr);
	EXPECT_EQ(0x1000, iov[1].iov_len);
	EXPECT_EQ(0, guest_map(&self->gate, gpa(0), 0, GUEST_READS, iov, 2,
			       &nr));
	EXPECT_EQ(2, nr);
}

/* Blocks may touch where they are mapped, and do not in the guest. */
TEST_F(memory, a_vector_is_in_one_block)
{
	struct guest_memory *memory = &self->memory;
	struct memory_block *first = guest_memory_find(memory, gpa(HOLE));
	struct memory_block *second = guest_memory_find(memory, gpa(0));
	struct iovec iov[2];
	u32 nr = 0;
	gpa_t addr;
	u8 *area;

	area = mmap(NULL, HIGH + LOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	first->host = mremap(first->host, HIGH, HIGH,
			     MREMAP_MAYMOVE | MREMAP_FIXED, area);
	second->host = mremap(second->host, LOW, LOW,
			      MREMAP_MAYMOVE | MREMAP_FIXED, area + HIGH);
	ASSERT_EQ(area, first->host);
	ASSERT_EQ(area + HIGH, second->host);
	ASSERT_EQ(0, guest_memory_track_start(memory));
	ASSERT_EQ(0, guest_map(&self->gate, gpa(HOLE + HIGH - 0x1000), 0x1000,
			       GUEST_WRITES, iov, 2, &nr));
	ASSERT_EQ(0, guest_map(&self->gate, gpa(0), 0x1000, GUEST_WRITES, iov,
			       2, &nr));
	ASSERT_EQ(2, nr);
	guest_unmap(&self->gate, iov, nr, 0x2000);
	EXPECT_TRUE(bitmap_test_atomic(first->dirty, HIGH / 0x1000 - 1));
	EXPECT_TRUE(bitmap_test_atomic(second->dirty, 0));
	ASSERT_TRUE(guest_addr_of(memory, iov[1].iov_base, &addr));
	EXPECT_EQ(0, gpa_raw(addr));
	EXPECT_FALSE(guest_addr_of(memory, &nr, &addr));
	guest_memory_track_stop(memory);
}

static u32 dirty_pages(struct guest_memory *memory)
{
	u32 i, n = 0;
	u64 p;

	for (i = 0; i < memory->nr; i++) {
		struct memory_block *b = &memory->blocks[i];

		for (p = 0; b->dirty && p < b->size / MEMORY_PAGE_SIZE; p++)
			n += bitmap_test((u64 *)b->dirty, p);
	}
	return n;
}

TEST_F(memory, what_is_written_is_marked_and_nothing_else)
{
	struct iovec iov[2];
	u8 buf[16] = { 0 };
	u32 nr = 0;

	ASSERT_EQ(0, guest_write(&self->gate, gpa(0), buf, sizeof(buf)));
	EXPECT_EQ(0, dirty_pages(&self->memory));
	ASSERT_EQ(0, guest_memory_track_start(&self->memory));
	ASSERT_EQ(0, guest_read(&self->gate, gpa(0), buf, sizeof(buf)));
	EXPECT_EQ(0, dirty_pages(&self->memory));
	ASSERT_EQ(0, guest_write(&self->gate, gpa(LOW - 8), buf, 16));
	EXPECT_EQ(2, dirty_pages(&self->memory));
	EXPECT_TRUE(bitmap_test((u64 *)self->memory.blocks[0].dirty, 255));
	EXPECT_TRUE(bitmap_test((u64 *)self->memory.blocks[1].dirty, 0));

	ASSERT_EQ(0, guest_map(&self->gate, gpa(HOLE + 0x800), 0x1000,
			       GUEST_WRITES, iov, 2, &nr));
	ASSERT_EQ(0, guest_map(&self->gate, gpa(HOLE + 0x10000), 0x1000,
			       GUEST_WRITES, iov, 2, &nr));
	guest_unmap(&self->gate, iov, nr, 0);
	EXPECT_EQ(2, dirty_pages(&self->memory));
	/* A short transfer that ended in the second page. */
	guest_unmap(&self->gate, iov, nr, 0x801);
	EXPECT_EQ(4, dirty_pages(&self->memory));
	guest_unmap(&self->gate, iov, nr, 0x2000);
	EXPECT_EQ(5, dirty_pages(&self->memory));
	EXPECT_TRUE(bitmap_test((u64 *)self->memory.blocks[2].dirty, 16));

	ASSERT_EQ(0, guest_memory_track_start(&self->memory));
	EXPECT_EQ(0, dirty_pages(&self->memory));
	guest_memory_track_stop(&self->memory);
	guest_memory_mark_dirty(&self->memory, gpa(0), 4096);
	EXPECT_EQ(0, dirty_pages(&self->memory));
}

TEST_F(memory, a_file_is_mapped_privately)
{
	struct memory_request req = {
		.name = "file", .gpa = gpa(16 * MIB), .size = 8192,
		.fd_offset = 4096,
	};
	u8 page[4096], got = 0;

	req.fd = memfd_create("test", MFD_CLOEXEC);
	ASSERT_LE(0, req.fd);
	memset(page, 0x5a, sizeof(page));
	ASSERT_EQ(0, ftruncate(req.fd, 12288));
	ASSERT_EQ(4096, pwrite(req.fd, page, sizeof(page), 8192));
	ASSERT_EQ(0, guest_memory_add(&self->memory, &req, &self->err));
	ASSERT_EQ(0, guest_read(&self->gate, gpa(16 * MIB + 4096), &got, 1));
	EXPECT_EQ(0x5a, got);
	got = 1;
	ASSERT_EQ(0, guest_write(&self->gate, gpa(16 * MIB + 4096), &got, 1));
	ASSERT_EQ(1, pread(req.fd, &got, 1, 8192));
	EXPECT_EQ(0x5a, got);
	close(req.fd);
}

TEST_F(memory, a_place_that_is_no_hugetlbfs_is_named)
{
	struct memory_request req = {
		.name = "huge", .gpa = gpa(16 * MIB), .size = 2 * MIB,
		.fd = -1, .hugetlbfs = "/proc",
	};

	EXPECT_EQ(-EINVAL, guest_memory_add(&self->memory, &req, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "/proc is not a hugetlbfs"));
}

TEST_HARNESS_MAIN
