// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: devices/block: every operation, on image files
 *
 * Each test runs with the host's page cache and with direct I/O. What the
 * kernel would do only now and then (short transfers, interruptions) is
 * injected, see tests/lib/block_fault.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/harness.h"

#include "devices/block/block_ops.h"
#include "tests/lib/block_disk.h"
#include "tests/lib/block_fault.h"
#include "tests/lib/random.h"
#include "vmm/base/math.h"

#define IMAGE	(4 * MIB)

FIXTURE(disk) {
	struct iothread t;
	struct test_dir dir;
	struct test_random rnd;
	struct test_io io;
	struct error err;
	struct block *blk;
	char path[200];
	u8 *buf;
	u8 *copy;
	int fd;
};

FIXTURE_VARIANT(disk) {
	enum block_cache cache;
};

FIXTURE_VARIANT_ADD(disk, cached) {
	.cache = BLOCK_CACHE_WRITEBACK,
};

FIXTURE_VARIANT_ADD(disk, direct) {
	.cache = BLOCK_CACHE_NONE,
};

FIXTURE_SETUP(disk)
{
	struct block_config config = {
		.path = self->path,
		.cache = variant->cache,
		.discard = true,
	};

	self->err.code = 0;
	self->buf = aligned_alloc(4096, IMAGE + 4096);
	self->copy = aligned_alloc(4096, IMAGE + 4096);
	test_random_init(&self->rnd);
	test_random_fill(&self->rnd, self->buf, IMAGE + 4096);
	test_io_init(&self->io);
	ASSERT_EQ(0, test_dir_make(&self->dir));
	test_dir_file(&self->dir, "disk", self->path, sizeof(self->path));
	ASSERT_EQ(0, test_image_make(self->path, IMAGE));
	self->fd = open(self->path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, iothread_init(&self->t, "test", 64, &self->err));
	ASSERT_EQ(0, block_open(&config, &self->blk, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	if (variant->cache == BLOCK_CACHE_NONE &&
	    !block_info(self->blk)->direct)
		TH_LOG("no direct I/O on %s", self->path);
}

FIXTURE_TEARDOWN(disk)
{
	EXPECT_EQ(0, block_in_flight(self->blk));
	block_close(self->blk);
	iothread_destroy(&self->t);
	close(self->fd);
	test_dir_remove(&self->dir);
	free(self->buf);
	free(self->copy);
}

/* What another program sees in the file. */
static bool file_has(int fd, const void *data, size_t len, u64 offset)
{
	u8 *now = malloc(len);
	bool same;

	same = pread(fd, now, len, (off_t)offset) == (ssize_t)len &&
	       !memcmp(now, data, len);
	free(now);
	return same;
}

static bool is_zero(const u8 *at, size_t len)
{
	while (len && !*at) {
		at++;
		len--;
	}
	return !len;
}

/* Cuts a buffer into vectors; lengths are multiples of @unit. */
static u32 cut(struct test_random *rnd, u8 *buf, size_t len, u32 unit,
	       struct iovec *iov, u32 max)
{
	u32 nr = 0;

	while (len && nr < max - 1) {
		size_t part = (test_random_below(rnd, 16) + 1) * unit;

		if (part > len)
			part = len;
		iov[nr].iov_base = buf;
		iov[nr++].iov_len = part;
		buf += part;
		len -= part;
	}
	if (len) {
		iov[nr].iov_base = buf;
		iov[nr++].iov_len = len;
	}
	return nr;
}

#define DO_WRITE(iov, nr, offset, flags) ({				\
	test_io_init(&self->io);					\
	block_write(self->blk, &self->t, &self->io.req, iov, nr, offset, \
		    flags);						\
	test_io_wait(&self->t, &self->io); })
#define DO_READ(iov, nr, offset) ({					\
	test_io_init(&self->io);					\
	block_read(self->blk, &self->t, &self->io.req, iov, nr, offset); \
	test_io_wait(&self->t, &self->io); })
#define DO_FLUSH() ({							\
	test_io_init(&self->io);					\
	block_flush(self->blk, &self->t, &self->io.req);		\
	test_io_wait(&self->t, &self->io); })
#define DO_ZEROES(offset, len, flags) ({				\
	test_io_init(&self->io);					\
	block_write_zeroes(self->blk, &self->t, &self->io.req, offset,	\
			   len, flags);					\
	test_io_wait(&self->t, &self->io); })
