// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: that the checks of disks find what is wrong
 */
#include <fcntl.h>
#include <stdlib.h>

#include "tests/kvm/disk.h"
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/kvm/stamp.h"
#include "tests/lib/harness.h"

#define SEED	99
#define BLOCK	512
#define BLOCKS	64
#define WAIT_MS	100000

FIXTURE(image)
{
	uint8_t block[BLOCKS][BLOCK];
	struct disk_report report;
	char path[64];
};

/* Stamps a block of the image in memory, without telling the report. */
static void stamp(FIXTURE_DATA(image) * self, uint64_t at, uint64_t lba,
		  uint32_t gen)
{
	struct stamp s = {
		.seed = SEED,
		.where = lba,
		.space = STAMP_SPACE_DISK(0, 1),
		.gen = gen,
	};

	stamp_fill(self->block[at], BLOCK, &s);
}

FIXTURE_SETUP(image)
{
	uint32_t i;
	int fd;

	memset(self, 0, sizeof(*self));
	self->report = (struct disk_report){ .nsid = 1, .block_size = BLOCK };
	/* Every third block stays as it was. */
	for (i = 0; i < BLOCKS; i++) {
		if (i % 3 == 0)
			continue;
		stamp(self, i, i, i + 1);
		self->report.written++;
		self->report.sum = stamp_sum(self->report.sum, i, i + 1);
	}
	strcpy(self->path, "/tmp/lkvm-disk.XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	close(fd);
}

FIXTURE_TEARDOWN(image)
{
	unlink(self->path);
}

static bool good(FIXTURE_DATA(image) * self)
{
	const int fd = open(self->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	const ssize_t n = write(fd, self->block, sizeof(self->block));

	close(fd);
	return n == sizeof(self->block) &&
	       disk_check(self->path, &self->report, SEED);
}

TEST_F(image, right_one_passes)
{
	EXPECT_TRUE(good(self));
}

TEST_F(image, each_changed_byte_is_found)
{
	size_t i;

	for (i = 0; i < BLOCK; i += 73) {
		self->block[4][i] ^= 0x10;
		EXPECT_FALSE(good(self));
		self->block[4][i] ^= 0x10;
	}
}

TEST_F(image, written_byte_in_unwritten_block_is_found)
{
	self->block[3][BLOCK - 1] = 1;
	EXPECT_FALSE(good(self));
}

TEST_F(image, lost_block_is_found)
{
	memset(self->block[5], 0, BLOCK);
	EXPECT_FALSE(good(self));
}

TEST_F(image, older_generation_is_found)
{
	stamp(self, 5, 5, 5);
	EXPECT_FALSE(good(self));
}

TEST_F(image, misplaced_block_is_found)
{
	stamp(self, 5, 8, 9);
	EXPECT_FALSE(good(self));
}

TEST_F(image, surplus_block_is_found)
{
	stamp(self, 6, 6, 1);
	EXPECT_FALSE(good(self));
}

/* Writes over the whole image of a machine that runs. */
static bool spoil(const struct machine *m)
{
	static uint8_t junk[1 << 20];
	char path[128];
	ssize_t n;
	int fd;

	memset(junk, 0x77, sizeof(junk));
	machine_disk_path(m, 0, 0, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : write(fd, junk, sizeof(junk));
	if (fd >= 0)
		close(fd);
	return n == sizeof(junk);
}

/* The guest itself finds what is changed behind its back. */
TEST_F_TIMEOUT(image, guest_finds_changed_blocks, 300)
{
	const struct machine_setup s = {
		.params = "test=stamp span=2048 zeroes=0",
		.disk[0].mib[0] = 1,
	};
	struct machine m;
	int end;

	if (machine_unavailable())
		SKIP(return, "%s", machine_unavailable());
	ASSERT_EQ(0, machine_start(&m, &s));
	EXPECT_NE(NULL, machine_expect(&m, "guest: beat", WAIT_MS));
	EXPECT_TRUE(spoil(&m));
	end = machine_wait(&m, WAIT_MS);
	if (end != GUEST_EXIT_FAIL)
		machine_show(&m);
	EXPECT_EQ(GUEST_EXIT_FAIL, end);
	EXPECT_NE(NULL, strstr(m.console, "guest: MISMATCH nvme0n1 lba "));
	machine_destroy(&m);
}

TEST_HARNESS_MAIN
