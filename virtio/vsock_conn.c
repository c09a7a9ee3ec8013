// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: connections of a socket device: what the specification says of them
 *
 * VIRTIO-1.2 5.10.6, stream sockets. A connection joins a port of the guest
 * and a socket of the host, and this file says what a packet from the guest or
 * an event at the host's end does to it, and what is to be sent to the guest.
 * It knows neither queues nor sockets: packets come and go by
 * vsock_table_receive() and vsock_table_next(), the host's end is a set of
 * operations that never block.
 *
 * Data from the guest go to the host at once. What the host does not take now
 * is kept, up to VSOCK_BUF_BYTES a connection: that is the credit that the
 * guest has, and one that sends more is reset. Data to the guest are read from
 * the host only when the guest has room for them, straight into its buffers,
 * so the host's own socket is what holds a fast sender back. A connection that
 * cannot go on is not in the list of those that are looked at, so it is in
 * nobody's way.
 *
 * Both halves of a connection end by themselves. When both have ended at the
 * guest, it gets a reset as its confirmation and the host still gets what was
 * kept; when both have ended at the host, the guest has VSOCK_PATIENCE_MS for
 * its confirmation.
 *
 * What is to be sent is bits of each connection, so nothing is queued but
 * resets for connections that do not exist; while there is no room for one
 * more of those, no packet is to be received (vsock_table_has_room()).
 *
 * Which connections there are is in vsock_table.c.
 *
 * Threads: one, the loop's.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "virtio/vsock_conn_priv.h"
#include "virtio/vsock_spec.h"
#include "vmm/base/counter.h"
#include "vmm/base/math.h"

#define IOV_MAX_PACKET	128

/* ---- a connection ------------------------------------------------------- */

static void make_due(struct vsock_table *t, struct vsock_conn *c, u32 op)
{
	c->ops_due |= BIT(op);
	vsock_conn_mark_ready(t, c);
}

/* Something went wrong: both ends are told. */
static void conn_reset(struct vsock_table *t, struct vsock_conn *c)
{
	counter_add(&t->stats.resets, 1);
	if (c->state == VSOCK_LINGERING) {
		vsock_conn_end(t, c);
		return;
	}
	vsock_conn_close_host(t, c);
	c->state = VSOCK_DYING;
	c->buf_used = 0;
	c->deadline_ms = 0;
	c->ops_due = 0;
	make_due(t, c, VSOCK_OP_RST);
}

/* The guest closes: the host still gets what was kept for it. */
static void guest_closed(struct vsock_table *t, struct vsock_conn *c)
{
	vsock_table_reply(t, c->guest_port, c->host_port, VSOCK_TYPE_STREAM);
	if (!c->buf_used || c->fd < 0) {
		vsock_conn_end(t, c);
		return;
	}
	c->state = VSOCK_LINGERING;
	list_del(&c->hash);
	list_del(&c->ready);
	t->ops->shutdown(t, c, SHUT_RD);
}

static void host_shuts(struct vsock_table *t, struct vsock_conn *c, u8 half)
{
	if ((c->host_shut & half) == half)
		return;
	c->host_shut |= half;
	make_due(t, c, VSOCK_OP_SHUTDOWN);
	if (c->host_shut & VSOCK_SHUTDOWN_RECEIVE) {
		c->consumed += c->buf_used;
		c->buf_used = 0;
	}
}

/* A half may have ended, or what was kept may have gone. */
static void check_halves(struct vsock_table *t, struct vsock_conn *c)
{
	if (c->state != VSOCK_OPEN)
		return;
	if ((c->guest_shut & VSOCK_SHUTDOWN_SEND) && !c->buf_used &&
	    !c->write_shut) {
		t->ops->shutdown(t, c, SHUT_WR);
		c->write_shut = true;
	}
	if ((c->host_shut & VSOCK_SHUTDOWN_SEND) && c->write_shut)
		host_shuts(t, c, VSOCK_SHUTDOWN_RECEIVE);
	if (c->host_shut == VSOCK_SHUTDOWN_BOTH) {
		vsock_conn_close_host(t, c);
		c->state = VSOCK_CLOSING;
		c->deadline_ms = t->now_ms + VSOCK_PATIENCE_MS;
	}
}

