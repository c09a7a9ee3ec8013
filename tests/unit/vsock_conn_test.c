// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: virtio/vsock_conn.c: connections, credit, both ways of ending
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "tests/lib/vsock_host.h"
#include "virtio/vsock_spec.h"
#include "vmm/base/math.h"

#define HEAD		44	/* what stands before the payload */
#define GUEST_PORT	1000
#define HOST_PORT	2000
#define GUEST_ROOM	(256U << 10)
#define LOTS		(1ULL << 40)

FIXTURE(vsock) {
	struct vsock_table t;
	struct vsock_host *host;
	struct vsock_packet p;
	u8 *buf;
};

FIXTURE_SETUP(vsock)
{
	self->host = calloc(1, sizeof(*self->host));
	self->buf = malloc(HEAD + (1U << 20));
	ASSERT_NE(NULL, self->host);
	ASSERT_NE(NULL, self->buf);
	self->host->room = LOTS;
	ASSERT_EQ(0, vsock_table_init(&self->t, &vsock_host_ops, self->host));
}

FIXTURE_TEARDOWN(vsock)
{
	vsock_table_fini(&self->t);
	EXPECT_EQ(0, self->host->nr);
	free(self->host);
	free(self->buf);
}

static struct vsock_packet packet(u32 guest_port, u32 op)
{
	return (struct vsock_packet){
		.guest_port = guest_port, .host_port = HOST_PORT,
		.type = VSOCK_TYPE_STREAM, .op = (u16)op,
		.buf_alloc = GUEST_ROOM,
	};
}

static void receive(struct vsock_table *t, const struct vsock_packet *p,
		    u8 *buf)
{
	/* In two parts, so that the header and the payload are not in one. */
	struct iovec iov[2] = {
		{ buf, HEAD + p->len / 2 },
		{ buf + HEAD + p->len / 2, p->len - p->len / 2 },
	};
	struct virtio_chain chain = {
		.out_nr = 2, .out_len = HEAD + p->len, .iov = iov,
	};

	assert(vsock_table_has_room(t));
	vsock_table_receive(t, p, &chain, HEAD);
}

static void send_op(struct vsock_table *t, u32 guest_port, u32 op, u8 *buf)
{
	struct vsock_packet p = packet(guest_port, op);

	receive(t, &p, buf);
}

/* The guest's bytes from @position on. */
static void send_data(struct vsock_table *t, u32 guest_port, u64 position,
		      u32 len, u8 *buf)
{
	struct vsock_packet p = packet(guest_port, VSOCK_OP_RW);
	u32 i;

	p.len = len;
	for (i = 0; i < len; i++)
		buf[HEAD + i] = vsock_host_byte(position + i);
	receive(t, &p, buf);
}

static void send_credit(struct vsock_table *t, u32 fwd_cnt, u32 buf_alloc,
			u8 *buf)
{
	struct vsock_packet p = packet(GUEST_PORT, VSOCK_OP_CREDIT_UPDATE);

	p.fwd_cnt = fwd_cnt;
	p.buf_alloc = buf_alloc;
	receive(t, &p, buf);
}

static void send_shutdown(struct vsock_table *t, u32 flags, u8 *buf)
{
	struct vsock_packet p = packet(GUEST_PORT, VSOCK_OP_SHUTDOWN);

	p.flags = flags;
	receive(t, &p, buf);
}

/* The next packet for the guest, 0 for none, else its operation. */
static u32 next(struct vsock_table *t, struct vsock_packet *p, u8 *buf, u32 room)
{
	struct iovec iov[2] = {
		{ buf, HEAD + room / 2 },
		{ buf + HEAD + room / 2, room - room / 2 },
	};
	struct virtio_chain chain = {
		.in_nr = 2, .in_len = HEAD + room, .iov = iov,
	};

	return vsock_table_next(t, p, &chain, HEAD) ? p->op : 0;
}

static bool is_sequence(const u8 *buf, u64 position, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		if (buf[HEAD + i] != vsock_host_byte(position + i))
			return false;
	return true;
}

static struct vsock_conn *only_conn(struct vsock_table *t)
{
	assert(t->nr == 1);
	return list_entry(t->all.next, struct vsock_conn, link);
}

