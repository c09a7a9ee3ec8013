// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vmm/memory_discard.c: memory really goes back, whatever is behind it
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/lib/harness.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/math.h"
#include "vmm/guest_memory.h"

#define PAGE	4096ULL
#define SIZE	(4 * MIB)
#define FILE_AT	(16 * MIB)

/* RAM of a memfd at 0 and at 4 MiB, ROM at 8, a file privately at 16. */
FIXTURE(discard) {
	struct guest_memory memory;
	struct guest_gate gate;
	struct error err;
	u64 given;
};

static int add(struct guest_memory *memory, const char *name, u64 addr, int fd,
	       bool readonly, struct error *err)
{
	struct memory_request req = {
		.name = name, .gpa = gpa(addr), .size = SIZE, .fd = fd,
		.fd_offset = fd >= 0 ? PAGE : 0, .readonly = readonly,
	};

	return guest_memory_add(memory, &req, err);
}

/* A file whose every page tells its number. */
static int numbered_file(void)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	u64 page[PAGE / 8], i, k;

	for (i = 0; i <= SIZE / PAGE; i++) {
		for (k = 0; k < ARRAY_SIZE(page); k++)
			page[k] = i + 1;
		if (pwrite(fd, page, sizeof(page), (off_t)(i * PAGE)) !=
		    sizeof(page))
			return -1;
	}
	return fd;
}

FIXTURE_SETUP(discard)
{
	int fd = numbered_file();

	ASSERT_LE(0, fd);
	memset(&self->err, 0, sizeof(self->err));
	self->given = 0;
	ASSERT_EQ(0, guest_memory_init(&self->memory, -1));
	guest_gate_init(&self->gate, &self->memory);
	ASSERT_EQ(0, add(&self->memory, "low", 0, -1, false, &self->err));
	ASSERT_EQ(0, add(&self->memory, "high", SIZE, -1, false, &self->err));
	ASSERT_EQ(0, add(&self->memory, "rom", 2 * SIZE, -1, true, &self->err));
	ASSERT_EQ(0, add(&self->memory, "file", FILE_AT, fd, false,
			 &self->err));
	close(fd);
}

FIXTURE_TEARDOWN(discard)
{
	guest_memory_destroy(&self->memory);
}

static u64 word(struct guest_gate *gate, u64 addr)
{
	u64 v = ~0ULL;

	return guest_read(gate, gpa(addr), &v, sizeof(v)) ? ~1ULL : v;
}

static u64 host_bytes(const struct memory_block *b)
{
	struct stat st;

	return fstat(b->fd, &st) ? 0 : (u64)st.st_blocks * 512;
}

static u64 resident(const struct memory_block *b, u64 offset, u64 len)
{
	unsigned char vec[SIZE / PAGE];
	u64 i, n = 0;

	if (mincore(b->host + offset, len, vec))
		return ~0ULL;
	for (i = 0; i < len / PAGE; i++)
		n += vec[i] & 1;
	return n;
}

TEST_F(discard, a_shared_page_is_gone_and_reads_as_zeros)
{
	struct memory_block *b = &self->memory.blocks[0];
	u64 i, v = 7;

	for (i = 0; i < SIZE / PAGE; i++)
		ASSERT_EQ(0, guest_write(&self->gate, gpa(i * PAGE), &v, 8));
	EXPECT_EQ(SIZE, host_bytes(b));
	ASSERT_EQ(0, guest_memory_discard(&self->memory, gpa(PAGE), 8 * PAGE,
					  &self->given));
	EXPECT_EQ(8 * PAGE, self->given);
	EXPECT_EQ(SIZE - 8 * PAGE, host_bytes(b));
	EXPECT_EQ(7, word(&self->gate, 0));
	EXPECT_EQ(7, word(&self->gate, 9 * PAGE));
	/* What a snapshot asks: nothing there until page 9. */
	EXPECT_EQ(9, memory_block_data(b, 1, SIZE / PAGE));
	EXPECT_EQ(0, word(&self->gate, PAGE));
	EXPECT_EQ(0, word(&self->gate, 8 * PAGE));
	ASSERT_EQ(0, guest_write(&self->gate, gpa(PAGE), &v, 8));
	EXPECT_EQ(7, word(&self->gate, PAGE));
}

TEST_F(discard, a_range_may_cross_blocks_that_touch)
{
	u64 v = 7;

	ASSERT_EQ(0, guest_write(&self->gate, gpa(SIZE - PAGE), &v, 8));
	ASSERT_EQ(0, guest_write(&self->gate, gpa(SIZE), &v, 8));
	ASSERT_EQ(0, guest_memory_discard(&self->memory, gpa(SIZE - PAGE),
					  2 * PAGE, &self->given));
	EXPECT_EQ(0, host_bytes(&self->memory.blocks[0]));
	EXPECT_EQ(0, host_bytes(&self->memory.blocks[1]));
}