/* The guest is told of new room before it has run out of the old. */
static void check_credit(struct vsock_table *t, struct vsock_conn *c)
{
	u32 told = VSOCK_BUF_BYTES - (c->received - c->consumed_told);

	if (c->consumed != c->consumed_told && told < VSOCK_BUF_BYTES / 2)
		make_due(t, c, VSOCK_OP_CREDIT_UPDATE);
}

/*
 * The part of some vectors that begins at @offset and has at most @len bytes.
 * Gives the number of vectors.
 */
static u32 slice(struct iovec *to, const struct iovec *from, u32 nr,
		 u64 offset, u64 len)
{
	u32 i, n = 0;

	for (i = 0; i < nr && len && n < IOV_MAX_PACKET; i++) {
		u64 has = from[i].iov_len;

		if (offset >= has) {
			offset -= has;
			continue;
		}
		to[n].iov_base = (u8 *)from[i].iov_base + offset;
		to[n].iov_len = min_of(has - offset, len);
		len -= to[n].iov_len;
		offset = 0;
		n++;
	}
	return n;
}

/*
 * Hands data to the host. Gives how many bytes it took, or a negative errno
 * after it was dealt with: the connection may be over.
 */
static ssize_t host_write(struct vsock_table *t, struct vsock_conn *c,
			  const struct iovec *iov, u32 nr)
{
	ssize_t n = t->ops->write(t, c, iov, nr);

	if (n >= 0) {
		c->consumed += (u32)n;
		return n;
	}
	if (n == -EAGAIN)
		return 0;
	if (n == -EPIPE && c->state == VSOCK_OPEN) {
		host_shuts(t, c, VSOCK_SHUTDOWN_RECEIVE);
		check_halves(t, c);
	} else {
		conn_reset(t, c);
	}
	return n;
}

/* What was kept goes on to the host, as far as it takes it. */
static void flush(struct vsock_table *t, struct vsock_conn *c)
{
	while (c->buf_used) {
		u32 end = VSOCK_BUF_BYTES - c->buf_start;
		struct iovec iov[2] = {
			{ c->buf + c->buf_start, min_of(c->buf_used, end) },
			{ c->buf, c->buf_used - min_of(c->buf_used, end) },
		};
		ssize_t n = host_write(t, c, iov, iov[1].iov_len ? 2 : 1);

		if (n <= 0)
			return;
		c->buf_start = (c->buf_start + (u32)n) % VSOCK_BUF_BYTES;
		c->buf_used -= (u32)n;
	}
}

/* Keeps the last @len bytes of a packet; there is room. */
static bool keep(struct vsock_conn *c, const struct virtio_chain *chain,
		 u64 offset, u32 len)
{
	u32 at, n;

	if (!c->buf)
		c->buf = malloc(VSOCK_BUF_BYTES);
	if (!c->buf)
		return false;
	at = (c->buf_start + c->buf_used) % VSOCK_BUF_BYTES;
	n = min_of(len, VSOCK_BUF_BYTES - at);
	virtio_chain_read(chain, offset, c->buf + at, n);
	virtio_chain_read(chain, offset + n, c->buf, len - n);
	c->buf_used += len;
	return true;
}

/* Bytes that the guest has room for. */
static u32 guest_room(const struct vsock_conn *c)
{
	u32 under_way = c->sent - c->peer_consumed;

	return under_way < c->peer_room ? c->peer_room - under_way : 0;
}

/* There may be something to be read, and the guest wants it. */
static bool wants_read(const struct vsock_conn *c)
{
	return c->state == VSOCK_OPEN && c->readable &&
	       !(c->host_shut & VSOCK_SHUTDOWN_SEND);
}

/* ---- from the guest ----------------------------------------------------- */

static void guest_requests(struct vsock_table *t, const struct vsock_packet *p)
{
	struct vsock_conn *c = vsock_conn_new(t, p->guest_port,
					      p->host_port, -1);

	if (!c || t->ops->connect(t, c)) {
		if (c)
			vsock_conn_free(t, c);
		counter_add(&t->stats.refused, 1);
		vsock_table_reply(t, p->guest_port, p->host_port, p->type);
		return;
	}
	counter_add(&t->stats.from_guest, 1);
	c->state = VSOCK_OPEN;
	c->peer_room = p->buf_alloc;
	make_due(t, c, VSOCK_OP_RESPONSE);
}