/* A connection that the guest has begun; the host's end is descriptor 0. */
static struct vsock_conn *open_one(struct vsock_table *t, u8 *buf)
{
	struct vsock_packet p;

	send_op(t, GUEST_PORT, VSOCK_OP_REQUEST, buf);
	assert(next(t, &p, buf, 4096) == VSOCK_OP_RESPONSE);
	/* It looks once whether the host has something to say. */
	assert(!next(t, &p, buf, 4096));
	return only_conn(t);
}

TEST_F(vsock, a_guest_connects_and_both_talk)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);

	EXPECT_EQ(VSOCK_OPEN, c->state);
	send_data(&self->t, GUEST_PORT, 0, 1000, self->buf);
	send_data(&self->t, GUEST_PORT, 1000, 3, self->buf);
	EXPECT_EQ(1003, self->host->ends[0].got);
	EXPECT_FALSE(self->host->ends[0].wrong);

	self->host->ends[0].avail = 150;
	vsock_conn_readable(&self->t, c);
	ASSERT_EQ(VSOCK_OP_RW, next(&self->t, &self->p, self->buf, 100));
	EXPECT_EQ(100, self->p.len);
	EXPECT_EQ(GUEST_PORT, self->p.guest_port);
	EXPECT_EQ(HOST_PORT, self->p.host_port);
	EXPECT_EQ(VSOCK_BUF_BYTES, self->p.buf_alloc);
	EXPECT_EQ(1003, self->p.fwd_cnt);
	EXPECT_TRUE(is_sequence(self->buf, 0, 100));
	ASSERT_EQ(VSOCK_OP_RW, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_EQ(50, self->p.len);
	EXPECT_TRUE(is_sequence(self->buf, 100, 50));
	EXPECT_EQ(0, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_FALSE(vsock_table_has_output(&self->t));
	EXPECT_EQ(1, self->t.stats.from_guest);
	EXPECT_EQ(1003, self->t.stats.bytes_in);
	EXPECT_EQ(150, self->t.stats.bytes_out);
}

TEST_F(vsock, a_host_connects_and_the_guest_accepts_or_refuses)
{
	struct vsock_conn *c;
	struct vsock_packet p;
	int fd;

	for (fd = 0; fd < 2; fd++) {
		c = vsock_conn_open(&self->t, 77, vsock_host_open(self->host));
		ASSERT_NE(NULL, c);
		EXPECT_EQ(VSOCK_PORT_FIRST + (u32)fd, c->host_port);
		EXPECT_FALSE(vsock_table_is_known(&self->t) && !fd);
		ASSERT_EQ(VSOCK_OP_REQUEST,
			  next(&self->t, &self->p, self->buf, 4096));
		EXPECT_EQ(77, self->p.guest_port);
		EXPECT_TRUE(vsock_table_is_known(&self->t));
		self->host->ends[fd].avail = 5;
		vsock_conn_readable(&self->t, c);
		EXPECT_EQ(0, next(&self->t, &self->p, self->buf, 4096));

		p = packet(77, fd ? VSOCK_OP_RST : VSOCK_OP_RESPONSE);
		p.host_port = c->host_port;
		receive(&self->t, &p, self->buf);
		EXPECT_EQ(!fd, self->host->ends[fd].opened);
		EXPECT_EQ(!fd, self->host->ends[fd].used);
		EXPECT_EQ(fd ? 0 : VSOCK_OP_RW,
			  next(&self->t, &self->p, self->buf, 4096));
		EXPECT_EQ(0, next(&self->t, &self->p, self->buf, 4096));
	}
	EXPECT_EQ(1, self->t.stats.from_host);
	EXPECT_EQ(1, self->t.stats.refused);
}

TEST_F(vsock, a_host_that_gives_up_before_the_answer)
{
	struct vsock_conn *c;

	/* The guest does not know of it yet. */
	c = vsock_conn_open(&self->t, 77, vsock_host_open(self->host));
	vsock_conn_hung_up(&self->t, c);
	EXPECT_EQ(0, self->t.nr);
	EXPECT_EQ(0, next(&self->t, &self->p, self->buf, 4096));
	/* It does. */
	c = vsock_conn_open(&self->t, 77, vsock_host_open(self->host));
	ASSERT_EQ(VSOCK_OP_REQUEST, next(&self->t, &self->p, self->buf, 4096));
	vsock_conn_hung_up(&self->t, c);
	EXPECT_EQ(0, self->host->nr);
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_EQ(0, self->t.nr);
}

TEST_F(vsock, who_is_not_there_is_answered_with_a_reset)
{
	struct vsock_packet p = packet(5, VSOCK_OP_RW);
	u32 op;

	for (op = 0; op < 10; op++) {
		self->host->refuse = -ECONNREFUSED;
		send_op(&self->t, GUEST_PORT + op, op, self->buf);
		if (op == VSOCK_OP_RST) {
			EXPECT_EQ(0, next(&self->t, &self->p, self->buf, 1));
			continue;
		}
		ASSERT_EQ(VSOCK_OP_RST,
			  next(&self->t, &self->p, self->buf, 1));
		EXPECT_EQ(GUEST_PORT + op, self->p.guest_port);
		EXPECT_EQ(HOST_PORT, self->p.host_port);
	}
	EXPECT_EQ(1, self->t.stats.refused);
	/* A type that we do not have, on ports that are in use. */
	self->host->refuse = 0;
	open_one(&self->t, self->buf);
	p = packet(GUEST_PORT, VSOCK_OP_REQUEST);
	p.type = 2;
	receive(&self->t, &p, self->buf);
	ASSERT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 1));
	EXPECT_EQ(2, self->p.type);
	EXPECT_EQ(1, self->t.nr);
}

