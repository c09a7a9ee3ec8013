// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: an image over connections into another memory, and hostile positions
 */
#include <elf.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/lib/harness.h"
#include "migration/channel_peer.h"
#include "migration/incoming.h"
#include "migration/memory_save.h"
#include "tests/lib/random.h"
#include "vmm/base/math.h"

#define LINKS	3
#define LOW	(6 * MIB)
#define HIGH	(3 * MIB)

/**
 * struct receiver - a thread that puts what comes over a connection
 * @link: the connection
 * @in: where to
 * @id: the thread
 * @ret: how it ended: 0 when the connection was closed
 * @err: why
 */
struct receiver {
	struct frame_link link;
	struct incoming *in;
	pthread_t id;
	int ret;
	struct error err;
};

FIXTURE(incoming) {
	struct test_random rnd;
	struct error err;
	struct channel_control control;
	struct guest_memory from;
	struct guest_memory to;
	struct frame_link links[LINKS];
	struct receiver receivers[LINKS];
	struct channel *peer;
	struct image *image;
	struct memory_save ms;
	struct incoming in;
	struct image *got;
};

static void *receive(void *arg)
{
	struct receiver *r = arg;
	struct frame f;

	while ((r->ret = frame_receive(&r->link, &f, &r->err)) > 0) {
		r->ret = incoming_frame(r->in, &r->link, &f, &r->err);
		if (r->ret)
			break;
	}
	return NULL;
}

static void connect_all(struct __test_metadata *_metadata,
			FIXTURE_DATA(incoming) *self)
{
	struct channel *a, *b;
	int fds[2];
	u32 i;

	for (i = 0; i < LINKS; i++) {
		frame_link_close(&self->links[i]);
		frame_link_close(&self->receivers[i].link);
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
		ASSERT_EQ(0, channel_stream_open(fds[0], fds[0], "receiver",
						 &a, &self->err));
		ASSERT_EQ(0, channel_stream_open(fds[1], fds[1], "sender", &b,
						 &self->err));
		a->control = &self->control;
		b->control = &self->control;
		frame_link_init(&self->links[i], a);
		frame_link_init(&self->receivers[i].link, b);
		self->receivers[i].in = &self->in;
	}
}

static int add(struct guest_memory *memory, const char *name, u64 at, u64 size,
	       struct error *err)
{
	struct memory_request req = {
		.name = name, .gpa = gpa(at), .size = size, .fd = -1,
	};

	return guest_memory_add(memory, &req, err);
}

FIXTURE_SETUP(incoming)
{
	struct error *err = &self->err;

	memset(self, 0, sizeof(*self));
	test_random_init(&self->rnd);
	ASSERT_EQ(0, channel_control_init(&self->control, err));
	channel_control_deadline(&self->control, 30000);
	ASSERT_EQ(0, guest_memory_init(&self->from, -1));
	ASSERT_EQ(0, add(&self->from, "low", 0, LOW, err));
	ASSERT_EQ(0, add(&self->from, "high", 4 * GIB, HIGH, err));
	ASSERT_EQ(0, guest_memory_init(&self->to, -1));
	ASSERT_EQ(0, add(&self->to, "low", 0, LOW, err));
	ASSERT_EQ(0, add(&self->to, "high", 4 * GIB, HIGH, err));
	test_random_fill(&self->rnd, self->from.blocks[0].host + MIB, MIB);
	test_random_fill(&self->rnd, self->from.blocks[1].host, 300000);
	ASSERT_EQ(0, incoming_init(&self->in, "sender", err));
	connect_all(_metadata, self);
	ASSERT_EQ(0, channel_peer_open(self->links, LINKS, "receiver",
				       &self->peer, err));
	self->peer->control = &self->control;
	ASSERT_EQ(0, image_create(self->peer, EM_X86_64, &self->image, err));
	image_set_transit(self->image);
	ASSERT_EQ(0, memory_save_init(&self->ms, self->image, &self->from,
				      LINKS, err));
	ASSERT_EQ(0, image_add_note(self->image, IMAGE_OWNER,
				    IMAGE_NOTE_MACHINE, "what it is", 10, err));
}

FIXTURE_TEARDOWN(incoming)
{
	u32 i;

	image_free(self->got);
	memory_save_destroy(&self->ms);
	image_free(self->image);
	channel_close(self->peer);
	for (i = 0; i < LINKS; i++) {
		frame_link_close(&self->links[i]);
		frame_link_close(&self->receivers[i].link);
	}
	incoming_destroy(&self->in);
	guest_memory_destroy(&self->from);
	guest_memory_destroy(&self->to);
	channel_control_destroy(&self->control);
}

static void start_receivers(struct __test_metadata *_metadata,
			    FIXTURE_DATA(incoming) *self)
{
	u32 i;

	for (i = 0; i < LINKS; i++)
		ASSERT_EQ(0, pthread_create(&self->receivers[i].id, NULL,
					    receive, &self->receivers[i]));
}

