// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/channel_ring.c: batches, and how they end early
 *
 * Pipes are what can be waited for: a full one that nobody reads, an empty one
 * that nobody writes.
 */
#include "tests/lib/harness.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "migration/channel_ring.h"
#include "tests/lib/random.h"
#include "vmm/base/clock.h"
#include "vmm/base/math.h"

#define PIECES	5

FIXTURE(ring) {
	struct error err;
	struct channel_control control;
	struct channel_rings rings;
	struct channel_piece pieces[PIECES];
	int fds[PIECES];
	u8 *data;
	int pipe[2];
};

FIXTURE_SETUP(ring)
{
	u32 i;

	memset(self, 0, sizeof(*self));
	channel_rings_init(&self->rings);
	ASSERT_EQ(0, channel_control_init(&self->control, &self->err));
	self->data = calloc(1, MIB);
	ASSERT_NE(NULL, self->data);
	ASSERT_EQ(0, pipe(self->pipe));
	for (i = 0; i < PIECES; i++)
		self->pieces[i] = (struct channel_piece){
			.buf = self->data, .len = MIB / 8, .pos = UINT64_MAX,
		};
}

FIXTURE_TEARDOWN(ring)
{
	channel_rings_destroy(&self->rings);
	channel_control_destroy(&self->control);
	free(self->data);
	close(self->pipe[0]);
	close(self->pipe[1]);
}

static void use_pipe(FIXTURE_DATA(ring) *self, int end)
{
	u32 i;

	for (i = 0; i < PIECES; i++)
		self->fds[i] = self->pipe[end];
}

static void *cancel_later(void *arg)
{
	usleep(30000);
	channel_control_cancel(arg);
	return NULL;
}

TEST_F(ring, cancelling_calls_back_what_is_under_way)
{
	s64 moved, room = fcntl(self->pipe[1], F_GETPIPE_SZ);
	pthread_t thread;
	u32 i, write;

	for (write = 0; write < 2; write++) {
		use_pipe(self, (int)write);
		ASSERT_EQ(0, pthread_create(&thread, NULL, cancel_later,
					    &self->control));
		channel_rings_batch(&self->rings, &self->control,
				    self->pieces, self->fds, PIECES, write);
		pthread_join(thread, NULL);
		/* At most what a pipe takes was moved, of whichever piece. */
		for (i = 0, moved = 0; i < PIECES; i++)
			if (self->pieces[i].moved > 0)
				moved += self->pieces[i].moved;
		EXPECT_GE(room, moved);
		channel_control_destroy(&self->control);
		ASSERT_EQ(0, channel_control_init(&self->control, &self->err));
	}
}

TEST_F(ring, a_deadline_calls_back_what_is_under_way)
{
	u64 start = now_ms();
	u32 i;

	use_pipe(self, 0);
	channel_control_deadline(&self->control, 30);
	channel_rings_batch(&self->rings, &self->control, self->pieces,
			    self->fds, PIECES, false);
	EXPECT_LE(29, now_ms() - start);
	for (i = 0; i < PIECES; i++)
		EXPECT_GE(0, self->pieces[i].moved);
	/* The ring can be used again. */
	channel_control_deadline(&self->control, 0);
	ASSERT_EQ(100, write(self->pipe[1], self->data, 100));
	channel_rings_batch(&self->rings, &self->control, self->pieces,
			    self->fds, 1, false);
	EXPECT_EQ(100, self->pieces[0].moved);
}

TEST_F(ring, a_job_that_was_cancelled_before_waits_for_nothing)
{
	use_pipe(self, 0);
	channel_control_cancel(&self->control);
	channel_rings_batch(&self->rings, &self->control, self->pieces,
			    self->fds, PIECES, false);
	EXPECT_GE(0, self->pieces[0].moved);
}