TEST_F(vsock, answers_are_bounded_and_so_is_the_table)
{
	u32 i;

	for (i = 0; i < VSOCK_REPLIES_MAX; i++) {
		ASSERT_TRUE(vsock_table_has_room(&self->t));
		send_op(&self->t, i, VSOCK_OP_RW, self->buf);
	}
	EXPECT_FALSE(vsock_table_has_room(&self->t));
	EXPECT_TRUE(vsock_table_is_known(&self->t));
	for (i = 0; i < VSOCK_REPLIES_MAX; i++) {
		ASSERT_EQ(VSOCK_OP_RST,
			  next(&self->t, &self->p, self->buf, 1));
		ASSERT_EQ(i, self->p.guest_port);
	}
	for (i = 0; i < VSOCK_CONNS_MAX; i++) {
		ASSERT_FALSE(vsock_table_is_full(&self->t));
		send_op(&self->t, i, VSOCK_OP_REQUEST, self->buf);
		ASSERT_EQ(VSOCK_OP_RESPONSE,
			  next(&self->t, &self->p, self->buf, 1));
	}
	EXPECT_TRUE(vsock_table_is_full(&self->t));
	send_op(&self->t, i, VSOCK_OP_REQUEST, self->buf);
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 1));
	EXPECT_EQ(NULL, vsock_conn_open(&self->t, 1, 0));
	/* One that ends makes room. */
	send_op(&self->t, 7, VSOCK_OP_RST, self->buf);
	send_op(&self->t, i, VSOCK_OP_REQUEST, self->buf);
	while (next(&self->t, &self->p, self->buf, 1) &&
	       self->p.op != VSOCK_OP_RESPONSE)
		;
	EXPECT_EQ(i, self->p.guest_port);
	vsock_table_clear(&self->t);
	EXPECT_EQ(0, self->host->nr);
	EXPECT_FALSE(vsock_table_is_known(&self->t));
}

TEST_F(vsock, what_the_host_does_not_take_is_kept_as_far_as_credit_goes)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);
	struct vsock_host_end *e = &self->host->ends[0];
	u32 half = VSOCK_BUF_BYTES / 2;

	e->room = 10;
	send_data(&self->t, GUEST_PORT, 0, half + 10, self->buf);
	send_data(&self->t, GUEST_PORT, half + 10, half, self->buf);
	EXPECT_EQ(10, e->got);
	EXPECT_EQ(VSOCK_BUF_BYTES, c->buf_used);
	EXPECT_EQ(VSOCK_OPEN, c->state);
	/* All of it is there, around the end of the ring. */
	e->room = 100;
	vsock_conn_writable(&self->t, c);
	send_data(&self->t, GUEST_PORT, 2 * half + 10, 100, self->buf);
	EXPECT_EQ(VSOCK_BUF_BYTES, c->buf_used);
	e->room = LOTS;
	vsock_conn_writable(&self->t, c);
	EXPECT_EQ(VSOCK_BUF_BYTES + 110, e->got);
	EXPECT_FALSE(e->wrong);
	EXPECT_EQ(0, c->buf_used);
	EXPECT_EQ(VSOCK_OPEN, c->state);
}

