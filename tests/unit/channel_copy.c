// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/channel_copy.c: whole, sparse, and under every fault
 */
#include "tests/lib/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "migration/channel.h"
#include "tests/lib/channel_fault.h"
#include "vmm/base/math.h"

#define SIZE	(5 * MIB + 12345)

FIXTURE(copy) {
	struct error err;
	struct test_random rnd;
	u8 *from;
	u8 *to;
	struct channel *from_ch;
	struct channel *to_ch;
};

FIXTURE_SETUP(copy)
{
	memset(self, 0, sizeof(*self));
	test_random_init(&self->rnd);
	self->from = calloc(1, SIZE);
	self->to = calloc(1, SIZE + 1);
	ASSERT_NE(NULL, self->from);
	ASSERT_NE(NULL, self->to);
	test_random_fill(&self->rnd, self->from + 70000, MIB);
	test_random_fill(&self->rnd, self->from + SIZE - 3, 3);
	ASSERT_EQ(0, channel_memory_open(self->from, SIZE, &self->from_ch,
					 &self->err));
	ASSERT_EQ(0, channel_memory_open(self->to, SIZE, &self->to_ch,
					 &self->err));
}

FIXTURE_TEARDOWN(copy)
{
	channel_close(self->from_ch);
	channel_close(self->to_ch);
	free(self->from);
	free(self->to);
}

static bool survives(enum channel_fault fault)
{
	return fault == FAULT_NONE || fault == FAULT_ONE_BYTE ||
	       fault == FAULT_PART || fault == FAULT_EINTR ||
	       fault == FAULT_EAGAIN;
}

/* Faults of the source and of the target, at each call. */
TEST_F(copy, every_fault_at_every_call)
{
	struct channel_control control;
	enum channel_fault fault;
	u32 target, hits = 0;
	u64 at;
	int ret;

	ASSERT_EQ(0, channel_control_init(&control, &self->err));
	for (target = 0; target < 2; target++) {
		for (fault = FAULT_NONE; fault < FAULTS; fault++) {
			for (at = 0;; at++) {
				_Atomic u64 done = 0;
				struct channel_faulty f;

				memset(self->to, 0, SIZE);
				ASSERT_EQ(0, channel_faulty_init(&f, target ?
					self->to_ch : self->from_ch, fault, at,
					at + 1));
				f.ch.control = &control;
				channel_control_deadline(&control,
					fault == FAULT_HANG ? 250 : 0);
				ret = channel_copy_all(target ? &f.ch :
					self->to_ch, target ? self->from_ch :
					&f.ch, SIZE, &done, &self->err);
				if (!f.hit || survives(fault)) {
					ASSERT_EQ(0, ret);
					ASSERT_EQ(SIZE, done);
					ASSERT_EQ(0, memcmp(self->from,
							    self->to, SIZE));
				} else {
					ASSERT_NE(0, ret);
					ASSERT_EQ(ret, self->err.code);
				}
				hits += f.hit;
				channel_faulty_destroy(&f);
				if (!f.hit)
					break;
			}
		}
	}
	EXPECT_LE(2 * 9 * 2, hits);
	channel_control_destroy(&control);
}

static struct channel *open_file(struct error *err)
{
	struct channel_file_config config = {
		.dirfd = AT_FDCWD, .path = "/var/tmp", .write = true,
		.unnamed = true, .direct = true,
	};
	struct channel *ch = NULL;

	return channel_file_open(&config, &ch, err) ? NULL : ch;
}

static u64 blocks_of(const struct channel *ch)
{
	struct stat st;

	return fstat(channel_file_fd(ch), &st) ? 0 : (u64)st.st_blocks;
}

/* By the kernel, and by hand where the channels do not know each other. */
TEST_F(copy, files_stay_sparse)
{
	u64 size = 40 * MIB + 5, i;
	u8 *buf = calloc(1, size);
	struct channel *file = open_file(&self->err);
	u32 by_hand;

	ASSERT_NE(NULL, file);
	for (i = 0; i < size; i += 8 * MIB)
		ASSERT_EQ(0, channel_pwrite_all(file, self->from + 70000,
						min_of(9999ULL, size - i), i,
						&self->err));
	ASSERT_EQ(0, channel_set_size(file, size, &self->err));
	for (by_hand = 0; by_hand < 2; by_hand++) {
		struct channel *copy = open_file(&self->err);
		struct channel_faulty f;

		ASSERT_NE(NULL, copy);
		ASSERT_EQ(0, channel_faulty_init(&f, file, FAULT_NONE, 0, 1));
		ASSERT_EQ(0, channel_copy_all(copy, by_hand ? &f.ch : file,
					      size, NULL, &self->err));
		EXPECT_EQ((s64)size, channel_size(copy, &self->err));
		ASSERT_EQ(0, channel_pread_all(copy, buf, size, 0,
					       &self->err));
		for (i = 0; i < size; i += 8 * MIB)
			EXPECT_EQ(0, memcmp(buf + i, self->from + 70000,
					    min_of(9999ULL, size - i)));
		EXPECT_GE(6 * 65536 / 512 + 64, blocks_of(copy));
		channel_faulty_destroy(&f);
		channel_close(copy);
	}
	channel_close(file);
	free(buf);
}

TEST_F(copy, a_file_and_a_buffer_cannot_share)
{
	struct channel *file = open_file(&self->err);

	ASSERT_NE(NULL, file);
	EXPECT_EQ(-EOPNOTSUPP, channel_clone(file, self->from_ch, &self->err));
	EXPECT_EQ(-EOPNOTSUPP, channel_clone(self->to_ch, file, &self->err));
	EXPECT_EQ(0, channel_copy_all(file, self->from_ch, SIZE, NULL,
				      &self->err));
	channel_close(file);
}

TEST_HARNESS_MAIN
