// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/channel.c under every fault at every call
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "migration/channel.h"
#include "tests/lib/channel_fault.h"
#include "tests/lib/harness.h"

#define SIZE	(3 * 65536)

/* 300 vectors of odd lengths, some empty, SIZE bytes together. */
#define VECTORS	300

FIXTURE(channel) {
	struct test_random rnd;
	struct error err;
	struct channel *mem;
	u8 *medium;
	u8 *data;
	struct iovec iov[VECTORS];
};

static void cut_into_vectors(struct test_random *rnd, u8 *buf, size_t len,
			     struct iovec *iov)
{
	size_t at = 0;
	int i;

	for (i = 0; i < VECTORS; i++) {
		size_t n = test_random_below(rnd, 1400);

		if (i % 17 == 0)
			n = 0;
		if (n > len - at || i == VECTORS - 1)
			n = len - at;
		iov[i].iov_base = buf + at;
		iov[i].iov_len = n;
		at += n;
	}
}

FIXTURE_SETUP(channel)
{
	memset(&self->err, 0, sizeof(self->err));
	test_random_init(&self->rnd);
	self->medium = calloc(1, SIZE + 4096);
	self->data = malloc(SIZE);
	ASSERT_NE(NULL, self->medium);
	ASSERT_NE(NULL, self->data);
	test_random_fill(&self->rnd, self->data, SIZE);
	cut_into_vectors(&self->rnd, self->data, SIZE, self->iov);
	ASSERT_EQ(0, channel_memory_open(self->medium, SIZE + 1000, &self->mem,
					 &self->err));
}

FIXTURE_TEARDOWN(channel)
{
	channel_close(self->mem);
	free(self->medium);
	free(self->data);
}

static bool fault_is_survived(enum channel_fault fault)
{
	return fault == FAULT_NONE || fault == FAULT_ONE_BYTE ||
	       fault == FAULT_PART || fault == FAULT_EINTR ||
	       fault == FAULT_EAGAIN;
}

static int fault_code(enum channel_fault fault, bool write)
{
	switch (fault) {
	case FAULT_EIO:
		return -EIO;
	case FAULT_ENOSPC:
		return -ENOSPC;
	case FAULT_ECONNRESET:
		return -ECONNRESET;
	case FAULT_EPIPE:
		return -EPIPE;
	case FAULT_EOF:
		return write ? -EIO : -ENODATA;
	case FAULT_HANG:
		return -ETIMEDOUT;
	default:
		return 0;
	}
}

/* Each fault at each call, until the call comes too late to be made. */
TEST_F(channel, write_sweep)
{
	struct channel_control control;
	enum channel_fault fault;
	int ret, hits = 0;
	u64 at;

	ASSERT_EQ(0, channel_control_init(&control, &self->err));
	for (fault = FAULT_NONE; fault < FAULTS; fault++) {
		for (at = 0;; at++) {
			struct channel_faulty f;

			memset(self->medium, 0xee, SIZE + 4096);
			ASSERT_EQ(0, channel_faulty_init(&f, self->mem, fault,
							 at, at + 1));
			f.ch.control = &control;
			channel_control_deadline(&control,
						 fault == FAULT_HANG ? 100 : 0);
			ret = channel_pwritev_all(&f.ch, self->iov, VECTORS,
						  1000, &self->err);
			if (!f.hit || fault_is_survived(fault)) {
				ASSERT_EQ(0, ret);
				ASSERT_EQ(0, memcmp(self->medium + 1000,
						    self->data, SIZE));
			} else {
				ASSERT_EQ(fault_code(fault, true), ret);
				ASSERT_EQ(ret, self->err.code);
			}
			/* Not a byte beside the range, whatever happened. */
			ASSERT_EQ(0xee, self->medium[999]);
			ASSERT_EQ(0xee, self->medium[SIZE + 1000]);
			hits += f.hit;
			channel_faulty_destroy(&f);
			if (!f.hit)
				break;
		}
		if (fault != FAULT_NONE)
			EXPECT_LE(5, at);
	}
	EXPECT_LE(9 * 5, hits);
	channel_control_destroy(&control);
}