TEST_F(vsock, a_guest_that_ignores_credit_is_reset)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);

	self->host->ends[0].room = 0;
	send_data(&self->t, GUEST_PORT, 0, VSOCK_BUF_BYTES, self->buf);
	EXPECT_EQ(VSOCK_OPEN, c->state);
	send_data(&self->t, GUEST_PORT, VSOCK_BUF_BYTES, 1, self->buf);
	EXPECT_EQ(VSOCK_DYING, c->state);
	EXPECT_EQ(0, self->host->nr);
	/* What comes before it knows changes nothing. */
	send_data(&self->t, GUEST_PORT, VSOCK_BUF_BYTES, 1, self->buf);
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 1));
	EXPECT_EQ(0, self->t.nr);
	EXPECT_EQ(1, self->t.stats.resets);
}

TEST_F(vsock, credit_is_given_before_it_has_run_out)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);
	u32 sent = 0, told = 0, step = 1000, updates = 0;

	/* The host takes all at once; a guest must never come to stand. */
	while (sent < 50 * VSOCK_BUF_BYTES) {
		ASSERT_LE(step, VSOCK_BUF_BYTES - (sent - told));
		send_data(&self->t, GUEST_PORT, sent, step, self->buf);
		sent += step;
		while (next(&self->t, &self->p, self->buf, 1)) {
			ASSERT_EQ(VSOCK_OP_CREDIT_UPDATE, self->p.op);
			told = self->p.fwd_cnt;
			updates++;
		}
	}
	EXPECT_EQ(VSOCK_OPEN, c->state);
	/* And not for each packet. */
	EXPECT_LE(updates, 2 * 50 + 1);
	send_op(&self->t, GUEST_PORT, VSOCK_OP_CREDIT_REQUEST, self->buf);
	ASSERT_EQ(VSOCK_OP_CREDIT_UPDATE,
		  next(&self->t, &self->p, self->buf, 1));
	EXPECT_EQ(sent, self->p.fwd_cnt);
}