TEST_F(ring, errors_and_short_transfers_are_told_for_each_piece)
{
	use_pipe(self, 0);
	ASSERT_EQ(100, write(self->pipe[1], self->data, 100));
	close(self->pipe[1]);
	self->pipe[1] = -1;
	self->fds[1] = -1;
	channel_rings_batch(&self->rings, NULL, self->pieces, self->fds, 3,
			    false);
	EXPECT_EQ(-EBADF, self->pieces[1].moved);
	EXPECT_EQ(100, self->pieces[0].moved + self->pieces[2].moved);
}

/* io_uring_setup() fails as it does in a container. */
static int refuse_io_uring(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = ARRAY_SIZE(filter), .filter = filter,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) ? -errno : 0;
}

/* A file of many pieces, odd at both ends, there and back. */
static void file_round_trip(struct __test_metadata *_metadata, bool direct)
{
	const u64 size = 9 * MIB + 4321;
	char path[] = "/var/tmp/lkvm-ring-XXXXXX";
	struct error err = ERROR_INIT;
	struct channel_control control;
	struct test_random rnd;
	struct channel_file_config config = {
		.dirfd = AT_FDCWD, .path = path, .write = true,
		.unnamed = true, .direct = direct,
	};
	struct channel *ch;
	u8 *out, *in;
	u64 pos;

	test_random_init(&rnd);
	out = aligned_alloc(4096, round_up_to(size, 4096));
	in = aligned_alloc(4096, round_up_to(size, 4096));
	test_random_fill(&rnd, out, size);
	ASSERT_NE(NULL, mkdtemp(path));
	ASSERT_EQ(0, channel_file_open(&config, &ch, &err));
	ASSERT_EQ(0, channel_control_init(&control, &err));
	ch->control = &control;
	for (pos = 0; pos < 8192; pos += 4095) {
		memset(in, 0, size);
		ASSERT_EQ(0, channel_set_size(ch, 0, &err));
		ASSERT_EQ(0, channel_set_size(ch, size, &err));
		ASSERT_EQ(0, channel_pwrite_all(ch, out, size, pos, &err));
		EXPECT_EQ((s64)(size + pos), channel_size(ch, &err));
		ASSERT_EQ(0, channel_pread_all(ch, in, size, pos, &err));
		EXPECT_EQ(0, memcmp(in, out, size));
		/* The end comes in the middle of a batch. */
		EXPECT_EQ(-ENODATA, channel_pread_all(ch, in, size, pos + MIB,
						      &err));
	}
	channel_control_cancel(&control);
	EXPECT_EQ(-ECANCELED, channel_pwrite_all(ch, out, size, 0, &err));
	channel_close(ch);
	channel_control_destroy(&control);
	rmdir(path);
	free(in);
	free(out);
}

TEST(a_file_there_and_back)
{
	file_round_trip(_metadata, false);
	file_round_trip(_metadata, true);
}

TEST(a_file_there_and_back_where_io_uring_is_refused)
{
	ASSERT_EQ(0, refuse_io_uring());
	file_round_trip(_metadata, false);
	file_round_trip(_metadata, true);
}

TEST(a_file_that_may_not_grow_is_an_error)
{
	struct rlimit limit = { 3 * MIB, 3 * MIB };
	char path[] = "/var/tmp/lkvm-ring-XXXXXX";
	struct error err = ERROR_INIT;
	struct channel_file_config config = {
		.dirfd = AT_FDCWD, .path = path, .write = true,
		.unnamed = true, .direct = true,
	};
	struct channel *ch;
	u8 *out = aligned_alloc(4096, 8 * MIB);

	memset(out, 1, 8 * MIB);
	signal(SIGXFSZ, SIG_IGN);
	ASSERT_NE(NULL, mkdtemp(path));
	ASSERT_EQ(0, channel_file_open(&config, &ch, &err));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	EXPECT_EQ(-EFBIG, channel_pwrite_all(ch, out, 8 * MIB, 0, &err));
	channel_close(ch);
	rmdir(path);
	free(out);
}

TEST_HARNESS_MAIN
