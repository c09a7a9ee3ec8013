// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/channel_zerocopy.c: memory that the kernel reads later
 *
 * Over loopback the kernel copies after all, but says when it is done as it does
 * for a network card. A connection from one loopback address to another is not
 * taken for one within a host.
 */
#include "tests/lib/harness.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "migration/channel_peer.h"
#include "migration/channel_zerocopy.h"
#include "tests/lib/random.h"
#include "vmm/base/math.h"

#define SIZE		(24 * MIB)
#define NOBODY		65534

/* ---- which sends are done ----------------------------------------------- */

FIXTURE(note)
{
	struct zerocopy z;
};

FIXTURE_SETUP(note)
{
	zerocopy_init(&self->z);
	atomic_store(&self->z.on, true);
}

FIXTURE_TEARDOWN(note)
{
	zerocopy_destroy(&self->z);
}

TEST_F(note, in_order)
{
	atomic_store(&self->z.sent, 10);
	zerocopy_note(&self->z, 0, 0, false);
	EXPECT_EQ(1, atomic_load(&self->z.settled));
	zerocopy_note(&self->z, 1, 6, false);
	EXPECT_EQ(7, atomic_load(&self->z.settled));
	zerocopy_note(&self->z, 7, 9, false);
	EXPECT_EQ(10, atomic_load(&self->z.settled));
	EXPECT_TRUE(atomic_load(&self->z.on));
}

TEST_F(note, first_one_comes_last)
{
	atomic_store(&self->z.sent, 100);
	zerocopy_note(&self->z, 50, 99, false);
	zerocopy_note(&self->z, 1, 48, false);
	EXPECT_EQ(0, atomic_load(&self->z.settled));
	zerocopy_note(&self->z, 0, 0, false);
	EXPECT_EQ(49, atomic_load(&self->z.settled));
	zerocopy_note(&self->z, 49, 49, false);
	EXPECT_EQ(100, atomic_load(&self->z.settled));
}

TEST_F(note, numbers_wrap)
{
	u32 i;

	atomic_store(&self->z.settled, UINT32_MAX - 2000);
	atomic_store(&self->z.sent, UINT32_MAX - 2000);
	for (i = 0; i < 4000; i += 8) {
		u32 first = UINT32_MAX - 2000 + i;

		atomic_fetch_add(&self->z.sent, 8);
		zerocopy_note(&self->z, first + 4, first + 7, false);
		EXPECT_EQ(first, atomic_load(&self->z.settled));
		zerocopy_note(&self->z, first, first + 3, false);
		EXPECT_EQ(first + 8, atomic_load(&self->z.settled));
	}
}

TEST_F(note, what_was_never_sent_is_not_done)
{
	atomic_store(&self->z.sent, 4);
	zerocopy_note(&self->z, 0, 7, false);
	EXPECT_EQ(4, atomic_load(&self->z.settled));
	zerocopy_note(&self->z, 5000, 6000, false);
	zerocopy_note(&self->z, 3, 2, false);
	EXPECT_EQ(4, atomic_load(&self->z.settled));
}

TEST_F(note, copied_ends_it)
{
	atomic_store(&self->z.sent, 2);
	zerocopy_note(&self->z, 0, 0, true);
	EXPECT_FALSE(atomic_load(&self->z.on));
	/* Those under way are settled all the same. */
	zerocopy_note(&self->z, 1, 1, true);
	EXPECT_EQ(2, atomic_load(&self->z.settled));
}

/* ---- over a connection -------------------------------------------------- */

FIXTURE(lend)
{
	struct test_random rnd;
	struct frame_link near;
	struct frame_link far;
	struct channel *peer;
	u8 *data;
	u8 *arrived;
	pthread_t receiver;
	struct error err;
};

FIXTURE_SETUP(lend)
{
	memset(self, 0, sizeof(*self));
	test_random_init(&self->rnd);
	self->data = malloc(SIZE);
	self->arrived = malloc(SIZE);
	test_random_fill(&self->rnd, self->data, SIZE);
	memset(self->arrived, 0, SIZE);
}

FIXTURE_TEARDOWN(lend)
{
	channel_close(self->peer);
	frame_link_close(&self->near);
	frame_link_close(&self->far);
	free(self->data);
	free(self->arrived);
}

/* A connection from one address to another. */
static bool connect_pair(const char *from, const char *to, int fds[2])
{
	struct sockaddr_in here = { .sin_family = AF_INET }, there = here;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(there);

	inet_pton(AF_INET, from, &here.sin_addr);
	inet_pton(AF_INET, to, &there.sin_addr);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&there, len) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&there, &len) ||
	    bind(fds[0], (struct sockaddr *)&here, sizeof(here)) ||
	    connect(fds[0], (struct sockaddr *)&there, sizeof(there)))
		return false;
	fds[1] = accept(listener, NULL, NULL);
	close(listener);
	return fds[1] >= 0;
}

static void open_both(struct __test_metadata *_metadata,
		      FIXTURE_DATA(lend) *self, const int fds[2])
{
	struct channel *near, *far;

	ASSERT_EQ(0, channel_stream_open(fds[0], fds[0], "receiver", &near,
					 &self->err));
	ASSERT_EQ(0, channel_stream_open(fds[1], fds[1], "sender", &far,
					 &self->err));
	frame_link_init(&self->near, near);
	frame_link_init(&self->far, far);
	ASSERT_EQ(0, channel_peer_open(&self->near, 1, "receiver",
				       &self->peer, &self->err));
}