#define DO_DISCARD(offset, len) ({					\
	test_io_init(&self->io);					\
	block_discard(self->blk, &self->t, &self->io.req, offset, len);	\
	test_io_wait(&self->t, &self->io); })

static int fill_image(int fd, const u8 *buf)
{
	return pwrite(fd, buf, IMAGE, 0) == IMAGE && fsync(fd) == 0;
}

TEST_F(disk, info_tells_what_it_is)
{
	const struct block_info *info = block_info(self->blk);

	EXPECT_EQ(IMAGE, info->size);
	EXPECT_FALSE(info->readonly);
	EXPECT_FALSE(info->is_device);
	EXPECT_TRUE(info->zero_after_discard);
	EXPECT_LE(512, info->logical_block_size);
	EXPECT_LE(info->logical_block_size, info->physical_block_size);
	EXPECT_STREQ(self->path, block_path(self->blk));
	if (variant->cache == BLOCK_CACHE_WRITEBACK)
		EXPECT_FALSE(info->direct);
}

TEST_F(disk, writes_and_reads_what_was_asked)
{
	struct iovec iov[40];
	u32 unit = block_info(self->blk)->logical_block_size;
	int i;

	for (i = 0; i < 50; i++) {
		u64 len = (test_random_below(&self->rnd, 200) + 1) * unit;
		u64 offset = test_random_below(&self->rnd,
					       (IMAGE - len) / unit + 1) * unit;
		u32 nr;

		test_random_fill(&self->rnd, self->buf, len);
		nr = cut(&self->rnd, self->buf, len, unit, iov, 40);
		ASSERT_EQ(0, DO_WRITE(iov, nr, offset, i & 1));
		ASSERT_TRUE(file_has(self->fd, self->buf, len, offset));
		memset(self->copy, 0x5a, len);
		nr = cut(&self->rnd, self->copy, len, unit, iov, 40);
		ASSERT_EQ(0, DO_READ(iov, nr, offset));
		ASSERT_EQ(0, memcmp(self->buf, self->copy, len));
		ASSERT_EQ(1, self->io.calls);
	}
}

TEST_F(disk, more_vectors_than_the_kernel_takes_at_once)
{
	u32 unit = block_info(self->blk)->logical_block_size, nr = 1500, i;
	struct iovec *iov = calloc(nr, sizeof(*iov));

	ASSERT_LE(nr * unit, IMAGE);
	for (i = 0; i < nr; i++)
		iov[i] = (struct iovec){ self->buf + i * unit, unit };
	EXPECT_EQ(0, DO_WRITE(iov, nr, 0, BLOCK_FUA));
	EXPECT_TRUE(file_has(self->fd, self->buf, nr * unit, 0));
	for (i = 0; i < nr; i++)
		iov[i] = (struct iovec){ self->copy + i * unit, unit };
	EXPECT_EQ(0, DO_READ(iov, nr, 0));
	EXPECT_EQ(0, memcmp(self->buf, self->copy, nr * unit));
	free(iov);
}

/* Guests may use any dword address; vectors may even be odd for us. */
TEST_F(disk, vectors_at_any_address_and_of_any_length)
{
	static const u32 cuts[] = { 4, 4092, 7, 1, 65536, 8188, 0, 3 };
	struct iovec iov[ARRAY_SIZE(cuts) + 1];
	u32 unit = block_info(self->blk)->logical_block_size;
	u64 total = round_up_to(90000, unit), at, i;

	for (i = 0, at = 0; i < ARRAY_SIZE(cuts); at += cuts[i++])
		iov[i] = (struct iovec){ self->buf + at + 4, cuts[i] };
	iov[i] = (struct iovec){ self->buf + at + 4, total - at };
	EXPECT_EQ(0, DO_WRITE(iov, ARRAY_SIZE(iov), 3 * unit, 0));
	EXPECT_TRUE(file_has(self->fd, self->buf + 4, total, 3 * unit));

	memset(self->copy, 0x5a, total + 64);
	for (i = 0, at = 0; i < ARRAY_SIZE(cuts); at += cuts[i++])
		iov[i] = (struct iovec){ self->copy + at + 28, cuts[i] };
	iov[i] = (struct iovec){ self->copy + at + 28, total - at };
	EXPECT_EQ(0, DO_READ(iov, ARRAY_SIZE(iov), 3 * unit));
	EXPECT_EQ(0, memcmp(self->buf + 4, self->copy + 28, total));
	EXPECT_EQ(0x5a, self->copy[27]);
	EXPECT_EQ(0x5a, self->copy[28 + total]);
}