TEST_F(vsock, the_guest_gets_no_more_than_it_has_room_for)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);
	u32 base = 0xfffff000U, i;

	/* The counters wrap. */
	c->sent = base;
	c->peer_consumed = base;
	self->host->ends[0].avail = LOTS;
	send_credit(&self->t, base, 5000, self->buf);
	vsock_conn_readable(&self->t, c);
	ASSERT_EQ(VSOCK_OP_RW, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_EQ(4096, self->p.len);
	ASSERT_EQ(VSOCK_OP_RW, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_EQ(904, self->p.len);
	/* It asks once, however often it is told that there is none. */
	EXPECT_EQ(VSOCK_OP_CREDIT_REQUEST,
		  next(&self->t, &self->p, self->buf, 4096));
	for (i = 0; i < 3; i++) {
		vsock_conn_readable(&self->t, c);
		send_credit(&self->t, base, 5000, self->buf);
		EXPECT_EQ(0, next(&self->t, &self->p, self->buf, 4096));
	}
	/* Room for 100 bytes, on the other side of 2^32. */
	send_credit(&self->t, base + 5000, 100, self->buf);
	ASSERT_EQ(VSOCK_OP_RW, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_EQ(100, self->p.len);
	EXPECT_TRUE(is_sequence(self->buf, 5000, 100));
	EXPECT_EQ(VSOCK_OP_CREDIT_REQUEST,
		  next(&self->t, &self->p, self->buf, 4096));
	/* It takes room back: nothing is sent until there is some again. */
	send_credit(&self->t, base + 5100, 0, self->buf);
	EXPECT_EQ(0, next(&self->t, &self->p, self->buf, 4096));
	send_credit(&self->t, base + 5100, 1, self->buf);
	ASSERT_EQ(VSOCK_OP_RW, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_EQ(1, self->p.len);
	EXPECT_EQ(VSOCK_OPEN, c->state);
}

TEST_F(vsock, stale_credit_is_ignored_and_impossible_credit_is_reset)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);

	self->host->ends[0].avail = 1000;
	vsock_conn_readable(&self->t, c);
	ASSERT_EQ(VSOCK_OP_RW, next(&self->t, &self->p, self->buf, 4096));
	send_credit(&self->t, 800, GUEST_ROOM, self->buf);
	EXPECT_EQ(800, c->peer_consumed);
	send_credit(&self->t, 500, GUEST_ROOM, self->buf);
	EXPECT_EQ(800, c->peer_consumed);
	EXPECT_EQ(VSOCK_OPEN, c->state);
	send_credit(&self->t, 1001, GUEST_ROOM, self->buf);
	EXPECT_EQ(VSOCK_DYING, c->state);
}

TEST_F(vsock, one_that_stands_is_in_nobodys_way)
{
	struct vsock_packet p;
	u32 i, last = 0, turns = 0;

	for (i = 0; i < 3; i++) {
		send_op(&self->t, i, VSOCK_OP_REQUEST, self->buf);
		EXPECT_EQ(VSOCK_OP_RESPONSE,
			  next(&self->t, &self->p, self->buf, 1));
		self->host->ends[i].avail = LOTS;
	}
	while (self->t.ready.next != &self->t.ready)
		list_pop(&self->t.ready);
	/* Number 1 has no credit and its host takes nothing. */
	self->host->ends[1].room = 0;
	send_data(&self->t, 1, 0, VSOCK_BUF_BYTES, self->buf);
	p = packet(1, VSOCK_OP_CREDIT_UPDATE);
	p.buf_alloc = 0;
	receive(&self->t, &p, self->buf);
	for (i = 0; i < 3; i++)
		vsock_conn_readable(&self->t, &self->t.conns[i]);
	for (i = 0; i < 20; i++) {
		u32 op = next(&self->t, &self->p, self->buf, 1000);

		if (op == VSOCK_OP_CREDIT_REQUEST) {
			EXPECT_EQ(1, self->p.guest_port);
			continue;
		}
		ASSERT_EQ(VSOCK_OP_RW, op);
		EXPECT_NE(1, self->p.guest_port);
		turns += self->p.guest_port != last;
		last = self->p.guest_port;
	}
	/* In turn. */
	EXPECT_LE(18, turns);
	send_data(&self->t, 2, 0, 5000, self->buf);
	EXPECT_EQ(5000, self->host->ends[2].got);
}

TEST_F(vsock, the_guest_ends_its_half_after_all_has_arrived)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);
	struct vsock_host_end *e = &self->host->ends[0];

	e->room = 0;
	send_data(&self->t, GUEST_PORT, 0, 100, self->buf);
	send_shutdown(&self->t, VSOCK_SHUTDOWN_SEND, self->buf);
	EXPECT_FALSE(e->shut_write);
	e->room = LOTS;
	vsock_conn_writable(&self->t, c);
	EXPECT_EQ(100, e->got);
	EXPECT_TRUE(e->shut_write);
	/* The other half goes on. */
	e->avail = 7;
	vsock_conn_readable(&self->t, c);
	ASSERT_EQ(VSOCK_OP_RW, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_EQ(7, self->p.len);
	/* When it ends as well, all has ended. */
	e->eof = true;
	vsock_conn_readable(&self->t, c);
	ASSERT_EQ(VSOCK_OP_SHUTDOWN, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_EQ(VSOCK_SHUTDOWN_BOTH, self->p.flags);
	EXPECT_EQ(0, self->host->nr);
	EXPECT_EQ(VSOCK_CLOSING, c->state);
	send_op(&self->t, GUEST_PORT, VSOCK_OP_RST, self->buf);
	EXPECT_EQ(0, self->t.nr);
	EXPECT_EQ(0, self->t.stats.resets);
}

TEST_F(vsock, data_after_the_end_is_an_error)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);

	send_shutdown(&self->t, VSOCK_SHUTDOWN_SEND, self->buf);
	send_data(&self->t, GUEST_PORT, 0, 1, self->buf);
	EXPECT_EQ(VSOCK_DYING, c->state);
}