/* The sender's part is over: what was sent arrives, then they end. */
static void end_receivers(struct __test_metadata *_metadata,
			  FIXTURE_DATA(incoming) *self, bool again)
{
	u32 i;

	for (i = 0; i < LINKS; i++)
		frame_link_close(&self->links[i]);
	for (i = 0; i < LINKS; i++) {
		pthread_join(self->receivers[i].id, NULL);
		EXPECT_EQ(0, self->receivers[i].ret)
			TH_LOG("%s", self->receivers[i].err.text);
		frame_link_close(&self->receivers[i].link);
	}
	if (again)
		connect_all(_metadata, self);
}

static bool same_memory(const FIXTURE_DATA(incoming) *self)
{
	return !memcmp(self->from.blocks[0].host, self->to.blocks[0].host,
		       LOW) &&
	       !memcmp(self->from.blocks[1].host, self->to.blocks[1].host,
		       HIGH);
}

/* Head and description arrive, and the memory is attached. */
static void build(struct __test_metadata *_metadata,
		  FIXTURE_DATA(incoming) *self)
{
	start_receivers(_metadata, self);
	ASSERT_EQ(0, image_commit(self->image, &self->err));
	end_receivers(_metadata, self, true);
	ASSERT_EQ(0, image_open_transit(&self->in.ch, &self->got, &self->err))
		TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, incoming_attach(&self->in, self->got, &self->to,
				     &self->err));
}

TEST_F(incoming, machine_arrives_in_order)
{
	const struct image_note *note;

	build(_metadata, self);
	note = image_find_note(self->got, IMAGE_OWNER, IMAGE_NOTE_MACHINE);
	ASSERT_NE(NULL, note);
	EXPECT_EQ(0, memcmp("what it is", note->data, 10));

	start_receivers(_metadata, self);
	ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
	end_receivers(_metadata, self, true);
	EXPECT_TRUE(same_memory(self));
	EXPECT_EQ(atomic_load(&self->in.received),
		  round_up_to(MIB, IMAGE_PAGE) +
		  round_up_to(300000, IMAGE_PAGE));

	ASSERT_EQ(0, image_add_note(self->image, IMAGE_OWNER, IMAGE_NOTE_STATE,
				    "how it is", 9, &self->err));
	start_receivers(_metadata, self);
	ASSERT_EQ(0, image_commit(self->image, &self->err));
	end_receivers(_metadata, self, false);
	image_free(self->got);
	self->got = NULL;
	ASSERT_EQ(0, image_open_transit(&self->in.ch, &self->got, &self->err))
		TH_LOG("%s", self->err.text);
	note = image_find_note(self->got, IMAGE_OWNER, IMAGE_NOTE_STATE);
	ASSERT_NE(NULL, note);
	EXPECT_EQ(0, memcmp("how it is", note->data, 9));
}

TEST_F(incoming, pages_that_change_are_overwritten_and_zeros_clear)
{
	u32 i, page;

	build(_metadata, self);
	start_receivers(_metadata, self);
	ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
	end_receivers(_metadata, self, true);
	for (i = 0; i < 50; i++) {
		page = (u32)test_random_below(&self->rnd, LOW / IMAGE_PAGE);
		if (i % 2)
			memset(self->from.blocks[0].host + page * IMAGE_PAGE,
			       0, IMAGE_PAGE);
		else
			test_random_fill(&self->rnd, self->from.blocks[0].host +
					 page * IMAGE_PAGE, 100);
		self->ms.bits[0][page / 64] |= 1ULL << page % 64;
	}
	start_receivers(_metadata, self);
	ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
	end_receivers(_metadata, self, false);
	EXPECT_TRUE(same_memory(self));
}

static u64 taken(const struct memory_block *b)
{
	struct stat st;

	return fstat(b->fd, &st) ? 0 : (u64)st.st_blocks * 512;
}

/* Not a page alone between others: that is sent with them. */
TEST_F(incoming, what_becomes_zeros_goes_back_to_the_host)
{
	u64 pages = LOW / IMAGE_PAGE, page;

	memset(self->from.blocks[0].host, 0x55, LOW);
	build(_metadata, self);
	start_receivers(_metadata, self);
	ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
	end_receivers(_metadata, self, true);
	EXPECT_LE(LOW, taken(&self->to.blocks[0]));
	for (page = 0; page < pages; page++)
		if (page < pages / 2 || page / 64 % 2)
			memset(self->from.blocks[0].host + page * IMAGE_PAGE,
			       0, IMAGE_PAGE);
	for (page = 0; page < pages; page++)
		self->ms.bits[0][page / 64] |= 1ULL << page % 64;
	start_receivers(_metadata, self);
	ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
	end_receivers(_metadata, self, false);
	/* To look at a hole fills it. */
	EXPECT_GE(LOW / 4 + 64 * KIB, taken(&self->to.blocks[0]));
	EXPECT_TRUE(same_memory(self));
}

