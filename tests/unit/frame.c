// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: frames over a connection: good ones, damaged ones, and every fault
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

#include "tests/lib/harness.h"
#include "migration/frame.h"
#include "tests/lib/channel_fault.h"
#include "tests/lib/random.h"

#define DATA	70000

FIXTURE(frame) {
	struct test_random rnd;
	struct error err;
	struct frame_link a;
	struct frame_link b;
	struct channel_control control;
	u8 *data;
	u8 *got;
};

static int open_link(struct frame_link *link, int fd, struct error *err)
{
	struct channel *ch;
	int ret = channel_stream_open(fd, fd, "peer", &ch, err);

	if (!ret)
		frame_link_init(link, ch);
	return ret;
}

FIXTURE_SETUP(frame)
{
	int fds[2];

	memset(self, 0, sizeof(*self));
	test_random_init(&self->rnd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	ASSERT_EQ(0, open_link(&self->a, fds[0], &self->err));
	ASSERT_EQ(0, open_link(&self->b, fds[1], &self->err));
	ASSERT_EQ(0, channel_control_init(&self->control, &self->err));
	channel_control_deadline(&self->control, 20000);
	self->a.ch->control = &self->control;
	self->b.ch->control = &self->control;
	self->data = malloc(DATA);
	self->got = malloc(DATA);
	ASSERT_NE(NULL, self->data);
	ASSERT_NE(NULL, self->got);
	test_random_fill(&self->rnd, self->data, DATA);
}

FIXTURE_TEARDOWN(frame)
{
	frame_link_close(&self->a);
	frame_link_close(&self->b);
	channel_control_destroy(&self->control);
	free(self->data);
	free(self->got);
}

TEST_F(frame, comes_as_it_was_sent)
{
	struct frame f;

	ASSERT_EQ(0, frame_send(&self->a, FRAME_WRITE, 0x123456789000,
				self->data, DATA, &self->err));
	ASSERT_EQ(0, frame_send_zero(&self->a, 4096, 1ULL << 40, &self->err));
	ASSERT_EQ(0, frame_send(&self->a, FRAME_ROUND, 7, NULL, 0,
				&self->err));
	ASSERT_EQ(1, frame_receive(&self->b, &f, &self->err));
	EXPECT_EQ(FRAME_WRITE, f.type);
	EXPECT_EQ(0x123456789000, f.pos);
	ASSERT_EQ(DATA, f.len);
	ASSERT_EQ(0, frame_receive_payload(&self->b, &f, self->got,
					   &self->err));
	EXPECT_EQ(0, memcmp(self->data, self->got, DATA));
	ASSERT_EQ(1, frame_receive(&self->b, &f, &self->err));
	EXPECT_EQ(FRAME_ZERO, f.type);
	EXPECT_EQ(1ULL << 40, f.len);
	ASSERT_EQ(0, frame_expect(&self->b, FRAME_ROUND, &f, &self->err));
	EXPECT_EQ(7, f.pos);
	EXPECT_EQ(self->a.sent, self->b.received);
}

TEST_F(frame, end_between_frames_is_clean_and_within_one_is_not)
{
	struct frame f;

	ASSERT_EQ(0, frame_send(&self->a, FRAME_BUILD, 0, NULL, 0,
				&self->err));
	ASSERT_EQ(20, write(channel_stream_fd(self->a.ch), self->data, 20));
	frame_link_close(&self->a);
	ASSERT_EQ(1, frame_receive(&self->b, &f, &self->err));
	EXPECT_EQ(-ENODATA, frame_receive(&self->b, &f, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "20 of 40 bytes"))
		TH_LOG("%s", self->err.text);
}

TEST_F(frame, closed_connection_is_told)
{
	struct frame f;

	frame_link_close(&self->a);
	EXPECT_EQ(0, frame_receive(&self->b, &f, &self->err));
	EXPECT_EQ(0, self->err.code);
	EXPECT_EQ(-ENOTCONN, frame_expect(&self->b, FRAME_GO, &f, &self->err));
	EXPECT_STREQ("peer: has closed the connection while go was awaited",
		     self->err.text);
}

TEST_F(frame, what_the_peer_says_is_cleaned)
{
	struct error why = ERROR_INIT;
	struct frame f;

	error_set(&why, -EIO, "no \033[2J room\nat all");
	ASSERT_EQ(0, frame_send_error(&self->a, &why, &self->err));
	EXPECT_EQ(-EREMOTEIO, frame_expect(&self->b, FRAME_BUILT, &f,
					   &self->err));
	EXPECT_STREQ("peer: no ?[2J room?at all", self->err.text);
}

TEST_F(frame, another_frame_than_expected_is_refused)
{
	struct frame f;

	ASSERT_EQ(0, frame_send(&self->a, FRAME_GO, 0, NULL, 0, &self->err));
	EXPECT_EQ(-EPROTO, frame_expect(&self->b, FRAME_READY, &f,
					&self->err));
	EXPECT_STREQ("peer: go frame instead of ready", self->err.text);
}

static struct frame_header good_header(u32 type, u64 pos, u64 len, u64 sum)
{
	struct frame_header h = {
		.magic = cpu_to_le32(FRAME_MAGIC),
		.type = cpu_to_le16((u16)type),
		.pos = cpu_to_le64(pos),
		.len = cpu_to_le64(len),
		.sum = cpu_to_le64(sum),
	};

	h.head_sum = cpu_to_le64(XXH3_64bits(&h, offsetof(struct frame_header,
							  head_sum)));
	return h;
}

/* What comes of a header whose own checksum is right. */
static int receive(FIXTURE_DATA(frame) *self, const struct frame_header *h)
{
	struct frame f;

	if (write(channel_stream_fd(self->a.ch), h, sizeof(*h)) != sizeof(*h))
		return -EIO;
	return frame_receive(&self->b, &f, &self->err);
}

TEST_F(frame, each_flipped_bit_of_a_header_is_found)
{
	struct frame_header h = good_header(FRAME_WRITE, 4096, 4096, 1);
	u32 bit;

	for (bit = 0; bit < 8 * sizeof(h); bit++) {
		struct frame_header bad = h;
		int ret;

		((u8 *)&bad)[bit / 8] ^= (u8)(1 << bit % 8);
		ret = receive(self, &bad);
		EXPECT_TRUE(ret == -EBADMSG || ret == -EPROTO)
			TH_LOG("bit %u: %d", bit, ret);
	}
	EXPECT_EQ(1, receive(self, &h));
}

TEST_F(frame, malformed_ones_are_refused)
{
	const struct {
		struct frame_header h;
		const char *says;
	} bad[] = {
		{ good_header(0, 0, 0, 0), "unknown type 0" },
		{ good_header(FRAME_TYPES, 0, 0, 0), "unknown type" },
		{ good_header(65535, 0, 0, 0), "unknown type 65535" },
		{ good_header(FRAME_TAKE, 1, 0, 0), "malformed take" },
		{ good_header(FRAME_GO, 0, 1, 0), "malformed go" },
		{ good_header(FRAME_GO, 0, 0, 1), "malformed go" },
		{ good_header(FRAME_ZERO, 0, 0, 0), "malformed zero" },
		{ good_header(FRAME_ZERO, 0, 1, 1), "malformed zero" },
		{ good_header(FRAME_ZERO, INT64_MAX, 1, 0), "malformed zero" },
		{ good_header(FRAME_ZERO, UINT64_MAX, 2, 0), "malformed zero" },
		{ good_header(FRAME_WRITE, 0, FRAME_DATA_MAX + 1, 1),
		  "malformed write" },
		{ good_header(FRAME_WRITE, 0, 0, 0), "malformed write" },
		{ good_header(FRAME_WRITE, UINT64_MAX, 1, 1),
		  "malformed write" },
		{ good_header(FRAME_HELLO, 0, 4097, 1), "malformed hello" },
		{ good_header(FRAME_ERROR, 0, 1 << 20, 1), "malformed error" },
		{ good_header(FRAME_CHECK, 0, 1, 1), "malformed check" },
		{ good_header(FRAME_CHECKED, 1, 0, 0), "malformed checked" },
		{ good_header(FRAME_CHECKED, 0, FRAME_FINDINGS_MAX + 1, 1),
		  "malformed checked" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EPROTO, receive(self, &bad[i].h));
		EXPECT_NE(NULL, strstr(self->err.text, bad[i].says))
			TH_LOG("%u: %s", i, self->err.text);
	}
}

TEST_F(frame, flipped_bit_of_a_payload_is_found)
{
	struct frame_header h = good_header(FRAME_WRITE, 0, 100,
					    XXH3_64bits(self->data, 100));
	struct frame f;

	self->data[test_random_below(&self->rnd, 100)] ^=
		(u8)(1 << test_random_below(&self->rnd, 8));
	ASSERT_EQ((ssize_t)sizeof(h), write(channel_stream_fd(self->a.ch), &h,
					    sizeof(h)));
	ASSERT_EQ(100, write(channel_stream_fd(self->a.ch), self->data, 100));
	ASSERT_EQ(1, frame_receive(&self->b, &f, &self->err));
	EXPECT_EQ(-EBADMSG, frame_receive_payload(&self->b, &f, self->got,
						  &self->err));
}

/* Positions are those of the connection: frames go behind each other. */
static int send_two(struct frame_link *link, const u8 *data, struct error *err)
{
	int ret = frame_send(link, FRAME_WRITE, 8192, data, 5000, err);

	return ret ? ret : frame_send(link, FRAME_GO, 0, NULL, 0, err);
}

static int receive_two(struct frame_link *link, u8 *got, struct error *err)
{
	struct frame f;
	int ret = frame_expect(link, FRAME_WRITE, &f, err);

	if (!ret && f.len != 5000)
		ret = error_set(err, -EINVAL, "another length");
	if (!ret)
		ret = frame_receive_payload(link, &f, got, err);
	return ret ? ret : frame_expect(link, FRAME_GO, &f, err);
}

static bool is_survived(enum channel_fault fault)
{
	return fault <= FAULT_EAGAIN;
}

/* One fault at each call of sending and of receiving, over a memory channel. */
static void sweep(struct __test_metadata *_metadata,
		  FIXTURE_DATA(frame) *self, enum channel_fault fault,
		  bool sending)
{
	u8 *medium = calloc(1, DATA);
	struct channel_faulty bad;
	struct frame_link in = { 0 }, out = { 0 };
	struct channel *mem;
	bool hit = true;
	int ret;
	u64 at;

	for (at = 0; hit && at < 20; at++) {
		memset(self->got, 0, DATA);
		ASSERT_EQ(0, channel_memory_open(medium, DATA, &mem,
						 &self->err));
		ASSERT_EQ(0, channel_faulty_init(&bad, mem, fault, at, 1));
		bad.ch.control = &self->control;
		channel_control_deadline(&self->control,
					 fault == FAULT_HANG ? 100 : 20000);
		out.ch = sending ? &bad.ch : mem;
		in.ch = sending ? mem : &bad.ch;
		out.sent = 0;
		in.received = 0;
		ret = send_two(&out, self->data, &self->err);
		if (!ret)
			ret = receive_two(&in, self->got, &self->err);
		hit = bad.hit;
		if (!hit || is_survived(fault)) {
			EXPECT_EQ(0, ret)
				TH_LOG("%s at %llu: %s",
				       channel_fault_name(fault), at,
				       self->err.text);
			EXPECT_EQ(0, memcmp(self->data, self->got, 5000));
		} else {
			EXPECT_GT(0, ret)
				TH_LOG("%s at %llu was not noticed",
				       channel_fault_name(fault), at);
		}
		channel_faulty_destroy(&bad);
		channel_close(mem);
	}
	EXPECT_GT(20, at);
	free(medium);
}

TEST_F(frame, every_fault_at_every_call)
{
	u32 fault;

	for (fault = FAULT_NONE + 1; fault < FAULTS; fault++) {
		sweep(_metadata, self, fault, true);
		sweep(_metadata, self, fault, false);
	}
}

TEST_F(frame, waiting_ends_when_the_job_is_cancelled)
{
	struct frame f;

	channel_control_cancel(&self->control);
	EXPECT_EQ(-ECANCELED, frame_receive(&self->b, &f, &self->err));
}

TEST_F(frame, descriptors_block_again_when_they_are_given_back)
{
	struct channel *ch;
	int fds[2], copy;

	ASSERT_EQ(0, pipe(fds));
	copy = dup(fds[0]);
	ASSERT_EQ(0, channel_stream_open(fds[0], fds[1], "pipe", &ch,
					 &self->err));
	EXPECT_NE(0, fcntl(copy, F_GETFL) & O_NONBLOCK);
	channel_close(ch);
	EXPECT_EQ(0, fcntl(copy, F_GETFL) & O_NONBLOCK);
	close(copy);
}

TEST_HARNESS_MAIN
