// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: devices/block on block devices
 *
 * Loop devices over image files, one with sectors of 4096 bytes, stand for
 * real disks. They need root; without it these tests are skipped.
 *
 * A loop device promises zeros after a discard, so the worker that does
 * BLKDISCARD is forced upon it for one test.
 */
#include "tests/lib/harness.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "devices/block/block_priv.h"
#include "tests/lib/block_disk.h"
#include "tests/lib/random.h"
#include "vmm/base/math.h"

#define IMAGE	(4 * MIB)

FIXTURE(loop) {
	struct test_dir dir;
	struct test_random rnd;
	struct test_io io;
	struct iothread t;
	struct error err;
	struct block *blk;
	char path[200];
	char dev[32];
	int file_fd;
	int loop_fd;
	u8 *buf;
};

FIXTURE_VARIANT(loop) {
	u32 sector;
	enum block_cache cache;
};

FIXTURE_VARIANT_ADD(loop, sectors_of_512) {
	.sector = 512,
	.cache = BLOCK_CACHE_NONE,
};

FIXTURE_VARIANT_ADD(loop, sectors_of_4096) {
	.sector = 4096,
	.cache = BLOCK_CACHE_NONE,
};

FIXTURE_VARIANT_ADD(loop, cached_sectors_of_4096) {
	.sector = 4096,
	.cache = BLOCK_CACHE_WRITEBACK,
};

/* Somebody else may take the free device before us: then try the next. */
static int loop_make(const char *path, u32 sector, char *dev, size_t len)
{
	struct loop_config config = { .block_size = sector };
	int control, nr, fd, tries;

	config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	config.fd = (u32)open(path, O_RDWR | O_CLOEXEC);
	fd = -1;
	for (tries = 0; control >= 0 && fd < 0 && tries < 50; tries++) {
		nr = ioctl(control, LOOP_CTL_GET_FREE);
		if (nr < 0)
			break;
		snprintf(dev, len, "/dev/loop%d", nr);
		fd = open(dev, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) < 0) {
			close(fd);
			fd = -1;
		}
	}
	close(control);
	close((int)config.fd);
	return fd;
}

FIXTURE_SETUP(loop)
{
	self->err.code = 0;
	self->blk = NULL;
	self->buf = aligned_alloc(4096, IMAGE + 4096);
	test_random_init(&self->rnd);
	test_random_fill(&self->rnd, self->buf, IMAGE + 4096);
	ASSERT_EQ(0, test_dir_make(&self->dir));
	test_dir_file(&self->dir, "disk", self->path, sizeof(self->path));
	ASSERT_EQ(0, test_image_make(self->path, IMAGE));
	self->file_fd = open(self->path, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(IMAGE, pwrite(self->file_fd, self->buf, IMAGE, 0));
	ASSERT_EQ(0, iothread_init(&self->t, "test", 64, &self->err));
	self->loop_fd = loop_make(self->path, variant->sector, self->dev,
				  sizeof(self->dev));
	if (self->loop_fd < 0)
		SKIP(return, "no loop device to be had (%m): needs root");
}

FIXTURE_TEARDOWN(loop)
{
	block_close(self->blk);
	iothread_destroy(&self->t);
	close(self->loop_fd);
	close(self->file_fd);
	test_dir_remove(&self->dir);
	free(self->buf);
}

#define OPEN() do {							\
	struct block_config how = {					\
		.path = self->dev,					\
		.cache = variant->cache,				\
		.discard = true,					\
	};								\
									\
	ASSERT_EQ(0, block_open(&how, &self->blk, &self->err)) {	\
		TH_LOG("%s", self->err.text);				\
	}								\
} while (0)

static bool disk_has(const char *dev, const void *data, size_t len)
{
	u8 *now = malloc(len);
	int fd = open(dev, O_RDONLY | O_CLOEXEC);
	bool same;

	same = pread(fd, now, len, 0) == (ssize_t)len && !memcmp(now, data, len);
	close(fd);
	free(now);
	return same;
}

TEST_F(loop, the_kernel_says_what_the_disk_is)
{
	const struct block_info *info;

	OPEN();
	info = block_info(self->blk);
	EXPECT_TRUE(info->is_device);
	EXPECT_EQ(IMAGE, info->size);
	EXPECT_NE(0, info->discard_granularity);
	if (!info->direct)
		return;
	EXPECT_EQ(variant->sector, info->logical_block_size);
	EXPECT_EQ(variant->sector == 512 ? 0 : -EINVAL,
		  block_check_block_size(self->blk, 512, &self->err));
	EXPECT_EQ(0, block_check_block_size(self->blk, 4096, &self->err));
}

TEST_F(loop, any_vectors)
{
	struct iovec iov[3] = {
		{ self->buf + 4, 4092 }, { self->buf + 4096, 8192 },
		{ self->buf + 12288, 4 },
	};
	u8 *expected = malloc(IMAGE);
	u8 *back = malloc(12288 + 1);
	struct iovec in = { back + 1, 12288 };

	OPEN();
	memcpy(expected, self->buf, IMAGE);
	memcpy(expected + 8192, self->buf + 4, 12288);
	test_io_init(&self->io);
	block_write(self->blk, &self->t, &self->io.req, iov, 3, 8192,
		    BLOCK_FUA);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
	EXPECT_TRUE(disk_has(self->dev, expected, IMAGE));
	test_io_init(&self->io);
	block_read(self->blk, &self->t, &self->io.req, &in, 1, 8192);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
	EXPECT_EQ(0, memcmp(back + 1, self->buf + 4, 12288));
	free(back);
	free(expected);
}