TEST_F(vsock, the_guest_does_not_want_to_read_any_more)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);
	struct vsock_host_end *e = &self->host->ends[0];

	send_shutdown(&self->t, VSOCK_SHUTDOWN_RECEIVE, self->buf);
	EXPECT_TRUE(e->shut_read);
	e->avail = 100;
	vsock_conn_readable(&self->t, c);
	ASSERT_EQ(VSOCK_OP_SHUTDOWN, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_EQ(VSOCK_SHUTDOWN_SEND, self->p.flags);
	EXPECT_EQ(0, next(&self->t, &self->p, self->buf, 4096));
	send_data(&self->t, GUEST_PORT, 0, 100, self->buf);
	EXPECT_EQ(100, e->got);
	send_shutdown(&self->t, VSOCK_SHUTDOWN_SEND, self->buf);
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_EQ(0, self->host->nr);
}

TEST_F(vsock, a_guest_that_closes_leaves_what_it_has_sent)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);
	struct vsock_host_end *e = &self->host->ends[0];

	e->room = 0;
	send_data(&self->t, GUEST_PORT, 0, 9000, self->buf);
	send_shutdown(&self->t, VSOCK_SHUTDOWN_BOTH, self->buf);
	/* Confirmed at once; the port is free for the next one. */
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 4096));
	EXPECT_EQ(VSOCK_LINGERING, c->state);
	EXPECT_FALSE(vsock_table_is_known(&self->t));
	send_op(&self->t, GUEST_PORT, VSOCK_OP_REQUEST, self->buf);
	EXPECT_EQ(VSOCK_OP_RESPONSE, next(&self->t, &self->p, self->buf, 1));
	e->room = 4000;
	vsock_conn_writable(&self->t, c);
	EXPECT_EQ(4000, e->got);
	EXPECT_TRUE(e->used);
	e->room = LOTS;
	vsock_conn_writable(&self->t, c);
	EXPECT_EQ(9000, e->got);
	EXPECT_FALSE(e->wrong);
	EXPECT_FALSE(e->used);
	EXPECT_EQ(1, self->t.nr);
}

TEST_F(vsock, one_that_lingers_ends_with_its_host)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);

	self->host->ends[0].room = 0;
	send_data(&self->t, GUEST_PORT, 0, 9000, self->buf);
	send_shutdown(&self->t, VSOCK_SHUTDOWN_BOTH, self->buf);
	self->host->ends[0].write_error = -EPIPE;
	vsock_conn_writable(&self->t, c);
	EXPECT_EQ(0, self->t.nr);
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 1));
	c = open_one(&self->t, self->buf);
	self->host->ends[0].room = 0;
	send_data(&self->t, GUEST_PORT, 0, 9000, self->buf);
	send_shutdown(&self->t, VSOCK_SHUTDOWN_BOTH, self->buf);
	EXPECT_EQ(VSOCK_LINGERING, c->state);
	vsock_conn_hung_up(&self->t, c);
	EXPECT_EQ(0, self->t.nr);
}

TEST_F(vsock, the_host_closes_and_the_guest_still_gets_all)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);
	struct vsock_host_end *e = &self->host->ends[0];
	u32 i;

	e->avail = 3000;
	e->eof = true;
	vsock_conn_hung_up(&self->t, c);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(VSOCK_OP_RW,
			  next(&self->t, &self->p, self->buf, 1000));
		EXPECT_TRUE(is_sequence(self->buf, i * 1000, 1000));
	}
	ASSERT_EQ(VSOCK_OP_SHUTDOWN, next(&self->t, &self->p, self->buf, 1000));
	EXPECT_EQ(VSOCK_SHUTDOWN_BOTH, self->p.flags);
	EXPECT_EQ(VSOCK_CLOSING, c->state);
	/* What the guest was about to send goes nowhere, and is no error. */
	send_data(&self->t, GUEST_PORT, 0, VSOCK_BUF_BYTES, self->buf);
	send_data(&self->t, GUEST_PORT, 0, VSOCK_BUF_BYTES, self->buf);
	EXPECT_EQ(VSOCK_OP_CREDIT_UPDATE,
		  next(&self->t, &self->p, self->buf, 1000));
	send_shutdown(&self->t, VSOCK_SHUTDOWN_BOTH, self->buf);
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 1000));
	EXPECT_EQ(0, self->t.nr);
}