TEST_F(disk, many_requests_share_the_bounce_buffers)
{
	enum { NR = 100 };
	struct test_io *ios = calloc(NR, sizeof(*ios));
	struct iovec iov[NR];
	u32 len = 8192, i;

	for (i = 0; i < NR; i++) {
		test_io_init(&ios[i]);
		iov[i] = (struct iovec){ self->buf + i * len + 2, len };
		block_write(self->blk, &self->t, &ios[i].req, &iov[i], 1,
			    i * len, 0);
	}
	EXPECT_EQ(NR, block_in_flight(self->blk));
	for (i = 0; i < NR; i++)
		EXPECT_EQ(0, test_io_wait(&self->t, &ios[i]));
	EXPECT_TRUE(file_has(self->fd, self->buf + 2, NR * len, 0));
	free(ios);
}

TEST_F(disk, a_request_waiting_for_a_buffer_can_be_cancelled)
{
	enum { NR = 64 };
	struct test_io ios[NR];
	struct iovec iov[NR];
	u32 len = 8192, i;

	if (variant->cache == BLOCK_CACHE_WRITEBACK)
		return;
	if (!block_info(self->blk)->direct)
		SKIP(return, "no direct I/O on %s", self->path);
	for (i = 0; i < NR; i++) {
		test_io_init(&ios[i]);
		iov[i] = (struct iovec){ self->buf + 2, len };
		block_write(self->blk, &self->t, &ios[i].req, &iov[i], 1,
			    i * len, 0);
	}
	EXPECT_TRUE(block_cancel(&ios[NR - 1].req));
	EXPECT_EQ(0, ios[NR - 1].calls);
	EXPECT_EQ(-ECANCELED, test_io_wait(&self->t, &ios[NR - 1]));
	for (i = 0; i < NR - 1; i++)
		EXPECT_EQ(0, test_io_wait(&self->t, &ios[i]));
	EXPECT_EQ(1, ios[NR - 1].calls);
}

TEST_F(disk, completion_never_comes_from_within_the_call)
{
	struct iovec iov = { self->buf, 4096 };

	test_io_init(&self->io);
	block_read(self->blk, &self->t, &self->io.req, &iov, 1, IMAGE);
	EXPECT_EQ(0, self->io.calls);
	EXPECT_EQ(1, block_in_flight(self->blk));
	EXPECT_EQ(-EINVAL, test_io_wait(&self->t, &self->io));
	EXPECT_EQ(0, block_in_flight(self->blk));
}

TEST_F(disk, ranges_beyond_the_disk_are_refused)
{
	struct iovec iov = { self->buf, 4096 };

	EXPECT_EQ(-EINVAL, DO_READ(&iov, 1, IMAGE - 512));
	EXPECT_EQ(-EINVAL, DO_READ(&iov, 1, UINT64_MAX - 511));
	EXPECT_EQ(-EINVAL, DO_WRITE(&iov, 1, IMAGE, 0));
	EXPECT_EQ(-EINVAL, DO_ZEROES(0, IMAGE + 512, 0));
	EXPECT_EQ(-EINVAL, DO_ZEROES(512, UINT64_MAX - 511, 0));
	EXPECT_EQ(-EINVAL, DO_DISCARD(IMAGE, 512));
	EXPECT_EQ(IMAGE, lseek(self->fd, 0, SEEK_END));
}

TEST_F(disk, parts_of_a_block_are_refused)
{
	struct iovec iov = { self->buf, 100 };

	EXPECT_EQ(-EINVAL, DO_WRITE(&iov, 1, 0, 0));
	iov.iov_len = 4096;
	EXPECT_EQ(-EINVAL, DO_READ(&iov, 1, 7));
	EXPECT_EQ(-EINVAL, DO_ZEROES(1, 512, 0));
	EXPECT_EQ(-EINVAL, DO_DISCARD(512, 511));
}