static void guest_responds(struct vsock_table *t, struct vsock_conn *c)
{
	if (c->state != VSOCK_REQUESTED || t->ops->opened(t, c)) {
		conn_reset(t, c);
		return;
	}
	counter_add(&t->stats.from_host, 1);
	c->state = VSOCK_OPEN;
	c->deadline_ms = 0;
	c->readable = true;
	vsock_conn_mark_ready(t, c);
}

static void guest_sends(struct vsock_table *t, struct vsock_conn *c,
			const struct vsock_packet *p,
			const struct virtio_chain *chain, u64 offset)
{
	struct iovec iov[IOV_MAX_PACKET];
	ssize_t n = 0;
	u32 nr;

	if (c->state == VSOCK_REQUESTED ||
	    (c->guest_shut & VSOCK_SHUTDOWN_SEND) ||
	    p->len > VSOCK_BUF_BYTES - (c->received - c->consumed)) {
		conn_reset(t, c);
		return;
	}
	c->received += p->len;
	counter_add(&t->stats.bytes_in, p->len);
	if (c->host_shut & VSOCK_SHUTDOWN_RECEIVE) {
		c->consumed += p->len;
		check_credit(t, c);
		return;
	}
	if (!c->buf_used && p->len) {
		nr = slice(iov, chain->iov, chain->out_nr, offset, p->len);
		n = host_write(t, c, iov, nr);
	}
	if (n < 0) {
		/* Nobody reads any more; or the connection is over. */
		c->consumed += p->len;
	} else if (p->len > (u32)n &&
		   !keep(c, chain, offset + (u64)n, p->len - (u32)n)) {
		conn_reset(t, c);
		return;
	}
	if (c->state == VSOCK_OPEN || c->state == VSOCK_CLOSING)
		check_credit(t, c);
}

static void guest_shuts(struct vsock_table *t, struct vsock_conn *c, u32 flags)
{
	if (c->state == VSOCK_REQUESTED) {
		conn_reset(t, c);
		return;
	}
	c->guest_shut |= flags & VSOCK_SHUTDOWN_BOTH;
	if (c->guest_shut == VSOCK_SHUTDOWN_BOTH) {
		guest_closed(t, c);
		return;
	}
	if ((c->guest_shut & VSOCK_SHUTDOWN_RECEIVE) &&
	    c->state == VSOCK_OPEN &&
	    !(c->host_shut & VSOCK_SHUTDOWN_SEND)) {
		t->ops->shutdown(t, c, SHUT_RD);
		host_shuts(t, c, VSOCK_SHUTDOWN_SEND);
	}
	check_halves(t, c);
}

static void guest_resets(struct vsock_table *t, struct vsock_conn *c)
{
	if (c->state == VSOCK_REQUESTED)
		counter_add(&t->stats.refused, 1);
	else if (c->state == VSOCK_OPEN)
		counter_add(&t->stats.resets, 1);
	vsock_conn_end(t, c);
}

/*
 * What the guest says of its credit. A packet may have been overtaken by one
 * that says more; none can know of bytes that were not sent.
 */
static bool take_credit(struct vsock_table *t, struct vsock_conn *c,
			const struct vsock_packet *p)
{
	u32 ahead = p->fwd_cnt - c->peer_consumed;

	if (ahead <= c->sent - c->peer_consumed)
		c->peer_consumed = p->fwd_cnt;
	else if (ahead < 1U << 31)
		return false;
	c->peer_room = p->buf_alloc;
	/* Asked once: an answer without credit must not make us ask again. */
	if (guest_room(c))
		c->blocked = false;
	if (wants_read(c) && !c->blocked)
		vsock_conn_mark_ready(t, c);
	return true;
}

/**
 * vsock_table_receive() - a packet from the guest
 * @t: the table; it has room
 * @p: the packet's header, which may say anything
 * @chain: what it came in
 * @offset: where its payload begins in what the device reads of @chain, which
 *          has at least &vsock_packet.len bytes from there
 */