TEST_F(discard, what_is_not_memory_is_refused_whole)
{
	u64 v = 7;

	ASSERT_EQ(0, guest_write(&self->gate, gpa(2 * SIZE - PAGE), &v, 8));
	/* Into the ROM, beyond the end, around the end of the address space. */
	EXPECT_EQ(-EFAULT, guest_memory_discard(&self->memory,
						gpa(2 * SIZE - PAGE), 2 * PAGE,
						&self->given));
	EXPECT_EQ(-EFAULT, guest_memory_discard(&self->memory,
						gpa(FILE_AT + SIZE - PAGE),
						2 * PAGE, &self->given));
	EXPECT_EQ(-EFAULT, guest_memory_discard(&self->memory,
						gpa(0 - PAGE), 2 * PAGE,
						&self->given));
	EXPECT_EQ(-EFAULT, guest_memory_discard(&self->memory, gpa(0),
						0 - PAGE, &self->given));
	EXPECT_EQ(-EINVAL, guest_memory_discard(&self->memory, gpa(8), PAGE,
						&self->given));
	EXPECT_EQ(-EINVAL, guest_memory_discard(&self->memory, gpa(0), 100,
						&self->given));
	EXPECT_EQ(0, self->given);
	EXPECT_EQ(7, word(&self->gate, 2 * SIZE - PAGE));
}

TEST_F(discard, a_private_page_does_not_bring_the_file_back)
{
	struct memory_block *b = &self->memory.blocks[3];
	u64 v = 7, i;

	ASSERT_STREQ("file", b->name);
	EXPECT_EQ(3, word(&self->gate, FILE_AT + PAGE));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, guest_write(&self->gate, gpa(FILE_AT + i * PAGE),
					 &v, 8));
	ASSERT_EQ(0, guest_memory_discard(&self->memory, gpa(FILE_AT + PAGE),
					  4 * PAGE, &self->given));
	EXPECT_EQ(4 * PAGE, self->given);
	EXPECT_EQ(1, b->zero_maps);
	EXPECT_EQ(0, resident(b, PAGE, 4 * PAGE));
	EXPECT_EQ(7, word(&self->gate, FILE_AT));
	EXPECT_EQ(0, word(&self->gate, FILE_AT + PAGE));
	EXPECT_EQ(0, word(&self->gate, FILE_AT + 4 * PAGE));
	EXPECT_EQ(7, word(&self->gate, FILE_AT + 5 * PAGE));
	EXPECT_EQ(10, word(&self->gate, FILE_AT + 8 * PAGE));

	/* Used again, and again given away with its neighbours. */
	ASSERT_EQ(0, guest_write(&self->gate, gpa(FILE_AT + 2 * PAGE), &v, 8));
	ASSERT_EQ(0, guest_memory_discard(&self->memory, gpa(FILE_AT),
					  8 * PAGE, &self->given));
	EXPECT_EQ(12 * PAGE, self->given);
	EXPECT_EQ(3, b->zero_maps);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, word(&self->gate, FILE_AT + i * PAGE));
	EXPECT_EQ(10, word(&self->gate, FILE_AT + 8 * PAGE));
}

TEST_F(discard, mappings_are_not_used_up)
{
	struct memory_block *b = &self->memory.blocks[3];

	b->zero_maps = 8192;
	ASSERT_EQ(0, guest_memory_discard(&self->memory, gpa(FILE_AT), PAGE,
					  &self->given));
	EXPECT_EQ(0, self->given);
	EXPECT_EQ(2, word(&self->gate, FILE_AT));
	b->zero_maps = 8191;
	ASSERT_EQ(0, guest_memory_discard(&self->memory, gpa(FILE_AT), PAGE,
					  &self->given));
	EXPECT_EQ(PAGE, self->given);
	EXPECT_EQ(0, word(&self->gate, FILE_AT));
}

TEST_F(discard, a_reserved_huge_page_stays)
{
	u64 v = 7;

	self->memory.blocks[0].huge_page = 2 * MIB;
	ASSERT_EQ(0, guest_write(&self->gate, gpa(0), &v, 8));
	ASSERT_EQ(0, guest_memory_discard(&self->memory, gpa(0), 2 * MIB,
					  &self->given));
	EXPECT_EQ(0, self->given);
	EXPECT_EQ(7, word(&self->gate, 0));
}

TEST_F(discard, it_is_a_write_to_who_tracks_them)
{
	struct memory_block *b = &self->memory.blocks[1];
	u64 i;

	ASSERT_EQ(0, guest_memory_track_start(&self->memory));
	ASSERT_EQ(0, guest_memory_discard(&self->memory, gpa(SIZE + PAGE),
					  3 * PAGE, &self->given));
	for (i = 0; i < 6; i++)
		EXPECT_EQ(i >= 1 && i <= 3, bitmap_test_atomic(b->dirty, i));
}

TEST_HARNESS_MAIN