TEST_F(disk, nothing_to_do_succeeds)
{
	struct iovec iov = { self->buf, 0 };

	EXPECT_EQ(0, DO_READ(&iov, 1, 0));
	EXPECT_EQ(0, DO_WRITE(NULL, 0, IMAGE, 0));
	EXPECT_EQ(0, DO_ZEROES(IMAGE, 0, BLOCK_FUA));
	EXPECT_EQ(0, DO_DISCARD(0, 0));
}

TEST_F(disk, flush_succeeds)
{
	EXPECT_EQ(0, DO_FLUSH());
}

/* The entry that is waiting in the test's own ring. */
static const struct io_uring_sqe *last_sqe(struct iothread *t)
{
	struct io_uring_sq *sq = &t->ring.sq;

	return &sq->sqes[(sq->sqe_tail - 1) & *sq->kring_mask];
}

TEST_F(disk, durability_is_asked_of_the_kernel)
{
	struct iovec iov = { self->buf, 4096 };

	test_io_init(&self->io);
	block_write(self->blk, &self->t, &self->io.req, &iov, 1, 0, 0);
	EXPECT_EQ(IORING_OP_WRITE, last_sqe(&self->t)->opcode);
	EXPECT_EQ(0, last_sqe(&self->t)->rw_flags);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));

	test_io_init(&self->io);
	iov = (struct iovec){ self->buf, 4096 };
	block_write(self->blk, &self->t, &self->io.req, &iov, 1, 0, BLOCK_FUA);
	EXPECT_EQ(RWF_DSYNC, last_sqe(&self->t)->rw_flags);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));

	test_io_init(&self->io);
	block_flush(self->blk, &self->t, &self->io.req);
	EXPECT_EQ(IORING_OP_FSYNC, last_sqe(&self->t)->opcode);
	EXPECT_EQ(IORING_FSYNC_DATASYNC, last_sqe(&self->t)->fsync_flags);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
}

static u64 blocks_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (u64)st.st_blocks : UINT64_MAX;
}

TEST_F(disk, write_zeroes_keeps_the_space)
{
	u64 before;

	ASSERT_TRUE(fill_image(self->fd, self->buf));
	before = blocks_of(self->fd);
	EXPECT_EQ(0, DO_ZEROES(64 * KIB, MIB, 0));
	EXPECT_EQ(0, DO_FLUSH());
	memset(self->buf + 64 * KIB, 0, MIB);
	EXPECT_TRUE(file_has(self->fd, self->buf, IMAGE, 0));
	EXPECT_EQ(before, blocks_of(self->fd));
}

TEST_F(disk, write_zeroes_may_give_space_back)
{
	u64 before;

	ASSERT_TRUE(fill_image(self->fd, self->buf));
	before = blocks_of(self->fd);
	EXPECT_EQ(0, DO_ZEROES(64 * KIB, MIB, BLOCK_MAY_DISCARD | BLOCK_FUA));
	memset(self->buf + 64 * KIB, 0, MIB);
	EXPECT_TRUE(file_has(self->fd, self->buf, IMAGE, 0));
	EXPECT_GT(before, blocks_of(self->fd));
}

TEST_F(disk, discard_gives_space_back_and_reads_zeros)
{
	struct iovec iov = { self->copy, MIB };
	u64 before;

	ASSERT_TRUE(fill_image(self->fd, self->buf));
	before = blocks_of(self->fd);
	EXPECT_EQ(0, DO_DISCARD(MIB, MIB));
	EXPECT_GT(before, blocks_of(self->fd));
	EXPECT_EQ(0, DO_READ(&iov, 1, MIB));
	EXPECT_TRUE(is_zero(self->copy, MIB));
	EXPECT_EQ(IMAGE, lseek(self->fd, 0, SEEK_END));
}