TEST_F(channel, read_sweep)
{
	struct channel_control control;
	enum channel_fault fault;
	u8 *copy = malloc(SIZE);
	struct iovec iov[VECTORS];
	int ret;
	u64 at;

	memcpy(self->medium + 1000, self->data, SIZE);
	cut_into_vectors(&self->rnd, copy, SIZE, iov);
	ASSERT_EQ(0, channel_control_init(&control, &self->err));
	for (fault = FAULT_NONE; fault < FAULTS; fault++) {
		for (at = 0;; at++) {
			struct channel_faulty f;

			memset(copy, 0, SIZE);
			ASSERT_EQ(0, channel_faulty_init(&f, self->mem, fault,
							 at, at + 1));
			f.ch.control = &control;
			channel_control_deadline(&control,
						 fault == FAULT_HANG ? 100 : 0);
			ret = channel_preadv_all(&f.ch, iov, VECTORS, 1000,
						 &self->err);
			if (!f.hit || fault_is_survived(fault)) {
				ASSERT_EQ(0, ret);
				ASSERT_EQ(0, memcmp(copy, self->data, SIZE));
			} else {
				ASSERT_EQ(fault_code(fault, false), ret);
			}
			channel_faulty_destroy(&f);
			if (!f.hit)
				break;
		}
		if (fault != FAULT_NONE)
			EXPECT_LE(5, at);
	}
	channel_control_destroy(&control);
	free(copy);
}

/* One long vector between two odd ones: batches of 1 MiB, and what is left. */
#define LONG	(5 * CHANNEL_PIECE + 4321)

FIXTURE(batch) {
	struct test_random rnd;
	struct error err;
	struct channel_control control;
	struct channel *mem;
	u8 *medium;
	u8 *data;
	u8 *copy;
};

FIXTURE_SETUP(batch)
{
	memset(&self->err, 0, sizeof(self->err));
	test_random_init(&self->rnd);
	self->medium = calloc(1, LONG + 4096);
	self->data = malloc(LONG);
	self->copy = malloc(LONG);
	ASSERT_NE(NULL, self->medium);
	ASSERT_NE(NULL, self->data);
	ASSERT_NE(NULL, self->copy);
	test_random_fill(&self->rnd, self->data, LONG);
	ASSERT_EQ(0, channel_control_init(&self->control, &self->err));
	ASSERT_EQ(0, channel_memory_open(self->medium, LONG + 1000, &self->mem,
					 &self->err));
}

FIXTURE_TEARDOWN(batch)
{
	channel_close(self->mem);
	channel_control_destroy(&self->control);
	free(self->medium);
	free(self->data);
	free(self->copy);
}

static int move_batch(struct channel *ch, u8 *data, bool write,
		      struct error *err)
{
	struct iovec iov[4] = {
		{ .iov_base = data, .iov_len = 777 },
		{ .iov_base = data, .iov_len = 0 },
		{ .iov_base = data + 777, .iov_len = LONG - 800 },
		{ .iov_base = data + LONG - 23, .iov_len = 23 },
	};

	return write ? channel_pwritev_all(ch, iov, 4, 1000, err) :
		       channel_preadv_all(ch, iov, 4, 1000, err);
}

static void sweep_batch(struct __test_metadata *_metadata,
			FIXTURE_DATA(batch) *self, bool write)
{
	enum channel_fault fault;
	u8 *to = write ? self->medium + 1000 : self->copy;
	u64 at = 0;
	int ret;

	for (fault = FAULT_NONE; fault < FAULTS; fault++) {
		for (at = 0;; at++) {
			struct channel_faulty f;

			memset(to, 0xee, LONG);
			ASSERT_EQ(0, channel_faulty_init(&f, self->mem, fault,
							 at, at + 1));
			f.ch.control = &self->control;
			channel_control_deadline(&self->control,
						 fault == FAULT_HANG ? 100 : 0);
			ret = move_batch(&f.ch, write ? self->data :
					 self->copy, write, &self->err);
			if (!f.hit || fault_is_survived(fault)) {
				ASSERT_EQ(0, ret);
				ASSERT_EQ(0, memcmp(to, self->data, LONG));
			} else {
				ASSERT_EQ(fault_code(fault, write), ret);
				ASSERT_EQ(ret, self->err.code);
			}
			ASSERT_LE(f.calls, 40);
			channel_faulty_destroy(&f);
			if (!f.hit)
				break;
		}
		/* 777 bytes, five pieces and a part of one, 23 bytes. */
		if (fault != FAULT_NONE)
			EXPECT_LE(8, at);
	}
}

TEST_F(batch, write_sweep)
{
	sweep_batch(_metadata, self, true);
}

TEST_F(batch, read_sweep)
{
	memcpy(self->medium + 1000, self->data, LONG);
	sweep_batch(_metadata, self, false);
}

static void cut_into_pieces(u8 *data, struct channel_piece *pieces, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		pieces[i] = (struct channel_piece){
			.buf = data + i * 5000, .len = 1000 + i * 500,
			.pos = 7 + i * 6000,
		};
}