void vsock_table_receive(struct vsock_table *t, const struct vsock_packet *p,
			 const struct virtio_chain *chain, u64 offset)
{
	struct vsock_conn *c = NULL;

	if (p->type == VSOCK_TYPE_STREAM)
		c = vsock_conn_find(t, p->guest_port, p->host_port);
	if (!c) {
		if (p->type == VSOCK_TYPE_STREAM && p->op == VSOCK_OP_REQUEST)
			guest_requests(t, p);
		else if (p->op != VSOCK_OP_RST)
			vsock_table_reply(t, p->guest_port, p->host_port,
					  p->type);
		return;
	}
	if (p->op == VSOCK_OP_RST) {
		guest_resets(t, c);
		return;
	}
	if (c->state == VSOCK_DYING)
		return;
	if (!take_credit(t, c, p)) {
		conn_reset(t, c);
		return;
	}
	switch (p->op) {
	case VSOCK_OP_RESPONSE:
		guest_responds(t, c);
		break;
	case VSOCK_OP_RW:
		guest_sends(t, c, p, chain, offset);
		break;
	case VSOCK_OP_SHUTDOWN:
		guest_shuts(t, c, p->flags);
		break;
	case VSOCK_OP_CREDIT_UPDATE:
		break;
	case VSOCK_OP_CREDIT_REQUEST:
		make_due(t, c, VSOCK_OP_CREDIT_UPDATE);
		break;
	default:
		conn_reset(t, c);
	}
}

/* ---- to the guest ------------------------------------------------------- */

/* Gives bytes that were read, or 0: there is no more of it now. */
static u32 host_read(struct vsock_table *t, struct vsock_conn *c,
		     const struct virtio_chain *chain, u64 offset)
{
	u32 most = min_of(guest_room(c), VSOCK_PACKET_MAX);
	struct iovec iov[IOV_MAX_PACKET];
	ssize_t n;
	u32 nr;

	nr = slice(iov, chain->iov + chain->out_nr, chain->in_nr, offset, most);
	n = t->ops->read(t, c, iov, nr);
	if (n > 0) {
		c->sent += (u32)n;
		counter_add(&t->stats.bytes_out, (u64)n);
		return (u32)n;
	}
	c->readable = false;
	if (!n) {
		host_shuts(t, c, VSOCK_SHUTDOWN_SEND);
		check_halves(t, c);
	} else if (n != -EAGAIN) {
		conn_reset(t, c);
	}
	return 0;
}