/* The ladder from punching over zeroing to writing zeros. */
TEST_F(disk, zeroes_are_written_where_the_file_system_cannot)
{
	struct block_fault *fault = block_fault_attach(self->blk);
	struct block_fault_plan plan = {
		.action = BLOCK_FAULT_RESULT,
		.count = 1,
		.first = 1,
		.result = -EOPNOTSUPP,
	};
	u64 len = 2 * MIB + 64 * KIB;

	/* The first request learns that PUNCH_HOLE does not work ... */
	ASSERT_TRUE(fill_image(self->fd, self->buf));
	block_fault_plan(fault, &plan);
	EXPECT_EQ(0, DO_ZEROES(0, 64 * KIB, BLOCK_MAY_DISCARD | BLOCK_FUA));
	memset(self->buf, 0, 64 * KIB);
	EXPECT_TRUE(file_has(self->fd, self->buf, IMAGE, 0));

	/* ... the second that ZERO_RANGE does not: then zeros are written. */
	ASSERT_TRUE(fill_image(self->fd, self->buf));
	block_fault_plan(fault, &plan);
	EXPECT_EQ(0, DO_ZEROES(MIB, len, BLOCK_FUA));
	memset(self->buf + MIB, 0, len);
	EXPECT_TRUE(file_has(self->fd, self->buf, IMAGE, 0));
	block_fault_detach(fault);

	test_io_init(&self->io);
	block_write_zeroes(self->blk, &self->t, &self->io.req, 0, MIB,
			   BLOCK_FUA | BLOCK_MAY_DISCARD);
	EXPECT_EQ(IORING_OP_WRITE, last_sqe(&self->t)->opcode);
	EXPECT_EQ(RWF_DSYNC, last_sqe(&self->t)->rw_flags);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));

	/* A discard that cannot be done is still a success. */
	EXPECT_EQ(0, DO_DISCARD(2 * MIB, MIB));
}

TEST_F(disk, short_transfers_go_on_at_the_next_byte)
{
	static const int results[] = { 1, 100, 512, 700, 4096, 5000, 65536,
				       -EINTR, -EAGAIN };
	struct block_fault *fault = block_fault_attach(self->blk);
	u32 unit = block_info(self->blk)->logical_block_size, i;
	struct iovec iov[40], before[40];

	for (i = 0; i < ARRAY_SIZE(results) * 4; i++) {
		struct block_fault_plan plan = {
			.action = BLOCK_FAULT_RESULT,
			.first = 1,
			.result = results[i / 4],
		};
		u64 len = 40ULL * unit;
		bool odd = i & 1;
		u32 nr;

		/* Single vectors, many, and through bounce buffers. */
		test_random_fill(&self->rnd, self->buf, len + 4);
		nr = cut(&self->rnd, self->buf + 2 * odd, len, unit, iov,
			 i & 2 ? 40 : 1);
		block_fault_plan(fault, &plan);
		ASSERT_EQ(0, DO_WRITE(iov, nr, unit, 0));
		ASSERT_TRUE(file_has(self->fd, self->buf + 2 * odd, len, unit));
		ASSERT_EQ(1, self->io.calls);
		memset(self->copy, 0x5a, len + 4);
		nr = cut(&self->rnd, self->copy + 2 * odd, len, unit, iov,
			 i & 2 ? 40 : 1);
		memcpy(before, iov, nr * sizeof(iov[0]));
		ASSERT_EQ(0, DO_READ(iov, nr, unit));
		/* Whoever mapped them has to unmap them. */
		ASSERT_EQ(0, memcmp(before, iov, nr * sizeof(iov[0])));
		ASSERT_EQ(0, memcmp(self->buf + 2 * odd, self->copy + 2 * odd,
				    len));
		ASSERT_EQ(2, block_fault_seen(fault));
	}
	block_fault_detach(fault);
}

/* Every operation of a request is cut short, down to the last block. */
TEST_F(disk, any_number_of_short_transfers)
{
	struct block_fault *fault = block_fault_attach(self->blk);
	u32 unit = block_info(self->blk)->logical_block_size;
	struct block_fault_plan plan = {
		.action = BLOCK_FAULT_RESULT,
		.first = 1,
		.repeat = true,
		.result = (int)unit,
	};
	struct iovec iov = { self->buf, 256 * unit };

	block_fault_plan(fault, &plan);
	EXPECT_EQ(0, DO_WRITE(&iov, 1, 0, 0));
	EXPECT_TRUE(file_has(self->fd, self->buf, 256 * unit, 0));
	iov = (struct iovec){ self->copy, 256 * unit };
	EXPECT_EQ(0, DO_READ(&iov, 1, 0));
	EXPECT_EQ(0, memcmp(self->buf, self->copy, 256 * unit));
	block_fault_detach(fault);
}