TEST_F(batch, scattered_write_sweep)
{
	struct channel_piece pieces[6];
	enum channel_fault fault;
	u64 at;
	int ret;
	u32 i;

	for (fault = FAULT_NONE; fault < FAULTS; fault++) {
		for (at = 0;; at++) {
			struct channel_faulty f;

			memset(self->medium, 0xee, 65536);
			cut_into_pieces(self->data, pieces, 6);
			ASSERT_EQ(0, channel_faulty_init(&f, self->mem, fault,
							 at, at + 1));
			f.ch.control = &self->control;
			channel_control_deadline(&self->control,
						 fault == FAULT_HANG ? 100 : 0);
			ret = channel_pwrite_pieces_all(&f.ch, pieces, 6,
							&self->err);
			if (f.hit && !fault_is_survived(fault)) {
				ASSERT_EQ(fault_code(fault, true), ret);
			} else {
				ASSERT_EQ(0, ret);
				for (i = 0; i < 6; i++)
					ASSERT_EQ(0, memcmp(self->medium +
						pieces[i].pos, pieces[i].buf,
						pieces[i].len));
			}
			/* Not a byte in between, whatever happened. */
			for (i = 0; i < 6; i++)
				ASSERT_EQ(0xee, self->medium[pieces[i].pos +
							     pieces[i].len]);
			channel_faulty_destroy(&f);
			if (!f.hit)
				break;
		}
		if (fault != FAULT_NONE)
			EXPECT_LE(6, at);
	}
}

/* A batch that ends early because of a cancellation is told as one. */
static void give_up_batch(struct channel *ch, struct channel_piece *pieces,
			  u32 nr, bool write)
{
	pieces[0].moved = pieces[0].len;
	pieces[1].moved = -ECANCELED;
	channel_control_cancel(ch->control);
}

TEST_F(batch, cancelling_ends_a_batch)
{
	struct channel_ops ops = *self->mem->ops;
	struct channel ch = *self->mem;

	ops.batch = give_up_batch;
	ch.ops = &ops;
	ch.control = &self->control;
	EXPECT_EQ(-ECANCELED, channel_pwrite_all(&ch, self->data, LONG, 0,
						 &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "cancelled"));
}

TEST_F(channel, a_byte_at_a_time_gets_there)
{
	struct channel_faulty f;

	ASSERT_EQ(0, channel_faulty_init(&f, self->mem, FAULT_ONE_BYTE,
					 UINT64_MAX, 1));
	ASSERT_EQ(0, channel_pwritev_all(&f.ch, self->iov, VECTORS, 7,
					 &self->err));
	EXPECT_EQ(SIZE, f.calls);
	EXPECT_EQ(0, memcmp(self->medium + 7, self->data, SIZE));
	channel_faulty_destroy(&f);
}

TEST_F(channel, vectors_are_not_changed)
{
	struct iovec before[VECTORS];

	memcpy(before, self->iov, sizeof(before));
	ASSERT_EQ(0, channel_pwritev_all(self->mem, self->iov, VECTORS, 0,
					 &self->err));
	EXPECT_EQ(0, memcmp(before, self->iov, sizeof(before)));
}

TEST_F(channel, the_end_is_clean_only_before_the_first_byte)
{
	u8 buf[100];

	EXPECT_EQ(0, channel_pread_all_eof(self->mem, buf, 100, SIZE + 1000,
					   &self->err));
	EXPECT_EQ(0, self->err.code);
	EXPECT_EQ(1, channel_pread_all_eof(self->mem, buf, 100, SIZE + 900,
					   &self->err));
	EXPECT_EQ(0, self->err.code);
	EXPECT_EQ(-ENODATA, channel_pread_all_eof(self->mem, buf, 100,
						  SIZE + 950, &self->err));
	EXPECT_STREQ("memory: read at 197558: end of file after 50 of 100 bytes",
		     self->err.text);
	EXPECT_EQ(-ENODATA, channel_pread_all(self->mem, buf, 100, SIZE + 1000,
					      &self->err));
	EXPECT_STREQ("memory: read at 197608: end of file after 0 of 100 bytes",
		     self->err.text);
}

TEST_F(channel, nothing_to_move_is_success)
{
	struct iovec empty = { .iov_base = NULL, .iov_len = 0 };

	EXPECT_EQ(1, channel_pread_all_eof(self->mem, NULL, 0, UINT32_MAX,
					   &self->err));
	EXPECT_EQ(0, channel_pread_all(self->mem, NULL, 0, 0, &self->err));
	EXPECT_EQ(0, channel_pwritev_all(self->mem, &empty, 1, 0, &self->err));
	EXPECT_EQ(0, channel_pwritev_all(self->mem, NULL, 0, 0, &self->err));
}