TEST_F(incoming, rate_is_kept)
{
	struct timespec a, b;
	u64 ms;

	build(_metadata, self);
	channel_peer_rate(self->peer, 10 * MIB);
	clock_gettime(CLOCK_MONOTONIC, &a);
	start_receivers(_metadata, self);
	ASSERT_EQ(0, memory_save_round(&self->ms, &self->err));
	end_receivers(_metadata, self, false);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ms = (u64)(b.tv_sec - a.tv_sec) * 1000 +
	     (u64)(b.tv_nsec / 1000000) - (u64)(a.tv_nsec / 1000000);
	/* 1.3 MiB at 10 MiB/s, but for the burst and the last frame. */
	EXPECT_LT(60, ms);
	EXPECT_TRUE(same_memory(self));
}

TEST_F(incoming, dead_receiver_ends_the_round_and_is_named)
{
	struct error why = ERROR_INIT;
	u32 i;

	for (i = 0; i < LINKS; i++)
		frame_link_close(&self->receivers[i].link);
	EXPECT_GT(0, memory_save_round(&self->ms, &self->err));
	EXPECT_EQ(-EPIPE, channel_peer_failure(self->peer, &why));
	EXPECT_NE(NULL, strstr(why.text, "receiver")) TH_LOG("%s", why.text);
}

/* What one frame comes to, sent and put by hand. */
static int put(FIXTURE_DATA(incoming) *self, enum frame_type type, u64 pos,
	       u64 len)
{
	static u8 data[3 * IMAGE_PAGE] = "x";
	struct receiver *r = &self->receivers[0];
	struct frame f;
	int ret;

	ret = type == FRAME_ZERO ?
		frame_send_zero(&self->links[0], pos, len, &self->err) :
		frame_send(&self->links[0], type, pos, data, len, &self->err);
	if (!ret)
		ret = frame_receive(&r->link, &f, &self->err);
	return ret == 1 ? incoming_frame(&self->in, &r->link, &f, &self->err) :
			  ret;
}

TEST_F(incoming, positions_where_nothing_is_are_refused)
{
	u64 low, high;

	/* Before there is memory, nothing but head and notes can come. */
	EXPECT_EQ(-EPROTO, put(self, FRAME_ZERO, IMAGE_ALIGN, IMAGE_PAGE));
	build(_metadata, self);
	low = self->in.blocks[0].pos;
	high = self->in.blocks[1].pos;
	EXPECT_EQ(0, put(self, FRAME_WRITE, low, IMAGE_PAGE));
	EXPECT_EQ(0, put(self, FRAME_WRITE, high + HIGH - IMAGE_PAGE,
			 IMAGE_PAGE));
	EXPECT_EQ('x', self->to.blocks[1].host[HIGH - IMAGE_PAGE]);
	EXPECT_EQ(-EPROTO, put(self, FRAME_WRITE, low + 1, IMAGE_PAGE));
	connect_all(_metadata, self);
	EXPECT_EQ(-EPROTO, put(self, FRAME_WRITE, low, 100));
	connect_all(_metadata, self);
	EXPECT_EQ(-EPROTO, put(self, FRAME_WRITE, low + LOW - IMAGE_PAGE,
			       2 * IMAGE_PAGE));
	connect_all(_metadata, self);
	EXPECT_EQ(-EPROTO, put(self, FRAME_ZERO, low, LOW + IMAGE_PAGE));
	connect_all(_metadata, self);
	EXPECT_EQ(-EPROTO, put(self, FRAME_WRITE, IMAGE_PAGE, 10));
	connect_all(_metadata, self);
	EXPECT_EQ(-EPROTO, put(self, FRAME_WRITE, self->in.tail_pos + 1, 10));
	connect_all(_metadata, self);
	EXPECT_EQ(-EPROTO, put(self, FRAME_WRITE, INT64_MAX - 10, 10));
	connect_all(_metadata, self);
	EXPECT_EQ(0, put(self, FRAME_ZERO, low, LOW));
	EXPECT_EQ(0, self->to.blocks[0].host[0]);
}

TEST_F(incoming, other_memory_is_not_attached)
{
	struct guest_memory other;

	start_receivers(_metadata, self);
	ASSERT_EQ(0, image_commit(self->image, &self->err));
	end_receivers(_metadata, self, false);
	ASSERT_EQ(0, image_open_transit(&self->in.ch, &self->got,
					&self->err));
	ASSERT_EQ(0, guest_memory_init(&other, -1));
	ASSERT_EQ(0, add(&other, "low", 0, LOW, &self->err));
	EXPECT_EQ(-EINVAL, incoming_attach(&self->in, self->got, &other,
					   &self->err));
	ASSERT_EQ(0, add(&other, "high", 4 * GIB, HIGH + IMAGE_PAGE,
			 &self->err));
	EXPECT_EQ(-EINVAL, incoming_attach(&self->in, self->got, &other,
					   &self->err));
	guest_memory_destroy(&other);
}

TEST_F(incoming, image_with_sums_is_not_one_in_transit)
{
	EXPECT_GT(0, image_open(&self->in.ch, &self->got, &self->err));
	start_receivers(_metadata, self);
	ASSERT_EQ(0, image_commit(self->image, &self->err));
	end_receivers(_metadata, self, false);
	EXPECT_GT(0, image_open(&self->in.ch, &self->got, &self->err));
}

TEST_HARNESS_MAIN