TEST_F(disk, errors_and_endless_trouble_end_in_an_error)
{
	static const struct {
		int result;
		int expected;
	} cases[] = {
		{ -EIO, -EIO }, { -ENOSPC, -ENOSPC }, { 0, -EIO },
		{ -EINTR, -EINTR }, { -EAGAIN, -EAGAIN },
	};
	struct block_fault *fault = block_fault_attach(self->blk);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct block_fault_plan plan = {
			.action = BLOCK_FAULT_RESULT,
			.first = 1,
			.repeat = true,
			.result = cases[i].result,
		};
		struct iovec iov = { self->buf, 4096 };

		block_fault_plan(fault, &plan);
		EXPECT_EQ(cases[i].expected, DO_WRITE(&iov, 1, 0, 0));
		EXPECT_EQ(1, self->io.calls);
		if (cases[i].result)
			EXPECT_EQ(cases[i].expected, DO_FLUSH());
		if (cases[i].result)
			EXPECT_EQ(cases[i].expected, DO_ZEROES(0, 512, 0));
	}
	block_fault_detach(fault);
}

TEST_F(disk, a_file_cut_short_under_us_is_an_error)
{
	struct iovec iov = { self->copy, MIB };

	ASSERT_EQ(0, ftruncate(self->fd, IMAGE / 2 + 4096));
	EXPECT_EQ(-EIO, DO_READ(&iov, 1, IMAGE / 2));
	iov = (struct iovec){ self->copy, MIB };
	EXPECT_EQ(-EIO, DO_READ(&iov, 1, IMAGE / 2 + MIB));
}

/* 4 GiB at once, by vectors that all point to the same memory. */
TEST_F(disk, more_bytes_than_the_kernel_moves_at_once)
{
	enum { NR = 1025 };
	struct block_config config = { .path = self->path, .readonly = true,
				       .cache = variant->cache };
	struct iovec *iov = calloc(NR, sizeof(*iov));
	struct block *big;
	char path[200];
	u32 i;

	config.path = test_dir_file(&self->dir, "big", path, sizeof(path));
	ASSERT_EQ(0, test_image_make(path, NR * 2 * MIB));
	ASSERT_EQ(0, block_open(&config, &big, &self->err));
	for (i = 0; i < NR; i++)
		iov[i] = (struct iovec){ self->buf, 2 * MIB };
	test_io_init(&self->io);
	block_read(big, &self->t, &self->io.req, iov, NR, 0);
	EXPECT_EQ(0, test_io_wait(&self->t, &self->io));
	EXPECT_TRUE(is_zero(self->buf, 2 * MIB));
	block_close(big);
	free(iov);
}

TEST_F(disk, a_hanging_request_is_released_or_cancelled)
{
	struct block_fault *fault = block_fault_attach(self->blk);
	struct block_fault_plan plan = {
		.action = BLOCK_FAULT_HANG,
		.kinds = 1 << BLOCK_WRITE,
		.first = 1,
	};
	struct iovec iov = { self->buf, 4096 }, iov2 = { self->buf, 4096 };
	struct iovec in = { self->copy, 4096 };
	struct test_io second, read;
	int i;

	test_io_init(&self->io);
	test_io_init(&second);
	test_io_init(&read);
	block_fault_plan(fault, &plan);
	block_write(self->blk, &self->t, &self->io.req, &iov, 1, 0, 0);
	block_write(self->blk, &self->t, &second.req, &iov2, 1, 4096, 0);
	block_read(self->blk, &self->t, &read.req, &in, 1, 0);
	EXPECT_EQ(0, test_io_wait(&self->t, &read));
	for (i = 0; i < 10; i++)
		iothread_run_once(&self->t, false);
	EXPECT_EQ(2, block_fault_hanging(fault));
	EXPECT_EQ(0, self->io.calls + second.calls);
	EXPECT_EQ(2, block_in_flight(self->blk));
	EXPECT_TRUE(block_cancel(&self->io.req));
	EXPECT_EQ(-ECANCELED, test_io_wait(&self->t, &self->io));
	EXPECT_EQ(1, block_fault_hanging(fault));
	block_fault_release(fault);
	EXPECT_EQ(0, test_io_wait(&self->t, &second));
	EXPECT_TRUE(file_has(self->fd, self->buf, 4096, 4096));
	EXPECT_FALSE(file_has(self->fd, self->buf, 4096, 0));
	block_fault_detach(fault);
}