TEST_F(channel, positions_beyond_all_files_are_refused)
{
	struct iovec iov[2] = {
		{ .iov_base = self->data, .iov_len = SIZE_MAX },
		{ .iov_base = self->data, .iov_len = SIZE_MAX },
	};

	EXPECT_EQ(-EINVAL, channel_pwrite_all(self->mem, self->data, 2,
					      INT64_MAX - 1, &self->err));
	EXPECT_EQ(-EINVAL, channel_pwritev_all(self->mem, iov, 2, 0,
					       &self->err));
}

TEST_F(channel, cancelling_ends_a_wait)
{
	struct channel_control control;
	struct channel_faulty f;

	ASSERT_EQ(0, channel_control_init(&control, &self->err));
	ASSERT_EQ(0, channel_faulty_init(&f, self->mem, FAULT_HANG, 1, 1));
	f.ch.control = &control;
	channel_control_cancel(&control);
	EXPECT_EQ(-ECANCELED, channel_pwrite_all(&f.ch, self->data, 10, 0,
						 &self->err));
	EXPECT_EQ(0, f.calls);
	channel_faulty_destroy(&f);
	channel_control_destroy(&control);
}

static void *cancel_later(void *arg)
{
	usleep(20000);
	channel_control_cancel(arg);
	return NULL;
}

TEST_F(channel, cancelling_reaches_into_a_wait)
{
	struct channel_control control;
	struct channel_faulty f;
	pthread_t thread;

	ASSERT_EQ(0, channel_control_init(&control, &self->err));
	ASSERT_EQ(0, channel_faulty_init(&f, self->mem, FAULT_HANG, 0, 1));
	f.ch.control = &control;
	ASSERT_EQ(0, pthread_create(&thread, NULL, cancel_later, &control));
	EXPECT_EQ(-ECANCELED, channel_pread_all(&f.ch, self->data, 10, 0,
						&self->err));
	EXPECT_EQ(1, f.calls);
	pthread_join(thread, NULL);
	channel_faulty_destroy(&f);
	channel_control_destroy(&control);
}

TEST(a_file_is_written_and_read_with_and_without_direct_io)
{
	char path[] = "/var/tmp/lkvm-channel-XXXXXX";
	struct error err = ERROR_INIT;
	struct test_random rnd;
	u8 *out, *in;
	int direct;

	test_random_init(&rnd);
	ASSERT_NE(NULL, mkdtemp(path));
	out = aligned_alloc(4096, SIZE);
	in = aligned_alloc(4096, SIZE);
	for (direct = 0; direct < 2; direct++) {
		struct channel_file_config config = {
			.dirfd = open(path, O_DIRECTORY | O_CLOEXEC),
			.path = "file",
			.write = true,
			.create = true,
			.direct = direct,
		};
		struct channel *ch;

		test_random_fill(&rnd, out, SIZE);
		ASSERT_EQ(0, channel_file_open(&config, &ch, &err));
		/* Aligned, then odd on both sides of it. */
		ASSERT_EQ(0, channel_pwrite_all(ch, out, SIZE, 8192, &err));
		ASSERT_EQ(0, channel_pwrite_all(ch, out + 1, 9000, 8193,
						&err));
		ASSERT_EQ(0, channel_sync(ch, &err));
		EXPECT_EQ(8192 + SIZE, channel_size(ch, &err));
		channel_close(ch);
		EXPECT_EQ(-EEXIST, channel_file_open(&config, &ch, &err));
		config.create = false;
		config.write = false;
		ASSERT_EQ(0, channel_file_open(&config, &ch, &err));
		ASSERT_EQ(0, channel_pread_all(ch, in, SIZE, 8192, &err));
		EXPECT_EQ(0, memcmp(in, out, SIZE));
		ASSERT_EQ(0, channel_pread_all(ch, in + 3, 5000, 8200, &err));
		EXPECT_EQ(0, memcmp(in + 3, out + 8, 5000));
		EXPECT_EQ(-EBADF, channel_pwrite_all(ch, in, 1, 0, &err));
		channel_close(ch);
		ASSERT_EQ(0, unlinkat(config.dirfd, "file", 0));
		close(config.dirfd);
	}
	ASSERT_EQ(0, rmdir(path));
	free(in);
	free(out);
}

TEST(only_regular_files_are_opened)
{
	static const char *const paths[] = { "/", "/dev/null", NULL };
	struct error err = ERROR_INIT;
	struct channel *ch;
	size_t i;

	for (i = 0; paths[i]; i++) {
		struct channel_file_config config = {
			.dirfd = AT_FDCWD, .path = paths[i],
		};

		EXPECT_EQ(-EINVAL, channel_file_open(&config, &ch, &err));
		EXPECT_NE(NULL, strstr(err.text, "not a regular file"));
	}
}

TEST_HARNESS_MAIN