TEST_F(vsock, the_host_ends_one_half)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);
	struct vsock_host_end *e = &self->host->ends[0];

	e->eof = true;
	vsock_conn_readable(&self->t, c);
	ASSERT_EQ(VSOCK_OP_SHUTDOWN, next(&self->t, &self->p, self->buf, 1));
	EXPECT_EQ(VSOCK_SHUTDOWN_SEND, self->p.flags);
	EXPECT_EQ(0, next(&self->t, &self->p, self->buf, 1));
	send_data(&self->t, GUEST_PORT, 0, 100, self->buf);
	EXPECT_EQ(100, e->got);
	/* It does not read any more either. */
	e->write_error = -EPIPE;
	send_data(&self->t, GUEST_PORT, 100, 100, self->buf);
	ASSERT_EQ(VSOCK_OP_SHUTDOWN, next(&self->t, &self->p, self->buf, 1));
	EXPECT_EQ(VSOCK_SHUTDOWN_BOTH, self->p.flags);
	EXPECT_EQ(VSOCK_CLOSING, c->state);
}

TEST_F(vsock, errors_of_the_host_reset)
{
	struct vsock_conn *c = open_one(&self->t, self->buf);

	self->host->ends[0].read_error = -ECONNRESET;
	vsock_conn_readable(&self->t, c);
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 1));
	EXPECT_EQ(0, self->t.nr);
	c = open_one(&self->t, self->buf);
	self->host->ends[0].write_error = -EIO;
	send_data(&self->t, GUEST_PORT, 0, 100, self->buf);
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 1));
	EXPECT_EQ(0, self->t.nr);
	/* The host's end has gone when it is to be told of the answer. */
	c = vsock_conn_open(&self->t, 77, vsock_host_open(self->host));
	ASSERT_EQ(VSOCK_OP_REQUEST, next(&self->t, &self->p, self->buf, 1));
	self->host->ends[0].write_error = -EPIPE;
	self->p = packet(77, VSOCK_OP_RESPONSE);
	self->p.host_port = c->host_port;
	receive(&self->t, &self->p, self->buf);
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 1));
}

TEST_F(vsock, what_does_not_belong_to_a_connection_resets_it)
{
	static const u16 bad[] = {
		0, VSOCK_OP_REQUEST, VSOCK_OP_RESPONSE, 8, 0xffff,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		open_one(&self->t, self->buf);
		send_op(&self->t, GUEST_PORT, bad[i], self->buf);
		EXPECT_EQ(0, self->host->nr);
		EXPECT_EQ(VSOCK_OP_RST,
			  next(&self->t, &self->p, self->buf, 1));
		EXPECT_EQ(0, self->t.nr);
	}
	/* Before the guest has answered. */
	for (i = VSOCK_OP_SHUTDOWN; i <= VSOCK_OP_RW; i++) {
		vsock_conn_open(&self->t, 77, vsock_host_open(self->host));
		EXPECT_EQ(VSOCK_OP_REQUEST,
			  next(&self->t, &self->p, self->buf, 1));
		self->p.op = (u16)i;
		self->p.buf_alloc = GUEST_ROOM;
		receive(&self->t, &self->p, self->buf);
		EXPECT_EQ(VSOCK_OP_RST,
			  next(&self->t, &self->p, self->buf, 1));
		EXPECT_EQ(0, self->t.nr);
	}
}

TEST_F(vsock, patience_ends)
{
	struct vsock_conn *c;

	EXPECT_FALSE(vsock_table_tick(&self->t, 5000));
	c = vsock_conn_open(&self->t, 77, vsock_host_open(self->host));
	EXPECT_TRUE(vsock_table_tick(&self->t, 5000 + VSOCK_PATIENCE_MS - 1));
	/* The guest has never seen the request. */
	EXPECT_FALSE(vsock_table_tick(&self->t, 5000 + VSOCK_PATIENCE_MS));
	EXPECT_EQ(0, self->t.nr);
	EXPECT_EQ(0, next(&self->t, &self->p, self->buf, 1));
	/* It has. */
	vsock_conn_open(&self->t, 77, vsock_host_open(self->host));
	ASSERT_EQ(VSOCK_OP_REQUEST, next(&self->t, &self->p, self->buf, 1));
	EXPECT_FALSE(vsock_table_tick(&self->t, 5000 + 2 * VSOCK_PATIENCE_MS));
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 1));
	/* It does not confirm the end. */
	c = open_one(&self->t, self->buf);
	self->host->ends[0].eof = true;
	vsock_conn_hung_up(&self->t, c);
	ASSERT_EQ(VSOCK_OP_SHUTDOWN, next(&self->t, &self->p, self->buf, 1));
	EXPECT_TRUE(vsock_table_tick(&self->t, 5001 + 2 * VSOCK_PATIENCE_MS));
	EXPECT_FALSE(vsock_table_tick(&self->t, 5000 + 3 * VSOCK_PATIENCE_MS));
	EXPECT_EQ(VSOCK_OP_RST, next(&self->t, &self->p, self->buf, 1));
	EXPECT_EQ(0, self->t.nr);
}