/* Whenever it comes: one completion, and it tells the truth. */
TEST_F(disk, cancel_at_any_moment)
{
	u32 cancelled = 0, i, j;

	for (i = 0; i < 300; i++) {
		struct iovec iov = { self->buf + (i & 1) * 2, MIB };
		u32 rounds = (u32)test_random_below(&self->rnd, 4);

		test_io_init(&self->io);
		test_random_fill(&self->rnd, self->buf, 64);
		if (i % 3)
			block_write(self->blk, &self->t, &self->io.req, &iov, 1,
				    0, 0);
		else
			block_write_zeroes(self->blk, &self->t, &self->io.req,
					   0, IMAGE, 0);
		for (j = 0; j < rounds; j++)
			iothread_run_once(&self->t, false);
		usleep((useconds_t)test_random_below(&self->rnd, 1000));
		if (!self->io.calls)
			block_cancel(&self->io.req);
		if (!self->io.calls && i & 4)
			block_cancel(&self->io.req);
		test_io_wait(&self->t, &self->io);
		for (j = 0; j < 3; j++)
			iothread_run_once(&self->t, false);
		ASSERT_EQ(1, self->io.calls);
		ASSERT_TRUE(!self->io.res || self->io.res == -ECANCELED);
		if (!self->io.res && i % 3)
			ASSERT_TRUE(file_has(self->fd, self->buf + (i & 1) * 2,
					     MIB, 0));
		cancelled += self->io.res == -ECANCELED;
	}
	TH_LOG("%u of 300 cancelled", cancelled);
}

/**
 * struct other_loop - a second event loop that writes to the same disk
 * @t: its thread
 * @blk: the disk
 * @io: its request
 * @iov: what it writes, part of @data
 * @data: 64 blocks of 4096 bytes
 * @left: requests to go
 * @failed: of those done
 */
struct other_loop {
	struct iothread t;
	struct block *blk;
	struct test_io io;
	struct iovec iov;
	u8 *data;
	_Atomic u32 left;
	u32 failed;
};

static void other_begin(void *arg)
{
	struct other_loop *o = arg;

	o->iov = (struct iovec){ o->data + (o->left % 64) * 4096, 4096 };
	block_write(o->blk, &o->t, &o->io.req, &o->iov, 1,
		    (o->left % 64) * 4096, 0);
}

static void other_done(struct block_req *req, int res)
{
	struct other_loop *o = container_of(req, struct other_loop, io.req);

	o->failed += res < 0;
	if (atomic_fetch_sub(&o->left, 1) > 1)
		other_begin(o);
}

TEST_F(disk, two_loops_work_on_one_disk)
{
	struct other_loop *o = calloc(1, sizeof(*o));
	u32 i;

	o->blk = self->blk;
	o->data = self->buf;
	o->left = 500;
	test_io_init(&o->io);
	o->io.req.done = other_done;
	ASSERT_EQ(0, iothread_start(&o->t, "other", 64, 0, &self->err));
	iothread_call(&o->t, other_begin, o);
	for (i = 0; i < 500; i++) {
		struct iovec iov = { self->buf + MIB + i % 64 * 4096, 4096 };

		ASSERT_EQ(0, DO_WRITE(&iov, 1, MIB + i % 64 * 4096, 0));
	}
	while (atomic_load(&o->left))
		usleep(1000);
	EXPECT_EQ(0, o->failed);
	EXPECT_TRUE(file_has(self->fd, self->buf, 64 * 4096, 0));
	EXPECT_TRUE(file_has(self->fd, self->buf + MIB, 64 * 4096, MIB));
	iothread_destroy(&o->t);
	free(o);
}

TEST_F(disk, block_sizes_below_the_disks_are_refused)
{
	u32 own = block_info(self->blk)->logical_block_size;

	EXPECT_EQ(0, block_check_block_size(self->blk, own, &self->err));
	EXPECT_EQ(0, block_check_block_size(self->blk, 4096, &self->err));
	EXPECT_EQ(-EINVAL, block_check_block_size(self->blk, own / 2,
						  &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "bs="));
	EXPECT_EQ(-EINVAL, block_check_block_size(self->blk, 2 * IMAGE,
						  &self->err));
}

TEST_HARNESS_MAIN