/* In this order: nothing before the answer, no data after the end. */
static u32 next_op(const struct vsock_conn *c)
{
	static const u8 order[] = {
		VSOCK_OP_RST, VSOCK_OP_REQUEST, VSOCK_OP_RESPONSE,
		VSOCK_OP_SHUTDOWN, VSOCK_OP_CREDIT_UPDATE,
		VSOCK_OP_CREDIT_REQUEST,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		if (vsock_conn_is_due(c, order[i]))
			return order[i];
	return 0;
}

static void fill(struct vsock_packet *p, struct vsock_conn *c, u32 op, u32 len)
{
	*p = (struct vsock_packet){
		.guest_port = c->guest_port, .host_port = c->host_port,
		.len = len, .type = VSOCK_TYPE_STREAM, .op = (u16)op,
		.flags = op == VSOCK_OP_SHUTDOWN ? c->host_shut : 0,
		.buf_alloc = VSOCK_BUF_BYTES, .fwd_cnt = c->consumed,
	};
	c->consumed_told = c->consumed;
	c->ops_due &= ~(BIT(op) | BIT(VSOCK_OP_CREDIT_UPDATE));
}

static bool conn_next(struct vsock_table *t, struct vsock_conn *c,
		      struct vsock_packet *p, const struct virtio_chain *chain,
		      u64 offset)
{
	u32 len, op;

	if (wants_read(c) && !vsock_conn_is_due(c, VSOCK_OP_RESPONSE)) {
		len = guest_room(c) ? host_read(t, c, chain, offset) : 0;
		if (len) {
			fill(p, c, VSOCK_OP_RW, len);
			return true;
		}
		if (wants_read(c) && !c->blocked) {
			c->blocked = true;
			make_due(t, c, VSOCK_OP_CREDIT_REQUEST);
		}
	}
	op = next_op(c);
	if (!op)
		return false;
	fill(p, c, op, 0);
	return true;
}

static bool has_more(const struct vsock_conn *c)
{
	return c->ops_due || (wants_read(c) && (guest_room(c) || !c->blocked));
}

/**
 * vsock_table_next() - the next packet for the guest
 * @t: the table
 * @p: filled
 * @chain: where its payload is to be put, once it is known that there is one
 * @offset: from which byte on of what the device writes of @chain; it has at
 *          least one byte there
 *
 * Return: false when there is none: nothing was written.
 */
bool vsock_table_next(struct vsock_table *t, struct vsock_packet *p,
		      const struct virtio_chain *chain, u64 offset)
{
	struct list *link;

	if (t->replies_nr) {
		const struct vsock_reply *r = &t->replies[t->replies_start];

		*p = (struct vsock_packet){
			.guest_port = r->guest_port, .host_port = r->host_port,
			.type = r->type, .op = VSOCK_OP_RST,
		};
		t->replies_start = (t->replies_start + 1) % VSOCK_REPLIES_MAX;
		t->replies_nr--;
		return true;
	}
	while ((link = list_pop(&t->ready))) {
		struct vsock_conn *c = list_entry(link, struct vsock_conn,
						  ready);

		if (!conn_next(t, c, p, chain, offset))
			continue;
		if (p->op == VSOCK_OP_RST)
			vsock_conn_free(t, c);
		else if (has_more(c))
			vsock_conn_mark_ready(t, c);
		return true;
	}
	return false;
}

/* ---- at the host -------------------------------------------------------- */

/**
 * vsock_conn_open() - the host wants to talk to a port of the guest
 * @t: the table
 * @guest_port: the port
 * @fd: the host's socket; the connection's, unless this fails
 *
 * Return: the connection, or NULL when the table is full.
 */
struct vsock_conn *vsock_conn_open(struct vsock_table *t, u32 guest_port,
				   int fd)
{
	struct vsock_conn *c;
	u32 port;

	/* Fewer are in use than there are. */
	do {
		port = t->port_next++;
		if (t->port_next == UINT32_MAX)
			t->port_next = VSOCK_PORT_FIRST;
	} while (vsock_table_uses_port(t, port));
	c = vsock_conn_new(t, guest_port, port, fd);
	if (!c)
		return NULL;
	c->state = VSOCK_REQUESTED;
	c->deadline_ms = t->now_ms + VSOCK_PATIENCE_MS;
	make_due(t, c, VSOCK_OP_REQUEST);
	return c;
}

/**
 * vsock_conn_readable() - the host may have sent something
 * @t: the table
 * @c: the connection, not free
 */
void vsock_conn_readable(struct vsock_table *t, struct vsock_conn *c)
{
	c->readable = true;
	if (wants_read(c))
		vsock_conn_mark_ready(t, c);
}

/**
 * vsock_conn_writable() - the host may take something
 * @t: the table
 * @c: the connection, not free; it may be over afterwards
 */
void vsock_conn_writable(struct vsock_table *t, struct vsock_conn *c)
{
	if (!c->buf_used)
		return;
	flush(t, c);
	if (c->state == VSOCK_LINGERING && !c->buf_used)
		vsock_conn_end(t, c);
	if (c->state != VSOCK_OPEN && c->state != VSOCK_CLOSING)
		return;
	check_credit(t, c);
	check_halves(t, c);
}

/**
 * vsock_conn_hung_up() - the host has closed its end
 * @t: the table
 * @c: the connection, not free; it may be over afterwards
 *
 * What it has sent before is still read.
 */
void vsock_conn_hung_up(struct vsock_table *t, struct vsock_conn *c)
{
	switch (c->state) {
	case VSOCK_REQUESTED:
		if (vsock_conn_is_due(c, VSOCK_OP_REQUEST))
			vsock_conn_end(t, c);
		else
			conn_reset(t, c);
		break;
	case VSOCK_OPEN:
		c->readable = true;
		vsock_conn_mark_ready(t, c);
		host_shuts(t, c, VSOCK_SHUTDOWN_RECEIVE);
		check_halves(t, c);
		break;
	case VSOCK_LINGERING:
		vsock_conn_end(t, c);
		break;
	default:
		break;
	}
}

/**
 * vsock_table_tick() - some time has gone by
 * @t: the table
 * @now_ms: the time, by a clock of the caller's that only goes forward
 *
 * Return: true when it is to be called again in a second or so.
 */
bool vsock_table_tick(struct vsock_table *t, u64 now_ms)
{
	struct vsock_conn *c, *tmp;
	bool again = false;

	t->now_ms = now_ms;
	list_for_each_entry_safe(c, tmp, &t->all, link) {
		if (!c->deadline_ms)
			continue;
		if (now_ms < c->deadline_ms)
			again = true;
		else if (c->state == VSOCK_REQUESTED &&
			 vsock_conn_is_due(c, VSOCK_OP_REQUEST))
			vsock_conn_end(t, c);
		else
			conn_reset(t, c);
	}
	return again;
}