/**
 * struct model - a guest that keeps to the rules, one connection
 * @sent: bytes to the host
 * @told: of these, consumed there
 * @got: bytes from the host
 * @consumed: of these, consumed here
 */
struct model {
	u32 sent;
	u32 told;
	u32 got;
	u32 consumed;
};

static void model_sends(struct vsock_table *t, struct model *m, u32 port,
			u32 len, u8 *buf)
{
	struct vsock_packet p = packet(port, VSOCK_OP_RW);
	u32 i;

	p.len = min_of(len, VSOCK_BUF_BYTES - (m->sent - m->told));
	p.fwd_cnt = m->consumed;
	p.buf_alloc = 20000;
	for (i = 0; i < p.len; i++)
		buf[HEAD + i] = vsock_host_byte(m->sent + i);
	m->sent += p.len;
	receive(t, &p, buf);
}

TEST_F(vsock, nothing_is_lost_at_random)
{
	struct model m[8] = { 0 };
	struct test_random rnd;
	u32 step, i;

	TH_LOG("seed %llu", (unsigned long long)test_random_init(&rnd));
	self->host->room = 0;
	for (i = 0; i < ARRAY_SIZE(m); i++) {
		self->p = packet(i, VSOCK_OP_REQUEST);
		self->p.buf_alloc = 20000;
		receive(&self->t, &self->p, self->buf);
	}
	for (step = 0; step < 40000; step++) {
		struct vsock_host_end *e;
		struct vsock_conn *c;

		i = (u32)test_random_below(&rnd, ARRAY_SIZE(m));
		e = &self->host->ends[i];
		c = &self->t.conns[i];
		switch (test_random_below(&rnd, 6)) {
		case 0:
			model_sends(&self->t, &m[i], i,
				    (u32)test_random_below(&rnd, 9000),
				    self->buf);
			break;
		case 1:
			e->room += test_random_below(&rnd, 20000);
			vsock_conn_writable(&self->t, c);
			break;
		case 2:
			e->avail += test_random_below(&rnd, 9000);
			vsock_conn_readable(&self->t, c);
			break;
		case 3:
			m[i].consumed += (u32)test_random_below(&rnd,
					m[i].got - m[i].consumed + 1);
			model_sends(&self->t, &m[i], i, 0, self->buf);
			break;
		default:
			if (!next(&self->t, &self->p, self->buf,
				  1 + (u32)test_random_below(&rnd, 5000)))
				break;
			ASSERT_NE(VSOCK_OP_RST, self->p.op);
			i = self->p.guest_port;
			m[i].told = self->p.fwd_cnt;
			ASSERT_TRUE(is_sequence(self->buf, m[i].got,
						self->p.len));
			m[i].got += self->p.len;
			ASSERT_LE(m[i].got - m[i].consumed, 20000);
		}
	}
	/* And in the end everything has arrived. */
	for (i = 0; i < ARRAY_SIZE(m); i++) {
		self->host->ends[i].room = LOTS;
		vsock_conn_writable(&self->t, &self->t.conns[i]);
		EXPECT_EQ(m[i].sent, (u32)self->host->ends[i].got);
		EXPECT_FALSE(self->host->ends[i].wrong);
		EXPECT_LT(100000, m[i].sent);
		EXPECT_LT(100000, m[i].got);
		EXPECT_EQ(VSOCK_OPEN, self->t.conns[i].state);
	}
}

TEST_HARNESS_MAIN