TEST_F(loop, zeroes_discards_and_flushes)
{
	OPEN();
	test_io_init(&self->io);
	block_write_zeroes(self->blk, &self->t, &self->io.req, 4096, 65536,
			   BLOCK_FUA);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
	memset(self->buf + 4096, 0, 65536);
	EXPECT_TRUE(disk_has(self->dev, self->buf, IMAGE));

	test_io_init(&self->io);
	block_write_zeroes(self->blk, &self->t, &self->io.req, MIB, MIB,
			   BLOCK_MAY_DISCARD);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
	memset(self->buf + MIB, 0, MIB);
	EXPECT_TRUE(disk_has(self->dev, self->buf, IMAGE));

	test_io_init(&self->io);
	block_discard(self->blk, &self->t, &self->io.req, 2 * MIB, MIB);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
	if (block_info(self->blk)->zero_after_discard) {
		memset(self->buf + 2 * MIB, 0, MIB);
		EXPECT_TRUE(disk_has(self->dev, self->buf, IMAGE));
	}
	test_io_init(&self->io);
	block_flush(self->blk, &self->t, &self->io.req);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
}

/* The page cache allows blocks that are smaller than the sectors. */
TEST_F(loop, parts_of_a_sector)
{
	struct iovec iov = { self->buf + 512, 512 };
	u8 *expected = malloc(IMAGE);

	if (variant->cache == BLOCK_CACHE_NONE && variant->sector > 512)
		goto out;
	OPEN();
	memcpy(expected, self->buf, IMAGE);
	memcpy(expected + 1024, self->buf + 512, 512);
	test_io_init(&self->io);
	block_write(self->blk, &self->t, &self->io.req, &iov, 1, 1024, 0);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
	memset(expected + 4096 - 512, 0, 8192);
	test_io_init(&self->io);
	block_write_zeroes(self->blk, &self->t, &self->io.req, 4096 - 512, 8192,
			   BLOCK_MAY_DISCARD);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
	EXPECT_TRUE(disk_has(self->dev, expected, IMAGE));

	test_io_init(&self->io);
	block_discard(self->blk, &self->t, &self->io.req, 65536 + 512, 8192);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
	test_io_init(&self->io);
	block_discard(self->blk, &self->t, &self->io.req, 16384 + 512, 1024);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
	EXPECT_TRUE(disk_has(self->dev, expected, 16384 + 512));
	EXPECT_EQ(variant->sector == 512,
		  block_info(self->blk)->zero_after_discard);
out:
	free(expected);
}

TEST_F(loop, discards_by_the_worker)
{
	struct block_file *file;
	struct test_io ios[20];
	u64 part = 64 * KIB;
	struct stat before, after;
	u32 i;

	OPEN();
	file = container_of(self->blk, struct block_file, blk);
	ASSERT_FALSE(file->worker.started);
	ASSERT_EQ(0, block_worker_start(&file->worker,
					block_file_discard_ioctl));
	file->discard_by_ioctl = true;
	ASSERT_EQ(0, fsync(self->file_fd));
	ASSERT_EQ(0, fstat(self->file_fd, &before));
	for (i = 0; i < ARRAY_SIZE(ios); i++) {
		test_io_init(&ios[i]);
		block_discard(self->blk, &self->t, &ios[i].req, i * part, part);
	}
	/* The last may have begun, or not: one completion in any case. */
	if (block_cancel(&ios[19].req))
		EXPECT_EQ(-ECANCELED, test_io_wait(&self->t, &ios[19]));
	for (i = 0; i < 19; i++)
		EXPECT_EQ(0, test_io_wait(&self->t, &ios[i]));
	test_io_wait(&self->t, &ios[19]);
	for (i = 0; i < ARRAY_SIZE(ios); i++)
		EXPECT_EQ(1, ios[i].calls);
	EXPECT_EQ(0, block_in_flight(self->blk));
	ASSERT_EQ(0, fstat(self->file_fd, &after));
	EXPECT_GE(before.st_blocks - (s64)(18 * part / 512), after.st_blocks);
}

TEST_F(loop, a_device_that_the_host_uses_is_refused)
{
	struct block_config config = { .path = self->dev };
	int fd = open(self->dev, O_RDWR | O_EXCL | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, block_open(&config, &self->blk, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "mounted"));
	config.readonly = true;
	EXPECT_EQ(0, block_open(&config, &self->blk, &self->err));
	close(fd);
}

TEST_F(loop, machines_lock_devices_as_well)
{
	struct block_config config = { .path = self->dev };
	struct block *second;

	OPEN();
	EXPECT_EQ(-EBUSY, block_open(&config, &second, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "in use by"));
}

TEST_HARNESS_MAIN