static void *receive(void *arg)
{
	FIXTURE_DATA(lend) *self = arg;
	struct error err = ERROR_INIT;
	struct frame f;

	while (frame_receive(&self->far, &f, &err) == 1) {
		if (f.type == FRAME_ROUND)
			return NULL;
		if (f.type != FRAME_WRITE || !range_fits(f.pos, f.len, SIZE) ||
		    frame_receive_payload(&self->far, &f,
					  self->arrived + f.pos, &err))
			break;
	}
	printf("# receiver: %s\n", err.text);
	return (void *)1;
}

/* Sends all of it from a buffer that is something else at once. */
static void send_all(struct __test_metadata *_metadata,
		     FIXTURE_DATA(lend) *self)
{
	u64 at, len, step;
	void *failed;
	u8 *buf;

	ASSERT_EQ(0, pthread_create(&self->receiver, NULL, receive, self));
	buf = malloc(MIB);
	for (at = 0, step = 0; at < SIZE; at += len, step++) {
		len = min_of(step % 3 ? MIB : (u64)(step * 100 + 4096),
			     SIZE - at);
		memcpy(buf, self->data + at, len);
		ASSERT_EQ(0, channel_pwrite_all(self->peer, buf, len, at,
						&self->err))
			TH_LOG("%s", self->err.text);
		memset(buf, 0xee, MIB);
	}
	free(buf);
	ASSERT_EQ(0, frame_send(&self->near, FRAME_ROUND, 1, NULL, 0,
				&self->err));
	pthread_join(self->receiver, &failed);
	EXPECT_EQ(NULL, failed);
	EXPECT_EQ(0, memcmp(self->data, self->arrived, SIZE));
	EXPECT_EQ(0, channel_settle(self->near.ch, channel_mark(self->near.ch),
				    &self->err))
		TH_LOG("%s", self->err.text);
}

TEST_F(lend, all_arrives_and_is_settled)
{
	int fds[2];

	ASSERT_TRUE(connect_pair("127.0.0.1", "127.0.0.1", fds));
	open_both(_metadata, self, fds);
	ASSERT_TRUE(channel_stream_lend(self->near.ch, true));
	send_all(_metadata, self);
	/* One for each frame that is long enough, at the least. */
	EXPECT_LE(SIZE / MIB, channel_mark(self->near.ch));
	EXPECT_LT(SIZE / 2,
		  atomic_load(&channel_peer_stats(self->peer)->lent));
}

TEST_F(lend, not_within_a_host)
{
	int fds[2];

	ASSERT_TRUE(connect_pair("127.0.0.1", "127.0.0.1", fds));
	open_both(_metadata, self, fds);
	EXPECT_FALSE(channel_stream_lend(self->near.ch, false));
	send_all(_metadata, self);
	EXPECT_EQ(0, channel_mark(self->near.ch));
}

TEST_F(lend, not_over_unix_sockets)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	open_both(_metadata, self, fds);
	EXPECT_FALSE(channel_stream_lend(self->near.ch, true));
	send_all(_metadata, self);
	EXPECT_EQ(0, channel_mark(self->near.ch));
}

TEST_F(lend, ends_when_the_kernel_copies)
{
	int fds[2];

	ASSERT_TRUE(connect_pair("127.0.0.1", "127.0.0.2", fds));
	open_both(_metadata, self, fds);
	EXPECT_TRUE(channel_stream_lend(self->near.ch, false));
	send_all(_metadata, self);
	EXPECT_LT(0, channel_mark(self->near.ch));
	EXPECT_GT(SIZE / (256 * KIB) / 2, channel_mark(self->near.ch));
	EXPECT_EQ(0, atomic_load(&channel_peer_stats(self->peer)->lent));
}

TEST_F(lend, goes_on_without_room_for_pages)
{
	const struct rlimit none = { 0, 0 };
	const uid_t me = geteuid();
	int fds[2];

	ASSERT_TRUE(connect_pair("127.0.0.1", "127.0.0.1", fds));
	open_both(_metadata, self, fds);
	ASSERT_TRUE(channel_stream_lend(self->near.ch, true));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	/* Root may lock what it likes. */
	if (!me)
		ASSERT_EQ(0, seteuid(NOBODY));
	send_all(_metadata, self);
	EXPECT_EQ(0, channel_mark(self->near.ch));
	/* Sanitizers look at the process at its end. */
	ASSERT_EQ(0, seteuid(me));
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
}

/* Memory that is never settled ends the wait when the job does. */
TEST_F(lend, wait_ends)
{
	struct channel_control control;
	int fds[2];

	ASSERT_TRUE(connect_pair("127.0.0.1", "127.0.0.1", fds));
	open_both(_metadata, self, fds);
	ASSERT_EQ(0, channel_control_init(&control, &self->err));
	self->near.ch->control = &control;
	ASSERT_TRUE(channel_stream_lend(self->near.ch, true));
	channel_control_deadline(&control, 50);
	EXPECT_EQ(-ETIMEDOUT, channel_settle(self->near.ch, 1, &self->err));
	channel_control_cancel(&control);
	EXPECT_EQ(-ECANCELED, channel_settle(self->near.ch, 1, &self->err));
	/* And when the other side is gone. */
	channel_control_again(&control, 0);
	frame_link_close(&self->far);
	shutdown(channel_stream_fd(self->near.ch), SHUT_WR);
	EXPECT_EQ(-EPIPE, channel_settle(self->near.ch, 1, &self->err));
	self->near.ch->control = NULL;
	channel_control_destroy(&control);
}

TEST_HARNESS_MAIN
